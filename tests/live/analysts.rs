//! What analysts read: learners by level, name and activity, the feed of results, and tables as CSV.

use std::collections::BTreeSet;

use events::contract::Level;
use ingress::{account::profile::Profile, store::learners::EXAMINED_MAX};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::json;
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
        let mut received = vec![first.data["userId"].clone()];
        while received.last() != Some(&json!("learner-3")) {
            received.push(feed.next().await.unwrap().unwrap().data["userId"].clone());
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
