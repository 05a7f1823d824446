//! The journey of a learner: from the mailed code through a conversation to the progress. All other callers are refused at
//! each URL that the learner used.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use events::contract::Level;
use infra::client::{Learner, Script};
use reqwest::Method;
use serde_json::{Value, json};
use tests::system::{Delivery, System};

use crate::{
    beside_others,
    conversations::{self, FinishedConversation},
    page::Page,
    resources::{self, Caller, Owner},
};

const EMAIL: &str = "mina@nova.example";
const PASSWORD: &str = "Speak-English-1";

/// How many times faster than a person the learner speaks and listens.
const PACE: f64 = 3.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_comes_from_a_mailed_code_to_progress_and_nobody_else_to_what_is_the_learners()
-> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("journey", Delivery::Once).await?;
    let mut page = Page::new(system.stack.url(), system.stack.cloud().endpoint())?;
    let request = json!({ "email": EMAIL, "password": PASSWORD, "name": "Mina Kim", "level": "A2" });
    page.sign_up(&request).await?;
    let token = page.sign_in(EMAIL, PASSWORD).await?;
    let caller = Caller { system: &system, token: Some(&token) };
    set_profile(&caller).await?;
    let picture = choose_picture(&caller).await?;

    let learner = Learner::signed_in(system.stack.url(), &token, infra::local::http_client()?)?;
    // The profile supplies the fields that the request omits.
    let script = Script {
        image_id: picture,
        level: None,
        time_zone: None,
        pace: PACE,
        ..conversations::script_of(0, 2)
    };
    let conversation = learner.converse(&script).await?;
    let id = conversation.conversation_id;
    resources::follow(&system, &learner, id).await?;
    let start = conversations::header(&system, id).await?.start;
    ensure!((start.level, start.time_zone.as_str()) == (Level::C1, "Asia/Seoul"), "{start:?}");
    let finished = FinishedConversation { user_id: learner.user_id().clone(), script, conversation };
    conversations::check_results(&system, &[finished]).await?;

    // The session outlives the access token. The next access token is valid, too.
    let refreshed = page.by_cookie("/auth/refresh", true).await?;
    ensure!(refreshed.body["user"]["level"] == "C1", "{refreshed:?}");
    let token = refreshed.text("accessToken")?;
    let progress = Caller { system: &system, token: Some(&token) }.json("/api/progress").await?;
    ensure!(progress["days"][0]["conversations"] == 1 && progress["total"]["scored"] == 1, "{progress}");

    resources::check(&system, Owner { learner: &learner, email: EMAIL, conversation: id }).await?;
    system.await_quiet(Duration::from_secs(60)).await?;
    system.stop().await
}

/// The profile has the data of the sign-up, and is changed.
async fn set_profile(caller: &Caller<'_>) -> anyhow::Result<()> {
    let shown = caller.call(&Method::GET, "/api/me", &[]).await?;
    let tag = shown.headers().get("etag").context("no ETag")?.to_str()?.to_owned();
    let me: Value = shown.error_for_status()?.json().await?;
    ensure!(me["name"] == "Mina Kim" && me["level"] == "A2", "{me}");
    let change = json!({ "level": "C1", "timeZone": "Asia/Seoul" });
    let changed = caller.send(&Method::PATCH, "/api/me", &[("if-match", &tag)], Some(&change)).await?;
    let changed: Value = changed.error_for_status()?.json().await?;
    ensure!(changed["level"] == "C1" && changed["timeZone"] == "Asia/Seoul", "{changed}");
    Ok(())
}

/// The first picture of the list.
async fn choose_picture(caller: &Caller<'_>) -> anyhow::Result<String> {
    let pictures = caller.json("/api/pictures").await?;
    let first = pictures["items"][0]["imageId"].as_str().context("no picture")?;
    let picture = caller.json(&format!("/api/pictures/{first}")).await?;
    ensure!(picture["questions"].as_array().is_some_and(|questions| !questions.is_empty()), "{picture}");
    Ok(first.to_owned())
}
