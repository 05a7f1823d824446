//! PURE. A WAV file as 16 kHz mono, the form that the live protocol carries.

use std::io::Read;

use anyhow::{Context as _, bail, ensure};
use hound::{SampleFormat, WavReader};

use events::contract::live::SAMPLE_RATE_HZ;

/// Longest recording that is one spoken turn, in seconds.
const RECORDING_SECONDS_MAX: u32 = 30;

/// Sample rates that are read, in Hz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Reads a WAV file of 8 to 32 bit integer or 32 bit float PCM, any number of channels, 8 to 192 kHz, at most 30 s.
/// Channels are averaged and the rate is converted.
///
/// # Errors
/// What is wrong with the file.
pub fn read_wav(file: impl Read) -> anyhow::Result<Vec<i16>> {
    let mut wav = WavReader::new(file).context("this is no WAV file with PCM samples")?;
    let spec = wav.spec();
    ensure!(RATES_HZ.contains(&spec.sample_rate), "a sample rate of {} Hz is not read", spec.sample_rate);
    ensure!(spec.channels > 0, "the file has no channels");
    if wav.duration() > RECORDING_SECONDS_MAX * spec.sample_rate {
        bail!("the recording is longer than {RECORDING_SECONDS_MAX} s, the longest spoken turn");
    }
    let samples: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        SampleFormat::Float => wav.samples::<f32>().collect(),
        SampleFormat::Int => {
            let full = 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
            wav.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full)).collect()
        }
    };
    let samples = samples.context("the WAV file is broken")?;
    let channels = usize::from(spec.channels);
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let resampled = resample(&mono, spec.sample_rate);
    ensure!(!resampled.is_empty(), "the recording is empty");
    Ok(resampled.into_iter().map(to_i16).collect())
}

/// Each output sample is the mean of the input over its own duration when the rate falls, which also dampens what
/// would alias, and a linear interpolation when it rises. Good enough for speech.
fn resample(input: &[f32], rate: u32) -> Vec<f32> {
    if rate == SAMPLE_RATE_HZ {
        return input.to_vec();
    }
    let step = f64::from(rate) / f64::from(SAMPLE_RATE_HZ);
    let length = index(input.len() as f64 / step);
    let at = |position: f64| {
        let left = index(position).min(input.len() - 1);
        let right = (left + 1).min(input.len() - 1);
        let part = fraction(position);
        input[left] * (1.0 - part) + input[right] * part
    };
    let output = (0..length).map(|n| {
        let from = n as f64 * step;
        if step <= 1.0 {
            return at(from);
        }
        let window = &input[index(from)..index(from + step).clamp(index(from) + 1, input.len())];
        window.iter().sum::<f32>() / window.len() as f32
    });
    output.collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions in half a minute of samples are small and not negative"
)]
fn index(position: f64) -> usize {
    position as usize
}

#[expect(clippy::cast_possible_truncation, reason = "less precision is enough between two samples")]
fn fraction(position: f64) -> f32 {
    position.fract() as f32
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use hound::{WavSpec, WavWriter};

    use super::*;

    fn wav(rate: u32, channels: u16, samples: &[i16]) -> Cursor<Vec<u8>> {
        let spec =
            WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.set_position(0);
        bytes
    }

    #[test]
    fn our_own_form_is_read_as_it_is() {
        let samples = [0, 1, -1, 32767, -32768];
        assert_eq!(read_wav(wav(16_000, 1, &samples)).unwrap(), samples);
    }

    #[test]
    fn stereo_is_averaged_and_the_rate_is_converted() {
        let stereo: Vec<i16> = std::iter::repeat_n([1000, 3000], 48_000).flatten().collect();
        let read = read_wav(wav(48_000, 2, &stereo)).unwrap();
        assert_eq!(read.len(), 16_000);
        assert!(read.iter().all(|sample| *sample == 2000));
    }

    #[test]
    fn a_lower_rate_is_interpolated() {
        let read = read_wav(wav(8_000, 1, &[0, 100, 200])).unwrap();
        assert_eq!(read, [0, 50, 100, 150, 200, 200]);
    }

    #[test]
    fn thirty_seconds_are_the_limit() {
        let most = vec![1; 30 * 8_000];
        assert_eq!(read_wav(wav(8_000, 1, &most)).unwrap().len(), 30 * 16_000);
        let more = vec![1; 30 * 8_000 + 1];
        let error = read_wav(wav(8_000, 1, &more)).unwrap_err();
        assert_eq!(error.to_string(), "the recording is longer than 30 s, the longest spoken turn");
    }

    #[test]
    fn what_is_no_wav_is_refused() {
        assert!(read_wav(Cursor::new(b"RIFF?")).is_err());
        assert!(read_wav(wav(16_000, 1, &[])).is_err());
        assert!(read_wav(wav(4_000, 1, &[1])).is_err());
    }
}
