//! PURE. The timers of a conversation: its limits, and silence in place of a client that sends no audio.

use bytes::Bytes;
use events::contract::{EndReason, live::ServerMessage};
use jiff::Timestamp;

use super::{
    Conversation, Output, Phase,
    upload::{FILL_BYTES, FILL_MS, Upload},
};

/// After this long without audio of the client, silence is sent in its place, in milliseconds: the model needs the pause
/// that ends a turn.
const GAP_MS: u64 = 600;

/// The same in the middle of speech, in milliseconds: a stalled network is not a pause.
const SPEECH_GAP_MS: u64 = 3_000;

impl Conversation {
    /// When [`Input::Tick`](super::Input::Tick) is due, unless another input comes first.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let limits = &self.settings.limits;
        match self.phase {
            Phase::Ended => None,
            Phase::Closing { by_ms, .. } => Some(by_ms),
            Phase::Talking => [
                Some(self.ends_ms()),
                self.announcement_due_ms(),
                Some(self.silence_due_ms()),
                self.hand_over_by_ms,
                self.detached_ms.map(|at| at + limits.grace_ms_max),
                self.link.deadline_ms(),
                self.stall_due_ms(),
                self.floor.deadline_ms(),
                self.upload.as_ref().map(Upload::due_ms),
                self.direction_due_ms(),
                self.link.live().map(|_| self.fill_due_ms()),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    pub(super) fn timers(&mut self, at_ms: u64) {
        match self.phase {
            Phase::Ended => {}
            Phase::Closing { reason, by_ms } => {
                if at_ms >= by_ms {
                    self.finish(reason, at_ms);
                }
            }
            Phase::Talking => self.timers_while_talking(at_ms),
        }
    }

    fn timers_while_talking(&mut self, at_ms: u64) {
        let limits = self.settings.limits;
        if at_ms >= self.ends_ms() {
            self.close(EndReason::TimeLimit, at_ms);
        } else if self.detached_ms.is_some_and(|detached| at_ms >= detached + limits.grace_ms_max) {
            self.close(EndReason::Disconnected, at_ms);
        } else if at_ms >= self.silence_due_ms() {
            self.close(EndReason::Silence, at_ms);
        } else if self.is_hand_over_due(at_ms) {
            self.release(at_ms);
        } else {
            self.floor.settle(at_ms, &mut self.outputs);
            self.play_upload(at_ms);
            self.renew(at_ms);
            self.direct(at_ms);
            self.announce_end(at_ms);
            self.fill(at_ms);
        }
    }

    /// When the time limit ends the conversation.
    pub(super) fn ends_at(&self) -> Timestamp {
        let since_epoch = self.settings.conversation_id.started_at_ms();
        let age = i64::try_from(self.ends_ms()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(since_epoch.saturating_add(age)).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn ends_ms(&self) -> u64 {
        self.begun_ms + self.settings.limits.conversation_ms_max
    }

    /// When the client is to be notified that the time limit is near, once. `None` while no client is connected: `ready` has the
    /// time of the end.
    fn announcement_due_ms(&self) -> Option<u64> {
        let is_due = !self.end_announced && self.detached_ms.is_none();
        is_due.then(|| self.ends_ms().saturating_sub(self.settings.limits.wrap_up_ms))
    }

    fn announce_end(&mut self, at_ms: u64) {
        if self.announcement_due_ms().is_some_and(|due_ms| at_ms >= due_ms) {
            self.end_announced = true;
            self.outputs.push_back(Output::Send(ServerMessage::EndingSoon { ends_at: self.ends_at() }));
        }
    }

    /// Sends silence in place of a client that sends no audio, in real time.
    fn fill(&mut self, at_ms: u64) {
        let silence = Bytes::from_static(&[0; FILL_BYTES]);
        if self.link.live().is_none() || at_ms < self.fill_due_ms() {
            return;
        }
        self.audio_ms = if at_ms > self.fill_due_ms() + GAP_MS { at_ms } else { self.audio_ms + FILL_MS };
        self.floor.microphone.push(&silence, at_ms);
        self.forward(silence);
    }

    /// The gap depends on the last audio: after speech the network may have stalled, so that it takes longer to count as a
    /// pause. Once silence is being sent, it continues in real time. A client that disconnects in the middle of speech keeps
    /// the rest until it reconnects, so that no silence is filled in.
    fn fill_due_ms(&self) -> u64 {
        let microphone = &self.floor.microphone;
        let in_speech = microphone.has_speech() && microphone.silence_ms() < FILL_MS;
        match self.detached_ms {
            Some(detached_ms) if in_speech => detached_ms + self.settings.limits.grace_ms_max,
            Some(_) | None if in_speech => self.audio_ms + SPEECH_GAP_MS,
            Some(_) | None => self.audio_ms + GAP_MS,
        }
    }

    fn silence_due_ms(&self) -> u64 {
        self.active_ms.max(self.floor.playing_until_ms()) + self.settings.limits.silence_ms_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::conversation::{
        Input, Output, StreamId,
        test_fixture::{Harness, settings, speech},
    };

    #[test]
    fn a_page_that_is_lost_in_the_middle_of_a_word_goes_on_with_the_word() {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.tutor_says("Hello.", 1_000);
        let word = speech(400, 1);
        let (before, after) = word.split_at(word.len() / 2);
        talk.input(Input::Audio(Bytes::copy_from_slice(before)));
        talk.input(Input::Detached);
        let known = talk.outputs.len();
        talk.pass(10_000);
        talk.input(Input::Attached);
        talk.pass(GAP_MS);
        talk.input(Input::Audio(Bytes::copy_from_slice(after)));
        let mut heard = Vec::new();
        for output in &talk.outputs[known..] {
            if let Output::SendAudio { pcm, .. } = output {
                heard.extend_from_slice(pcm);
            }
        }
        assert!(heard == after, "{} bytes instead of {}", heard.len(), after.len());
    }
}
