//! PURE. What is done with a message: after its handler, on the clock of its lease, and while the environment is
//! broken. Time is a [`Duration`] since any fixed point; randomness comes in as a fraction.

use std::time::Duration;

use super::{failure::FailureKind, jitter::full_jitter};

/// The longest wait after the first failed attempt.
pub const BACKOFF_BASE: Duration = Duration::from_secs(5);

/// The longest wait after any failed attempt, unless the failure asked for more.
pub const BACKOFF_CAP: Duration = Duration::from_secs(15 * 60);

/// How long a message of an unknown major version is put aside.
pub const PARK: Duration = Duration::from_secs(15 * 60);

/// How long a message waits in its worker for a broken environment before it is given back to the queue.
pub const HOLD_MAX: Duration = Duration::from_secs(60);

/// SQS: the longest invisibility of a message, counted from its receive.
pub const INVISIBLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest wait that is asked of SQS: within [`INVISIBLE_MAX`] however long the handler took.
pub const RELEASE_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// How a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed.
    Failed(FailureKind),
    /// It panicked.
    Panicked,
    /// It was cancelled because somebody else may have the message now.
    LeaseLost,
    /// It was cancelled because the process stops.
    Stopped,
}

/// What is done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Delete it.
    Delete,
    /// Copy it to the dead-letter queue with this reason, then delete it.
    DeadLetter {
        /// The reason.
        reason: String,
    },
    /// Give it back; it is received again after this time.
    Release {
        /// Whole seconds.
        after: Duration,
    },
    /// Keep it and run its handler again when the environment works.
    Hold,
    /// Nothing: it is no longer ours.
    Forget,
}

impl Outcome {
    /// The name of the outcome in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(FailureKind::Retry { .. }) => "retry",
            Self::Failed(FailureKind::Reject { .. }) => "rejected",
            Self::Failed(FailureKind::Park) => "parked",
            Self::Failed(FailureKind::Environment) => "environment",
            Self::Panicked => "panicked",
            Self::LeaseLost => "lease_lost",
            Self::Stopped => "stopped",
        }
    }
}

/// What is done with a message that was received `receive_count` times and whose handler ended with `outcome`.
#[must_use]
pub fn decide(outcome: &Outcome, receive_count: u32, fraction: f64) -> Action {
    match outcome {
        Outcome::Done => Action::Delete,
        Outcome::Failed(FailureKind::Reject { reason }) => Action::DeadLetter { reason: reason.clone() },
        Outcome::Failed(FailureKind::Retry { after }) => {
            release(backoff(receive_count, fraction).max(after.unwrap_or_default()))
        }
        Outcome::Panicked => release(backoff(receive_count, fraction)),
        Outcome::Failed(FailureKind::Park) => release(PARK),
        Outcome::Failed(FailureKind::Environment) => Action::Hold,
        Outcome::Stopped => Action::Release { after: Duration::ZERO },
        Outcome::LeaseLost => Action::Forget,
    }
}

/// How long a held message may wait for the environment, and what becomes of it then. `None`: as long as its lease
/// can be kept, because the queue would dead-letter it at its next receive, and a broken environment must not.
#[must_use]
pub fn hold_max(receive_count: u32, receive_count_max: u32) -> Option<Duration> {
    (receive_count < receive_count_max).then_some(HOLD_MAX)
}

/// What becomes of a message that was held for too long: the longest backoff, so that a long outage spends few of
/// its receives.
#[must_use]
pub fn give_up_holding(fraction: f64) -> Action {
    release(BACKOFF_CAP / 2 + (BACKOFF_CAP / 2).mul_f64(fraction.clamp(0.0, 1.0)))
}

fn backoff(receive_count: u32, fraction: f64) -> Duration {
    full_jitter(BACKOFF_BASE, BACKOFF_CAP, receive_count, fraction)
}

/// SQS takes whole seconds; at least one, so that a failing message cannot spin.
fn release(after: Duration) -> Action {
    let seconds = after.min(RELEASE_MAX).as_secs_f64().ceil().max(1.0);
    Action::Release { after: Duration::from_secs_f64(seconds) }
}

/// The times of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// When the message was received.
    pub received: Duration,
    /// Until when nobody else can receive it.
    pub valid_until: Duration,
}

/// What a lease needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Nothing yet.
    Fresh,
    /// To be extended by the queue's visibility timeout.
    Extend,
    /// To be given up: somebody else may receive the message at any moment.
    Lost,
}

/// What a lease needs `now`, in a queue with this `visibility` timeout: an extension once a third of it has passed,
/// to be given up when less than a tenth is left.
#[must_use]
pub fn heartbeat(lease: LeaseTimes, now: Duration, visibility: Duration) -> Heartbeat {
    let left = lease.valid_until.saturating_sub(now);
    let extended = now + visibility;
    if left <= visibility / 10 {
        Heartbeat::Lost
    } else if left <= visibility * 2 / 3 && extended < lease.received + INVISIBLE_MAX {
        Heartbeat::Extend
    } else {
        Heartbeat::Fresh
    }
}

/// How often leases are looked at for losses: several times between "lost" and the moment others may receive the message.
#[must_use]
pub fn loss_interval(visibility: Duration) -> Duration {
    visibility / 40
}

/// How often leases are looked at for extensions: often enough for several attempts between "extend" and "lost".
#[must_use]
pub fn heartbeat_interval(visibility: Duration) -> Duration {
    visibility / 6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn after(action: &Action) -> Duration {
        let Action::Release { after } = action else { panic!("{action:?} is not a release") };
        *after
    }

    #[test]
    fn each_outcome_has_its_action() {
        let reject = FailureKind::Reject { reason: "why".to_owned() };
        let cases = [
            (Outcome::Done, Action::Delete),
            (Outcome::Failed(reject), Action::DeadLetter { reason: "why".to_owned() }),
            (Outcome::Failed(FailureKind::Park), Action::Release { after: PARK }),
            (Outcome::Failed(FailureKind::Environment), Action::Hold),
            (Outcome::Stopped, Action::Release { after: Duration::ZERO }),
            (Outcome::LeaseLost, Action::Forget),
        ];
        for (outcome, action) in cases {
            assert_eq!(decide(&outcome, 3, 0.5), action, "{}", outcome.name());
        }
    }

    #[test]
    fn wait_that_was_asked_for_is_honoured_up_to_the_limit() {
        let asked = |seconds| {
            let kind = FailureKind::Retry { after: Some(Duration::from_secs(seconds)) };
            after(&decide(&Outcome::Failed(kind), 1, 0.0))
        };
        assert_eq!(asked(100), Duration::from_secs(100));
        assert_eq!(asked(100 * 60 * 60), RELEASE_MAX);
    }

    #[test]
    fn message_on_its_last_receive_is_held_without_limit() {
        assert_eq!(hold_max(5, 6), Some(HOLD_MAX));
        assert_eq!(hold_max(6, 6), None);
        assert_eq!(hold_max(7, 6), None);
    }

    proptest! {
        #[test]
        fn backoff_is_whole_seconds_within_its_limits(
            count in 0u32..1000, fraction in 0.0f64..=1.0, asked in proptest::option::of(0u64..100_000),
        ) {
            let kind = FailureKind::Retry { after: asked.map(Duration::from_secs) };
            let wait = after(&decide(&Outcome::Failed(kind), count, fraction));
            prop_assert_eq!(wait.subsec_nanos(), 0);
            prop_assert!(wait >= Duration::from_secs(1));
            prop_assert!(wait <= RELEASE_MAX);
            prop_assert!(asked.is_some() || wait <= BACKOFF_CAP);
            prop_assert!(wait >= Duration::from_secs(asked.unwrap_or(0)).min(RELEASE_MAX));
            prop_assert!(after(&decide(&Outcome::Panicked, count, fraction)) <= BACKOFF_CAP);
            let given_up = after(&give_up_holding(fraction));
            prop_assert!(given_up >= BACKOFF_CAP / 2 && given_up <= BACKOFF_CAP);
        }

        /// A lease that is extended whenever it asks is never lost, and one that never is, is lost in time.
        #[test]
        fn lease_is_kept_by_extensions_and_lost_without(visibility_s in 6u64..900, answered in any::<bool>()) {
            let visibility = Duration::from_secs(visibility_s);
            let mut lease = LeaseTimes { received: MINUTE, valid_until: MINUTE + visibility };
            let mut now = MINUTE;
            for _ in 0..40 {
                now += heartbeat_interval(visibility);
                match heartbeat(lease, now, visibility) {
                    Heartbeat::Fresh => {}
                    Heartbeat::Extend => if answered { lease.valid_until = now + visibility },
                    Heartbeat::Lost => {
                        prop_assert!(!answered);
                        prop_assert!(now <= lease.valid_until);
                        return Ok(());
                    }
                }
            }
            prop_assert!(answered);
        }

        #[test]
        fn lease_is_never_extended_past_what_sqs_allows(visibility_s in 6u64..43_200, at in 0u64..50_000) {
            let visibility = Duration::from_secs(visibility_s);
            let now = MINUTE + Duration::from_secs(at);
            let lease = LeaseTimes { received: MINUTE, valid_until: now + visibility / 2 };
            if heartbeat(lease, now, visibility) == Heartbeat::Extend {
                prop_assert!(now + visibility < MINUTE + INVISIBLE_MAX);
            }
        }
    }
}
