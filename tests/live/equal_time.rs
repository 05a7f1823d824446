//! The duration of a response of `/auth` reveals nothing: not whether an account exists, and not how long the user pool takes.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use serde_json::json;
use tests::{
    live::{Live, LiveOptions, block_on},
    model::PoolUser,
};
use tokio::time::Instant;

const STEP: Duration = Duration::from_millis(500);

/// What sockets and timers add in scaled time.
const MARGIN: Duration = Duration::from_millis(40);

/// Status and duration of a sign-in whose call of the user pool takes `pool_time` longer than usual.
async fn sign_in(live: &Live, email: &str, pool_time: Duration) -> (u16, Duration) {
    let body = json!({ "email": email, "password": "Speak-English-0" });
    let began = Instant::now();
    let post = live.http().post(format!("{}/auth/sign-in", live.url())).json(&body).send();
    let release = async {
        if !pool_time.is_zero() {
            let mut hold = live.cloud.hold("InitiateAuth");
            hold.arrived(1).await;
            tokio::time::sleep(pool_time).await;
        }
    };
    let (answer, ()) = tokio::join!(post, release);
    (answer.unwrap().status().as_u16(), began.elapsed())
}

#[test]
fn known_and_unknown_accounts_are_refused_after_the_same_time() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let user = PoolUser {
            user_id: "learner-1".to_owned(),
            password: "Speak-English-1".to_owned(),
            ..PoolUser::default()
        };
        live.cloud.state().cognito.users.insert("known@nova.example".to_owned(), user);
        // The first request opens the connection.
        sign_in(&live, "unknown@nova.example", Duration::ZERO).await;
        for (email, pool_ms, steps) in [
            ("unknown@nova.example", 0, 1),
            ("known@nova.example", 0, 1),
            ("known@nova.example", 103, 1),
            ("known@nova.example", 400, 1),
            // Slower than the step: still no more is visible than the number of steps.
            ("known@nova.example", 600, 2),
            ("unknown@nova.example", 800, 2),
        ] {
            let (status, took) = sign_in(&live, email, Duration::from_millis(pool_ms)).await;
            assert_eq!(status, 401);
            let expected = STEP * steps;
            assert!((expected..expected + MARGIN).contains(&took), "{email} {pool_ms} ms: {took:?}");
        }
        // What is refused before a look at an account takes the same time.
        let began = Instant::now();
        let refused = live.http().post(format!("{}/auth/sign-in", live.url())).json(&json!({})).send().await;
        assert_eq!(refused.unwrap().status(), 422);
        assert!((STEP..STEP + MARGIN).contains(&began.elapsed()), "{:?}", began.elapsed());
        // Other routes do not wait.
        let began = Instant::now();
        assert_eq!(live.http().get(format!("{}/health", live.url())).send().await.unwrap().status(), 200);
        assert!(began.elapsed() < STEP, "{:?}", began.elapsed());
        live.stop().await.unwrap();
    });
}
