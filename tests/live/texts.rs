//! Text in each of its canonically equal forms, text that is invisible or reorders what stands around it, and what is counted
//! of conversations and days, over HTTP and the live protocol.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use aws_sdk_dynamodb::types::AttributeValue;
use ingress::{
    account::profile::Profile,
    store::users::{User, Users},
};
use jiff::{Span, Timestamp, tz::TimeZone};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    deployment::{PROGRESS, USERS},
    live::{Live, LiveOptions, block_on},
    model::PoolUser,
};
use tokio_tungstenite::tungstenite::Message;

use super::{raw_client::RawClient, reader::Reader, workers};

const LEARNER: &str = "learner-1";

async fn with_record(live: &Live, user_id: &str, profile: Profile) {
    let dynamodb = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("sign_up"));
    let user = User::new(user_id.parse().unwrap(), profile, Timestamp::now());
    Users::new(dynamodb, USERS.to_owned()).create_if_missing(user).await.unwrap();
}

async fn patch(live: &Live, change: Value) -> (StatusCode, Value) {
    let request = Reader::learner(live, LEARNER).request(Method::PATCH, "/api/me").header("if-match", "*");
    let response = request.json(&change).send().await.unwrap();
    (response.status(), response.json().await.unwrap_or_default())
}

#[test]
fn password_is_accepted_in_every_form_that_looks_the_same() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let user = PoolUser {
            user_id: LEARNER.to_owned(),
            password: "Spr\u{e4}ch Korean 1".to_owned(),
            ..PoolUser::default()
        };
        live.cloud.state().cognito.users.insert("learner-1@nova.example".to_owned(), user);
        let sign_in = async |password: &str| {
            let body = json!({ "email": "learner-1@nova.example", "password": password });
            let request = live.http().post(format!("{}/auth/sign-in", live.url())).json(&body);
            request.send().await.unwrap().status().as_u16()
        };
        for password in
            ["Spr\u{e4}ch Korean 1", "Spra\u{308}ch Korean 1", "Spra\u{308}ch\u{a0}Korean\u{3000}1"]
        {
            assert_eq!(sign_in(password).await, 200, "{password:?}");
        }
        assert_eq!(sign_in("Sprach Korean 1").await, 401);
        live.stop().await.unwrap();
    });
}

#[test]
fn name_is_stored_in_nfc_and_found_in_every_form() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        with_record(&live, LEARNER, Profile::new("Mina".to_owned())).await;
        with_record(&live, "older", Profile::new("Zoe\u{308} Older".to_owned())).await;
        let (status, me) =
            patch(&live, json!({ "name": "Zoe\u{308} Kim", "interests": ["cafe\u{301}s"] })).await;
        assert_eq!((status, &me["name"]), (StatusCode::OK, &json!("Zo\u{eb} Kim")), "{me}");
        assert_eq!(me["interests"], json!(["caf\u{e9}s"]));
        let analyst = Reader::analyst(&live);
        for name in ["Zo%C3%AB", "Zoe%CC%88", "ZO%C3%8B", "ZOE%CC%88"] {
            let (_, page) = analyst.get(&format!("/api/learners?name={name}")).await;
            let mut found: Vec<_> =
                page["items"].as_array().unwrap().iter().map(|item| &item["userId"]).collect();
            found.sort_by_key(ToString::to_string);
            assert_eq!(found, [LEARNER, "older"], "{name}");
        }
        live.stop().await.unwrap();
    });
}

#[test]
fn name_that_is_invisible_or_reorders_is_refused_and_reaches_no_table() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        with_record(&live, LEARNER, Profile::new("Mina".to_owned())).await;
        for (name, wrong) in [
            ("\u{3164}", "U+3164"),
            ("\u{200b}", "U+200B"),
            ("Mina\u{202e}vsc", "U+202E"),
            ("\u{2066}Mina", "U+2066"),
            ("\u{2800}", "no visible"),
        ] {
            for change in [json!({ "name": name }), json!({ "interests": [name] })] {
                let (status, problem) = patch(&live, change).await;
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
                assert!(problem["detail"].as_str().unwrap().contains(wrong), "{problem}");
            }
        }
        for name in ["👩\u{200d}🚀 Mina", "علی\u{200c}رضا", "ශ්\u{200d}රී"] {
            let (status, me) = patch(&live, json!({ "name": name })).await;
            assert_eq!((status, &me["name"]), (StatusCode::OK, &json!(name)));
        }
        // A record can be older than the rule.
        with_record(&live, "older", Profile::new("Mi\u{202e}na\u{200b}".to_owned())).await;
        let analyst = Reader::analyst(&live);
        let table = analyst.text("/api/learners", "text/csv").await;
        assert!(
            table.contains("\"older\",\"Mina\",") && !table.contains(['\u{202e}', '\u{200b}']),
            "{table:?}"
        );
        assert_eq!(analyst.get("/api/learners/older").await.1["name"], "Mina");
        live.stop().await.unwrap();
    });
}

#[test]
fn typed_words_are_in_nfc_and_their_quotes_have_places() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let (mut client, offer) = RawClient::begin(&live, &live.token(LEARNER).unwrap()).await;
        let id = offer["conversationId"].as_str().unwrap().to_owned();
        // The model is connected once the tutor has greeted.
        client.until("turn").await;
        let typed = |text: &str| Message::text(json!({ "type": "text", "text": text }).to_string());
        client.send(typed("\u{3164}\u{200b}")).await;
        assert_eq!(client.until("error").await["code"], "invalid_text");
        client
            .send(typed("The woman in the cafe\u{301} go home and she like a apple very much today."))
            .await;
        let turn = loop {
            let turn = client.until("turn").await["turn"].clone();
            if turn["speaker"] == "learner" {
                break turn;
            }
        };
        let said = turn["text"].as_str().unwrap().to_owned();
        assert!(said.contains("caf\u{e9} go home"), "{said:?}");
        client.end().await;
        let learner = Reader::learner(&live, LEARNER);
        learner.follow(&format!("/api/conversations/{id}/results"), "").await.rest().await.unwrap();
        let (status, assessed) = learner.get(&format!("/api/conversations/{id}/assessment")).await;
        assert_eq!(status, StatusCode::OK, "{assessed}");
        let units: Vec<u16> = said.encode_utf16().collect();
        let evidence = &assessed["assessment"]["skills"]["fluency"]["evidence"][0];
        let place = |name: &str| usize::try_from(evidence["place"][name].as_u64().unwrap()).unwrap();
        let quoted = String::from_utf16(&units[place("start")..place("end")]).unwrap();
        assert_eq!((quoted.as_str(), place("turn") > 0), (evidence["quote"].as_str().unwrap(), true));
        live.stop().await.unwrap();
    });
}

#[test]
fn conversation_without_a_turn_of_the_learner_is_no_practice() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let (client, offer) = RawClient::begin(&live, &live.token(LEARNER).unwrap()).await;
        let id = offer["conversationId"].as_str().unwrap().to_owned();
        client.end().await;
        let learner = Reader::learner(&live, LEARNER);
        let path = format!("/api/conversations/{id}/results");
        let events = learner.follow(&path, "").await.rest().await.unwrap();
        let counted = events.iter().find(|event| event.name == "progress").unwrap();
        assert_eq!((&counted.data["milestones"], &counted.data["conversations"]), (&json!([]), &json!(0)));
        let (_, progress) = learner.get("/api/progress").await;
        assert_eq!((&progress["days"], &progress["total"]["streak"]["currentDays"]), (&json!([]), &json!(0)));
        live.stop().await.unwrap();
    });
}

#[test]
fn streak_that_is_over_is_not_current() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let dynamodb = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("operator"));
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let today = zone.to_datetime(Timestamp::now()).date();
        for (user_id, days_ago, current) in [("practises", 1, 10), ("stopped", 2, 0), ("long-ago", 79, 0)] {
            let profile = Profile { time_zone: "Asia/Seoul".to_owned(), ..Profile::new(user_id.to_owned()) };
            with_record(&live, user_id, profile).await;
            let last_day = today.checked_sub(Span::new().days(days_ago)).unwrap().to_string();
            let number = |number: u32| AttributeValue::N(number.to_string());
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let put = dynamodb.put_item().table_name(PROGRESS).item("userId", text(user_id));
            let put = put.item("date", text("total")).item("lastDay", text(&last_day));
            let put = put.item("streakDays", number(10)).item("longestStreakDays", number(12));
            put.item("conversations", number(10)).send().await.unwrap();
            let (_, progress) = Reader::learner(&live, user_id).get("/api/progress").await;
            let streak = &progress["total"]["streak"];
            assert_eq!(
                (&streak["currentDays"], &streak["longestDays"]),
                (&json!(current), &json!(12)),
                "{user_id}"
            );
            let analyst = Reader::analyst(&live);
            let (_, one) = analyst.get(&format!("/api/learners/{user_id}")).await;
            assert_eq!(one["total"]["streak"]["currentDays"], current, "{one}");
            let (_, progress) = analyst.get(&format!("/api/learners/{user_id}/progress")).await;
            assert_eq!(progress["total"]["streak"]["currentDays"], current);
            let table = analyst.text("/api/learners", "text/csv").await;
            let row = table.lines().find(|row| row.starts_with(&format!("\"{user_id}\""))).unwrap();
            assert!(row.contains(&format!(",{current},12,\"{last_day}\",")), "{row}");
        }
        live.stop().await.unwrap();
    });
}
