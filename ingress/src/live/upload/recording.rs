//! PURE. Decodes an uploaded file to the PCM of a turn. The work and the memory are bounded by the size of the file, by the longest
//! turn, by [`SKIPPED_BYTES_MAX`](super::metered::SKIPPED_BYTES_MAX) and by the caller, who may stop between two packets. Lengths that the file declares are never used to reserve memory.

use std::io::{Cursor, ErrorKind, Read};

use symphonia::{
    core::{
        audio::GenericAudioBufferRef,
        codecs::audio::{AudioDecoder, AudioDecoderOptions},
        errors::Error,
        formats::{FormatOptions, FormatReader, TrackType},
        io::{MediaSourceStream, ReadOnlySource},
        packet::Packet,
    },
    default::{
        codecs::{MpaDecoder, PcmDecoder},
        formats::{MpaReader, WavReader},
    },
};

use events::contract::live::SAMPLE_RATE_HZ;

use super::{
    error::AudioFileError,
    format::Content,
    limits::{CHANNELS_MAX, PADDING_SAMPLES_MAX, TURN_MS_MAX},
    metered::{Metered, PacketBytes},
    mp3::{self, FrameKind},
    resample, wav,
};

/// Most packets of a file, valid or damaged. The longest turn at the highest rate has 5000.
const PACKETS_MAX: usize = 6_000;

/// Most recordings in one file, one after the other: each needs a decoder and a converter of its own.
const RECORDINGS_MAX: usize = 32;

/// The samples of `file`, converted to 16 kHz mono; channels are averaged. `may_go_on` is asked before each packet.
///
/// # Errors
/// See [`AudioFileError`]; all but the limits of a request.
pub fn decode(file: &[u8], may_go_on: impl Fn() -> bool) -> Result<Vec<i16>, AudioFileError> {
    let packets = PacketBytes::default();
    match Content::of(file).ok_or(AudioFileError::NotAudio)? {
        Content::Wav(file) => {
            let outline = wav::outline(file)?;
            packets.add(outline.header.len());
            let source = stream(Cursor::new(outline.header).chain(outline.samples), &packets);
            let wav = WavReader::try_new(source, FormatOptions::default());
            let mut wav = wav.map_err(|_| AudioFileError::Encoding)?;
            Packets { file: &mut wav, bytes: packets, may_go_on: &may_go_on }.read(|_| None, Turn::new(0))
        }
        Content::Mp3(frames) => {
            let mp3 = MpaReader::try_new(stream(frames, &packets), FormatOptions::default());
            let mut mp3 = mp3.map_err(|_| AudioFileError::Broken)?;
            let turn = Turn::new(PADDING_SAMPLES_MAX);
            Packets { file: &mut mp3, bytes: packets, may_go_on: &may_go_on }.read(mp3::kind, turn)
        }
    }
}

/// A source that cannot seek. With one that can, the reader estimates the length of an MP3 file, and a wrong estimate cuts off
/// its end.
fn stream<'a>(source: impl Read + Send + Sync + 'a, packets: &PacketBytes) -> MediaSourceStream<'a> {
    let source = Metered::new(source, packets.clone());
    MediaSourceStream::new(Box::new(ReadOnlySource::new(source)), Default::default())
}

/// The packets of a file, with the bounds of reading them.
struct Packets<'a> {
    file: &'a mut dyn FormatReader,
    bytes: PacketBytes,
    may_go_on: &'a dyn Fn() -> bool,
}

impl Packets<'_> {
    /// Reads the file to its end. Damaged packets are skipped, as in a player. `kind` is what the packets of one recording have in
    /// common: a file may be several recordings, one after the other, and a decoder reads packets of one kind only.
    fn read(
        self,
        kind: impl Fn(&[u8]) -> Option<FrameKind>,
        mut turn: Turn,
    ) -> Result<Vec<i16>, AudioFileError> {
        let Self { file, bytes, may_go_on } = self;
        let mut decoder = decoder(file)?;
        let mut current = None;
        let mut other: Option<Packet> = None;
        let mut recordings = 1;
        for _ in 0..PACKETS_MAX {
            if !may_go_on() {
                return Err(AudioFileError::TooComplex);
            }
            let packet = match file.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return turn.finish(),
                Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    return turn.finish();
                }
                Err(Error::DecodeError(_) | Error::Unsupported(_)) => {
                    turn.damaged = true;
                    continue;
                }
                Err(_) => return Err(AudioFileError::Broken),
            };
            bytes.add(packet.data.len());
            let packet_kind = kind(&packet.data);
            if packet_kind != *current.get_or_insert(packet_kind) {
                // One packet of another kind is damage, two are another recording.
                let Some(first) = other.take().filter(|other| kind(&other.data) == packet_kind) else {
                    other = Some(packet);
                    continue;
                };
                recordings += 1;
                if recordings > RECORDINGS_MAX {
                    return Err(AudioFileError::TooComplex);
                }
                current = Some(packet_kind);
                decoder = self::decoder(file)?;
                turn.add(decoder.as_mut(), &first)?;
            }
            other = None;
            turn.add(decoder.as_mut(), &packet)?;
        }
        Err(AudioFileError::Broken)
    }
}

fn decoder(file: &dyn FormatReader) -> Result<Box<dyn AudioDecoder>, AudioFileError> {
    let track = file.default_track(TrackType::Audio).ok_or(AudioFileError::Broken)?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or(AudioFileError::Broken)?;
    let options = AudioDecoderOptions::default();
    if let Ok(decoder) = MpaDecoder::try_new(parameters, &options) {
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(PcmDecoder::try_new(parameters, &options).map_err(|_| AudioFileError::Encoding)?))
}

/// The audio of a turn, as far as it was decoded.
struct Turn {
    /// Parts of the file before a change of its rate, at 16 kHz.
    converted: Vec<i16>,
    /// Samples between -1 and 1 at `rate_hz`.
    mono: Vec<f32>,
    rate_hz: u32,
    /// Samples of all channels of one packet.
    interleaved: Vec<f32>,
    /// How much longer than [`TURN_MS_MAX`] it may be, in samples of its rate.
    padding: u64,
    /// A part of the file could not be decoded.
    damaged: bool,
}

impl Turn {
    fn new(padding: u64) -> Self {
        let (converted, mono, interleaved) = (Vec::new(), Vec::new(), Vec::new());
        Self { converted, mono, rate_hz: 0, interleaved, padding, damaged: false }
    }

    fn add(&mut self, decoder: &mut dyn AudioDecoder, packet: &Packet) -> Result<(), AudioFileError> {
        match decoder.decode(packet) {
            Ok(audio) => self.push(&audio),
            Err(_) => {
                self.damaged = true;
                Ok(())
            }
        }
    }

    fn push(&mut self, audio: &GenericAudioBufferRef<'_>) -> Result<(), AudioFileError> {
        let rate_hz = audio.spec().rate();
        resample::check_rate(rate_hz)?;
        if rate_hz != self.rate_hz {
            self.convert()?;
            self.rate_hz = rate_hz;
        }
        audio.copy_to_vec_interleaved::<f32>(&mut self.interleaved);
        mix(&self.interleaved, audio.num_planes(), &mut self.mono)?;
        if self.is_too_long() { Err(AudioFileError::TooLong) } else { Ok(()) }
    }

    fn is_too_long(&self) -> bool {
        let (from, to) = (u64::from(self.rate_hz), u64::from(SAMPLE_RATE_HZ));
        let most = TURN_MS_MAX * to / 1_000;
        let mono = self.mono.len() as u64;
        self.converted.len() as u64 * from + mono * to > most * from + self.padding * to
    }

    fn convert(&mut self) -> Result<(), AudioFileError> {
        let mono = std::mem::take(&mut self.mono);
        if !mono.is_empty() {
            self.converted.extend(resample::to_16_khz(mono, self.rate_hz)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<i16>, AudioFileError> {
        self.convert()?;
        match (self.converted.is_empty(), self.damaged) {
            (true, true) => Err(AudioFileError::Broken),
            (true, false) => Err(AudioFileError::Empty),
            (false, _) => Ok(self.converted),
        }
    }
}

/// Adds the average of the channels. Samples that are not finite count as silence.
fn mix(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) -> Result<(), AudioFileError> {
    if channels == 0 || channels > usize::from(CHANNELS_MAX) {
        return Err(AudioFileError::Channels(u16::try_from(channels).unwrap_or(u16::MAX)));
    }
    let finite = |sample: &f32| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    let average = |frame: &[f32]| frame.iter().map(finite).sum::<f32>() / channels as f32;
    mono.extend(interleaved.chunks_exact(channels).map(average));
    Ok(())
}

#[cfg(test)]
mod tests;
