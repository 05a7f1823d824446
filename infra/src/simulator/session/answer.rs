//! PURE. One spoken answer: its sentences as planned text, audio and said text, in the order and at the pace of the
//! service, and what remains of it after a barge-in.
//!
//! Audio is made faster than it is played. The answer keeps a play-out clock of its own, which starts with its first
//! audio: a sentence counts as said, and gets its FINAL text, when it has been played to its end.

use std::time::Duration;

use serde_json::Value;

use super::output::{AudioBlock, Emitter, GenerationStage, Speaker, Stop};
use crate::simulator::tutor::Met;
use crate::simulator::{audible, stamp};

/// An answer that waits for the one before it.
#[derive(Debug)]
pub(super) struct Reply {
    /// The objective that is reported first.
    pub(super) met: Option<Met>,
    pub(super) sentences: Vec<String>,
    /// Whether it is spoken by a voice and not in tones.
    pub(super) by_voice: bool,
}

/// Where the samples of a sentence come from.
#[derive(Debug)]
enum Voice {
    Tones,
    /// They are to be requested.
    Wanted,
    /// They are awaited, and the sentence is in tones if they do not come in time.
    Requested {
        id: u32,
        until: Duration,
    },
    Samples(Vec<i16>),
}

/// Length of one audioOutput.
const CHUNK_MS: u32 = 32;
/// The text that announced a barge-in in the first generation.
const INTERRUPTED_MARKER: &str = "{ \"interrupted\" : true }";

/// How a barge-in is announced; the service was seen to use all three.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Interruption {
    /// The audio block ends normally, then the block of the said text ends with INTERRUPTED.
    #[default]
    Text,
    /// The audio block ends with INTERRUPTED.
    Audio,
    /// A text `{ "interrupted" : true }`.
    Marker,
}

/// How an answer is spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    /// Hz.
    pub(crate) sample_rate: u32,
    /// Seconds of audio generated per second; 0 generates everything at once, without a play-out clock.
    pub(crate) pace: f64,
    pub(crate) interruption: Interruption,
    /// Time of the stamp clock when the stream opened; each chunk of audio then begins with a stamp.
    pub(crate) stamps_from: Option<Duration>,
}

/// An answer that is being spoken.
#[derive(Debug)]
pub(crate) struct Answer {
    delivery: Delivery,
    sentences: Vec<Sentence>,
    /// Index of the sentence being generated.
    current: usize,
    making: Making,
    /// When the next event is due.
    due: Duration,
    finals: usize,
}

#[derive(Debug)]
struct Sentence {
    text: String,
    voice: Voice,
    /// The length of its audio, by voice; known once it begins.
    voice_samples: Option<usize>,
    /// Play-out times of the first and last sample; known once its audio begins and is complete.
    play_from: Option<Duration>,
    play_to: Option<Duration>,
}

#[derive(Debug)]
enum Making {
    /// The next event is the plan of the current sentence.
    Plan,
    Audio {
        block: AudioBlock,
        samples: Vec<i16>,
        position: usize,
    },
    Nothing,
}

impl Answer {
    pub(super) fn new(sentences: Vec<String>, by_voice: bool, delivery: Delivery, now: Duration) -> Self {
        let sentences: Vec<Sentence> = sentences
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| Sentence {
                text,
                voice: if by_voice { Voice::Wanted } else { Voice::Tones },
                voice_samples: None,
                play_from: None,
                play_to: None,
            })
            .collect();
        let making = if sentences.is_empty() { Making::Nothing } else { Making::Plan };
        Self { delivery, sentences, current: 0, making, due: now, finals: 0 }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.finals == self.sentences.len()
    }

    /// Whether its audio has begun.
    pub(super) fn is_audible(&self) -> bool {
        self.current > 0 || matches!(self.making, Making::Audio { position, .. } if position > 0)
    }

    /// The time of the next [`Answer::step`]; `None` when the answer is over.
    pub(crate) fn due(&self) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        match self.making {
            Making::Audio { .. } => Some(self.due),
            Making::Plan => {
                let plan = match self.sentences[self.current].voice {
                    Voice::Requested { until, .. } => self.due.max(until),
                    Voice::Wanted | Voice::Tones | Voice::Samples(_) => self.due,
                };
                Some(self.final_due().map_or(plan, |said| said.min(plan)))
            }
            Making::Nothing => self.final_due(),
        }
    }

    /// The next sentence to request, once the one before has come; it is awaited `until` then.
    pub(super) fn request(&mut self, id: u32, until: Duration) -> Option<&str> {
        let next = self.sentences.iter().position(|sentence| matches!(sentence.voice, Voice::Wanted))?;
        let before = next.checked_sub(1).map(|before| &self.sentences[before].voice);
        if matches!(before, Some(Voice::Requested { .. })) {
            return None;
        }
        let sentence = &mut self.sentences[next];
        sentence.voice = Voice::Requested { id, until };
        Some(&sentence.text)
    }

    /// The samples of the sentence that was requested under `id`; `None` when there are none.
    pub(super) fn spoken(&mut self, id: u32, samples: Option<Vec<i16>>) {
        let is_it = |voice: &Voice| matches!(voice, Voice::Requested { id: of, .. } if *of == id);
        if let Some(sentence) = self.sentences.iter_mut().find(|sentence| is_it(&sentence.voice)) {
            sentence.voice = samples.map_or(Voice::Tones, Voice::Samples);
        }
    }

    /// The next events, all due at the same time. The caller waits for [`Answer::due`].
    pub(crate) fn step(&mut self, emitter: &mut Emitter, now: Duration) -> Vec<Value> {
        match &self.making {
            // Blocks never overlap: a said text waits until the open audio block has ended.
            Making::Audio { .. } => self.make_audio(emitter, now),
            Making::Plan | Making::Nothing if self.final_due().is_some_and(|due| due <= now) => {
                let stop =
                    if self.finals + 1 == self.sentences.len() { Stop::EndTurn } else { Stop::PartialTurn };
                self.said(emitter, stop)
            }
            Making::Plan => self.plan(emitter, now),
            Making::Nothing => Vec::new(),
        }
    }

    /// Stops the answer: the learner began to speak.
    pub(crate) fn interrupt(mut self, emitter: &mut Emitter, now: Duration) -> Vec<Value> {
        let mut events = Vec::new();
        let style = self.delivery.interruption;
        let mut announced = false;
        if let Making::Audio { block, .. } = &self.making {
            announced = style == Interruption::Audio;
            let stop = if announced { Stop::Interrupted } else { Stop::EndTurn };
            events.push(emitter.audio_end(block, stop));
        }
        self.making = Making::Nothing;
        while self.final_due().is_some_and(|due| due <= now) {
            events.extend(self.said(emitter, Stop::PartialTurn));
        }
        let (speaker, stage) = (Speaker::Assistant, GenerationStage::Final);
        if style == Interruption::Marker {
            events.extend(emitter.text(speaker, stage, INTERRUPTED_MARKER, Stop::PartialTurn));
            announced = true;
        }
        // Without an open audio block the signal can only be in the text.
        let stop = if announced { Stop::EndTurn } else { Stop::Interrupted };
        let said = self.partly_said(now);
        if !announced || !said.is_empty() {
            emitter.usage().written_bytes += said.len() as u64;
            events.extend(emitter.text(speaker, stage, &said, stop));
        }
        events
    }

    fn plan(&mut self, emitter: &mut Emitter, now: Duration) -> Vec<Value> {
        let text = self.sentences[self.current].text.clone();
        let rate = self.delivery.sample_rate;
        let mut events =
            emitter.text(Speaker::Assistant, GenerationStage::Speculative, &text, Stop::PartialTurn);
        let (block, start) = emitter.audio_start(rate);
        events.push(start);
        let played = self.current.checked_sub(1).and_then(|before| self.sentences[before].play_to);
        self.sentences[self.current].play_from = Some(played.unwrap_or(now).max(now));
        let sentence = &mut self.sentences[self.current];
        let samples = match std::mem::replace(&mut sentence.voice, Voice::Tones) {
            Voice::Samples(samples) if !samples.is_empty() => {
                sentence.voice_samples = Some(samples.len());
                samples
            }
            Voice::Samples(_) | Voice::Tones | Voice::Wanted | Voice::Requested { .. } => {
                audible::encode(&text, rate)
            }
        };
        self.making = Making::Audio { block, samples, position: 0 };
        self.due = self.due.max(now);
        events
    }

    fn make_audio(&mut self, emitter: &mut Emitter, now: Duration) -> Vec<Value> {
        let Making::Audio { block, samples, position } = &mut self.making else {
            return Vec::new();
        };
        let rate = self.delivery.sample_rate;
        let chunk = &samples[*position..samples.len().min(*position + (rate / 1000 * CHUNK_MS) as usize)];
        let length = duration(chunk.len(), rate);
        emitter.usage().spoken += length;
        let stamp = self.delivery.stamps_from.map(|opened| stamp::stamp(opened + now));
        let stamped = stamp.map(|stamp| [stamp.as_slice(), chunk].concat());
        let mut events = vec![emitter.audio(block, stamped.as_deref().unwrap_or(chunk))];
        *position += chunk.len();
        if self.delivery.pace > 0.0 {
            self.due += length.div_f64(self.delivery.pace);
        }
        if *position == samples.len() {
            let last = self.current + 1 == self.sentences.len();
            events.push(emitter.audio_end(block, if last { Stop::EndTurn } else { Stop::PartialTurn }));
            events.extend(emitter.usage_event());
            let sentence = &mut self.sentences[self.current];
            let played = sentence.play_from.unwrap_or(now) + duration(samples.len(), rate);
            sentence.play_to = Some(if self.delivery.pace > 0.0 { played.max(self.due) } else { now });
            self.current += 1;
            self.making = if last { Making::Nothing } else { Making::Plan };
        }
        events
    }

    /// The FINAL text of the next sentence that was played.
    fn said(&mut self, emitter: &mut Emitter, stop: Stop) -> Vec<Value> {
        let text = self.sentences[self.finals].text.clone();
        self.finals += 1;
        emitter.usage().written_bytes += text.len() as u64;
        emitter.text(Speaker::Assistant, GenerationStage::Final, &text, stop)
    }

    fn final_due(&self) -> Option<Duration> {
        self.sentences.get(self.finals)?.play_to
    }

    /// The words of the sentence that is being played now.
    fn partly_said(&self, now: Duration) -> String {
        let Some((sentence, from)) =
            self.sentences.get(self.finals).and_then(|sentence| Some((sentence, sentence.play_from?)))
        else {
            return String::new();
        };
        let played = now.saturating_sub(from);
        match sentence.voice_samples {
            Some(samples) => {
                let whole = duration(samples, self.delivery.sample_rate);
                said_in(&sentence.text, played, whole).to_owned()
            }
            None => {
                let played = u64::try_from(played.as_millis()).unwrap_or(u64::MAX);
                audible::said_after(&sentence.text, played).to_owned()
            }
        }
    }
}

/// The part of `text` that is said when `played` of the `whole` is, in whole words.
fn said_in(text: &str, played: Duration, whole: Duration) -> &str {
    let share = |at: usize| whole.mul_f64(at as f64 / text.len() as f64);
    let ends = text.match_indices(' ').map(|(at, _)| at).chain([text.len()]);
    let end = ends.take_while(|&at| share(at) <= played).last().unwrap_or(0);
    text[..end].trim_end()
}

fn duration(samples: usize, sample_rate: u32) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(sample_rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_voice_has_said_the_words_of_its_share() {
        let text = "I can see a dog";
        let said = |ms| said_in(text, Duration::from_millis(ms), Duration::from_millis(1_500));
        assert_eq!([said(0), said(99), said(100), said(550)], ["", "", "I", "I can"]);
        assert_eq!([said(1_499), said(9_000)], ["I can see a", text]);
    }
}
