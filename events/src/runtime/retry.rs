//! Retries with seedable full jitter, an attempt limit and an absolute deadline. Only this module uses `backoff`.
//!
//! They are for errors that the AWS SDK does not retry: partial batch failures, transaction conflicts, conditional-request
//! conflicts. They are not a second layer over the retries of the SDK.
//!
//! The policy of `backoff` is not used: its jitter cannot be seeded, it has no attempt limit, its clock is not tokio's, and a
//! server's "retry after" exceeds its limits.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backoff::backoff::Backoff;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use super::{env, jitter::full_jitter};

/// How often and how fast to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest delay after the first failure.
    pub base: Duration,
    /// The longest delay after any failure.
    pub cap: Duration,
    /// Attempts, the first included.
    pub attempts_max: u32,
}

/// A failed attempt.
#[derive(Debug)]
pub enum Retry<E> {
    /// Another attempt may succeed.
    Transient {
        /// Error, returned if this was the last attempt.
        error: E,
        /// Shortest wait, as requested by the server.
        after: Option<Duration>,
    },
    /// No attempt will succeed.
    Permanent(E),
}

impl<E> Retry<E> {
    /// A transient error without a requested wait.
    pub fn transient(error: E) -> Self {
        Self::Transient { error, after: None }
    }
}

/// Runs `op` until it succeeds, fails permanently, has used its attempts, or the next attempt would start after `deadline`. A
/// running attempt is not cancelled: its own timeouts bound it.
///
/// # Errors
/// The error of the last attempt.
pub async fn retry<T, E, Op, Fut>(policy: RetryPolicy, deadline: Instant, op: Op) -> Result<T, E>
where
    Op: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Retry<E>>>,
{
    retry_seeded(policy, deadline, env::random_seed(), op).await
}

/// [`retry`] with the `seed` of its jitter.
///
/// # Errors
/// The error of the last attempt.
pub async fn retry_seeded<T, E, Op, Fut>(
    policy: RetryPolicy,
    deadline: Instant,
    seed: u64,
    op: Op,
) -> Result<T, E>
where
    Op: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Retry<E>>>,
{
    let requested = Arc::new(Mutex::new(None));
    let delays = Delays {
        policy,
        deadline,
        random: StdRng::seed_from_u64(seed),
        failures: 0,
        requested: Arc::clone(&requested),
    };
    // `backoff` calls its closure before it waits, so `op` is called by the first poll instead.
    let op = Mutex::new(op);
    backoff::future::retry(delays, || async {
        let attempt = op.lock().unwrap_or_else(PoisonError::into_inner)();
        attempt.await.map_err(|failed| match failed {
            Retry::Permanent(error) => backoff::Error::permanent(error),
            Retry::Transient { error, after } => {
                *requested.lock().unwrap_or_else(PoisonError::into_inner) = after;
                backoff::Error::transient(error)
            }
        })
    })
    .await
}

struct Delays {
    policy: RetryPolicy,
    deadline: Instant,
    random: StdRng,
    failures: u32,
    requested: Arc<Mutex<Option<Duration>>>,
}

impl Backoff for Delays {
    fn next_backoff(&mut self) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= self.policy.attempts_max {
            return None;
        }
        let fraction = self.random.random_range(0.0..=1.0);
        let jitter = full_jitter(self.policy.base, self.policy.cap, self.failures, fraction);
        let requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner).take();
        let delay = jitter.max(requested.unwrap_or_default());
        (Instant::now() + delay < self.deadline).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { base: Duration::from_secs(1), cap: Duration::from_secs(4), attempts_max: 5 };

    async fn failing(
        policy: RetryPolicy,
        seed: u64,
        after: Option<Duration>,
        within: Duration,
    ) -> Vec<Duration> {
        let start = Instant::now();
        let mut attempts = Vec::new();
        let outcome: Result<(), &str> = retry_seeded(policy, start + within, seed, || {
            attempts.push(start.elapsed());
            async move { Err(Retry::Transient { error: "no", after }) }
        })
        .await;
        assert_eq!(outcome, Err("no"));
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_capped_and_the_seed_decides_the_jitter() {
        let hour = Duration::from_secs(3600);
        let first = failing(POLICY, 7, None, hour).await;
        assert_eq!(first.len(), 5);
        assert_eq!(first, failing(POLICY, 7, None, hour).await);
        assert_ne!(first, failing(POLICY, 8, None, hour).await);
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_starts_after_the_deadline() {
        let endless = RetryPolicy { attempts_max: u32::MAX, ..POLICY };
        let within = Duration::from_secs(30);
        let attempts = failing(endless, 7, None, within).await;
        assert!(attempts.len() > 5);
        assert!(attempts.iter().all(|at| *at < within));
    }

    #[tokio::test(start_paused = true)]
    async fn wait_asked_by_the_server_is_kept_but_neither_beats_the_cap_nor_the_deadline() {
        let requested = Duration::from_secs(10);
        let attempts = failing(POLICY, 7, Some(requested), Duration::from_secs(3600)).await;
        assert_eq!(attempts.len(), 5);
        assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] >= requested));
        assert_eq!(failing(POLICY, 7, Some(requested), Duration::from_secs(9)).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn permanent_error_is_not_retried_and_success_ends_it() {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut attempts = 0;
        let outcome: Result<(), _> = retry(POLICY, deadline, || {
            attempts += 1;
            async { Err(Retry::Permanent("never")) }
        })
        .await;
        assert_eq!((outcome, attempts), (Err("never"), 1));

        let mut attempts = 0;
        let outcome: Result<u32, &str> = retry(POLICY, deadline, || {
            attempts += 1;
            let attempt = attempts;
            async move { if attempt == 3 { Ok(attempt) } else { Err(Retry::transient("not yet")) } }
        })
        .await;
        assert_eq!(outcome, Ok(3));
    }
}
