//! The breaker of a worker, shared by its tasks: they wait here while the environment is broken and are woken when a run
//! reports.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::{Mutex as FairMutex, Notify},
    time::Instant,
};

use crate::runtime::{
    breaker::{Admission, Breaker, Verdict},
    env,
};

/// Messages waiting at an open breaker at which the poll loop stops fetching more probes. With only one, a message for
/// which a service always fails would be the only probe.
const PROBES_WAITING: usize = 2;

pub(super) struct SharedBreaker {
    breaker: Mutex<Breaker>,
    changed: Notify,
    /// Waiting messages, except those on their last receive: these may wait without limit.
    waiting: AtomicUsize,
    /// Admits waiting messages in the order of their arrival, so that none is the probe twice while others wait.
    order: FairMutex<()>,
    /// When a handler last succeeded.
    succeeded: Mutex<Option<Instant>>,
    started: Instant,
}

/// The permission to run one handler once. Dropping it without a verdict reports [`Verdict::Unknown`].
pub(super) struct BreakerPermit<'a> {
    shared: &'a SharedBreaker,
    probe: bool,
    settled: bool,
}

/// How many messages the poll loop may fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollSize {
    /// As many as it has permits for.
    Full,
    Probe,
}

impl SharedBreaker {
    pub(super) fn new() -> Self {
        Self {
            breaker: Mutex::default(),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            order: FairMutex::new(()),
            succeeded: Mutex::new(None),
            started: Instant::now(),
        }
    }

    /// Records that a handler succeeded.
    pub(super) fn succeeded(&self) {
        *self.succeeded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a handler succeeded after `moment`.
    pub(super) fn succeeded_since(&self, moment: Instant) -> bool {
        self.succeeded.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at > moment)
    }

    /// Waits until the handler of a message may run.
    pub(super) async fn admit(&self, is_last_receive: bool) -> BreakerPermit<'_> {
        let _waiting = (!is_last_receive).then(|| Waiting::new(self));
        let _first = self.order.lock().await;
        loop {
            let changed = self.changed.notified();
            let admission = self.breaker().admit(self.started.elapsed());
            match admission {
                Admission::Run => return BreakerPermit { shared: self, probe: false, settled: false },
                Admission::Probe => return BreakerPermit { shared: self, probe: true, settled: false },
                Admission::WaitForProbe => changed.await,
                Admission::WaitUntil(until) => {
                    // Both the change and the timeout lead to a new query of the breaker.
                    let _ = tokio::time::timeout_at(self.started + until, changed).await;
                }
            }
        }
    }

    /// Waits until the poll loop may poll: always while the environment works, otherwise while fewer than
    /// [`PROBES_WAITING`] messages wait here. Waiting messages are better probes: they cost no further receive.
    pub(super) async fn poll_size(&self) -> PollSize {
        loop {
            let changed = self.changed.notified();
            if self.is_closed() {
                return PollSize::Full;
            }
            if self.waiting.load(Ordering::Relaxed) < PROBES_WAITING {
                return PollSize::Probe;
            }
            changed.await;
        }
    }

    /// Whether handlers may run without being a probe.
    pub(super) fn is_closed(&self) -> bool {
        self.breaker().is_closed()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BreakerPermit<'_> {
    /// Reports what the run says about the environment.
    pub(super) fn settle(mut self, verdict: Verdict) {
        self.report(verdict);
    }

    fn report(&mut self, verdict: Verdict) {
        self.settled = true;
        let now = self.shared.started.elapsed();
        let was_closed = {
            let mut breaker = self.shared.breaker();
            let was_closed = breaker.is_closed();
            if self.probe {
                breaker.report_probe(verdict, now, env::random_fraction());
            } else {
                breaker.report(verdict, now, env::random_fraction());
            }
            (was_closed, breaker.is_closed())
        };
        match was_closed {
            (true, false) => tracing::warn!("the environment is broken: polling pauses"),
            (false, true) => tracing::info!("the environment works again: polling continues"),
            (true, true) | (false, false) => {}
        }
        self.shared.changed.notify_waiters();
    }
}

impl Drop for BreakerPermit<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.report(Verdict::Unknown);
        }
    }
}

/// Counts a waiting message until it is dropped.
struct Waiting<'a>(&'a SharedBreaker);

impl<'a> Waiting<'a> {
    fn new(shared: &'a SharedBreaker) -> Self {
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}
