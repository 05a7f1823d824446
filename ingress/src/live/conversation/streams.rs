//! PURE. The streams of a conversation: the setup of a new one, the replay and the prompt when it takes over, and the
//! reaction to the end, the failure and the age of one. `link` decides which stream is current.

use bytes::Bytes;
use events::contract::{
    EndReason, Speaker,
    live::{ErrorCode, ServerMessage},
};

use super::{
    Conversation, Phase,
    failure::{FailureClass, Reaction, StreamError},
    history,
    input::StreamId,
    link,
    output::Output,
};

impl Conversation {
    pub(super) fn open_stream(&mut self) {
        let texts = self.settings.texts.as_ref();
        let has_speech = self.floor.microphone.has_speech();
        let opening = texts.map_or("Hello.", |texts| texts.opening.as_str());
        let mut turns = self.floor.history().turns();
        self.link.unanswered = match turns.last() {
            Some(last) if last.speaker == Speaker::Learner && texts.is_some() && !has_speech => {
                turns.pop().map(|message| message.text)
            }
            Some(_) | None => None,
        };
        let summary = self.floor.history().summary();
        let history = history::sanitise(&turns, summary.as_deref().unwrap_or(opening));
        let stream = self.link.open();
        self.outputs.push_back(Output::OpenStream { stream, history });
    }

    /// The stream takes over: the learner's unfinished turn is replayed from its beginning, and the model is prompted for an
    /// answer that it still owes.
    pub(super) fn stream_opened(&mut self, stream: StreamId, at_ms: u64) {
        let Some(opened) = self.link.opened(stream, at_ms) else {
            if self.link.has_requested(stream) && !self.link.knows(stream) {
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
            self.send_text(stream, text, at_ms);
        }
        self.play_opening(at_ms);
        if self.floor.microphone.has_speech() {
            self.link.owes(at_ms);
        }
        if self.floor.microphone.len() > 0 {
            self.outputs.push_back(Output::SendAudio { stream, pcm: self.floor.microphone.replay().into() });
        }
        if let Phase::Closing { .. } = self.phase {
            self.outputs.push_back(Output::CloseStream(stream));
        }
    }

    /// The prompt when a stream takes over: the learner's unanswered turn, or to begin, or to continue. There is none while
    /// the learner speaks.
    fn prompt(&mut self, tutor_cut: bool) -> Option<String> {
        if let Some(unanswered) = self.link.unanswered.take() {
            return Some(unanswered);
        }
        let texts = self.settings.texts.as_ref().filter(|_| !self.floor.microphone.has_speech())?;
        if !self.floor.has_begun() {
            Some(texts.opening.clone())
        } else {
            tutor_cut.then(|| texts.go_on.clone())
        }
    }

    pub(super) fn stream_ended(&mut self, stream: StreamId, at_ms: u64) {
        match self.phase {
            Phase::Closing { reason, .. } if self.link.is_current(stream) => self.finish(reason, at_ms),
            Phase::Talking | Phase::Closing { .. } => {
                let failure =
                    StreamError::new(FailureClass::EndedEarly, "the stream ended without a closing sequence");
                self.stream_failed(stream, failure, at_ms);
            }
            Phase::Ended => {}
        }
    }

    pub(super) fn stream_failed(&mut self, stream: StreamId, error: StreamError, at_ms: u64) {
        if !self.link.knows(stream) {
            return;
        }
        let reaction = error.reaction();
        self.outputs.push_back(Output::Failed(error));
        self.outputs.push_back(Output::DropStream(stream));
        if self.link.is_spare(stream) {
            // The old stream continues, and gets the audio that was held back for the new one.
            let held = self.link.spare_failed(at_ms);
            if self.floor.microphone.has_speech() {
                self.link.owes(at_ms);
            }
            let replay = self.floor.microphone.replay();
            let from = replay.len().saturating_sub(held);
            self.forward(Bytes::from(replay).slice(from..));
            return;
        }
        self.lose(reaction, at_ms);
    }

    /// The current stream has failed or is given up.
    pub(super) fn lose(&mut self, reaction: Reaction, at_ms: u64) {
        let tutor_cut = self.floor.stream_lost(at_ms, &mut self.outputs);
        if let Phase::Closing { reason, .. } = self.phase {
            self.finish(reason, at_ms);
            return;
        }
        match self.link.lost(reaction, tutor_cut, at_ms) {
            link::AfterLoss::Retrying { first } => {
                if first {
                    self.outputs.push_back(Output::Send(ServerMessage::Reconnecting));
                }
            }
            link::AfterLoss::SpareTakesOver => {}
            link::AfterLoss::Failed => {
                let (code, message) = match reaction {
                    Reaction::Fatal | Reaction::RenewOnce => (
                        ErrorCode::ModelRefused,
                        "the speaking partner is not available; trying again does not help",
                    ),
                    Reaction::RenewNow | Reaction::RenewLater => {
                        (ErrorCode::ModelFailed, "the speaking partner cannot be reached")
                    }
                };
                let message = message.to_owned();
                self.outputs.push_back(Output::Send(ServerMessage::Error { code, message }));
                self.finish(EndReason::ModelFailed, at_ms);
            }
        }
    }

    pub(super) fn renew(&mut self, at_ms: u64) {
        if self.stall_due_ms().is_some_and(|due| at_ms >= due) {
            let error = StreamError::new(FailureClass::Stalled, "the model gives no sign of life");
            if let Some(stream) = self.link.live() {
                self.stream_failed(stream, error, at_ms);
            }
            return;
        }
        match self.link.due(at_ms) {
            link::Due::Nothing => {}
            link::Due::Reopen => self.open_stream(),
            link::Due::RenewWhenQuiet => {
                if self.is_quiet(at_ms) {
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

    /// Deadline for an event of the stream after the first input that it has not reacted to. A healthy stream reports its usage
    /// while it listens, so a learner who keeps talking does not postpone this.
    pub(super) fn stall_due_ms(&self) -> Option<u64> {
        Some(self.link.owing_since_ms()? + self.settings.limits.stall_ms_max)
    }
}
