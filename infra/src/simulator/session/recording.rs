//! PURE. What a learner says by voice, as samples for the recogniser: with what came before the voice was noticed, without
//! the silence behind it, and cut where the recogniser still works.

use super::voice::{FRAME_MS, VoiceDetector};

/// Samples kept from before the voice is noticed. A voice is noticed after 150 ms, and a soft beginning later.
const LEAD_MS: u32 = 800;
/// Samples kept behind the last frame of a voice: a soft end.
const TAIL_MS: u32 = 300;
/// Length from which a pause of a word cuts. Sentences understood as a whole are understood better.
const LONG_MS: u32 = 18_000;
/// Length of a pause between words.
const WORD_PAUSE_MS: u32 = 192;
/// The longest piece. From 32 s on, the recogniser repeats itself.
pub(super) const PIECE_MS_MAX: u32 = 24_000;

/// The learner's voice since the last turn.
#[derive(Debug)]
pub(super) struct Recording {
    detector: VoiceDetector,
    samples_per_ms: u32,
    samples: Vec<i16>,
    /// Behind the last frame of a voice; 0 if there is none.
    voiced: usize,
    /// Frames of a voice in this turn.
    voiced_frames: u32,
}

impl Recording {
    pub(super) fn new(sample_rate: u32) -> Self {
        Self {
            detector: VoiceDetector::new(),
            samples_per_ms: sample_rate / 1_000,
            samples: Vec::new(),
            voiced: 0,
            voiced_frames: 0,
        }
    }

    /// Takes the next frame and returns whether it is of a voice. Outside a turn only the lead is kept.
    pub(super) fn take(&mut self, frame: &[i16], in_turn: bool) -> bool {
        if !in_turn {
            let excess = (self.samples.len() + frame.len()).saturating_sub(self.samples_in(LEAD_MS));
            self.samples.drain(..excess.min(self.samples.len()));
        }
        self.samples.extend_from_slice(frame);
        let voiced = self.detector.hears_voice(frame);
        if voiced {
            self.voiced = self.samples.len();
            self.voiced_frames += 1;
        }
        voiced
    }

    /// The piece up to the pause that has begun; `None` if there was no voice since the last cut.
    pub(super) fn piece(&self) -> Option<Vec<i16>> {
        let end = self.samples.len().min(self.voiced + self.samples_in(TAIL_MS));
        (self.voiced > 0).then(|| self.samples[..end].to_vec())
    }

    /// The piece, once it is too long to go on; the next one begins behind it.
    pub(super) fn cut(&mut self) -> Option<Vec<i16>> {
        let pause = self.samples.len() - self.voiced >= self.samples_in(WORD_PAUSE_MS);
        let is_long = self.samples.len() >= self.samples_in(LONG_MS);
        if !(is_long && pause) && self.samples.len() < self.samples_in(PIECE_MS_MAX) {
            return None;
        }
        let piece = self.piece();
        self.samples.clear();
        self.voiced = 0;
        piece
    }

    /// The turn is over: its voice in milliseconds.
    pub(super) fn end_turn(&mut self) -> u64 {
        self.voiced = 0;
        u64::from(std::mem::take(&mut self.voiced_frames)) * u64::from(FRAME_MS)
    }

    fn samples_in(&self, ms: u32) -> usize {
        (self.samples_per_ms * ms) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;
    const FRAME: usize = 256;

    #[test]
    fn silence_keeps_the_lead_only() {
        let mut recording = Recording::new(RATE);
        for _ in 0..1_000 {
            assert!(!recording.take(&[3; FRAME], false));
        }
        assert!(recording.samples.len() <= recording.samples_in(LEAD_MS));
        assert_eq!(recording.piece(), None);
    }

    #[test]
    fn piece_is_cut_at_a_pause_when_it_is_long_and_anywhere_at_its_limit() {
        let mut recording = Recording::new(RATE);
        let mut fed = 0;
        let mut cut_after = |recording: &mut Recording, voiced: bool| {
            loop {
                recording.take(&[0; FRAME], true);
                fed += FRAME;
                if voiced {
                    recording.voiced = recording.samples.len();
                }
                if let Some(piece) = recording.cut() {
                    return u32::try_from(piece.len() * 1_000 / RATE as usize).unwrap();
                }
            }
        };
        // Never a pause: the limit cuts.
        assert_eq!(cut_after(&mut recording, true), PIECE_MS_MAX);
        recording.voiced = 1;
        let with_pause = cut_after(&mut recording, false);
        assert!(with_pause <= TAIL_MS, "{with_pause}");
        assert!(recording.samples.is_empty());
        // Silence behind a cut is no piece, and is not kept for ever.
        for _ in 0..(2 * PIECE_MS_MAX as usize * 16 / FRAME) {
            recording.take(&[0; FRAME], true);
            assert_eq!(recording.cut(), None);
        }
        assert!(recording.samples.len() <= recording.samples_in(PIECE_MS_MAX));
    }
}
