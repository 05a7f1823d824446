//! Whose access tokens start a conversation, and what is in no log line.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::extract::FromRequestParts as _;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::Method;
use infra::{client::Script, simulator::faults::PlannedFault};
use ingress::{
    account::auth::{Caller, Roles, TOKEN_SECONDS},
    api::{
        self,
        caller::{Analyst, Learner, Operator},
        problem::Code,
        role::Role,
    },
};
use serde_json::{Value, json};
use tests::{
    live::{Live, LiveOptions, block_on},
    model::{CLIENT_ID, PoolUser},
};
use tokio_tungstenite::tungstenite::Message;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use super::raw_client::RawClient;

async fn status_and_code(live: &Live, token: &str) -> (u16, Value) {
    let post = live.http().post(format!("{}/api/conversations", live.url())).bearer_auth(token);
    let answer = post.json(&json!({ "imageId": "street-market" })).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json::<Value>().await.unwrap()["code"].clone())
}

#[test]
fn only_an_access_token_of_this_service_of_a_session_that_lasts_is_accepted() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let now = jiff::Timestamp::now();
        let caller = |session_id| Caller {
            user_id: "learner-1".parse().unwrap(),
            roles: Roles::default(),
            session_id,
        };
        let (lasting, none) = (caller(Uuid::new_v4()), caller(Uuid::new_v4()));
        live.begin_session(&lasting).unwrap();
        let issued =
            |seconds_ago: i64| live.token_at(&lasting, now - jiff::SignedDuration::from_secs(seconds_ago));
        let genuine = issued(0);
        let encode = |header: Value| BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        let (_, rest) = genuine.split_once('.').unwrap();
        let (claims, _) = rest.split_once('.').unwrap();
        let with_claims = |claims: Value| {
            genuine.replacen(
                &format!(".{}", rest.split_once('.').unwrap().0),
                &format!(".{}", encode(claims)),
                1,
            )
        };
        let of_pool = json!({ "sub": "learner-1", "token_use": "access", "client_id": CLIENT_ID, "exp": 99_999_999_999_i64 });
        let invalid = "token_invalid";
        let lasts = i64::from(TOKEN_SECONDS);
        for (what, token, code) in [
            ("expired", issued(lasts + 60), "token_expired"),
            ("expired within the skew of clocks", issued(lasts + 10), ""),
            ("of a session that ended", live.token_at(&none, now), "session_ended"),
            ("with other claims", with_claims(of_pool.clone()), invalid),
            ("unsigned", format!("{}.{claims}.", encode(json!({ "alg": "none" }))), invalid),
            (
                "of another algorithm",
                format!("{}.{rest}", encode(json!({ "alg": "RS256", "kid": "of-a-pool" }))),
                invalid,
            ),
            ("of no key", format!("{}.{rest}", encode(json!({ "alg": "HS256" }))), invalid),
            (
                "of an unknown key",
                format!("{}.{rest}", encode(json!({ "alg": "HS256", "kid": "00000000.1" }))),
                invalid,
            ),
            (
                "of the pool",
                format!("{}.{}.e30", encode(json!({ "alg": "RS256" })), encode(of_pool)),
                invalid,
            ),
            ("too long", format!("{genuine}{}", "x".repeat(8 * 1024)), invalid),
            ("rubbish", "rubbish".to_owned(), invalid),
        ] {
            let (status, found) = status_and_code(&live, &token).await;
            if code.is_empty() {
                assert_eq!(status, 201, "{what}: {found}");
            } else {
                assert_eq!((status, found.as_str()), (401, Some(code)), "{what}");
            }
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn every_route_that_needs_a_role_refuses_a_caller_without_it() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        // A session of its own for each call: some routes end the session.
        let with_roles =
            |analyst, operator| live.token_with("learner-1", Roles { analyst, operator }).unwrap();
        let callers = [
            ((false, false), Role::Learner),
            ((true, false), Role::Analyst),
            ((false, true), Role::Operator),
        ];
        let resources = api::resources();
        for route in resources.iter().flat_map(|(_, routes)| routes) {
            let call = async |token: Option<&str>| {
                let id = "01890a5d-ac96-774b-bcce-b302099a8057";
                let parts = route.path.split('/').map(|part| if part.starts_with('{') { id } else { part });
                let path = parts.collect::<Vec<_>>().join("/");
                let mut request = live.http().request(route.method.clone(), format!("{}{path}", live.url()));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                // What has no content has no type.
                let kind = answer.headers().get("content-type").cloned();
                let kind = kind.unwrap_or_else(|| http::HeaderValue::from_static(""));
                // A stream is open for long.
                let text =
                    if kind == "text/event-stream" { String::new() } else { answer.text().await.unwrap() };
                (status, kind, text)
            };
            if route.role() < Role::Learner {
                continue;
            }
            let what = format!("{} {}", route.method, route.path);
            let (status, kind, problem) = call(None).await;
            assert_eq!((status, kind.to_str().unwrap()), (401, "application/problem+json"), "{what}");
            assert!(problem.contains("token_missing"), "{what}: {problem}");
            for ((analyst, operator), role) in callers {
                let allowed = route.role() == Role::Learner || route.role() == role;
                let (status, _, answer) = call(Some(&with_roles(analyst, operator))).await;
                assert_eq!(status == 403, !allowed, "{what} as {}: {status} {answer}", role.name());
                assert!(
                    status != 401 && (allowed || answer.contains(route.role().name())),
                    "{what}: {answer}"
                );
            }
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn groups_of_the_pool_are_roles() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        for (groups, analyst, operator) in [
            (&[][..], false, false),
            (&["Analysts", "operators", "analysts-of-old"], false, false),
            (&["learners", "analysts"], true, false),
            (&["ops"], false, true),
            (&["ops", "analysts"], true, true),
        ] {
            let user = PoolUser {
                user_id: "learner-1".to_owned(),
                password: "Speak-English-1".to_owned(),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                ..PoolUser::default()
            };
            live.cloud.state().cognito.users.insert("learner-1@nova.example".to_owned(), user);
            let sign_in = json!({ "email": "learner-1@nova.example", "password": "Speak-English-1" });
            let post = live.http().post(format!("{}/auth/sign-in", live.url())).json(&sign_in);
            let signed_in: Value = post.send().await.unwrap().json().await.unwrap();
            let token = signed_in["accessToken"].as_str().unwrap();
            let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let caller = Caller::from_request_parts(&mut parts, &live.app).await.unwrap();
            assert_eq!(caller.roles, Roles { analyst, operator }, "{groups:?}");
            assert!(!format!("{caller:?}").contains(token), "a token is shown");
            assert_eq!(Learner::from_request_parts(&mut parts, &live.app).await.unwrap().0, caller.user_id);
            let found = Analyst::from_request_parts(&mut parts, &live.app).await;
            assert_eq!(found.map_err(|error| error.code()), is(analyst, Analyst(caller.user_id.clone())));
            let found = Operator::from_request_parts(&mut parts, &live.app).await;
            assert_eq!(found.map_err(|error| error.code()), is(operator, Operator(caller.user_id)));
        }
        live.stop().await.unwrap();
    });
}

fn is<T>(allowed: bool, caller: T) -> Result<T, Code> {
    if allowed { Ok(caller) } else { Err(Code::RoleMissing) }
}

#[test]
fn what_is_no_route_is_answered_with_a_problem_document() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        for (method, path, status, code, allow) in [
            (Method::GET, "/nothing", 404, "not_found", None),
            (Method::GET, "/api/conversations/x/y/z", 404, "not_found", None),
            (Method::DELETE, "/health", 405, "method_not_allowed", Some("GET,HEAD")),
            (Method::PUT, "/api/conversations", 405, "method_not_allowed", Some("POST")),
        ] {
            let answer = live.http().request(method, format!("{}{path}", live.url())).send().await.unwrap();
            let headers = answer.headers().clone();
            assert_eq!(answer.status().as_u16(), status, "{path}");
            assert_eq!(headers["content-type"], "application/problem+json", "{path}");
            let allowed = headers.get("allow").map(|value| value.to_str().unwrap());
            assert!(
                allow.is_none() || allowed.is_some_and(|found| found.contains(allow.unwrap())),
                "{allowed:?}"
            );
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], code, "{path}");
            assert_eq!(problem["requestId"], headers["x-request-id"].to_str().unwrap(), "{path}");
        }
        live.stop().await.unwrap();
    });
}

/// What was logged.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// While the process has one dispatcher alone, a callsite that a thread without it reaches first is disabled for all threads
/// (tracing-core, `Rebuilder::JustOne`): another test would remove lines from the log of this one.
pub(crate) fn second_dispatcher() -> tracing::Dispatch {
    tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default())
}

#[test]
fn no_log_line_carries_words_of_a_conversation_or_a_credential() {
    let log = Log::default();
    let sink = log.clone();
    let _second = second_dispatcher();
    // More than any configuration asks for: everything of ours, and what others say at the usual level.
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new("info,ingress=trace,events=trace"))
        .with_writer(move || sink.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let secrets = block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let mut secrets = Vec::new();
        let lines = ["I see a purple xylophone.", "A zeppelin carries walruses."];
        let learner = live.learner("learner-1").unwrap();
        secrets.push(learner.access_token().await.unwrap());
        let held = learner.converse(&Script::new("street-market", lines)).await.unwrap();
        secrets.extend(held.turns.into_iter().map(|turn| turn.text));

        let token = live.token("learner-2").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        let typed = json!({ "type": "text", "text": "My aunt is a blacksmith." }).to_string();
        client.send(Message::text(typed)).await;
        client.send(Message::text(r#"{"type":"my-password-is-tangerine"}"#)).await;
        client.until("error").await;
        client.until("turn").await;
        let refusal: PlannedFault = "exception:validationException".parse().unwrap();
        let refuse = || live.simulator.streams_after(0).1.last().unwrap().fault(refusal.fault).unwrap();
        refuse();
        // A stream that had worked is replaced once.
        client.until("resumed").await;
        refuse();
        assert_eq!(client.until("error").await["code"], "model_refused");
        secrets.extend([token, offer["ticket"].as_str().unwrap().to_owned()]);
        live.stop().await.unwrap();
        secrets
    });
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the conversation began") && log.contains("a stream to the model failed"), "{log}");
    let words = ["xylophone", "zeppelin", "walrus", "blacksmith", "tangerine"].map(str::to_owned);
    for secret in secrets.iter().chain(&words) {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "{secret:?} stands in the log: {line:?}");
    }
}
