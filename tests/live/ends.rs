//! Every way in which a conversation ends: the client receives the reason, and exactly one event is published.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::contract::{ConversationId, live::CloseReason};
use serde_json::Value;
use tests::live::{Live, LiveOptions, block_on};

use super::raw_client::RawClient;

/// Longer than any deadline and retry after which something could be published again.
const AFTERWARDS: Duration = Duration::from_secs(100);

fn id(offer: &Value) -> ConversationId {
    offer["conversationId"].as_str().unwrap().parse().unwrap()
}

/// The reasons in the events of a conversation, long after its end.
async fn reasons(live: &Live, offer: &Value) -> Vec<Value> {
    tokio::time::sleep(AFTERWARDS).await;
    live.completed(id(offer)).iter().map(|event| event["data"]["reason"].clone()).collect()
}

/// Begins a conversation with `options`, and waits for the end that comes of itself.
fn check(options: LiveOptions, reason: &str) {
    block_on(async {
        let live = Live::start(options).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        assert_eq!(client.until("ended").await["reason"], reason);
        assert_eq!(client.closed().await, Some(1000));
        assert_eq!(reasons(&live, &offer).await, [reason]);
        live.stop().await.unwrap();
    });
}

#[test]
fn an_end_by_the_learner_is_told_and_published_once() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        client.until("turn").await;
        client.say("end").await;
        assert_eq!(client.end().await["reason"], "learner");
        assert_eq!(reasons(&live, &offer).await, ["learner"]);
        live.stop().await.unwrap();
    });
}

#[test]
fn an_end_by_the_time_limit_is_told_and_published_once() {
    check(LiveOptions::default().with("conversation-seconds-max", 60), "time_limit");
}

#[test]
fn client_is_notified_of_the_near_end_with_its_time() {
    block_on(async {
        let live = Live::start(LiveOptions::default().with("conversation-seconds-max", 60)).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let offer = live.ask(&token, "street-market").await.unwrap();
        let mut client = RawClient::open(&live, &offer).await.unwrap();
        let ready = client.until("ready").await;
        assert_eq!(client.until("endingSoon").await["endsAt"], ready["endsAt"]);
        assert_eq!(client.until("ended").await["reason"], "time_limit");
        live.stop().await.unwrap();
    });
}

#[test]
fn an_end_by_silence_is_told_and_published_once() {
    check(LiveOptions::default().with("silence-seconds-max", 30), "silence");
}

#[test]
fn an_end_by_a_model_that_refuses_for_good_is_told_and_published_once() {
    for fault in ["end-of-life**", "access-denied**"] {
        let mut options = LiveOptions::default();
        options.simulator.faults.push(fault.parse().unwrap());
        check(options, "model_failed");
    }
}

#[test]
fn a_learner_who_does_not_come_back_ends_it_after_the_grace_time_once() {
    block_on(async {
        let live = Live::start(LiveOptions::default().with("grace-seconds", 20)).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        client.until("turn").await;
        drop(client);
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(live.completed(id(&offer)).len(), 0, "it waits for the learner");
        assert_eq!(reasons(&live, &offer).await, ["disconnected"]);
        live.stop().await.unwrap();
    });
}

#[test]
fn a_stopping_task_ends_nothing_and_sends_the_page_on() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        client.until("turn").await;
        live.begin_to_stop();
        assert_eq!(client.until("reconnect").await["reason"], "shutdown");
        assert_eq!(client.closed().await, Some(CloseReason::Stopping.code()));
        // Another task ends it, or the watchdog.
        assert_eq!(live.completed(id(&offer)).len(), 0);
        assert_eq!(live.journal(id(&offer)).await.unwrap().turns.len(), 1);
        live.stop().await.unwrap();
    });
}
