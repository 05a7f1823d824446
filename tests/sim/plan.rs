//! PURE. The plan of a seed: its faults beside the storm. Most seeds have none, so that a run is short and many can run.

use std::time::Duration;

use events::{contract::UserId, journal::Watch};
use tests::{
    deployment::CONVERSATIONS,
    model::{Outage, State},
};

/// Start of an outage, since the start of the run: in the middle of the storm.
const OUTAGE_SINCE: Duration = Duration::from_secs(100);

/// Length of an outage.
const OUTAGE: Duration = Duration::from_secs(30 * 60);

/// The largest error of a clock, in seconds, in a seed whose clocks do not agree.
const SKEW_MAX_SECONDS: f64 = 30.0;

/// A message of the next major version, as an older worker receives it during a deployment.
pub(crate) const NEWER: (&str, &str) = (
    "nova-progress",
    r#"{"schema":"conversation.completed","version":"2.0","id":"0190b5a6-8a9e-5c3e-9d55-6ad1ac9d8e01","occurredAt":"2026-11-24T08:00:00Z","data":{}}"#,
);

/// A message that kills the worker that handles it.
pub(crate) const DEADLY: (&str, &str) = ("nova-transcript", "kills its worker");

/// Messages that no worker can handle, by queue.
const POISON: [(&str, &str); 3] = [
    ("nova-transcript", "not an event"),
    ("nova-alerts", r#"{"schema":"conversation.danced","version":"1.0","id":"x","data":{}}"#),
    ("nova-watchdog", r#"{"conversationId":"unknown","version":"1.0"}"#),
];

/// Number of learners.
pub(crate) const LEARNERS: u32 = 2;

/// The pipeline of a run: the production workers, or a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// The production workers.
    Real,
    /// The production workers without faults. The processes are only asked to stop.
    Calm,
    /// An analysis worker whose lease has no epoch.
    UnfencedAnalysis,
    /// A transcript worker whose messages are deleted before the effect.
    DeleteFirst,
    /// A progress worker that counts without a marker.
    Unmarked,
    /// Queues that give a message up after few receives.
    FewReceives,
    /// An erasure worker that neither waits for calls in flight nor leaves a mark against later writes.
    ForgetfulErasure,
}

/// The faults beside the storm.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A service that is not available for a time.
    pub(crate) outage: Option<Outage>,
    /// The largest error of a clock, in seconds.
    pub(crate) skew_max_seconds: f64,
    /// Messages that no worker can handle, or only a newer one, by queue.
    pub(crate) poison: Vec<(&'static str, &'static str)>,
    /// Whether the processes are asked to stop again and again.
    pub(crate) stops: bool,
    /// The number of the learner who requests the deletion of the account.
    pub(crate) deletes: Option<u32>,
    /// Whether the run continues until the watchdog has given up every conversation that is not in the journal: half an hour
    /// in which nothing else happens.
    pub(crate) awaits_watchdog: bool,
}

impl Plan {
    /// The plan of a seed. Of all seeds, every third has clocks that do not agree, every tenth a message that kills its worker,
    /// every twentieth an outage of half an hour and such a message, every twentieth processes that are asked to stop again and
    /// again, every fortieth a message of a newer version, and every tenth awaits the watchdog. Two of seven have an account
    /// deletion, so that it is combined with each of the others.
    pub(crate) fn of(seed: u64) -> Self {
        let mut poison = POISON.to_vec();
        let outage = (seed % 20 == 9).then(|| outage(seed / 20));
        poison.extend((seed % 10 == 5 || outage.is_some()).then_some(DEADLY));
        poison.extend((seed % 40 == 7).then_some(NEWER));
        Self {
            outage,
            skew_max_seconds: if seed % 3 == 1 { SKEW_MAX_SECONDS } else { 0.5 },
            poison,
            stops: seed % 20 == 13,
            deletes: matches!(seed % 7, 1 | 4).then(|| u32::try_from(seed / 7 % 2).unwrap_or(0)),
            awaits_watchdog: seed % 10 == 3,
        }
    }

    /// A plan without faults.
    pub(crate) fn calm() -> Self {
        Self {
            outage: None,
            skew_max_seconds: 0.0,
            poison: POISON.to_vec(),
            stops: false,
            deletes: None,
            awaits_watchdog: false,
        }
    }
}

/// The learner `number`.
pub(crate) fn learner(number: u32) -> UserId {
    format!("learner-{number}").parse().expect("a valid user id")
}

/// Whether the message `body` may remain at the end: it waits for a newer worker, or until the watchdog gives up a conversation
/// that is not in the journal.
pub(crate) fn may_remain(state: &State, plan: &Plan, body: &str) -> bool {
    let is_unknown = || {
        let Some(watch) = Watch::decode(body).ok() else { return false };
        let id = watch.conversation_id.to_string();
        let items = &state.dynamodb.tables[CONVERSATIONS].items;
        items.range((id.clone(), String::new())..).next().is_none_or(|((found, _), _)| *found != id)
    };
    body == NEWER.1 || (!plan.awaits_watchdog && is_unknown())
}

fn outage(number: u64) -> Outage {
    const KINDS: [(&str, (u16, &str)); 8] = [
        ("bedrock-runtime", (403, "AccessDeniedException")),
        ("dynamodb", (400, "ThrottlingException")),
        ("s3", (403, "AccessDenied")),
        ("bedrock-runtime", (429, "ThrottlingException")),
        ("dynamodb", (400, "AccessDeniedException")),
        ("s3", (503, "SlowDown")),
        ("s3", (500, "InternalError")),
        ("dynamodb", (503, "ServiceUnavailable")),
    ];
    let (service, response) = KINDS[usize::try_from(number % 8).unwrap_or(0)];
    Outage { service, response, since: OUTAGE_SINCE, until: OUTAGE_SINCE + OUTAGE }
}
