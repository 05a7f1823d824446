//! The loudspeaker of a learner in a live test: it plays at the pace of time, decodes what it plays, and so knows exactly
//! what the learner has heard. It is part of the oracle.

use std::{collections::VecDeque, time::Duration};

use events::contract::live::{ClientMessage, SAMPLE_RATE_HZ};
use infra::simulator::audible::{Decoder, Heard};
use tokio::time::Instant;

/// After this time without audio an utterance that is being heard has ended in the middle of a word.
const UNDERRUN: Duration = Duration::from_millis(500);

/// The end of a sentence follows its last sample within this time unless its stream is lost.
const SENTENCE_END: Duration = Duration::from_millis(50);

/// A part of the tutor's speech between two silences, as it was heard.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) kind: PieceKind,
    /// When its first sample arrived.
    pub(crate) arrived: Instant,
    /// When its last sample was played.
    pub(crate) over: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PieceKind {
    /// A whole sentence.
    Sentence(String),
    /// A sentence whose stream was lost at its last sample, so the service cannot know that it was whole.
    Last(String),
    /// The beginning of the sentence `planned`, which was cut. If the model cut it, the model has `reported` how much
    /// of it was spoken.
    Beginning { heard: String, planned: String, reported: bool },
    /// Audio with lost, doubled or reordered samples.
    Damaged(String),
    /// The client was disconnected, so anything may be missing here.
    Gap,
}

/// The loudspeaker.
#[derive(Debug)]
pub(crate) struct Loudspeaker {
    pub(crate) generation: u32,
    queue: VecDeque<Chunk>,
    decoder: Decoder,
    /// The time up to which it has played.
    played: Instant,
    /// Samples of this generation that were played.
    position: u64,
    /// Arrival of the utterance that is being heard.
    hearing_since: Instant,
    /// The text of the sentence that is being heard, from its caption.
    planned: String,
    /// The text of a sentence whose audio has not arrived.
    next_sentence: Option<String>,
    /// Time of the last audio that was played.
    sounding: Instant,
    /// When audio last arrived.
    pub(crate) audio_at: Option<Instant>,
    /// Silent until the next generation.
    muted: bool,
    /// Only the model has interrupted the tutor so far: no stream was lost, and the client has sent no `interrupt`.
    reported: bool,
    /// The sentence that is being heard is one whose stream was lost at its last sample.
    last: bool,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Chunk {
    arrived: Instant,
    /// A sentence begins with it.
    begins: Option<String>,
    /// The last chunk before the loss of the stream.
    last: bool,
    samples: VecDeque<i16>,
}

impl Loudspeaker {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            generation: 0,
            queue: VecDeque::new(),
            decoder: Decoder::new(SAMPLE_RATE_HZ),
            played: now,
            position: 0,
            hearing_since: now,
            planned: String::new(),
            next_sentence: None,
            sounding: now,
            audio_at: None,
            muted: false,
            reported: true,
            last: false,
            pieces: Vec::new(),
        }
    }

    pub(crate) fn is_playing(&self) -> bool {
        !self.queue.is_empty()
    }

    /// When something was last played.
    pub(crate) fn sounding(&self) -> Instant {
        self.sounding
    }

    pub(crate) fn report(&self) -> ClientMessage {
        let ms = self.position * 1_000 / u64::from(SAMPLE_RATE_HZ);
        ClientMessage::Played { generation: self.generation, ms }
    }

    pub(crate) fn push(&mut self, generation: u32, samples: Vec<i16>, now: Instant) {
        self.advance(now);
        if generation < self.generation || (self.muted && generation == self.generation) {
            return;
        }
        if generation > self.generation {
            self.flush(generation, now);
        }
        self.audio_at = Some(now);
        let begins = self.next_sentence.take();
        self.queue.push_back(Chunk { arrived: now, begins, last: false, samples: samples.into() });
    }

    /// The stream is lost, or the client has sent `interrupt`: the model does not report how much of a sentence was
    /// spoken.
    pub(crate) fn lose_report(&mut self, now: Instant) {
        self.reported = false;
        let just_now = self.audio_at.is_some_and(|at| now - at < SENTENCE_END);
        match self.queue.back_mut() {
            _ if !just_now => {}
            Some(chunk) => chunk.last = true,
            None if self.decoder.is_hearing() => self.last = true,
            None => self.mark_last(),
        }
    }

    /// The caption of the next sentence has arrived.
    pub(crate) fn announce(&mut self, sentence: String) {
        self.next_sentence = Some(sentence);
    }

    /// Plays until `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        let due = (now - self.played).as_micros() * u128::from(SAMPLE_RATE_HZ) / 1_000_000;
        let mut due = usize::try_from(due).unwrap_or(usize::MAX);
        self.played = now;
        while let Some(mut chunk) = self.queue.pop_front() {
            if due == 0 {
                self.queue.push_front(chunk);
                break;
            }
            if let Some(sentence) = chunk.begins.take() {
                self.cut(false, now);
                self.last = false;
                self.planned = sentence;
            }
            let count = chunk.samples.len().min(due);
            let rest = chunk.samples.split_off(count);
            self.play(chunk.samples.make_contiguous(), chunk.arrived, now);
            due -= count;
            if chunk.last && rest.is_empty() {
                self.last = true;
                if !self.decoder.is_hearing() {
                    self.mark_last();
                }
            }
            if !rest.is_empty() {
                self.queue.push_front(Chunk { samples: rest, ..chunk });
                break;
            }
        }
        if self.queue.is_empty() && self.decoder.is_hearing() && now > self.sounding + UNDERRUN {
            self.cut(false, now);
        }
    }

    /// Discards what was not played, and begins `generation`.
    pub(crate) fn flush(&mut self, generation: u32, now: Instant) {
        self.mute(now);
        self.generation = generation;
        self.position = 0;
        self.muted = false;
    }

    /// Discards what was not played, and what arrives later of this generation.
    pub(crate) fn mute(&mut self, now: Instant) {
        self.advance(now);
        self.queue.clear();
        self.cut(self.reported, now);
        self.muted = true;
    }

    /// The client is disconnected: what is being played may lose its end, and the next audio its beginning.
    pub(crate) fn gap(&mut self, now: Instant) {
        self.advance(now);
        self.queue.clear();
        self.cut(false, now);
        self.pieces.push(Piece { kind: PieceKind::Gap, arrived: now, over: now });
    }

    fn mark_last(&mut self) {
        self.last = false;
        if let Some(piece) = self.pieces.last_mut()
            && let PieceKind::Sentence(text) = &mut piece.kind
        {
            piece.kind = PieceKind::Last(std::mem::take(text));
        }
    }

    fn play(&mut self, samples: &[i16], arrived: Instant, now: Instant) {
        if !self.decoder.is_hearing() {
            self.hearing_since = arrived;
        }
        self.sounding = now;
        self.position += samples.len() as u64;
        let heard = self.decoder.push(samples);
        if !heard.is_empty() {
            self.take(heard, None, now);
            self.hearing_since = arrived;
        }
    }

    /// The utterance that is being heard ends here; `reported` says that the model has reported how much was spoken.
    fn cut(&mut self, reported: bool, now: Instant) {
        let heard = self.decoder.flush();
        self.take(heard, Some(reported), now);
        self.decoder = Decoder::new(SAMPLE_RATE_HZ);
    }

    fn take(&mut self, heard: Vec<Heard>, cut: Option<bool>, now: Instant) {
        for heard in heard {
            let planned = self.planned.clone();
            let kind = match (heard, cut) {
                (Heard::Text(text), _) if std::mem::take(&mut self.last) => PieceKind::Last(text),
                (Heard::Text(text), _) => PieceKind::Sentence(text),
                (Heard::Damaged { text }, Some(reported)) => {
                    PieceKind::Beginning { heard: text, planned, reported }
                }
                (Heard::Unreadable { .. }, Some(reported)) => {
                    PieceKind::Beginning { heard: String::new(), planned, reported }
                }
                (other, None) => PieceKind::Damaged(format!("{other:?} of {planned:?}")),
            };
            self.pieces.push(Piece { kind, arrived: self.hearing_since, over: now });
        }
    }
}
