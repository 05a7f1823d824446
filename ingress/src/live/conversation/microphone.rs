//! PURE. The learner's audio of the unfinished turn. One buffer is the recording of the turn, the measure of its speech, and
//! the audio to replay to a new stream. It is bounded by one turn, whatever the length of the conversation. Offsets and
//! lengths are in bytes of PCM s16le at 16 kHz.

use std::collections::VecDeque;

use events::contract::live::BYTES_PER_MS;

/// Longest audio of one learner turn, in milliseconds. The beginning of a longer turn is dropped.
pub(super) const TURN_AUDIO_MS_MAX: u64 = 90_000;

/// Audio kept before the first speech of a turn, in milliseconds.
const PRE_ROLL_MS: u64 = 1_000;

/// Silence kept around the speech in the recording of a turn, in milliseconds.
const MARGIN_MS: u64 = 300;

/// Length of the windows of speech detection, in milliseconds.
const WINDOW_MS: u64 = 20;

/// Longest pause that counts as speech, in milliseconds.
const BREATH_MS: u64 = 300;

/// Least root mean square of a window with speech, of 32768: about -40 dB.
const SPEECH_RMS_MIN: u64 = 330;

/// The recording of one learner turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TurnRecording {
    /// PCM s16le; empty without audio.
    pub(super) pcm: Vec<u8>,
    /// `None` without speech.
    pub(super) heard: Option<SpeechTimes>,
}

/// The speech in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpeechTimes {
    /// Arrival of the first speech, in milliseconds of the conversation.
    pub(super) start_ms: u64,
    /// Arrival of the last speech, in milliseconds of the conversation.
    pub(super) end_ms: u64,
    /// Speech without its pauses, in milliseconds of audio.
    pub(super) speech_ms: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Microphone {
    /// Length of the pause that ends a turn.
    pause: usize,
    audio: VecDeque<u8>,
    /// Speech of the unfinished turn.
    turn: Option<Span>,
    /// Speech after a pause that ends a turn. It belongs to the next turn if the model ends this one.
    next: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    last: usize,
    speech: usize,
    start_ms: u64,
    end_ms: u64,
}

impl Microphone {
    /// An empty buffer. The model ends a turn after a pause of `pause_ms`.
    #[must_use]
    pub(super) fn new(pause_ms: u64) -> Self {
        Self { pause: bytes(pause_ms), audio: VecDeque::new(), turn: None, next: None }
    }

    /// Adds samples that arrived at `at_ms`. Returns whether they contain speech.
    pub(super) fn push(&mut self, pcm: &[u8], at_ms: u64) -> bool {
        let mut heard = false;
        for window in pcm.chunks(bytes(WINDOW_MS)) {
            let start = self.audio.len();
            self.audio.extend(window);
            if is_speech(window) {
                heard = true;
                self.speech(start, window.len(), at_ms);
            }
        }
        self.trim();
        heard
    }

    /// Whether the unfinished turn contains speech.
    #[must_use]
    pub(super) fn has_speech(&self) -> bool {
        self.turn.is_some()
    }

    /// Audio since the last speech, in milliseconds.
    #[must_use]
    pub(super) fn silence_ms(&self) -> u64 {
        let end = self.next.or(self.turn).map_or(0, |span| span.last);
        millis(self.audio.len().saturating_sub(end))
    }

    /// The audio to replay to a new stream: that of the unfinished turn.
    #[must_use]
    pub(super) fn replay(&self) -> Vec<u8> {
        self.audio.iter().copied().collect()
    }

    /// The length of [`Self::replay`], in bytes.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.audio.len()
    }

    /// The model has transcribed something. Speech after the pause belongs to the same turn if the model has had the time to
    /// transcribe that as well: it did not answer in between.
    pub(super) fn transcribed(&mut self) {
        let complete = self.next.is_some_and(|next| self.audio.len() - next.last >= self.pause);
        if let (Some(turn), true) = (&mut self.turn, complete)
            && let Some(next) = self.next.take()
        {
            turn.last = next.last;
            turn.speech += next.speech;
            turn.end_ms = next.end_ms;
        }
    }

    /// Ends the turn: returns its recording and keeps the audio of the next turn.
    pub(super) fn end_turn(&mut self) -> TurnRecording {
        let Some(turn) = self.turn.take() else {
            let pcm = self.audio.drain(..).collect();
            return TurnRecording { pcm, heard: None };
        };
        let from = turn.first.saturating_sub(bytes(MARGIN_MS));
        let to = (turn.last + bytes(MARGIN_MS)).min(self.audio.len());
        let pcm = self.audio.range(from..to).copied().collect();
        match self.next.take() {
            Some(next) => {
                self.turn = Some(next);
                self.drop_front(next.first.saturating_sub(bytes(MARGIN_MS)).max(to));
            }
            None => self.audio = VecDeque::new(),
        }
        let speech_ms = millis(turn.speech);
        TurnRecording {
            pcm,
            heard: Some(SpeechTimes { start_ms: turn.start_ms, end_ms: turn.end_ms, speech_ms }),
        }
    }

    fn speech(&mut self, start: usize, length: usize, at_ms: u64) {
        let end = start + length;
        let fresh = Span { first: start, last: end, speech: length, start_ms: at_ms, end_ms: at_ms };
        let Some(turn) = &mut self.turn else {
            self.turn = Some(fresh);
            return;
        };
        let span = match &mut self.next {
            Some(next) => next,
            None if start - turn.last < self.pause => turn,
            None => {
                self.next = Some(fresh);
                return;
            }
        };
        let gap = start - span.last;
        span.speech += length + if gap <= bytes(BREATH_MS) { gap } else { 0 };
        span.last = end;
        span.end_ms = at_ms;
    }

    fn trim(&mut self) {
        let max = match self.turn {
            Some(_) => bytes(TURN_AUDIO_MS_MAX),
            None => bytes(PRE_ROLL_MS),
        };
        let excess = self.audio.len().saturating_sub(max);
        if excess > 0 {
            self.drop_front(excess);
        }
    }

    fn drop_front(&mut self, count: usize) {
        let count = count.min(self.audio.len());
        self.audio.drain(..count);
        for span in [&mut self.turn, &mut self.next].into_iter().flatten() {
            span.first = span.first.saturating_sub(count);
            span.last = span.last.saturating_sub(count);
        }
    }
}

fn bytes(ms: u64) -> usize {
    usize::try_from(ms * BYTES_PER_MS).expect("limits of this module are minutes at most")
}

fn millis(bytes: usize) -> u64 {
    bytes as u64 / BYTES_PER_MS
}

fn is_speech(window: &[u8]) -> bool {
    let (samples, _) = window.as_chunks::<2>();
    let energy: u64 = samples.iter().map(|sample| square(i16::from_le_bytes(*sample))).sum();
    energy > SPEECH_RMS_MIN * SPEECH_RMS_MIN * samples.len() as u64
}

fn square(sample: i16) -> u64 {
    let magnitude = u64::from(sample.unsigned_abs());
    magnitude * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn tone(ms: u64) -> Vec<u8> {
        (0..ms * BYTES_PER_MS / 2)
            .flat_map(|n| (if n % 16 < 8 { 8_000_i16 } else { -8_000 }).to_le_bytes())
            .collect()
    }

    fn silence(ms: u64) -> Vec<u8> {
        vec![0; bytes(ms)]
    }

    #[test]
    fn speech_is_measured_with_its_breaths_and_without_its_pauses() {
        let mut microphone = Microphone::new(1_500);
        assert!(!microphone.push(&silence(400), 400));
        assert!(microphone.push(&tone(500), 900));
        microphone.push(&silence(200), 1_100);
        microphone.push(&tone(300), 1_400);
        microphone.push(&silence(1_000), 2_400);
        microphone.push(&tone(100), 2_500);
        let recording = microphone.end_turn();
        assert_eq!(recording.heard, Some(SpeechTimes { start_ms: 900, end_ms: 2_500, speech_ms: 1_100 }));
        assert_eq!(millis(recording.pcm.len()), 300 + 500 + 200 + 300 + 1_000 + 100);
        assert_eq!(microphone.len(), 0);
    }

    #[test]
    fn what_follows_the_pause_that_ends_a_turn_is_of_the_next() {
        let mut microphone = Microphone::new(1_500);
        microphone.push(&tone(500), 500);
        microphone.push(&silence(1_600), 2_100);
        microphone.push(&tone(300), 2_400);
        let first = microphone.end_turn();
        assert_eq!(first.heard.unwrap().speech_ms, 500);
        assert!(microphone.has_speech());
        microphone.push(&tone(200), 2_600);
        let second = microphone.end_turn();
        assert_eq!(second.heard, Some(SpeechTimes { start_ms: 2_400, end_ms: 2_600, speech_ms: 500 }));
    }

    #[test]
    fn what_was_understood_before_an_answer_is_of_the_same_turn() {
        let mut microphone = Microphone::new(1_500);
        microphone.push(&tone(500), 500);
        microphone.push(&silence(1_600), 2_100);
        microphone.push(&tone(300), 2_400);
        microphone.transcribed();
        microphone.push(&silence(1_500), 3_900);
        microphone.transcribed();
        let both = microphone.end_turn();
        assert_eq!(both.heard, Some(SpeechTimes { start_ms: 500, end_ms: 2_400, speech_ms: 800 }));
        assert!(!microphone.has_speech());
    }

    #[test]
    fn without_speech_only_the_pre_roll_is_kept() {
        let mut microphone = Microphone::new(1_500);
        for at in 0..100 {
            microphone.push(&silence(100), at * 100);
        }
        assert_eq!(millis(microphone.len()), PRE_ROLL_MS);
        assert_eq!(microphone.end_turn().heard, None);
    }

    #[test]
    fn a_turn_is_bounded_and_its_end_is_kept() {
        let mut microphone = Microphone::new(1_500);
        for at in 0..(TURN_AUDIO_MS_MAX / 1_000 + 30) {
            microphone.push(&tone(1_000), at * 1_000);
            assert!(millis(microphone.len()) <= TURN_AUDIO_MS_MAX);
        }
        assert_eq!(millis(microphone.replay().len()), TURN_AUDIO_MS_MAX);
        let recording = microphone.end_turn();
        assert_eq!(millis(recording.pcm.len()), TURN_AUDIO_MS_MAX);
        assert_eq!(recording.heard.unwrap().speech_ms, TURN_AUDIO_MS_MAX + 30_000);
    }
}
