//! PURE. The sixteen tones of audible text and its two pilots: synthesis and detection.

use std::f32::consts::TAU;
use std::ops::{Range, RangeInclusive};

use super::SYMBOL_MS;

/// The pilots of a preamble, by their index behind the sixteen tones.
pub(super) const PREAMBLE: [usize; 4] = [LOW_PILOT, HIGH_PILOT, HIGH_PILOT, LOW_PILOT];

const LOW_PILOT: usize = 16;
const HIGH_PILOT: usize = 17;
/// Hz. All are multiples of the symbol rate (50 Hz), so each has whole periods in a symbol, and lie in the band that a
/// sample rate of 8 kHz carries.
const FREQUENCIES: [u16; 18] =
    [700, 850, 1000, 1150, 1300, 1450, 1600, 1750, 1900, 2050, 2200, 2350, 2500, 2650, 2800, 2950, 400, 3250];
/// A quarter of full scale: far above any threshold for speech, far below clipping.
const AMPLITUDE: f32 = 8000.0;
/// A tone is recognised when it carries this share of a symbol's energy.
const SHARE_MIN: f32 = 0.5;

/// The classification of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Sample for sample a tone as it was sent.
    Exact(u8),
    /// This tone, not sample for sample.
    Alike(u8),
    /// Nothing but zeros.
    Zeros,
    /// Silence, but not sample for sample.
    Quiet,
    /// A pilot or other sound.
    Nothing,
}

/// Where a preamble was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preamble {
    /// The index of the sample behind it.
    pub(super) end: usize,
    /// How many of its symbols are exactly as sent.
    pub(super) exact: usize,
    /// Whether some of its symbols are exactly as sent, but at the wrong position.
    pub(super) broken: bool,
}

/// The tones at one sample rate.
#[derive(Debug)]
pub(super) struct Tones {
    symbol_samples: usize,
    /// All symbols one behind the other.
    table: Vec<i16>,
    /// Goertzel coefficient of each tone.
    coefficients: [f32; FREQUENCIES.len()],
}

impl Tones {
    pub(super) fn new(sample_rate: u32) -> Self {
        let symbol_samples = sample_rate as usize / (1000 / SYMBOL_MS);
        let angles = FREQUENCIES.map(|frequency| TAU * f32::from(frequency) / to_f32(sample_rate as usize));
        let table = angles
            .iter()
            .flat_map(|angle| (0..symbol_samples).map(move |index| sample(angle * to_f32(index))))
            .collect();
        Self { symbol_samples, table, coefficients: angles.map(|angle| 2.0 * angle.cos()) }
    }

    pub(super) fn symbol_samples(&self) -> usize {
        self.symbol_samples
    }

    /// The samples of a half byte.
    pub(super) fn symbol(&self, half: u8) -> &[i16] {
        self.tone(usize::from(half & 0xF))
    }

    pub(super) fn write_preamble(&self, samples: &mut Vec<i16>) {
        for pilot in PREAMBLE {
            samples.extend_from_slice(self.tone(pilot));
        }
    }

    /// Classifies `window`, one symbol long.
    pub(super) fn read(&self, window: &[i16], quiet: i16) -> Reading {
        if let Some(half) = (0..16).find(|&half| self.symbol(half) == window) {
            return Reading::Exact(half);
        }
        let magnitude: u64 = window.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        if magnitude == 0 {
            return Reading::Zeros;
        }
        if magnitude < window.len() as u64 * u64::from(quiet.unsigned_abs()) {
            return Reading::Quiet;
        }
        let best = (0..16u8)
            .map(|half| (half, self.share(window, usize::from(half))))
            .max_by(|left, right| left.1.total_cmp(&right.1));
        match best {
            Some((half, share)) if share >= SHARE_MIN => Reading::Alike(half),
            _ => Reading::Nothing,
        }
    }

    /// Finds a preamble that starts in the first half symbol of `samples`, which is long enough to hold it.
    pub(super) fn find_preamble(&self, samples: &[i16]) -> Option<Preamble> {
        let symbol = self.symbol_samples;
        let half = symbol / 2;
        // Wherever in its range the preamble starts, these windows lie within one pilot each.
        let alike = PREAMBLE.iter().enumerate().all(|(index, &pilot)| {
            let start = half + index * symbol;
            samples.get(start..start + half).is_some_and(|window| self.share(window, pilot) >= SHARE_MIN)
        });
        if !alike {
            return None;
        }
        let last_start = samples.len().checked_sub(PREAMBLE.len() * symbol)?;
        let starts = 0..=last_start.min(symbol);
        // A comparison of samples costs a fraction of a correlation.
        let intact = starts.clone().find(|&start| self.exact_pilots(samples, start) == PREAMBLE.len());
        let start = match intact {
            Some(start) => start,
            None => self.best_match(samples, starts)?,
        };
        let exact = self.exact_pilots(samples, start);
        let nearby = start.saturating_sub(half)..start + half;
        let broken = exact < PREAMBLE.len() && self.exact_elsewhere(samples, start, nearby);
        Some(Preamble { end: start + PREAMBLE.len() * symbol, exact, broken })
    }

    fn tone(&self, index: usize) -> &[i16] {
        &self.table[index * self.symbol_samples..(index + 1) * self.symbol_samples]
    }

    /// Share of the energy of `window` that one tone carries, from 0 to about 1 (Goertzel).
    fn share(&self, window: &[i16], tone: usize) -> f32 {
        let coefficient = self.coefficients[tone];
        let (mut last, mut before, mut energy) = (0.0f32, 0.0f32, 0.0f32);
        for &value in window {
            let value = f32::from(value);
            energy += value * value;
            let next = value + coefficient * last - before;
            before = last;
            last = next;
        }
        let power = last * last + before * before - coefficient * last * before;
        if energy > 0.0 { 2.0 * power / (energy * to_f32(window.len())) } else { 0.0 }
    }

    /// Where a preamble correlates best.
    fn best_match(&self, samples: &[i16], mut starts: RangeInclusive<usize>) -> Option<usize> {
        let first = starts.next()?;
        let best = starts.fold((first, self.match_preamble(&samples[first..])), |best, start| {
            let alike = self.match_preamble(&samples[start..]);
            if alike > best.1 { (start, alike) } else { best }
        });
        Some(best.0)
    }

    fn match_preamble(&self, samples: &[i16]) -> f32 {
        PREAMBLE
            .iter()
            .zip(samples.chunks_exact(self.symbol_samples))
            .map(|(&pilot, window)| {
                let products = self.tone(pilot).iter().zip(window);
                products.map(|(&sent, &heard)| f32::from(sent) * f32::from(heard)).sum::<f32>()
            })
            .sum()
    }

    fn exact_pilots(&self, samples: &[i16], start: usize) -> usize {
        let windows = samples[start..].chunks_exact(self.symbol_samples);
        PREAMBLE.iter().zip(windows).filter(|&(&pilot, window)| self.tone(pilot) == window).count()
    }

    /// Whether a pilot is exactly as sent near its place in a preamble from `start`, but not at it. A cut inside the
    /// preamble makes the best match lie between the two true places.
    fn exact_elsewhere(&self, samples: &[i16], start: usize, nearby: Range<usize>) -> bool {
        nearby.filter(|&other| other != start).any(|other| {
            PREAMBLE.iter().enumerate().any(|(index, &pilot)| {
                let from = other + index * self.symbol_samples;
                samples.get(from..from + self.symbol_samples) == Some(self.tone(pilot))
            })
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the amplitude is a quarter of the range of i16")]
fn sample(angle: f32) -> i16 {
    (AMPLITUDE * angle.sin()).round() as i16
}

/// Exact for its uses: sample rates and counts far below 2^24.
fn to_f32(value: usize) -> f32 {
    value as f32
}
