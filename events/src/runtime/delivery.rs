//! PURE. The policy of the consumer: what to do with a message after its handler ran ([`decide`]), how an attempt may run
//! ([`run_mode`]), and when to extend a lease ([`heartbeat`]). Time is a [`Duration`] since any fixed point; randomness
//! comes in as a fraction.

use std::time::Duration;

use super::{failure::FailureKind, jitter::full_jitter};

/// The longest wait after the first failed attempt.
pub const BACKOFF_BASE: Duration = Duration::from_secs(5);

/// The longest wait after any failed attempt, unless the failure requested more.
pub const BACKOFF_CAP: Duration = Duration::from_secs(15 * 60);

/// How long a message of an unknown major version stays invisible before the next receive.
pub const PARK: Duration = Duration::from_secs(15 * 60);

/// The longest time a message waits in its worker before it returns to the queue.
pub const HOLD_MAX: Duration = Duration::from_secs(60);

/// The longest pause before a throttled handler runs again, unless the service requested more.
pub const THROTTLE_CAP: Duration = Duration::from_secs(30);

/// The longest first such pause.
pub const THROTTLE_BASE: Duration = Duration::from_secs(1);

/// The longest wait in the queue of a message that was held for [`HOLD_MAX`] while throttled or busy.
pub const BUSY_RELEASE_MAX: Duration = Duration::from_secs(60);

/// The longest jitter added to the wait of a busy message, so that messages waiting for the same thing do not all run at
/// once.
pub const BUSY_JITTER_MAX: Duration = Duration::from_secs(2);

/// Failures after which a message is dead-lettered, by default.
pub const FAILURES_MAX: u32 = 6;

/// The highest number of failures that can be configured.
pub const FAILURES_MAX_LIMIT: u32 = 10;

/// Receives that a queue must allow for each allowed failure. SQS counts every receive and gives no reason when it
/// dead-letters a message: worker restarts, crashes caused by other messages, outages and lost responses use up receives
/// too, and must not reduce the number of failures that a message may have.
pub const RECEIVES_PER_FAILURE: u32 = 10;

/// Exclusive attempts (no other handler ran in the worker) without a report after which the message counts as the cause of
/// the crashes.
pub const EXCLUSIVE_MAX: u32 = 2;

/// The dead-letter reason of a message that crashes workers.
pub const CRASHED: &str = "crashed the worker";

/// The longest invisibility of a message, counted from its receive (service limit of SQS).
pub const INVISIBLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest requested invisibility: within [`INVISIBLE_MAX`] however long the handler took.
pub const RELEASE_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// How a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed(FailureKind),
    Panicked,
    /// It was cancelled because another consumer may have the message now.
    LeaseLost,
    /// It was cancelled because the process is stopping.
    Stopped,
    /// It did not run: an earlier delivery of the message finished.
    Duplicate,
    /// It did not run: the message crashes workers.
    Crashed,
}

/// What to do with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Delete,
    /// Copy it to the dead-letter queue with this reason, then delete it.
    DeadLetter {
        reason: String,
    },
    /// Return it to the queue; it can be received again after this time.
    Release {
        /// Whole seconds.
        after: Duration,
    },
    /// Keep it and run its handler again, once this time has passed and the environment works.
    Hold {
        /// The shortest wait.
        after: Duration,
    },
    /// Nothing: this worker no longer holds it.
    Forget,
}

/// The history of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Receives as counted by SQS, this one included.
    pub receives: u32,
    /// Receives after which SQS dead-letters the message: the queue's `maxReceiveCount`.
    pub receives_max: u32,
    /// Failures after which the consumer dead-letters it.
    pub failures_max: u32,
    /// Failed attempts before this one. Attempts that met a broken environment, throttling or a busy resource do not
    /// count.
    pub failures: u32,
    /// Runs of the handler during this receive.
    pub runs: u32,
    /// Time since the message was first held during this receive.
    pub held: Duration,
}

/// How an attempt may run, given what the ledger knows of earlier attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Concurrently with other handlers.
    Shared,
    /// While no other handler runs in the worker: an earlier attempt never reported and may have crashed its worker.
    Exclusive,
    /// Not at all: [`EXCLUSIVE_MAX`] exclusive attempts never reported.
    Never,
}

/// The names of all outcomes, as in logs and metrics.
pub const OUTCOMES: [&str; 12] = [
    "done",
    "retry",
    "rejected",
    "parked",
    "environment",
    "throttled",
    "busy",
    "panicked",
    "lease_lost",
    "stopped",
    "duplicate",
    "crashed",
];

impl Outcome {
    /// The name of the outcome in logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(FailureKind::Retry { .. }) => "retry",
            Self::Failed(FailureKind::Reject { .. }) => "rejected",
            Self::Failed(FailureKind::Park) => "parked",
            Self::Failed(FailureKind::Environment | FailureKind::Unavailable { .. }) => "environment",
            Self::Failed(FailureKind::Throttled { .. }) => "throttled",
            Self::Failed(FailureKind::Busy { .. }) => "busy",
            Self::Panicked => "panicked",
            Self::LeaseLost => "lease_lost",
            Self::Stopped => "stopped",
            Self::Duplicate => "duplicate",
            Self::Crashed => "crashed",
        }
    }

    /// Whether the outcome counts as a failure of the message.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Panicked | Self::Failed(FailureKind::Retry { .. } | FailureKind::Reject { .. }))
    }
}

impl Action {
    /// The name of the action in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::DeadLetter { .. } => "dead_letter",
            Self::Release { .. } => "release",
            Self::Hold { .. } => "hold",
            Self::Forget => "forget",
        }
    }
}

impl Attempts {
    /// Whether SQS would dead-letter the message, without a reason, instead of delivering it again.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.receives >= self.receives_max
    }
}

/// Attributes the failure of a service to the message or to the environment: a service that fails for one message while
/// `others_succeed` fails because of that message.
#[must_use]
pub fn attribute(outcome: Outcome, others_succeed: bool) -> Outcome {
    if let Outcome::Failed(FailureKind::Unavailable { after }) = outcome
        && others_succeed
    {
        return Outcome::Failed(FailureKind::Retry { after });
    }
    outcome
}

/// What to do with a message whose handler ended with `outcome`.
#[must_use]
pub fn decide(outcome: &Outcome, attempts: Attempts, fraction: f64) -> Action {
    match outcome {
        Outcome::Done | Outcome::Duplicate => Action::Delete,
        Outcome::Crashed => Action::DeadLetter { reason: CRASHED.to_owned() },
        Outcome::Failed(FailureKind::Reject { reason }) => Action::DeadLetter { reason: reason.clone() },
        Outcome::Failed(FailureKind::Retry { after }) => {
            failed(attempts, after.unwrap_or_default(), fraction)
        }
        Outcome::Panicked => failed(attempts, Duration::ZERO, fraction),
        Outcome::Failed(FailureKind::Park) if attempts.is_last() => {
            Action::DeadLetter { reason: "no build that received it understands its version".to_owned() }
        }
        Outcome::Failed(FailureKind::Park) => release(PARK),
        Outcome::Failed(FailureKind::Environment) => Action::Hold { after: Duration::ZERO },
        Outcome::Failed(FailureKind::Unavailable { after }) => {
            wait(attempts, after.unwrap_or_default(), Duration::ZERO)
        }
        Outcome::Failed(FailureKind::Throttled { after }) => {
            let pause = full_jitter(THROTTLE_BASE, THROTTLE_CAP, attempts.runs, fraction);
            wait(attempts, after.unwrap_or_default(), pause)
        }
        // The handler knows how long to wait, so there is no backoff.
        Outcome::Failed(FailureKind::Busy { after }) => {
            let jitter = BUSY_JITTER_MAX.mul_f64(fraction.clamp(0.0, 1.0));
            wait(attempts, after.saturating_add(jitter), Duration::ZERO)
        }
        Outcome::Stopped => Action::Release { after: Duration::ZERO },
        Outcome::LeaseLost => Action::Forget,
    }
}

/// Retries a failed message until it has used up its allowed failures, whatever its number of receives. A message that
/// SQS would dead-letter at its next receive is held instead of released.
fn failed(attempts: Attempts, requested: Duration, fraction: f64) -> Action {
    let failures = attempts.failures.saturating_add(1);
    if failures >= attempts.failures_max {
        return Action::DeadLetter { reason: format!("failed {failures} times") };
    }
    let wait = full_jitter(BACKOFF_BASE, BACKOFF_CAP, failures, fraction).max(requested);
    if attempts.is_last() { Action::Hold { after: wait.min(RELEASE_MAX) } } else { release(wait) }
}

/// Waits for at least `requested` and `pause`. A requested wait that exceeds the remaining hold time is spent in the
/// queue and not cut short: it costs a receive and no failure.
fn wait(attempts: Attempts, requested: Duration, pause: Duration) -> Action {
    let after = requested.max(pause);
    let left = hold_max(attempts).map(|limit| limit.saturating_sub(attempts.held));
    if left.is_some_and(|left| requested > left) {
        release(after)
    } else {
        Action::Hold { after: after.min(RELEASE_MAX) }
    }
}

/// How long a message may be held in its worker. `None`: as long as its lease can be extended, because SQS would
/// dead-letter it at its next receive although it did not fail.
#[must_use]
pub fn hold_max(attempts: Attempts) -> Option<Duration> {
    (!attempts.is_last()).then_some(HOLD_MAX)
}

/// What to do with a message that was held for too long because of `outcome`. In a broken environment it gets the longest
/// backoff, so that a long outage uses few of its receives.
#[must_use]
pub fn give_up_holding(outcome: &Outcome, fraction: f64) -> Action {
    let passes_soon =
        matches!(outcome, Outcome::Failed(FailureKind::Throttled { .. } | FailureKind::Busy { .. }));
    let longest = if passes_soon { BUSY_RELEASE_MAX } else { BACKOFF_CAP };
    release(longest / 2 + (longest / 2).mul_f64(fraction.clamp(0.0, 1.0)))
}

/// How an attempt may run after an earlier one that began and never reported (`unreported`) and `exclusive` such attempts
/// that ran exclusively. On the `last` receive one of these is enough: SQS would dead-letter the message without a reason.
#[must_use]
pub fn run_mode(unreported: bool, exclusive: u32, last: bool) -> RunMode {
    if exclusive >= EXCLUSIVE_MAX || (last && exclusive > 0) {
        RunMode::Never
    } else if unreported || exclusive > 0 {
        RunMode::Exclusive
    } else {
        RunMode::Shared
    }
}

/// SQS accepts whole seconds; at least one, so that a failing message cannot spin.
fn release(after: Duration) -> Action {
    let seconds = after.min(RELEASE_MAX).as_secs_f64().ceil().max(1.0);
    Action::Release { after: Duration::from_secs_f64(seconds) }
}

/// When a lease began and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// When the message was received.
    pub received: Duration,
    /// Until when no other consumer can receive it.
    pub valid_until: Duration,
}

/// What a lease needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Nothing yet.
    Fresh,
    /// An extension by the queue's visibility timeout.
    Extend,
    /// Cancellation: another consumer may receive the message at any moment.
    Lost,
}

/// What a lease needs at `now`, in a queue with this `visibility` timeout: an extension once a third of it has passed,
/// cancellation when less than a tenth is left.
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

/// How often to check for lost leases: several times between "lost" and the moment another consumer may receive the
/// message.
#[must_use]
pub fn loss_interval(visibility: Duration) -> Duration {
    visibility / 40
}

/// How often to check for leases to extend: often enough for several attempts between "extend" and "lost".
#[must_use]
pub fn heartbeat_interval(visibility: Duration) -> Duration {
    visibility / 6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn attempts(receives: u32, failures: u32) -> Attempts {
        Attempts { receives, receives_max: 100, failures_max: 6, failures, runs: 1, held: Duration::ZERO }
    }

    fn after(action: &Action) -> Duration {
        let Action::Release { after } = action else { panic!("{action:?} is not a release") };
        *after
    }

    #[test]
    fn each_outcome_has_its_action() {
        let reject = FailureKind::Reject { reason: "why".to_owned() };
        let throttled = |after| Outcome::Failed(FailureKind::Throttled { after });
        let cases = [
            (Outcome::Done, Action::Delete),
            (Outcome::Duplicate, Action::Delete),
            (Outcome::Crashed, Action::DeadLetter { reason: "crashed the worker".to_owned() }),
            (Outcome::Failed(reject), Action::DeadLetter { reason: "why".to_owned() }),
            (Outcome::Failed(FailureKind::Park), Action::Release { after: PARK }),
            (Outcome::Failed(FailureKind::Environment), Action::Hold { after: Duration::ZERO }),
            (
                Outcome::Failed(FailureKind::Unavailable { after: Some(MINUTE) }),
                Action::Hold { after: MINUTE },
            ),
            (throttled(None), Action::Hold { after: THROTTLE_BASE / 2 }),
            (throttled(Some(MINUTE)), Action::Hold { after: MINUTE }),
            (
                Outcome::Failed(FailureKind::Busy { after: MINUTE / 2 }),
                Action::Hold { after: MINUTE / 2 + BUSY_JITTER_MAX / 2 },
            ),
            (Outcome::Stopped, Action::Release { after: Duration::ZERO }),
            (Outcome::LeaseLost, Action::Forget),
        ];
        for (outcome, action) in cases {
            assert_eq!(decide(&outcome, attempts(3, 0), 0.5), action, "{}", outcome.name());
            assert!(OUTCOMES.contains(&outcome.name()));
        }
    }

    #[test]
    fn wait_that_ends_after_a_message_may_be_held_is_waited_for_in_the_queue() {
        let asks = |after| {
            [
                FailureKind::Busy { after },
                FailureKind::Throttled { after: Some(after) },
                FailureKind::Unavailable { after: Some(after) },
            ]
        };
        for kind in asks(MINUTE / 2) {
            let act = |receives, held| {
                let attempts = Attempts { held, ..attempts(receives, 0) };
                decide(&Outcome::Failed(kind.clone()), attempts, 0.0)
            };
            let held = Action::Hold { after: MINUTE / 2 };
            assert_eq!(act(3, MINUTE / 2), held, "{kind:?}");
            let longer = MINUTE / 2 + Duration::from_millis(1);
            assert_eq!(act(3, longer), Action::Release { after: MINUTE / 2 }, "{kind:?}");
            assert_eq!(act(100, longer), held, "{kind:?}: SQS would take it away");
        }
        for kind in asks(MINUTE * 5) {
            let action = decide(&Outcome::Failed(kind.clone()), attempts(1, 0), 0.0);
            assert_eq!(action, Action::Release { after: MINUTE * 5 }, "{kind:?}");
        }
    }

    #[test]
    fn failures_are_what_ends_the_attempts_and_not_receives() {
        let failure = Outcome::Failed(FailureKind::Retry { after: None });
        for outcome in [failure, Outcome::Panicked] {
            for receives in [6, 99, 100] {
                assert_eq!(
                    decide(&outcome, attempts(receives, 5), 0.5),
                    Action::DeadLetter { reason: "failed 6 times".to_owned() }
                );
            }
            assert!(
                matches!(decide(&outcome, attempts(100, 4), 0.5), Action::Hold { .. }),
                "its last receive"
            );
            assert!(matches!(decide(&outcome, attempts(99, 4), 0.5), Action::Release { .. }));
        }
        let parked = Outcome::Failed(FailureKind::Park);
        assert!(
            matches!(decide(&parked, attempts(100, 0), 0.5), Action::DeadLetter { .. }),
            "never without a reason"
        );
    }

    #[test]
    fn message_that_never_reported_runs_alone_and_is_condemned_by_two_attempts_alone() {
        assert_eq!(run_mode(false, 0, false), RunMode::Shared);
        assert_eq!(run_mode(true, 0, true), RunMode::Exclusive);
        assert_eq!(run_mode(true, 1, false), RunMode::Exclusive);
        assert_eq!(run_mode(false, 1, false), RunMode::Exclusive);
        assert_eq!(run_mode(true, 1, true), RunMode::Never);
        assert_eq!(run_mode(true, EXCLUSIVE_MAX, false), RunMode::Never);
    }

    #[test]
    fn wait_that_was_asked_for_is_honoured_up_to_the_limit() {
        let asked = |seconds| {
            let kind = FailureKind::Retry { after: Some(Duration::from_secs(seconds)) };
            after(&decide(&Outcome::Failed(kind), attempts(1, 0), 0.0))
        };
        assert_eq!(asked(100), Duration::from_secs(100));
        assert_eq!(asked(100 * 60 * 60), RELEASE_MAX);
    }

    #[test]
    fn message_on_its_last_receive_is_held_without_limit() {
        assert_eq!(hold_max(attempts(99, 0)), Some(HOLD_MAX));
        assert_eq!(hold_max(attempts(100, 0)), None);
        assert_eq!(hold_max(attempts(101, 0)), None);
    }

    proptest! {
        #[test]
        fn backoff_is_whole_seconds_within_its_limits(
            count in 0u32..1000, fraction in 0.0f64..=1.0, asked in proptest::option::of(0u64..100_000),
        ) {
            let kind = FailureKind::Retry { after: asked.map(Duration::from_secs) };
            let most = u32::MAX;
            let held = Duration::ZERO;
            let attempts =
                Attempts { receives: 1, receives_max: most, failures_max: most, failures: count, runs: 1, held };
            let wait = after(&decide(&Outcome::Failed(kind), attempts, fraction));
            prop_assert_eq!(wait.subsec_nanos(), 0);
            prop_assert!(wait >= Duration::from_secs(1));
            prop_assert!(wait <= RELEASE_MAX);
            prop_assert!(asked.is_some() || wait <= BACKOFF_CAP);
            prop_assert!(wait >= Duration::from_secs(asked.unwrap_or(0)).min(RELEASE_MAX));
            prop_assert!(after(&decide(&Outcome::Panicked, attempts, fraction)) <= BACKOFF_CAP);
            let environment = Outcome::Failed(FailureKind::Environment);
            let given_up = after(&give_up_holding(&environment, fraction));
            prop_assert!(given_up >= BACKOFF_CAP / 2 && given_up <= BACKOFF_CAP);
            if let Some(asked) = asked.map(Duration::from_secs) {
                let busy = Outcome::Failed(FailureKind::Busy { after: asked });
                let action = decide(&busy, Attempts { runs: count, ..attempts }, fraction);
                let (Action::Hold { after: wait } | Action::Release { after: wait }) = action else {
                    return Err(TestCaseError::fail("it does not wait"));
                };
                prop_assert!(wait >= asked.min(RELEASE_MAX));
                prop_assert!(wait <= asked + BUSY_JITTER_MAX + Duration::from_secs(1), "however often it ran");
            }
            let throttled = Outcome::Failed(FailureKind::Throttled { after: None });
            prop_assert!(after(&give_up_holding(&throttled, fraction)) <= BUSY_RELEASE_MAX);
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
