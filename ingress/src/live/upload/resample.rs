//! PURE. Converts samples of the supported rates to 16 kHz, 16 bit.

use events::contract::live::SAMPLE_RATE_HZ;
use rubato::{Fft, FixedSync, Resampler as _, audioadapter_buffers::direct::SequentialSlice};

use super::{error::AudioFileError, limits::RATES_HZ};

/// Length of one transform, in milliseconds: enough for a steep filter, and at each rate an even number of samples in a short
/// ratio to the output, so that the delay of the filter is a whole number of samples.
const TRANSFORM_MS: usize = 80;

/// Full scale of a 16-bit sample.
const FULL_SCALE: f32 = 32_768.0;

/// Checks that a rate is supported.
///
/// # Errors
/// [`AudioFileError::Rate`].
pub(super) fn check_rate(rate_hz: u32) -> Result<(), AudioFileError> {
    if RATES_HZ.contains(&rate_hz) { Ok(()) } else { Err(AudioFileError::Rate(rate_hz)) }
}

/// Converts `mono` between -1 and 1 at `rate_hz`. Duration and loudness stay the same.
///
/// # Errors
/// [`AudioFileError::Rate`].
pub(super) fn to_16_khz(mono: Vec<f32>, rate_hz: u32) -> Result<Vec<i16>, AudioFileError> {
    check_rate(rate_hz)?;
    let resampled = if rate_hz == SAMPLE_RATE_HZ { mono } else { resample(&mono, rate_hz) };
    Ok(resampled.into_iter().map(to_i16).collect())
}

fn resample(mono: &[f32], rate_hz: u32) -> Vec<f32> {
    let (from, to) = (rate_hz as usize, SAMPLE_RATE_HZ as usize);
    let chunk = from * TRANSFORM_MS / 1_000;
    let resampler = Fft::<f32>::new(from, to, chunk, 1, FixedSync::Both);
    let mut resampler = resampler.expect("both rates and the length of a transform are positive");
    let input = SequentialSlice::new(mono, 1, mono.len()).expect("one channel has all of the samples");
    let output = resampler.process_all(&input, mono.len(), None);
    output.expect("the output is made as long as the input needs it").take_data()
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
fn to_i16(sample: f32) -> i16 {
    (sample * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1.0) as i16
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[expect(clippy::cast_possible_truncation, reason = "a sample needs no more")]
    fn tone(hz: f64, rate_hz: u32, samples: usize) -> Vec<f32> {
        let sample = |n| 0.5 * (TAU * hz * f64::from(n) / f64::from(rate_hz)).sin();
        (0_u32..).take(samples).map(|n| sample(n) as f32).collect()
    }

    /// The largest difference between `samples` and a tone of half the full scale, of 32768.
    fn difference(samples: &[i16], hz: f64) -> f64 {
        let expected = tone(hz, SAMPLE_RATE_HZ, samples.len());
        // Away from the ends, where the filter has not all it needs.
        let middle = 600..samples.len() - 600;
        let differences = samples[middle.clone()].iter().zip(&expected[middle]);
        let worst =
            differences.map(|(is, expected)| (f64::from(*is) - f64::from(expected * FULL_SCALE)).abs());
        worst.fold(0.0, f64::max)
    }

    #[test]
    fn every_rate_keeps_length_pitch_phase_and_loudness() {
        for rate_hz in RATES_HZ {
            for hz in [100.0, 500.0, 3_000.0] {
                let converted = to_16_khz(tone(hz, rate_hz, rate_hz as usize / 5), rate_hz).unwrap();
                assert_eq!(converted.len(), 3_200, "{rate_hz}");
                let difference = difference(&converted, hz);
                assert!(difference < 2.0, "{hz} Hz at {rate_hz} Hz differs by {difference}");
            }
        }
    }

    #[test]
    fn what_16_khz_cannot_carry_does_not_come_back_as_something_else() {
        for rate_hz in [22_050, 44_100, 48_000, 192_000] {
            let converted = to_16_khz(tone(10_000.0, rate_hz, rate_hz as usize / 5), rate_hz).unwrap();
            let loudest = converted[600..2_600].iter().map(|sample| sample.unsigned_abs()).max();
            assert_eq!(loudest, Some(0), "{rate_hz}");
        }
    }

    #[test]
    fn our_own_rate_is_left_as_it_is_and_clipped() {
        let samples = vec![0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, f32::NAN];
        let converted = to_16_khz(samples, 16_000).unwrap();
        assert_eq!(converted, [0, 16_384, -16_384, 32_767, -32_768, 32_767, -32_768, 0]);
    }

    #[test]
    fn short_and_empty_turns_are_converted() {
        for samples in [0, 1, 2, 3, 100] {
            let converted = to_16_khz(vec![0.1; samples], 48_000).unwrap();
            assert_eq!(converted.len(), samples.div_ceil(3), "{samples}");
        }
    }

    #[test]
    fn an_uncommon_rate_is_refused() {
        for rate_hz in [0, 7_999, 44_101, 384_000, u32::MAX] {
            assert_eq!(to_16_khz(vec![0.0; 10], rate_hz), Err(AudioFileError::Rate(rate_hz)));
        }
    }
}
