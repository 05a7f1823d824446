//! Who waits for what comes of a conversation. The ingress is told nothing by the workers: it looks at what they stored.
//!
//! For each conversation that somebody waits for there is one task that looks, whoever many wait: soon at first, later
//! seldom, and no longer once everything has come or nobody waits any more. What it finds reaches all that wait.

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
    metrics::Measured,
    store::results::{Found, Results as Store},
};
use places::Places;
use snapshot::{AssessmentFailed, Snapshot};

/// The shortest and the longest time between two looks.
const LOOK_MIN: Duration = Duration::from_millis(400);
const LOOK_MAX: Duration = Duration::from_secs(10);

/// The time until the next look is this part of how long has been waited: after a minute, every 7 seconds.
const LOOK_DIVISOR: u32 = 8;

/// The longest time that a stream is open. Whoever still waits then comes back with the id of the last event.
pub const STREAM_MAX: Duration = Duration::from_secs(10 * 60);

/// Those who wait for results.
#[derive(Clone, Debug)]
pub struct Results(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    places: Places,
    watched: Mutex<HashMap<ConversationId, watch::Sender<Seen>>>,
    measured: Arc<Measured>,
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
    pub fn new(store: Store, measured: Arc<Measured>, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            store,
            places: Places::default(),
            watched: Mutex::default(),
            measured,
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

    /// Looks until everything has come, the conversation is gone, or nobody waits any more.
    async fn follow(self, id: ConversationId, sender: watch::Sender<Seen>) {
        let began = Instant::now();
        loop {
            self.look(id, &sender).await;
            let over = {
                let seen = sender.borrow();
                seen.gone || seen.snapshot.is_complete()
            };
            if over || self.0.shutdown.is_cancelled() {
                self.watched().remove(&id);
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause(began.elapsed())) => {}
                () = sender.closed() => {}
                () = self.0.shutdown.cancelled() => {}
            }
            // Under the lock nobody can begin to wait for what is given up.
            let mut watched = self.watched();
            if sender.receiver_count() == 0 {
                watched.remove(&id);
                return;
            }
        }
    }

    async fn look(&self, id: ConversationId, sender: &watch::Sender<Seen>) {
        self.0.measured.result_looks.increment();
        let known = sender.borrow().snapshot.clone();
        match self.0.store.look(id, &known).await {
            Ok(Found::New(new)) if *new != Snapshot::default() => {
                sender.send_modify(|seen| seen.snapshot.add(*new));
            }
            Ok(Found::New(_) | Found::Live) => {}
            Ok(Found::Gone) => sender.send_modify(|seen| seen.gone = true),
            Err(error) => {
                self.0.measured.failed_result_looks.increment();
                tracing::warn!(conversation.id = %id, error = format!("{error:#}"), "results cannot be seen");
            }
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<ConversationId, watch::Sender<Seen>>> {
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
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
