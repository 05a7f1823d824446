//! A learner has one conversation at a time over several tasks that share a Redis, and goes on without it.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use infra::local::{Progress, RedisServer};
use serde_json::json;
use tests::live::{Live, LiveOptions};
use tokio::time::{Instant, sleep};

use super::raw_client::RawClient;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(live: &Live, token: &str) -> (u16, serde_json::Value) {
    let post = live.http().post(format!("{}/api/conversations", live.url())).bearer_auth(token);
    let answer = post.json(&json!({ "imageId": "street-market" })).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_has_one_conversation_over_several_tasks_and_redis_may_go_away() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(folder.path().to_owned(), &Progress::silent()).await.unwrap();
    let options = || LiveOptions::default().with("redis-url", redis.url());
    let (one, other) = (Live::start(options()).await.unwrap(), Live::start(options()).await.unwrap());
    let token = one.token("learner-1").unwrap();
    let token_at_other = other.token("learner-1").unwrap();

    // Both tasks keep a seat; the one whose page comes first has the conversation.
    let late = other.ask(&token_at_other, "street-market").await.unwrap();
    let (client, offer) = RawClient::begin(&one, &token).await;
    let (status, problem) = ask(&other, &token_at_other).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conversation_in_progress")));
    assert_eq!(problem["conversationId"], offer["conversationId"]);
    let (status, problem) = RawClient::open(&other, &late).await.unwrap_err();
    assert_eq!((status, &problem["conversationId"]), (409, &offer["conversationId"]));
    assert_eq!(ask(&other, &other.token("another").unwrap()).await.0, 201, "others are not kept from it");

    redis.stop().await;
    client.end().await;
    assert_eq!(ask(&other, &token_at_other).await.0, 201, "without Redis each task knows its own");

    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_over_keeps_its_learner_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start(folder.path().to_owned(), &Progress::silent()).await.unwrap();
    let options = || LiveOptions::default().with("redis-url", redis.url());
    let (one, other) = (Live::start(options()).await.unwrap(), Live::start(options()).await.unwrap());
    let token = one.token("learner-1").unwrap();
    let token_at_other = other.token("learner-1").unwrap();
    let (client, _) = RawClient::begin(&one, &token).await;
    client.end().await;
    let begun = Instant::now();
    while ask(&other, &token_at_other).await.0 != 201 {
        assert!(begun.elapsed() < PATIENCE, "the claim was not given up");
        sleep(Duration::from_millis(20)).await;
    }
    one.stop().await.unwrap();
    other.stop().await.unwrap();
    redis.stop().await;
}
