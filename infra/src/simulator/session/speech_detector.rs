//! PURE. The speech detector of the simulated model: start of speech, end of a turn, and the decoded text.
//!
//! It measures silence in received samples and not by a clock, so audio sent faster than real time gives the same result.

use std::time::Duration;

use super::input::Sensitivity;
use crate::simulator::{
    audible::{Decoder, Heard},
    stamp,
};

/// Length of an analysis window.
const WINDOW_MS: u32 = 20;
/// Mean magnitude of a window that counts as speech: about -38 dB of full scale, above a quiet room.
const SPEECH_LEVEL: u64 = 400;
/// Loud windows in a row that are the start of speech; fewer are a click.
const ONSET_WINDOWS: u32 = 2;

/// A change between speech and silence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SpeechEvent {
    /// The learner began to speak.
    SpeechStarted,
    /// The learner's turn ended.
    TurnEnded(Vec<Heard>),
}

/// The detector of one audio block.
#[derive(Debug)]
pub(crate) struct SpeechDetector {
    decoder: Decoder,
    sample_rate: u32,
    /// Silence that ends a turn, in windows.
    pause_windows: u64,
    /// The first half of a sample that was split between two events.
    odd_byte: Option<u8>,
    window: Window,
    /// Loud windows in a row while silent.
    onset: u32,
    speaking: bool,
    silent_windows: u64,
    heard: Vec<Heard>,
    samples: u64,
    /// Present when the audio carries stamps.
    stamps: Option<Stamps>,
}

#[derive(Debug, Default)]
struct Stamps {
    reader: stamp::Reader,
    times: Vec<Duration>,
}

#[derive(Debug, Default)]
struct Window {
    magnitude: u64,
    samples: u32,
}

impl SpeechDetector {
    /// `scale` is a factor for the pause that ends a turn.
    pub(crate) fn new(sample_rate: u32, sensitivity: Sensitivity, scale: f64) -> Self {
        let pause = pause(sensitivity).mul_f64(scale).as_millis().div_ceil(u128::from(WINDOW_MS));
        Self {
            decoder: Decoder::new(sample_rate),
            sample_rate,
            pause_windows: u64::try_from(pause).unwrap_or(u64::MAX).max(1),
            odd_byte: None,
            window: Window::default(),
            onset: 0,
            speaking: false,
            silent_windows: 0,
            heard: Vec::new(),
            samples: 0,
            stamps: None,
        }
    }

    /// A detector for audio that carries stamps.
    pub(crate) fn with_stamps(self) -> Self {
        Self { stamps: Some(Stamps::default()), ..self }
    }

    /// The stamps received since the last call.
    pub(crate) fn take_stamps(&mut self) -> Vec<Duration> {
        self.stamps.as_mut().map(|stamps| std::mem::take(&mut stamps.times)).unwrap_or_default()
    }

    /// All audio received so far.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(self.samples * 1000 / u64::from(self.sample_rate))
    }

    /// Takes PCM, signed 16 bit little endian, in pieces of any length.
    pub(crate) fn listen(&mut self, pcm: &[u8]) -> Vec<SpeechEvent> {
        let samples = self.samples_of(pcm);
        self.samples += samples.len() as u64;
        let window_samples = self.sample_rate / 1000 * WINDOW_MS;
        let mut moments = Vec::new();
        let mut decoded = 0;
        for (index, sample) in samples.iter().enumerate() {
            self.window.magnitude += u64::from(sample.unsigned_abs());
            self.window.samples += 1;
            if self.window.samples < window_samples {
                continue;
            }
            let window = std::mem::take(&mut self.window);
            let loud = window.magnitude / u64::from(window_samples) >= SPEECH_LEVEL;
            if self.judge(loud, &mut moments) {
                // The words of the turn are those up to here.
                self.heard.extend(self.decoder.push(&samples[decoded..=index]));
                decoded = index + 1;
                self.heard.extend(self.decoder.flush());
                moments.push(SpeechEvent::TurnEnded(std::mem::take(&mut self.heard)));
            }
        }
        self.heard.extend(self.decoder.push(&samples[decoded..]));
        moments
    }

    /// The decoded part of a turn that is not over.
    pub(crate) fn close(&mut self) -> Vec<Heard> {
        self.speaking = false;
        self.heard.extend(self.decoder.flush());
        std::mem::take(&mut self.heard)
    }

    /// Takes one window; `true` when it ends a turn.
    fn judge(&mut self, loud: bool, moments: &mut Vec<SpeechEvent>) -> bool {
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
                if self.onset >= ONSET_WINDOWS {
                    self.speaking = true;
                    self.silent_windows = 0;
                    moments.push(SpeechEvent::SpeechStarted);
                }
            }
            (false, false) => self.onset = 0,
        }
        false
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
        assert_eq!(detector.close(), vec![Heard::Text("unfinished".into())]);
        assert_eq!(detector.close(), vec![]);
    }
}
