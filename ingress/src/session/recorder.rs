//! The journal of one conversation: a task that writes turns in order, keeps the lease, and writes the end. It is
//! apart from the session so that a slow table never holds up the audio.

use std::time::Duration;

use events::{
    contract::{Envelope, Turn},
    journal::{End, Journal, JournalError, Ownership},
    runtime::retry::{Retry, RetryPolicy, retry},
};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// How often the lease is renewed: three times in its length.
const RENEW_INTERVAL: Duration = Duration::from_secs(30);

/// Longest time one write may be repeated. A lease that was not renewed for this long is nearly lost.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

const WRITE_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(4), attempts_max: 20 };

/// What is to be written.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// A turn.
    Turn(Turn),
    /// The end, after which nothing comes.
    End(End),
}

/// What was written.
#[derive(Debug)]
pub(super) enum Done {
    /// The turn is in the journal.
    Turn(Turn),
    /// The end is in the journal; this is to be published.
    Ended(Box<Envelope>),
    /// The conversation belongs to somebody else.
    Fenced,
    /// The journal cannot be written.
    Failed(JournalError),
}

/// Writes `jobs` until the end, the loss of the conversation, or a failure.
pub(super) async fn record(
    journal: Journal,
    own: Ownership,
    mut jobs: mpsc::Receiver<Job>,
    done: mpsc::Sender<Done>,
) {
    let mut renewal = interval_at(Instant::now() + RENEW_INTERVAL, RENEW_INTERVAL);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            biased;
            job = jobs.recv() => match job {
                Some(Job::Turn(turn)) => append(&journal, &own, turn).await,
                Some(Job::End(end)) => finish(&journal, &own, &end).await,
                None => return,
            },
            _ = renewal.tick() => match renew(&journal, &own).await {
                Some(lost) => lost,
                None => continue,
            },
        };
        let last = !matches!(outcome, Done::Turn(_));
        if done.send(outcome).await.is_err() || last {
            return;
        }
    }
}

async fn append(journal: &Journal, own: &Ownership, turn: Turn) -> Done {
    let written = write(|| journal.append(own, &turn)).await;
    written.map_or_else(failure, |()| Done::Turn(turn))
}

async fn finish(journal: &Journal, own: &Ownership, end: &End) -> Done {
    let written = write(|| journal.end(own, end, Timestamp::now())).await;
    written.map_or_else(failure, |completed| Done::Ended(Box::new(completed.envelope)))
}

/// A renewal that fails is tried again with the next one: the lease has room for two.
async fn renew(journal: &Journal, own: &Ownership) -> Option<Done> {
    match journal.renew(own, Timestamp::now()).await {
        Ok(()) => None,
        Err(error) if is_transient(&error) => {
            let conversation = own.conversation_id.to_string();
            tracing::warn!(conversation.id = conversation, error = %error, "the lease was not renewed");
            None
        }
        Err(error) => Some(failure(error)),
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
        | JournalError::TurnExists { .. } => Done::Fenced,
        error @ (JournalError::Corrupt(_) | JournalError::Service { .. }) => Done::Failed(error),
    }
}

fn is_transient(error: &JournalError) -> bool {
    matches!(error, JournalError::Service { .. })
}
