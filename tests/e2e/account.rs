//! A learner's account: the profile, the export and the deletion. After the deletion no data of the learner remains or is
//! stored again, and the data of another learner is unchanged.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, ensure};
use aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use events::{contract::UserId, journal::Journal, pipeline::names::erasure_effect, workers::Worker};
use infra::{
    client::Learner,
    local::{Instance, http_client},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tests::system::{Delivery, System, await_some};

use crate::{beside_others, conversations};

/// The longest time until all data is deleted: two passes, and the visibility timeout of the message of the killed worker.
const GONE_WITHIN: Duration = Duration::from_secs(180);

/// The longest time until the workers have handled events that have no effect.
const IGNORED_WITHIN: Duration = Duration::from_secs(60);

/// Instead of a quarter of an hour.
const SETTLE_SECONDS: &str = "3";

const SETTLE: &str = "NOVA_ERASURE_SETTLE_SECONDS";

#[tokio::test(flavor = "multi_thread")]
async fn deleted_account_leaves_nothing_behind_and_nothing_comes_back() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start_with("account", Delivery::Once, |options| {
        options.environment.push((Worker::Erasure.into(), SETTLE.to_owned(), SETTLE_SECONDS.to_owned()));
    })
    .await?;
    let learners = conversations::learners(&system, 2).await?;
    let finished = conversations::converse_at_once(&learners).await?;
    conversations::check_results(&system, &finished).await?;
    let leaving = Client::new(&system, &learners[0]).await?;
    let staying = Client::new(&system, &learners[1]).await?;
    profile(&system, &leaving).await?;
    let (before, other) = (export(&leaving).await?, export(&staying).await?);
    ensure!(!before.contains(staying.user_id.as_str()), "an export contains another learner's id");
    ensure!(data_of(&system, &leaving.user_id).await?.len() >= 5, "the learner has less data than expected");

    delete(&leaving).await?;
    // After a restart the worker continues.
    let worker = Instance { service: Worker::Erasure.into(), copy: 0 };
    system.stack.kill(worker).await?;
    system.stack.restart(worker).await?;
    await_gone(&system, &leaving.user_id).await?;
    ensure!(
        refused(leaving.call(Method::GET, "/api/me").send().await?).await? == session_ended(),
        "the account exists again"
    );

    late_events(&system, &leaving.user_id).await?;
    await_gone(&system, &leaving.user_id).await?;
    ensure!(without_urls(&export(&staying).await?)? == without_urls(&other)?, "another learner lost data");
    system.check_no_dead_letters().await?;
    system.stop().await
}

/// The problem in each response to an account whose deletion was requested.
fn deleted() -> (StatusCode, String, String) {
    (StatusCode::FORBIDDEN, "account_deleted".to_owned(), String::new())
}

/// The problem in each response to a session that was deleted with its account.
fn session_ended() -> (StatusCode, String, String) {
    (StatusCode::UNAUTHORIZED, "session_ended".to_owned(), String::new())
}

/// A learner at the API.
struct Client {
    url: String,
    token: String,
    user_id: UserId,
    http: reqwest::Client,
}

impl Client {
    async fn new(system: &System, learner: &Learner) -> anyhow::Result<Self> {
        Ok(Self {
            url: system.stack.url().to_owned(),
            token: learner.access_token().await?,
            user_id: learner.user_id().clone(),
            http: http_client()?,
        })
    }

    fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    fn change(&self, tag: Option<&str>, change: &Value) -> reqwest::RequestBuilder {
        let call = self.call(Method::PATCH, "/api/me").json(change);
        match tag {
            Some(tag) => call.header("if-match", tag),
            None => call,
        }
    }
}

/// A missing record is created from the data of the user pool. A change requires the version that it is based on.
async fn profile(system: &System, learner: &Client) -> anyhow::Result<()> {
    let shown = learner.call(Method::GET, "/api/me").send().await?;
    let tag = shown.headers().get("etag").context("no ETag")?.to_str()?.to_owned();
    let me: Value = shown.error_for_status()?.json().await?;
    ensure!(me["name"] == "Local Learner" && me["roles"] == json!(["learner"]), "{me}");
    let wish = json!({ "level": "C1", "interests": ["tea", "  night   trains "], "timeZone": "Asia/Seoul" });
    let changed = learner.change(Some(&tag), &wish).send().await?;
    let changed: Value = changed.error_for_status()?.json().await?;
    ensure!(changed["level"] == "C1" && changed["interests"] == json!(["tea", "night trains"]), "{changed}");
    ensure!(changed["name"] == me["name"], "{changed}");
    // The first version is outdated.
    for (sent, expected) in [
        (learner.change(Some(&tag), &json!({ "name": "Other" })), (412, "profile_changed", "")),
        // A field that is invalid in every version is reported first.
        (learner.change(Some(&tag), &json!({ "timeZone": "" })), (422, "field_invalid", "timeZone")),
        (learner.change(None, &json!({ "name": "Other" })), (428, "if_match_missing", "")),
        (
            learner.change(Some("*"), &json!({ "timeZone": "Mars/Olympus" })),
            (422, "field_invalid", "timeZone"),
        ),
        (learner.change(Some("*"), &json!({ "email": "a@b.example" })), (422, "field_invalid", "email")),
        (learner.change(Some("*"), &json!({ "level": "D1" })), (422, "field_invalid", "level")),
    ] {
        let (status, code, field) = refused(sent.send().await?).await?;
        ensure!((status.as_u16(), code.as_str(), field.as_str()) == expected, "{status} {code} {field}");
    }
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&system.stack.cloud().root());
    let user = cognito.admin_get_user().user_pool_id(&system.stack.outputs().user_pool_id);
    let user = user.username(learner.user_id.as_str()).send().await?;
    let mirrored: BTreeSet<_> =
        user.user_attributes().iter().map(|attribute| (attribute.name(), attribute.value())).collect();
    ensure!(mirrored.contains(&("custom:learning_level", Some("C1"))), "{mirrored:?}");
    ensure!(mirrored.contains(&("custom:interests", Some("tea,night trains"))), "{mirrored:?}");
    Ok(())
}

/// The export fits its schema and is complete: each recording can be downloaded.
async fn export(learner: &Client) -> anyhow::Result<String> {
    let text = learner.call(Method::GET, "/api/me/export").send().await?.error_for_status()?.text().await?;
    let export: Value = serde_json::from_str(&text).context("the export is no JSON")?;
    let openapi = format!("{}/../schemas/api/openapi.json", env!("CARGO_MANIFEST_DIR"));
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(openapi)?)?;
    schema["$ref"] = json!("#/components/schemas/Export");
    let validator = jsonschema::validator_for(&schema)?;
    if let Err(error) = validator.validate(&export) {
        anyhow::bail!("the export does not fit its schema at {}: {error}", error.instance_path());
    }
    ensure!(export["account"]["userId"] == learner.user_id.as_str(), "it is another learner's");
    ensure!(export["progress"]["total"]["conversations"] == 1, "{}", export["progress"]);
    let [conversation] = export["conversations"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        anyhow::bail!("{} conversations", export["conversations"]);
    };
    let turns = conversation["turns"].as_array().context("no turns")?;
    ensure!(
        turns.len() == 5 && conversation["transcript"]["turns"][0]["turn"]["text"] == turns[0]["text"],
        "{turns:?}"
    );
    ensure!(conversation["assessment"]["assessment"]["overall"].is_u64(), "no assessment");
    let recordings = conversation["recordings"].as_array().context("no recordings")?;
    ensure!(recordings.len() == turns.len(), "{} recordings of {} turns", recordings.len(), turns.len());
    for recording in recordings {
        let url = recording["url"].as_str().context("no URL")?;
        let wav = learner.http.get(url).send().await?.error_for_status()?.bytes().await?;
        ensure!(wav.starts_with(b"RIFF"), "it is no WAV file");
    }
    Ok(text)
}

/// An export without the values that differ in each export.
fn without_urls(export: &str) -> anyhow::Result<Value> {
    let mut export: Value = serde_json::from_str(export)?;
    export["exportedAt"] = Value::Null;
    for conversation in export["conversations"].as_array_mut().into_iter().flatten() {
        for recording in conversation["recordings"].as_array_mut().into_iter().flatten() {
            recording["url"] = Value::Null;
        }
    }
    Ok(export)
}

/// An account is deleted only with the confirmation text, and cannot be used from then on.
async fn delete(learner: &Client) -> anyhow::Result<()> {
    let ask = |text: &str| learner.call(Method::DELETE, "/api/me").json(&json!({ "confirm": text })).send();
    let (status, code, field) = refused(ask("yes").await?).await?;
    ensure!(
        (status.as_u16(), code.as_str(), field.as_str()) == (422, "field_invalid", "confirm"),
        "{status}"
    );
    let first = ask("delete my account").await?;
    ensure!(first.status() == StatusCode::ACCEPTED, "{}", first.status());
    let first: Value = first.json().await?;
    let start = learner.call(Method::POST, "/api/conversations").json(&json!({ "imageId": "street-market" }));
    for sent in [
        learner.call(Method::GET, "/api/me"),
        learner.call(Method::GET, "/api/me/export"),
        learner.change(Some("*"), &json!({ "name": "Other" })),
        start,
    ] {
        let answer = refused(sent.send().await?).await?;
        ensure!(answer == deleted(), "{answer:?}");
    }
    // A repetition has the same response.
    let again: Value = ask("delete my account").await?.error_for_status()?.json().await?;
    ensure!(again == first, "{again} instead of {first}");
    Ok(())
}

/// Status, code and field of a problem.
async fn refused(answer: Response) -> anyhow::Result<(StatusCode, String, String)> {
    let status = answer.status();
    let problem: Value = answer.json().await.context("an error without a problem document")?;
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    Ok((status, text("code"), text("field")))
}

/// Waits until no data of a learner is stored.
async fn await_gone(system: &System, user_id: &UserId) -> anyhow::Result<()> {
    await_some("no data of the learner is stored", GONE_WITHIN, async || {
        let data = data_of(system, user_id).await?;
        Ok(if data.is_empty() { Ok(()) } else { Err(format!("{data:?}")) })
    })
    .await?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let mark = dynamodb.get_item().table_name(&system.stack.outputs().effects_table);
    let mark = mark.key("effectId", AttributeValue::S(erasure_effect(user_id))).send().await?;
    ensure!(mark.item.is_some(), "no mark prevents late events from storing data");
    Ok(())
}

/// All data of a learner in all stores.
async fn data_of(system: &System, user_id: &UserId) -> anyhow::Result<Vec<String>> {
    let (root, outputs) = (system.stack.cloud().root(), system.stack.outputs());
    let (dynamodb, s3) = (aws_sdk_dynamodb::Client::new(&root), system.stack.cloud().s3());
    let mut data = Vec::new();
    for (bucket, folder) in [
        (&outputs.logs_bucket, "transcripts"),
        (&outputs.logs_bucket, "analyses"),
        (&outputs.audio_bucket, "audio"),
    ] {
        let page =
            s3.list_object_versions().bucket(bucket).prefix(format!("{folder}/{user_id}/")).send().await?;
        data.extend(page.versions().iter().filter_map(|version| version.key().map(str::to_owned)));
        data.extend(page.delete_markers().iter().filter_map(|marker| marker.key().map(str::to_owned)));
    }
    // A scan finds every item that contains the id of the learner.
    for table in [&outputs.users_table, &outputs.conversations_table, &outputs.user_progress_table] {
        let mut pages = dynamodb.scan().table_name(table).consistent_read(true).into_paginator().send();
        while let Some(page) = pages.next().await {
            let items = page?.items.unwrap_or_default();
            let theirs = items.iter().filter(|item| format!("{item:?}").contains(user_id.as_str()));
            data.extend(theirs.map(|item| format!("{table}: {:?}", item.keys())));
        }
    }
    let journal = Journal::reader(dynamodb, &outputs.conversations_table);
    data.extend(journal.ids_of_learner(user_id, None).await?.conversations.iter().map(ToString::to_string));
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&root);
    let user = cognito.admin_get_user().user_pool_id(&outputs.user_pool_id).username(user_id.as_str());
    match user.send().await {
        Ok(_) => data.push("the user of the pool".to_owned()),
        Err(error)
            if error.as_service_error().is_some_and(AdminGetUserError::is_user_not_found_exception) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(data)
}

/// All events about the learner are delivered again. They have no effect.
async fn late_events(system: &System, user_id: &UserId) -> anyhow::Result<()> {
    let events = system.tap.drain().await?;
    tests::tap::check(&events)?;
    let theirs: Vec<&Value> =
        events.iter().filter(|event| event["detail"]["data"]["userId"] == user_id.as_str()).collect();
    let names: BTreeSet<_> = theirs.iter().filter_map(|event| event["detail-type"].as_str()).collect();
    for name in ["conversation.completed", "conversation.analyzed", "account.deletion_requested"] {
        ensure!(names.contains(name), "{name} is missing: {names:?}");
    }
    let bridge = aws_sdk_eventbridge::Client::new(&system.stack.cloud().root());
    for event in theirs {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&system.stack.outputs().bus_name)
            .source(event["source"].as_str().unwrap_or_default())
            .detail_type(event["detail-type"].as_str().unwrap_or_default())
            .detail(event["detail"].to_string())
            .build();
        bridge.put_events().entries(entry).send().await?;
    }
    let outputs = system.stack.outputs();
    let queues = [Worker::Transcript, Worker::Analysis, Worker::Progress];
    await_some("late events are handled", IGNORED_WITHIN, async || {
        let mut left = 0;
        for worker in queues {
            left += system.depth(&outputs.queue(worker)?.url).await?;
        }
        Ok(if left == 0 { Ok(()) } else { Err(format!("{left} messages")) })
    })
    .await
}
