//! A `conversation.completed` that no owner of the conversation published: the real workers leave nothing of it.

use std::time::Duration;

use events::{
    contract::{ConversationCompleted, ConversationId, EndReason, Envelope, Event, EventId, UserId},
    journal::{End, Start, WATCH_DELAY_SECONDS},
    workers::Worker,
};
use jiff::SignedDuration;
use serde_json::json;
use tests::{
    deployment::{EFFECTS, PROGRESS, outputs},
    journalled,
    model::{Cloud, State},
};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::Variant,
    processes,
    small_scale::{self, epoch},
};

const CONSUMERS: [Worker; 4] = [Worker::Transcript, Worker::Analysis, Worker::Progress, Worker::Alerts];

fn learner(name: &str) -> UserId {
    name.parse().expect("a valid user id")
}

fn conversation(number: u8) -> ConversationId {
    ConversationId::new(epoch() - SignedDuration::from_secs(600), [number; 10])
}

/// A conversation that ended without a word, whose end raises an alert.
fn end() -> End {
    End {
        reason: EndReason::ModelFailed,
        usage: events::contract::Usage::default(),
        turns: 0,
        learner_turns: Some(0),
        learner_speech_ms: 0,
        metrics: None,
    }
}

/// `event` with other data.
fn altered(event: &Envelope, change: impl FnOnce(&mut ConversationCompleted)) -> Envelope {
    let mut data = event.event.as_completed().expect("it is a conversation.completed").clone();
    change(&mut data);
    Envelope { event: Event::ConversationCompleted(data), ..event.clone() }
}

/// Sends `event` to each consumer and waits until the queues are empty.
async fn deliver(cloud: &Cloud, event: &Envelope) {
    for worker in CONSUMERS {
        cloud.send(&worker.queue_name(), &event.encode());
    }
    let is_empty = || {
        let state = cloud.state();
        CONSUMERS.iter().all(|worker| state.sqs.queues[&worker.queue_name()].messages.is_empty())
    };
    let emptied = async {
        while !is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), emptied).await.expect("the queues are emptied");
}

/// The dead letters of each consumer.
fn dead_letters(cloud: &Cloud) -> [usize; 4] {
    let state = cloud.state();
    CONSUMERS.map(|worker| state.sqs.queues[&format!("{}-dlq", worker.queue_name())].messages.len())
}

/// What the workers have left: objects, progress, alerts, events and notes of effects. Records of attempts do not count.
fn traces(cloud: &Cloud) -> Vec<String> {
    let state = cloud.state();
    let effects = state.dynamodb.tables[EFFECTS].items.keys().map(|(id, _)| id);
    let effects = effects.filter(|id| !id.starts_with("attempt#") && !id.starts_with("erasure#"));
    let mut traces: Vec<String> = effects.cloned().collect();
    traces.extend(state.s3.objects.keys().map(|(_, key)| key.clone()));
    traces.extend(state.dynamodb.tables[PROGRESS].items.keys().map(|(user, date)| format!("{user} {date}")));
    traces.extend(state.sns.published.iter().map(|published| published.message.clone()));
    traces.extend(state.eventbridge.events.iter().map(|(source, event)| format!("{source} {event}")));
    traces
}

async fn forge() {
    let (cloud, _world) = small_scale::cloud(1);
    let journal = journalled::journal(&cloud.sdk_config("ingress"), &outputs(), WATCH_DELAY_SECONDS);
    let start = journalled::start(conversation(1), learner("learner-1"), "Asia/Seoul", "ingress");
    let real = journalled::write_ended(&journal, &start, epoch(), &end()).await.expect("it is journalled");
    let live = journalled::start(conversation(2), learner("learner-1"), "Asia/Seoul", "ingress");
    journal.start(&live, epoch()).await.expect("it is journalled");
    let erased = format!("erasure#{}", learner("erased"));
    let mark = json!({ "effectId": { "S": erased } }).as_object().cloned().expect("an object");
    let insert = |state: &mut State| {
        let table = state.dynamodb.tables.get_mut(EFFECTS).expect("the table");
        table.items.insert((erased, String::new()), mark)
    };
    insert(&mut cloud.state());
    let over = CancellationToken::new();
    let _running = processes::start(&cloud, Variant::Real, &CONSUMERS, 0.0, &over);
    tokio::time::sleep(Duration::from_secs(5)).await;

    let of = |start| journalled::ended(start, epoch(), end()).completed().expect("it has ended");
    let unknown = journalled::start(conversation(3), learner("learner-1"), "Asia/Seoul", "ingress");
    let forged = [
        of(unknown.clone()),
        of(live),
        altered(&real, |data| data.user_id = learner("learner-2")),
        altered(&real, |data| data.learner_speech_ms = 3_600_000),
        Envelope { id: EventId::derive(conversation(1), "made up"), ..real.clone() },
    ];
    for (number, forged) in (1..).zip(&forged) {
        deliver(&cloud, forged).await;
        assert_eq!(dead_letters(&cloud), [number; 4], "{forged:?}");
        assert_eq!(traces(&cloud), [""; 0], "{forged:?}");
    }
    let erased = Start { user_id: learner("erased"), ..unknown };
    deliver(&cloud, &of(erased)).await;
    assert_eq!(traces(&cloud), [""; 0], "of an erased learner");

    let before = dead_letters(&cloud);
    deliver(&cloud, &real).await;
    assert_eq!(dead_letters(&cloud), before, "the real event is accepted");
    let traces = traces(&cloud);
    for part in ["transcripts/learner-1/", "progress#", "conversation.abnormal-end", "analysis.failed"] {
        assert!(traces.iter().any(|trace| trace.contains(part)), "{part}: {traces:?}");
    }
    over.cancel();
    assert_eq!(cloud.state().violations, Vec::<String>::new());
}

#[test]
fn forged_event_leaves_nothing_at_any_consumer() {
    small_scale::runtime().block_on(Box::pin(forge()));
}
