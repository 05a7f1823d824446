//! PURE. The speech detector of the simulated model: start of speech, end of a turn, and the decoded text.
//!
//! It measures silence in received samples and not by a clock, so audio sent faster than real time gives the same result.
//!
//! Without a recogniser, what is loud is speech. With one, a voice is speech, or audible text from its preamble on.

use std::time::Duration;

use super::input::Sensitivity;
use super::recording::Recording;
use super::voice;
use crate::simulator::{
    audible::{Decoder, Heard},
    stamp,
};

/// Length of an analysis window without a recogniser.
const WINDOW_MS: u32 = 20;
/// Mean magnitude of a window that counts as speech: about -38 dB of full scale, above a quiet room.
const SPEECH_LEVEL: u64 = 400;
/// Loud windows in a row that are the start of speech; fewer are a click.
const ONSET_WINDOWS: u32 = 2;
/// Silence after which the voice before it is recognised. The pause that ends a turn hides the work.
const RECOGNITION_PAUSE_MS: u32 = 400;

/// A change between speech and silence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SpeechEvent {
    /// The learner began to speak.
    SpeechStarted,
    /// The voice of the turn since the last cut, up to a pause that may become its end.
    Pause(Vec<i16>),
    /// The voice of the turn since the last cut, which is too long to go on. The turn goes on.
    Cut(Vec<i16>),
    /// The learner's turn ended; it was no voice to be recognised.
    TurnEnded(Vec<Heard>),
    /// The learner's turn ended; its words are those of its pieces.
    VoiceEnded {
        /// Length of the voice.
        ms: u64,
    },
}

/// The detector of one audio block.
#[derive(Debug)]
pub(crate) struct SpeechDetector {
    decoder: Decoder,
    sample_rate: u32,
    window_ms: u32,
    /// Silence that ends a turn, in windows.
    pause_windows: u64,
    /// The first half of a sample that was split between two events.
    odd_byte: Option<u8>,
    window: Vec<i16>,
    /// Loud windows in a row while silent.
    onset: u32,
    speaking: bool,
    silent_windows: u64,
    heard: Vec<Heard>,
    samples: u64,
    /// Present with a recogniser.
    recording: Option<Recording>,
    /// Present when the audio carries stamps.
    stamps: Option<Stamps>,
}

#[derive(Debug, Default)]
struct Stamps {
    reader: stamp::Reader,
    times: Vec<Duration>,
}

impl SpeechDetector {
    /// `scale` is a factor for the pause that ends a turn.
    pub(crate) fn new(sample_rate: u32, sensitivity: Sensitivity, scale: f64) -> Self {
        let pause = pause(sensitivity).mul_f64(scale);
        Self {
            decoder: Decoder::new(sample_rate),
            sample_rate,
            window_ms: WINDOW_MS,
            pause_windows: windows(pause, WINDOW_MS),
            odd_byte: None,
            window: Vec::new(),
            onset: 0,
            speaking: false,
            silent_windows: 0,
            heard: Vec::new(),
            samples: 0,
            recording: None,
            stamps: None,
        }
    }

    /// A detector for audio that carries stamps.
    pub(crate) fn with_stamps(self) -> Self {
        Self { stamps: Some(Stamps::default()), ..self }
    }

    /// A detector for a recogniser: it records what a voice says.
    pub(crate) fn with_recogniser(self) -> Self {
        let pause = Duration::from_millis(self.pause_windows * u64::from(self.window_ms));
        Self {
            window_ms: voice::FRAME_MS,
            pause_windows: windows(pause, voice::FRAME_MS),
            recording: Some(Recording::new(self.sample_rate)),
            ..self
        }
    }

    /// The stamps received since the last call.
    pub(crate) fn take_stamps(&mut self) -> Vec<Duration> {
        self.stamps.as_mut().map(|stamps| std::mem::take(&mut stamps.times)).unwrap_or_default()
    }

    /// Whether a turn has begun and not ended.
    pub(crate) fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// All audio received so far.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.samples * 1000 / u64::from(self.sample_rate))
    }

    /// Takes PCM, signed 16 bit little endian, in pieces of any length.
    pub(crate) fn listen(&mut self, pcm: &[u8]) -> Vec<SpeechEvent> {
        let samples = self.samples_of(pcm);
        self.samples += samples.len() as u64;
        let window_samples = (self.sample_rate / 1000 * self.window_ms) as usize;
        let mut moments = Vec::new();
        for sample in samples {
            self.window.push(sample);
            if self.window.len() < window_samples {
                continue;
            }
            let window = std::mem::take(&mut self.window);
            self.decode(&window);
            let active = self.is_active(&window);
            let over = self.judge(active, &mut moments);
            self.record(over, &mut moments);
            if over {
                self.finish_decoding();
                moments.push(self.end_turn());
            }
            self.window = window;
            self.window.clear();
        }
        moments
    }

    /// The part of a turn that is not over: the voice to recognise, if there is one, and how it ends.
    pub(crate) fn close(&mut self) -> Vec<SpeechEvent> {
        let window = std::mem::take(&mut self.window);
        self.decode(&window);
        self.finish_decoding();
        let mut moments = Vec::new();
        if std::mem::take(&mut self.speaking) {
            let piece = self.recording.as_ref().and_then(Recording::piece);
            moments.extend(piece.filter(|_| !self.hears_text()).map(SpeechEvent::Pause));
            moments.push(self.end_turn());
        } else if !self.heard.is_empty() {
            moments.push(self.end_turn());
        }
        moments
    }

    fn decode(&mut self, window: &[i16]) {
        let decoded = self.decoder.push(window);
        self.hear(decoded);
    }

    fn finish_decoding(&mut self) {
        let decoded = self.decoder.flush();
        self.hear(decoded);
    }

    fn hear(&mut self, decoded: Vec<Heard>) {
        // With a recogniser, what is no text is the voice, or the noise around it.
        let is_kept = |heard: &Heard| self.recording.is_none() || is_text(heard);
        self.heard.extend(decoded.into_iter().filter(is_kept));
    }

    fn is_active(&mut self, window: &[i16]) -> bool {
        if let Some(recording) = &mut self.recording {
            let voiced = recording.take(window, self.speaking);
            return voiced || self.decoder.is_receiving();
        }
        let magnitude: u64 = window.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        magnitude / window.len() as u64 >= SPEECH_LEVEL
    }

    /// Takes one window; `true` when it ends a turn.
    fn judge(&mut self, loud: bool, moments: &mut Vec<SpeechEvent>) -> bool {
        // The detector of voices ignores clicks itself.
        let onset_windows = if self.recording.is_some() { 1 } else { ONSET_WINDOWS };
        match (self.speaking, loud) {
            (true, true) => self.silent_windows = 0,
            (true, false) => {
                self.silent_windows += 1;
                if self.silent_windows >= self.pause_windows {
                    self.speaking = false;
                    self.onset = 0;
                    return true;
                }
            }
            (false, true) => {
                self.onset += 1;
                if self.onset >= onset_windows {
                    self.speaking = true;
                    self.silent_windows = 0;
                    moments.push(SpeechEvent::SpeechStarted);
                }
            }
            (false, false) => self.onset = 0,
        }
        false
    }

    /// Hands out what is to be recognised, at a pause and where a piece becomes too long.
    fn record(&mut self, over: bool, moments: &mut Vec<SpeechEvent>) {
        if !(self.speaking || over) || self.hears_text() {
            return;
        }
        let wait = u64::from(RECOGNITION_PAUSE_MS.div_ceil(self.window_ms)).min(self.pause_windows);
        let at_pause = self.silent_windows == wait;
        let Some(recording) = &mut self.recording else { return };
        moments.extend(recording.cut().map(SpeechEvent::Cut));
        if at_pause {
            moments.extend(recording.piece().map(SpeechEvent::Pause));
        }
    }

    /// Whether the turn has audible text, which needs no recogniser.
    fn hears_text(&self) -> bool {
        self.decoder.is_receiving() || self.heard.iter().any(is_text)
    }

    fn end_turn(&mut self) -> SpeechEvent {
        let heard = std::mem::take(&mut self.heard);
        let Some(recording) = &mut self.recording else { return SpeechEvent::TurnEnded(heard) };
        let ms = recording.end_turn();
        if heard.is_empty() { SpeechEvent::VoiceEnded { ms } } else { SpeechEvent::TurnEnded(heard) }
    }

    fn samples_of(&mut self, pcm: &[u8]) -> Vec<i16> {
        let first = self.odd_byte.take();
        let bytes: Vec<u8> = first.into_iter().chain(pcm.iter().copied()).collect();
        let (pairs, rest) = bytes.as_chunks::<2>();
        self.odd_byte = rest.first().copied();
        let samples: Vec<i16> = pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
        let Some(stamps) = &mut self.stamps else { return samples };
        let unstamped = stamps.reader.read(&samples);
        stamps.times.extend(unstamped.times);
        unstamped.samples
    }
}

fn is_text(heard: &Heard) -> bool {
    match heard {
        Heard::Text(_) | Heard::Damaged { .. } => true,
        Heard::Unreadable { .. } => false,
    }
}

fn windows(time: Duration, window_ms: u32) -> u64 {
    let windows = time.as_millis().div_ceil(u128::from(window_ms));
    u64::try_from(windows).unwrap_or(u64::MAX).max(1)
}

/// The pause after which the model takes the turn (AWS's guide, "Turn-taking controllability").
fn pause(sensitivity: Sensitivity) -> Duration {
    match sensitivity {
        Sensitivity::High => Duration::from_millis(1_500),
        Sensitivity::Medium => Duration::from_millis(1_750),
        Sensitivity::Low => Duration::from_millis(2_000),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simulator::audible::encode;

    const RATE: u32 = 16_000;

    fn bytes(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }

    fn silence(ms: usize) -> Vec<u8> {
        vec![0; ms * 32]
    }

    #[test]
    fn a_turn_ends_after_the_pause_of_its_sensitivity() {
        for (sensitivity, pause_ms) in
            [(Sensitivity::High, 1_500), (Sensitivity::Medium, 1_750), (Sensitivity::Low, 2_000)]
        {
            let mut detector = SpeechDetector::new(RATE, sensitivity, 1.0);
            assert_eq!(detector.listen(&bytes(&encode("one two", RATE))), vec![SpeechEvent::SpeechStarted]);
            // The utterance ends with one silent symbol.
            assert_eq!(detector.listen(&silence(pause_ms - 60)), vec![], "{sensitivity:?}");
            let expected = SpeechEvent::TurnEnded(vec![Heard::Text("one two".into())]);
            assert_eq!(detector.listen(&silence(60)), vec![expected], "{sensitivity:?}");
        }
    }

    #[test]
    fn a_pause_within_a_turn_joins_what_was_said_around_it() {
        let mut detector = SpeechDetector::new(RATE, Sensitivity::Low, 1.0);
        let mut pcm = bytes(&encode("first", RATE));
        pcm.extend(silence(1_000));
        pcm.extend(bytes(&encode("second", RATE)));
        pcm.extend(silence(2_000));
        let moments = detector.listen(&pcm);
        let said = vec![Heard::Text("first".into()), Heard::Text("second".into())];
        assert_eq!(moments, vec![SpeechEvent::SpeechStarted, SpeechEvent::TurnEnded(said)]);
    }

    #[test]
    fn odd_pieces_are_put_together_and_a_lost_byte_is_heard() {
        let mut pcm = bytes(&encode("put together", RATE));
        pcm.extend(silence(2_000));
        let turn = |pcm: &[u8]| {
            let mut detector = SpeechDetector::new(RATE, Sensitivity::Low, 1.0);
            pcm.chunks(333).flat_map(|piece| detector.listen(piece)).collect::<Vec<_>>()
        };
        let intact = SpeechEvent::TurnEnded(vec![Heard::Text("put together".into())]);
        assert_eq!(turn(&pcm), vec![SpeechEvent::SpeechStarted, intact]);
        pcm.remove(9_001);
        let moments = turn(&pcm);
        assert!(!moments.is_empty());
        let intact = SpeechEvent::TurnEnded(vec![Heard::Text("put together".into())]);
        assert!(!moments.contains(&intact), "{moments:?}");
    }

    #[test]
    fn clicks_are_no_speech_and_closing_gives_what_was_heard() {
        let mut detector = SpeechDetector::new(RATE, Sensitivity::High, 0.1);
        let mut pcm = silence(40);
        pcm.extend(bytes(&[9_000; 100]));
        pcm.extend(silence(400));
        assert_eq!(detector.listen(&pcm), vec![]);
        assert_eq!(detector.listen(&bytes(&encode("unfinished", RATE))), vec![SpeechEvent::SpeechStarted]);
        let unfinished = vec![Heard::Text("unfinished".into())];
        assert_eq!(detector.close(), vec![SpeechEvent::TurnEnded(unfinished)]);
        assert_eq!(detector.close(), vec![]);
    }

    proptest! {
        #[test]
        fn any_sound_in_any_pieces_ends_only_turns_that_began(
            sound in prop::collection::vec(any::<u8>(), 0..60_000),
            piece in 1usize..4_000,
            recognises in any::<bool>(),
        ) {
            let detector = SpeechDetector::new(RATE, Sensitivity::High, 0.1);
            let mut detector = if recognises { detector.with_recogniser() } else { detector };
            let mut moments: Vec<SpeechEvent> = sound.chunks(piece).flat_map(|piece| detector.listen(piece)).collect();
            moments.extend(detector.close());
            let mut speaking = false;
            for moment in moments {
                match moment {
                    SpeechEvent::SpeechStarted => {
                        prop_assert!(!speaking);
                        speaking = true;
                    }
                    SpeechEvent::Pause(samples) | SpeechEvent::Cut(samples) => prop_assert!(speaking && !samples.is_empty()),
                    SpeechEvent::VoiceEnded { .. } => {
                        prop_assert!(speaking && recognises);
                        speaking = false;
                    }
                    SpeechEvent::TurnEnded(heard) => {
                        // What was too short for a turn is heard when the audio closes.
                        prop_assert!(speaking || !heard.is_empty());
                        speaking = false;
                    }
                }
            }
            prop_assert!(!speaking);
        }
    }
}
