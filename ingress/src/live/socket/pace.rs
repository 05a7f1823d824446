//! PURE. A rate limit as a leaky bucket, which empties at the pace of time: it accepts bursts up to a size, and on average no
//! more than the rate. Time is a value.

use std::time::{Duration, Instant};

/// See the module. Costs are given as the time in which they leak out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    burst: Duration,
    /// When the bucket will be empty.
    empty_at: Instant,
}

impl Bucket {
    /// An empty bucket with room for `burst`.
    pub(super) fn new(burst: Duration, now: Instant) -> Self {
        Self { burst, empty_at: now }
    }

    /// Adds `cost`, also beyond the size of the bucket.
    pub(super) fn fill(&mut self, cost: Duration, now: Instant) {
        self.empty_at = self.empty_at.max(now) + cost;
    }

    /// Adds `cost` if there is room for it. Returns whether there was.
    pub(super) fn take(&mut self, cost: Duration, now: Instant) -> bool {
        let room = self.empty_at.max(now) + cost <= now + self.burst;
        if room {
            self.fill(cost, now);
        }
        room
    }

    /// Until when the bucket is overfull; `None` if it is not.
    pub(super) fn full_until(&self, now: Instant) -> Option<Instant> {
        (self.empty_at > now + self.burst).then(|| self.empty_at - self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_only_what_time_has_made_room_for() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let second = Duration::from_secs(1);
        let mut bucket = Bucket::new(3 * second, start);
        assert!((0..3).all(|_| bucket.take(second, start)));
        assert!(!bucket.take(second, start));
        assert!(bucket.take(second, at(1)));
        assert!(!bucket.take(second, at(1)));
        assert!((0..3).all(|_| bucket.take(second, at(100))));
        assert!(!bucket.take(second, at(100)));
    }

    #[test]
    fn what_is_too_much_is_waited_out() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut bucket = Bucket::new(2 * second, start);
        bucket.fill(2 * second, start);
        assert_eq!(bucket.full_until(start), None);
        bucket.fill(3 * second, start);
        assert_eq!(bucket.full_until(start), Some(start + 3 * second));
        assert_eq!(bucket.full_until(start + 3 * second), None);
    }
}
