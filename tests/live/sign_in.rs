//! Signing in over HTTP against the user pool of the model: a code by text message, which the local cloud does not send;
//! accounts that are to be deleted; and records that are missing.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use ingress::{account::auth::Roles, store::users::Users};
use jiff::Timestamp;
use reqwest::{
    RequestBuilder,
    header::{COOKIE, SET_COOKIE},
};
use serde_json::{Value, json};
use tests::{
    deployment::USERS,
    live::{Live, LiveOptions, block_on},
    model::{PoolUser, SESSION_VALIDITY},
};

const EMAIL: &str = "learner-1@nova.example";
const LEARNER: &str = "learner-1";
const PASSWORD: &str = "Speak-English-1";
const PHONE: &str = "+821012341234";

/// Puts the learner into the pool.
fn enrol(live: &Live, phone: Option<&str>) {
    let user = PoolUser {
        user_id: LEARNER.to_owned(),
        password: PASSWORD.to_owned(),
        phone: phone.map(str::to_owned),
        ..PoolUser::default()
    };
    live.cloud.state().cognito.users.insert(EMAIL.to_owned(), user);
}

/// Status, body and the cookie of the session.
type Answer = (u16, Value, Option<String>);

async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let cookie = answer.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
    (answer.status().as_u16(), answer.json().await.unwrap_or_default(), cookie)
}

async fn post(live: &Live, path: &str, body: Value) -> Answer {
    send(live.http().post(format!("{}{path}", live.url())).json(&body)).await
}

async fn sign_in(live: &Live, password: &str) -> Answer {
    post(live, "/auth/sign-in", json!({ "email": EMAIL, "password": password })).await
}

async fn refresh(live: &Live, cookie: &str) -> Answer {
    let pair = cookie.split(';').next().unwrap();
    let post = live.http().post(format!("{}/auth/refresh", live.url())).header("x-nova-csrf", "1");
    send(post.header(COOKIE, pair)).await
}

async fn me(live: &Live) -> Answer {
    let token = live.token(LEARNER).unwrap();
    send(live.http().get(format!("{}/api/me", live.url())).bearer_auth(token)).await
}

fn users(live: &Live) -> Users {
    Users::new(aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("reader")), USERS.to_owned())
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

/// The last code that was sent to the phone.
fn sent(live: &Live) -> String {
    let state = live.cloud.state();
    let (phone, code) = state.cognito.text_messages.last().unwrap();
    assert_eq!(phone, PHONE);
    code.clone()
}

#[test]
fn a_code_by_text_message_ends_a_sign_in_once_and_in_time() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, Some(PHONE));
        assert_eq!(code(&sign_in(&live, "Speak-English-0").await), (401, "credentials_wrong"));
        assert!(live.cloud.state().cognito.text_messages.is_empty(), "a wrong password sends a code");

        let (status, asked, cookie) = sign_in(&live, PASSWORD).await;
        assert_eq!(
            (status, &asked["status"], &asked["challenge"]),
            (200, &json!("challenge"), &json!("sms"))
        );
        assert_eq!(asked["destination"], "+*******1234");
        assert!(cookie.is_none() && asked["accessToken"].is_null(), "the password alone opens something");
        let respond = async |session: &Value, answer: &str| {
            let body = json!({ "session": session, "challenge": "sms", "answer": answer });
            post(&live, "/auth/challenge", body).await
        };
        let (session, right) = (&asked["session"], sent(&live));
        let wrong = if right == "000000" { "000001" } else { "000000" };
        assert_eq!(code(&respond(session, wrong).await), (422, "code_wrong"));
        assert_eq!(code(&respond(&json!("rubbish"), &right).await), (401, "challenge_ended"));
        let other = "bGVhcm5lci0y".to_owned() + session.as_str().unwrap().trim_start_matches(|c| c != '.');
        assert_eq!(code(&respond(&json!(other), &right).await), (401, "challenge_ended"), "of another user");

        // As people write it.
        let spaced = format!("{} {}", &right[..3], &right[3..]);
        let (status, answer, cookie) = respond(session, &spaced).await;
        assert_eq!((status, &answer["status"]), (200, &json!("signedIn")), "{answer}");
        assert_eq!((&answer["user"]["userId"], &answer["expiresIn"]), (&json!(LEARNER), &json!(300)));
        let token = answer["accessToken"].as_str().unwrap();
        assert!(live.ask(token, "street-market").await.is_ok(), "the token opens nothing");
        let refreshed = refresh(&live, &cookie.expect("the session is kept")).await;
        assert_eq!((refreshed.0, &refreshed.1["user"]["userId"]), (200, &json!(LEARNER)));
        assert_eq!(code(&respond(session, &right).await), (401, "challenge_ended"), "a code is good twice");

        let (_, asked, _) = sign_in(&live, PASSWORD).await;
        tokio::time::sleep(SESSION_VALIDITY + Duration::from_secs(1)).await;
        let late = respond(&asked["session"], &sent(&live)).await;
        assert_eq!(code(&late), (401, "challenge_ended"), "a code is valid for a limited time");
        live.stop().await.unwrap();
    });
}

#[test]
fn codes_of_a_text_message_are_tried_a_few_times() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, Some(PHONE));
        let (_, asked, _) = sign_in(&live, PASSWORD).await;
        let right = sent(&live);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        let body =
            |answer: &str| json!({ "session": asked["session"], "challenge": "sms", "answer": answer });
        for _ in 0..10 {
            let answer = post(&live, "/auth/challenge", body(wrong)).await;
            assert_eq!(code(&answer), (422, "code_wrong"));
        }
        let answer = post(&live, "/auth/challenge", body(&right)).await;
        assert_eq!(code(&answer), (429, "too_many_requests"));
        live.stop().await.unwrap();
    });
}

#[test]
fn an_account_that_is_to_be_deleted_signs_in_nowhere_and_its_sessions_end() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, Some(PHONE));
        let respond = async || {
            let (_, asked, _) = sign_in(&live, PASSWORD).await;
            let body = json!({ "session": asked["session"], "challenge": "sms", "answer": sent(&live) });
            post(&live, "/auth/challenge", body).await
        };
        let (status, _, cookie) = respond().await;
        assert_eq!((status, live.cloud.state().cognito.sessions()), (200, 1));
        let cookie = cookie.unwrap();
        let at = Timestamp::now();
        assert!(users(&live).request_deletion(&LEARNER.parse().unwrap(), at).await.unwrap().is_some());

        let refused = respond().await;
        assert_eq!(code(&refused), (403, "account_deleted"));
        assert!(refused.2.is_none() && refused.1["accessToken"].is_null(), "{refused:?}");
        assert_eq!(live.cloud.state().cognito.sessions(), 1, "the session that came of it goes on");
        let refused = refresh(&live, &cookie).await;
        assert_eq!(code(&refused), (403, "account_deleted"));
        assert!(refused.2.is_some_and(|cookie| cookie.contains("Max-Age=0")), "the cookie stays");
        assert_eq!(live.cloud.state().cognito.sessions(), 0);
        assert_eq!(code(&refresh(&live, &cookie).await), (401, "session_ended"));

        // Without a second proof it is the same.
        enrol(&live, None);
        assert_eq!(code(&sign_in(&live, PASSWORD).await), (403, "account_deleted"));
        assert_eq!(live.cloud.state().cognito.sessions(), 0);
        live.stop().await.unwrap();
    });
}

#[test]
fn a_missing_record_is_made_by_a_sign_in_and_by_a_look_at_the_account_alike() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, None);
        let id = LEARNER.parse().unwrap();
        let made = async || {
            let record = users(&live).get(&id).await.unwrap().expect("the record is made");
            assert_eq!((record.profile.name.as_str(), record.version), ("Somebody", 1));
        };
        let remove = async || {
            let dynamodb = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("operator"));
            let key = aws_sdk_dynamodb::types::AttributeValue::S(LEARNER.to_owned());
            dynamodb.delete_item().table_name(USERS).key("userId", key).send().await.unwrap();
        };
        let (status, answer, cookie) = sign_in(&live, PASSWORD).await;
        assert_eq!((status, &answer["user"]["name"]), (200, &json!("Somebody")));
        made().await;
        remove().await;
        assert_eq!(me(&live).await.0, 200);
        made().await;
        remove().await;
        assert_eq!(refresh(&live, &cookie.unwrap()).await.0, 200);
        made().await;

        // For a user that the pool does not have any more, no record is made.
        remove().await;
        live.cloud.state().cognito.deleted.insert(LEARNER.to_owned());
        assert_eq!(code(&me(&live).await), (401, "session_ended"));
        assert_eq!(code(&sign_in(&live, PASSWORD).await), (401, "session_ended"));
        assert_eq!(users(&live).get(&id).await.unwrap(), None);
        live.stop().await.unwrap();
    });
}

#[test]
fn an_account_that_the_page_has_is_not_sent_again_until_it_changes() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let url = format!("{}/api/me", live.url());
        let token = live.token(LEARNER).unwrap();
        let get = |token: &str| live.http().get(&url).bearer_auth(token);
        let first = get(&token).send().await.unwrap();
        let tag = first.headers()["etag"].clone();
        assert_eq!(first.headers()["cache-control"], "private, no-cache");
        let again = get(&token).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
        assert!(again.bytes().await.unwrap().is_empty());
        let analyst = Roles { analyst: true, ..Roles::default() };
        let analyst = live.token_with(LEARNER, analyst).unwrap();
        let role = get(&analyst).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(role.status(), 200, "a new role takes effect");

        let change = |tag: &reqwest::header::HeaderValue, level: &str| {
            let patch = live.http().patch(&url).bearer_auth(&token).header("if-match", tag);
            patch.json(&json!({ "level": level })).send()
        };
        let changed = change(&tag, "C1").await.unwrap();
        assert_eq!(changed.status(), 200);
        let next = changed.headers()["etag"].clone();
        assert_ne!(next, tag);
        assert_eq!(change(&tag, "A1").await.unwrap().status(), 412, "an older version is changed");
        let seen = get(&token).header("if-none-match", &next).send().await.unwrap();
        assert_eq!(seen.status(), 304, "the tag of a change is that of what it made");
        live.stop().await.unwrap();
    });
}
