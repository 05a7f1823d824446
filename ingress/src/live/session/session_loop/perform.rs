//! Performs the outputs of the state machine.

use events::{
    contract::EndReason,
    journal::{self, End, Handover},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{END_TIMEOUT, LAST_JOBS_MAX, SessionLoop};
use crate::{
    live::conversation::{Ending, FailureClass, Input, Output, Release, StreamError, StreamId, Totals},
    live::session::recorder::{HandoverRequest, Job},
    live::sonic::{Setup, StalledError, Stream},
};

impl SessionLoop<'_> {
    /// Performs all outputs that are due.
    pub(super) fn perform(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(message) => self.send(&message),
                Output::Audio { generation, frame } => {
                    let frame = frame.into_message(generation);
                    if self.client.as_ref().is_some_and(|client| client.audio(frame).is_err()) {
                        tracing::warn!(conversation.id = self.conversation_id, "the client is too slow");
                        self.detach();
                    }
                }
                Output::OpenStream { stream, history } => {
                    let setup = Setup { history, ..self.setup.clone() };
                    let opened = self.deps.sonic.open(stream, setup, self.signals_tx.clone());
                    self.streams.insert(stream, opened);
                }
                Output::SendAudio { stream, pcm } => {
                    self.write_to_stream(stream, |stream| stream.audio(pcm));
                }
                Output::SendText { stream, text } => {
                    self.write_to_stream(stream, |stream| stream.text(&text));
                }
                Output::ReturnToolResult { stream, tool_use_id, result } => {
                    self.write_to_stream(stream, |stream| stream.tool_result(&tool_use_id, result));
                }
                Output::CloseStream(stream) => {
                    if let Some(stream) = self.streams.get_mut(&stream) {
                        stream.close();
                    }
                }
                Output::DropStream(stream) => self.drop_stream(stream),
                Output::StoreAudio { key, pcm } => self.store(key, pcm),
                Output::Record(turn) => {
                    if let Some(latency_ms) = turn.answer_latency_ms {
                        self.deps.metrics.answers.record(latency_ms);
                    }
                    self.journal(Job::Turn(turn));
                }
                Output::RecordObjective { met, quote } => self.journal(Job::Objective { met, quote }),
                Output::Failed(error) => self.log_stream_error(&error),
                Output::End(ending) => self.end(ending),
                Output::Release(release) => self.hand_over(release),
            }
        }
    }

    fn write_to_stream(&mut self, id: StreamId, write: impl FnOnce(&mut Stream) -> Result<(), StalledError>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Err(error) = write(stream) {
            let error = StreamError::new(FailureClass::Stalled, error.to_string());
            self.follow_up.push(Input::StreamFailed(id, error));
        }
    }

    /// Sends the closing sequence, which releases the capacity at the model, and reads no more of the stream.
    fn drop_stream(&mut self, id: StreamId) {
        if let Some(mut stream) = self.streams.remove(&id) {
            stream.close();
            stream.detach();
        }
    }

    fn store(&mut self, key: String, pcm: Vec<u8>) {
        let queued = self.uploads.as_ref().is_some_and(|uploads| uploads.push(key, pcm));
        if !queued {
            tracing::error!(
                conversation.id = self.conversation_id,
                "a recording was dropped: the queue is full"
            );
        }
    }

    fn journal(&mut self, job: Job) {
        // If the recorder has stopped, it reports why. A recorder that is too slow ends the conversation while its
        // queue still has room for the last turns and the end, so that no turn is lost.
        if self.jobs.try_send(job).is_err() || self.jobs.capacity() < LAST_JOBS_MAX {
            self.follow_up.push(Input::Broken);
        }
    }

    fn log_stream_error(&self, error: &StreamError) {
        self.deps.metrics.failed_streams.increment();
        tracing::warn!(
            conversation.id = self.conversation_id,
            class = ?error.class,
            code = error.code,
            request.id = error.request_id,
            error = error.for_the_log(),
            "a stream to the model failed"
        );
    }

    fn end(&mut self, ending: Ending) {
        let Ending { reason, totals: Totals { usage, turns, learner_turns, learner_speech_ms, metrics } } =
            ending;
        self.ending = Some(ending);
        self.end_by = Some(Instant::now() + END_TIMEOUT);
        let (learner_turns, metrics) = (Some(learner_turns), Some(metrics));
        self.journal(Job::End(End { reason, usage, turns, learner_turns, learner_speech_ms, metrics }));
    }

    /// Hands the conversation over to another task, with the learner's audio of the unfinished turn.
    fn hand_over(&mut self, release: Release) {
        let Release { totals: Totals { usage, metrics, .. }, heard_samples, unfinished } = release;
        let epoch = self.own.epoch;
        let key = (!unfinished.is_empty()).then(|| self.conversation.unfinished_key(epoch));
        let progress =
            journal::Progress { usage, metrics: Some(metrics), heard_samples, unfinished_audio_key: key };
        let grace = i64::try_from(self.deps.config.grace_seconds).unwrap_or(i64::MAX);
        let until = Timestamp::now().saturating_add(SignedDuration::from_secs(grace));
        let handover = Handover { reason: self.end_reason_without_takeover(), progress };
        self.end_by = Some(Instant::now() + END_TIMEOUT);
        let until = until.unwrap_or(Timestamp::MAX);
        self.journal(Job::HandOver(Box::new(HandoverRequest { handover, unfinished, until })));
    }

    /// The end reason if no task takes the conversation over.
    fn end_reason_without_takeover(&self) -> EndReason {
        if self.is_stopping { EndReason::Shutdown } else { EndReason::Disconnected }
    }
}
