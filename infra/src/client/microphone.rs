//! PURE. The learner's microphone: it records speech, or silence where nothing is said, counts every sample, and keeps the
//! latest so that a client that reconnects continues where the service has heard it. It never stops, because the model
//! finds the end of a turn in the silence.

use std::sync::Arc;

use anyhow::bail;
use events::contract::live::SAMPLE_RATE_HZ;

/// Samples kept for a reconnect: a minute.
const KEPT_SAMPLES: usize = 60 * SAMPLE_RATE_HZ as usize;

/// The microphone. Its memory is bounded by one line and the samples it keeps.
#[derive(Debug, Default)]
pub struct Microphone {
    /// What is being said, and the samples of it that are recorded.
    speech: Arc<[i16]>,
    said: usize,
    /// The latest recorded samples, and the number of the first of them.
    recorded: Vec<i16>,
    first: u64,
    /// The number of the next sample to send.
    next: u64,
    kept_samples: usize,
}

impl Microphone {
    /// A microphone that can be rewound by a minute.
    #[must_use]
    pub fn new() -> Self {
        Self { kept_samples: KEPT_SAMPLES, ..Self::default() }
    }

    /// A microphone that keeps nothing of what was sent.
    pub(super) fn without_rewind() -> Self {
        Self::default()
    }

    /// Begins to say `speech` instead of what is being said.
    pub fn say(&mut self, speech: Arc<[i16]>) {
        (self.speech, self.said) = (speech, 0);
    }

    /// Whether something is still to be said.
    #[must_use]
    pub fn is_speaking(&self) -> bool {
        self.samples_left() > 0
    }

    /// Samples of the speech that are not recorded yet.
    #[must_use]
    pub fn samples_left(&self) -> usize {
        self.speech.len() - self.said
    }

    /// Records `count` samples: speech, then silence.
    pub fn record(&mut self, count: usize) {
        let excess = self.recorded.len().saturating_sub(self.kept_samples);
        // Moving the rest is cheap only if it happens seldom.
        if excess > self.kept_samples / 8 {
            self.recorded.drain(..excess);
            self.first += excess as u64;
            self.next = self.next.max(self.first);
        }
        let spoken = count.min(self.samples_left());
        self.recorded.extend_from_slice(&self.speech[self.said..][..spoken]);
        self.said += spoken;
        self.recorded.resize(self.recorded.len() + count - spoken, 0);
    }

    /// What was recorded and not sent, which counts as sent from now on.
    pub fn take_unsent(&mut self) -> &[i16] {
        // `next` is between `first` and the end of what is recorded.
        let from = usize::try_from(self.next - self.first).unwrap_or(usize::MAX);
        self.next = self.first + self.recorded.len() as u64;
        &self.recorded[from..]
    }

    /// Counts what follows the first `heard` samples as not sent.
    ///
    /// # Errors
    /// When more was heard than recorded, or what follows is no longer kept.
    pub fn rewind(&mut self, heard: u64) -> anyhow::Result<()> {
        let recorded = self.first + self.recorded.len() as u64;
        if !(self.first..=recorded).contains(&heard) {
            bail!(
                "the ingress has heard {heard} samples, and those from {} to {recorded} are known",
                self.first
            );
        }
        self.next = heard;
        Ok(())
    }

    /// Falls silent, forgets what was recorded and counts from zero: the service no longer knows what it has heard.
    pub(super) fn restart(&mut self) {
        *self = Self { kept_samples: self.kept_samples, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn microphone(speech: &[i16]) -> Microphone {
        let mut microphone = Microphone::new();
        microphone.say(speech.into());
        microphone
    }

    #[test]
    fn record_after_the_end_of_the_speech_is_silence() {
        let mut microphone = microphone(&[1, 2, 3]);
        microphone.record(2);
        assert_eq!(microphone.take_unsent(), [1, 2]);
        assert_eq!(microphone.samples_left(), 1);
        microphone.record(2);
        assert_eq!(microphone.take_unsent(), [3, 0]);
        assert!(!microphone.is_speaking());
        assert_eq!(microphone.take_unsent(), [0_i16; 0]);
    }

    #[test]
    fn rewind_sends_what_was_not_heard_again() {
        let mut microphone = microphone(&[1, 2, 3, 4, 5]);
        microphone.record(3);
        microphone.take_unsent();
        microphone.record(2);
        microphone.rewind(2).unwrap();
        assert_eq!(microphone.take_unsent(), [3, 4, 5]);
        assert!(microphone.rewind(6).is_err());
        microphone.restart();
        microphone.record(1);
        assert_eq!(microphone.take_unsent(), [0]);
        assert!(microphone.rewind(2).is_err());
    }

    #[test]
    fn rewind_by_more_than_a_minute_is_refused() {
        let mut microphone = Microphone::new();
        for _ in 0..100 {
            microphone.record(SAMPLE_RATE_HZ as usize);
            microphone.take_unsent();
        }
        microphone.rewind(40 * u64::from(SAMPLE_RATE_HZ)).unwrap();
        assert_eq!(microphone.take_unsent().len(), KEPT_SAMPLES);
        assert!(microphone.rewind(30 * u64::from(SAMPLE_RATE_HZ)).is_err());
        assert!(microphone.recorded.len() < 2 * KEPT_SAMPLES, "memory is bounded");
    }

    #[test]
    fn record_without_rewind_keeps_one_frame() {
        let mut microphone = Microphone::without_rewind();
        microphone.say([7; 10].as_slice().into());
        for _ in 0..3 {
            microphone.record(4);
            assert_eq!((microphone.take_unsent().len(), microphone.recorded.len()), (4, 4));
        }
    }
}
