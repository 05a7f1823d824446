//! What the tasks of the ingress share: the same cases in the process and in a real Redis, and what happens without it.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::{path::Path, sync::Arc, time::Duration};

use infra::local::{Progress, RedisServer};
use ingress::{
    api::problem::ApiError,
    coordination::{CALL_TIMEOUT, Claim, Coordination, CoordinationError, Heard, WAITING_MESSAGES_MAX},
    metrics::Metrics,
};
use tokio::time::{Instant, timeout};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const LONG: Duration = Duration::from_secs(60);

async fn redis() -> (tempfile::TempDir, RedisServer) {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path().to_owned(), &Progress::silent()).await.unwrap();
    (folder, server)
}

fn task_of(server: &RedisServer) -> (Coordination, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    (Coordination::redis(&server.url(), None, Arc::clone(&metrics)).unwrap(), metrics)
}

async fn heard(subscription: &mut ingress::coordination::Subscription) -> String {
    loop {
        match timeout(PATIENCE, subscription.next()).await.unwrap() {
            Heard::Message(message) => return message,
            Heard::Lagged => {}
        }
    }
}

async fn attempts_are_counted_within_their_window(one: &Coordination, other: &Coordination) {
    let window = Duration::from_millis(300);
    for coordination in [one, other, one] {
        assert_eq!(coordination.attempt("learner", 3, window).await.unwrap(), Ok(()));
    }
    let wait = other.attempt("learner", 3, window).await.unwrap().unwrap_err();
    assert!(wait <= window && !wait.is_zero(), "{wait:?}");
    assert_eq!(one.attempt("another", 3, window).await.unwrap(), Ok(()));
    tokio::time::sleep(wait + Duration::from_millis(5)).await;
    assert_eq!(one.attempt("learner", 3, window).await.unwrap(), Ok(()), "a new window began");
    for _ in 0..4 {
        let _ = one.attempt("forgotten", 1, LONG).await.unwrap();
    }
    other.forget("forgotten").await.unwrap();
    assert_eq!(one.attempt("forgotten", 1, LONG).await.unwrap(), Ok(()));
    let refused = one.limit("forgotten", 1, LONG).await.unwrap_err();
    assert_eq!(ApiError::from(refused).code().name(), "too_many_requests");
}

async fn messages_reach_those_who_listen(one: &Coordination, other: &Coordination) {
    other.publish("results:1", "before anybody listens").await.unwrap();
    let mut first = one.subscribe("results:1").await.unwrap();
    let mut second = one.subscribe("results:1").await.unwrap();
    let mut elsewhere = other.subscribe("results:1").await.unwrap();
    let mut different = one.subscribe("results:2").await.unwrap();
    other.publish("results:1", "a").await.unwrap();
    one.publish("results:1", "b").await.unwrap();
    other.publish("results:2", "c").await.unwrap();
    for subscription in [&mut first, &mut second, &mut elsewhere] {
        assert_eq!(heard(subscription).await, "a");
        assert_eq!(heard(subscription).await, "b");
    }
    assert_eq!(heard(&mut different).await, "c");
    drop((first, second));
    let mut again = one.subscribe("results:1").await.unwrap();
    other.publish("results:1", "d").await.unwrap();
    assert_eq!(heard(&mut again).await, "d");
    assert_eq!(heard(&mut elsewhere).await, "d");
}

async fn a_slow_listener_is_told_that_it_lagged(one: &Coordination, other: &Coordination) {
    let mut slow = one.subscribe("slow").await.unwrap();
    let mut quick = one.subscribe("slow").await.unwrap();
    let count = 2 * WAITING_MESSAGES_MAX;
    for number in 0..count {
        other.publish("slow", &number.to_string()).await.unwrap();
        assert_eq!(heard(&mut quick).await, number.to_string());
    }
    assert_eq!(timeout(PATIENCE, slow.next()).await.unwrap(), Heard::Lagged);
    assert_eq!(heard(&mut slow).await, (count - WAITING_MESSAGES_MAX).to_string());
}

async fn a_claim_has_one_owner_until_it_ends(one: &Coordination, other: &Coordination) {
    let ttl = Duration::from_millis(300);
    assert_eq!(one.claim("live:a", "x", LONG).await.unwrap(), Claim::Mine);
    assert_eq!(one.claim("live:a", "x", LONG).await.unwrap(), Claim::Mine, "an owner may claim again");
    assert_eq!(other.claim("live:a", "y", LONG).await.unwrap(), Claim::Held("x".to_owned()));
    assert!(!other.renew("live:a", "y", LONG).await.unwrap() && !other.release("live:a", "y").await.unwrap());
    assert!(!other.take("live:a", "z", "y", LONG).await.unwrap());
    assert!(other.take("live:a", "x", "y", LONG).await.unwrap());
    assert!(!one.renew("live:a", "x", LONG).await.unwrap() && !one.release("live:a", "x").await.unwrap());
    assert_eq!(one.holder("live:a").await.unwrap().as_deref(), Some("y"));
    assert!(other.release("live:a", "y").await.unwrap());
    assert_eq!(one.holder("live:a").await.unwrap(), None);

    assert_eq!(one.claim("live:b", "x", ttl).await.unwrap(), Claim::Mine);
    let claimed = Instant::now();
    while other.claim("live:b", "y", LONG).await.unwrap() != Claim::Mine {
        assert!(claimed.elapsed() < PATIENCE, "a claim does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(claimed.elapsed() > ttl - Duration::from_millis(50), "a claim ended too soon");
    assert!(!one.renew("live:b", "x", ttl).await.unwrap());
}

async fn amounts_are_summed_within_their_window(one: &Coordination, other: &Coordination) {
    assert_eq!(one.spend("seconds", 60, 100, LONG).await.unwrap(), Ok(()));
    assert_eq!(other.spend("seconds", 40, 100, LONG).await.unwrap(), Ok(()));
    assert_eq!(one.spend("seconds", 0, 100, LONG).await.unwrap(), Ok(()), "all of it may be spent");
    assert!(other.spend("seconds", 1, 100, LONG).await.unwrap().is_err());
    assert!(one.spend("seconds", 0, 100, LONG).await.unwrap().is_err());
}

async fn group_has_a_bounded_number_of_members(one: &Coordination, other: &Coordination) {
    let ttl = Duration::from_millis(300);
    assert!(one.enter("group", "a", 2, LONG).await.unwrap());
    assert!(other.enter("group", "b", 2, ttl).await.unwrap());
    assert!(!one.enter("group", "c", 2, LONG).await.unwrap(), "it is full");
    assert!(other.enter("group", "a", 2, LONG).await.unwrap(), "a member is renewed");
    assert_eq!(one.members("group").await.unwrap(), 2);
    let began = Instant::now();
    while !one.enter("group", "c", 2, LONG).await.unwrap() {
        assert!(began.elapsed() < PATIENCE, "a member does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    other.remove_member("group", "a").await.unwrap();
    assert_eq!(one.members("group").await.unwrap(), 1);
}

async fn what_is_too_long_is_refused(one: &Coordination, _: &Coordination) {
    let long = "x".repeat(257);
    assert_eq!(one.attempt(&long, 1, LONG).await, Err(CoordinationError::TooLong));
    assert_eq!(one.claim("a", &long, LONG).await, Err(CoordinationError::TooLong));
    assert_eq!(one.publish("a", &"x".repeat(16 * 1024 + 1)).await, Err(CoordinationError::TooLong));
    one.publish("a", &"x".repeat(16 * 1024)).await.unwrap();
}

async fn every_case(one: &Coordination, other: &Coordination) {
    attempts_are_counted_within_their_window(one, other).await;
    messages_reach_those_who_listen(one, other).await;
    a_slow_listener_is_told_that_it_lagged(one, other).await;
    a_claim_has_one_owner_until_it_ends(one, other).await;
    amounts_are_summed_within_their_window(one, other).await;
    group_has_a_bounded_number_of_members(one, other).await;
    what_is_too_long_is_refused(one, other).await;
}

#[tokio::test]
async fn what_is_shared_is_the_same_in_one_process() {
    let coordination = Coordination::in_process();
    every_case(&coordination, &coordination).await;
}

#[tokio::test]
async fn what_is_shared_is_the_same_in_redis() {
    let (_folder, server) = redis().await;
    let ((one, failed), (other, _)) = (task_of(&server), task_of(&server));
    every_case(&one, &other).await;
    assert_eq!(failed.failed_coordination_calls.take(), 0);
    server.stop().await;
}

#[tokio::test]
async fn what_is_shared_is_the_same_in_redis_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start_with_tls(folder.path().to_owned(), &Progress::silent()).await.unwrap();
    let (url, certificate) = server.tls().unwrap();
    let task = |trusted: Option<&Path>| Coordination::redis(&url, trusted, Arc::default()).unwrap();
    every_case(&task(Some(&certificate)), &task(Some(&certificate))).await;
    let stranger = task(None);
    assert_eq!(
        stranger.holder("a").await,
        Err(CoordinationError::Unavailable),
        "the certificate of this server is not trusted"
    );
    server.stop().await;
}

/// Calls until Redis answers again.
async fn until_back(coordination: &Coordination) {
    let begun = Instant::now();
    while coordination.holder("any").await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "Redis is back and not used");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn without_redis_each_task_counts_and_with_it_back_everything_goes_on() {
    let (_folder, mut server) = redis().await;
    let ((one, failed), (other, _)) = (task_of(&server), task_of(&server));
    let mut subscription = one.subscribe("results").await.unwrap();
    other.publish("results", "a").await.unwrap();
    assert_eq!(heard(&mut subscription).await, "a");
    assert_eq!(one.claim("live", "x", LONG).await.unwrap(), Claim::Mine);

    server.stop().await;
    let begun = Instant::now();
    assert_eq!(one.claim("live", "x", LONG).await, Err(CoordinationError::Unavailable));
    assert!(begun.elapsed() < 2 * CALL_TIMEOUT, "{:?}", begun.elapsed());
    let begun = Instant::now();
    for attempt in 0..10 {
        let counted = one.limit("learner", 3, LONG).await;
        assert_eq!(counted.is_ok(), attempt < 3, "the task counts by itself: {attempt}");
    }
    assert!(begun.elapsed() < 3 * CALL_TIMEOUT, "a caller waits too long: {:?}", begun.elapsed());
    assert!(one.subscribe("others").await.is_err());
    assert!(failed.failed_coordination_calls.take() >= 11);
    assert_eq!(
        timeout(PATIENCE, subscription.next()).await.unwrap(),
        Heard::Lagged,
        "the subscriber learns of the gap"
    );

    server.restart().await.unwrap();
    until_back(&one).await;
    until_back(&other).await;
    assert_eq!(one.claim("live", "x", LONG).await.unwrap(), Claim::Mine, "what was kept is gone");
    // The subscription comes back by itself, soon after the connection.
    let begun = Instant::now();
    loop {
        other.publish("results", "b").await.unwrap();
        if timeout(Duration::from_millis(50), heard(&mut subscription)).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the subscription did not come back");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_a_bounded_time() {
    use nix::sys::signal::Signal;
    let (_folder, server) = redis().await;
    let (coordination, failed) = task_of(&server);
    assert_eq!(coordination.holder("a").await.unwrap(), None);
    server.process().signal(Signal::SIGSTOP).await.unwrap();
    let begun = Instant::now();
    assert_eq!(coordination.holder("a").await, Err(CoordinationError::Unavailable));
    assert!(begun.elapsed() < CALL_TIMEOUT + Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(failed.failed_coordination_calls.take(), 1);
    server.process().signal(Signal::SIGCONT).await.unwrap();
    until_back(&coordination).await;
    server.stop().await;
}

#[tokio::test]
async fn a_task_starts_before_its_redis() {
    let (_folder, mut server) = redis().await;
    server.stop().await;
    let (coordination, _) = task_of(&server);
    assert_eq!(coordination.holder("a").await, Err(CoordinationError::Unavailable));
    server.restart().await.unwrap();
    until_back(&coordination).await;
    server.stop().await;
}
