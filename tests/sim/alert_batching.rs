//! The real alerts worker on virtual time, against the model of AWS: the alerts of a storm are sent as one batch,
//! information waits for the end of the quiet hours, a restart loses no alert, and dead letters raise one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::{
    contract::{ConversationId, EndReason, Envelope, Event, Milestone, ProgressUpdated, Usage},
    journal::{End, WATCH_DELAY_SECONDS},
    workers::Worker,
};
use jiff::SignedDuration;
use serde_json::Value;
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, TOPICS, config as worker_config, consumer, outputs},
    journalled,
    model::{Cloud, FaultModel, queue_url},
};
use workers::{
    alerts::{Alerts, Config},
    progress::{self, Progress},
};

use crate::{
    number,
    small_scale::{self, Running, epoch},
};

const QUEUE: &str = "nova-alerts";
/// Alerts of a storm that are sent alone.
const ALONE: u32 = 3;

/// A window whose alerts wait in the worker, and one whose alerts wait in the queue.
const WINDOWS_SECONDS: [u32; 2] = [60, 300];

/// The longest time from the end of a window to its batch without faults: the jitter of a wait, a second of SQS and the
/// calls.
const SENT_WITHIN: Duration = Duration::from_secs(4);

/// The longest time from the end of a window to an empty queue: a second copy of an alert waits once more.
const EMPTY_WITHIN: Duration = Duration::from_secs(30);

/// Default number of seeds.
const SEEDS: u64 = 3;

fn config(window_seconds: u32, quiet_hours: Option<&str>) -> Config {
    let [critical, warning, info] = TOPICS.map(str::to_owned);
    Config {
        consumer: consumer(Worker::Alerts),
        conversations_table: CONVERSATIONS.into(),
        effects_table: EFFECTS.into(),
        topic_critical_arn: critical,
        topic_warning_arn: warning,
        topic_info_arn: info,
        watched_queue_urls: ["nova-transcript-dlq", "nova-progress-dlq"].map(queue_url).to_vec(),
        alerts_storm_after: ALONE,
        alerts_storm_seconds: window_seconds,
        alerts_quiet_hours: quiet_hours.map(str::to_owned),
        alerts_quiet_zone: "UTC".into(),
    }
}

async fn start(cloud: &Cloud, name: &str, config: Config) -> Running {
    let sdk = cloud.sdk_config(name);
    let alerts = Alerts::start(&config, &sdk).await.expect("the stores of the worker exist");
    let running = Running::start(Worker::Alerts, sdk, alerts.clone());
    tokio::spawn(running.shutdown.clone().run_until_cancelled_owned(alerts.watch_dead_letters()));
    running
}

fn learner() -> events::contract::UserId {
    "learner-1".parse().expect("a valid user id")
}

/// Journals a conversation whose ingress was lost, and returns its event.
async fn lost(cloud: &Cloud, number: u8) -> Envelope {
    let journal = journalled::journal(&cloud.sdk_config("ingress"), &outputs(), WATCH_DELAY_SECONDS);
    let started_at = epoch() - SignedDuration::from_secs(600);
    let id = ConversationId::new(started_at, [number; 10]);
    let start = journalled::start(id, learner(), "UTC", "ingress");
    let end = End::of_turns(EndReason::IngressLost, Usage::default(), &[]);
    journalled::write_ended(&journal, &start, epoch(), &end).await.expect("the journal has no faults")
}

fn reached(number: u8) -> Envelope {
    let updated = Event::ProgressUpdated(ProgressUpdated {
        conversation_id: ConversationId::new(epoch(), [number; 10]),
        user_id: learner(),
        date: "2026-11-24".into(),
        milestones: vec![Milestone::FirstConversation],
        standing: None,
    });
    Envelope::caused_by("conversation.completed", updated, epoch(), None)
}

/// The structured messages by their ids, and how often each was sent.
fn sent(cloud: &Cloud) -> BTreeMap<String, (Value, u32)> {
    let mut sent: BTreeMap<String, (Value, u32)> = BTreeMap::new();
    for published in &cloud.state().sns.published {
        let both: Value = serde_json::from_str(&published.message).expect("it is JSON");
        let structured = serde_json::from_str(both["default"].as_str().expect("it has a default"));
        let structured: Value = structured.expect("the default is JSON");
        assert_eq!(structured["alertId"], published.alert_id.as_str());
        let entry = sent.entry(published.alert_id.clone()).or_insert((structured.clone(), 0));
        assert_eq!(entry.0, structured, "a repetition has the same content");
        entry.1 += 1;
    }
    sent
}

/// The ids of all alerts in the messages, alone or in a batch.
fn alert_ids(sent: &BTreeMap<String, (Value, u32)>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (message, _) in sent.values() {
        let batch = message["alerts"].as_array().cloned();
        for alert in batch.unwrap_or_else(|| vec![message.clone()]) {
            let id = alert["alertId"].as_str().expect("it has an id").to_owned();
            assert!(ids.insert(id.clone()), "{id} is in two messages");
        }
    }
    ids
}

async fn until_empty(cloud: &Cloud) {
    while !cloud.state().sqs.queues[QUEUE].messages.is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn storm(seed: u64, fault_model: FaultModel, window_seconds: u32) {
    const ALERTS: u8 = 18;
    let (cloud, _world) = small_scale::cloud(seed);
    let events = futures_util::future::join_all((0..ALERTS).map(|number| lost(&cloud, number))).await;
    let process = start(&cloud, "alerts", config(window_seconds, None)).await;
    // A random time in the first window, which ends one window length after the start.
    let window = Duration::from_secs(window_seconds.into());
    let pause = cloud.state().seconds(0.0, f64::from(window_seconds) - 15.0);
    tokio::time::sleep(pause).await;
    cloud.state().fault_model = fault_model;
    for event in events {
        // Each twice, as SQS may deliver it.
        cloud.send(QUEUE, &event.encode());
        cloud.send(QUEUE, &event.encode());
    }
    if fault_model != FaultModel::CALM {
        tokio::time::sleep(Duration::from_secs(90)).await;
        cloud.state().fault_model = FaultModel::CALM;
    }
    until_empty(&cloud).await;
    let emptied = cloud.state().now();
    process.stop().await;
    let sent = sent(&cloud);
    assert_eq!(alert_ids(&sent).len(), usize::from(ALERTS), "seed {seed}: none is lost");
    let summaries: Vec<&Value> =
        sent.values().map(|(message, _)| message).filter(|it| it["count"].is_u64()).collect();
    let counted: u64 = summaries.iter().filter_map(|summary| summary["count"].as_u64()).sum();
    let alone = u64::try_from(sent.len() - summaries.len()).expect("they are few");
    assert_eq!(counted + alone, u64::from(ALERTS), "seed {seed}");
    let again: u32 = sent.values().map(|(_, times)| times - 1).sum();
    assert!(again <= cloud.state().ambiguous, "seed {seed}: {again} repetitions");
    assert_eq!(cloud.state().violations, Vec::<String>::new());
    if fault_model == FaultModel::CALM {
        assert_eq!((sent.len(), summaries.len()), (ALONE as usize + 1, 1), "seed {seed}: {sent:?}");
        let sent_at = cloud.state().sns.published.iter().map(|published| published.at).max();
        let sent_at = sent_at.expect("alerts were sent");
        assert!((window..window + SENT_WITHIN).contains(&sent_at), "seed {seed}: sent after {sent_at:?}");
        assert!(emptied <= window + EMPTY_WITHIN, "seed {seed}: empty after {emptied:?}");
    }
}

#[test]
fn storm_of_alerts_is_told_together_and_none_is_lost() {
    for seed in 0..number("NOVA_SEEDS").unwrap_or(SEEDS) {
        for window_seconds in WINDOWS_SECONDS {
            small_scale::runtime().block_on(Box::pin(storm(seed, FaultModel::CALM, window_seconds)));
        }
        small_scale::runtime().block_on(Box::pin(storm(seed, FaultModel::STORM, WINDOWS_SECONDS[0])));
    }
}

/// The simulation begins at 08:00 UTC.
async fn night() {
    let (cloud, _world) = small_scale::cloud(1);
    let quiet = Some("06:00-17:00");
    let first = start(&cloud, "alerts-1", config(WINDOWS_SECONDS[0], quiet)).await;
    for number in 0..5 {
        cloud.send(QUEUE, &reached(number).encode());
    }
    cloud.send(QUEUE, &lost(&cloud, 9).await.encode());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let rules = |cloud: &Cloud| -> Vec<String> {
        sent(cloud)
            .values()
            .map(|(message, _)| message["rule"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(rules(&cloud), ["conversation.abnormal-end"], "a warning ignores the quiet hours");
    first.stop().await;
    let second = start(&cloud, "alerts-2", config(WINDOWS_SECONDS[0], quiet)).await;
    // 16:59:50.
    tokio::time::sleep(Duration::from_secs(8 * 3600 - 10) - Duration::from_secs(30)).await;
    assert_eq!(rules(&cloud).len(), 1);
    until_empty(&cloud).await;
    second.stop().await;
    let sent = sent(&cloud);
    assert_eq!((sent.len(), alert_ids(&sent).len()), (2, 6), "{sent:?}");
    let summary = sent.values().map(|(message, _)| message).find(|it| it["count"].is_u64());
    let summary = summary.expect("the alerts of the quiet hours are sent");
    assert_eq!((&summary["rule"], &summary["severity"]), (&"alerts.quiet-hours".into(), &"info".into()));
    let over = cloud.state().now();
    let morning = Duration::from_secs(9 * 3600);
    assert!(over >= morning && over < morning + EMPTY_WITHIN, "sent after {over:?}");
    assert_eq!(cloud.state().violations, Vec::<String>::new());
}

#[test]
fn information_waits_for_the_end_of_the_quiet_hours_through_a_restart() {
    small_scale::runtime().block_on(Box::pin(night()));
}

async fn dead_letters() {
    const MINUTES_10: Duration = Duration::from_secs(600);
    let (cloud, _world) = small_scale::cloud(1);
    let process = start(&cloud, "alerts", config(WINDOWS_SECONDS[0], None)).await;
    tokio::time::sleep(MINUTES_10).await;
    assert!(sent(&cloud).is_empty());
    for (letters, alerts) in [(1, 1), (1, 2), (1, 2), (1, 3)] {
        for _ in 0..letters {
            cloud.send("nova-transcript-dlq", "not an event");
        }
        tokio::time::sleep(MINUTES_10).await;
        assert_eq!(sent(&cloud).len(), alerts);
    }
    process.stop().await;
    for (message, times) in sent(&cloud).values() {
        assert_eq!(
            (&message["rule"], &message["queue"]),
            (&"queue.dead-letters".into(), &"nova-transcript-dlq".into())
        );
        assert_eq!(*times, 1);
    }
    assert!(cloud.state().sns.published.iter().all(|published| published.topic == TOPICS[0]));
}

#[test]
fn dead_letters_raise_an_alert_and_again_when_they_double() {
    small_scale::runtime().block_on(Box::pin(dead_letters()));
}

/// What a worker gives up raises an alert for each new kind of reason, also when the number of letters has not doubled.
async fn kinds_of_dead_letters() {
    const MINUTES_10: Duration = Duration::from_secs(600);
    let (cloud, _world) = small_scale::cloud(1);
    let alerts = start(&cloud, "alerts", config(WINDOWS_SECONDS[0], None)).await;
    let sdk = cloud.sdk_config("progress");
    let config: progress::Config = worker_config(Worker::Progress, &[]);
    let handler = Progress::start(&config, &sdk).await.expect("the tables exist");
    let progress = Running::start(Worker::Progress, sdk, handler);
    let of_zone = |number: u8, time_zone: &str| {
        let id = ConversationId::new(epoch() - SignedDuration::from_secs(600), [number; 10]);
        let end = End::of_turns(EndReason::Learner, Usage::default(), &[]);
        let header = journalled::ended(journalled::start(id, learner(), time_zone, "ingress"), epoch(), end);
        header.completed().expect("it has ended").encode()
    };
    let mut expected = Vec::new();
    for (letters, kind) in [
        (vec!["not an event".to_owned(), "nor is this".to_owned()], Some("the event is malformed")),
        (vec![of_zone(1, "Mars/Olympus")], Some("time zone … is unknown")),
        // The number doubles.
        (vec![of_zone(2, "Mars/Tharsis")], None),
        (vec![of_zone(3, "Moon")], None),
    ] {
        for letter in &letters {
            cloud.send("nova-progress", letter);
        }
        if expected.len() < 3 {
            expected.push(kind);
        }
        tokio::time::sleep(MINUTES_10).await;
        let sent: Vec<Value> = sent(&cloud).into_values().map(|(message, _)| message).collect();
        assert_eq!(sent.len(), expected.len(), "{sent:#?}");
        for kind in &expected {
            let has_kind = |message: &Value| match (kind, message["kind"].as_str()) {
                (Some(kind), Some(found)) => found.contains(kind),
                (kind, found) => kind.is_none() && found.is_none(),
            };
            assert!(sent.iter().any(has_kind), "{kind:?}: {sent:#?}");
        }
    }
    progress.stop().await;
    alerts.stop().await;
    assert_eq!(cloud.state().violations, Vec::<String>::new());
}

#[test]
fn each_new_kind_of_dead_letter_raises_an_alert_once_a_day() {
    small_scale::runtime().block_on(Box::pin(kinds_of_dead_letters()));
}
