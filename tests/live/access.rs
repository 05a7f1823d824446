//! Whose access tokens start a conversation, and what is in no log line.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use infra::{learner::Script, simulator::faults::PlannedFault};
use serde_json::{Value, json};
use tests::live::{Live, LiveOptions, block_on};
use tokio_tungstenite::tungstenite::Message;
use tracing_subscriber::EnvFilter;

use super::visitor::Visitor;

async fn status_and_code(live: &Live, token: &str) -> (u16, Value) {
    let post = live.http().post(format!("{}/api/conversations", live.url())).bearer_auth(token);
    let answer = post.json(&json!({ "imageId": "street-market" })).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json::<Value>().await.unwrap()["code"].clone())
}

#[test]
fn only_an_access_token_of_the_pool_for_this_client_that_is_still_good_is_taken() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let now = jiff::Timestamp::now().as_second();
        let signed = |claims: Value| live.token_with("somebody", &claims).unwrap();
        let genuine = signed(json!({}));
        let encode = |header: Value| BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        let (_, rest) = genuine.split_once('.').unwrap();
        let (claims, _) = rest.split_once('.').unwrap();
        let invalid = "token_invalid";
        for (what, token, code) in [
            ("expired", signed(json!({ "exp": now - 60 })), "token_expired"),
            ("expired within the skew of clocks", signed(json!({ "exp": now - 10 })), ""),
            ("without an end", signed(json!({ "exp": null })), invalid),
            ("of another issuer", signed(json!({ "iss": "https://elsewhere.test" })), invalid),
            ("for another client", signed(json!({ "client_id": "other" })), invalid),
            ("for no client", signed(json!({ "client_id": null })), invalid),
            ("an identity token", signed(json!({ "token_use": "id" })), invalid),
            ("of nobody", signed(json!({ "sub": "" })), invalid),
            ("unsigned", format!("{}.{claims}.", encode(json!({ "alg": "none" }))), invalid),
            ("of another algorithm", format!("{}.{rest}", encode(json!({ "alg": "HS256" }))), invalid),
            ("of no key", format!("{}.{rest}", encode(json!({ "alg": "RS256" }))), invalid),
            (
                "of an unknown key",
                format!("{}.{rest}", encode(json!({ "alg": "RS256", "kid": "of-another-pool" }))),
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

#[test]
fn no_log_line_carries_words_of_a_conversation_or_a_credential() {
    let log = Log::default();
    let sink = log.clone();
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
        let learner = live.learner("somebody").unwrap();
        secrets.push(learner.access_token().to_owned());
        let held = learner.converse(&Script::new("street-market", lines)).await.unwrap();
        secrets.extend(held.turns.into_iter().map(|turn| turn.text));

        let token = live.token("somebody-else").unwrap();
        let (mut visitor, offer) = Visitor::begin(&live, &token).await;
        let typed = json!({ "type": "text", "text": "My aunt is a blacksmith." }).to_string();
        visitor.send(Message::text(typed)).await;
        visitor.send(Message::text(r#"{"type":"my-password-is-tangerine"}"#)).await;
        visitor.until("error").await;
        visitor.until("turn").await;
        let (_, streams) = live.simulator.streams_after(0);
        let refusal: PlannedFault = "exception:validationException".parse().unwrap();
        streams.last().unwrap().fault(refusal.fault).unwrap();
        assert_eq!(visitor.until("error").await["code"], "model_refused");
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
