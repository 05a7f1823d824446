//! What a learner's account means for conversations: they begin with its profile, and neither they nor anything else once
//! it is to be deleted; and what happens to one that is live when its learner's data is erased.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::{FeedbackLanguage, Level},
    journal::{Eraser, Journal},
    pipeline::names::erasure_effect,
};
use ingress::{
    account::auth::Roles,
    account::profile::Profile,
    api::{self, role::Role},
    store::users::{User, Users},
};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, USERS},
    live::{Live, LiveOptions, block_on},
};

use super::raw_client::RawClient;

const LEARNER: &str = "learner-1";
const PASSWORD: &str = "Speak-English-1";

fn dynamodb(live: &Live) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("operator"))
}

/// The record of a learner at C1 in Seoul who reads Korean.
async fn with_record(live: &Live) -> Users {
    let profile = Profile {
        level: Level::C1,
        time_zone: "Asia/Seoul".to_owned(),
        feedback_language: FeedbackLanguage::Korean,
        ..Profile::new("Mina Kim".to_owned())
    };
    let users = Users::new(dynamodb(live), USERS.to_owned());
    let user = User::new(LEARNER.parse().unwrap(), profile, "2026-11-25T08:15:30Z".parse().unwrap());
    users.create_if_missing(user).await.unwrap();
    users
}

#[test]
fn a_conversation_begins_with_what_the_profile_says_and_the_request_does_not() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        with_record(&live).await;
        let token = live.token(LEARNER).unwrap();
        for (request, level, time_zone) in [
            (json!({ "imageId": "street-market" }), Level::C1, "Asia/Seoul"),
            (json!({ "imageId": "street-market", "level": "A2", "timeZone": "UTC" }), Level::A2, "UTC"),
        ] {
            let offer = live.ask_with(&token, &request).await.unwrap();
            let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
            let ticket = offer["ticket"].as_str().unwrap();
            let admission = live
                .app
                .tickets
                .redeem(&live.app.coordination, ticket, id, Timestamp::now())
                .await
                .unwrap()
                .0;
            assert_eq!((admission.level, admission.time_zone.as_str()), (level, time_zone));
            assert_eq!(admission.feedback_language, FeedbackLanguage::Korean);
        }
        let token = live.token("without-a-record").unwrap();
        let offer = live.ask(&token, "street-market").await.unwrap();
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        let ticket = offer["ticket"].as_str().unwrap();
        let admission = live.app.tickets.redeem(&live.app.coordination, ticket, id, Timestamp::now()).await;
        assert_eq!(admission.unwrap().0.time_zone, "UTC");
        live.stop().await.unwrap();
    });
}

#[test]
fn nothing_begins_and_nothing_is_shown_once_an_account_is_to_be_deleted() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let users = with_record(&live).await;
        let token = live.token(LEARNER).unwrap();
        let offer = live.ask(&token, "street-market").await.unwrap();
        let at: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-26T11:00:00Z".parse().unwrap();
        assert_eq!(users.request_deletion(&LEARNER.parse().unwrap(), at).await.unwrap(), Some(at));
        assert_eq!(users.request_deletion(&LEARNER.parse().unwrap(), later).await.unwrap(), Some(at));
        assert_eq!(users.request_deletion(&"unknown".parse().unwrap(), at).await.unwrap(), None);
        let refused = RawClient::open(&live, &offer).await.unwrap_err();
        assert_eq!((refused.0, &refused.1["code"]), (403, &json!("account_deleted")), "an older ticket");
        check_every_route(&live).await;
        // The record is gone, and the token is valid for a while.
        let dynamodb = dynamodb(&live);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let gone = dynamodb.delete_item().table_name(USERS).key("userId", text(LEARNER)).send().await;
        gone.unwrap();
        let noted = dynamodb.put_item().table_name(EFFECTS);
        let noted = noted.item("effectId", text(&erasure_effect(&LEARNER.parse().unwrap()))).send().await;
        noted.unwrap();
        check_every_route(&live).await;
        live.stop().await.unwrap();
    });
}

/// Every route is closed to the learner, who may have every role, but for the wish itself and the end of all sessions.
async fn check_every_route(live: &Live) {
    let token = live.token_with(LEARNER, Roles { analyst: true, operator: true }).unwrap();
    let mut call_at_last = None;
    for route in api::resources().iter().flat_map(|(_, routes)| routes) {
        let is_wish = route.path == "/api/me" && route.method == Method::DELETE;
        if route.role() < Role::Learner || is_wish {
            continue;
        }
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let path = route.path.replace("{id}", id).replace("{conversation}", id).replace("{index}", "1");
        let mut request = live.http().request(route.method.clone(), format!("{}{path}", live.url()));
        request = request.bearer_auth(&token).header("if-match", "*");
        request = match route.path {
            "/api/conversations" if route.method == Method::POST => {
                request.json(&json!({ "imageId": "street-market" }))
            }
            "/api/me" if route.method == Method::PATCH => request.json(&json!({ "level": "A1" })),
            "/auth/step-up" => request.json(&json!({ "password": PASSWORD })),
            "/auth/password" => request.json(&json!({ "newPassword": PASSWORD })),
            "/auth/email" => request.json(&json!({ "email": "new@nova.example" })),
            "/auth/phone" => request.json(&json!({ "phone": "+821012345678" })),
            "/auth/email/verify" | "/auth/phone/verify" | "/auth/totp/verify" => {
                request.json(&json!({ "code": "123456" }))
            }
            _ => request,
        };
        if route.path == "/auth/sign-out-everywhere" {
            call_at_last = Some(request);
            continue;
        }
        let answer = request.send().await.unwrap();
        let (status, what) = (answer.status().as_u16(), format!("{} {path}", route.method));
        let problem: Value = answer.json().await.unwrap_or_default();
        assert_eq!((status, &problem["code"]), (403, &json!("account_deleted")), "{what}: {problem}");
    }
    assert_eq!(call_at_last.unwrap().send().await.unwrap().status(), 204);
}

#[test]
fn a_live_conversation_of_an_erased_learner_ends_and_leaves_nothing() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token(LEARNER).unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        client.until("turn").await;
        let id = offer["conversationId"].as_str().unwrap().parse().unwrap();
        let (eraser, dynamodb) = (Eraser::new(dynamodb(&live), CONVERSATIONS), dynamodb(&live));
        let listed =
            Journal::reader(dynamodb, CONVERSATIONS).ids_of_learner(&LEARNER.parse().unwrap(), None).await;
        assert_eq!(listed.unwrap().conversations, [id]);
        // The header and the tutor's greeting.
        assert_eq!(eraser.erase(id).await.unwrap(), 2);
        assert_eq!(eraser.erase(id).await.unwrap(), 0);
        // Its holder sees it with its next write, which fails.
        assert!(client.closed().await.is_some());
        assert!(live.journal(id).await.is_err() && live.completed(id).is_empty());
        live.stop().await.unwrap();
    });
}
