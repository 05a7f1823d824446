//! The journal of one conversation: a task that writes turns in order, keeps the lease, and writes the end. It is
//! apart from the session so that a slow table never holds up the audio.

use std::time::Duration;

use events::{
    contract::{Envelope, Turn},
    journal::{End, Handover, Journal, JournalError, Ownership},
    runtime::retry::{Retry, RetryPolicy, retry},
};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::store::audio::Recordings;

/// How often the lease is renewed: three times in its length.
const RENEW_INTERVAL: Duration = Duration::from_secs(30);

/// Longest time one write may be repeated. A lease that was not renewed for this long is nearly lost.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// More attempts than fit into [`WRITE_DEADLINE`], which ends them.
const WRITE_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(4), attempts_max: 200 };

/// What is to be written.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// A turn.
    Turn(Turn),
    /// To look whether another task wants the conversation.
    Look,
    /// The end, after which nothing comes.
    End(End),
    /// Another task may go on; nothing comes after it.
    Release(Box<Letting>),
}

/// How a conversation is let go.
#[derive(Clone, Debug)]
pub(super) struct Letting {
    /// What the journal says.
    pub(super) released: Handover,
    /// The audio under the key that the journal names, PCM s16le.
    pub(super) unfinished: Vec<u8>,
    /// Until when another task may take it up.
    pub(super) until: Timestamp,
}

/// What was written.
#[derive(Debug)]
pub(super) enum Done {
    /// The turn is in the journal.
    Turn(Turn),
    /// The end is in the journal; this is to be published.
    Ended(Box<Envelope>),
    /// Another task may go on.
    Released,
    /// Another task wants to go on.
    Wanted,
    /// The conversation belongs to somebody else.
    Fenced,
    /// The journal cannot be written.
    Failed(JournalError),
}

/// Writes `jobs` until the end, the loss of the conversation, or a failure.
pub(super) async fn record(
    (journal, recordings): (Journal, Recordings),
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
                Some(Job::Look) => match news(&own, journal.is_handover_requested(&own).await) {
                    Some(news) => news,
                    None => continue,
                },
                Some(Job::End(end)) => finish(&journal, &own, &end).await,
                Some(Job::Release(letting)) => let_go(&journal, &recordings, &own, *letting).await,
                None => return,
            },
            _ = renewal.tick() => match news(&own, journal.renew(&own, Timestamp::now()).await) {
                Some(news) => news,
                None => continue,
            },
        };
        let last = !matches!(outcome, Done::Turn(_) | Done::Wanted);
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

/// The next owner finds the audio that the journal names. Where it cannot be stored, the learner has to say it again.
async fn let_go(journal: &Journal, recordings: &Recordings, own: &Ownership, letting: Letting) -> Done {
    let Letting { mut released, unfinished, until } = letting;
    if let Some(key) = &released.progress.unfinished_audio_key
        && let Err(error) = recordings.store(key, &unfinished).await
    {
        let conversation = own.conversation_id.to_string();
        tracing::error!(
            conversation.id = conversation,
            error = format!("{error:#}"),
            "a part of a turn is lost"
        );
        (released.progress.heard_samples, released.progress.unfinished_audio_key) = (None, None);
    }
    let written = write(|| journal.hand_over(own, &released, until)).await;
    written.map_or_else(failure, |()| Done::Released)
}

/// A look or a renewal that fails is tried again with the next one: the lease has room for two.
fn news(own: &Ownership, wanted: Result<bool, JournalError>) -> Option<Done> {
    match wanted {
        Ok(wanted) => wanted.then_some(Done::Wanted),
        Err(error) if is_transient(&error) => {
            let conversation = own.conversation_id.to_string();
            tracing::warn!(conversation.id = conversation, error = %error, "the lease was not renewed or looked at");
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
