//! PURE. The number of handlers that may run at once: one more for each round of successes, half as many after throttling
//! (additive increase, multiplicative decrease, as in TCP). Time is a [`Duration`] since any fixed point.

use std::time::Duration;

/// The limit is kept in thousandths, so that fractions of a handler are integers.
const ONE: u64 = 1000;

/// The limit of one worker, between 1 and the configured maximum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    thousandths_max: u64,
    thousandths: u64,
    cut_at: Option<Duration>,
}

impl Limit {
    /// Starts at the configured maximum.
    #[must_use]
    pub(super) fn new(max: u32) -> Self {
        let thousandths_max = u64::from(max.max(1)) * ONE;
        Self { thousandths_max, thousandths: thousandths_max, cut_at: None }
    }

    /// The present limit.
    #[must_use]
    pub(super) fn now(&self) -> usize {
        usize::try_from(self.thousandths / ONE).unwrap_or(usize::MAX)
    }

    /// Records a run that was not throttled.
    pub(super) fn succeeded(&mut self) {
        self.thousandths = (self.thousandths + ONE * ONE / self.thousandths).min(self.thousandths_max);
    }

    /// Records that a run that began at `began` was throttled at `now`. Runs that began before the last reduction do not
    /// reduce the limit again.
    pub(super) fn throttled(&mut self, began: Duration, now: Duration) {
        if self.cut_at.is_some_and(|cut| began < cut) {
            return;
        }
        self.thousandths = (self.thousandths / 2).max(ONE);
        self.cut_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_round_of_throttles_halves_once_and_a_round_of_successes_adds_one() {
        let mut limit = Limit::new(16);
        for _ in 0..16 {
            limit.throttled(SECOND, SECOND * 2);
        }
        assert_eq!(limit.now(), 8);
        limit.throttled(SECOND * 3, SECOND * 4);
        assert_eq!(limit.now(), 4);
        for _ in 0..5 {
            limit.succeeded();
        }
        assert_eq!(limit.now(), 5);
    }

    proptest! {
        #[test]
        fn limit_stays_within_its_bounds_and_recovers(
            max in 1u32..300, steps in proptest::collection::vec((any::<bool>(), 0u64..5), 0..400),
        ) {
            let mut limit = Limit::new(max);
            let mut now = Duration::ZERO;
            for (throttled, seconds) in steps {
                let began = now;
                now += SECOND * u32::try_from(seconds).unwrap();
                let before = limit.now();
                if throttled {
                    limit.throttled(began, now);
                    prop_assert!(limit.now() <= before && limit.now() >= before / 2);
                } else {
                    limit.succeeded();
                    prop_assert!(limit.now() >= before && limit.now() <= before + 1);
                }
                prop_assert!((1..=usize::try_from(max).unwrap()).contains(&limit.now()));
            }
            for _ in 0..u64::from(max) * u64::from(max) + 100 {
                limit.succeeded();
            }
            prop_assert_eq!(limit.now(), usize::try_from(max).unwrap());
        }
    }
}
