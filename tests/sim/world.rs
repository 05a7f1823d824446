//! One run: the workers as processes that are killed, frozen and stopped, learners whose conversations are written
//! through the real journal, a storm, and then quiet until nothing is left to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use events::{
    contract::{Turn, UserId},
    journal::Watch,
    runtime::env::Simulated,
    workers::Worker,
};
use jiff::{SignedDuration, Timestamp};
use tests::{
    deployment::{
        AUDIO, CONVERSATIONS, EFFECTS, IMAGES, LOGS, PROGRESS, TOPICS, USERS, create_queues_and_rules,
    },
    model::{Cloud, EPOCH_MS, FaultModel, State},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    ingress, leaving, oracle,
    plan::{NEWER, Plan},
    processes,
};

/// Receives after which a wrong queue gives up, whatever spent them.
const RECEIVES_MAX_WRONG: u32 = 2;

const CONVERSATIONS_STARTED: u32 = 4;

/// Learners who have them.
pub(crate) const LEARNERS: u32 = 2;

const STORM: Duration = Duration::from_secs(300);

/// Longer than anything that was sent in the storm can still be under way.
const LATE_MAX: Duration = Duration::from_secs(160);

/// How long the queues are empty until nothing more is expected.
const QUIET: Duration = Duration::from_secs(30);

/// The longest time after the storm in which everything has to be done.
const DONE_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

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

/// What is known from outside.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By conversation and learner, the turns that the journal acknowledged.
    pub(crate) turns: Mutex<BTreeMap<(String, String), Vec<Turn>>>,
    /// Learners who were promised that their accounts are deleted.
    pub(crate) promised: Mutex<BTreeSet<String>>,
}

impl Told {
    pub(crate) fn acknowledged(&self, (id, user_id): (&str, &UserId), turn: Option<Turn>) {
        let mut told = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        told.entry((id.to_owned(), user_id.to_string())).or_default().extend(turn);
    }

    pub(crate) fn promised(&self, user_id: &UserId) {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner).insert(user_id.to_string());
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
}

/// A run. Whether its calls are written down changes nothing of what happens.
pub(crate) fn run(seed: u64, variant: Variant, traced: bool) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing");
    runtime.block_on(Box::pin(simulate(seed, variant, traced)))
}

async fn simulate(seed: u64, variant: Variant, traced: bool) -> Run {
    let epoch_ms = i64::try_from(EPOCH_MS).expect("it lies in this century");
    let epoch = Timestamp::from_millisecond(epoch_ms).expect("it lies in this century");
    let _world = Simulated::start(epoch, seed);
    let cloud = Cloud::new(seed);
    cloud.state().traced = traced;
    furnish(&cloud);
    if variant == Variant::FewReceives {
        let mut state = cloud.state();
        let queues = state.sqs.queues.values_mut();
        queues.for_each(|queue| queue.gives_up_after = Some(RECEIVES_MAX_WRONG));
    }
    let plan = if variant == Variant::Calm { Plan::calm() } else { Plan::of(seed) };
    let over = CancellationToken::new();
    let workers = processes::slots(plan.leaves.is_some());
    let replicas = processes::start(&cloud, variant, &workers, plan.skew_max_seconds, &over);
    // The processes boot before the storm, so that a run is about messages.
    tokio::time::sleep(Duration::from_secs(5)).await;
    if plan.leaves.is_some() {
        leaving::sign_up(&cloud).await;
    }
    if variant != Variant::Calm {
        let mut state = cloud.state();
        state.fault_model = FaultModel::STORM;
        state.outage = plan.outage;
    }
    let told = Arc::new(Told::default());
    for number in 0..CONVERSATIONS_STARTED {
        tokio::spawn(ingress::converse(cloud.clone(), number, plan.skew_max_seconds, Arc::clone(&told)));
    }
    if let Some(number) = plan.leaves {
        let user_id = ingress::learner(number);
        tokio::spawn(leaving::leave(cloud.clone(), user_id, plan.skew_max_seconds, Arc::clone(&told)));
    }
    plan.poison.iter().for_each(|(queue, body)| cloud.send(queue, body));
    let (what, end) = ((variant, plan.skew_max_seconds), Instant::now() + STORM);
    tokio::join!(processes::trouble(&cloud, &replicas, what, end), async {
        if plan.stops {
            processes::stops(&cloud, &replicas, end).await;
        }
    });
    cloud.state().fault_model = FaultModel::CALM;
    if let Some(outage) = plan.outage {
        let left = outage.until.saturating_sub(cloud.state().now());
        tokio::time::sleep(left).await;
    }
    let done = done(&cloud, &plan).await;
    let mut violations = oracle::judge(&cloud, &told, &plan);
    if !done {
        violations.push(format!("not done within {DONE_WITHIN:?} after the storm"));
    }
    over.cancel();
    let mut state = cloud.state();
    violations.append(&mut state.violations);
    Run { violations, trace: std::mem::take(&mut state.trace) }
}

pub(crate) fn furnish(cloud: &Cloud) {
    let mut state = cloud.state();
    create_queues_and_rules(&mut state, &Worker::ALL);
    state.create_table(CONVERSATIONS, "sessionId", Some("timestamp"));
    state.create_table(EFFECTS, "effectId", None);
    state.create_table(IMAGES, "imageId", None);
    state.create_table(PROGRESS, "userId", Some("date"));
    state.create_table(USERS, "userId", None);
    state.create_bucket(LOGS);
    state.create_bucket(AUDIO);
    TOPICS.iter().for_each(|topic| state.create_topic(topic));
}

/// Waits until every queue has been empty for a while, but for what may be left.
async fn done(cloud: &Cloud, plan: &Plan) -> bool {
    let deadline = Instant::now() + DONE_WITHIN;
    let mut empty_since = Instant::now() + LATE_MAX;
    while Instant::now() < deadline {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let empty = {
            let state = cloud.state();
            let left = Worker::ALL.iter().flat_map(|worker| &state.sqs.queues[&worker.queue_name()].messages);
            left.into_iter().all(|message| may_be_left(&state, plan, &message.body))
        };
        if !empty {
            empty_since = empty_since.max(Instant::now());
        } else if empty_since.elapsed() >= QUIET {
            return true;
        }
    }
    false
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

/// By how much the clock of a process that starts now is ahead of that of the world.
pub(crate) fn skew(cloud: &Cloud, max_seconds: f64) -> SignedDuration {
    let ahead = cloud.state().seconds(0.0, 2.0 * max_seconds).as_secs_f64() - max_seconds;
    SignedDuration::from_secs_f64(ahead)
}
