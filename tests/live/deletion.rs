//! A learner deletes a conversation in the very moment in which a worker stores something of it: whatever the order,
//! nothing stays.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::{
    contract::{ConversationId, UserId},
    journal::Journal,
    pipeline::LIMITS,
};
use infra::client::Script;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{
    deployment::{CONVERSATIONS, LOGS},
    live::{Live, LiveOptions, block_on},
};

use super::workers;

const LEARNER: &str = "learner-1";

/// The write that is held.
const WRITE: &str = "PutObject";

/// Queues of workers that store something of a conversation.
const QUEUES: [&str; 2] = ["nova-transcript", "nova-analysis"];

async fn converse(live: &Live) -> ConversationId {
    let script = Script::new("street-market", ["I see a market.", "The woman buys apples."]);
    let held = live.learner(LEARNER).unwrap().converse(&script).await.unwrap();
    // With its recordings, and published.
    live.app.sessions.ended().await;
    held.conversation_id
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn stored(live: &Live, id: ConversationId) -> Vec<String> {
    let (id, state) = (id.to_string(), live.cloud.state());
    let keys = state.s3.objects.keys().filter(|(bucket, key)| bucket == LOGS && key.contains(&id));
    keys.map(|(_, key)| key.clone()).collect()
}

/// Waits until the workers are idle. Returns the number of dead letters.
async fn idle(live: &Live) -> usize {
    until(|| {
        let state = live.cloud.state();
        QUEUES.iter().all(|name| state.sqs.queues[*name].messages.is_empty())
    })
    .await;
    let state = live.cloud.state();
    QUEUES.iter().map(|name| state.sqs.queues[&format!("{name}-dlq")].messages.len()).sum()
}

/// The learner deletes the conversation after its workers have finished.
async fn delete(live: &Live, id: ConversationId) {
    let (user, patience) = (LEARNER.parse::<UserId>().unwrap(), LIMITS.complete_seconds);
    let later = Timestamp::now() + SignedDuration::from_secs(i64::from(patience) + 1);
    assert!(live.app.stores.delete(&user, id, later).await.unwrap());
}

/// The event of the conversation comes once more to the transcript worker.
async fn repeat(live: &Live, id: ConversationId) {
    let dynamodb = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("reader"));
    let header = Journal::reader(dynamodb, CONVERSATIONS).header(id).await.unwrap().unwrap();
    let detail: Value = serde_json::from_str(&header.completed().unwrap().encode()).unwrap();
    let message = json!({ "detail-type": "conversation.completed", "detail": detail });
    live.cloud.send(QUEUES[0], &message.to_string());
}

#[test]
fn a_deletion_between_the_look_and_the_write_of_a_worker_leaves_nothing() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let id = converse(&live).await;
        let mut held = live.cloud.hold(WRITE);
        let _workers = workers::start(&live).await;
        // The transcript and the assessment: both workers found no mark.
        held.arrived(2).await;
        delete(&live, id).await;
        assert_eq!(stored(&live, id), [""; 0]);
        drop(held);
        assert_eq!(idle(&live).await, 0, "the deletion causes no dead letter");
        assert_eq!(stored(&live, id), [""; 0]);
        for (source, event) in &live.cloud.state().eventbridge.events {
            assert!(source != "nova.transcript" && source != "nova.analysis", "{event} is published");
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn a_write_that_a_worker_does_not_survive_is_removed_by_the_next_one() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let id = converse(&live).await;
        let _first = workers::start(&live).await;
        assert_eq!(idle(&live).await, 0);
        assert_eq!(stored(&live, id).len(), 3);
        // A repetition that was received before the deletion, and writes after it.
        let mut held = live.cloud.hold(WRITE);
        repeat(&live, id).await;
        held.arrived(1).await;
        delete(&live, id).await;
        live.cloud.kill("transcript");
        drop(held);
        until(|| stored(&live, id).len() == 1).await;
        let _second = workers::start_again(&live, "-2").await;
        assert_eq!(idle(&live).await, 0);
        assert_eq!(stored(&live, id), [""; 0]);
        live.stop().await.unwrap();
    });
}
