//! Leases: a received message belongs to this worker until its visibility timeout, and one task extends all leases in batches
//! from the receive on.
//!
//! A dropped [`Lease`] is no longer extended. A lease that cannot be extended in time, or that SQS no longer knows, is lost:
//! its token is cancelled while the message is still invisible to other consumers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::ConsumerMetrics,
    queue::{BATCH_MAX, Changed, Queue},
};
use crate::runtime::{
    delivery::{Heartbeat, LeaseTimes, heartbeat, heartbeat_interval, loss_interval},
    health::Pulse,
};

pub(super) struct Leases {
    queue: Arc<Queue>,
    metrics: Arc<ConsumerMetrics>,
    held: Mutex<BTreeMap<u64, Entry>>,
    next: AtomicU64,
    started: Instant,
    /// Held while leases are extended, so that a released message is not extended afterwards.
    extending: tokio::sync::Mutex<()>,
}

struct Entry {
    receipt: String,
    times: LeaseTimes,
    lost: CancellationToken,
    extensions: Arc<AtomicU32>,
}

/// The lease of one message.
pub(super) struct Lease {
    leases: Arc<Leases>,
    id: u64,
    pub(super) receipt: String,
    pub(super) lost: CancellationToken,
    extensions: Arc<AtomicU32>,
}

impl Leases {
    pub(super) fn new(queue: Arc<Queue>, metrics: Arc<ConsumerMetrics>) -> Self {
        Self {
            queue,
            metrics,
            held: Mutex::default(),
            next: AtomicU64::new(0),
            started: Instant::now(),
            extending: tokio::sync::Mutex::default(),
        }
    }

    /// Starts the lease of a message that was received just now.
    pub(super) fn hold(self: &Arc<Self>, receipt: String) -> Lease {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let lost = CancellationToken::new();
        let received = self.started.elapsed();
        let times = LeaseTimes { received, valid_until: received + self.queue.visibility };
        let extensions = Arc::new(AtomicU32::new(0));
        let entry = Entry {
            receipt: receipt.clone(),
            times,
            lost: lost.clone(),
            extensions: Arc::clone(&extensions),
        };
        self.held().insert(id, entry);
        Lease { leases: Arc::clone(self), id, receipt, lost, extensions }
    }

    /// Extends leases and cancels lost ones, until `stop`. The two loops are independent: a pending extension must not delay
    /// the cancellation of a lost lease.
    pub(super) async fn run_heartbeat(&self, pulse: &Pulse, stop: &CancellationToken) {
        let extending = async {
            let mut ticks = ticks(heartbeat_interval(self.queue.visibility));
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                pulse.tick();
                self.extend_due().await;
            }
        };
        let losing = async {
            let mut ticks = ticks(loss_interval(self.queue.visibility));
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                self.cancel_lost();
            }
        };
        tokio::join!(extending, losing);
    }

    async fn extend_due(&self) {
        let _extending = self.extending.lock().await;
        let due = self.due();
        let batches = due.chunks(BATCH_MAX).map(|batch| self.extend(batch));
        futures_util::future::join_all(batches).await;
    }

    fn due(&self) -> Vec<(u64, String)> {
        let now = self.started.elapsed();
        let due = |entry: &Entry| heartbeat(entry.times, now, self.queue.visibility) == Heartbeat::Extend;
        let held = self.held();
        held.iter().filter(|(_, entry)| due(entry)).map(|(id, entry)| (*id, entry.receipt.clone())).collect()
    }

    fn cancel_lost(&self) {
        let now = self.started.elapsed();
        self.held().retain(|_, entry| {
            let lost = heartbeat(entry.times, now, self.queue.visibility) == Heartbeat::Lost;
            if lost {
                entry.lost.cancel();
            }
            !lost
        });
    }

    async fn extend(&self, batch: &[(u64, String)]) {
        // SQS counts from when it receives the request, which is not before now.
        let valid_until = self.started.elapsed() + self.queue.visibility;
        let receipts: Vec<_> = batch.iter().map(|(_, receipt)| receipt.clone()).collect();
        let extending = self.queue.change_visibility(&receipts, self.queue.visibility);
        let outcomes = match tokio::time::timeout(self.queue.visibility / 3, extending).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "failed to extend leases");
                vec![Changed::Failed; batch.len()]
            }
            Err(_) => {
                tracing::warn!("failed to extend leases in time");
                vec![Changed::Failed; batch.len()]
            }
        };
        let mut held = self.held();
        for ((id, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Changed::Done => {
                    if let Some(entry) = held.get_mut(id) {
                        entry.times.valid_until = valid_until;
                        entry.extensions.fetch_add(1, Ordering::Relaxed);
                        self.metrics.extensions.increment();
                    }
                }
                Changed::Gone => {
                    if let Some(entry) = held.remove(id) {
                        entry.lost.cancel();
                    }
                }
                // The next heartbeat tries again.
                Changed::Failed => self.metrics.failed_extensions.increment(),
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ticks(interval: Duration) -> Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Lease {
    /// The number of extensions so far.
    pub(super) fn extensions(&self) -> u32 {
        self.extensions.load(Ordering::Relaxed)
    }

    /// Ends the lease and returns its receipt; no extension of the message follows.
    pub(super) async fn end(self) -> String {
        let leases = Arc::clone(&self.leases);
        let _not_extending = leases.extending.lock().await;
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
