//! PURE. Checks the format and data chunks of a WAV file before it is decoded (Microsoft, "Multiple channel audio data and WAVE
//! files"). The file is decoded under a header that is written here, from fields that agree with each other. All other chunks are
//! dropped.
//!
//! What the fields say twice is followed where one of them decides, and refused where it is open which is right. The RIFF length, the
//! byte rate and the length of an extension decide nothing: writers leave them wrong, and players ignore them.

use super::{error::AudioFileError, limits::CHANNELS_MAX, resample};

/// Most chunks of a file.
const CHUNKS_MAX: usize = 64;

/// Length of a chunk header, in bytes: name and length.
const CHUNK_HEADER_BYTES: usize = 8;

/// The place of the length of the samples in the `ds64` chunk of a 64-bit file (EBU Tech 3306, ITU-R BS.2088).
const DATA_LENGTH_AT: usize = 8;

/// Shortest extensible format chunk, in bytes, and the place of the sub-format in it.
const EXTENSIBLE_BYTES: usize = 40;
const SUB_FORMAT_AT: usize = 24;

/// Format tags (RFC 2361; mmreg.h).
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

/// The sub-format of an extensible format is a format tag and these bytes.
const SUB_FORMAT_TAIL: [u8; 14] = *b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// A WAV file with a format and samples only: `header`, then `samples`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline<'a> {
    /// Everything before the samples, with correct lengths.
    pub(super) header: Vec<u8>,
    /// The samples.
    pub(super) samples: &'a [u8],
}

/// Finds the format and the samples of `file`, which begins as a WAV file.
///
/// # Errors
/// [`AudioFileError::Broken`], [`AudioFileError::Encoding`], [`AudioFileError::Channels`], [`AudioFileError::Rate`],
/// [`AudioFileError::FrameLength`], [`AudioFileError::ValidBits`], [`AudioFileError::RepeatedChunk`].
pub(super) fn outline(file: &[u8]) -> Result<Outline<'_>, AudioFileError> {
    let mut rest = file.get(12..).ok_or(AudioFileError::Broken)?;
    let (mut format, mut data_length) = (None, None);
    for _ in 0..CHUNKS_MAX {
        let Chunk { name, declared, body, following } = chunk(rest).ok_or(AudioFileError::Broken)?;
        match name {
            b"ds64" => data_length = long_length(body),
            b"fmt " if format.is_some() => return Err(AudioFileError::RepeatedChunk("fmt")),
            b"fmt " => format = Some(Format::read(body)?),
            b"data" => {
                let format = format.ok_or(AudioFileError::Broken)?;
                // A writer that cannot seek back leaves the length at 0 or at a large number. A 64-bit file has it elsewhere.
                let is_open = declared == 0 && !is_list_of_chunks(following);
                let long_length = data_length.filter(|length| declared == u32::MAX && *length <= body.len());
                let (samples, following) = match long_length {
                    Some(length) => (&body[..length], &body[(length + length % 2).min(body.len())..]),
                    None if is_open => (following, &[][..]),
                    None => (body, following),
                };
                refuse_more_samples(following)?;
                return Ok(Outline { header: format.header(samples.len()), samples });
            }
            _ => {}
        }
        rest = following;
    }
    Err(AudioFileError::Broken)
}

/// The length of the samples in the body of a `ds64` chunk; `None` if it is unknown there, too.
fn long_length(body: &[u8]) -> Option<usize> {
    let length = body.get(DATA_LENGTH_AT..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))?;
    usize::try_from(length).ok().filter(|length| *length != 0)
}

/// Players play the first samples only, and which ones are the turn is open.
fn refuse_more_samples(mut rest: &[u8]) -> Result<(), AudioFileError> {
    // What follows the samples need not be chunks, so it is searched as far as it has the form of them.
    for _ in 0..CHUNKS_MAX {
        match chunk(rest) {
            Some(Chunk { name: b"data", body: [_, ..], .. }) => {
                return Err(AudioFileError::RepeatedChunk("data"));
            }
            Some(Chunk { following, .. }) => rest = following,
            None => break,
        }
    }
    Ok(())
}

/// A chunk at the beginning of some bytes.
struct Chunk<'a> {
    name: &'a [u8; 4],
    /// Its length, as it is declared.
    declared: u32,
    /// Its body, as far as it is there.
    body: &'a [u8],
    /// The rest.
    following: &'a [u8],
}

fn chunk(bytes: &[u8]) -> Option<Chunk<'_>> {
    let (header, rest) = bytes.split_first_chunk::<CHUNK_HEADER_BYTES>()?;
    let (name, length) = header.split_first_chunk::<4>()?;
    let declared = u32::from_le_bytes(*length.first_chunk()?);
    let length = usize::try_from(declared).unwrap_or(usize::MAX).min(rest.len());
    let (body, following) = rest.split_at(length);
    // Chunks begin at even offsets.
    let padding = (length % 2).min(following.len());
    Some(Chunk { name, declared, body, following: &following[padding..] })
}

/// Whether `bytes` are whole chunks with readable names, or nothing.
fn is_list_of_chunks(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for _ in 0..CHUNKS_MAX {
        if rest.is_empty() {
            return true;
        }
        match chunk(rest) {
            Some(Chunk { name, declared, body, following })
                if name.iter().all(|byte| (b' '..=b'~').contains(byte))
                    && usize::try_from(declared) == Ok(body.len()) =>
            {
                rest = following;
            }
            Some(_) | None => return false,
        }
    }
    false
}

/// The format tag to which an extensible format chunk refers.
fn sub_format(chunk: &[u8]) -> Option<u16> {
    let (tag, tail) = chunk.get(SUB_FORMAT_AT..EXTENSIBLE_BYTES)?.split_first_chunk::<2>()?;
    (tail == SUB_FORMAT_TAIL).then_some(u16::from_le_bytes(*tag))
}

/// The fields of a format chunk, after they were checked against each other.
#[derive(Clone, Copy, Debug)]
struct Format {
    tag: u16,
    channels: u16,
    rate_hz: u32,
    /// Bytes of one sample of one channel.
    sample_bytes: u16,
}

impl Format {
    fn read(chunk: &[u8]) -> Result<Self, AudioFileError> {
        let field = |at: usize| {
            let bytes = chunk.get(at..)?.first_chunk::<2>()?;
            Some(u16::from_le_bytes(*bytes))
        };
        let basic = [field(0), field(2), field(4), field(6), field(12), field(14)];
        let [Some(tag), Some(channels), Some(low), Some(high), Some(frame_bytes), Some(bits)] = basic else {
            return Err(AudioFileError::Broken);
        };
        let is_extensible = tag == EXTENSIBLE;
        let tag = if is_extensible { sub_format(chunk) } else { Some(tag) };
        let tag =
            tag.filter(|tag| [PCM, FLOAT, A_LAW, MU_LAW].contains(tag)).ok_or(AudioFileError::Encoding)?;
        // Zero: all bits.
        let valid_bits = field(18).filter(|valid| is_extensible && *valid != 0).unwrap_or(bits);
        if channels == 0 || channels > CHANNELS_MAX {
            return Err(AudioFileError::Channels(channels));
        }
        let rate_hz = u32::from(high) << 16 | u32::from(low);
        resample::check_rate(rate_hz)?;
        let is_supported = match tag {
            // Fewer bits than the bytes hold are the upper ones, so they are decoded as full bytes.
            PCM => (8..=32).contains(&bits) && (!is_extensible || bits % 8 == 0),
            FLOAT => bits == 32 || bits == 64,
            _ => bits == 8,
        };
        if !is_supported {
            return Err(AudioFileError::Encoding);
        }
        if valid_bits > bits || (tag != PCM && valid_bits != bits) {
            return Err(AudioFileError::ValidBits { valid_bits, bits });
        }
        let sample_bytes = bits.div_ceil(8);
        // An extensible format says with its valid bits how samples lie in larger containers. A plain one does not.
        if frame_bytes != channels * sample_bytes {
            return Err(AudioFileError::FrameLength { frame_bytes, channels, bits });
        }
        Ok(Self { tag, channels, rate_hz, sample_bytes })
    }

    /// Everything before `samples` bytes of samples.
    fn header(self, samples: usize) -> Vec<u8> {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        let frame_bytes = self.channels * self.sample_bytes;
        // All encodings but PCM have the length of an extension.
        let extension: &[u8] = if self.tag == PCM { &[] } else { &[0, 0] };
        let format = [
            &self.tag.to_le_bytes()[..],
            &self.channels.to_le_bytes(),
            &self.rate_hz.to_le_bytes(),
            &(self.rate_hz * u32::from(frame_bytes)).to_le_bytes(),
            &frame_bytes.to_le_bytes(),
            &(self.sample_bytes * 8).to_le_bytes(),
            extension,
        ]
        .concat();
        let all = 4 + CHUNK_HEADER_BYTES + format.len() + CHUNK_HEADER_BYTES + samples;
        let chunk = [&length(format.len())[..], &format].concat();
        [b"RIFF", &length(all)[..], b"WAVEfmt ", &chunk, b"data", &length(samples)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PCM, two channels, 44100 Hz, 16 bit.
    const STEREO: [u8; 16] = [1, 0, 2, 0, 0x44, 0xac, 0, 0, 0x10, 0xb1, 2, 0, 4, 0, 16, 0];

    fn file(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut file = b"RIFF\xff\xff\xff\xffWAVE".to_vec();
        for (name, length, body) in chunks {
            file.extend_from_slice(*name);
            file.extend(length.to_le_bytes());
            file.extend_from_slice(body);
        }
        file
    }

    #[test]
    fn format_and_samples_are_found_between_other_chunks() {
        let file = file(&[
            (b"LIST", 3, b"abc\0"),
            (b"fmt ", 16, &STEREO),
            (b"data", 4, &[1, 2, 3, 4]),
            (b"LIST", 4, b"left"),
        ]);
        let outline = outline(&file).unwrap();
        assert_eq!(outline.samples, [1, 2, 3, 4]);
        let header = [&b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0"[..], &STEREO, b"data\x04\0\0\0"].concat();
        assert_eq!(outline.header, header);
    }

    #[test]
    fn declared_lengths_are_believed_as_far_as_there_are_bytes() {
        let streamed = file(&[(b"fmt ", 16, &STEREO), (b"data", u32::MAX, &[1, 2, 3])]);
        let outline = outline(&streamed).unwrap();
        assert_eq!(outline.samples, [1, 2, 3]);
        assert!(outline.header.ends_with(b"data\x03\0\0\0"));
        let swallowed = file(&[(b"LIST", u32::MAX, b"x"), (b"fmt ", 16, &STEREO), (b"data", 4, &[0; 4])]);
        assert_eq!(super::outline(&swallowed), Err(AudioFileError::Broken));
    }

    #[test]
    fn what_is_not_decoded_is_named() {
        let with = |at: usize, value: &[u8]| {
            let mut format = STEREO;
            format[at..at + value.len()].copy_from_slice(value);
            // The length of a frame follows the channels.
            format[12] = format[2] * 2;
            outline(&file(&[(b"fmt ", 16, &format), (b"data", 4, &[0; 4])])).map(|_| ())
        };
        assert_eq!(with(0, &[2, 0]), Err(AudioFileError::Encoding));
        assert_eq!(with(2, &[0, 0]), Err(AudioFileError::Channels(0)));
        assert_eq!(with(2, &CHANNELS_MAX.to_le_bytes()), Ok(()));
        assert_eq!(
            with(2, &(CHANNELS_MAX + 1).to_le_bytes()),
            Err(AudioFileError::Channels(CHANNELS_MAX + 1))
        );
        assert_eq!(with(4, &44_101_u32.to_le_bytes()), Err(AudioFileError::Rate(44_101)));
        assert_eq!(outline(&file(&[(b"fmt ", 20, &[1; 20])])), Err(AudioFileError::Encoding));
    }

    /// The format chunk of 16 kHz: tag, channels, length of a frame, bits.
    fn format(tag: u16, channels: u16, frame_bytes: u16, bits: u16) -> Vec<u8> {
        let rate_hz = 16_000_u32;
        [
            &tag.to_le_bytes()[..],
            &channels.to_le_bytes(),
            &rate_hz.to_le_bytes(),
            &(rate_hz * u32::from(frame_bytes)).to_le_bytes(),
            &frame_bytes.to_le_bytes(),
            &bits.to_le_bytes(),
        ]
        .concat()
    }

    /// An extensible format chunk of one channel.
    fn extensible(frame_bytes: u16, bits: u16, valid_bits: u16, tag: u16) -> Vec<u8> {
        let extension =
            [&[22, 0], &valid_bits.to_le_bytes()[..], &[4, 0, 0, 0], &tag.to_le_bytes(), &SUB_FORMAT_TAIL];
        [format(EXTENSIBLE, 1, frame_bytes, bits), extension.concat()].concat()
    }

    /// The format under which samples are decoded: tag, length of a frame, bits.
    fn decoded_as(format: &[u8]) -> Result<(u16, u16, u16), AudioFileError> {
        let length = u32::try_from(format.len()).unwrap();
        let file = file(&[(b"fmt ", length, format), (b"data", 8, &[0; 8])]);
        let header = outline(&file)?.header;
        let field = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        Ok((field(20), field(32), field(34)))
    }

    #[test]
    fn fields_that_agree_are_followed() {
        assert_eq!(decoded_as(&format(PCM, 1, 2, 16)), Ok((PCM, 2, 16)));
        assert_eq!(decoded_as(&format(PCM, 2, 6, 20)), Ok((PCM, 6, 24)));
        assert_eq!(decoded_as(&format(PCM, 1, 2, 12)), Ok((PCM, 2, 16)));
        assert_eq!(decoded_as(&format(FLOAT, 1, 8, 64)), Ok((FLOAT, 8, 64)));
        assert_eq!(decoded_as(&format(MU_LAW, 2, 2, 8)), Ok((MU_LAW, 2, 8)));
        assert_eq!(decoded_as(&[format(A_LAW, 1, 1, 8), vec![0, 0]].concat()), Ok((A_LAW, 1, 8)));
        assert_eq!(decoded_as(&extensible(4, 32, 24, PCM)), Ok((PCM, 4, 32)));
        assert_eq!(decoded_as(&extensible(3, 24, 20, PCM)), Ok((PCM, 3, 24)));
        assert_eq!(decoded_as(&extensible(2, 16, 0, PCM)), Ok((PCM, 2, 16)));
        assert_eq!(decoded_as(&extensible(4, 32, 32, FLOAT)), Ok((FLOAT, 4, 32)));
        // What decides nothing: the byte rate, and the length of an extension.
        let mut careless = [format(PCM, 1, 2, 16), vec![9, 0, 1, 2]].concat();
        careless[8..12].fill(0);
        assert_eq!(decoded_as(&careless), Ok((PCM, 2, 16)));
    }

    #[test]
    fn fields_that_contradict_each_other_are_named() {
        let frame =
            |frame_bytes, channels, bits| Err(AudioFileError::FrameLength { frame_bytes, channels, bits });
        for (channels, frame_bytes, bits) in
            [(1, 4, 24), (1, 4, 16), (2, 2, 16), (1, 0, 16), (1, 1, 16), (1, 2, 8), (8, 8, 16)]
        {
            let expected = frame(frame_bytes, channels, bits);
            assert_eq!(decoded_as(&format(PCM, channels, frame_bytes, bits)), expected);
        }
        assert_eq!(decoded_as(&format(FLOAT, 1, 8, 32)), frame(8, 1, 32));
        assert_eq!(decoded_as(&format(MU_LAW, 1, 2, 8)), frame(2, 1, 8));
        assert_eq!(decoded_as(&extensible(4, 24, 24, PCM)), frame(4, 1, 24));
        let valid = |valid_bits, bits| Err(AudioFileError::ValidBits { valid_bits, bits });
        assert_eq!(decoded_as(&extensible(3, 24, 32, PCM)), valid(32, 24));
        assert_eq!(decoded_as(&extensible(4, 32, 24, FLOAT)), valid(24, 32));
        assert_eq!(decoded_as(&extensible(1, 8, 7, A_LAW)), valid(7, 8));
        let mut other = extensible(2, 16, 16, PCM);
        other[30] = 0;
        let unsupported = [
            format(PCM, 1, 1, 0),
            format(PCM, 1, 1, 4),
            format(PCM, 1, 5, 40),
            format(FLOAT, 1, 2, 16),
            format(A_LAW, 1, 2, 16),
            extensible(3, 20, 20, PCM),
            extensible(2, 16, 16, 2),
            extensible(2, 16, 16, EXTENSIBLE),
            extensible(2, 16, 16, PCM)[..38].to_vec(),
            other,
        ];
        for format in unsupported {
            assert_eq!(decoded_as(&format), Err(AudioFileError::Encoding), "{format:?}");
        }
    }

    #[test]
    fn every_spelling_of_an_unknown_length_is_the_rest_of_the_file() {
        let samples: Vec<u8> = (0..400_u16).flat_map(u16::to_le_bytes).collect();
        for declared in [0, 801, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000, 0xffff_ff00, u32::MAX] {
            for riff in [0, 4, 36, u32::MAX] {
                let mut file = file(&[(b"fmt ", 16, &STEREO), (b"data", declared, &samples)]);
                file[4..8].copy_from_slice(&riff.to_le_bytes());
                assert_eq!(outline(&file).unwrap().samples, samples, "{declared} in {riff}");
            }
        }
    }

    #[test]
    fn second_chunk_of_samples_or_of_the_format_is_refused() {
        let (format, samples): ((_, _, &[u8]), (_, _, &[u8])) =
            ((b"fmt ", 16, &STEREO), (b"data", 4, &[1, 2, 3, 4]));
        let refused = |name| Err(AudioFileError::RepeatedChunk(name));
        assert_eq!(outline(&file(&[format, samples, samples])), refused("data"));
        assert_eq!(outline(&file(&[format, samples, (b"LIST", 3, b"abc\0"), samples])), refused("data"));
        assert_eq!(outline(&file(&[format, format, samples])), refused("fmt"));
        for follows in [(b"data", 0, &[][..]), (b"id3 ", 4, b"data"), (b"LIST", 200, b"data\x04\0\0\0abcd")] {
            assert_eq!(
                outline(&file(&[format, samples, follows])).unwrap().samples,
                samples.2,
                "{follows:?}"
            );
        }
    }

    #[test]
    fn file_with_64_bit_lengths_is_played_to_the_end_of_its_samples() {
        let sizes = |length: u64| [&[0; 8][..], &length.to_le_bytes(), &[0; 12]].concat();
        let samples: Vec<u8> = (0..400_u16).flat_map(u16::to_le_bytes).collect();
        let left = [&samples[..], b"LIST\x04\0\0\0left"].concat();
        let rf64 = |length, data: &[u8]| {
            let mut file =
                file(&[(b"ds64", 28, &sizes(length)), (b"fmt ", 16, &STEREO), (b"data", u32::MAX, data)]);
            file[..4].copy_from_slice(b"RF64");
            file
        };
        assert_eq!(outline(&rf64(800, &left)).unwrap().samples, samples);
        // Of an unknown length, or cut off: all that is there.
        for length in [0, 801, u64::MAX] {
            assert_eq!(outline(&rf64(length, &samples)).unwrap().samples, samples, "{length}");
        }
        let twice = [&samples[..], b"data\x04\0\0\0left"].concat();
        assert_eq!(outline(&rf64(800, &twice)), Err(AudioFileError::RepeatedChunk("data")));
    }

    #[test]
    fn empty_data_before_other_chunks_stays_empty() {
        let empty = file(&[(b"fmt ", 16, &STEREO), (b"data", 0, &[])]);
        assert!(outline(&empty).unwrap().samples.is_empty());
        let mut followed =
            file(&[(b"fmt ", 16, &STEREO), (b"data", 0, &[]), (b"LIST", 3, b"abc\0"), (b"id3 ", 4, b"left")]);
        assert!(outline(&followed).unwrap().samples.is_empty());
        followed.pop();
        assert_eq!(outline(&followed).unwrap().samples.len(), 23, "it ends inside of a chunk");
    }

    #[test]
    fn a_file_without_format_or_samples_is_broken() {
        assert_eq!(outline(b"RIFF\0\0\0\0WAVE"), Err(AudioFileError::Broken));
        assert_eq!(outline(&file(&[(b"data", 4, &[0; 4])])), Err(AudioFileError::Broken));
        assert_eq!(outline(&file(&[(b"fmt ", 16, &STEREO)])), Err(AudioFileError::Broken));
        assert_eq!(outline(&file(&[(b"fmt ", 4, &STEREO[..4])])), Err(AudioFileError::Broken));
    }

    #[test]
    fn chunks_are_bounded() {
        let (format, samples): ((_, _, &[u8]), (_, _, &[u8])) = ((b"fmt ", 16, &STEREO), (b"data", 0, &[]));
        let chunks = |others: usize| {
            let others = std::iter::repeat_n((b"JUNK", 0, &[][..]), others);
            others.chain([format, samples]).collect::<Vec<(&[u8; 4], u32, &[u8])>>()
        };
        assert!(outline(&file(&chunks(CHUNKS_MAX - 2))).is_ok());
        assert_eq!(outline(&file(&chunks(CHUNKS_MAX - 1))), Err(AudioFileError::Broken));
    }
}
