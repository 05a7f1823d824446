//! PURE. How a conversation is brought to its end, or to the moment at which another task goes on with it. Before its
//! end, what was said up to now gets a bounded chance to be transcribed, and the open turns are settled with what came
//! of them. For another task, what the learner said of a turn that is not over is kept as audio.

use bytes::Bytes;
use events::contract::{ConversationMetrics, EndReason, Speaker};

use super::{
    Conversation, Phase,
    output::{Ending, Output, Release, Totals},
};
use crate::live::conversation::model_event::{ModelEvent, Stage};

/// How long the model may take to say its last words after the closing sequence, in milliseconds.
pub(super) const CLOSE_MS_MAX: u64 = 5_000;

/// How long a conversation that is to be handed over may wait for a quiet moment, in milliseconds.
pub(super) const HAND_OVER_WAIT_MS_MAX: u64 = 10_000;

impl Conversation {
    /// Another task is to go on: at the next quiet moment, within [`HAND_OVER_WAIT_MS_MAX`].
    pub(super) fn hand_over(&mut self, at_ms: u64) {
        self.hand_over_by_ms.get_or_insert(at_ms + HAND_OVER_WAIT_MS_MAX);
    }

    /// Whether the moment to hand over has come. A page that has gone is on its way to another task.
    pub(super) fn is_hand_over_due(&self, at_ms: u64) -> bool {
        let ready = self.is_quiet(at_ms) || self.detached_ms.is_some();
        self.hand_over_by_ms.is_some_and(|by_ms| ready || at_ms >= by_ms)
    }

    /// Begins the end: what was said up to now gets a bounded chance to be transcribed.
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

    /// After the closing sequence, only words already spoken count: a new turn of the tutor is not heard by anybody,
    /// and its beginning means that the learner's words are complete.
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
            | ModelEvent::ToolUse { .. }
            | ModelEvent::AudioStart
            | ModelEvent::AudioEnd { .. }
            | ModelEvent::Usage(_)
            | ModelEvent::Other) => self.floor.model(other, at_ms, &mut self.outputs),
        }
    }

    /// The last output.
    pub(super) fn finish(&mut self, reason: EndReason, at_ms: u64) {
        self.floor.finish(at_ms, &mut self.outputs);
        for stream in self.link.all() {
            self.outputs.push_back(Output::DropStream(stream));
        }
        self.phase = Phase::Ended;
        let totals = self.totals();
        self.outputs.push_back(Output::End(Ending { reason, totals }));
    }

    /// The last output of this task: another one goes on. The learner's turn that is not over is not settled, because
    /// the next stream hears it again from its beginning and then the rest of it.
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

    /// Where the audio of a turn that was not over in this epoch is kept for the next task.
    #[must_use]
    pub fn unfinished_key(&self, epoch: u64) -> String {
        format!("{}unfinished-{epoch}.wav", self.settings.audio_prefix)
    }

    /// What has come of the conversation so far.
    fn totals(&self) -> Totals {
        Totals {
            usage: self.link.usage(),
            turns: self.floor.turns(),
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
