//! The pictures of the API: what a learner sees of them, their images, and how often the table is read.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::{
    deployment::{IMAGES, PICTURES},
    live::{Live, LiveOptions, block_on},
};

use super::reader::Reader;

const OK: StatusCode = StatusCode::OK;

/// The name of an image file is a hash.
const HASH: &str = "0123456789abcdef0123456789abcdef";

/// The image needs no token, is kept for a year, and is not sent again.
async fn check_image(live: &Live, url: &str) {
    let get = |url: &str| live.http().get(format!("{}{url}", live.url()));
    let image = get(url).send().await.unwrap();
    assert_eq!((image.status(), image.headers()["content-type"].to_str().unwrap()), (OK, "image/png"));
    assert_eq!(image.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(image.headers()["etag"], format!("\"{HASH}\""));
    let again = get(url).header("if-none-match", &image.headers()["etag"]).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(image.bytes().await.unwrap(), "image");
    for other in
        [url.replace("0123", "9999"), url.replace("png", "exe"), url.replace("street-market", "..%2f..")]
    {
        assert_eq!(get(&other).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{other}");
    }
}

#[test]
fn pictures_are_told_without_what_would_spoil_the_exercise_and_read_once_a_minute() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let learner = Reader::learner(&live, "learner-1");
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

        // A picture is published: it has a URL once the catalogue is read again.
        let published = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("operator")).update_item();
        let published =
            published.table_name(IMAGES).key("imageId", AttributeValue::S("street-market".into()));
        let key = AttributeValue::S(format!("pictures/street-market/{HASH}.png"));
        let s3 = aws_sdk_s3::Client::new(&live.cloud.sdk_config("operator"));
        let object = s3.put_object().bucket(PICTURES).key(format!("pictures/street-market/{HASH}.png"));
        object.body(b"image".to_vec().into()).send().await.unwrap();
        let published =
            published.update_expression("SET imageKey = :key").expression_attribute_values(":key", key);
        published.send().await.unwrap();
        assert!(learner.get("/api/pictures/street-market").await.1["image"].is_null());
        tokio::time::sleep(Duration::from_secs(61)).await;
        let (_, picture) = learner.get("/api/pictures/street-market").await;
        let url = picture["image"]["url"].as_str().unwrap();
        assert_eq!(url, format!("/api/pictures/street-market/images/{HASH}.png"));
        check_image(&live, url).await;
        let get = || learner.request(Method::GET, "/api/pictures/street-market");
        let answer = get().send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "private, max-age=300");
        let again = get().header("if-none-match", &answer.headers()["etag"]).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "the URL stays the same for a while");

        // While the table cannot be read, the cached catalogue is used.
        live.cloud.state().dynamodb.tables.remove(IMAGES);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(learner.get("/api/pictures").await.0, OK);
        assert!(metrics.failed_picture_reads.take() >= 1);
        live.stop().await.unwrap();
    });
}
