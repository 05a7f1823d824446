//! Limits of a day: the learner's minutes, and what the service may spend; and the spending limit of a run.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::{
    contract::live::CloseReason,
    spending::{ReachedLimit, Spending},
};
use ingress::{budget::STATE_AGE_MAX, quota::CONVERSATION_LENGTH};
use serde_json::{Value, json};
use tests::{
    deployment::EFFECTS,
    live::{Live, LiveOptions, block_on},
};

use super::raw_client::RawClient;

async fn ask(live: &Live, user_id: &str) -> (u16, Option<String>, Value) {
    let token = live.token(user_id).unwrap();
    let post = live.http().post(format!("{}/api/conversations", live.url())).bearer_auth(token);
    let response = post.json(&json!({ "imageId": "street-market" })).send().await.unwrap();
    let retry = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), retry, response.json().await.unwrap())
}

/// What operators see and change with `nova ops limit`.
fn spending(live: &Live) -> Spending {
    Spending::new(aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("operator")), EFFECTS)
}

#[test]
fn learner_who_has_talked_all_day_is_refused_and_a_live_conversation_ends_with_its_reason() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let user = "learner-1".parse().unwrap();
        // All but the first minute of this conversation.
        CONVERSATION_LENGTH.spend(&live.app.coordination, &user, CONVERSATION_LENGTH.max - 45).await.unwrap();
        let (mut client, offer) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        assert_eq!(client.until("error").await["code"], "daily_limit");
        assert_eq!(client.until("ended").await["reason"], "time_limit");
        assert_eq!(client.closed().await, Some(CloseReason::LimitReached.code()));
        live.app.sessions.ended().await;
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        assert_eq!(live.completed(id)[0]["data"]["reason"], "time_limit", "nothing of it is lost");
        let (status, retry, problem) = ask(&live, "learner-1").await;
        assert_eq!((status, &problem["code"]), (429, &json!("conversation_quota_reached")));
        assert!(retry.unwrap().parse::<u64>().unwrap() > 3_600);
        assert_eq!(ask(&live, "learner-2").await.0, 201, "others talk on");
        live.stop().await.unwrap();
    });
}

#[test]
fn spending_limit_ends_live_conversations_and_refuses_new_ones_until_operators_raise_it() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let spending = spending(&live);
        let now = jiff::Timestamp::now();
        let (mut client, _) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        client.until("turn").await;
        spending.set_limit(1).await.unwrap();
        assert_eq!(client.until("error").await["code"], "spending_limit");
        assert_eq!(client.until("ended").await["reason"], "time_limit");
        assert_eq!(client.closed().await, Some(CloseReason::LimitReached.code()));
        live.app.sessions.ended().await;
        let spent = spending.of_day(now).await.unwrap();
        assert!(spent > 1, "{spent}: the tokens of the conversation are counted");

        tokio::time::sleep(STATE_AGE_MAX + Duration::from_secs(1)).await;
        let (status, _, problem) = ask(&live, "learner-2").await;
        assert_eq!((status, &problem["code"]), (503, &json!("spending_limit_reached")));
        spending.set_limit(spent + 1_000_000).await.unwrap();
        tokio::time::sleep(STATE_AGE_MAX + Duration::from_secs(1)).await;
        assert_eq!(ask(&live, "learner-2").await.0, 201);
        live.stop().await.unwrap();
    });
}

#[test]
fn limit_of_a_run_counts_all_its_days_and_ends_and_refuses_conversations() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let spending = spending(&live);
        let now = jiff::Timestamp::now();
        let yesterday = now - jiff::SignedDuration::from_hours(24);
        spending.set_run_limit(2_000_000, yesterday).await.unwrap();
        spending.add(1_500_000, yesterday).await.unwrap();
        let (mut client, _) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        client.until("turn").await;
        spending.add(500_000, now).await.unwrap();
        assert_eq!(client.until("error").await["code"], "spending_limit");
        assert_eq!(client.closed().await, Some(CloseReason::LimitReached.code()));
        live.app.sessions.ended().await;

        tokio::time::sleep(STATE_AGE_MAX + Duration::from_secs(1)).await;
        let (status, _, problem) = ask(&live, "learner-2").await;
        assert_eq!((status, &problem["code"]), (503, &json!("spending_limit_reached")));
        assert!(problem["detail"].as_str().unwrap().contains("its operator"), "{problem}");
        // A higher limit of the same run: it still begins yesterday.
        spending.set_run_limit(3_000_000, now).await.unwrap();
        assert!(spending.reached(now).await.unwrap().is_none());
        spending.add(1_000_000, now).await.unwrap();
        assert_eq!(spending.reached(now).await.unwrap(), Some(ReachedLimit::Run));
        live.stop().await.unwrap();
    });
}
