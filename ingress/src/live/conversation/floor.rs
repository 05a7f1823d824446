//! PURE. Who has the floor: the open turns of the learner and the tutor. `floor/model.rs` builds them from the model's events,
//! `floor/barge_in.rs` cuts them short, `floor/settle.rs` ends and records them. Turns are recorded in the order in which
//! they began, with indexes from 0 without gaps.
//!
//! A learner turn ends when the first planned sentence or tool of the tutor begins. A tutor turn ends when as many FINAL
//! as SPECULATIVE texts came and its last audio block ended with END_TURN; or when it was cut short and the model has
//! reported what was spoken; or after a timeout.

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

/// How long a cut turn waits for its spoken words and for the client's report, in milliseconds.
const SETTLE_MS_MAX: u64 = 1_500;

/// How long a turn waits for its FINAL texts after its audio, in milliseconds.
const FINAL_WAIT_MS_MAX: u64 = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Floor {
    audio_prefix: String,
    /// The learner's audio of the unfinished turn.
    pub(super) microphone: Microphone,
    generation: u32,
    turns: u32,
    learner_turns: u32,
    learner_speech_ms: u64,
    learner: Words,
    tutor: Option<Open>,
    /// The tutor's turn before it: its stream is lost, and the client still plays it.
    fading: Option<Fading>,
    /// The tutor's turn was ended while the model continues it: the rest is discarded.
    muted: bool,
    /// FINAL blocks of an ended turn that may still come. They are discarded.
    owed_finals: usize,
    /// The model has begun to call a tool and has not spoken since.
    tool_pending: bool,
    /// The model gets the opening clip in place of the learner.
    prompting: bool,
    /// The end was requested: new turns of the tutor are discarded.
    closing: bool,
    /// Audio sent to the client in this generation, in milliseconds.
    generation_ms: u64,
    /// When the client has played all audio that was sent.
    playing_until_ms: u64,
    /// End of the learner's last recorded speech, while it is unanswered.
    unanswered_since_ms: Option<u64>,
    latencies: Latencies,
    history: History,
}

/// The learner's words since the last turn.
#[derive(Debug, Default)]
struct Words {
    blocks: Vec<String>,
    /// The transcript of a lost stream. It counts if no other stream transcribes the words again.
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
    /// How much of this turn the client has reported as played, in milliseconds.
    reported_ms: Option<u64>,
    /// The client has reported since the cut.
    reported_since_cut: bool,
    last_event_ms: u64,
    /// How far the client was behind the model when the turn began, in milliseconds.
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
            learner_turns: 0,
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

    /// Continues after the turns of another task. Returns whether the tutor was cut short. The latency of an answer that is
    /// still due counts from now.
    pub(super) fn resume(&mut self, resumed: &Resumed, at_ms: u64) -> bool {
        self.generation = resumed.first_generation();
        self.turns = u32::try_from(resumed.turns.len()).unwrap_or(u32::MAX);
        self.latencies = Latencies::of_turns(&resumed.turns);
        for turn in &resumed.turns {
            if turn.speaker == Speaker::Learner {
                self.learner_turns += 1;
                self.learner_speech_ms += turn.speech_ms;
                self.history.add_learner(turn);
            } else {
                self.history.add(Message { speaker: turn.speaker, text: turn.text.clone() });
            }
        }
        let last = resumed.turns.last();
        self.microphone.push(&resumed.unfinished, at_ms);
        self.unanswered_since_ms = last.filter(|turn| turn.speaker == Speaker::Learner).map(|_| at_ms);
        last.is_some_and(|turn| turn.speaker == Speaker::Tutor && turn.interrupted)
    }

    /// The current generation of audio.
    #[must_use]
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Turns recorded.
    #[must_use]
    pub(super) fn turns(&self) -> u32 {
        self.turns
    }

    /// Turns recorded, and the one that a lost stream has left: its record is no success of the next stream.
    #[must_use]
    pub(super) fn turns_with_fading(&self) -> u32 {
        self.turns + u32::from(self.fading.is_some())
    }

    /// Turns of the learner among them.
    #[must_use]
    pub(super) fn learner_turns(&self) -> u32 {
        self.learner_turns
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

    /// When the client has played all audio that was sent.
    #[must_use]
    pub(super) fn playing_until_ms(&self) -> u64 {
        self.playing_until_ms
    }

    /// The turns so far.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Neither side is speaking, no tool is being called, and nothing waits to be transcribed or answered.
    #[must_use]
    pub(super) fn is_quiet(&self) -> bool {
        let speaking = self.tutor.is_some()
            || self.fading.is_some()
            || self.microphone.has_speech()
            || self.tool_pending;
        !speaking && self.learner.blocks.is_empty() && self.unanswered_since_ms.is_none()
    }

    /// The learner has spoken, and no word of it is transcribed yet.
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

    /// The model gets the opening clip in place of the learner, until the tutor begins.
    pub(super) fn begin_opening_clip(&mut self) {
        self.prompting = true;
    }

    /// The learner has typed a turn, which takes the floor.
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
        self.history.add_learner(&turn);
        self.record(turn, Vec::new(), outputs);
    }

    /// The stream is lost: ends the tutor's turn with the part that the client plays, and sets the transcript of the learner's
    /// unfinished turn aside, because the next stream transcribes it again. Returns whether the tutor was cut short.
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
            open.turn.cut = Some(Cut { at_ms, by: CutBy::Loss, heard_ms, confirmed: true });
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
