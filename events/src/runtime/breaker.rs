//! PURE. The circuit breaker for the environment: closed while it works, open for a growing time after a failure, then half
//! open for one probe. Time is a [`Duration`] since any fixed point.

use std::time::Duration;

use super::jitter::full_jitter;

/// The longest pause after the first failure.
pub(super) const PAUSE_BASE: Duration = Duration::from_secs(2);

/// The longest pause after any failure.
pub(super) const PAUSE_CAP: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    state: State,
    /// Consecutive failures since it was last closed.
    trips: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Duration,
    },
    HalfOpen,
}

/// Whether a handler may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Yes, the breaker is closed.
    Run,
    /// Yes, as the only one: its verdict closes or reopens the breaker.
    Probe,
    /// No, not before this time.
    WaitUntil(Duration),
    /// No, not before the running probe has ended.
    WaitForProbe,
}

/// What a run says about the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Works,
    Broken,
    /// The run was cancelled before it reached a dependency, or did not happen.
    Unknown,
}

impl Breaker {
    /// Whether handlers may run without being a probe.
    #[must_use]
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Requests a run at `now`. After [`Admission::Probe`] the caller must call [`Breaker::report_probe`].
    #[must_use]
    pub(super) fn admit(&mut self, now: Duration) -> Admission {
        match self.state {
            State::Closed => Admission::Run,
            State::Open { until } if now < until => Admission::WaitUntil(until),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                Admission::Probe
            }
            State::HalfOpen => Admission::WaitForProbe,
        }
    }

    /// Reports the verdict of a run that was not a probe. It can only open the breaker, since the run may have begun before
    /// the failure.
    pub(super) fn report(&mut self, verdict: Verdict, now: Duration, fraction: f64) {
        if verdict == Verdict::Broken && self.state == State::Closed {
            self.open(now, fraction);
        }
    }

    pub(super) fn report_probe(&mut self, verdict: Verdict, now: Duration, fraction: f64) {
        match verdict {
            Verdict::Works => *self = Self::default(),
            Verdict::Broken => self.open(now, fraction),
            Verdict::Unknown => self.state = State::Open { until: now },
        }
    }

    // Half of the pause is not jittered, so that probes of a long outage stay rare.
    fn open(&mut self, now: Duration, fraction: f64) {
        self.trips = self.trips.saturating_add(1);
        let longest = full_jitter(PAUSE_BASE, PAUSE_CAP, self.trips, 1.0);
        self.state =
            State::Open { until: now + longest / 2 + (longest / 2).mul_f64(fraction.clamp(0.0, 1.0)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_probe_decides() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.admit(Duration::ZERO), Admission::Run);
        breaker.report(Verdict::Broken, Duration::ZERO, 1.0);
        assert_eq!(breaker.admit(Duration::ZERO), Admission::WaitUntil(PAUSE_BASE));
        assert_eq!(breaker.admit(PAUSE_BASE), Admission::Probe);
        assert_eq!(breaker.admit(PAUSE_BASE), Admission::WaitForProbe);

        breaker.report(Verdict::Works, PAUSE_BASE, 1.0);
        assert!(!breaker.is_closed(), "a run from before the failure proves nothing");

        breaker.report_probe(Verdict::Unknown, PAUSE_BASE, 1.0);
        assert_eq!(breaker.admit(PAUSE_BASE), Admission::Probe);
        breaker.report_probe(Verdict::Broken, PAUSE_BASE, 1.0);
        assert_eq!(breaker.admit(PAUSE_BASE), Admission::WaitUntil(PAUSE_BASE * 3));
        assert_eq!(breaker.admit(PAUSE_BASE * 3), Admission::Probe);
        breaker.report_probe(Verdict::Works, PAUSE_BASE * 3, 1.0);
        assert_eq!(breaker, Breaker::default());
    }

    proptest! {
        #[test]
        fn there_is_never_a_second_probe_and_pauses_are_bounded(
            steps in proptest::collection::vec((0u8..5, 0u64..100, 0.0f64..=1.0), 0..200),
        ) {
            let mut breaker = Breaker::default();
            let mut now = Duration::ZERO;
            let mut probing = false;
            for (step, seconds, fraction) in steps {
                now += Duration::from_secs(seconds);
                let verdict = [Verdict::Works, Verdict::Broken, Verdict::Unknown][usize::from(step % 3)];
                match step {
                    0 => match breaker.admit(now) {
                        Admission::Probe => {
                            prop_assert!(!probing);
                            probing = true;
                        }
                        Admission::WaitUntil(until) => {
                            prop_assert!(now < until && until <= now + PAUSE_CAP);
                            prop_assert!(!probing);
                        }
                        Admission::WaitForProbe => prop_assert!(probing),
                        Admission::Run => prop_assert!(!probing && breaker.is_closed()),
                    },
                    1 | 2 if probing => {
                        breaker.report_probe(verdict, now, fraction);
                        probing = false;
                    }
                    _ => breaker.report(verdict, now, fraction),
                }
            }
        }
    }
}
