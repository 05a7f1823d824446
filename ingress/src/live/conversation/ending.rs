//! PURE. The end of a conversation, or its handover to another task. Before the end, the model gets a bounded time to
//! transcribe what was said, and the open turns are recorded as far as they came. For a handover, the learner's audio of the
//! unfinished turn is kept.

use bytes::Bytes;
use events::contract::{
    ConversationMetrics, EndReason, Speaker,
    live::{ErrorCode, ServerMessage},
};

use super::{
    Conversation, Phase,
    input::LimitReached,
    output::{Ending, Output, Release, Totals},
};
use crate::live::conversation::model_event::{ModelEvent, Stage};

/// Deadline of the last events after the closing sequence, in milliseconds.
pub(super) const CLOSE_MS_MAX: u64 = 5_000;

/// Longest wait for a quiet moment to hand over, in milliseconds.
pub(super) const HAND_OVER_WAIT_MS_MAX: u64 = 10_000;

impl Conversation {
    /// Schedules the handover for the next quiet moment, within [`HAND_OVER_WAIT_MS_MAX`].
    pub(super) fn hand_over(&mut self, at_ms: u64) {
        self.hand_over_by_ms.get_or_insert(at_ms + HAND_OVER_WAIT_MS_MAX);
    }

    /// Whether to hand over now. A client that has disconnected is on its way to another task.
    pub(super) fn is_hand_over_due(&self, at_ms: u64) -> bool {
        let ready = self.is_quiet(at_ms) || self.detached_ms.is_some();
        self.hand_over_by_ms.is_some_and(|by_ms| ready || at_ms >= by_ms)
    }

    /// Begins the end: the model gets a bounded time to transcribe what was said.
    pub(super) fn close(&mut self, reason: EndReason, at_ms: u64) {
        if self.phase != Phase::Talking {
            return;
        }
        self.phase = Phase::Closing { reason, by_ms: at_ms + CLOSE_MS_MAX };
        self.floor.begin_closing(at_ms);
        let opening = self.link.is_opening();
        match self.link.live() {
            Some(stream) => {
                if let Some((spare, held)) = self.link.give_up_spare() {
                    self.outputs.push_back(Output::DropStream(spare));
                    let replay = self.floor.microphone.replay();
                    let from = replay.len().saturating_sub(held);
                    let pcm = Bytes::from(replay).slice(from..);
                    self.outputs.push_back(Output::SendAudio { stream, pcm });
                }
                self.outputs.push_back(Output::CloseStream(stream));
            }
            None if opening && self.floor.microphone.has_speech() => {}
            None => self.finish(reason, at_ms),
        }
    }

    /// Says which limit of the day is reached, and begins the end.
    pub(super) fn limit_reached(&mut self, limit: LimitReached, at_ms: u64) {
        if self.phase != Phase::Talking {
            return;
        }
        let (code, message) = match limit {
            LimitReached::Day => (ErrorCode::DailyLimit, "you have talked as long as one day allows"),
            LimitReached::Spending => {
                (ErrorCode::SpendingLimit, "the service has used what it may spend; come back later")
            }
        };
        let message = message.to_owned();
        self.outputs.push_back(Output::Send(ServerMessage::Error { code, message }));
        self.close(EndReason::TimeLimit, at_ms);
    }

    /// Handles an event after the closing sequence. Only words that were already spoken count: a new turn of the tutor is not
    /// played, and its beginning means that the learner's words are complete.
    pub(super) fn model_while_closing(&mut self, reason: EndReason, event: ModelEvent, at_ms: u64) {
        match event {
            ModelEvent::TextStart { speaker: Speaker::Tutor, stage: Stage::Speculative } => {
                if self.floor.next_is_new_turn() && !self.floor.awaits_words() {
                    self.finish(reason, at_ms);
                }
            }
            ModelEvent::Text { speaker: Speaker::Tutor, stage: Stage::Speculative, .. }
            | ModelEvent::Audio(_) => {}
            ModelEvent::CompletionEnd => self.finish(reason, at_ms),
            other @ (ModelEvent::TextStart { .. }
            | ModelEvent::Text { .. }
            | ModelEvent::InterruptedMarker
            | ModelEvent::TextEnd { .. }
            | ModelEvent::ToolStart
            | ModelEvent::ToolUse(_)
            | ModelEvent::AudioStart
            | ModelEvent::AudioEnd { .. }
            | ModelEvent::Usage(_)
            | ModelEvent::Other) => self.floor.model(other, at_ms, &mut self.outputs),
        }
    }

    /// Emits the end.
    pub(super) fn finish(&mut self, reason: EndReason, at_ms: u64) {
        self.floor.finish(at_ms, &mut self.outputs);
        for stream in self.link.all() {
            self.outputs.push_back(Output::DropStream(stream));
        }
        self.phase = Phase::Ended;
        let totals = self.totals();
        self.outputs.push_back(Output::End(Ending { reason, totals }));
    }

    /// Emits the handover. The learner's unfinished turn is not recorded: the stream of the next owner gets its audio from the
    /// beginning, and then the rest.
    pub(super) fn release(&mut self, at_ms: u64) {
        if self.phase != Phase::Talking {
            return;
        }
        self.floor.release(at_ms, &mut self.outputs);
        for stream in self.link.all() {
            self.outputs.push_back(Output::DropStream(stream));
        }
        self.phase = Phase::Ended;
        let mut unfinished = self.floor.microphone.replay();
        if let Some(upload) = self.upload.take() {
            unfinished.extend_from_slice(&upload.rest());
        }
        let (totals, heard_samples) = (self.totals(), self.heard_samples);
        self.outputs.push_back(Output::Release(Release { totals, heard_samples, unfinished }));
    }

    /// The key of the audio of the turn that is unfinished at the end of this epoch.
    #[must_use]
    pub fn unfinished_key(&self, epoch: u64) -> String {
        format!("{}unfinished-{epoch}.wav", self.settings.audio_prefix)
    }

    fn totals(&self) -> Totals {
        Totals {
            usage: self.link.usage(),
            turns: self.floor.turns(),
            learner_turns: self.floor.learner_turns(),
            learner_speech_ms: self.floor.learner_speech_ms(),
            metrics: ConversationMetrics {
                answer_latency: self.floor.answer_latency(),
                renewals: self.link.renewals(),
                recoveries: self.link.recoveries(),
                reconnects: self.reconnects,
                takeovers: self.takeovers,
            },
        }
    }
}
