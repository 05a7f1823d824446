//! Delays of stamped audio ([`super::stamp`]): the clock that all processes of a machine share, and the distribution of the
//! delays.

use std::time::Duration;

use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Longer delays are counted as this one, in microseconds.
const MICROS_MAX: u64 = 60_000_000;

/// Precision of the distribution: values differ by one part in a thousand.
const SIGNIFICANT_DIGITS: u8 = 3;

/// A distribution in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// 999 of 1000 took no longer.
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// What was measured. Its memory does not grow.
#[derive(Debug)]
pub(crate) struct Delays(Histogram<u64>);

impl Default for Delays {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MICROS_MAX, SIGNIFICANT_DIGITS);
        Self(histogram.expect("the bounds of the histogram are valid constants"))
    }
}

impl Delays {
    pub(crate) fn record(&mut self, delay: Duration) {
        self.0.saturating_record(u64::try_from(delay.as_micros()).unwrap_or(MICROS_MAX));
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    pub(crate) fn latency(&self) -> Latency {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        Latency {
            count: self.0.len(),
            p50_ms: ms(self.0.value_at_quantile(0.5)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            p999_ms: ms(self.0.value_at_quantile(0.999)),
            max_ms: ms(self.0.max()),
        }
    }
}

/// The machine's monotonic clock (`CLOCK_MONOTONIC`), the same for all of its processes.
pub(crate) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
    now.expect("POSIX demands this clock of every system that has its timers").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_has_its_quantiles_and_bounds() {
        let mut delays = Delays::default();
        assert_eq!(delays.latency(), Latency::default());
        for ms in 1..=100 {
            delays.record(Duration::from_millis(ms));
        }
        let latency = delays.latency();
        assert_eq!(latency.count, 100);
        assert!((latency.p50_ms - 50.0).abs() < 0.1, "{latency:?}");
        assert!((latency.p99_ms - 99.0).abs() < 0.1, "{latency:?}");
        assert!((latency.max_ms - 100.0).abs() < 0.1, "{latency:?}");
        delays.record(Duration::from_secs(3_600));
        assert!((delays.latency().max_ms - 60_000.0).abs() < 60.0);
        delays.clear();
        assert_eq!(delays.latency(), Latency::default());
    }

    #[test]
    fn the_clock_goes_forward() {
        let before = monotonic();
        assert!(before > Duration::ZERO && monotonic() >= before);
    }
}
