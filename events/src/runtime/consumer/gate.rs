//! The breaker as the tasks of a worker see it: they wait at it, and it wakes them.

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

/// Messages that may wait at an open breaker before the poll loop fetches no other as a probe. With one of them alone,
/// a message for which a service always fails would keep all others from being tried.
const CANDIDATES: usize = 2;

pub(super) struct Gate {
    breaker: Mutex<Breaker>,
    changed: Notify,
    /// Messages that wait for a chance to run, but for those that are on their last receive: they may wait for ever.
    waiting: AtomicUsize,
    /// Those that wait are tried in the order in which they came, so that none is the probe twice while others wait.
    line: FairMutex<()>,
    succeeded: Mutex<Option<Instant>>,
    started: Instant,
}

/// The permission to run one handler once. Dropped without a verdict, it says nothing about the environment.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    probe: bool,
    settled: bool,
}

/// What the poll loop may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polling {
    /// As much as it has permits for.
    Freely,
    /// One message, as a probe.
    One,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            breaker: Mutex::default(),
            changed: Notify::new(),
            waiting: AtomicUsize::new(0),
            line: FairMutex::new(()),
            succeeded: Mutex::new(None),
            started: Instant::now(),
        }
    }

    /// Notes that a handler succeeded.
    pub(super) fn succeeded(&self) {
        *self.succeeded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a handler succeeded after `moment`.
    pub(super) fn succeeded_since(&self, moment: Instant) -> bool {
        self.succeeded.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at > moment)
    }

    /// Waits until the handler of a message may run, which is on its `last` receive or not.
    pub(super) async fn admit(&self, last: bool) -> Pass<'_> {
        let _waiting = (!last).then(|| Waiting::new(self));
        let _first = self.line.lock().await;
        loop {
            let changed = self.changed.notified();
            let admission = self.breaker().admit(self.started.elapsed());
            match admission {
                Admission::Run => return Pass { gate: self, probe: false, settled: false },
                Admission::Probe => return Pass { gate: self, probe: true, settled: false },
                Admission::WaitForProbe => changed.await,
                Admission::WaitUntil(until) => {
                    // Whatever comes first, the breaker is asked again.
                    let _ = tokio::time::timeout_at(self.started + until, changed).await;
                }
            }
        }
    }

    /// Waits until the poll loop may poll: always while the environment works, otherwise while fewer than [`CANDIDATES`]
    /// wait here. Those that wait are the better probes, because they cost no further receive.
    pub(super) async fn polling(&self) -> Polling {
        loop {
            let changed = self.changed.notified();
            if self.is_closed() {
                return Polling::Freely;
            }
            if self.waiting.load(Ordering::Relaxed) < CANDIDATES {
                return Polling::One;
            }
            changed.await;
        }
    }

    /// Whether work may start freely.
    pub(super) fn is_closed(&self) -> bool {
        self.breaker().is_closed()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says what the run said about the environment.
    pub(super) fn settle(mut self, verdict: Verdict) {
        self.report(verdict);
    }

    fn report(&mut self, verdict: Verdict) {
        self.settled = true;
        let now = self.gate.started.elapsed();
        let was_closed = {
            let mut breaker = self.gate.breaker();
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
            (false, true) => tracing::info!("the environment works again: polling goes on"),
            (true, true) | (false, false) => {}
        }
        self.gate.changed.notify_waiters();
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.report(Verdict::Unknown);
        }
    }
}

struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.waiting.fetch_add(1, Ordering::Relaxed);
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}
