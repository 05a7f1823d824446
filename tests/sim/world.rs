//! One run of the simulation: the workers as processes that are killed, frozen and stopped, conversations that are written
//! through the real journal, a storm of faults, and then a quiet period until the queues are empty.

use std::{sync::Arc, time::Duration};

use events::{runtime::env::Simulated, workers::Worker};
use tests::{
    deployment::{
        AUDIO, CONVERSATIONS, EFFECTS, IMAGES, LOGS, PROGRESS, SESSIONS, TOPICS, USERS,
        create_queues_and_rules,
    },
    journalled::Acknowledgements,
    model::{Cloud, FaultModel},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    account_deletion, actual, ingress,
    plan::{Plan, Variant, learner, may_remain},
    processes, small_scale,
};

/// Receives after which a queue of the mutant `FewReceives` gives a message up.
const RECEIVES_MAX_WRONG: u32 = 2;

const CONVERSATIONS_STARTED: u32 = 4;

const STORM: Duration = Duration::from_secs(300);

/// Longer than any message of the storm can still be delayed.
const LATE_MAX: Duration = Duration::from_secs(160);

/// For how long the queues must be empty at the end.
const QUIET: Duration = Duration::from_secs(30);

/// The longest time from the end of the storm to empty queues.
const DONE_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
}

/// Runs a seed. `traced` records its calls and changes nothing else.
pub(crate) fn run(seed: u64, variant: Variant, traced: bool) -> Run {
    small_scale::runtime().block_on(Box::pin(simulate(seed, variant, traced)))
}

async fn simulate(seed: u64, variant: Variant, traced: bool) -> Run {
    let _simulated = Simulated::start(small_scale::epoch(), seed);
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
    let workers = processes::slots(plan.deletes.is_some());
    let replicas = processes::start(&cloud, variant, &workers, plan.skew_max_seconds, &over);
    // The processes start before the storm: the run tests messages, not starts.
    tokio::time::sleep(Duration::from_secs(5)).await;
    if plan.deletes.is_some() {
        account_deletion::sign_up(&cloud).await;
    }
    if variant != Variant::Calm {
        let mut state = cloud.state();
        state.fault_model = FaultModel::STORM;
        state.outage = plan.outage;
    }
    let acknowledgements = Arc::new(Acknowledgements::default());
    for number in 0..CONVERSATIONS_STARTED {
        tokio::spawn(ingress::run(
            cloud.clone(),
            number,
            plan.skew_max_seconds,
            Arc::clone(&acknowledgements),
        ));
    }
    if let Some(number) = plan.deletes {
        let user_id = learner(number);
        tokio::spawn(account_deletion::request(
            cloud.clone(),
            user_id,
            plan.skew_max_seconds,
            Arc::clone(&acknowledgements),
        ));
    }
    plan.poison.iter().for_each(|(queue, body)| cloud.send(queue, body));
    let (settings, end) = ((variant, plan.skew_max_seconds), Instant::now() + STORM);
    tokio::join!(processes::disturb(&cloud, &replicas, settings, end), async {
        if plan.stops {
            processes::stop_repeatedly(&cloud, &replicas, end).await;
        }
    });
    cloud.state().fault_model = FaultModel::CALM;
    if let Some(outage) = plan.outage {
        let left = outage.until.saturating_sub(cloud.state().now());
        tokio::time::sleep(left).await;
    }
    let done = done(&cloud, &plan).await;
    let mut violations = actual::compare(&cloud, &acknowledgements, &plan).await;
    if !done {
        violations.push(format!("the queues are not empty within {DONE_WITHIN:?} after the storm"));
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
    state.create_table(SESSIONS, "userId", Some("sessionId"));
    state.create_bucket(LOGS);
    state.create_bucket(AUDIO);
    TOPICS.iter().for_each(|topic| state.create_topic(topic));
}

/// Waits until every queue has been empty for [`QUIET`], except for messages that may remain.
async fn done(cloud: &Cloud, plan: &Plan) -> bool {
    let deadline = Instant::now() + DONE_WITHIN;
    let mut empty_since = Instant::now() + LATE_MAX;
    while Instant::now() < deadline {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let empty = {
            let state = cloud.state();
            let left = Worker::ALL.iter().flat_map(|worker| &state.sqs.queues[&worker.queue_name()].messages);
            left.into_iter().all(|message| may_remain(&state, plan, &message.body))
        };
        if !empty {
            empty_since = empty_since.max(Instant::now());
        } else if empty_since.elapsed() >= QUIET {
            return true;
        }
    }
    false
}
