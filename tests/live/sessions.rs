//! Sessions under attack: copied, made-up and doubled cookies, and what still opens when a session has ended.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{COOKIE, SET_COOKIE, USER_AGENT};
use serde_json::{Value, json};
use tests::{
    deployment::SESSIONS,
    live::{Live, LiveOptions, block_on},
    model::PoolUser,
};
use tokio::time::Instant;

use super::raw_client::RawClient;

const EMAIL: &str = "learner-1@nova.example";
const LEARNER: &str = "learner-1";
const PASSWORD: &str = "Speak-English-1";

/// How long the end of a session may take to reach its tokens and sockets.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The close code of a socket whose session has ended.
const SIGNED_OUT: u16 = 4002;

fn enrol(live: &Live, groups: &[&str], disabled: bool) {
    let user = PoolUser {
        user_id: LEARNER.to_owned(),
        password: PASSWORD.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        disabled,
        ..PoolUser::default()
    };
    live.cloud.state().cognito.users.insert(EMAIL.to_owned(), user);
}

/// Status, body and the pair of the session cookie.
type Answer = (u16, Value, Option<String>);

async fn post(live: &Live, path: &str, body: &Value, cookies: &[&str]) -> Answer {
    let mut post = live.http().post(format!("{}{path}", live.url())).header("x-nova-csrf", "1").json(body);
    for cookie in cookies {
        post = post.header(COOKIE, *cookie);
    }
    read(post.send().await.unwrap()).await
}

async fn read(answer: reqwest::Response) -> Answer {
    let cookie =
        answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().unwrap().split(';').next());
    let cookie = cookie.map(str::to_owned);
    (answer.status().as_u16(), answer.json().await.unwrap_or_default(), cookie)
}

/// Signs in; the access token and the cookie.
async fn sign_in(live: &Live) -> (String, String) {
    sign_in_with(live, "a test").await
}

/// The same in a browser with this `User-Agent`.
async fn sign_in_with(live: &Live, user_agent: &str) -> (String, String) {
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let post = live.http().post(format!("{}/auth/sign-in", live.url())).header(USER_AGENT, user_agent);
    let (status, answer, cookie) = read(post.json(&body).send().await.unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    (answer["accessToken"].as_str().unwrap().to_owned(), cookie.unwrap())
}

async fn sessions(live: &Live, token: &str) -> Vec<Value> {
    let get = live.http().get(format!("{}/api/me/sessions", live.url())).bearer_auth(token);
    let list: Value = get.send().await.unwrap().json().await.unwrap();
    list["items"].as_array().unwrap().clone()
}

async fn delete(live: &Live, token: &str, path: &str) -> u16 {
    let delete = live.http().delete(format!("{}{path}", live.url())).bearer_auth(token);
    delete.send().await.unwrap().status().as_u16()
}

async fn refresh(live: &Live, cookies: &[&str]) -> Answer {
    post(live, "/auth/refresh", &Value::Null, cookies).await
}

async fn me(live: &Live, token: &str) -> (u16, Value) {
    let answer = live.http().get(format!("{}/api/me", live.url())).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

/// Waits until the token opens nothing, and returns how long that took.
async fn await_end(live: &Live, token: &str) -> Duration {
    let began = Instant::now();
    while me(live, token).await != (401, json!("session_ended")) {
        assert!(began.elapsed() < END_WITHIN, "the token still opens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    began.elapsed()
}

#[test]
fn replaced_cookie_is_accepted_for_two_tabs_and_later_ends_the_session() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (token, first) = sign_in(&live).await;
        assert!(first.starts_with("__Secure-nova_session="), "{first}");
        let (status, _, second) = refresh(&live, &[&first]).await;
        let second = second.unwrap();
        assert!(status == 200 && second != first, "the cookie is not replaced");
        let (status, _, again) = refresh(&live, &[&first]).await;
        assert_eq!((status, again.as_ref()), (200, Some(&second)), "the other tab gets the same cookie");

        // Eleven seconds pass.
        {
            let mut state = live.cloud.state();
            let items = &mut state.dynamodb.tables.get_mut(SESSIONS).unwrap().items;
            for item in items.values_mut() {
                let at: i64 = item["rotatedAt"]["N"].as_str().unwrap().parse().unwrap();
                item.insert("rotatedAt".to_owned(), json!({ "N": (at - 11_000).to_string() }));
            }
        }
        assert_eq!(me(&live, &token).await.0, 200);
        let reused = refresh(&live, &[&first]).await;
        assert_eq!(code(&reused), (401, "session_ended"));
        let counted = live.app.metrics.document(0, 0, 0).encode(Timestamp::now()).unwrap();
        assert_eq!(counted["SecuritySessionReuses"], 1, "operators see it");
        assert_eq!(code(&refresh(&live, &[&second]).await), (401, "session_ended"), "the session goes on");
        assert_eq!(me(&live, &token).await, (401, json!("session_ended")));
        assert_eq!(live.cloud.state().cognito.sessions(), 0, "the pool's session goes on");
        live.stop().await.unwrap();
    });
}

#[test]
fn made_up_cookie_ends_no_session_and_two_cookies_are_refused() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (_, cookie) = sign_in(&live).await;
        let (content, code_of_it) = cookie.rsplit_once('.').unwrap();
        let (session, generation) = content.rsplit_once('.').unwrap();
        assert_eq!(generation, "0");
        for made_up in [
            format!("{session}.1.{code_of_it}"),
            format!("{content}.{}", "A".repeat(code_of_it.len())),
            cookie.replacen(LEARNER, "learner-2", 1),
        ] {
            assert_eq!(code(&refresh(&live, &[&made_up]).await), (401, "session_ended"), "{made_up}");
            assert_eq!(post(&live, "/auth/sign-out", &Value::Null, &[&made_up]).await.0, 204);
        }
        let twice = format!("{cookie}; {cookie}");
        for path in ["/auth/refresh", "/auth/sign-out"] {
            let answer = post(&live, path, &Value::Null, &[&twice]).await;
            assert_eq!(code(&answer), (400, "cookie_ambiguous"), "{path}");
        }
        assert_eq!(refresh(&live, &[&cookie]).await.0, 200, "the session has ended");
        live.stop().await.unwrap();
    });
}

#[test]
fn sign_out_ends_access_tokens_and_the_live_socket_of_its_session_alone() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (token, cookie) = sign_in(&live).await;
        let (other, _) = sign_in(&live).await;
        let (mut client, _) = RawClient::begin(&live, &token).await;
        client.until("turn").await;
        assert_eq!(post(&live, "/auth/sign-out", &Value::Null, &[&cookie]).await.0, 204);
        let began = Instant::now();
        assert_eq!(client.closed().await, Some(SIGNED_OUT));
        assert!(began.elapsed() < END_WITHIN, "{:?}", began.elapsed());
        await_end(&live, &token).await;
        assert_eq!(me(&live, &other).await.0, 200, "another session of the learner ended");
        live.stop().await.unwrap();
    });
}

#[test]
fn learner_sees_the_sessions_and_ends_one_or_all_others() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (phone, _) =
            sign_in_with(&live, "Mozilla/5.0 (Linux; Android 14) Chrome/140.0 Mobile Safari/537.36").await;
        let (laptop, _) =
            sign_in_with(&live, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0").await;
        let (own, cookie) = sign_in_with(&live, "curl/8.5.0").await;
        let items = sessions(&live, &own).await;
        let families: Vec<_> = items.iter().map(|item| item["browser"]["family"].as_str().unwrap()).collect();
        assert_eq!(families, ["other", "firefox", "chrome"], "the last used one first");
        let current: Vec<_> = items.iter().map(|item| item["current"].as_bool().unwrap()).collect();
        assert_eq!(current, [true, false, false]);
        let at = |item: &Value, field: &str| item[field].as_str().unwrap().parse::<Timestamp>().unwrap();
        for item in &items {
            let began = Timestamp::now().duration_since(at(item, "startedAt"));
            assert!(began.as_secs() < 60, "{item}");
            assert!(at(item, "usedAt").duration_since(at(item, "startedAt")).abs().as_secs() <= 1, "{item}");
        }

        let path = format!("/api/me/sessions/{}", items[2]["id"].as_str().unwrap());
        let (mut client, _) = RawClient::begin(&live, &phone).await;
        client.until("turn").await;
        assert_eq!(delete(&live, &own, &path).await, 204);
        await_end(&live, &phone).await;
        assert_eq!(client.closed().await, Some(SIGNED_OUT));
        assert_eq!(delete(&live, &own, &path).await, 404, "it has ended");
        assert_eq!(delete(&live, &own, "/api/me/sessions/none").await, 404);
        assert_eq!(me(&live, &laptop).await.0, 200, "another session ended");

        assert_eq!(delete(&live, &own, "/api/me/sessions").await, 204);
        await_end(&live, &laptop).await;
        assert_eq!(sessions(&live, &own).await.len(), 1);
        assert_eq!(refresh(&live, &[&cookie]).await.0, 200, "the own session ended");
        assert_eq!(live.cloud.state().cognito.sessions(), 1, "the sessions of the pool go on");
        live.stop().await.unwrap();
    });
}

#[test]
fn session_that_another_program_deletes_ends_within_seconds() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (token, _) = sign_in(&live).await;
        let (mut client, _) = RawClient::begin(&live, &token).await;
        client.until("turn").await;
        live.cloud.state().dynamodb.tables.get_mut(SESSIONS).unwrap().items.clear();
        let began = Instant::now();
        await_end(&live, &token).await;
        assert_eq!(client.closed().await, Some(SIGNED_OUT));
        assert!(began.elapsed() < END_WITHIN, "{:?}", began.elapsed());
        live.stop().await.unwrap();
    });
}

#[test]
fn deletion_of_the_account_closes_its_live_sockets_on_every_device() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (token, _) = sign_in(&live).await;
        let (other, _) = sign_in(&live).await;
        let (mut client, _) = RawClient::begin(&live, &other).await;
        client.until("turn").await;
        let delete = live.http().delete(format!("{}/api/me", live.url())).bearer_auth(&token);
        let answer = delete.json(&json!({ "confirm": "delete my account" })).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        let began = Instant::now();
        assert_eq!(client.closed().await, Some(SIGNED_OUT));
        assert!(began.elapsed() < END_WITHIN, "{:?}", began.elapsed());
        assert_eq!(me(&live, &other).await, (403, json!("account_deleted")));
        live.stop().await.unwrap();
    });
}

/// The account secret is replaced as the template describes: first every task accepts the new one, then it signs, then the old one goes.
#[test]
fn secret_is_replaced_task_by_task_and_no_session_ends() {
    const OLD: &str = "the old account secret of tests 32b";
    const NEW: &str = "the new account secret of tests 32b";
    block_on(async {
        let live = Live::start(LiveOptions::default().with("account-secret", OLD)).await.unwrap();
        enrol(&live, &[], false);
        let task = async |secret: &str| live.another_task("account-secret", secret).await.unwrap();
        let both = task(&format!("{OLD},{NEW}")).await;
        let swapped = task(&format!("{NEW},{OLD}")).await;
        let new = task(NEW).await;
        let open = async |url: &str, token: &str| {
            let get = live.http().get(format!("{url}/api/me")).bearer_auth(token);
            get.send().await.unwrap().status().as_u16()
        };
        let refresh_at = async |url: &str, cookie: &str| {
            let post = live.http().post(format!("{url}/auth/refresh")).header("x-nova-csrf", "1");
            let answer = post.header(COOKIE, cookie).send().await.unwrap();
            let kept = answer.headers().get(SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
            let cookie = kept.as_deref().and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
            let status = answer.status().as_u16();
            let token = answer.json::<Value>().await.unwrap()["accessToken"].as_str().map(str::to_owned);
            (status, token.unwrap_or_default(), cookie.unwrap_or_default())
        };
        let (token, cookie) = sign_in(&live).await;
        for url in [live.url(), both.url(), swapped.url()] {
            assert_eq!(open(url, &token).await, 200, "{url}");
        }
        assert_eq!(open(new.url(), &token).await, 401, "the old secret is still accepted");

        // A session goes to and fro between tasks of the two steps.
        let (status, token, cookie) = refresh_at(swapped.url(), &cookie).await;
        assert_eq!((status, open(both.url(), &token).await), (200, 200));
        let (status, token, cookie) = refresh_at(both.url(), &cookie).await;
        assert_eq!((status, open(swapped.url(), &token).await), (200, 200));
        let (status, token, cookie) = refresh_at(swapped.url(), &cookie).await;
        assert_eq!((status, open(both.url(), &token).await), (200, 200));
        // It was refreshed with the new secret, so it outlives the old one.
        let (status, token, _) = refresh_at(new.url(), &cookie).await;
        assert_eq!((status, open(swapped.url(), &token).await), (200, 200));
        live.stop().await.unwrap();
    });
}

#[test]
fn tokens_of_the_pool_are_in_no_response_and_stored_encrypted() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &["ops"], false);
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let signed_in = post(&live, "/auth/sign-in", &body, &[]).await;
        let refreshed = refresh(&live, &[signed_in.2.as_ref().unwrap()]).await;
        {
            let state = live.cloud.state();
            let refresh_tokens: Vec<&str> = state.cognito.refresh_tokens().collect();
            assert_eq!(refresh_tokens.len(), 1);
            let stored = format!("{:?}", state.dynamodb.tables[SESSIONS].items);
            for text in [format!("{signed_in:?}"), format!("{refreshed:?}"), stored] {
                // The unsigned tokens of the model begin and end with an empty JSON object.
                for secret in [refresh_tokens[0], "e30.", ".e30", "cognito"] {
                    assert!(!text.contains(secret), "{secret} is in {text}");
                }
            }
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn aws_credentials_of_a_learner_are_limited() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (token, _) = sign_in(&live).await;
        let ask = async || {
            let post = live.http().post(format!("{}/auth/aws-credentials", live.url())).bearer_auth(&token);
            let answer = post.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        for _ in 0..20 {
            let (status, credentials) = ask().await;
            assert_eq!(status, 200, "{credentials}");
            let names: Vec<&String> = credentials.as_object().unwrap().keys().collect();
            assert_eq!(names, ["accessKeyId", "expiresAt", "secretAccessKey", "sessionToken"]);
        }
        assert_eq!(ask().await.0, 429);
        live.stop().await.unwrap();
    });
}

#[test]
fn change_in_the_pool_takes_effect_at_the_next_refresh() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        enrol(&live, &[], false);
        let (token, cookie) = sign_in(&live).await;
        let learners = async |token: &str| {
            let get = live.http().get(format!("{}/api/learners", live.url())).bearer_auth(token);
            get.send().await.unwrap().status().as_u16()
        };
        assert_eq!(learners(&token).await, 403);
        enrol(&live, &["analysts"], false);
        let (_, answer, cookie) = refresh(&live, &[&cookie]).await;
        assert_eq!(learners(answer["accessToken"].as_str().unwrap()).await, 200);
        enrol(&live, &["analysts"], true);
        assert_eq!(code(&refresh(&live, &[&cookie.unwrap()]).await), (401, "session_ended"));
        assert_eq!(learners(answer["accessToken"].as_str().unwrap()).await, 401, "a disabled user goes on");
        live.stop().await.unwrap();
    });
}
