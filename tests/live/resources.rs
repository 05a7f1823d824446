//! Conversations, progress and results: the responses of the API, who receives them, and how results arrive.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use events::{contract::ConversationId, journal::Journal};
use infra::client::Script;
use ingress::{
    account::profile::Profile,
    coordination::Coordination,
    metrics::Metrics,
    results::{ResultsWatcher, permits::STREAMS_OF_CALLER_MAX},
    store::{
        documents::Documents,
        results::ResultReader,
        users::{User, Users},
    },
};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, LOGS, USERS},
    live::{Live, LiveOptions, block_on},
    sse::Event,
};
use tokio_util::sync::CancellationToken;

use super::{raw_client::RawClient, reader::Reader, workers};

const OK: StatusCode = StatusCode::OK;

/// Holds a conversation of `user_id` with `words` and another line.
pub(crate) async fn converse(live: &Live, user_id: &str, words: &str) -> ConversationId {
    let script = Script::new("street-market", [words, "The woman buys apples."]);
    live.learner(user_id).unwrap().converse(&script).await.unwrap().conversation_id
}

/// Waits until all results of a conversation are stored.
pub(crate) async fn settled(learner: &Reader<'_>, id: ConversationId) -> Vec<Event> {
    learner.follow(&format!("/api/conversations/{id}/results"), "").await.rest().await.unwrap()
}

pub(crate) async fn sign_up(live: &Live, user_id: &str, profile: Profile) {
    let users =
        Users::new(aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("sign_up")), USERS.to_owned());
    let user = User::new(user_id.parse().unwrap(), profile, Timestamp::now());
    users.create_if_missing(user).await.unwrap();
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[test]
fn results_come_as_they_are_stored_and_a_stream_is_taken_up_where_it_was_lost() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let learner = Reader::learner(&live, "learner-1");
        let id = converse(&live, "learner-1", "I see a market.").await;
        let path = format!("/api/conversations/{id}/results");
        // Nothing is stored yet: the workers do not run.
        let early = [learner.follow(&path, "").await, learner.follow(&path, "").await];
        let _workers = workers::start(&live).await;
        let mut all = Vec::new();
        for stream in early {
            all = stream.rest().await.unwrap();
            let sent: BTreeSet<_> = names(&all).into_iter().collect();
            assert_eq!(sent, BTreeSet::from(["assessment", "complete", "progress", "transcript"]));
            assert_eq!((all.len(), all.last().unwrap().name.as_str()), (5, "complete"));
        }
        let data = |name: &str| all.iter().find(|event| event.name == name).unwrap().data.clone();
        assert_eq!(data("transcript")["turns"], 5);
        assert_eq!(data("progress")["milestones"], json!(["first_conversation"]));
        assert!(data("assessment")["overall"].is_u64());
        // A client that reconnects receives the rest, in the same or another order.
        for (at, last) in all.iter().enumerate() {
            if at + 1 == all.len() {
                let over = learner.stream(&path, &last.id).await;
                assert_eq!(over.status(), StatusCode::NO_CONTENT, "everything was sent");
                continue;
            }
            let rest = learner.follow(&path, &last.id).await.rest().await.unwrap();
            let sent: BTreeSet<String> = rest.iter().map(|event| event.data.to_string()).collect();
            let expected: BTreeSet<String> =
                all[at + 1..].iter().map(|event| event.data.to_string()).collect();
            assert_eq!(sent, expected, "behind {}", last.id);
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn a_learner_who_said_nothing_is_told_that_there_is_no_assessment() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let learner = Reader::learner(&live, "learner-1");
        let (client, offer) = RawClient::begin(&live, &live.token("learner-1").unwrap()).await;
        let id: ConversationId = offer["conversationId"].as_str().unwrap().parse().unwrap();
        let path = format!("/api/conversations/{id}");
        let (status, problem) = learner.delete(&path).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conversation_live")));
        // The stream is open before the conversation ends.
        let stream = learner.follow(&format!("{path}/results"), "").await;
        client.end().await;
        let events = stream.rest().await.unwrap();
        let sent: BTreeSet<_> = names(&events).into_iter().collect();
        assert_eq!(sent, BTreeSet::from(["complete", "failed", "progress", "transcript"]));
        let failed = events.iter().find(|event| event.name == "failed").unwrap();
        assert_eq!(failed.data["failure"], "nothing_said");
        let (status, problem) = learner.get(&format!("{path}/assessment")).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_assessed")));
        live.stop().await.unwrap();
    });
}

#[test]
fn of_several_tasks_one_looks_and_all_that_wait_are_told() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let id = converse(&live, "learner-1", "I see a market.").await;
        let coordination = Arc::new(Coordination::in_process());
        let sdk = live.cloud.sdk_config("ingress");
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let documents = Documents::new(aws_sdk_s3::Client::new(&sdk), LOGS.to_owned());
        let task = || {
            let journal = Journal::reader(dynamodb.clone(), CONVERSATIONS);
            let store = ResultReader::new(journal, documents.clone(), dynamodb.clone(), EFFECTS.to_owned());
            let metrics = Arc::new(Metrics::default());
            let results = ResultsWatcher::new(
                store,
                Arc::clone(&coordination),
                Arc::clone(&metrics),
                CancellationToken::new(),
            );
            (results, metrics)
        };
        let tasks = [task(), task(), task()];
        let mut waiting: Vec<_> = tasks.iter().map(|(results, _)| results.watch(id)).collect();
        tokio::time::sleep(Duration::from_secs(15)).await;
        let looks: Vec<u64> = tasks.iter().map(|(_, metrics)| metrics.result_looks.take()).collect();
        assert_eq!(looks.iter().filter(|looks| **looks == 1).count(), 2, "one continues to poll: {looks:?}");
        let _workers = workers::start(&live).await;
        for seen in &mut waiting {
            seen.wait_for(|seen| seen.snapshot.is_complete()).await.unwrap();
        }
        // The task that polled is lost: another one takes over.
        let other = converse(&live, "learner-1", "I see a park.").await;
        let waiting: Vec<_> = tasks.iter().map(|(results, _)| results.watch(other)).collect();
        for mut seen in waiting {
            seen.wait_for(|seen| seen.snapshot.is_complete()).await.unwrap();
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn streams_of_a_caller_are_bounded_and_end_with_the_task() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let learner = Reader::learner(&live, "learner-1");
        let id = converse(&live, "learner-1", "I see a market.").await;
        let path = format!("/api/conversations/{id}/results");
        let mut open = Vec::new();
        for _ in 0..STREAMS_OF_CALLER_MAX {
            open.push(learner.follow(&path, "").await);
        }
        let refused = learner.stream(&path, "").await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.headers().contains_key("retry-after"));
        // A stream whose reader is gone releases its permit.
        drop(open.pop());
        let again = async {
            while learner.stream(&path, "").await.status() != OK {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), again).await.expect("the permit is released");
        live.begin_to_stop();
        for stream in open {
            assert!(stream.rest().await.unwrap().is_empty(), "nothing is stored");
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn a_learner_reads_what_came_of_a_conversation_and_deletes_it() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let learner = Reader::learner(&live, "learner-1");
        let first = converse(&live, "learner-1", "I see a market.").await;
        let id = converse(&live, "learner-1", "A zeppelin carries walruses.").await;
        settled(&learner, first).await;
        settled(&learner, id).await;
        let path = format!("/api/conversations/{id}");

        let (_, page) = learner.get("/api/conversations?limit=1").await;
        assert_eq!(page["items"][0]["conversationId"], id.to_string(), "the newest first: {page}");
        let cursor = page["nextCursor"].as_str().unwrap();
        let (_, page) = learner.get(&format!("/api/conversations?limit=1&cursor={cursor}")).await;
        assert_eq!(page["items"][0]["conversationId"], first.to_string());

        let view = await_pipeline(&learner, &path).await;
        assert_eq!(view["links"]["transcript"], format!("{path}/transcript"));
        let (status, transcript) = learner.get(&format!("{path}/transcript")).await;
        assert_eq!((status, &transcript["turns"][1]["text"]), (OK, &json!("A zeppelin carries walruses.")));
        assert!(!transcript.to_string().contains("s3://"));
        let text = learner.text(&format!("{path}/transcript"), "text/plain").await;
        assert!(text.contains("Learner: A zeppelin carries walruses."), "{text}");
        let (_, assessment) = learner.get(&format!("{path}/assessment")).await;
        assert!(assessment["assessment"]["overall"].is_u64() && assessment["cost"].is_null());
        let (_, audio) = learner.get(transcript["turns"][1]["audio"].as_str().unwrap()).await;
        assert!(audio["url"].as_str().unwrap().contains("X-Amz-Signature"), "{audio}");
        assert_eq!(learner.get(&format!("{path}/turns/99/audio")).await.0, StatusCode::NOT_FOUND);
        let etag = learner.request(Method::GET, &format!("{path}/transcript")).send().await.unwrap();
        let etag = etag.headers()["etag"].clone();
        let again = learner.request(Method::GET, &format!("{path}/transcript")).header("if-none-match", etag);
        assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
        let (_, before) = learner.get("/api/progress").await;
        assert_eq!(before["total"]["conversations"], 2);
        assert_eq!(before["days"][0]["conversations"], 2);
        let (status, problem) = learner.get("/api/progress?from=2025-01-01&to=2026-11-26").await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("from")));

        assert_eq!(learner.delete(&path).await.0, StatusCode::NO_CONTENT);
        check_deleted(&live, &learner, id).await;
        assert_eq!(learner.get("/api/progress").await.1, before, "sums stay");
        let (_, page) = learner.get("/api/conversations").await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert_eq!(learner.get(&format!("/api/conversations/{first}/transcript")).await.0, OK);
        assert_eq!(learner.delete(&path).await.0, StatusCode::NO_CONTENT, "deleting it again is no error");

        // Its event arrives again later.
        let journal =
            Journal::reader(aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("reader")), CONVERSATIONS);
        let completed = journal.header(id).await.unwrap().unwrap().completed().unwrap();
        let message = json!({ "detail-type": "conversation.completed", "detail": serde_json::from_str::<Value>(&completed.encode()).unwrap() });
        for worker in ["transcript", "analysis", "progress"] {
            live.cloud.send(&format!("nova-{worker}"), &message.to_string());
        }
        let waits = || {
            let state = live.cloud.state();
            let worked = state.sqs.queues.iter().filter(|(name, _)| *name != "nova-watchdog");
            worked.filter(|(name, _)| !name.ends_with("-dlq")).any(|(_, queue)| !queue.messages.is_empty())
        };
        while waits() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        check_deleted(&live, &learner, id).await;
        let dead = || {
            let state = live.cloud.state();
            let dead = state.sqs.queues.iter().filter(|(name, _)| name.ends_with("-dlq"));
            dead.map(|(_, queue)| queue.messages.len()).sum::<usize>()
        };
        assert_eq!(dead(), 0);
        live.stop().await.unwrap();
    });
}

/// Waits until the conversation has passed every stage.
async fn await_pipeline(learner: &Reader<'_>, path: &str) -> Value {
    let passed = async {
        loop {
            let (status, view) = learner.get(path).await;
            assert_eq!(status, OK, "{view}");
            let stages = view["pipeline"].as_array().unwrap();
            if stages.iter().all(|stage| stage["status"] == "passed") {
                return view;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), passed).await.expect("every stage is passed")
}

/// Checks that no store has any word of the conversation.
async fn check_deleted(live: &Live, learner: &Reader<'_>, id: ConversationId) {
    let unknown = learner.get("/api/conversations/01890a5d-ac96-774b-bcce-b302099a8057").await;
    for end in ["", "/transcript", "/assessment", "/results", "/turns/1/audio", "/turns/1/recording"] {
        assert_eq!(learner.get(&format!("/api/conversations/{id}{end}")).await, unknown, "{end}");
    }
    let (text, state) = (id.to_string(), live.cloud.state());
    let left: Vec<_> = state.s3.objects.keys().filter(|(_, key)| key.contains(&text)).collect();
    assert!(left.is_empty(), "{left:?}");
    let items = &state.dynamodb.tables[CONVERSATIONS].items;
    assert_eq!(items.keys().filter(|(session, _)| *session == text).count(), 1, "the tombstone is left");
    assert!(!format!("{items:?}").contains("zeppelin"));
}

#[test]
fn what_is_a_learners_is_shown_to_nobody_else_and_analysts_see_scores_without_words() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        sign_up(&live, "learner-1", Profile::new("Mina Kim".to_owned())).await;
        let owner = Reader::learner(&live, "learner-1");
        let id = converse(&live, "learner-1", "A zeppelin carries walruses.").await;
        settled(&owner, id).await;
        let of = |id: &str| {
            ["", "/transcript", "/assessment", "/results", "/turns/1/audio"]
                .map(|end| format!("/api/conversations/{id}{end}"))
        };
        let (own, unknown) = (of(&id.to_string()), of("01890a5d-ac96-774b-bcce-b302099a8057"));
        let other = Reader::learner(&live, "learner-2");
        let analyst = Reader::analyst(&live);
        for (path, unknown) in own.iter().zip(&unknown) {
            for stranger in [&other, &analyst] {
                let answer = stranger.get(path).await;
                assert_eq!(answer.0, StatusCode::NOT_FOUND, "{path}");
                assert_eq!(answer, stranger.get(unknown).await, "{path}");
            }
        }
        let path = format!("/api/conversations/{id}");
        for stranger in [&other, &analyst] {
            assert_eq!(stranger.delete(&path).await.0, StatusCode::NOT_FOUND);
        }
        assert_eq!(owner.get(&path).await.0, OK);
        assert_eq!(other.get("/api/conversations").await.1, json!({ "items": [] }));
        assert_eq!(other.get("/api/progress").await.1["total"]["conversations"], 0);

        let learner = "/api/learners/learner-1";
        let scores = format!("{learner}/conversations/{id}/assessment");
        let days = format!("{learner}/progress");
        for path in [learner, &days, &format!("{learner}/conversations"), &scores] {
            let (status, answer) = analyst.get(path).await;
            assert_eq!(status, OK, "{path}: {answer}");
            let answer = answer.to_string();
            assert!(!answer.contains("zeppelin") && !answer.contains("transcript"), "{path}: {answer}");
            for stranger in [&owner, &other] {
                assert_eq!(stranger.get(path).await.0, StatusCode::FORBIDDEN, "{path}");
            }
        }
        let foreign = format!("/api/learners/learner-2/conversations/{id}/assessment");
        assert_eq!(analyst.get(&foreign).await.0, StatusCode::NOT_FOUND);
        assert_eq!(analyst.get("/api/learners/unknown").await.0, StatusCode::NOT_FOUND);
        assert!(analyst.get(&scores).await.1["overall"].is_u64());
        live.stop().await.unwrap();
    });
}
