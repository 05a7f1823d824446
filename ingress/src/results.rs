//! The results of conversations for their subscribers. The workers do not notify the ingress: it polls what they store.
//!
//! Each conversation with subscribers has one poller, however many there are: frequent at first, then less often, until all
//! results are available or no subscriber is left. Of several tasks one claims the polling and publishes what it finds to the
//! others; if they cannot coordinate, each task polls.

pub mod feed;
pub mod permits;
pub mod snapshot;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::contract::ConversationId;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    coordination::{Claim, Coordination, Heard, Subscription},
    metrics::Metrics,
    store::results::{Found, ResultReader},
};
use permits::StreamPermits;
use snapshot::{AssessmentFailed, Snapshot};

/// Minimum and maximum interval between two polls.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(400);
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// The interval is this fraction of the time since the first poll: after a minute, 7 seconds.
const POLL_INTERVAL_DIVISOR: u32 = 8;

/// A claim outlives the next poll by this time; then another task takes over from a lost one.
const CLAIM_MARGIN: Duration = Duration::from_secs(5);

/// Maximum duration of a stream. The client then reconnects with the id of its last event.
pub const STREAM_MAX: Duration = Duration::from_secs(10 * 60);

/// Polls results for subscribers.
#[derive(Clone, Debug)]
pub struct ResultsWatcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: ResultReader,
    permits: StreamPermits,
    watched: Mutex<HashMap<ConversationId, watch::Sender<Seen>>>,
    coordination: Arc<Coordination>,
    /// The name of this task in claims.
    owner: String,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
}

/// What was found of a conversation so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The results so far.
    pub snapshot: Snapshot,
    /// The conversation was deleted, so no more results will come.
    pub gone: bool,
}

impl ResultsWatcher {
    /// A watcher without subscribers. All streams end with `shutdown`.
    #[must_use]
    pub fn new(
        store: ResultReader,
        coordination: Arc<Coordination>,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            permits: StreamPermits::default(),
            watched: Mutex::default(),
            coordination,
            owner: uuid::Uuid::new_v4().to_string(),
            metrics,
            shutdown,
        }))
    }

    /// Subscribes to the results of a conversation.
    #[must_use]
    pub fn watch(&self, id: ConversationId) -> watch::Receiver<Seen> {
        let mut watched = self.watched();
        if let Some(sender) = watched.get(&id) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Seen::default());
        watched.insert(id, sender.clone());
        tokio::spawn(self.clone().follow(id, sender));
        receiver
    }

    #[must_use]
    pub fn permits(&self) -> &StreamPermits {
        &self.0.permits
    }

    /// Returns why a conversation has no assessment, if that is known.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn failure(&self, id: ConversationId) -> anyhow::Result<Option<AssessmentFailed>> {
        self.0.store.failure(id).await
    }

    /// Ends all streams.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Polls, or receives from the task that polls, until all results are available, the conversation is deleted or no
    /// subscriber is left.
    async fn follow(self, id: ConversationId, sender: watch::Sender<Seen>) {
        let began = Instant::now();
        let name = format!("results:{id}");
        // Before the first poll, so that nothing that is found in between is missed.
        let mut others = self.0.coordination.subscribe(&name).await.ok();
        self.poll(id, &sender, &name).await;
        while !self.is_over(id, &sender) {
            let pause = pause(began.elapsed());
            if others.is_none() {
                others = self.0.coordination.subscribe(&name).await.ok();
            }
            let polls = others.is_none() || self.claims(&name, pause).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {
                    if polls {
                        self.poll(id, &sender, &name).await;
                    }
                }
                heard = next(&mut others) => self.receive(id, &sender, &name, heard).await,
                () = sender.closed() => {}
                () = self.0.shutdown.cancelled() => {}
            }
        }
        // Another task with subscribers polls from now on.
        let _ = self.0.coordination.release(&name, &self.0.owner).await;
    }

    /// Whether to stop. If so, new subscribers start a new poller.
    fn is_over(&self, id: ConversationId, sender: &watch::Sender<Seen>) -> bool {
        // The lock is held so that no subscriber joins a poller that stops.
        let mut watched = self.watched();
        let settled = {
            let seen = sender.borrow();
            seen.gone || seen.snapshot.is_complete()
        };
        let over = settled || sender.receiver_count() == 0 || self.0.shutdown.is_cancelled();
        if over {
            watched.remove(&id);
        }
        over
    }

    /// Whether this task polls. Without coordination every task does.
    async fn claims(&self, name: &str, pause: Duration) -> bool {
        let claim = self.0.coordination.claim(name, &self.0.owner, pause + CLAIM_MARGIN).await;
        !matches!(claim, Ok(Claim::Held(_)))
    }

    async fn poll(&self, id: ConversationId, sender: &watch::Sender<Seen>, name: &str) {
        self.0.metrics.result_looks.increment();
        let known = sender.borrow().snapshot.clone();
        match self.0.store.look(id, &known).await {
            Ok(Found::New(new)) if *new != Snapshot::default() => {
                let message = new.encode();
                sender.send_modify(|seen| seen.snapshot.add(*new));
                // A task that misses the message polls itself.
                let _ = self.0.coordination.publish(name, &message).await;
            }
            Ok(Found::New(_) | Found::Live) => {}
            Ok(Found::Gone) => sender.send_modify(|seen| seen.gone = true),
            Err(error) => {
                self.0.metrics.failed_result_looks.increment();
                tracing::warn!(conversation.id = %id, error = format!("{error:#}"), "failed to poll results");
            }
        }
    }

    /// Handles a message of another task. After a gap this task polls.
    async fn receive(&self, id: ConversationId, sender: &watch::Sender<Seen>, name: &str, heard: Heard) {
        let news = match heard {
            Heard::Message(message) => Snapshot::decode(&message),
            Heard::Lagged => None,
        };
        match news {
            Some(news) => {
                sender.send_if_modified(|seen| {
                    let before = seen.snapshot.clone();
                    seen.snapshot.add(news);
                    seen.snapshot != before
                });
            }
            None => self.poll(id, sender, name).await,
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<ConversationId, watch::Sender<Seen>>> {
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next message of another task; pending without a subscription.
async fn next(others: &mut Option<Subscription>) -> Heard {
    match others {
        Some(others) => others.next().await,
        None => std::future::pending().await,
    }
}

/// The interval to the next poll, `waited` after the first one.
fn pause(waited: Duration) -> Duration {
    (waited / POLL_INTERVAL_DIVISOR).clamp(POLL_INTERVAL_MIN, POLL_INTERVAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_soon_at_first_and_seldom_later() {
        assert_eq!(pause(Duration::ZERO), POLL_INTERVAL_MIN);
        assert_eq!(pause(Duration::from_secs(40)), Duration::from_secs(5));
        assert_eq!(pause(STREAM_MAX), POLL_INTERVAL_MAX);
        let (mut at, mut looks) = (Duration::ZERO, 0);
        while at < STREAM_MAX {
            at += pause(at);
            looks += 1;
        }
        assert!(looks < 100, "{looks} looks in the longest stream");
    }
}
