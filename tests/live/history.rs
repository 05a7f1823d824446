//! The history of a learner, the recordings of a transcript as files, and what to practise next.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::live::{Live, LiveOptions, block_on};

use super::{
    reader::Reader,
    resources::{converse, settled},
    workers,
};

const OK: StatusCode = StatusCode::OK;

#[test]
fn history_is_filtered_and_reads_a_bounded_number_of_items() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let learner = Reader::learner(&live, "learner-1");
        let (_, fresh) = learner.get("/api/next-step").await;
        assert!(fresh["objective"].is_null() && fresh["isNew"] == true, "{fresh}");
        let id = converse(&live, "learner-1", "I see two women who buy fresh bread.").await;
        settled(&learner, id).await;
        let (_, page) = learner.get("/api/conversations").await;
        let item = &page["items"][0];
        assert_eq!((&item["stage"], &item["imageId"]), (&json!("assessed"), &json!("street-market")));
        assert!(item["scores"]["overall"].is_u64() && item["scores"]["cefr"].is_string(), "{item}");
        let title = item["title"].as_str().unwrap().to_uppercase();
        let day = item["startedAt"].as_str().unwrap().split('T').next().unwrap().to_owned();
        let count = async |query: &str| {
            let (status, page) = learner.get(&format!("/api/conversations?{query}")).await;
            assert_eq!(status, OK, "{query}: {page}");
            page["items"].as_array().unwrap().len()
        };
        for query in
            ["imageId=street-market", &format!("text={title}"), &format!("from={day}&to={day}"), "limit=100"]
        {
            assert_eq!(count(query).await, 1, "{query}");
        }
        for query in ["imageId=snowy-park", "text=zeppelin", "from=2099-01-01", "to=2000-01-01"] {
            assert_eq!(count(query).await, 0, "{query}");
        }
        let (status, problem) = learner.get("/api/conversations?text=").await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("text")));
        assert_eq!((&problem["reason"], &problem["limit"]["max"]), (&json!("out_of_limit"), &json!(100)));

        let (_, next) = learner.get("/api/next-step").await;
        assert_eq!(next["objective"]["conversationId"], id.to_string());
        assert_ne!(next["picture"]["imageId"], "street-market");
        live.stop().await.unwrap();
    });
}

#[test]
fn recording_is_a_file_with_ranges_for_its_learner_alone() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let learner = Reader::learner(&live, "learner-1");
        let id = converse(&live, "learner-1", "I see two women who buy fresh bread.").await;
        settled(&learner, id).await;
        let (_, transcript) = learner.get(&format!("/api/conversations/{id}/transcript")).await;
        let (tutor, spoken) = (&transcript["turns"][0], &transcript["turns"][1]);
        assert!(spoken["speechMs"].as_u64().unwrap() > 0 && tutor["speechMs"].as_u64().unwrap() > 0);
        assert!(transcript["turns"][2]["answerLatencyMs"].is_u64(), "{transcript}");
        let path = spoken["recording"].as_str().unwrap();
        let get = |range: &str| learner.request(Method::GET, path).header("range", range).send();

        let whole = learner.request(Method::GET, path).send().await.unwrap();
        assert_eq!((whole.status(), &whole.headers()["content-type"]), (OK, &"audio/wav".parse().unwrap()));
        assert_eq!(whole.headers()["accept-ranges"], "bytes");
        let whole = whole.bytes().await.unwrap();
        assert!(whole.starts_with(b"RIFF"));
        let part = get("bytes=4-9").await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()["content-range"], format!("bytes 4-9/{}", whole.len()));
        assert_eq!(part.bytes().await.unwrap(), whole[4..10]);
        let behind = get("bytes=99999999-").await.unwrap();
        assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(get("bytes=0-1,4-5").await.unwrap().bytes().await.unwrap(), whole, "ignored");

        assert_eq!(Reader::learner(&live, "learner-2").get(path).await.0, StatusCode::NOT_FOUND);
        let missing = learner.get(&format!("/api/conversations/{id}/turns/99/recording")).await;
        assert_eq!(missing.0, StatusCode::NOT_FOUND);
        live.stop().await.unwrap();
    });
}
