//! The actual state of a system of real processes, collected from the local cloud for the oracle (`expected`).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{contract::ConversationId, journal::Journal};

use crate::{
    expected::{Actual, DeadLetter, QueueContent},
    journalled::Acknowledged,
    system::System,
    tap,
};

/// Collects everything that was stored, sent and published, once the queues are empty. Returns also how many alerts about
/// dead letters were sent.
///
/// # Errors
/// A store cannot be read, an object was overwritten, or an event does not fit its schema.
pub async fn collect(
    system: &System,
    acknowledged: BTreeMap<ConversationId, Acknowledged>,
) -> anyhow::Result<(Actual, usize)> {
    let outputs = system.stack.outputs();
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let events = system.tap.drain().await?;
    tap::check(&events)?;
    let transcripts = system.results.transcripts().await.context("I6: transcripts")?;
    let reader = Journal::reader(dynamodb.clone(), &outputs.conversations_table);
    let mut journal = BTreeMap::new();
    for id in acknowledged.keys().chain(transcripts.keys()) {
        journal.extend(reader.load(*id).await?.map(|conversation| (*id, conversation)));
    }
    let (about_dead_letters, sent): (Vec<_>, Vec<_>) =
        system.inbox.drain().await?.into_iter().partition(|alert| alert.rule == "queue.dead-letters");
    let mut alerts = BTreeMap::new();
    for alert in sent {
        *alerts.entry(alert.id).or_default() += 1;
    }
    let urls = system.queues().iter().map(|(worker, queue)| (worker.name(), &queue.dead_letter_url));
    let mut queues = BTreeMap::new();
    for (name, url) in urls.chain([("events", &outputs.events_dead_letter_url)]) {
        let dead_letters = dead_letters(system, url).await?;
        queues.insert(name.to_owned(), QueueContent { dead_letters, ..QueueContent::default() });
    }
    let actual = Actual {
        acknowledged,
        journal,
        transcripts,
        analyses: system.results.analyses().await.context("I6: analyses")?,
        progress: system.results.progress().await?,
        events: events.into_iter().map(|mut event| event["detail"].take()).collect(),
        alerts,
        finished_alerts: finished_alerts(&dynamodb, &outputs.effects_table).await?,
        queues,
        deleted: BTreeSet::new(),
    };
    Ok((actual, about_dead_letters.len()))
}

async fn dead_letters(system: &System, url: &str) -> anyhow::Result<Vec<DeadLetter>> {
    let sqs = aws_sdk_sqs::Client::new(&system.stack.cloud().root());
    let mut letters = Vec::new();
    loop {
        let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let received = receive.message_attribute_names("All").send().await?.messages.unwrap_or_default();
        if received.is_empty() {
            return Ok(letters);
        }
        letters.extend(received.into_iter().map(|message| {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes.get("reason").and_then(|reason| reason.string_value.clone());
            DeadLetter { body: message.body.unwrap_or_default(), reason }
        }));
    }
}

async fn finished_alerts(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &str,
) -> anyhow::Result<BTreeSet<String>> {
    let scan = dynamodb
        .scan()
        .table_name(table)
        .consistent_read(true)
        .filter_expression("begins_with(effectId, :alert) AND #state = :finished")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":alert", AttributeValue::S("alert#".to_owned()))
        .expression_attribute_values(":finished", AttributeValue::S("finished".to_owned()));
    let mut finished = BTreeSet::new();
    let mut pages = scan.into_paginator().send();
    while let Some(page) = pages.next().await {
        for item in page?.items.unwrap_or_default() {
            let id = item.get("effectId").and_then(|id| id.as_s().ok()).context("an effect without an id")?;
            finished.extend(id.strip_prefix("alert#").map(str::to_owned));
        }
    }
    Ok(finished)
}
