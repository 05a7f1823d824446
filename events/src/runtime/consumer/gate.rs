//! The breaker as the tasks of a worker see it: they wait at it, and it wakes them.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::Notify, time::Instant};

use crate::runtime::{
    breaker::{Admission, Breaker, Verdict},
    world,
};

pub(super) struct Gate {
    breaker: Mutex<Breaker>,
    changed: Notify,
    /// Messages that wait for a chance to run.
    waiting: AtomicUsize,
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
            started: Instant::now(),
        }
    }

    /// Waits until a handler may run.
    pub(super) async fn admit(&self) -> Pass<'_> {
        let _waiting = Waiting::new(self);
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

    /// Waits until the poll loop may poll. Messages that wait here already are the better probes: they cost no
    /// further receive.
    pub(super) async fn polling(&self) -> Polling {
        loop {
            let changed = self.changed.notified();
            let (closed, probe, until) = {
                let breaker = self.breaker();
                (breaker.is_closed(), breaker.wants_probe(self.started.elapsed()), breaker.open_until())
            };
            if closed {
                return Polling::Freely;
            }
            if probe && self.waiting.load(Ordering::Relaxed) == 0 {
                return Polling::One;
            }
            match until.filter(|_| !probe) {
                Some(until) => {
                    let _ = tokio::time::timeout_at(self.started + until, changed).await;
                }
                None => changed.await,
            }
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
                breaker.report_probe(verdict, now, world::fraction());
            } else {
                breaker.report(verdict, now, world::fraction());
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
