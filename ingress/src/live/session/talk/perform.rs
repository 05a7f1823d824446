//! What the loop of a conversation does when the state machine says so.

use bytes::Bytes;
use events::{
    contract::EndReason,
    journal::{self, End, Handover},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{END_TIMEOUT, LAST_JOBS_MAX, Talk};
use crate::{
    live::conversation::{Ending, FailureClass, Input, Output, Progress, Release, StreamFailure, StreamId},
    live::prompt,
    live::session::recorder::{Job, Letting},
    live::sonic::{Setup, Stalled, Stream},
};

impl Talk<'_> {
    /// Does all that the state machine wants done.
    pub(super) fn perform(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(message) => self.tell(&message),
                Output::Audio { generation, frame } => {
                    let frame = frame.into_message(generation);
                    if self.page.as_ref().is_some_and(|page| page.audio(frame).is_err()) {
                        tracing::warn!(conversation.id = self.conversation_id, "the page does not keep up");
                        self.detach();
                    }
                }
                Output::OpenStream { stream, summary, history } => {
                    let system_prompt = prompt::with_summary(&self.setup.system_prompt, summary.as_deref());
                    let setup = Setup { system_prompt, history, ..self.setup.clone() };
                    let opened = self.parts.sonic.open(stream, setup, self.signals.clone());
                    self.streams.insert(stream, opened);
                }
                Output::SendAudio { stream, pcm } => self.hear(stream, &pcm),
                Output::SendText { stream, text } => self.write(stream, |stream| stream.text(&text)),
                Output::RefuseTool { stream, tool_use_id } => {
                    self.write(stream, |stream| stream.refuse_tool(&tool_use_id));
                }
                Output::CloseStream(stream) => {
                    if let Some(stream) = self.streams.get_mut(&stream) {
                        stream.close();
                    }
                }
                Output::DropStream(stream) => self.let_go(stream),
                Output::StoreAudio { key, pcm } => self.store(key, pcm),
                Output::Record(turn) => {
                    if let Some(latency_ms) = turn.answer_latency_ms {
                        self.parts.metrics.answers.record(latency_ms);
                    }
                    self.journal(Job::Turn(turn));
                }
                Output::Failed(failure) => self.failed(&failure),
                Output::End(ending) => self.end(ending),
                Output::Release(release) => self.release(release),
            }
        }
    }

    fn hear(&mut self, stream: StreamId, pcm: &Bytes) {
        self.write(stream, |stream| stream.audio(pcm));
    }

    fn write(&mut self, id: StreamId, write: impl FnOnce(&mut Stream) -> Result<(), Stalled>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Err(error) = write(stream) {
            let failure = StreamFailure::new(FailureClass::Stalled, error.to_string());
            self.follow_up.push(Input::StreamFailed(id, failure));
        }
    }

    /// The closing sequence releases the model's capacity, so it is sent even to a stream that is given up; its
    /// last words are of no interest.
    fn let_go(&mut self, id: StreamId) {
        if let Some(mut stream) = self.streams.remove(&id) {
            stream.close();
            stream.leave();
        }
    }

    fn store(&mut self, key: String, pcm: Vec<u8>) {
        let queued = self.uploads.as_ref().is_some_and(|uploads| uploads.push(key, pcm));
        if !queued {
            tracing::error!(conversation.id = self.conversation_id, "a recording is lost: too many wait");
        }
    }

    fn journal(&mut self, job: Job) {
        // A recorder that is gone reports why. One that cannot keep up ends the conversation while there is room for its
        // last turns and its end: nothing that was said is lost.
        if self.jobs.try_send(job).is_err() || self.jobs.capacity() < LAST_JOBS_MAX {
            self.follow_up.push(Input::Broken);
        }
    }

    fn failed(&self, failure: &StreamFailure) {
        self.parts.metrics.failed_streams.increment();
        tracing::warn!(
            conversation.id = self.conversation_id,
            class = ?failure.class,
            code = failure.code,
            request.id = failure.request_id,
            error = failure.for_the_log(),
            "a stream to the model failed"
        );
    }

    fn end(&mut self, ending: Ending) {
        let Ending { reason, progress: Progress { usage, turns, learner_speech_ms, metrics } } = ending;
        self.ending = Some(ending);
        self.end_by = Some(Instant::now() + END_TIMEOUT);
        let metrics = Some(metrics);
        self.journal(Job::End(End { reason, usage, turns, learner_speech_ms, metrics }));
    }

    /// Lets another task go on. What the learner said of a turn that is not over is stored before the journal says
    /// so.
    fn release(&mut self, release: Release) {
        let Release { progress: Progress { usage, metrics, .. }, heard_samples, unfinished } = release;
        let epoch = self.own.epoch;
        let key = (!unfinished.is_empty()).then(|| self.conversation.unfinished_key(epoch));
        let progress =
            journal::Progress { usage, metrics: Some(metrics), heard_samples, unfinished_audio_key: key };
        let grace = i64::try_from(self.parts.config.grace_seconds).unwrap_or(i64::MAX);
        let until = Timestamp::now().saturating_add(SignedDuration::from_secs(grace));
        let released = Handover { reason: self.released_as(), progress };
        self.end_by = Some(Instant::now() + END_TIMEOUT);
        self.journal(Job::Release(Box::new(Letting {
            released,
            unfinished,
            until: until.unwrap_or(Timestamp::MAX),
        })));
    }

    /// How the conversation ends if nobody takes it up.
    fn released_as(&self) -> EndReason {
        if self.is_stopping { EndReason::Shutdown } else { EndReason::Disconnected }
    }
}
