//! What analysts read: learners by level, name and activity, the feed of results, and tables as CSV.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::collections::BTreeSet;

use events::contract::Level;
use ingress::{account::profile::Profile, store::learners::EXAMINED_MAX};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{
    deployment::{EFFECTS, PROGRESS},
    live::{Live, LiveOptions, block_on},
};

use super::{
    reader::Reader,
    resources::{converse, settled, sign_up},
    workers,
};

const OK: StatusCode = StatusCode::OK;

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
            let id = converse(&live, learner, "I see a market.").await;
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
        assert_eq!(first.data["name"], "Learner 2");
        let mut received = vec![first.data["userId"].clone()];
        while received.last() != Some(&json!("learner-3")) {
            let next = feed.next().await.unwrap().unwrap();
            assert!(
                next.data["scored"].is_null() || next.data["scored"]["overall"].is_u64(),
                "{}",
                next.data
            );
            received.push(next.data["userId"].clone());
        }
        // A client that lost the stream receives what was stored meanwhile.
        drop(feed);
        let again = analyst.follow("/api/results", &first.id).await.next().await.unwrap().unwrap();
        assert!(again.id > first.id, "{} behind {}", again.id, first.id);

        let table = analyst.text("/api/learners", "text/csv").await;
        assert_eq!(table, analyst.text("/api/learners.csv", "text/csv").await);
        assert_eq!(table.lines().count(), 9);
        assert!(table.starts_with("\u{feff}\"userId\","), "{table}");
        assert!(table.contains(r#""mina","'=Mina","B1","#), "no cell is a formula: {table}");
        assert!(table.contains("\r\n\"learner-2\",\"Learner 2\",\"B1\","), "{table}");
        check_days(&analyst).await;
        check_wrong_queries(&analyst).await;
        assert_eq!(own_items(&live), 4, "two days and two totals");
        live.stop().await.unwrap();
    });
}

#[test]
fn analysts_sort_learners_and_see_sums_flags_and_scores() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let mut ids = Vec::new();
        for (number, conversations) in [(1, 1), (2, 3), (3, 2)] {
            let learner = format!("learner-{number}");
            sign_up(&live, &learner, Profile::new(format!("Learner {number}"))).await;
            for _ in 0..conversations {
                let id = converse(&live, &learner, "I see a market.").await;
                settled(&Reader::learner(&live, &learner), id).await;
                ids.push(id);
            }
        }
        sign_up(&live, "idle", Profile::new("Idle".to_owned())).await;
        let analyst = Reader::analyst(&live);
        let get = async |path: &str| page(&analyst, path).await;
        let sorted = async |query: &str| {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = get(&format!("/api/learners?limit=2&{query}{cursor}")).await;
                let items = page["items"].as_array().unwrap();
                found.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return found,
                }
            }
        };
        let by_conversations = sorted("sort=conversations").await;
        assert_eq!(by_conversations, ["Learner 2", "Learner 3", "Learner 1"]);
        assert_eq!(sorted("sort=speech&order=asc").await, ["Learner 1", "Learner 3", "Learner 2"]);
        assert_eq!(sorted("sort=activity").await, ["Learner 3", "Learner 2", "Learner 1"]);
        assert_eq!(sorted("sort=conversations&name=learner%203").await, ["Learner 3"]);
        let page = get("/api/learners?sort=overall").await;
        let means: Vec<f64> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|learner| learner["total"]["scores"]["overall"].as_f64().unwrap())
            .collect();
        assert!(!means.is_empty() && means.is_sorted_by(|one, next| one >= next), "{means:?}");
        check_wrong_sorts(&analyst).await;
        check_overview_and_flags(&live, &analyst).await;
        assert_eq!(Reader::learner(&live, "learner-1").get("/api/flagged").await.0, StatusCode::FORBIDDEN);
        live.stop().await.unwrap();
    });
}

async fn check_days(analyst: &Reader<'_>) {
    let days = analyst.text("/api/learners/learner-2/progress", "text/csv").await;
    assert!(days.lines().nth(1).unwrap().contains(",1,"), "{days}");
    assert!(days.starts_with("\u{feff}\"date\","), "{days}");
}

async fn check_wrong_queries(analyst: &Reader<'_>) {
    let (status, problem) = analyst.get("/api/learners?level=D1").await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("level")));
    let (status, problem) = analyst.get(&format!("/api/learners?name={}", "x".repeat(101))).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("name")));
    let (status, problem) = analyst.get("/api/learners?cursor=x").await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("cursor")));
}

/// Items of learners in UserProgress: days and totals.
fn own_items(live: &Live) -> usize {
    let own = |(partition, sort): &&(String, String)| !partition.contains('#') && !sort.contains('#');
    live.cloud.state().dynamodb.tables[PROGRESS].items.keys().filter(own).count()
}

async fn page(analyst: &Reader<'_>, path: &str) -> Value {
    let (status, page) = analyst.get(path).await;
    assert_eq!(status, OK, "{path}: {page}");
    page
}

async fn check_overview_and_flags(live: &Live, analyst: &Reader<'_>) {
    let assessed: u64 = sum_of(&page(analyst, "/api/learners?sort=conversations").await, "/total/scored");
    for by in ["level", "picture", "week"] {
        let overview = page(analyst, &format!("/api/overview?by={by}")).await;
        assert_eq!(sum_of(&overview, "/conversations"), 6, "{by}: {overview}");
        assert_eq!(sum_of(&overview, "/scored"), assessed, "{by}: {overview}");
    }
    assert_eq!(page(analyst, "/api/overview").await, page(analyst, "/api/overview?by=level").await);
    let pictures = page(analyst, "/api/overview?by=picture").await;
    assert_eq!(
        (pictures["items"].as_array().unwrap().len(), &pictures["items"][0]["key"]),
        (1, &json!("street-market"))
    );

    let (mut flagged, mut scored) = (0, 0);
    for learner in ["learner-1", "learner-2", "learner-3"] {
        let page = page(analyst, &format!("/api/learners/{learner}/scores")).await;
        let own = Reader::learner(live, learner).get("/api/progress/scores").await;
        assert_eq!(own, (OK, page.clone()));
        let items = page["items"].as_array().unwrap();
        assert!(
            items.iter().all(|item| item["words"].as_u64() == Some(8) && item["overall"].is_u64()),
            "{page}"
        );
        scored += items.len() as u64;
        flagged += items.iter().filter(|item| item["flags"] != json!([])).count();
        let table = analyst.text(&format!("/api/learners/{learner}/scores.csv"), "text/csv").await;
        assert_eq!(table, analyst.text(&format!("/api/learners/{learner}/scores"), "text/csv").await);
        assert_eq!(table.lines().count(), items.len() + 1);
    }
    assert_eq!(scored, assessed);
    let list = page(analyst, "/api/flagged?flag=little_speech").await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), flagged, "{list}");
    assert!(items.iter().all(|item| item["name"].as_str().unwrap().starts_with("Learner ")), "{list}");
    if let Some(item) = items.first() {
        let learner = Reader::learner(live, item["learnerId"].as_str().unwrap());
        let id = item["conversationId"].as_str().unwrap();
        learner.delete(&format!("/api/conversations/{id}")).await;
        assert_eq!(page(analyst, "/api/flagged").await["items"].as_array().unwrap().len(), flagged - 1);
    }
}

async fn check_wrong_sorts(analyst: &Reader<'_>) {
    let cursor = page(analyst, "/api/learners?limit=1&sort=overall").await["nextCursor"].clone();
    for (query, field) in [
        ("learners?sort=beauty".to_owned(), "sort"),
        ("learners?order=asc".to_owned(), "order"),
        ("learners?sort=speech&activeSince=2026-01-01T00:00:00Z".to_owned(), "sort"),
        (format!("learners?sort=speech&cursor={}", cursor.as_str().unwrap()), "cursor"),
        ("overview?by=mood".to_owned(), "by"),
        ("flagged?flag=bored".to_owned(), "flag"),
        ("learners/learner-2/scores?limit=0".to_owned(), "limit"),
    ] {
        let (status, problem) = analyst.get(&format!("/api/{query}")).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{query}");
    }
}

/// The sum of the number at `pointer` over the items of a page.
fn sum_of(page: &Value, pointer: &str) -> u64 {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)).sum()
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
        assert_eq!(page["items"], json!([]), "she is after those that were examined");
        let cursor = page["nextCursor"].as_str().unwrap();
        let (_, page) = analyst.get(&format!("/api/learners?name=zoe&limit=100&cursor={cursor}")).await;
        assert_eq!(page["items"][0]["name"], "Zoe");
        live.stop().await.unwrap();
    });
}

#[test]
fn every_read_of_an_analyst_is_recorded_before_it_is_shown() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        sign_up(&live, "learner-1", Profile::new("Mina".to_owned())).await;
        let analyst = Reader::analyst(&live);
        let records = || {
            let state = live.cloud.state();
            let items = state.dynamodb.tables[EFFECTS].items.iter();
            let records = items.filter(|((id, _), _)| id.starts_with("audit#")).map(|(_, item)| {
                let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
                assert!(item["at"]["N"].is_string() && item["expiresAt"]["N"].is_string(), "{item:?}");
                (text("who"), text("what"), text("whose"))
            });
            records.collect::<BTreeSet<_>>()
        };
        let one = "/api/learners/learner-1";
        {
            let mut held = live.cloud.hold("PutItem");
            let mut shown = Box::pin(analyst.get(one));
            tokio::select! {
                _ = &mut shown => panic!("it is shown before it is recorded"),
                () = held.arrived(1) => {}
            }
            drop(held);
            assert_eq!(shown.await.0, OK);
        }
        for path in
            ["/api/learners", "/api/learners/learner-1/progress", "/api/learners/learner-1/conversations"]
        {
            assert_eq!(analyst.get(path).await.0, OK, "{path}");
        }
        assert!(analyst.text("/api/learners.csv", "text/csv").await.contains("Mina"));
        drop(analyst.follow("/api/results", "").await);
        let read = |what: &str, whose: &str| ("analyst-1".to_owned(), what.to_owned(), whose.to_owned());
        let expected = [
            read("getLearner", "learner-1"),
            read("getLearnerProgress", "learner-1"),
            read("listLearnerConversations", "learner-1"),
            read("listLearners", "learner-1"),
            read("exportLearners", "learner-1"),
            read("followResults", "all"),
        ];
        assert_eq!(records(), BTreeSet::from(expected));
        let before = records().len();
        assert_eq!(Reader::learner(&live, "learner-1").get("/api/me").await.0, OK);
        assert_eq!(records().len(), before, "what is the learner's own is not recorded");
        live.stop().await.unwrap();
    });
}
