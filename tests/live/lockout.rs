//! Nobody locks an owner out: wrong passwords and made-up sessions from elsewhere, and many learners behind one address.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tests::{
    live::{Live, LiveOptions, block_on},
    model::PoolUser,
};
use tokio::time::Instant;

const EMAIL: &str = "learner-1@nova.example";
const PASSWORD: &str = "Speak-English-1";
const WRONG_PASSWORD: &str = "Speak-English-0";

/// Learners of a school, which has one IP address.
const SCHOOL: usize = 300;

/// Those of them that sign in at one time.
const SIGN_INS_AT_ONCE: usize = 30;

async fn live_behind_a_proxy() -> Live {
    Live::start(LiveOptions::default().with("trusted-proxies", 1)).await.unwrap()
}

fn enrol(live: &Live, user_id: &str) {
    let user = PoolUser { user_id: user_id.to_owned(), password: PASSWORD.to_owned(), ..PoolUser::default() };
    live.cloud.state().cognito.users.insert(format!("{user_id}@nova.example"), user);
}

/// Status, body and cookies of a request from an IP address.
async fn post(
    live: &Live,
    path: &str,
    address: &str,
    cookies: &str,
    body: &Value,
) -> (u16, Value, Vec<String>) {
    let post = live.http().post(format!("{}{path}", live.url())).header("x-nova-csrf", "1").json(body);
    let answer = post.header("x-forwarded-for", address).header(COOKIE, cookies).send().await.unwrap();
    let cookies = answer.headers().get_all(SET_COOKIE).iter();
    let cookies = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    let cookies = cookies.collect();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default(), cookies)
}

async fn sign_in(live: &Live, address: &str, cookies: &str, password: &str) -> (u16, Vec<String>) {
    let body = json!({ "email": EMAIL, "password": password });
    let (status, _, cookies) = post(live, "/auth/sign-in", address, cookies, &body).await;
    (status, cookies)
}

#[test]
fn wrong_passwords_of_a_stranger_block_the_network_of_the_stranger_alone() {
    block_on(async {
        let live = live_behind_a_proxy().await;
        enrol(&live, "learner-1");
        for _ in 0..10 {
            assert_eq!(sign_in(&live, "203.0.113.1", "", WRONG_PASSWORD).await.0, 401);
        }
        assert_eq!(sign_in(&live, "203.0.113.1", "", PASSWORD).await.0, 429);
        assert_eq!(sign_in(&live, "198.51.100.1", "", PASSWORD).await.0, 200, "the owner is locked out");
        live.stop().await.unwrap();
    });
}

#[test]
fn wrong_passwords_from_everywhere_do_not_block_a_device_that_signed_in_before() {
    block_on(async {
        let live = live_behind_a_proxy().await;
        enrol(&live, "learner-1");
        let (status, cookies) = sign_in(&live, "198.51.100.1", "", PASSWORD).await;
        let device = cookies.iter().find(|cookie| cookie.starts_with("__Secure-nova_device=")).unwrap();
        assert_eq!(status, 200);
        for network in 0..10 {
            for _ in 0..10 {
                let address = format!("203.0.113.{network}");
                assert!(matches!(sign_in(&live, &address, "", WRONG_PASSWORD).await.0, 401 | 429));
            }
        }
        assert_eq!(sign_in(&live, "192.0.2.1", "", WRONG_PASSWORD).await.0, 429, "there is no limit");
        assert_eq!(sign_in(&live, "192.0.2.2", device, PASSWORD).await.0, 200, "the owner is locked out");
        // A copy of the device's cookie has a limit of its own.
        for _ in 0..10 {
            assert_eq!(sign_in(&live, "192.0.2.3", device, WRONG_PASSWORD).await.0, 401);
        }
        assert_eq!(sign_in(&live, "192.0.2.4", device, WRONG_PASSWORD).await.0, 429);
        live.stop().await.unwrap();
    });
}

#[test]
fn owner_who_is_blocked_everywhere_comes_in_with_a_mailed_code() {
    block_on(async {
        let live = live_behind_a_proxy().await;
        enrol(&live, "learner-1");
        for network in 0..11 {
            let address = format!("203.0.113.{network}");
            for _ in 0..10 {
                sign_in(&live, &address, "", WRONG_PASSWORD).await;
            }
        }
        let home = "198.51.100.1";
        assert_eq!(sign_in(&live, home, "", PASSWORD).await.0, 429, "a new network is not blocked");
        let forgot = json!({ "email": EMAIL });
        assert_eq!(post(&live, "/auth/forgot", home, "", &forgot).await.0, 202);
        let code = live.cloud.state().cognito.mails.last().unwrap().1.clone();
        let new = "Speak-English-2";
        let reset = json!({ "email": EMAIL, "code": code, "password": new });
        let (status, answer, cookies) = post(&live, "/auth/reset", home, "", &reset).await;
        assert_eq!(status, 204, "{answer}");
        let device = cookies.iter().find(|cookie| cookie.starts_with("__Secure-nova_device=")).unwrap();
        assert_eq!(sign_in(&live, home, device, new).await.0, 200, "the owner is locked out");
        assert_eq!(
            sign_in(&live, "203.0.113.200", "", new).await.0,
            429,
            "the stranger is not blocked any more"
        );
        live.stop().await.unwrap();
    });
}

#[test]
fn made_up_challenge_sessions_count_against_no_account() {
    block_on(async {
        let live = live_behind_a_proxy().await;
        enrol(&live, "learner-1");
        live.cloud.state().cognito.users.get_mut(EMAIL).unwrap().phone = Some("+821012341234".to_owned());
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let (_, asked, _) = post(&live, "/auth/sign-in", "198.51.100.1", "", &body).await;
        let sealed = asked["session"].as_str().unwrap();
        assert!(!sealed.contains("learner"), "{sealed}");
        let respond =
            |session: &str, answer: &str| json!({ "session": session, "challenge": "sms", "answer": answer });
        // The form of a session of the pool, with the name of the learner.
        let made_up = respond("bGVhcm5lci0x.AYABe", "000000");
        for _ in 0..20 {
            let (status, problem, _) = post(&live, "/auth/challenge", "198.51.100.1", "", &made_up).await;
            assert_eq!((status, problem["code"].as_str()), (401, Some("challenge_ended")));
        }
        let code = live.cloud.state().cognito.text_messages.last().unwrap().1.clone();
        let right = respond(sealed, &code);
        let (status, answer, _) = post(&live, "/auth/challenge", "198.51.100.1", "", &right).await;
        assert_eq!(status, 200, "{answer}");
        live.stop().await.unwrap();
    });
}

#[test]
fn three_hundred_learners_behind_one_address_sign_in_and_refresh_within_ten_minutes() {
    block_on(async {
        let live = live_behind_a_proxy().await;
        let began = Instant::now();
        let pupil = async |number: usize| {
            let user_id = format!("pupil-{number}");
            enrol(&live, &user_id);
            let email = format!("{user_id}@nova.example");
            let wrong = json!({ "email": email, "password": WRONG_PASSWORD });
            assert_eq!(post(&live, "/auth/sign-in", "203.0.113.1", "", &wrong).await.0, 401);
            let right = json!({ "email": email, "password": PASSWORD });
            let (status, answer, cookies) = post(&live, "/auth/sign-in", "203.0.113.1", "", &right).await;
            assert_eq!(status, 200, "pupil {number}: {answer}");
            let mut session = cookies[0].clone();
            for _ in 0..2 {
                let (status, answer, cookies) =
                    post(&live, "/auth/refresh", "203.0.113.1", &session, &Value::Null).await;
                assert_eq!(status, 200, "pupil {number}: {answer}");
                session = cookies[0].clone();
            }
        };
        stream::iter(0..SCHOOL).for_each_concurrent(SIGN_INS_AT_ONCE, pupil).await;
        assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
        live.stop().await.unwrap();
    });
}
