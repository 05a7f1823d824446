//! PURE. Who has the floor: collects the learner's and the tutor's turns from the model's events. How turns end and are
//! recorded is in `floor/settle.rs`, how they are cut short in `floor/barge_in.rs`. Turns are recorded in the order in
//! which they were taken, with indexes from 0 without gaps.
//!
//! A learner turn ends when the first planned sentence or tool of the tutor begins. A tutor turn ends when as
//! many FINAL as SPECULATIVE texts came and its last audio block ended with END_TURN, or when it was cut short
//! and the model has said what was spoken, or a while later.

mod barge_in;
mod fading;
mod model;
mod settle;

use std::collections::VecDeque;

use events::contract::{AnswerLatency, Latencies, Speaker};

use super::{
    history::{History, Message},
    microphone::Microphone,
    output::Output,
    resumed::Resumed,
    tutor::{Cut, CutBy, TutorTurn},
};
use fading::Fading;

/// How long a cut turn waits for the words that were spoken and for the page's report, in milliseconds.
const SETTLE_MS_MAX: u64 = 1_500;

/// How long a turn whose audio is over waits for its FINAL texts, in milliseconds.
const FINAL_WAIT_MS_MAX: u64 = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Floor {
    audio_prefix: String,
    /// The learner's audio of the turn that is not over.
    pub(super) microphone: Microphone,
    generation: u32,
    turns: u32,
    learner_speech_ms: u64,
    learner: Words,
    tutor: Option<Open>,
    /// The tutor's turn before it, whose stream is lost and which the page still plays.
    fading: Option<Fading>,
    /// The tutor's turn was closed while the model goes on with it: the rest is nobody's.
    muted: bool,
    /// FINAL blocks of a closed turn that may still come.
    owed_finals: usize,
    /// The model has begun to call a tool and has not gone on talking since.
    tool_pending: bool,
    /// What the model hears is not the learner: it makes the tutor begin.
    prompting: bool,
    /// The end was asked for: nothing new of the tutor is heard.
    closing: bool,
    /// Audio given to the page in this generation, in milliseconds.
    generation_ms: u64,
    /// When the page has played all it was given.
    playing_until_ms: u64,
    /// End of the learner's last recorded speech, until it is answered.
    unanswered_since_ms: Option<u64>,
    latencies: Latencies,
    history: History,
}

/// The learner's words since the last turn.
#[derive(Debug, Default)]
struct Words {
    blocks: Vec<String>,
    /// Words that a lost stream had understood: they count if no other stream understands them anew.
    lost: Vec<String>,
}

#[derive(Debug)]
struct Open {
    turn: TutorTurn,
    start_ms: u64,
    answer_latency_ms: Option<u64>,
    generation: u32,
    /// Audio of the generation before this turn, in milliseconds.
    offset_ms: u64,
    /// What the page says it has played of this turn, in milliseconds.
    reported_ms: Option<u64>,
    /// The page has said so since the turn was cut.
    reported_since_cut: bool,
    last_event_ms: u64,
    /// By how much the page was behind the model when it began, in milliseconds.
    behind_ms: u64,
}

impl Floor {
    /// An empty floor. Recordings get keys `<audio_prefix><turn>-<speaker>.wav`.
    #[must_use]
    pub(super) fn new(audio_prefix: String, pause_ms: u64) -> Self {
        Self {
            audio_prefix,
            microphone: Microphone::new(pause_ms),
            generation: 0,
            turns: 0,
            learner_speech_ms: 0,
            learner: Words::default(),
            tutor: None,
            fading: None,
            muted: false,
            owed_finals: 0,
            tool_pending: false,
            prompting: false,
            closing: false,
            generation_ms: 0,
            playing_until_ms: 0,
            unanswered_since_ms: None,
            latencies: Latencies::default(),
            history: History::default(),
        }
    }

    /// Goes on after the turns of another task. Answers whether the tutor was cut short. An answer that is still due
    /// is measured from now.
    pub(super) fn resume(&mut self, resumed: &Resumed, at_ms: u64) -> bool {
        self.generation = resumed.first_generation();
        self.turns = u32::try_from(resumed.turns.len()).unwrap_or(u32::MAX);
        self.latencies = Latencies::of_turns(&resumed.turns);
        for turn in &resumed.turns {
            if turn.speaker == Speaker::Learner {
                self.learner_speech_ms += turn.speech_ms;
            }
            self.history.add(Message { speaker: turn.speaker, text: turn.text.clone() });
        }
        let last = resumed.turns.last();
        self.microphone.push(&resumed.unfinished, at_ms);
        self.unanswered_since_ms = last.filter(|turn| turn.speaker == Speaker::Learner).map(|_| at_ms);
        last.is_some_and(|turn| turn.speaker == Speaker::Tutor && turn.interrupted)
    }

    /// The generation of audio given to the page now.
    #[must_use]
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Turns recorded.
    #[must_use]
    pub(super) fn turns(&self) -> u32 {
        self.turns
    }

    /// The learner's recorded speech, in milliseconds.
    #[must_use]
    pub(super) fn learner_speech_ms(&self) -> u64 {
        self.learner_speech_ms
    }

    /// The latencies of the answers in recorded turns.
    #[must_use]
    pub(super) fn answer_latency(&self) -> Option<AnswerLatency> {
        self.latencies.summary()
    }

    /// The tutor has said something, recorded or not.
    #[must_use]
    pub(super) fn has_begun(&self) -> bool {
        self.turns > 0 || self.fading.is_some()
    }

    /// When the page has played all it was given.
    #[must_use]
    pub(super) fn playing_until_ms(&self) -> u64 {
        self.playing_until_ms
    }

    /// The turns so far.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Nobody is speaking, no tool is being called, and nothing waits to be transcribed or answered.
    #[must_use]
    pub(super) fn is_quiet(&self) -> bool {
        let speaking = self.tutor.is_some()
            || self.fading.is_some()
            || self.microphone.has_speech()
            || self.tool_pending;
        !speaking && self.learner.blocks.is_empty() && self.unanswered_since_ms.is_none()
    }

    /// The learner has said something that is not transcribed yet.
    #[must_use]
    pub(super) fn awaits_words(&self) -> bool {
        self.microphone.has_speech() && self.learner.blocks.is_empty()
    }

    /// A planned sentence that begins now would be a new turn of the tutor.
    #[must_use]
    pub(super) fn next_is_new_turn(&self) -> bool {
        let open = self.tutor.as_ref();
        !self.learner.blocks.is_empty()
            || open.is_none_or(|open| open.turn.audio_over || open.turn.cut.is_some_and(by_model))
    }

    /// When [`Self::settle`] has something to do without another event.
    #[must_use]
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let fading = self.fading.as_ref().map(Fading::due_ms);
        let open = self.tutor.as_ref().and_then(|open| {
            if let Some(cut) = open.turn.cut {
                Some(cut.at_ms + SETTLE_MS_MAX)
            } else if open.turn.is_complete() {
                Some(self.playing_until_ms)
            } else {
                open.turn.audio_over.then_some(open.last_event_ms + FINAL_WAIT_MS_MAX)
            }
        });
        [fading, open].into_iter().flatten().min()
    }

    /// What the model hears from now on, until the tutor begins, is not the learner.
    pub(super) fn prompt_aloud(&mut self) {
        self.prompting = true;
    }

    /// The learner has typed a turn; it takes the floor.
    pub(super) fn typed(&mut self, text: &str, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.fading.is_some() || self.tutor.as_ref().is_some_and(|open| !open.turn.is_complete()) {
            self.interrupt(at_ms, outputs);
        }
        self.end_fading(outputs);
        self.end_tutor_turn(outputs);
        if !self.learner.blocks.is_empty() {
            self.end_learner_turn(at_ms, outputs);
        }
        let mut turn = self.turn(Speaker::Learner, text.to_owned(), at_ms);
        turn.typed = true;
        self.unanswered_since_ms = Some(at_ms);
        self.history.add(Message { speaker: turn.speaker, text: turn.text.clone() });
        self.record(turn, Vec::new(), outputs);
    }

    /// The stream is gone: ends the tutor's turn with what the page plays of it, and forgets what the learner's words of
    /// this turn were understood as, because the next stream hears them again. Answers whether the tutor was
    /// cut short.
    pub(super) fn stream_lost(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) -> bool {
        self.muted = false;
        self.tool_pending = false;
        self.owed_finals = 0;
        let blocks = std::mem::take(&mut self.learner.blocks);
        if !blocks.is_empty() {
            self.learner.lost = blocks;
        }
        let Some(open) = &mut self.tutor else { return false };
        let whole = open.turn.is_complete();
        if !whole && open.turn.cut.is_none() {
            let heard_ms = open.turn.produced_ms();
            open.turn.cut = Some(Cut { at_ms, by: CutBy::Loss, heard_ms, told: true });
        }
        self.fade(at_ms, outputs);
        self.owed_finals = 0;
        self.muted = false;
        !whole
    }
}

fn by_model(cut: Cut) -> bool {
    cut.by == CutBy::Model
}
