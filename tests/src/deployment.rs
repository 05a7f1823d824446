//! The deployment in the model of AWS: the names of its resources, the queues and rules of the list of workers, and the
//! configuration of a worker that runs in the process of a test.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use clap::Parser;
use events::{
    runtime::{
        consumer::ConsumerConfig,
        delivery::{FAILURES_MAX, RECEIVES_PER_FAILURE},
    },
    workers::Worker,
};
use infra::local::{Outputs, Queue};

use crate::model::{State, queue_url};

/// The event bus.
pub const BUS: &str = "nova";
/// The Conversations table.
pub const CONVERSATIONS: &str = "nova-conversations";
/// The Effects table.
pub const EFFECTS: &str = "nova-effects";
/// The Images table.
pub const IMAGES: &str = "nova-images";
/// The UserProgress table.
pub const PROGRESS: &str = "nova-user-progress";
/// The Sessions table.
pub const SESSIONS: &str = "nova-sessions";
/// The Users table.
pub const USERS: &str = "nova-users";
/// The bucket of transcripts and assessments.
pub const LOGS: &str = "nova-conversation-logs";
/// The bucket of recordings.
pub const AUDIO: &str = "nova-audio-files";
/// The bucket of pictures.
pub const PICTURES: &str = "nova-learning-images";
/// The topics: critical, warning, info.
pub const TOPICS: [&str; 3] = [
    "arn:aws:sns:us-east-1:000000000000:nova-alerts-critical",
    "arn:aws:sns:us-east-1:000000000000:nova-alerts-warning",
    "arn:aws:sns:us-east-1:000000000000:nova-alerts-info",
];

/// Receives after which a queue moves a message to its dead-letter queue, as in `infra/templates/messaging.yaml`.
pub const RECEIVES_MAX: u32 = FAILURES_MAX * RECEIVES_PER_FAILURE;

/// Messages that a worker handles concurrently in a test.
const CONCURRENCY: NonZeroU32 = NonZeroU32::new(4).expect("4 is not zero");

/// Creates the queues of `workers` and the bus with their rules.
pub fn create_queues_and_rules(state: &mut State, workers: &[Worker]) {
    let mut rules = Vec::new();
    for worker in workers {
        let visibility = Duration::from_secs(worker.spec().visibility_seconds);
        state.create_queue(&worker.queue_name(), visibility, RECEIVES_MAX);
        rules.extend(worker.spec().consumes.iter().map(|event| (*event, worker.queue_name())));
    }
    state.create_bus(BUS, rules);
}

/// The outputs of the stacks. Outputs that no worker uses are empty.
#[must_use]
pub fn outputs() -> Outputs {
    let queue = |worker: Worker| {
        let name = worker.queue_name();
        let queue = Queue {
            url: queue_url(&name),
            arn: String::new(),
            dead_letter_url: queue_url(&format!("{name}-dlq")),
        };
        (worker, queue)
    };
    let none = String::new;
    let [critical, warning, info] = TOPICS.map(str::to_owned);
    Outputs {
        users_table: USERS.into(),
        sessions_table: SESSIONS.into(),
        conversations_table: CONVERSATIONS.into(),
        images_table: IMAGES.into(),
        user_progress_table: PROGRESS.into(),
        effects_table: EFFECTS.into(),
        logs_bucket: LOGS.into(),
        audio_bucket: AUDIO.into(),
        images_bucket: PICTURES.into(),
        bus_name: BUS.into(),
        queues: Worker::ALL.map(queue).into(),
        // The model has no such queue; this one exists and is empty.
        events_dead_letter_url: queue_url("nova-alerts-dlq"),
        critical_topic: critical,
        warning_topic: warning,
        info_topic: info,
        user_pool_id: "pool".into(),
        client_id: none(),
        sign_up_function: none(),
        identity_pool_id: none(),
        roles: BTreeMap::new(),
    }
}

/// The configuration of the consumer of `worker`.
#[must_use]
pub fn consumer(worker: Worker) -> ConsumerConfig {
    let name = worker.queue_name();
    ConsumerConfig {
        queue_url: queue_url(&name),
        dead_letter_queue_url: queue_url(&format!("{name}-dlq")),
        attempts_table: EFFECTS.to_owned(),
        concurrency: CONCURRENCY,
        failures_max: FAILURES_MAX,
        poll_seconds: 20,
        health_addr: None,
        drain_seconds: 80,
    }
}

/// The configuration of `worker` as its binary reads it, from the variables of the deployment. `settings` are further
/// variables with their values; they replace those of the deployment.
///
/// # Panics
/// The worker does not accept a variable or misses one.
#[must_use]
pub fn config<C: Parser>(worker: Worker, settings: &[(&str, &str)]) -> C {
    let environment = outputs().environment(worker).expect("every worker has a queue");
    let mut variables: BTreeMap<&str, &str> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let concurrency = CONCURRENCY.to_string();
    variables.insert("NOVA_CONCURRENCY", &concurrency);
    variables.extend(settings.iter().copied());
    let arguments = variables.into_iter().map(|(name, value)| {
        let option = name.trim_start_matches("NOVA_").to_ascii_lowercase().replace('_', "-");
        format!("--{option}={value}")
    });
    C::parse_from(std::iter::once(worker.name().to_owned()).chain(arguments))
}
