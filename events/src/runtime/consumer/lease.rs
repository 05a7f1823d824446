//! Leases: every received message is ours until its visibility times out, and one task extends them all in batches
//! from the moment they are received.
//!
//! A [`Lease`] that is dropped is no longer extended. A lease that cannot be extended in time, or that SQS says is
//! not ours, is lost: its token is cancelled while the message is still invisible to others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::queue::{BATCH_MAX, Changed, Queue};
use crate::runtime::{
    delivery::{Heartbeat, LeaseTimes, heartbeat, heartbeat_interval},
    health::Pulse,
};

pub(super) struct Leases {
    queue: Arc<Queue>,
    held: Mutex<HashMap<u64, Entry>>,
    next: AtomicU64,
    started: Instant,
    /// Held while leases are being extended, so that a message that is given back is not extended afterwards.
    beating: tokio::sync::Mutex<()>,
}

struct Entry {
    receipt: String,
    times: LeaseTimes,
    lost: CancellationToken,
}

/// The lease of one message.
pub(super) struct Lease {
    leases: Arc<Leases>,
    id: u64,
    pub(super) receipt: String,
    pub(super) lost: CancellationToken,
}

impl Leases {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            held: Mutex::default(),
            next: AtomicU64::new(0),
            started: Instant::now(),
            beating: tokio::sync::Mutex::default(),
        }
    }

    /// Holds a message that was received just now.
    pub(super) fn hold(self: &Arc<Self>, receipt: String) -> Lease {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let lost = CancellationToken::new();
        let received = self.started.elapsed();
        let times = LeaseTimes { received, valid_until: received + self.queue.visibility };
        self.held().insert(id, Entry { receipt: receipt.clone(), times, lost: lost.clone() });
        Lease { leases: Arc::clone(self), id, receipt, lost }
    }

    /// Extends leases until `stop`.
    pub(super) async fn keep(&self, pulse: &Pulse, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(heartbeat_interval(self.queue.visibility));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            pulse.tick();
            self.beat().await;
        }
    }

    async fn beat(&self) {
        let _beating = self.beating.lock().await;
        let due = self.due();
        let batches = due.chunks(BATCH_MAX).map(|batch| self.extend(batch));
        futures_util::future::join_all(batches).await;
    }

    /// Gives up what is lost and returns what is to be extended.
    fn due(&self) -> Vec<(u64, String)> {
        let now = self.started.elapsed();
        let mut due = Vec::new();
        self.held().retain(|id, entry| match heartbeat(entry.times, now, self.queue.visibility) {
            Heartbeat::Fresh => true,
            Heartbeat::Extend => {
                due.push((*id, entry.receipt.clone()));
                true
            }
            Heartbeat::Lost => {
                entry.lost.cancel();
                false
            }
        });
        due
    }

    async fn extend(&self, batch: &[(u64, String)]) {
        // SQS counts from when it gets the request, which is not before now.
        let valid_until = self.started.elapsed() + self.queue.visibility;
        let receipts: Vec<_> = batch.iter().map(|(_, receipt)| receipt.clone()).collect();
        let extending = self.queue.change_visibility(&receipts, self.queue.visibility);
        let outcomes = match tokio::time::timeout(self.queue.visibility / 3, extending).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "failed to extend leases");
                return;
            }
            Err(_) => {
                tracing::warn!("failed to extend leases in time");
                return;
            }
        };
        let mut held = self.held();
        for ((id, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Changed::Done => {
                    if let Some(entry) = held.get_mut(id) {
                        entry.times.valid_until = valid_until;
                    }
                }
                Changed::Gone => {
                    if let Some(entry) = held.remove(id) {
                        entry.lost.cancel();
                    }
                }
                // The next beat tries again.
                Changed::Failed => {}
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Ends the lease so that nothing extends the message any more, and returns its receipt.
    pub(super) async fn end(self) -> String {
        let leases = Arc::clone(&self.leases);
        let _not_beating = leases.beating.lock().await;
        let receipt = self.receipt.clone();
        drop(self);
        receipt
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.held().remove(&self.id);
    }
}
