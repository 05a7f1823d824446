//! PURE. One live conversation as a state machine. What can happen is [`Input`], what is to be done is
//! [`Output`]; time is a value, in milliseconds since the start of the conversation. It opens no streams, writes
//! no journal and knows no socket: the session does, and tells it what came of it.
//!
//! Three lifetimes meet here: the conversation, the Sonic stream (at most eight minutes, may fail) and the
//! learner's socket (may drop). Invariants: turns are recorded once, in order, without gaps; [`Output::End`]
//! or [`Output::Release`] comes exactly once and nothing after it; generations only grow; memory is bounded by one turn of each side.

mod ending;
mod failure;
mod floor;
mod history;
mod input;
mod link;
mod microphone;
mod output;
mod resumed;
mod tutor;
mod upload;
#[cfg(test)]
mod walk;

use std::collections::VecDeque;

use bytes::Bytes;
use events::contract::{EndReason, Speaker};

pub use failure::{FailureClass, Reaction, StreamFailure};
pub use history::Message;
pub use input::{Input, Limits, Settings, StreamId, Texts};
pub use output::{Ending, Output, Progress};
pub use resumed::Resumed;

use crate::{
    socket::message::{ErrorCode, ServerMessage},
    sonic::wire::{BYTES_PER_MS, Event},
};
use ending::Goal;
use floor::Floor;
use link::Link;
use upload::Upload;

/// Without audio from the page for this long, silence is sent in its place, in milliseconds: the model needs to
/// hear the pause that ends a turn.
const GAP_MS: u64 = 600;

/// The same while the learner is in the middle of speech: a stalled network is no pause.
const SPEECH_GAP_MS: u64 = 3_000;

/// Silence sent at a time, in milliseconds.
const FILL_MS: u64 = 100;

/// The same in bytes of PCM.
const FILL_BYTES: usize = 3_200;
const _: () = assert!(FILL_BYTES as u64 == FILL_MS * BYTES_PER_MS);

/// See the module.
#[derive(Debug)]
pub struct Conversation {
    settings: Settings,
    phase: Phase,
    floor: Floor,
    link: Link,
    simulated: Option<bool>,
    upload: Option<Upload>,
    begun_ms: u64,
    detached_ms: Option<u64>,
    /// When the learner last did something.
    active_ms: u64,
    /// When audio last came from the page, or silence was sent in its place.
    audio_ms: u64,
    /// The conversation is to be handed over at a quiet moment, at the latest then.
    hand_over_by_ms: Option<u64>,
    /// Whether a page was attached at any time, on this task or on another.
    was_attached: bool,
    reconnects: u32,
    takeovers: u32,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Talking,
    Closing { goal: Goal, by_ms: u64 },
    Ended,
}

impl Conversation {
    /// A conversation whose socket is about to be attached, and its first stream about to be opened.
    #[must_use]
    pub fn new(settings: Settings, at_ms: u64) -> Self {
        let mut conversation = Self::without_stream(settings, at_ms);
        conversation.open_stream();
        conversation
    }

    /// A conversation that another task held before. Turns go on where the journal ends, the first stream knows them,
    /// and what the learner said last is answered if nobody has answered it yet. The tutor does not greet again. The
    /// time limit counts from the start of the conversation, and what was measured is added to.
    #[must_use]
    pub fn resume(settings: Settings, resumed: Resumed, at_ms: u64) -> Self {
        let mut conversation =
            Self { begun_ms: 0, was_attached: true, ..Self::without_stream(settings, at_ms) };
        let metrics = resumed.metrics.unwrap_or_default();
        conversation.reconnects = metrics.reconnects;
        conversation.takeovers = metrics.takeovers.saturating_add(1);
        let tutor_cut = conversation.floor.resume(&resumed, at_ms);
        conversation.link.resume(resumed.usage, &metrics, tutor_cut);
        conversation.open_stream();
        conversation
    }

    fn without_stream(settings: Settings, at_ms: u64) -> Self {
        Self {
            floor: Floor::new(settings.audio_prefix.clone(), settings.pause_ms),
            link: Link::new(settings.limits, settings.jitter_permille),
            settings,
            phase: Phase::Talking,
            simulated: None,
            upload: None,
            begun_ms: at_ms,
            detached_ms: Some(at_ms),
            active_ms: at_ms,
            audio_ms: at_ms,
            hand_over_by_ms: None,
            was_attached: false,
            reconnects: 0,
            takeovers: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether [`Output::End`] or [`Output::Release`] has been given out or is waiting to be.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// When [`Input::Tick`] is due, if nothing else happens.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let limits = &self.settings.limits;
        match self.phase {
            Phase::Ended => None,
            Phase::Closing { by_ms, .. } => Some(by_ms),
            Phase::Talking => [
                Some(self.begun_ms + limits.conversation_ms_max),
                Some(self.silence_due_ms()),
                self.hand_over_by_ms,
                self.detached_ms.map(|at| at + limits.grace_ms_max),
                self.link.deadline_ms(),
                self.stall_due_ms(),
                self.floor.deadline_ms(),
                self.upload.as_ref().map(Upload::due_ms),
                self.link.live().map(|_| self.fill_due_ms()),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    /// Takes in what happened at `at_ms`. Afterwards [`Self::poll`] gives what is to be done.
    pub fn handle(&mut self, input: Input, at_ms: u64) {
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            Input::Attached => self.attached(),
            Input::Detached => {
                self.detached_ms.get_or_insert(at_ms);
            }
            Input::Audio(pcm) => self.audio(&pcm, at_ms),
            Input::Uploaded(turn) => self.uploaded(&turn, at_ms),
            Input::Typed(text) => self.typed(&text, at_ms),
            Input::Played { generation, ms } => {
                self.floor.played(generation, ms, at_ms, &mut self.outputs);
            }
            Input::Interrupted => self.floor.interrupt(at_ms, &mut self.outputs),
            Input::EndRequested => self.end_requested(at_ms),
            Input::StreamOpened(stream) => self.stream_opened(stream, at_ms),
            Input::StreamFailed(stream, failure) => self.stream_failed(stream, failure, at_ms),
            Input::StreamEnded(stream) => self.stream_ended(stream, at_ms),
            Input::Simulated(simulated) => self.simulated(simulated),
            Input::Model(stream, event) => self.model(stream, event, at_ms),
            Input::HandOver => self.hand_over(at_ms),
            Input::Wanted => self.close(Goal::Release, at_ms),
            Input::Shutdown => self.close(Goal::End(EndReason::Shutdown), at_ms),
            Input::Broken => self.finish(Goal::End(EndReason::InternalError), at_ms),
            Input::Tick => {}
        }
        self.timers(at_ms);
    }

    fn attached(&mut self) {
        self.detached_ms = None;
        if std::mem::replace(&mut self.was_attached, true) {
            self.reconnects = self.reconnects.saturating_add(1);
        }
        self.outputs.push_back(Output::Send(ServerMessage::Ready {
            conversation_id: self.settings.conversation_id,
            generation: self.floor.generation(),
            simulated: self.simulated,
        }));
    }

    fn audio(&mut self, pcm: &Bytes, at_ms: u64) {
        if self.phase == Phase::Talking && self.upload.is_none() {
            self.hear(pcm, at_ms);
        }
    }

    fn hear(&mut self, pcm: &Bytes, at_ms: u64) {
        self.audio_ms = at_ms;
        if self.floor.microphone.push(pcm, at_ms) {
            self.active_ms = at_ms;
        }
        self.forward(pcm.clone());
    }

    fn forward(&mut self, pcm: Bytes) {
        if let Some(stream) = self.link.hear(pcm.len()) {
            self.outputs.push_back(Output::SendAudio { stream, pcm });
        }
    }

    fn typed(&mut self, text: &str, at_ms: u64) {
        let refusal = if self.phase != Phase::Talking || text.trim().is_empty() {
            return;
        } else if self.settings.texts.is_none() {
            Some((ErrorCode::TextNotSupported, "this model can only be spoken to"))
        } else if self.link.hearing().is_none() {
            Some((ErrorCode::TooManyMessages, "the model is not connected at the moment, try again soon"))
        } else {
            None
        };
        if let Some((code, message)) = refusal {
            let message = message.to_owned();
            self.outputs.push_back(Output::Send(ServerMessage::Error { code, message }));
            return;
        }
        self.active_ms = at_ms;
        self.floor.typed(text.trim(), at_ms, &mut self.outputs);
        if let Some(stream) = self.link.hearing() {
            self.outputs.push_back(Output::SendText { stream, text: text.to_owned() });
        }
    }

    fn simulated(&mut self, simulated: bool) {
        if self.simulated.replace(simulated).is_none() {
            self.outputs.push_back(Output::Send(ServerMessage::Model { simulated }));
        }
    }

    fn model(&mut self, stream: StreamId, event: Event, at_ms: u64) {
        if let Event::Usage(usage) = event {
            self.link.used(stream, usage);
        }
        if !self.link.is_current(stream) {
            return;
        }
        self.link.alive(at_ms);
        if let Event::ToolUse { tool_use_id } = event {
            self.outputs.push_back(Output::RefuseTool { stream, tool_use_id });
            return;
        }
        if let Phase::Closing { goal, .. } = self.phase {
            self.model_while_closing(goal, event, at_ms);
            return;
        }
        let turns = self.floor.turns();
        self.floor.model(event, at_ms, &mut self.outputs);
        if self.floor.turns() > turns {
            self.link.proven();
        }
    }

    fn open_stream(&mut self) {
        let texts = self.settings.texts.as_ref();
        let has_speech = self.floor.microphone.has_speech();
        let opening = texts.map_or("Hello.", |texts| texts.opening.as_str());
        let mut turns: Vec<Message> = self.floor.history().cloned().collect();
        self.link.unanswered = match turns.last() {
            Some(last) if last.speaker == Speaker::Learner && texts.is_some() && !has_speech => {
                turns.pop().map(|message| message.text)
            }
            Some(_) | None => None,
        };
        let history = history::sanitise(&turns, opening);
        let stream = self.link.open();
        self.outputs.push_back(Output::OpenStream { stream, history });
    }

    /// The stream takes over: the learner's unfinished turn is heard again from its beginning, and the model is
    /// told to do what it still owes.
    fn stream_opened(&mut self, stream: StreamId, at_ms: u64) {
        let Some(opened) = self.link.opened(stream, at_ms) else {
            if self.link.has_named(stream) && !self.link.knows(stream) {
                self.outputs.push_back(Output::DropStream(stream));
            }
            return;
        };
        if let Some(old) = opened.replaces {
            self.floor.stream_lost(at_ms, &mut self.outputs);
            self.outputs.push_back(Output::CloseStream(old));
        }
        if opened.was_lost {
            self.outputs.push_back(Output::Send(ServerMessage::Resumed));
        }
        self.audio_ms = at_ms;
        let prompt = self.prompt(opened.tutor_cut).filter(|_| self.phase == Phase::Talking);
        if let Some(text) = prompt {
            self.outputs.push_back(Output::SendText { stream, text });
        }
        if self.floor.microphone.len() > 0 {
            self.outputs.push_back(Output::SendAudio { stream, pcm: self.floor.microphone.replay().into() });
        }
        if let Phase::Closing { .. } = self.phase {
            self.outputs.push_back(Output::CloseStream(stream));
        }
    }

    /// What the model is told when a stream takes over: the learner's turn that it still owes an answer, or to
    /// begin, or to go on. A learner who is speaking is not spoken over.
    fn prompt(&mut self, tutor_cut: bool) -> Option<String> {
        if let Some(unanswered) = self.link.unanswered.take() {
            return Some(unanswered);
        }
        let texts = self.settings.texts.as_ref().filter(|_| !self.floor.microphone.has_speech())?;
        if self.floor.turns() == 0 {
            Some(texts.opening.clone())
        } else {
            tutor_cut.then(|| texts.go_on.clone())
        }
    }

    fn stream_ended(&mut self, stream: StreamId, at_ms: u64) {
        match self.phase {
            Phase::Closing { goal, .. } if self.link.is_current(stream) => self.finish(goal, at_ms),
            Phase::Talking | Phase::Closing { .. } => {
                let failure = StreamFailure::new(
                    FailureClass::EndedEarly,
                    "the stream ended without a closing sequence",
                );
                self.stream_failed(stream, failure, at_ms);
            }
            Phase::Ended => {}
        }
    }

    fn stream_failed(&mut self, stream: StreamId, failure: StreamFailure, at_ms: u64) {
        if !self.link.knows(stream) {
            return;
        }
        let reaction = failure.reaction();
        self.outputs.push_back(Output::Failed(failure));
        self.outputs.push_back(Output::DropStream(stream));
        if self.link.is_spare(stream) {
            // The old stream is still there and hears what was held back for the new one.
            let held = self.link.spare_failed(at_ms);
            let replay = self.floor.microphone.replay();
            let from = replay.len().saturating_sub(held);
            self.forward(Bytes::from(replay).slice(from..));
            return;
        }
        self.lose(reaction, at_ms);
    }

    /// The current stream is lost, or given up.
    fn lose(&mut self, reaction: Reaction, at_ms: u64) {
        let tutor_cut = self.floor.stream_lost(at_ms, &mut self.outputs);
        if let Phase::Closing { goal, .. } = self.phase {
            self.finish(goal, at_ms);
            return;
        }
        match self.link.lost(reaction, tutor_cut, at_ms) {
            link::Lost::Retrying { first } => {
                if first {
                    self.outputs.push_back(Output::Send(ServerMessage::Reconnecting));
                }
            }
            link::Lost::SpareTakesOver => {}
            link::Lost::Failed => {
                let message = "the speaking partner cannot be reached".to_owned();
                let code = ErrorCode::ModelFailed;
                self.outputs.push_back(Output::Send(ServerMessage::Error { code, message }));
                self.finish(Goal::End(EndReason::ModelFailed), at_ms);
            }
        }
    }

    fn timers(&mut self, at_ms: u64) {
        match self.phase {
            Phase::Ended => {}
            Phase::Closing { goal, by_ms } => {
                if at_ms >= by_ms {
                    self.finish(goal, at_ms);
                }
            }
            Phase::Talking => self.timers_while_talking(at_ms),
        }
    }

    fn timers_while_talking(&mut self, at_ms: u64) {
        let limits = self.settings.limits;
        if at_ms >= self.begun_ms + limits.conversation_ms_max {
            self.close(Goal::End(EndReason::TimeLimit), at_ms);
        } else if self.detached_ms.is_some_and(|detached| at_ms >= detached + limits.grace_ms_max) {
            self.close(Goal::End(EndReason::Disconnected), at_ms);
        } else if at_ms >= self.silence_due_ms() {
            self.close(Goal::End(EndReason::Silence), at_ms);
        } else if self.is_hand_over_due(at_ms) {
            self.close(Goal::Release, at_ms);
        } else {
            self.floor.settle(at_ms, &mut self.outputs);
            self.speak_upload(at_ms);
            self.renew(at_ms);
            self.fill(at_ms);
        }
    }

    fn renew(&mut self, at_ms: u64) {
        if self.stall_due_ms().is_some_and(|due| at_ms >= due) {
            let failure = StreamFailure::new(FailureClass::Stalled, "the model gives no sign of life");
            if let Some(stream) = self.link.live() {
                self.stream_failed(stream, failure, at_ms);
            }
            return;
        }
        match self.link.due(at_ms) {
            link::Due::Nothing => {}
            link::Due::Reopen => self.open_stream(),
            link::Due::RenewWhenQuiet => {
                if self.floor.is_quiet() {
                    self.open_stream();
                }
            }
            link::Due::RenewNow(stream) => {
                self.outputs.push_back(Output::CloseStream(stream));
                self.link.too_old();
                self.lose(Reaction::RenewNow, at_ms);
            }
        }
    }

    /// Sends silence in place of a page that sends nothing, at the pace of time.
    fn fill(&mut self, at_ms: u64) {
        let silence = Bytes::from_static(&[0; FILL_BYTES]);
        if self.link.live().is_none() || at_ms < self.fill_due_ms() {
            return;
        }
        self.audio_ms = if at_ms > self.fill_due_ms() + GAP_MS { at_ms } else { self.audio_ms + FILL_MS };
        self.floor.microphone.push(&silence, at_ms);
        self.forward(silence);
    }

    /// The gap is measured in what was heard last: after speech it may be a stalled network, and only after a
    /// while it is a pause. Once silence is being sent it goes on at the pace of time.
    fn fill_due_ms(&self) -> u64 {
        let microphone = &self.floor.microphone;
        let in_speech = microphone.has_speech() && microphone.silence_ms() < FILL_MS;
        self.audio_ms + if in_speech { SPEECH_GAP_MS } else { GAP_MS }
    }

    fn silence_due_ms(&self) -> u64 {
        self.active_ms.max(self.floor.playing_until_ms()) + self.settings.limits.silence_ms_max
    }

    fn stall_due_ms(&self) -> Option<u64> {
        let speech_ms = self.floor.microphone.last_speech_ms()?;
        let alive_ms = self.link.alive_ms()?;
        (alive_ms <= speech_ms).then_some(speech_ms + self.settings.limits.stall_ms_max)
    }
}
