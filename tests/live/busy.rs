//! A model without room for another conversation: the learner is asked to come back, and nothing of the attempt stays.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::contract::{ConversationId, live::offered_protocols};
use infra::local::{Progress, RedisServer};
use ingress::live::session::FIRST_STREAM_TIMEOUT;
use serde_json::{Value, json};
use tests::live::{Live, LiveOptions, block_on};
use tokio::time::{Instant, sleep};

use super::raw_client::RawClient;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn with_fault(fault: &str) -> LiveOptions {
    let mut options = LiveOptions::default();
    options.simulator.faults = vec![fault.parse().unwrap()];
    options
}

/// Tries to open what the ingress offered: the status, `Retry-After` and the body of the refusal.
async fn refusal(live: &Live, offer: &Value) -> (u16, Option<String>, Value) {
    let (path, ticket) = (offer["live"].as_str().unwrap(), offer["ticket"].as_str().unwrap());
    let request = live.http().get(format!("{}{path}", live.url()));
    let request = request.header("connection", "upgrade").header("upgrade", "websocket");
    let request = request.header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-protocol", offered_protocols(ticket));
    let response = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
    let retry = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry, response.json().await.unwrap_or_default())
}

async fn ask(live: &Live, token: &str) -> (u16, Value) {
    let post = live.http().post(format!("{}/api/conversations", live.url())).bearer_auth(token);
    let response = post.json(&json!({ "imageId": "street-market" })).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[test]
fn throttled_first_open_is_busy_and_leaves_nothing() {
    block_on(async {
        let live = Live::start(with_fault("throttling*1")).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let offer = live.ask(&token, "street-market").await.unwrap();
        let (status, retry, problem) = refusal(&live, &offer).await;
        assert_eq!((status, retry.as_deref(), &problem["code"]), (503, Some("10"), &json!("busy")));
        let id: ConversationId = offer["conversationId"].as_str().unwrap().parse().unwrap();
        live.app.sessions.ended().await;
        assert!(live.journal(id).await.is_err(), "nothing is journalled");
        assert!(live.completed(id).is_empty() && live.recordings(id).is_empty());
        assert!(live.cloud.state().sqs.queues["nova-watchdog"].messages.is_empty());

        let (client, offer) = RawClient::begin(&live, &token).await;
        client.end().await;
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        assert!(live.journal(id).await.is_ok());
        live.stop().await.unwrap();
    });
}

#[test]
fn first_stream_that_is_late_keeps_no_conversation_waiting() {
    block_on(async {
        let live = Live::start(with_fault("late-headers@8000*1")).await.unwrap();
        let begun = Instant::now();
        let (mut client, _) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        let ready = begun.elapsed();
        assert!(
            ready >= FIRST_STREAM_TIMEOUT && ready < FIRST_STREAM_TIMEOUT + Duration::from_secs(2),
            "{ready:?}"
        );
        client.until("turn").await;
        assert!(begun.elapsed() >= Duration::from_secs(8));
        assert_eq!(client.end().await["reason"], "learner");
        live.stop().await.unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_over_all_tasks_that_share_a_redis() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(folder.path().to_owned(), &Progress::silent()).await.unwrap();
    // One of three is the reserve for replacements.
    let options = || LiveOptions::default().with("redis-url", redis.url()).with("streams-account-max", 3);
    let (one, other) = (Live::start(options()).await.unwrap(), Live::start(options()).await.unwrap());
    let third = other.token("third").unwrap();
    let early = other.ask(&third, "street-market").await.unwrap();
    let (first, _) = RawClient::begin(&one, &one.token("first").unwrap()).await;
    let (second, _) = RawClient::begin(&other, &other.token("second").unwrap()).await;
    let (status, problem) = ask(&one, &one.token("third").unwrap()).await;
    assert_eq!((status, &problem["code"]), (503, &json!("busy")));
    let (status, retry, problem) = refusal(&other, &early).await;
    assert_eq!((status, retry.as_deref(), &problem["code"]), (503, Some("10"), &json!("busy")));

    first.end().await;
    let begun = Instant::now();
    while ask(&other, &third).await.0 != 201 {
        assert!(begun.elapsed() < PATIENCE, "the place of a stream that ended is not free");
        sleep(Duration::from_millis(20)).await;
    }
    second.end().await;
    one.stop().await.unwrap();
    other.stop().await.unwrap();
    redis.stop().await;
}
