//! Permits to run handlers: as many as configured, fewer while a service throttles the worker. Dropping a permit returns it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::runtime::limit::Limit;

pub(super) struct Permits {
    limit: Mutex<Limit>,
    running: AtomicUsize,
    /// Those of [`Self::running`] that hold a message. A poll holds the others.
    holding: AtomicUsize,
    changed: Notify,
    started: Instant,
}

/// The permission to hold one message and run its handler.
pub(super) struct Permit {
    permits: Arc<Permits>,
    holds: bool,
}

impl Permits {
    pub(super) fn new(max: u32) -> Self {
        Self {
            limit: Mutex::new(Limit::new(max)),
            running: AtomicUsize::new(0),
            holding: AtomicUsize::new(0),
            changed: Notify::new(),
            started: Instant::now(),
        }
    }

    /// Waits until a permit is free. Only the poll loop takes permits, so it is still free afterwards unless the limit is
    /// reduced.
    pub(super) async fn available(&self) {
        loop {
            let changed = self.changed.notified();
            if self.free() > 0 {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn take(self: &Arc<Self>, most: usize) -> Vec<Permit> {
        let count = self.free().min(most);
        self.running.fetch_add(count, Ordering::Relaxed);
        (0..count).map(|_| Permit { permits: Arc::clone(self), holds: false }).collect()
    }

    /// Messages that hold a permit.
    pub(super) fn holding(&self) -> usize {
        self.holding.load(Ordering::Relaxed)
    }

    /// Permits in use, by messages and by the poll.
    fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Permits that may be in use at once.
    pub(super) fn limit(&self) -> usize {
        self.lock().now()
    }

    /// The present time, as the start of a run for [`Self::throttled`].
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Records a run that was not throttled.
    pub(super) fn succeeded(&self) {
        self.lock().succeeded();
        self.changed.notify_waiters();
    }

    /// Records a throttled run that began at `began`.
    pub(super) fn throttled(&self, began: Duration) {
        let now = self.now();
        self.lock().throttled(began, now);
    }

    fn free(&self) -> usize {
        self.limit().saturating_sub(self.running())
    }

    fn lock(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Notes that a message holds the permit from now on.
    pub(super) fn hold(mut self) -> Self {
        if !self.holds {
            self.permits.holding.fetch_add(1, Ordering::Relaxed);
            self.holds = true;
        }
        self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.holds {
            self.permits.holding.fetch_sub(1, Ordering::Relaxed);
        }
        self.permits.running.fetch_sub(1, Ordering::Relaxed);
        self.permits.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hold_every_second((position, permit): (usize, Permit)) -> Permit {
        if position % 2 == 0 { permit } else { permit.hold() }
    }

    proptest! {
        #[test]
        fn permits_are_never_more_than_the_limit_and_all_come_back(
            max in 1u32..40, steps in proptest::collection::vec((0u8..4, 0usize..12), 0..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let permits = Arc::new(Permits::new(max));
            let mut held = Vec::new();
            for (step, count) in steps {
                match step {
                    0 | 1 => {
                        let (before, limit) = (held.len(), permits.limit());
                        held.extend(permits.take(count));
                        held = held.into_iter().enumerate().map(hold_every_second).collect();
                        prop_assert!(held.len() <= limit.max(before));
                    }
                    2 => {
                        held.truncate(held.len().saturating_sub(count));
                        permits.succeeded();
                    }
                    _ => permits.throttled(permits.now()),
                }
                prop_assert_eq!(permits.running(), held.len());
                prop_assert_eq!(permits.holding(), held.iter().filter(|permit| permit.holds).count());
            }
            drop(held);
            prop_assert_eq!((permits.running(), permits.holding()), (0, 0));
        }
    }
}
