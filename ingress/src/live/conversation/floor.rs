//! PURE. Who has the floor: collects the learner's and the tutor's turns from the model's events. How turns end and are
//! recorded is in `floor/settle.rs`, how they are cut short in `floor/barge_in.rs`. Turns are recorded in the order in
//! which they were taken, with indexes from 0 without gaps.
//!
//! A learner turn ends when the first planned sentence or tool of the tutor begins. A tutor turn ends when as
//! many FINAL as SPECULATIVE texts came and its last audio block ended with END_TURN, or when it was cut short
//! and the model has said what was spoken, or a while later.

mod barge_in;
mod fading;
mod settle;

use std::collections::VecDeque;

use events::contract::{AnswerLatency, Latencies, Speaker};

use super::{
    Output, Resumed,
    history::{History, Message},
    microphone::Microphone,
    tutor::{Cut, CutBy, TURN_TEXT_BYTES_MAX, TutorTurn, push_words},
};
use crate::{
    live::socket::message::{CaptionStage, ServerMessage},
    live::sonic::wire::{AudioFrame, BYTES_PER_MS, Event, Stage, StopReason},
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
    leaving: bool,
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
            leaving: false,
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

    /// An event of the model.
    pub(super) fn model(&mut self, event: Event, at_ms: u64, outputs: &mut VecDeque<Output>) {
        match event {
            Event::TextStart { speaker: Speaker::Tutor, stage: Stage::Speculative } => {
                self.plan(at_ms, outputs);
            }
            Event::TextStart { speaker: Speaker::Tutor, stage: Stage::Final } => self.speak(at_ms, outputs),
            Event::TextStart { speaker: Speaker::Learner, stage: Stage::Final } => {
                self.microphone.understood();
                self.learner.blocks.push(String::new());
            }
            Event::TextStart { speaker: Speaker::Learner, stage: Stage::Speculative } => {}
            Event::Text { speaker, stage, content } => self.text(speaker, stage, &content, outputs),
            Event::TextEnd { speaker: Speaker::Tutor, stage, stop } => {
                let open = self.tutor.as_mut().filter(|_| stage == Stage::Final);
                let told = open.is_some_and(|open| open.turn.spoken_to_end());
                if stop == StopReason::Interrupted {
                    self.interrupted(told, at_ms, outputs);
                }
            }
            Event::TextEnd { speaker: Speaker::Learner, .. } => {
                self.learner.blocks.retain(|block| !block.trim().is_empty());
            }
            Event::InterruptedMarker => {
                match &mut self.tutor {
                    Some(open) => open.turn.unspeak(),
                    // Its block was no FINAL text of the closed turn: that is still to come.
                    None => self.owed_finals += 1,
                }
                self.interrupted(false, at_ms, outputs);
            }
            Event::ToolStart => {
                self.tool_pending = true;
                self.end_learner_turn(at_ms, outputs);
            }
            Event::AudioStart | Event::ToolUse { .. } | Event::Usage(_) | Event::Other => {}
            Event::Audio(frame) => self.audio(frame, at_ms, outputs),
            Event::AudioEnd { stop } => self.audio_end(stop, at_ms, outputs),
            Event::CompletionEnd => {}
        }
        if let Some(open) = &mut self.tutor {
            open.last_event_ms = at_ms;
        }
        self.settle(at_ms, outputs);
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

    fn plan(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.muted && self.learner.blocks.is_empty() {
            // Its FINAL text is nobody's, too, also when it comes after the model has noticed the barge-in.
            self.owed_finals += 1;
            return;
        }
        if self.next_is_new_turn() {
            self.end_tutor_turn(outputs);
            self.end_learner_turn(at_ms, outputs);
        }
        self.open(at_ms).turn.plan();
    }

    fn speak(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.leaving && self.tutor.as_ref().is_none_or(|open| open.turn.unspoken() == 0) {
            return;
        }
        if self.tutor.is_none() {
            if self.muted || self.owed_finals > 0 {
                self.owed_finals = self.owed_finals.saturating_sub(1);
                return;
            }
            self.end_learner_turn(at_ms, outputs);
        }
        self.open(at_ms).turn.speak();
    }

    fn text(&mut self, speaker: Speaker, stage: Stage, text: &str, outputs: &mut VecDeque<Output>) {
        match (speaker, stage) {
            (Speaker::Learner, Stage::Speculative) => return,
            (Speaker::Learner, Stage::Final) => {
                let used: usize = self.learner.blocks.iter().map(String::len).sum();
                if let Some(block) = self.learner.blocks.last_mut() {
                    push_words(block, text, TURN_TEXT_BYTES_MAX.saturating_sub(used));
                }
                self.learner.lost.clear();
                if self.prompting {
                    return;
                }
            }
            (Speaker::Tutor, stage) => {
                let Some(open) = &mut self.tutor else { return };
                match stage {
                    Stage::Speculative => open.turn.planned(text),
                    Stage::Final => open.turn.spoken(text),
                }
                if open.turn.cut.is_some_and(|cut| cut.by == CutBy::Learner) {
                    return;
                }
            }
        }
        let stage = match stage {
            Stage::Speculative => CaptionStage::Speculative,
            Stage::Final => CaptionStage::Final,
        };
        let text = text.to_owned();
        outputs.push_back(Output::Send(ServerMessage::Caption {
            speaker,
            stage,
            text,
            generation: self.generation,
        }));
    }

    fn audio(&mut self, frame: AudioFrame, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.muted {
            return;
        }
        if self.tutor.is_none() {
            self.end_learner_turn(at_ms, outputs);
        }
        let since = self.unanswered_since_ms;
        let open = self.open(at_ms);
        if open.turn.cut.is_some() {
            return;
        }
        if open.turn.produced_ms() == 0 {
            open.start_ms = at_ms;
            open.answer_latency_ms = since.map(|since| at_ms.saturating_sub(since));
            self.unanswered_since_ms = None;
        }
        let pcm_ms = frame.pcm().len() as u64 / BYTES_PER_MS;
        self.open(at_ms).turn.produce(frame.pcm());
        self.generation_ms += pcm_ms;
        self.playing_until_ms = self.playing_until_ms.max(at_ms) + pcm_ms;
        outputs.push_back(Output::Audio { generation: self.generation, frame });
    }

    fn audio_end(&mut self, stop: StopReason, at_ms: u64, outputs: &mut VecDeque<Output>) {
        match stop {
            StopReason::PartialTurn | StopReason::Other => {
                if let Some(open) = &mut self.tutor {
                    open.turn.sentence_over();
                }
            }
            StopReason::Interrupted => self.interrupted(false, at_ms, outputs),
            StopReason::EndTurn => {
                self.muted = false;
                if let Some(open) = &mut self.tutor {
                    open.turn.sentence_over();
                    open.turn.audio_over = true;
                }
            }
        }
    }

    fn open(&mut self, at_ms: u64) -> &mut Open {
        let (generation, offset_ms) = (self.generation, self.generation_ms);
        let behind_ms = self.behind_ms(at_ms);
        self.tool_pending = false;
        if self.tutor.is_none() {
            self.owed_finals = 0;
            self.muted = false;
        }
        self.tutor.get_or_insert_with(|| Open {
            turn: TutorTurn::default(),
            start_ms: at_ms,
            answer_latency_ms: None,
            generation,
            offset_ms,
            reported_ms: None,
            reported_since_cut: false,
            last_event_ms: at_ms,
            behind_ms,
        })
    }
}

fn by_model(cut: Cut) -> bool {
    cut.by == CutBy::Model
}
