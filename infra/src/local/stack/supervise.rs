//! Starts a process of the stack again when it dies, as ECS does for a task of a service: after a delay with backoff and
//! jitter. It gives up when one process fails immediately several times in a row, and when the local cloud dies, because
//! that one stands for AWS and keeps everything in its memory.

use std::{collections::BTreeMap, time::Duration};

use events::runtime::{env, jitter::full_jitter};
use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{Part, Stack};
use crate::local::ProcessExitError;

/// The longest delay before a restart; it doubles with each immediate failure.
const RESTART_BASE: Duration = Duration::from_millis(500);

/// The longest delay before any restart.
const RESTART_CAP: Duration = Duration::from_secs(15);

/// A process that did not become healthy, or dies sooner than this after it did, has failed immediately.
const IMMEDIATE: Duration = Duration::from_secs(10);

/// This many immediate failures of one process in a row end the supervision.
const IMMEDIATE_FAILURES_MAX: u32 = 5;

/// A change that the supervision saw or made.
#[derive(Debug)]
pub enum Change<'a> {
    /// A process died, or did not become healthy.
    Failed {
        /// Which process.
        part: Part,
        /// How.
        error: &'a anyhow::Error,
        /// When it is started again.
        restart_in: Duration,
    },
    /// It runs again and is healthy.
    Restarted {
        /// Which process.
        part: Part,
    },
}

/// Why the supervision gave up.
#[derive(Debug, thiserror::Error)]
pub enum SupervisionError {
    /// The local cloud died.
    #[error("the local cloud died, and what it kept is lost")]
    Cloud(#[source] ProcessExitError),
    /// A process fails whenever it is started.
    #[error("{part} failed {IMMEDIATE_FAILURES_MAX} times in a row within {} s of its start", IMMEDIATE.as_secs())]
    Part {
        /// Which process.
        part: Part,
        /// The last failure.
        source: anyhow::Error,
    },
}

/// An end of a process that this stack did not order.
#[derive(Debug)]
pub(super) struct Death {
    /// `None` for the cloud.
    pub(super) part: Option<Part>,
    /// Since it became healthy.
    pub(super) lived: Duration,
    pub(super) error: ProcessExitError,
}

/// The immediate failures of one process since it last lived longer.
#[derive(Debug, Default)]
struct Failures(u32);

impl Failures {
    /// The delay before the restart of a process that failed after `lived`; `None` when it is not started again.
    fn restart_delay(&mut self, lived: Duration, fraction: f64) -> Option<Duration> {
        self.0 = if lived < IMMEDIATE { self.0 + 1 } else { 0 };
        (self.0 < IMMEDIATE_FAILURES_MAX)
            .then(|| full_jitter(RESTART_BASE, RESTART_CAP, self.0 + 1, fraction))
    }
}

impl Stack {
    /// Starts each process again when it dies, and reports that to `observer`. Returns only when it gives up; the other
    /// processes still run then.
    pub async fn supervise(&self, mut observer: impl FnMut(&Change<'_>)) -> SupervisionError {
        let mut failures: BTreeMap<Part, Failures> = BTreeMap::new();
        let mut restarts = FuturesUnordered::new();
        loop {
            let (part, lived, error) = tokio::select! {
                death = self.next_death() => match death {
                    Death { part: Some(part), lived, error } => (part, lived, error.into()),
                    Death { part: None, error, .. } => return SupervisionError::Cloud(error),
                },
                Some((part, restarted)) = restarts.next() => match restarted {
                    Ok(()) => {
                        observer(&Change::Restarted { part });
                        continue;
                    }
                    Err(error) => (part, Duration::ZERO, error),
                },
            };
            let delay = failures.entry(part).or_default().restart_delay(lived, env::random_fraction());
            let Some(restart_in) = delay else { return SupervisionError::Part { part, source: error } };
            observer(&Change::Failed { part, error: &error, restart_in });
            restarts.push(async move {
                tokio::time::sleep(restart_in).await;
                (part, self.restart(part).await)
            });
        }
    }

    pub(super) async fn next_death(&self) -> Death {
        let mut deaths = self.deaths.lock().await;
        let cloud = self.cloud.process();
        tokio::select! {
            // The sender lives as long as the stack, so the channel is never closed.
            Some(death) = deaths.recv() => death,
            status = cloud.wait() => Death { part: None, lived: Duration::MAX, error: cloud.died(status) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_is_given_up_after_immediate_failures_in_a_row_only() {
        let mut failures = Failures::default();
        for failed in 1..IMMEDIATE_FAILURES_MAX {
            let delay = failures.restart_delay(Duration::ZERO, 1.0);
            assert_eq!(delay, Some((RESTART_BASE * 2_u32.pow(failed)).min(RESTART_CAP)));
        }
        // A process that lived longer begins anew, however often it failed before.
        assert_eq!(failures.restart_delay(IMMEDIATE, 1.0), Some(RESTART_BASE));
        for _ in 1..IMMEDIATE_FAILURES_MAX {
            assert!(failures.restart_delay(IMMEDIATE - Duration::from_millis(1), 0.0).is_some());
        }
        assert_eq!(failures.restart_delay(Duration::ZERO, 0.0), None);
    }

    #[test]
    fn process_that_lives_is_started_again_without_end() {
        let mut failures = Failures::default();
        assert!((0..1_000).all(|_| failures.restart_delay(IMMEDIATE, 0.5).is_some()));
    }
}
