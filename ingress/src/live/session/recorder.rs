//! The journal of one conversation: a task that writes its turns in order, renews the lease and writes the end. It is
//! a task of its own so that a slow table never delays the audio.

use std::time::Duration;

use events::{
    contract::{
        Envelope, Turn,
        live::{MetObjective, ServerMessage},
    },
    journal::{End, Handover, Journal, JournalError, Ownership},
    runtime::retry::{Retry, RetryPolicy, retry},
};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::store::audio::Recordings;

/// Interval of lease renewals: a third of the lease.
const RENEW_INTERVAL: Duration = Duration::from_secs(30);

/// Deadline of one write with its retries. A lease that was not renewed for this long is nearly lost.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// More attempts than fit into [`WRITE_DEADLINE`], which ends them.
const WRITE_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(4), attempts_max: 200 };

/// Work for the recorder, in order.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Turn(Turn),
    /// Write the objectives that are met; the last one is new.
    Objective {
        met: Vec<MetObjective>,
        /// The learner's words that meet the last one.
        quote: String,
    },
    /// Check whether another task has requested the conversation.
    Poll,
    /// Write the end. The last job.
    End(End),
    /// Hand the conversation over to another task. The last job, in place of the end.
    HandOver(Box<HandoverRequest>),
}

/// What the next owner of a conversation needs.
#[derive(Clone, Debug)]
pub(super) struct HandoverRequest {
    /// The entry in the journal.
    pub(super) handover: Handover,
    /// The audio under the key that the entry names, PCM s16le.
    pub(super) unfinished: Vec<u8>,
    /// Until when another task may take the conversation over.
    pub(super) until: Timestamp,
}

/// Result of a job or a renewal.
#[derive(Debug)]
pub(super) enum Done {
    Turn(Turn),
    /// Another objective is in the journal. The message for the client.
    Objective(ServerMessage),
    /// The end is in the journal. The envelope is to be published.
    Ended(Box<Envelope>),
    /// Another task may take the conversation over.
    HandedOver,
    /// Another task has requested the conversation.
    TakeoverRequested,
    /// Another task owns the conversation, or it has ended.
    Fenced,
    /// The journal cannot be written.
    Failed(JournalError),
}

/// Writes the journal of one conversation.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) journal: Journal,
    pub(super) recordings: Recordings,
    pub(super) own: Ownership,
}

impl Recorder {
    /// Works off `jobs` until the end, the loss of the conversation, or a failure.
    pub(super) async fn run(self, mut jobs: mpsc::Receiver<Job>, done: mpsc::Sender<Done>) {
        let mut renewal = interval_at(Instant::now() + RENEW_INTERVAL, RENEW_INTERVAL);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let result = tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(job) => Box::pin(self.perform(job)).await,
                    None => return,
                },
                _ = renewal.tick() => self.polled(self.journal.renew(&self.own, Timestamp::now()).await),
            };
            let Some(result) = result else { continue };
            let last = !matches!(result, Done::Turn(_) | Done::Objective(_) | Done::TakeoverRequested);
            if done.send(result).await.is_err() || last {
                return;
            }
        }
    }

    async fn perform(&self, job: Job) -> Option<Done> {
        match job {
            Job::Turn(turn) => Some(self.append(turn).await),
            Job::Objective { met, quote } => self.record_objectives(met, quote).await,
            Job::Poll => self.polled(self.journal.is_handover_requested(&self.own).await),
            Job::End(end) => Some(self.end(&end).await),
            Job::HandOver(request) => Some(self.hand_over(*request).await),
        }
    }

    async fn append(&self, turn: Turn) -> Done {
        let written = write(|| self.journal.append(&self.own, &turn)).await;
        written.map_or_else(failure, |()| Done::Turn(turn))
    }

    async fn record_objectives(&self, mut met: Vec<MetObjective>, quote: String) -> Option<Done> {
        let written = write(|| self.journal.record_objectives(&self.own, &met)).await;
        if let Err(error) = written {
            return Some(failure(error));
        }
        let MetObjective { objective, turn } = met.pop()?;
        Some(Done::Objective(ServerMessage::ObjectiveMet { objective, quote, turn }))
    }

    async fn end(&self, end: &End) -> Done {
        let written = write(|| self.journal.end(&self.own, end, Timestamp::now())).await;
        written.map_or_else(failure, |completed| Done::Ended(Box::new(completed.envelope)))
    }

    /// Stores the audio before the journal names it. If it cannot be stored, the learner has to repeat the turn.
    async fn hand_over(&self, request: HandoverRequest) -> Done {
        let HandoverRequest { mut handover, unfinished, until } = request;
        if let Some(key) = &handover.progress.unfinished_audio_key
            && let Err(error) = self.recordings.store(key, &unfinished).await
        {
            let conversation = self.own.conversation_id.to_string();
            tracing::error!(
                conversation.id = conversation,
                error = format!("{error:#}"),
                "the audio of an unfinished turn was not stored"
            );
            (handover.progress.heard_samples, handover.progress.unfinished_audio_key) = (None, None);
        }
        let written = write(|| self.journal.hand_over(&self.own, &handover, until)).await;
        written.map_or_else(failure, |()| Done::HandedOver)
    }

    /// A poll or a renewal that fails transiently is not retried: the next one comes in time, because a lease lasts for
    /// three intervals.
    fn polled(&self, requested: Result<bool, JournalError>) -> Option<Done> {
        match requested {
            Ok(requested) => requested.then_some(Done::TakeoverRequested),
            Err(error) if is_transient(&error) => {
                let conversation = self.own.conversation_id.to_string();
                tracing::warn!(conversation.id = conversation, error = %error, "the lease was not read or renewed");
                None
            }
            Err(error) => Some(failure(error)),
        }
    }
}

async fn write<T, F, Fut>(mut operation: F) -> Result<T, JournalError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, JournalError>>,
{
    retry(WRITE_POLICY, Instant::now() + WRITE_DEADLINE, || {
        let written = operation();
        async {
            written.await.map_err(|error| {
                if is_transient(&error) { Retry::transient(error) } else { Retry::Permanent(error) }
            })
        }
    })
    .await
}

fn failure(error: JournalError) -> Done {
    match error {
        JournalError::Fenced
        | JournalError::Ended
        | JournalError::NotFound
        | JournalError::Held { .. }
        | JournalError::AlreadyStarted
        | JournalError::Erased
        | JournalError::TurnExists { .. } => Done::Fenced,
        error @ (JournalError::Corrupt(_) | JournalError::Service { .. }) => Done::Failed(error),
    }
}

fn is_transient(error: &JournalError) -> bool {
    matches!(error, JournalError::Service { .. })
}
