//! What surrounds the ingress of [`super::Live`]: the resources of the cloud, and the options with their names.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::Parser as _;
use events::{queues::QueueName, workers::Worker};
use infra::simulator::Simulator;
use ingress::config::Config;

use crate::{
    deployment::{
        AUDIO, BUS, CONVERSATIONS, EFFECTS, IMAGES, LOGS, PICTURES, PROGRESS, SESSIONS, USERS,
        create_queues_and_rules,
    },
    model::{CLIENT_ID, CLIENT_SECRET, Cloud, queue_url},
};

/// Creates what the ingress needs in an empty cloud.
pub(super) fn furnish(cloud: &Cloud) {
    let mut state = cloud.state();
    state.create_table(CONVERSATIONS, "sessionId", Some("timestamp"));
    state.create_table(IMAGES, "imageId", None);
    state.create_table(USERS, "userId", None);
    state.create_table(SESSIONS, "userId", Some("sessionId"));
    state.create_table(PROGRESS, "userId", Some("date"));
    state.create_table(EFFECTS, "effectId", None);
    state.create_bucket(AUDIO);
    state.create_bucket(LOGS);
    state.create_bucket(PICTURES);
    create_queues_and_rules(&mut state, &[Worker::Watchdog, Worker::Erasure]);
}

/// The configuration of an ingress with the options `set`, by their long names without dashes.
pub(super) fn config(simulator: &Simulator, set: BTreeMap<&'static str, String>) -> anyhow::Result<Config> {
    let dead_letters: Vec<_> = QueueName::all().map(|name| queue_url(&name.dead_letters())).collect();
    let mut options = BTreeMap::from([
        ("conversations-table", CONVERSATIONS.to_owned()),
        ("images-table", IMAGES.to_owned()),
        ("user-pool-id", "us-east-1_live".to_owned()),
        ("erasure-queue-url", queue_url("nova-erasure")),
        ("audio-bucket", AUDIO.to_owned()),
        ("logs-bucket", LOGS.to_owned()),
        ("images-bucket", PICTURES.to_owned()),
        ("users-table", USERS.to_owned()),
        ("progress-table", PROGRESS.to_owned()),
        ("effects-table", EFFECTS.to_owned()),
        ("event-bus", BUS.to_owned()),
        ("watchdog-queue-url", queue_url(&Worker::Watchdog.queue_name())),
        ("identity-pool-id", "us-east-1:live".to_owned()),
        ("sessions-table", SESSIONS.to_owned()),
        ("worker-queue-urls", Worker::ALL.map(|worker| queue_url(&worker.queue_name())).join(",")),
        ("watched-queue-urls", dead_letters.join(",")),
        ("client-id", CLIENT_ID.to_owned()),
        ("mail-from", "no-reply@nova.example".to_owned()),
        ("client-secret", CLIENT_SECRET.to_owned()),
        ("account-secret", "an account secret of tests with 32 bytes".to_owned()),
        ("ticket-key", "a key of tests with 32 bytes or more".to_owned()),
        ("ca-bundle", simulator.ca_file().display().to_string()),
    ]);
    options.extend(set);
    let arguments = options.into_iter().map(|(name, value)| format!("--{name}={value}"));
    let arguments = std::iter::once("ingress".to_owned()).chain(arguments);
    Config::try_parse_from(arguments).context("the ingress does not take these options")
}
