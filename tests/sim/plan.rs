//! PURE. What is special about a seed: most have a storm and nothing else, so that a run is short and there are many.

use std::time::Duration;

use events::{contract::UserId, journal::Watch};
use tests::{
    deployment::CONVERSATIONS,
    model::{Outage, State},
};

/// When an outage begins, since the start: in the middle of the storm.
const OUTAGE_SINCE: Duration = Duration::from_secs(100);

/// How long an outage lasts.
const OUTAGE: Duration = Duration::from_secs(30 * 60);

/// By how many seconds clocks may be wrong where they do not agree.
const SKEW_MAX_SECONDS: f64 = 30.0;

/// A message of the next major version, as an older worker sees it during a deployment.
pub(crate) const NEWER: (&str, &str) = (
    "nova-progress",
    r#"{"schema":"conversation.completed","version":"2.0","id":"0190b5a6-8a9e-5c3e-9d55-6ad1ac9d8e01","occurredAt":"2026-11-24T08:00:00Z","data":{}}"#,
);

/// A message that kills the worker that handles it.
pub(crate) const DEADLY: (&str, &str) = ("nova-transcript", "kills its worker");

/// Messages that nobody can handle, and where they end.
const POISON: [(&str, &str); 3] = [
    ("nova-transcript", "not an event"),
    ("nova-alerts", r#"{"schema":"conversation.danced","version":"1.0","id":"x","data":{}}"#),
    ("nova-watchdog", r#"{"conversationId":"nobody","version":"1.0"}"#),
];

/// Learners who have conversations.
pub(crate) const LEARNERS: u32 = 2;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// What is shipped.
    Real,
    /// What is shipped, without faults, with processes that are only asked to stop.
    Calm,
    /// An analysis worker whose lease has no epoch.
    UnfencedAnalysis,
    /// A transcript worker whose messages are deleted before the effect.
    DeleteFirst,
    /// A progress worker that counts without a marker.
    Unmarked,
    /// Queues that give a message up after as many receives as it may have failures.
    FewReceives,
    /// An erasure worker that neither waits for what is under way nor leaves a mark for what comes later.
    ForgetfulErasure,
}

/// What is done to the pipeline beside the storm.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// A service that is not there.
    pub(crate) outage: Option<Outage>,
    /// By how much the clock of a process may be ahead or behind, in seconds.
    pub(crate) skew_max_seconds: f64,
    /// Messages that nobody can handle, and where they are sent and end.
    pub(crate) poison: Vec<(&'static str, &'static str)>,
    /// Whether the processes are asked to stop all the time.
    pub(crate) stops: bool,
    /// The number of the learner who asks for the deletion of the account.
    pub(crate) leaves: Option<u32>,
    /// Whether it goes on until the watchdog has given up every conversation that is not in the journal, which takes half an
    /// hour in which nothing else happens.
    pub(crate) outlasts: bool,
}

impl Plan {
    /// The plan of a seed. Every third has clocks that do not agree, every tenth a message that kills, every twentieth an
    /// outage of half an hour and such a message, every twentieth processes that are asked to stop all the time, every
    /// fortieth a message of the future, two of seven a learner who leaves, so that each of
    /// the others meets one. Every tenth goes on to the very end.
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
            leaves: matches!(seed % 7, 1 | 4).then(|| u32::try_from(seed / 7 % 2).unwrap_or(0)),
            outlasts: seed % 10 == 3,
        }
    }

    /// Nothing is special.
    pub(crate) fn calm() -> Self {
        Self {
            outage: None,
            skew_max_seconds: 0.0,
            poison: POISON.to_vec(),
            stops: false,
            leaves: None,
            outlasts: false,
        }
    }
}

/// The learner with this number.
pub(crate) fn learner(number: u32) -> UserId {
    format!("learner-{number}").parse().expect("it is a user's id")
}

/// Whether nothing will come of the message with this body: it waits for a newer worker, or until the watchdog gives up a
/// conversation that is not in the journal.
pub(crate) fn may_be_left(state: &State, plan: &Plan, body: &str) -> bool {
    let is_nobodys = || {
        let Some(watch) = Watch::decode(body).ok() else { return false };
        let id = watch.conversation_id.to_string();
        let items = &state.dynamodb.tables[CONVERSATIONS].items;
        items.range((id.clone(), String::new())..).next().is_none_or(|((found, _), _)| *found != id)
    };
    body == NEWER.1 || (!plan.outlasts && is_nobodys())
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
    let (service, says) = KINDS[usize::try_from(number % 8).unwrap_or(0)];
    Outage { service, says, since: OUTAGE_SINCE, until: OUTAGE_SINCE + OUTAGE }
}
