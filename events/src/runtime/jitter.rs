//! PURE. Full jitter: the delay before attempt n + 1 is uniform between zero and an exponentially growing cap.

use std::time::Duration;

/// The delay after failed attempt `attempt` (from 1): `fraction` (0 to 1, uniformly random) of
/// `min(cap, base * 2^(attempt - 1))`.
#[must_use]
pub fn full_jitter(base: Duration, cap: Duration, attempt: u32, fraction: f64) -> Duration {
    ceiling(base, cap, attempt).mul_f64(fraction.clamp(0.0, 1.0))
}

/// The longest delay after failed attempt `attempt` (from 1).
#[must_use]
pub(super) fn ceiling(base: Duration, cap: Duration, attempt: u32) -> Duration {
    let factor = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn delay_never_exceeds_the_cap_and_ceiling_never_shrinks(
            base_ms in 1u64..100_000,
            cap_ms in 1u64..1_000_000,
            attempt in 0u32..200,
            fraction in 0.0f64..=1.0,
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            prop_assert!(full_jitter(base, cap, attempt, fraction) <= cap);
            prop_assert!(ceiling(base, cap, attempt) <= ceiling(base, cap, attempt + 1));
        }
    }

    #[test]
    fn ceiling_doubles_from_the_base_to_the_cap() {
        let seconds = Duration::from_secs;
        let ceilings: Vec<_> = (1..=6).map(|attempt| ceiling(seconds(5), seconds(60), attempt)).collect();
        assert_eq!(ceilings, [5, 10, 20, 40, 60, 60].map(seconds));
    }
}
