//! PURE. One live conversation as a state machine: [`Input`]s in, [`Output`]s out. Time is a value, in milliseconds since
//! the start of the conversation. The state machine opens no streams, writes no journal and knows no socket: the session
//! performs the outputs and feeds their results back.
//!
//! Three lifetimes meet here: the conversation, the Sonic stream (at most eight minutes, may fail) and the client's
//! socket (may drop). Invariants: turns are recorded once, in order, without gaps; [`Output::End`] or
//! [`Output::Release`] is emitted exactly once and is the last output; generations only grow; memory is bounded by one turn
//! of each side.

mod direction;
mod ending;
mod failure;
mod floor;
mod history;
mod input;
mod link;
mod microphone;
pub(in crate::live) mod model_event;
mod objectives;
mod output;
mod resumed;
mod streams;
mod summary;
#[cfg(test)]
mod test_fixture;
#[cfg(test)]
mod tests;
mod timers;
mod tutor;
mod upload;
#[cfg(test)]
mod walk_tests;

use std::collections::VecDeque;

use bytes::Bytes;
use events::contract::{
    EndReason, Usage,
    live::{BYTES_PER_SAMPLE, ErrorCode, ServerMessage},
};

pub use failure::{FailureClass, Reaction, StreamError};
pub use history::Message;
pub use input::{Input, LimitReached, Limits, NUDGES_MAX, Settings, StreamId, Texts};
pub use model_event::{AudioFrame, ModelEvent, Stage, StopReason, ToolCall};
pub use objectives::{OBJECTIVE_TOOL, ToolResult};
pub use output::{Ending, Output, Release, Totals};
pub use resumed::Resumed;

use direction::Directions;
use floor::Floor;
use link::Link;
use objectives::{Objectives, Report};
use upload::Upload;

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
    /// The last activity of the learner.
    active_ms: u64,
    /// Arrival of the last audio of the client, or the time until which silence was sent in its place.
    audio_ms: u64,
    /// Deadline to hand the conversation over, at a quiet moment before it if possible.
    hand_over_by_ms: Option<u64>,
    /// Whether a client was ever connected, on this task or another.
    was_attached: bool,
    reconnects: u32,
    takeovers: u32,
    /// Samples received from the client, over all sockets. `None` if the last owner was lost with the count, until the
    /// client reconnects: then the count begins again.
    heard_samples: Option<u64>,
    directions: Directions,
    objectives: Objectives,
    /// The client was notified that the time limit is near.
    end_announced: bool,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Talking,
    Closing { reason: EndReason, by_ms: u64 },
    Ended,
}

impl Conversation {
    /// A new conversation. Its client is about to connect and its first stream to be opened.
    #[must_use]
    pub fn new(settings: Settings, at_ms: u64) -> Self {
        let mut conversation = Self::without_stream(settings, at_ms);
        conversation.open_stream();
        conversation
    }

    /// A conversation that another task owned before. Turns continue where the journal ends; the first stream has them as its
    /// history and answers the learner's last turn if it is unanswered. The tutor does not greet again. The time limit
    /// counts from the start of the conversation, and metrics continue from their former values.
    #[must_use]
    pub fn resume(settings: Settings, resumed: &Resumed, at_ms: u64) -> Self {
        let mut conversation =
            Self { begun_ms: 0, was_attached: true, ..Self::without_stream(settings, at_ms) };
        let metrics = resumed.metrics.unwrap_or_default();
        conversation.reconnects = metrics.reconnects;
        conversation.takeovers = metrics.takeovers.saturating_add(1);
        conversation.heard_samples = resumed.heard_samples;
        conversation.objectives.resume(&resumed.objectives_met);
        let tutor_cut = conversation.floor.resume(resumed, at_ms);
        conversation.link.resume(resumed.usage, &metrics, tutor_cut);
        conversation.open_stream();
        conversation
    }

    fn without_stream(settings: Settings, at_ms: u64) -> Self {
        Self {
            floor: Floor::new(settings.audio_prefix.clone(), settings.pause_ms),
            link: Link::new(settings.limits, settings.jitter_permille),
            objectives: Objectives::new(&settings.objectives),
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
            heard_samples: Some(0),
            directions: Directions::default(),
            end_announced: false,
            outputs: VecDeque::new(),
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Tokens used by all streams.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.link.usage()
    }

    /// Whether [`Output::End`] or [`Output::Release`] was emitted, or is in the queue.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Handles what happened at `at_ms`. [`Self::poll`] then returns the outputs.
    pub fn handle(&mut self, input: Input, at_ms: u64) {
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            Input::Attached => self.attached(at_ms),
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
            Input::EndRequested => self.close(EndReason::Learner, at_ms),
            Input::StreamOpened(stream) => self.stream_opened(stream, at_ms),
            Input::StreamFailed(stream, error) => self.stream_failed(stream, error, at_ms),
            Input::StreamEnded(stream) => self.stream_ended(stream, at_ms),
            Input::Simulated(simulated) => self.simulated(simulated),
            Input::Model(stream, event) => self.model(stream, event, at_ms),
            Input::HandOver => self.hand_over(at_ms),
            Input::TakeoverRequested => self.release(at_ms),
            Input::LimitReached(limit) => self.limit_reached(limit, at_ms),
            Input::Broken => self.finish(EndReason::InternalError, at_ms),
            Input::Tick => {}
        }
        self.timers(at_ms);
    }

    fn attached(&mut self, at_ms: u64) {
        if self.detached_ms.take().is_some() {
            // The client first sends what it has recorded meanwhile; no silence is filled in for the time of its absence.
            self.audio_ms = self.audio_ms.max(at_ms);
        }
        if std::mem::replace(&mut self.was_attached, true) {
            self.reconnects = self.reconnects.saturating_add(1);
        }
        self.outputs.push_back(Output::Send(ServerMessage::Ready {
            conversation_id: self.settings.conversation_id,
            generation: self.floor.generation(),
            heard_samples: self.heard_samples,
            simulated: self.simulated,
            tutor_begins: self.tutor_begins(),
            ends_at: self.ends_at(),
            text_supported: self.settings.texts.is_some(),
            objectives_met: self.objectives.met().to_vec(),
        }));
        self.heard_samples.get_or_insert(0);
    }

    /// Nothing was said yet, and the model is prompted to begin.
    fn tutor_begins(&self) -> bool {
        let can = self.settings.texts.is_some() || self.settings.opening_clip.is_some();
        can && !self.floor.has_begun() && !self.floor.microphone.has_speech()
    }

    fn audio(&mut self, pcm: &Bytes, at_ms: u64) {
        let samples = pcm.len() as u64 / BYTES_PER_SAMPLE;
        self.heard_samples = self.heard_samples.map(|heard| heard.saturating_add(samples));
        if self.phase == Phase::Talking && self.upload.is_none() {
            self.take_audio(pcm, at_ms);
        }
    }

    fn take_audio(&mut self, pcm: &Bytes, at_ms: u64) {
        self.audio_ms = at_ms;
        if self.floor.microphone.push(pcm, at_ms) {
            self.active_ms = at_ms;
            self.link.owes(at_ms);
        }
        self.forward(pcm.clone());
    }

    fn forward(&mut self, pcm: Bytes) {
        if let Some(stream) = self.link.route_audio(pcm.len()) {
            self.outputs.push_back(Output::SendAudio { stream, pcm });
        }
    }

    fn typed(&mut self, text: &str, at_ms: u64) {
        let refusal = if self.phase != Phase::Talking || text.trim().is_empty() {
            return;
        } else if self.settings.texts.is_none() {
            Some((ErrorCode::TextNotSupported, "this model can only be spoken to"))
        } else if self.link.listening().is_none() {
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
        if let Some(stream) = self.link.listening() {
            self.send_text(stream, text.to_owned(), at_ms);
        }
    }

    /// Sends a text that the model answers at once.
    fn send_text(&mut self, stream: StreamId, text: String, at_ms: u64) {
        self.link.owes(at_ms);
        self.outputs.push_back(Output::SendText { stream, text });
    }

    fn simulated(&mut self, simulated: bool) {
        if self.simulated.replace(simulated).is_none() {
            self.outputs.push_back(Output::Send(ServerMessage::Model { simulated }));
        }
    }

    fn model(&mut self, stream: StreamId, event: ModelEvent, at_ms: u64) {
        if let ModelEvent::Usage(usage) = event {
            self.link.used(stream, usage);
        }
        if !self.link.is_current(stream) {
            return;
        }
        self.link.alive();
        if let ModelEvent::ToolUse(call) = event {
            self.tool_called(stream, call, at_ms);
            return;
        }
        // First: after the closing sequence the stream accepts no input, and no event may lead to one.
        if let Phase::Closing { reason, .. } = self.phase {
            self.model_while_closing(reason, event, at_ms);
            return;
        }
        let turns = self.floor.turns_with_fading();
        self.floor.model(event, at_ms, &mut self.outputs);
        if self.floor.turns_with_fading() > turns {
            self.link.proven();
        }
    }

    /// The only tool reports an objective. After the closing sequence a report still counts, but the stream accepts no result.
    fn tool_called(&mut self, stream: StreamId, call: ToolCall, at_ms: u64) {
        let report = self.objectives.report(&call, self.floor.history());
        let result = report.result();
        if let Report::Met { quote } = report {
            self.outputs.push_back(Output::RecordObjective { met: self.objectives.met().to_vec(), quote });
        }
        if self.phase == Phase::Talking {
            self.link.owes(at_ms);
            self.outputs.push_back(Output::ReturnToolResult { stream, tool_use_id: call.id, result });
        }
    }
}
