//! Who waits for what comes of a conversation. The ingress is told nothing by the workers: it looks at what they stored.
//!
//! For each conversation that somebody waits for, one looks, however many wait: soon at first, later seldom, and no longer
//! once everything has come or nobody waits any more. What it finds reaches all that wait. Of several tasks of the ingress
//! one claims to look and tells the others; where that cannot be agreed on, each looks for itself.

pub mod feed;
pub mod places;
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
use places::Places;
use snapshot::{AssessmentFailed, Snapshot};

/// The shortest and the longest time between two looks.
const LOOK_MIN: Duration = Duration::from_millis(400);
const LOOK_MAX: Duration = Duration::from_secs(10);

/// The time until the next look is this part of how long has been waited: after a minute, every 7 seconds.
const LOOK_DIVISOR: u32 = 8;

/// How long a claim to look outlives the next look: then another task takes over from one that was lost.
const CLAIM_MARGIN: Duration = Duration::from_secs(5);

/// The longest time that a stream is open. Whoever still waits then comes back with the id of the last event.
pub const STREAM_MAX: Duration = Duration::from_secs(10 * 60);

/// Those who wait for results.
#[derive(Clone, Debug)]
pub struct Results(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: ResultReader,
    places: Places,
    watched: Mutex<HashMap<ConversationId, watch::Sender<Seen>>>,
    coordination: Arc<Coordination>,
    /// The name of this task among those that share.
    owner: String,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
}

/// What was seen of a conversation so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What has come of it.
    pub snapshot: Snapshot,
    /// It is gone: nothing will come of it.
    pub gone: bool,
}

impl Results {
    /// Nobody waits yet. All streams end with `shutdown`.
    #[must_use]
    pub fn new(
        store: ResultReader,
        coordination: Arc<Coordination>,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            places: Places::default(),
            watched: Mutex::default(),
            coordination,
            owner: uuid::Uuid::new_v4().to_string(),
            metrics,
            shutdown,
        }))
    }

    /// Waits for what comes of a conversation.
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

    /// The places for streams.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.0.places
    }

    /// Why a conversation has no assessment, if that is known.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn failure(&self, id: ConversationId) -> anyhow::Result<Option<AssessmentFailed>> {
        self.0.store.failure(id).await
    }

    /// Ends the streams.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Until everything has come, the conversation is gone, or nobody waits any more: looks, or hears from the task that
    /// does.
    async fn follow(self, id: ConversationId, sender: watch::Sender<Seen>) {
        let began = Instant::now();
        let name = format!("results:{id}");
        // Before the first look, so that what is found between the two is heard.
        let mut others = self.0.coordination.subscribe(&name).await.ok();
        self.look(id, &sender, &name).await;
        while !self.is_over(id, &sender) {
            let pause = pause(began.elapsed());
            if others.is_none() {
                others = self.0.coordination.subscribe(&name).await.ok();
            }
            let looks = others.is_none() || self.claims(&name, pause).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {
                    if looks {
                        self.look(id, &sender, &name).await;
                    }
                }
                heard = next(&mut others) => self.hear(id, &sender, &name, heard).await,
                () = sender.closed() => {}
                () = self.0.shutdown.cancelled() => {}
            }
        }
        // Another task that still waits looks from now on.
        let _ = self.0.coordination.release(&name, &self.0.owner).await;
    }

    /// Whether to look at the conversation no more. Then nobody finds this task any more.
    fn is_over(&self, id: ConversationId, sender: &watch::Sender<Seen>) -> bool {
        // Under the lock nobody can begin to wait for what is given up.
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

    /// Whether this task is the one that looks. Where that cannot be agreed on, every task does.
    async fn claims(&self, name: &str, pause: Duration) -> bool {
        let claim = self.0.coordination.claim(name, &self.0.owner, pause + CLAIM_MARGIN).await;
        !matches!(claim, Ok(Claim::Held(_)))
    }

    async fn look(&self, id: ConversationId, sender: &watch::Sender<Seen>, name: &str) {
        self.0.metrics.result_looks.increment();
        let known = sender.borrow().snapshot.clone();
        match self.0.store.look(id, &known).await {
            Ok(Found::New(new)) if *new != Snapshot::default() => {
                let message = new.encode();
                sender.send_modify(|seen| seen.snapshot.add(*new));
                // Who does not hear it looks by itself.
                let _ = self.0.coordination.publish(name, &message).await;
            }
            Ok(Found::New(_) | Found::Live) => {}
            Ok(Found::Gone) => sender.send_modify(|seen| seen.gone = true),
            Err(error) => {
                self.0.metrics.failed_result_looks.increment();
                tracing::warn!(conversation.id = %id, error = format!("{error:#}"), "results cannot be seen");
            }
        }
    }

    /// Another task has found something, or may have.
    async fn hear(&self, id: ConversationId, sender: &watch::Sender<Seen>, name: &str, heard: Heard) {
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
            None => self.look(id, sender, name).await,
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<ConversationId, watch::Sender<Seen>>> {
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What another task says next; nothing where it cannot be heard.
async fn next(others: &mut Option<Subscription>) -> Heard {
    match others {
        Some(others) => others.next().await,
        None => std::future::pending().await,
    }
}

/// How long to wait until the next look, after having waited for so long.
fn pause(waited: Duration) -> Duration {
    (waited / LOOK_DIVISOR).clamp(LOOK_MIN, LOOK_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_soon_at_first_and_seldom_later() {
        assert_eq!(pause(Duration::ZERO), LOOK_MIN);
        assert_eq!(pause(Duration::from_secs(40)), Duration::from_secs(5));
        assert_eq!(pause(STREAM_MAX), LOOK_MAX);
        let (mut at, mut looks) = (Duration::ZERO, 0);
        while at < STREAM_MAX {
            at += pause(at);
            looks += 1;
        }
        assert!(looks < 100, "{looks} looks in the longest stream");
    }
}
