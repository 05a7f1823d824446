//! Pictures, conversations, progress, results and learners: what they answer, to whom, and how results come.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::{ConversationId, Level},
    journal::Journal,
};
use infra::learner::Script;
use ingress::{
    account::profile::Profile,
    coordination::Coordination,
    metrics::Metrics,
    results::{ResultsWatcher, permits::STREAMS_OF_CALLER_MAX},
    store::{
        documents::Documents,
        learners::EXAMINED_MAX,
        results::ResultReader,
        users::{User, Users},
    },
};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, IMAGES, LOGS, PROGRESS, USERS},
    live::{Live, LiveOptions, block_on},
    sse::Event,
};
use tokio_util::sync::CancellationToken;

use super::{reader::Reader, visitor::Visitor, workers};

const OK: StatusCode = StatusCode::OK;

/// Somebody talks, in words that nobody else says.
pub(crate) async fn talk(live: &Live, user_id: &str, words: &str) -> ConversationId {
    let script = Script::new("street-market", [words, "The woman buys apples."]);
    let held = live.learner(user_id).unwrap().converse(&script).await.unwrap();
    held.conversation_id
}

/// Waits until all has come of a conversation.
async fn settled(learner: &Reader<'_>, id: ConversationId) -> Vec<Event> {
    learner.follow(&format!("/api/conversations/{id}/results"), "").await.rest().await.unwrap()
}

async fn sign_up(live: &Live, user_id: &str, profile: Profile) {
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
        let learner = Reader::learner(&live, "somebody");
        let id = talk(&live, "somebody", "I see a market.").await;
        let path = format!("/api/conversations/{id}/results");
        // Nothing has come yet: the workers do not run.
        let early = [learner.follow(&path, "").await, learner.follow(&path, "").await];
        let _workers = workers::start(&live).await;
        let mut all = Vec::new();
        for stream in early {
            all = stream.rest().await.unwrap();
            let told: BTreeSet<_> = names(&all).into_iter().collect();
            assert_eq!(told, BTreeSet::from(["assessment", "complete", "progress", "transcript"]));
            assert_eq!((all.len(), all.last().unwrap().name.as_str()), (5, "complete"));
        }
        let data = |name: &str| all.iter().find(|event| event.name == name).unwrap().data.clone();
        assert_eq!(data("transcript")["turns"], 5);
        assert_eq!(data("progress")["milestones"], json!(["first_conversation"]));
        assert!(data("assessment")["overall"].is_u64());
        // Whoever comes back is told the rest, in the same or another order of what was not told.
        for (at, last) in all.iter().enumerate() {
            if at + 1 == all.len() {
                let over = learner.stream(&path, &last.id).await;
                assert_eq!(over.status(), StatusCode::NO_CONTENT, "everything was told");
                continue;
            }
            let rest = learner.follow(&path, &last.id).await.rest().await.unwrap();
            let told: BTreeSet<String> = rest.iter().map(|event| event.data.to_string()).collect();
            let expected: BTreeSet<String> =
                all[at + 1..].iter().map(|event| event.data.to_string()).collect();
            assert_eq!(told, expected, "behind {}", last.id);
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
        let learner = Reader::learner(&live, "somebody");
        let (visitor, offer) = Visitor::begin(&live, &live.token("somebody").unwrap()).await;
        let id: ConversationId = offer["conversationId"].as_str().unwrap().parse().unwrap();
        let path = format!("/api/conversations/{id}");
        let (status, problem) = learner.delete(&path).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conversation_live")));
        // The stream is open before the conversation ends.
        let stream = learner.follow(&format!("{path}/results"), "").await;
        visitor.end().await;
        let events = stream.rest().await.unwrap();
        let told: BTreeSet<_> = names(&events).into_iter().collect();
        assert_eq!(told, BTreeSet::from(["complete", "failed", "progress", "transcript"]));
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
        let id = talk(&live, "somebody", "I see a market.").await;
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
        assert_eq!(looks.iter().filter(|looks| **looks == 1).count(), 2, "one goes on looking: {looks:?}");
        let _workers = workers::start(&live).await;
        for seen in &mut waiting {
            seen.wait_for(|seen| seen.snapshot.is_complete()).await.unwrap();
        }
        // The task that looked is lost: another one takes over.
        let other = talk(&live, "somebody", "I see a park.").await;
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
        let learner = Reader::learner(&live, "somebody");
        let id = talk(&live, "somebody", "I see a market.").await;
        let path = format!("/api/conversations/{id}/results");
        let mut open = Vec::new();
        for _ in 0..STREAMS_OF_CALLER_MAX {
            open.push(learner.follow(&path, "").await);
        }
        let refused = learner.stream(&path, "").await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.headers().contains_key("retry-after"));
        // A stream that nobody reads any more gives its place back.
        drop(open.pop());
        let again = async {
            while learner.stream(&path, "").await.status() != OK {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), again).await.expect("the place comes back");
        live.begin_to_stop();
        for stream in open {
            assert!(stream.rest().await.unwrap().is_empty(), "nothing has come");
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
        let learner = Reader::learner(&live, "somebody");
        let first = talk(&live, "somebody", "I see a market.").await;
        let id = talk(&live, "somebody", "A zeppelin carries walruses.").await;
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

        // Its event comes once more, as late as it likes.
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

/// Nothing that was said in the conversation is anywhere.
async fn check_deleted(live: &Live, learner: &Reader<'_>, id: ConversationId) {
    let unknown = learner.get("/api/conversations/01890a5d-ac96-774b-bcce-b302099a8057").await;
    for end in ["", "/transcript", "/assessment", "/results", "/turns/1/audio"] {
        assert_eq!(learner.get(&format!("/api/conversations/{id}{end}")).await, unknown, "{end}");
    }
    let (text, state) = (id.to_string(), live.cloud.state());
    let left: Vec<_> = state.s3.objects.keys().filter(|(_, key)| key.contains(&text)).collect();
    assert!(left.is_empty(), "{left:?}");
    let items = &state.dynamodb.tables[CONVERSATIONS].items;
    assert_eq!(items.keys().filter(|(session, _)| *session == text).count(), 1, "the mark is left");
    assert!(!format!("{items:?}").contains("zeppelin"));
}

#[test]
fn what_is_a_learners_is_shown_to_nobody_else_and_analysts_see_scores_without_words() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        sign_up(&live, "somebody", Profile::new("Mina Kim".to_owned())).await;
        let owner = Reader::learner(&live, "somebody");
        let id = talk(&live, "somebody", "A zeppelin carries walruses.").await;
        settled(&owner, id).await;
        let of = |id: &str| {
            ["", "/transcript", "/assessment", "/results", "/turns/1/audio"]
                .map(|end| format!("/api/conversations/{id}{end}"))
        };
        let (own, unknown) = (of(&id.to_string()), of("01890a5d-ac96-774b-bcce-b302099a8057"));
        let other = Reader::learner(&live, "somebody-else");
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

        let learner = "/api/learners/somebody";
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
        let foreign = format!("/api/learners/somebody-else/conversations/{id}/assessment");
        assert_eq!(analyst.get(&foreign).await.0, StatusCode::NOT_FOUND);
        assert_eq!(analyst.get("/api/learners/nobody").await.0, StatusCode::NOT_FOUND);
        assert!(analyst.get(&scores).await.1["overall"].is_u64());
        live.stop().await.unwrap();
    });
}

#[test]
fn pictures_are_told_without_what_would_spoil_the_exercise_and_read_once_a_minute() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let learner = Reader::learner(&live, "somebody");
        let (_, all) = learner.get("/api/pictures").await;
        let all = all["items"].as_array().unwrap();
        assert_eq!(all.len(), 25);
        let category = all[0]["category"].as_str().unwrap();
        let (_, some) = learner.get(&format!("/api/pictures?category={category}")).await;
        assert_eq!(some["items"].as_array().unwrap().len(), 5);
        assert_eq!(learner.get("/api/pictures?category=none").await.1, json!({ "items": [] }));
        let (_, one) = learner.get("/api/pictures/street-market?level=A1").await;
        let (_, other) = learner.get("/api/pictures/street-market?level=C1").await;
        assert!(one["questions"].as_array().unwrap().len() > 2 && one["questions"] != other["questions"]);
        assert!(one["description"].is_null() && one["objectives"].is_array() && one["vocabulary"].is_array());
        assert_eq!(learner.get("/api/pictures/street-market?level=D1").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(learner.get("/api/pictures/no-picture").await.0, StatusCode::NOT_FOUND);
        let (status, problem) = learner.get(&format!("/api/pictures?category={}", "x".repeat(65))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("category")));
        let metrics = &live.app.metrics;
        assert_eq!((metrics.picture_reads.take(), metrics.picture_hits.take()), (1, 5));

        // A picture is published: it has an address once the catalogue is read again.
        let published = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("operator")).update_item();
        let published =
            published.table_name(IMAGES).key("imageId", AttributeValue::S("street-market".into()));
        let key = AttributeValue::S("pictures/street-market/1.png".into());
        let published =
            published.update_expression("SET imageKey = :key").expression_attribute_values(":key", key);
        published.send().await.unwrap();
        assert!(learner.get("/api/pictures/street-market").await.1["image"].is_null());
        tokio::time::sleep(Duration::from_secs(61)).await;
        let (_, picture) = learner.get("/api/pictures/street-market").await;
        let url = picture["image"]["url"].as_str().unwrap();
        assert!(url.contains("pictures/street-market/1.png") && url.contains("X-Amz-Signature"), "{url}");
        let get = || learner.request(Method::GET, "/api/pictures/street-market");
        let answer = get().send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "private, max-age=300");
        let again = get().header("if-none-match", &answer.headers()["etag"]).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "the address stays the same for a while");

        // While the table cannot be read, what is known serves.
        live.cloud.state().dynamodb.tables.remove(IMAGES);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(learner.get("/api/pictures").await.0, OK);
        assert!(metrics.failed_picture_reads.take() >= 1);
        live.stop().await.unwrap();
    });
}

#[test]
fn analysts_find_learners_by_level_name_and_activity_in_pages_and_as_a_table() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let began = Timestamp::now();
        for number in 0..7 {
            let level = if number % 2 == 0 { Level::B1 } else { Level::C1 };
            let profile = Profile { level, ..Profile::new(format!("Learner {number}")) };
            sign_up(&live, &format!("learner-{number}"), profile).await;
        }
        sign_up(&live, "mina", Profile::new("=Mina".to_owned())).await;
        let analyst = Reader::analyst(&live);
        let ids = async |query: &str| {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let (status, page) = analyst.get(&format!("/api/learners?limit=2&{query}{cursor}")).await;
                assert_eq!(status, OK, "{page}");
                let items = page["items"].as_array().unwrap();
                assert!(items.len() <= 2);
                found.extend(items.iter().map(|item| item["userId"].as_str().unwrap().to_owned()));
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return found,
                }
            }
        };
        assert_eq!(ids("").await.len(), 8);
        assert_eq!(ids("level=C1").await, ["learner-1", "learner-3", "learner-5"]);
        assert_eq!(ids("name=LEARNER%206").await, ["learner-6"]);
        assert_eq!(ids(&format!("activeSince={began}")).await, Vec::<String>::new());

        let mut feed = analyst.follow("/api/results", "").await;
        for learner in ["learner-2", "learner-3"] {
            let id = talk(&live, learner, "I see a market.").await;
            settled(&Reader::learner(&live, learner), id).await;
        }
        assert_eq!(
            ids(&format!("activeSince={began}")).await,
            ["learner-3", "learner-2"],
            "the latest first"
        );
        assert_eq!(ids(&format!("activeSince={began}&level=B1")).await, ["learner-2"]);
        assert_eq!(ids("activeSince=2100-01-01T00:00:00Z").await, Vec::<String>::new());

        let first = feed.next().await.unwrap().unwrap();
        assert_eq!((first.name.as_str(), &first.data["userId"]), ("result", &json!("learner-2")));
        assert!(first.data["total"]["conversations"].is_u64() && first.data["conversationId"].is_string());
        let mut told = vec![first.data["userId"].clone()];
        while told.last() != Some(&json!("learner-3")) {
            told.push(feed.next().await.unwrap().unwrap().data["userId"].clone());
        }
        // Whoever lost the stream is told what came meanwhile.
        drop(feed);
        let again = analyst.follow("/api/results", &first.id).await.next().await.unwrap().unwrap();
        assert!(again.id > first.id, "{} behind {}", again.id, first.id);

        let table = analyst.text("/api/learners", "text/csv").await;
        assert_eq!(table, analyst.text("/api/learners.csv", "text/csv").await);
        assert_eq!(table.lines().count(), 9);
        assert!(table.starts_with("\u{feff}\"userId\","), "{table}");
        assert!(table.contains(r#""mina","'=Mina","B1","#), "no cell is a formula: {table}");
        assert!(table.contains("\r\n\"learner-2\",\"Learner 2\",\"B1\","), "{table}");
        let days = analyst.text("/api/learners/learner-2/progress", "text/csv").await;
        assert!(days.lines().nth(1).unwrap().contains(",1,"), "{days}");
        assert!(days.starts_with("\u{feff}\"date\","), "{days}");
        let (status, problem) = analyst.get("/api/learners?level=D1").await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("level")));
        let (status, problem) = analyst.get(&format!("/api/learners?name={}", "x".repeat(101))).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("name")));
        let (status, problem) = analyst.get("/api/learners?cursor=x").await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("cursor")));
        assert_eq!(live.cloud.state().dynamodb.tables[PROGRESS].items.len(), 4, "two days and two totals");
        live.stop().await.unwrap();
    });
}

#[test]
fn a_page_of_learners_looks_at_a_bounded_number_of_them() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        for number in 0..EXAMINED_MAX {
            sign_up(&live, &format!("a{number:04}"), Profile::new("Crowd".to_owned())).await;
        }
        sign_up(&live, "z", Profile::new("Zoe".to_owned())).await;
        let analyst = Reader::analyst(&live);
        let (_, page) = analyst.get("/api/learners?name=zoe&limit=100").await;
        assert_eq!(page["items"], json!([]), "she is behind those that were looked at");
        let cursor = page["nextCursor"].as_str().unwrap();
        let (_, page) = analyst.get(&format!("/api/learners?name=zoe&limit=100&cursor={cursor}")).await;
        assert_eq!(page["items"][0]["name"], "Zoe");
        live.stop().await.unwrap();
    });
}
