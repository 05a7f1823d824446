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

/// How long a message waits in its worker before it is given back to the queue.
pub const HOLD_MAX: Duration = Duration::from_secs(60);

/// The longest pause before a throttled handler runs again, unless the service asked for more.
pub const THROTTLE_CAP: Duration = Duration::from_secs(30);

/// The longest first such pause.
pub const THROTTLE_BASE: Duration = Duration::from_secs(1);

/// The longest wait of a message that waited in vain for somebody else, or to be throttled no more.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// By how much a wait for somebody else, or for a moment, is longer than was asked for, at the most: so that those that
/// wait for the same do not all come at once.
pub const BUSY_JITTER_MAX: Duration = Duration::from_secs(2);

/// Failures that end a message's attempts, unless the configuration says otherwise.
pub const FAILURES_MAX: u32 = 6;

/// The most failures that may end a message's attempts.
pub const FAILURES_MAX_LIMIT: u32 = 10;

/// Receives that a queue has to allow for each failure that ends a message's attempts. SQS counts every receive and gives
/// no reason when it gives up: a worker that stops or dies, an outage, a lost answer, a neighbour that kills the process
/// spend them too, and must have nothing to do with how often a message may fail.
pub const RECEIVES_PER_FAILURE: u32 = 10;

/// Attempts that began while nothing else ran in their worker and never reported, after which a message is what kills
/// workers.
pub const ALONE_MAX: u32 = 2;

/// The reason in the dead-letter queue of a message that kills workers.
pub const CRASHED: &str = "crashed the worker";

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
    /// It did not run: the message was finished before.
    Duplicate,
    /// It did not run: the message kills workers.
    Crashed,
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
    /// Keep it and run its handler again, not before this time and when the environment works.
    Hold {
        /// The least wait.
        after: Duration,
    },
    /// Nothing: it is no longer ours.
    Forget,
}

/// How often a message was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// Receives, this one included. SQS counts them, whatever became of them.
    pub receives: u32,
    /// Receives after which SQS gives up: the queue's `maxReceiveCount`.
    pub receives_max: u32,
    /// Failures that end its attempts.
    pub failures_max: u32,
    /// Attempts that failed before this one. Those that met a broken environment, a throttle or somebody else are not
    /// among them.
    pub failures: u32,
    /// How often its handler ran in a row during this receive.
    pub runs: u32,
    /// For how long it was held during this receive.
    pub held: Duration,
}

/// How an attempt may run, from what the ledger knows of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Beside others.
    Together,
    /// While nothing else runs in the worker: an earlier attempt never reported, and it may have been the one that
    /// killed its worker.
    Alone,
    /// Not at all: [`ALONE_MAX`] attempts that ran alone never reported.
    Condemned,
}

/// The names of all outcomes.
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

    /// Whether the attempt failed by itself. Everything else is not counted against the message.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Panicked | Self::Failed(FailureKind::Retry { .. } | FailureKind::Reject { .. }) => true,
            Self::Failed(
                FailureKind::Park
                | FailureKind::Environment
                | FailureKind::Unavailable { .. }
                | FailureKind::Throttled { .. }
                | FailureKind::Busy { .. },
            )
            | Self::Done
            | Self::LeaseLost
            | Self::Stopped
            | Self::Duplicate
            | Self::Crashed => false,
        }
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

impl Tries {
    /// Whether SQS would give up on the message if it were given back now, without a reason.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.receives >= self.receives_max
    }
}

/// Whose fault an outcome is that can be the message's or the environment's: a service that fails for one message while
/// `others_succeed` fails because of that message.
#[must_use]
pub fn blame(outcome: Outcome, others_succeed: bool) -> Outcome {
    if let Outcome::Failed(FailureKind::Unavailable { after }) = outcome
        && others_succeed
    {
        return Outcome::Failed(FailureKind::Retry { after });
    }
    outcome
}

/// What is done with a message whose handler ended with `outcome`.
#[must_use]
pub fn decide(outcome: &Outcome, tries: Tries, fraction: f64) -> Action {
    match outcome {
        Outcome::Done | Outcome::Duplicate => Action::Delete,
        Outcome::Crashed => Action::DeadLetter { reason: CRASHED.to_owned() },
        Outcome::Failed(FailureKind::Reject { reason }) => Action::DeadLetter { reason: reason.clone() },
        Outcome::Failed(FailureKind::Retry { after }) => failed(tries, after.unwrap_or_default(), fraction),
        Outcome::Panicked => failed(tries, Duration::ZERO, fraction),
        Outcome::Failed(FailureKind::Park) if tries.is_last() => {
            Action::DeadLetter { reason: "no build that received it understands its version".to_owned() }
        }
        Outcome::Failed(FailureKind::Park) => release(PARK),
        Outcome::Failed(FailureKind::Environment) => Action::Hold { after: Duration::ZERO },
        Outcome::Failed(FailureKind::Unavailable { after }) => {
            wait(tries, after.unwrap_or_default(), Duration::ZERO)
        }
        Outcome::Failed(FailureKind::Throttled { after }) => {
            let pause = full_jitter(THROTTLE_BASE, THROTTLE_CAP, tries.runs, fraction);
            wait(tries, after.unwrap_or_default(), pause)
        }
        // Who asks knows how long it takes: the wait grows with nothing.
        Outcome::Failed(FailureKind::Busy { after }) => {
            let jitter = BUSY_JITTER_MAX.mul_f64(fraction.clamp(0.0, 1.0));
            wait(tries, after.saturating_add(jitter), Duration::ZERO)
        }
        Outcome::Stopped => Action::Release { after: Duration::ZERO },
        Outcome::LeaseLost => Action::Forget,
    }
}

/// A failure is tried again until it has failed as often as is allowed: receives that were spent for other reasons do not
/// shorten that. A message that SQS would take away on its next receive is kept instead.
fn failed(tries: Tries, asked: Duration, fraction: f64) -> Action {
    let failures = tries.failures.saturating_add(1);
    if failures >= tries.failures_max {
        return Action::DeadLetter { reason: format!("failed {failures} times") };
    }
    let wait = full_jitter(BACKOFF_BASE, BACKOFF_CAP, failures, fraction).max(asked);
    if tries.is_last() { Action::Hold { after: wait.min(RELEASE_MAX) } } else { release(wait) }
}

/// Waits for at least as long as was `asked`, and `pause`. What ends later than the message may be held is waited for in
/// the queue, and not cut short: that costs a receive and no failure.
fn wait(tries: Tries, asked: Duration, pause: Duration) -> Action {
    let after = asked.max(pause);
    let left = hold_max(tries).map(|limit| limit.saturating_sub(tries.held));
    if left.is_some_and(|left| asked > left) {
        release(after)
    } else {
        Action::Hold { after: after.min(RELEASE_MAX) }
    }
}

/// How long a message may be held in its worker. `None`: as long as its lease can be kept, because the queue would
/// dead-letter it at its next receive, and what it waits for is not its fault.
#[must_use]
pub fn hold_max(tries: Tries) -> Option<Duration> {
    (!tries.is_last()).then_some(HOLD_MAX)
}

/// What becomes of a message that was held for too long because of `outcome`: in a broken environment the longest
/// backoff, so that a long outage spends few of its receives.
#[must_use]
pub fn give_up_holding(outcome: &Outcome, fraction: f64) -> Action {
    let passes_soon =
        matches!(outcome, Outcome::Failed(FailureKind::Throttled { .. } | FailureKind::Busy { .. }));
    let longest = if passes_soon { PATIENCE } else { BACKOFF_CAP };
    release(longest / 2 + (longest / 2).mul_f64(fraction.clamp(0.0, 1.0)))
}

/// How an attempt may run when an earlier one began and never reported (`unreported`), and `alone` attempts that had
/// the worker for themselves never reported. On its `last` receive one of those is enough: SQS would take the message
/// away without a reason.
#[must_use]
pub fn standing(unreported: bool, alone: u32, last: bool) -> Standing {
    if alone >= ALONE_MAX || (last && alone > 0) {
        Standing::Condemned
    } else if unreported || alone > 0 {
        Standing::Alone
    } else {
        Standing::Together
    }
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

    fn tries(receives: u32, failures: u32) -> Tries {
        Tries { receives, receives_max: 100, failures_max: 6, failures, runs: 1, held: Duration::ZERO }
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
            assert_eq!(decide(&outcome, tries(3, 0), 0.5), action, "{}", outcome.name());
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
                let tries = Tries { held, ..tries(receives, 0) };
                decide(&Outcome::Failed(kind.clone()), tries, 0.0)
            };
            let held = Action::Hold { after: MINUTE / 2 };
            assert_eq!(act(3, MINUTE / 2), held, "{kind:?}");
            let longer = MINUTE / 2 + Duration::from_millis(1);
            assert_eq!(act(3, longer), Action::Release { after: MINUTE / 2 }, "{kind:?}");
            assert_eq!(act(100, longer), held, "{kind:?}: SQS would take it away");
        }
        for kind in asks(MINUTE * 5) {
            let action = decide(&Outcome::Failed(kind.clone()), tries(1, 0), 0.0);
            assert_eq!(action, Action::Release { after: MINUTE * 5 }, "{kind:?}");
        }
    }

    #[test]
    fn failures_are_what_ends_the_attempts_and_not_receives() {
        let failure = Outcome::Failed(FailureKind::Retry { after: None });
        for outcome in [failure, Outcome::Panicked] {
            for receives in [6, 99, 100] {
                assert_eq!(
                    decide(&outcome, tries(receives, 5), 0.5),
                    Action::DeadLetter { reason: "failed 6 times".to_owned() }
                );
            }
            assert!(matches!(decide(&outcome, tries(100, 4), 0.5), Action::Hold { .. }), "its last receive");
            assert!(matches!(decide(&outcome, tries(99, 4), 0.5), Action::Release { .. }));
        }
        let parked = Outcome::Failed(FailureKind::Park);
        assert!(
            matches!(decide(&parked, tries(100, 0), 0.5), Action::DeadLetter { .. }),
            "never without a reason"
        );
    }

    #[test]
    fn message_that_never_reported_runs_alone_and_is_condemned_by_two_attempts_alone() {
        assert_eq!(standing(false, 0, false), Standing::Together);
        assert_eq!(standing(true, 0, true), Standing::Alone);
        assert_eq!(standing(true, 1, false), Standing::Alone);
        assert_eq!(standing(false, 1, false), Standing::Alone);
        assert_eq!(standing(true, 1, true), Standing::Condemned);
        assert_eq!(standing(true, ALONE_MAX, false), Standing::Condemned);
    }

    #[test]
    fn wait_that_was_asked_for_is_honoured_up_to_the_limit() {
        let asked = |seconds| {
            let kind = FailureKind::Retry { after: Some(Duration::from_secs(seconds)) };
            after(&decide(&Outcome::Failed(kind), tries(1, 0), 0.0))
        };
        assert_eq!(asked(100), Duration::from_secs(100));
        assert_eq!(asked(100 * 60 * 60), RELEASE_MAX);
    }

    #[test]
    fn message_on_its_last_receive_is_held_without_limit() {
        assert_eq!(hold_max(tries(99, 0)), Some(HOLD_MAX));
        assert_eq!(hold_max(tries(100, 0)), None);
        assert_eq!(hold_max(tries(101, 0)), None);
    }

    proptest! {
        #[test]
        fn backoff_is_whole_seconds_within_its_limits(
            count in 0u32..1000, fraction in 0.0f64..=1.0, asked in proptest::option::of(0u64..100_000),
        ) {
            let kind = FailureKind::Retry { after: asked.map(Duration::from_secs) };
            let most = u32::MAX;
            let held = Duration::ZERO;
            let tries =
                Tries { receives: 1, receives_max: most, failures_max: most, failures: count, runs: 1, held };
            let wait = after(&decide(&Outcome::Failed(kind), tries, fraction));
            prop_assert_eq!(wait.subsec_nanos(), 0);
            prop_assert!(wait >= Duration::from_secs(1));
            prop_assert!(wait <= RELEASE_MAX);
            prop_assert!(asked.is_some() || wait <= BACKOFF_CAP);
            prop_assert!(wait >= Duration::from_secs(asked.unwrap_or(0)).min(RELEASE_MAX));
            prop_assert!(after(&decide(&Outcome::Panicked, tries, fraction)) <= BACKOFF_CAP);
            let environment = Outcome::Failed(FailureKind::Environment);
            let given_up = after(&give_up_holding(&environment, fraction));
            prop_assert!(given_up >= BACKOFF_CAP / 2 && given_up <= BACKOFF_CAP);
            if let Some(asked) = asked.map(Duration::from_secs) {
                let busy = Outcome::Failed(FailureKind::Busy { after: asked });
                let action = decide(&busy, Tries { runs: count, ..tries }, fraction);
                let (Action::Hold { after: wait } | Action::Release { after: wait }) = action else {
                    return Err(TestCaseError::fail("it does not wait"));
                };
                prop_assert!(wait >= asked.min(RELEASE_MAX));
                prop_assert!(wait <= asked + BUSY_JITTER_MAX + Duration::from_secs(1), "however often it ran");
            }
            let throttled = Outcome::Failed(FailureKind::Throttled { after: None });
            prop_assert!(after(&give_up_holding(&throttled, fraction)) <= PATIENCE);
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
