//! PURE. Separates a voice from other sound, frame by frame: the network of `earshot`, and two rules for what the network takes
//! for a voice. A knock is shorter than a syllable, and a hum keeps its level, which no voice does.

use std::collections::VecDeque;

use earshot::Detector;

/// Length of a frame; the network is made for it.
pub(super) const FRAME_MS: u32 = 16;
/// Samples of a frame at the rate of the network, 16 kHz.
const FRAME_SAMPLES: usize = 256;
/// Score from which the network takes a frame for a voice.
const SCORE_MIN: f32 = 0.5;
/// Frames that are judged together: 256 ms.
const RECENT_FRAMES: usize = 16;
/// Frames of a voice among them; fewer are a knock or a key.
const VOICE_FRAMES_MIN: usize = 9;
/// Frames whose levels are compared: 512 ms.
const LEVEL_FRAMES: usize = 32;
/// Range of the levels of a voice, in dB; a smaller one is a hum.
const LEVEL_RANGE_MIN_DB: f32 = 5.0;

/// The detector of one stream of audio.
pub(super) struct VoiceDetector {
    network: Box<Detector>,
    /// The level of each of the last frames in dB; `None` where the network heard no voice.
    levels: VecDeque<Option<f32>>,
}

impl std::fmt::Debug for VoiceDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceDetector").field("levels", &self.levels).finish_non_exhaustive()
    }
}

impl VoiceDetector {
    pub(super) fn new() -> Self {
        Self { network: Detector::default_boxed(), levels: VecDeque::with_capacity(LEVEL_FRAMES) }
    }

    /// Whether the learner speaks, after the next `frame` of [`FRAME_MS`] at any rate. It becomes true some 150 ms after
    /// a voice begins and false with its last frame.
    pub(super) fn hears_voice(&mut self, frame: &[i16]) -> bool {
        let voiced = self.network.predict_i16(&at_16_khz(frame)) >= SCORE_MIN;
        if self.levels.len() == LEVEL_FRAMES {
            self.levels.pop_front();
        }
        self.levels.push_back(voiced.then(|| level_db(frame)));
        let recent = self.levels.iter().rev().take(RECENT_FRAMES).flatten().count();
        voiced && recent >= VOICE_FRAMES_MIN && self.level_range() >= LEVEL_RANGE_MIN_DB
    }

    fn level_range(&self) -> f32 {
        let all = || self.levels.iter().flatten().copied();
        all().fold(f32::MIN, f32::max) - all().fold(f32::MAX, f32::min)
    }
}

/// Linear interpolation: enough for a detector.
fn at_16_khz(frame: &[i16]) -> Vec<i16> {
    if frame.len() == FRAME_SAMPLES {
        return frame.to_vec();
    }
    let sample = |at: usize| f32::from(frame.get(at).or(frame.last()).copied().unwrap_or_default());
    let between = |index: usize| {
        let (at, part) = (index * frame.len() / FRAME_SAMPLES, index * frame.len() % FRAME_SAMPLES);
        let part = part as f32 / FRAME_SAMPLES as f32;
        rounded(sample(at) * (1.0 - part) + sample(at + 1) * part)
    };
    (0..FRAME_SAMPLES).map(between).collect()
}

fn level_db(frame: &[i16]) -> f32 {
    let energy: f32 = frame.iter().map(|&sample| f32::from(sample) * f32::from(sample)).sum();
    10.0 * (energy / frame.len().max(1) as f32).max(1.0).log10()
}

#[expect(clippy::cast_possible_truncation, reason = "a mean of samples is a sample")]
fn rounded(sample: f32) -> i16 {
    sample.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_of_any_rate_has_the_samples_of_the_network() {
        for samples in [128_i16, 256, 384] {
            let ramp: Vec<i16> = (0..samples).collect();
            let converted = at_16_khz(&ramp);
            assert_eq!((converted.len(), converted[0]), (FRAME_SAMPLES, 0));
            assert!(converted.is_sorted() && converted[FRAME_SAMPLES - 1] >= samples - 3, "{samples}");
        }
    }

    #[test]
    fn loud_tone_that_keeps_its_level_is_no_voice() {
        let mut detector = VoiceDetector::new();
        let tone: Vec<i16> =
            (0..FRAME_SAMPLES).map(|at| if at % 128 < 64 { 6_000 } else { -6_000 }).collect();
        assert!((0..500).all(|_| !detector.hears_voice(&tone)));
    }
}
