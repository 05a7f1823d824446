//! Files of every kind that is decoded, files that are not, and damaged ones.
//!
//! `tests/fixtures/audible-market.mp3` was made for this test: the words "I hear a market." as audible text, which is
//! generated tones (`infra::simulator::audible`), encoded with LAME at 48 kbit/s, 44.1 kHz, joint stereo.

use std::io::Cursor as Position;

use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;

use super::*;

/// Decodes a file without a bound of time.
fn decode_all(file: &[u8]) -> Result<Vec<i16>, AudioFileError> {
    decode(file, || true)
}
use crate::{
    live::upload::{RATES_HZ, metered::SKIPPED_BYTES_MAX},
    test_fuzz::cases,
};

const MP3: &[u8] = include_bytes!("../../../../tests/fixtures/audible-market.mp3");

/// Of the words in [`MP3`], before they were encoded: 980 ms.
const MP3_MS: u64 = 980;

fn spec(rate: u32, channels: u16, bits: u16, sample_format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format }
}

fn wav<S: hound::Sample + Copy>(spec: WavSpec, samples: &[S]) -> Vec<u8> {
    let mut file = Position::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn mono_16(samples: &[i16]) -> Vec<u8> {
    wav(spec(16_000, 1, 16, SampleFormat::Int), samples)
}

/// A WAV file of an encoding that has a format chunk of 18 bytes: 16 kHz mono, one byte a sample.
fn companded(encoding: u8, samples: &[u8]) -> Vec<u8> {
    let format = [encoding, 0, 1, 0, 0x80, 0x3e, 0, 0, 0x80, 0x3e, 0, 0, 1, 0, 8, 0, 0, 0];
    let length = u32::try_from(samples.len()).unwrap().to_le_bytes();
    [b"RIFF", &[0xff; 4][..], b"WAVEfmt \x12\0\0\0", &format, b"data", &length, samples].concat()
}

/// `count` frames of silence under a header. A frame of 48 kbit/s at 44.1 kHz has 156 bytes and 1152 samples, one of 32 kbit/s at
/// 16 kHz has 144 bytes and 576 samples.
fn silent_frames(header: [u8; 4], bytes: usize, count: usize) -> Vec<u8> {
    let mut frame = header.to_vec();
    frame.resize(bytes, 0);
    frame.repeat(count)
}

/// Frames of 16 kHz mono.
fn frames_16_khz(count: usize) -> Vec<u8> {
    silent_frames([0xff, 0xf3, 0x48, 0xc4], 144, count)
}

/// Root mean square, of 32768.
fn level(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / samples.len().max(1) as f64).sqrt()
}

#[test]
fn our_own_form_is_taken_sample_for_sample() {
    let samples = [0, 1, -1, 1_000, i16::MAX, i16::MIN];
    assert_eq!(decode_all(&mono_16(&samples)).unwrap(), samples);
}

#[test]
fn every_common_encoding_is_decoded() {
    let expected = [0, 16_384, -16_384];
    let rate = 16_000;
    let int = SampleFormat::Int;
    let files = [
        ("16 bit", wav(spec(rate, 1, 16, int), &expected)),
        ("24 bit", wav(spec(rate, 1, 24, int), &[0, 1 << 22, -(1 << 22)])),
        ("32 bit", wav(spec(rate, 1, 32, int), &[0, 1 << 30, -(1 << 30)])),
        ("8 bit", wav(spec(rate, 1, 8, int), &[0_i8, 64, -64])),
        ("float", wav(spec(rate, 1, 32, SampleFormat::Float), &[0.0_f32, 0.5, -0.5])),
    ];
    for (name, file) in files {
        assert_eq!(decode_all(&file).unwrap(), expected, "{name}");
    }
    // ITU-T G.711: the smallest and the largest values of each law, at 16 bit.
    assert_eq!(decode_all(&companded(7, &[0xff, 0x80, 0x00])).unwrap(), [0, 32_124, -32_124]);
    assert_eq!(decode_all(&companded(6, &[0xd5, 0xaa, 0x2a])).unwrap(), [8, 32_256, -32_256]);
}

#[test]
fn channels_are_averaged() {
    let stereo = wav(spec(16_000, 2, 16, SampleFormat::Int), &[1_000_i16, 3_000, -5, 5]);
    assert_eq!(decode_all(&stereo).unwrap(), [2_000, 0]);
    let eight: Vec<i16> = (0..16).map(|n| n * 100).collect();
    let eight = wav(spec(16_000, 8, 16, SampleFormat::Int), &eight);
    assert_eq!(decode_all(&eight).unwrap(), [350, 1_150]);
    let nine = wav(spec(16_000, 9, 16, SampleFormat::Int), &[0_i16; 9]);
    assert_eq!(decode_all(&nine), Err(AudioFileError::Channels(9)));
}

#[test]
fn what_is_no_number_is_silence() {
    let file = wav(spec(16_000, 1, 32, SampleFormat::Float), &[f32::NAN, f32::INFINITY, 9.0, 0.25]);
    assert_eq!(decode_all(&file).unwrap(), [0, 0, i16::MAX, 8_192]);
}

#[test]
fn every_rate_gives_the_same_length() {
    for rate in RATES_HZ {
        let samples = vec![8_000_i16; rate as usize / 4 * 2];
        let decoded = decode_all(&wav(spec(rate, 2, 16, SampleFormat::Int), &samples)).unwrap();
        assert_eq!(decoded.len(), 4_000, "{rate}");
    }
    let odd = wav(spec(44_101, 1, 16, SampleFormat::Int), &[0_i16; 10]);
    assert_eq!(decode_all(&odd), Err(AudioFileError::Rate(44_101)));
}

#[test]
fn thirty_seconds_are_the_limit() {
    for rate in [8_000, 192_000] {
        let most = vec![0_i16; usize::try_from(TURN_MS_MAX).unwrap() / 1_000 * rate as usize];
        let spec = spec(rate, 1, 16, SampleFormat::Int);
        assert_eq!(decode_all(&wav(spec, &most)).unwrap().len(), 480_000, "{rate}");
        let more = [&most[..], &[0]].concat();
        assert_eq!(decode_all(&wav(spec, &more)), Err(AudioFileError::TooLong), "{rate}");
    }
    let frames = MP3.repeat(30);
    assert_eq!(decode_all(&frames), Err(AudioFileError::TooLong));
}

#[test]
fn padding_of_an_mp3_encoder_is_allowed_beyond_the_limit() {
    let limit = TURN_MS_MAX * 44_100 / 1_000;
    let most = usize::try_from((limit + PADDING_SAMPLES_MAX) / 1_152).unwrap();
    let file = |count| silent_frames([0xff, 0xfb, 0x30, 0x64], 156, count);
    let longest = decode_all(&file(most)).unwrap().len();
    assert!(longest > 480_000, "{longest} samples are more than 30 s");
    assert_eq!(decode_all(&file(most + 1)), Err(AudioFileError::TooLong));
}

#[test]
fn every_part_of_a_file_whose_rate_or_channels_change_is_decoded() {
    let alone = decode_all(MP3).unwrap();
    let before = decode_all(&[MP3, &frames_16_khz(50)].concat()).unwrap();
    assert_eq!(before.len(), alone.len() + 50 * 576);
    assert_eq!(before[..alone.len()], alone);
    let after = decode_all(&[&frames_16_khz(50), MP3].concat()).unwrap();
    assert_eq!(after[50 * 576..], alone);
    let mono = silent_frames([0xff, 0xfb, 0x30, 0xc4], 156, 50);
    let mixed = decode_all(&[MP3, &mono, MP3].concat()).unwrap();
    assert!(mixed.len().abs_diff(2 * alone.len() + 50 * 1_152 * 160 / 441) < 3, "{}", mixed.len());
    let long = [silent_frames([0xff, 0xfb, 0x30, 0x64], 156, 600), frames_16_khz(500)].concat();
    assert_eq!(decode_all(&long), Err(AudioFileError::TooLong), "the parts are counted together");
}

#[test]
fn one_frame_of_another_kind_is_passed_over() {
    let file = [MP3, &frames_16_khz(1), MP3].concat();
    assert!(decode_all(&file).unwrap().len().abs_diff(2 * decode_all(MP3).unwrap().len()) < 3);
}

#[test]
fn what_is_before_the_first_frame_costs_no_word() {
    let alone = decode_all(MP3).unwrap();
    let tag = b"ID3\x03\0\0\0\0\0\x0a0123456789";
    for junk in [&b"    "[..], &[0; 700], &[&tag[..], b"    "].concat(), &[&tag[..], &[0; 9], b"x"].concat()]
    {
        assert!(decode_all(&[junk, MP3].concat()).unwrap() == alone, "{junk:?}");
    }
    let cut = decode_all(&MP3[100..]).unwrap();
    let frame = 1_152 * 160 / 441;
    assert!(cut.len() + 2 * frame > alone.len(), "{} samples of {}", cut.len(), alone.len());
    assert!((level(&cut) / level(&alone) - 1.0).abs() < 0.05);
}

#[test]
fn wav_of_an_unknown_length_is_decoded_to_its_end() {
    let samples: Vec<i16> = (0..1_000).collect();
    let file = mono_16(&samples);
    for length in [0, 2_001, 0x7fff_ffff, u32::MAX] {
        let mut streamed = file.clone();
        streamed[4..8].copy_from_slice(&length.to_le_bytes());
        streamed[40..44].copy_from_slice(&length.to_le_bytes());
        assert_eq!(decode_all(&streamed).unwrap(), samples, "{length}");
    }
}

#[test]
fn plain_samples_of_24_bits_in_four_bytes_are_refused_with_the_reason() {
    let mut file = wav(spec(16_000, 1, 16, SampleFormat::Int), &[0_i16; 400]);
    file[32] = 4;
    file[34] = 24;
    let refused = decode_all(&file);
    assert_eq!(refused, Err(AudioFileError::FrameLength { frame_bytes: 4, channels: 1, bits: 24 }));
}

#[test]
fn mp3_is_decoded_with_its_level_and_length() {
    let decoded = decode_all(MP3).unwrap();
    let length_ms = decoded.len() as u64 / 16;
    // The encoder adds its delay and fills the last frame.
    assert!((MP3_MS..MP3_MS + 100).contains(&length_ms), "{length_ms} ms");
    assert!(level(&decoded) > 3_000.0);
    let tagged = [b"ID3\x04\0\0\0\0\x02\0", &[0xff; 256][..], MP3, b"TAG", &[b' '; 125]].concat();
    assert_eq!(decode_all(&tagged).unwrap(), decoded);
}

#[test]
fn content_of_another_format_is_refused() {
    for bytes in [&b""[..], b"OggS\0\x02\0\0", b"%PDF-1.7", &[0; 64]] {
        assert_eq!(decode_all(bytes), Err(AudioFileError::NotAudio), "{bytes:?}");
    }
}

#[test]
fn nothing_and_rubbish_are_told_apart() {
    assert_eq!(decode_all(&mono_16(&[])), Err(AudioFileError::Empty));
    assert_eq!(decode_all(&companded(2, &[0; 10])), Err(AudioFileError::Encoding));
    let header_only = [&MP3[..4], &[0; 2_000]].concat();
    assert!(matches!(decode_all(&header_only), Err(AudioFileError::Broken | AudioFileError::Empty)));
    assert_eq!(decode_all(&MP3[..4]), Err(AudioFileError::Broken));
}

#[test]
fn pieces_are_bounded_good_or_bad() {
    // A frame of 48 kbit/s and 156 bytes, whose side information is impossible: it is passed over.
    let bad = [&MP3[..4], &[0xfe; 152]].concat();
    let file = |count: usize| [MP3, &bad.repeat(count), MP3].concat();
    let alone = decode_all(MP3).unwrap().len();
    assert!(decode_all(&file(PACKETS_MAX - 200)).unwrap().len() > alone * 3 / 2);
    assert!(decode_all(&file(PACKETS_MAX)) == Err(AudioFileError::Broken));
}

#[test]
fn a_truncated_file_gives_what_there_is_of_it() {
    let samples: Vec<i16> = (0..1_000).collect();
    let file = mono_16(&samples);
    assert_eq!(decode_all(&file[..file.len() - 500]).unwrap(), samples[..750]);
    let half = decode_all(&MP3[..MP3.len() / 2]).unwrap();
    assert!(half.len() > 6_000 && half.len() < 9_000, "{}", half.len());
}

/// A small valid file of some kind.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let rate = prop::sample::select(RATES_HZ.to_vec());
    let int = (rate.clone(), 1_u16..=8, prop::sample::select(vec![8_u16, 16, 24, 32]));
    let int =
        (int, prop::collection::vec(any::<i8>(), 0..200)).prop_map(|((rate, channels, bits), samples)| {
            let whole = samples.len() / usize::from(channels) * usize::from(channels);
            wav(spec(rate, channels, bits, SampleFormat::Int), &samples[..whole])
        });
    let float = (rate, prop::collection::vec(any::<f32>(), 0..200))
        .prop_map(|(rate, samples)| wav(spec(rate, 1, 32, SampleFormat::Float), &samples));
    let law = (6_u8..=7, prop::collection::vec(any::<u8>(), 0..400))
        .prop_map(|(encoding, samples)| companded(encoding, &samples));
    prop_oneof![3 => prop_oneof![int, float, law], 1 => Just(MP3.to_vec())]
}

/// Damage: bytes that are replaced, at places given as shares of the length, more often near the beginning.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, bool, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 1..12)
}

/// Whatever comes of a file, it is no longer than a turn may be. The padding is longest at the lowest rate, 8 kHz.
fn check(decoded: &Result<Vec<i16>, AudioFileError>) {
    if let Ok(samples) = decoded {
        assert!(!samples.is_empty() && samples.len() as u64 <= TURN_MS_MAX * 16 + 2 * PADDING_SAMPLES_MAX);
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn any_bytes_are_decoded_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        mp3 in any::<bool>(),
    ) {
        let magic =
            if mp3 { &[0xff, 0xfb, 0x30, 0x64][..] } else { &b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0"[..] };
        check(&decode_all(&bytes));
        check(&decode_all(&[magic, &bytes].concat()));
    }

    #[test]
    fn a_damaged_or_truncated_file_is_decoded_or_refused(
        mut file in valid(),
        damage in damage(),
        end in any::<prop::sample::Index>(),
        truncated in any::<bool>(),
    ) {
        if truncated {
            file.truncate(end.index(file.len()));
        }
        for (place, early, value) in damage {
            let reach = if early { file.len().min(64) } else { file.len() };
            if reach > 0 {
                file[place.index(reach)] = value;
            }
        }
        check(&decode_all(&file));
    }
}

#[test]
fn joined_recordings_and_the_time_of_a_decoder_are_bounded() {
    let few = |kind: usize| if kind.is_multiple_of(2) { frames_16_khz(4) } else { MP3[..4 * 156].to_vec() };
    let joined = |count: usize| {
        let file = (0..count).map(few).collect::<Vec<_>>().concat();
        decode_all(&file).map(|samples| samples.len())
    };
    assert!(joined(RECORDINGS_MAX / 2).is_ok());
    assert_eq!(joined(3 * RECORDINGS_MAX), Err(AudioFileError::TooComplex));
    let asked = std::cell::Cell::new(0);
    let thrice = || {
        asked.set(asked.get() + 1);
        asked.get() <= 3
    };
    let refused = decode(&frames_16_khz(50), thrice).map(|samples| samples.len());
    assert_eq!(refused, Err(AudioFileError::TooComplex));
    assert_eq!(asked.get(), 4, "it stops at the packet after the time is over");
}

#[test]
fn bytes_of_a_file_that_are_in_no_packet_are_bounded() {
    let with_tail = |bytes: usize| [frames_16_khz(50), vec![0x20; bytes]].concat();
    assert!(decode_all(&with_tail(SKIPPED_BYTES_MAX)).is_ok());
    let refused = decode_all(&with_tail(2 * SKIPPED_BYTES_MAX)).map(|samples| samples.len());
    assert_eq!(refused, Err(AudioFileError::Broken));
}
