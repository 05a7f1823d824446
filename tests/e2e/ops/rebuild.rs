//! The items about all learners are filled for a conversation that a build without them counted.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use events::{dynamo::Item, pipeline::names::OVERVIEW_COUNTED};
use serde_json::json;
use tests::system::{System, await_some};

use super::{Ops, WITHIN};

/// Sums that a build without the items did not count, and the places.
const ADDED_LATER: &str = "words, spokenWords, spokenMs, rankings";

type Progress = BTreeMap<(String, String), HashMap<String, u64>>;

pub(super) async fn check(system: &System, ops: &Ops) -> anyhow::Result<()> {
    let expected = progress(system).await?;
    let is_listed = |(partition, _): &&(String, String)| partition.starts_with("ranking#");
    ensure!(expected.keys().filter(is_listed).count() == 3, "{expected:?}");
    forget(system).await?;
    let forgotten = progress(system).await?;
    ensure!(forgotten.len() == 2, "a day and a total remain: {forgotten:?}");
    let (code, text) = ops.exit(&["rebuild"]).await?;
    ensure!(code == Some(3), "something is missing: {code:?} {text}");
    let report = ops.json(&["rebuild", "--apply"]).await?;
    ensure!(report["missing"] == json!(1) && report["applied"] == json!(true), "{report}");
    await_some("the items are filled", WITHIN, async || {
        let progress = progress(system).await?;
        Ok(if progress == expected { Ok(()) } else { Err(format!("{progress:?} instead of {expected:?}")) })
    })
    .await?;
    let (code, text) = ops.exit(&["rebuild", "--apply"]).await?;
    ensure!(code == Some(0) && text.contains("nothing is missing"), "{code:?} {text}");
    system.await_quiet(WITHIN).await
}

/// The numbers of UserProgress without the count of changes.
async fn progress(system: &System) -> anyhow::Result<Progress> {
    let mut progress = system.results.progress().await?;
    progress.values_mut().for_each(|numbers| _ = numbers.remove("revision"));
    Ok(progress)
}

/// Leaves the tables as an older build left them.
async fn forget(system: &System) -> anyhow::Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let outputs = system.stack.outputs();
    let text = |item: &Item, name: &str| -> anyhow::Result<String> {
        let value = item.get(name).and_then(|value| value.as_s().ok());
        value.cloned().with_context(|| format!("an item without {name}"))
    };
    let table = &outputs.user_progress_table;
    for item in dynamodb.scan().table_name(table).send().await?.items.unwrap_or_default() {
        let (partition, sort) = (text(&item, "userId")?, text(&item, "date")?);
        let key = events::pipeline::overview::key(&partition, &sort);
        if partition.contains('#') || sort.contains('#') {
            dynamodb.delete_item().table_name(table).set_key(Some(key)).send().await?;
        } else {
            let update = dynamodb.update_item().table_name(table).set_key(Some(key));
            update.update_expression(format!("REMOVE {ADDED_LATER}")).send().await?;
        }
    }
    let table = &outputs.effects_table;
    for item in dynamodb.scan().table_name(table).send().await?.items.unwrap_or_default() {
        let id = text(&item, "effectId")?;
        if id.starts_with("progress#") {
            let update = dynamodb.update_item().table_name(table).key("effectId", AttributeValue::S(id));
            update.update_expression(format!("REMOVE {OVERVIEW_COUNTED}")).send().await?;
        }
    }
    Ok(())
}
