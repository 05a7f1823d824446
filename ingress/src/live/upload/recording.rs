//! PURE. Decodes an uploaded file to the PCM of a turn. The work and the memory are bounded by the size of the file and by the
//! longest turn. Lengths that the file declares are never used to reserve memory.

use std::io::{Cursor, ErrorKind, Read};

use symphonia::{
    core::{
        codecs::audio::{AudioDecoder, AudioDecoderOptions},
        errors::Error,
        formats::{FormatOptions, FormatReader, TrackType},
        io::{MediaSourceStream, ReadOnlySource},
    },
    default::{
        codecs::{MpaDecoder, PcmDecoder},
        formats::{MpaReader, WavReader},
    },
};

use super::{
    error::AudioFileError,
    format::{Format, without_tags},
    limits::{CHANNELS_MAX, TURN_MS_MAX},
    resample, wav,
};

/// Most packets of a file, valid or damaged. The longest turn at the highest rate has 5000.
const PACKETS_MAX: usize = 6_000;

/// The samples of `file`, converted to 16 kHz mono; channels are averaged. `declared` is the format of the Content-Type.
///
/// # Errors
/// See [`AudioFileError`]; all but the limits of a request.
pub fn decode(file: &[u8], declared: Format) -> Result<Vec<i16>, AudioFileError> {
    let format = Format::of_content(file).ok_or(AudioFileError::NotAudio)?;
    if format != declared {
        return Err(AudioFileError::OtherContent { declared, format });
    }
    let (mono, rate_hz) = match format {
        Format::Wav => {
            let outline = wav::outline(file)?;
            let source = stream(Cursor::new(outline.header).chain(outline.samples));
            let wav = WavReader::try_new(source, FormatOptions::default());
            read(&mut wav.map_err(|_| AudioFileError::Encoding)?)
        }
        Format::Mp3 => {
            let source = stream(without_tags(file));
            let mp3 = MpaReader::try_new(source, FormatOptions::default());
            read(&mut mp3.map_err(|_| AudioFileError::Broken)?)
        }
    }?;
    resample::to_16_khz(mono, rate_hz)
}

/// A source that cannot seek. With one that can, the reader estimates the length of an MP3 file, and a wrong estimate cuts off
/// its end.
fn stream<'a>(source: impl Read + Send + Sync + 'a) -> MediaSourceStream<'a> {
    MediaSourceStream::new(Box::new(ReadOnlySource::new(source)), Default::default())
}

/// Reads a file to its end: mono samples between -1 and 1, and their rate in Hz. Damaged packets are skipped, as in a player.
fn read(file: &mut dyn FormatReader) -> Result<(Vec<f32>, u32), AudioFileError> {
    let mut decoder = decoder(file)?;
    let (mut mono, mut interleaved, mut rate_hz, mut damaged) = (Vec::new(), Vec::new(), 0, false);
    for _ in 0..PACKETS_MAX {
        let packet = match file.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return finish(mono, rate_hz, damaged),
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return finish(mono, rate_hz, damaged);
            }
            Err(Error::DecodeError(_) | Error::Unsupported(_)) => {
                damaged = true;
                continue;
            }
            Err(_) => return Err(AudioFileError::Broken),
        };
        let Ok(audio) = decoder.decode(&packet) else {
            damaged = true;
            continue;
        };
        rate_hz = audio.spec().rate();
        resample::check_rate(rate_hz)?;
        audio.copy_to_vec_interleaved::<f32>(&mut interleaved);
        mix(&interleaved, audio.num_planes(), &mut mono)?;
        if mono.len() as u64 * 1_000 > TURN_MS_MAX * u64::from(rate_hz) {
            return Err(AudioFileError::TooLong);
        }
    }
    Err(AudioFileError::Broken)
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

fn finish(mono: Vec<f32>, rate_hz: u32, damaged: bool) -> Result<(Vec<f32>, u32), AudioFileError> {
    match (mono.is_empty(), damaged) {
        (true, true) => Err(AudioFileError::Broken),
        (true, false) => Err(AudioFileError::Empty),
        (false, _) => Ok((mono, rate_hz)),
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
