//! The limits of the ingress as a page meets them: each is reached, answered as it is documented, and left behind.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::contract::live::{AUDIO_BYTES_MAX, TYPED_CHARS_MAX};
use ingress::{
    live::session::JOBS_MAX,
    live::socket::{IDLE_TIMEOUT, MESSAGE_BYTES_MAX, TYPED_INTERVAL},
};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    live::{Live, LiveOptions, block_on},
    model::Outage,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};
use tokio_tungstenite::tungstenite::Message;

use super::{raw_client::RawClient, reader::Reader};

/// Time in which an outage is not over.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// Asks for a conversation: the status, `Retry-After` and the body.
async fn ask(live: &Live, token: &str, body: String) -> (u16, Option<String>, Value) {
    let request = live.http().post(format!("{}/api/conversations", live.url())).bearer_auth(token);
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), retry, answer.json().await.unwrap_or_default())
}

fn begin() -> String {
    json!({ "imageId": "street-market" }).to_string()
}

/// From now on this service does not respond.
fn break_down(live: &Live, service: &'static str) {
    break_down_for(live, service, FOR_EVER);
}

/// For a time from now on this service does not respond.
fn break_down_for(live: &Live, service: &'static str, time: Duration) {
    let mut state = live.cloud.state();
    let since = state.now();
    state.outage =
        Some(Outage { service, response: (500, "InternalServerError"), since, until: since + time });
}

#[test]
fn without_a_free_seat_the_answer_says_when_to_come_back() {
    block_on(async {
        let live = Live::start(LiveOptions::default().with("conversations-max", 1)).await.unwrap();
        let (first, second) = (live.token("first").unwrap(), live.token("second").unwrap());
        let (client, _) = RawClient::begin(&live, &first).await;
        let (status, retry, problem) = ask(&live, &second, begin()).await;
        assert_eq!((status, retry.as_deref(), &problem["code"]), (503, Some("10"), &json!("busy")));
        client.end().await;
        let (status, _, started) = ask(&live, &second, begin()).await;
        assert_eq!(status, 201, "{started}");
        live.stop().await.unwrap();
    });
}

#[test]
fn a_learner_in_a_conversation_is_told_which() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (client, offer) = RawClient::begin(&live, &token).await;
        let (status, _, problem) = ask(&live, &token, begin()).await;
        assert_eq!((status, &problem["code"]), (409, &json!("conversation_in_progress")));
        assert_eq!(problem["conversationId"], offer["conversationId"]);
        client.end().await;
        live.stop().await.unwrap();
    });
}

#[test]
fn nobody_comes_back_to_a_conversation_that_is_over_or_is_not_theirs() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let (client, offer) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        let path = format!("/api/conversations/{}/ticket", offer["conversationId"].as_str().unwrap());
        let come_back = async |user_id: &str| {
            let answer = Reader::learner(&live, user_id).request(Method::POST, &path).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
        };
        assert_eq!(come_back("learner-1").await, (201, Value::Null));
        assert_eq!(come_back("stranger").await, (404, json!("not_found")));
        client.end().await;
        live.app.sessions.ended().await;
        assert_eq!(come_back("learner-1").await, (410, json!("conversation_ended")));
        assert_eq!(come_back("stranger").await, (404, json!("not_found")));
        live.stop().await.unwrap();
    });
}

#[test]
fn a_stopping_task_starts_nothing() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, _) = RawClient::begin(&live, &token).await;
        // A conversation in which a turn is spoken is handed over a little later.
        client.until("caption").await;
        live.begin_to_stop();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (status, retry, problem) = ask(&live, &live.token("second").unwrap(), begin()).await;
        assert_eq!((status, retry.as_deref(), &problem["code"]), (503, Some("10"), &json!("stopping")));
        live.stop().await.unwrap();
    });
}

#[test]
fn requests_are_bounded_in_length_and_time() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let long = json!({ "imageId": "x".repeat(16 * 1024) }).to_string();
        let (status, _, problem) = ask(&live, &token, long).await;
        assert_eq!((status, &problem["code"]), (413, &json!("body_too_large")));

        let begun = Instant::now();
        let mut connection = TcpStream::connect(live.url().trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST /api/conversations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 504");
        assert_eq!(begun.elapsed().as_secs(), 20);
        live.stop().await.unwrap();
    });
}

#[test]
fn a_version_of_the_protocol_that_is_not_spoken_is_refused_and_costs_no_ticket() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let offer = live.ask(&live.token("learner-1").unwrap(), "street-market").await.unwrap();
        let (status, problem) = RawClient::open_as(&live, &offer, "nova.live.v9").await.unwrap_err();
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")));
        assert!(problem["detail"].as_str().unwrap().contains("nova.live.v1"), "{problem}");
        let mut client = RawClient::open_as(&live, &offer, "nova.live.v9, nova.live.v1").await.unwrap();
        client.until("ready").await;
        client.end().await;
        live.stop().await.unwrap();
    });
}

#[test]
fn wrong_messages_are_answered_and_the_conversation_goes_on() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let (mut client, _) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        let typed = |text: &str| Message::text(json!({ "type": "text", "text": text }).to_string());
        for (message, code) in [
            (Message::text("no JSON"), "unknown_message"),
            (Message::text(r#"{"type":"dance"}"#), "unknown_message"),
            (Message::text(r#"{"type":"played","generation":"one","ms":1}"#), "unknown_message"),
            (typed(&"x".repeat(8 * 1024)), "unknown_message"),
            (typed(&"x".repeat(TYPED_CHARS_MAX + 1)), "invalid_text"),
            (typed(" "), "invalid_text"),
            (Message::binary(vec![0; 3]), "invalid_audio"),
            (Message::binary(vec![0; AUDIO_BYTES_MAX + 2]), "invalid_audio"),
        ] {
            client.send(message).await;
            assert_eq!(client.until("error").await["code"], code);
        }
        client.send(typed("I see a market.")).await;
        while client.until("turn").await["turn"]["text"] != "I see a market." {}
        assert_eq!(client.end().await["reason"], "learner");
        live.stop().await.unwrap();
    });
}

#[test]
fn a_page_whose_socket_was_closed_comes_back() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        // Too large a message.
        client.send(Message::binary(vec![0; MESSAGE_BYTES_MAX + 2])).await;
        assert_eq!(client.closed().await, Some(1009));
        // A client that does not read does not respond to pings either.
        let mut client = RawClient::open(&live, &live.ask_again(&token, id).await.unwrap()).await.unwrap();
        client.until("ready").await;
        tokio::time::sleep(IDLE_TIMEOUT + Duration::from_secs(1)).await;
        assert_eq!(client.closed().await, Some(4000));
        // Another place.
        let mut client = RawClient::open(&live, &live.ask_again(&token, id).await.unwrap()).await.unwrap();
        client.until("ready").await;
        let mut other = RawClient::open(&live, &live.ask_again(&token, id).await.unwrap()).await.unwrap();
        other.until("ready").await;
        assert_eq!(client.until("error").await["code"], "replaced");
        assert_eq!(client.closed().await, Some(4001));
        assert_eq!(other.end().await["reason"], "learner");
        live.stop().await.unwrap();
    });
}

#[test]
fn a_journal_that_cannot_be_written_ends_the_conversation_with_a_word() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let (mut client, offer) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        break_down(&live, "dynamodb");
        assert_eq!(client.until("error").await["code"], "unavailable");
        assert_eq!(client.closed().await, Some(1011));
        // The watchdog ends it.
        assert!(live.completed(offer["conversationId"].as_str().unwrap().parse().unwrap()).is_empty());
        live.stop().await.unwrap();
    });
}

#[test]
fn a_conversation_that_runs_ahead_of_the_journal_ends_and_loses_nothing() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let (mut client, offer) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        client.until("turn").await;
        // Shorter than a write is repeated, and long enough to say as much as may wait.
        break_down_for(&live, "dynamodb", Duration::from_secs(55));
        let mut typed = 0;
        let ended = loop {
            client
                .send(Message::text(json!({ "type": "text", "text": typed.to_string() }).to_string()))
                .await;
            typed += 1;
            assert!(typed < 2 * JOBS_MAX, "nothing ends the conversation");
            if let Ok(ended) = tokio::time::timeout(TYPED_INTERVAL, client.until("ended")).await {
                break ended;
            }
        };
        assert_eq!(ended["reason"], "internal_error");
        assert_eq!(client.closed().await, Some(1000));
        live.app.sessions.ended().await;
        let journal = live.journal(id).await.unwrap();
        assert_eq!(ended["turns"], journal.turns.len());
        assert!(journal.turns.len() + 8 >= JOBS_MAX, "{}", journal.turns.len());
        assert_eq!(live.completed(id).len(), 1);
        live.stop().await.unwrap();
    });
}

#[test]
fn a_recording_that_cannot_be_stored_costs_no_turn() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let (mut client, offer) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        client.until("turn").await;
        break_down(&live, "s3");
        // More than can wait.
        for number in 0..6 {
            let words = format!("Question {number}?");
            client.send(Message::text(json!({ "type": "text", "text": words }).to_string())).await;
            while client.until("turn").await["turn"]["speaker"] != "tutor" {}
        }
        let ended = client.end().await;
        let journal = live.journal(id).await.unwrap();
        assert_eq!(ended["turns"], journal.turns.len());
        assert!(journal.turns.len() >= 12, "{:?}", journal.turns);
        assert_eq!(live.recordings(id).len(), 1, "the greeting's, before");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(live.completed(id).len(), 1);
        live.stop().await.unwrap();
    });
}

#[test]
fn reports_are_counted_and_limited() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let post = async |media_type: &str, body: String| {
            let request = live.http().post(format!("{}/api/reports", live.url()));
            let response = request.header("content-type", media_type).body(body).send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap_or_default())
        };
        let csp = json!({ "csp-report": { "effective-directive": "script-src" } }).to_string();
        assert_eq!(post("application/csp-report", csp).await.0, 204);
        let json = "application/json";
        assert_eq!(post(json, json!({ "underruns": 2 }).to_string()).await.0, 204);
        let (status, problem) = post(json, json!({ "text": "hello" }).to_string()).await;
        assert_eq!((status, &problem["field"]), (422, &json!("text")));
        assert_eq!(post("text/plain", String::new()).await.0, 415);
        assert_eq!(post(json, format!("{:>20000}", 1)).await.0, 413);
        let document = live.app.metrics.document(0, 0, 0).encode(Timestamp::now()).unwrap();
        let count = |name: &str| document[name].as_u64().unwrap();
        assert_eq!(["ClientReports", "ClientUnderruns", "PolicyViolations"].map(count), [1, 2, 1]);
        for _ in 0..118 {
            assert_eq!(post(json, "{}".to_owned()).await.0, 204);
        }
        let (status, problem) = post(json, "{}".to_owned()).await;
        assert_eq!((status, &problem["code"]), (429, &json!("too_many_requests")));
        live.stop().await.unwrap();
    });
}
