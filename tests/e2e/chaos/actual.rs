//! The actual state after the chaos, collected from the local cloud and the call log of the proxy for the oracle.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{contract::ConversationId, journal::Journal, workers::Worker};
use tests::{
    expected::{self, Actual, DeadLetter, Planned, QueueContent},
    fault_proxy::CallLog,
    inbox::Alert,
    journalled::Acknowledgements,
    system::System,
    tap,
};

use super::plan::POISON;

/// Requests to the model about one conversation: each receive may send two, and be killed after them.
const MODEL_REQUESTS_MAX: usize = 8;

/// Numbers for the report.
#[derive(Debug)]
#[expect(dead_code, reason = "the report shows them")]
pub(crate) struct Numbers {
    conversations: usize,
    assessed: usize,
    events: usize,
    alerts: usize,
    sent_alerts: u32,
    dead_letters: usize,
    model_requests: usize,
    most_model_requests_about_one: usize,
}

/// Compares the state of `system` with the expected one. Returns all differences. `disturbances` is how often an alerts
/// worker was killed, stopped or frozen.
///
/// # Errors
/// Something cannot be read, or an object was written twice.
pub(crate) async fn compare(
    system: &System,
    acknowledgements: &Acknowledgements,
    call_log: &CallLog,
    disturbances: u32,
) -> anyhow::Result<(Vec<String>, Numbers)> {
    let mut found = Vec::new();
    let events = system.tap.drain().await?;
    if let Err(error) = tap::check(&events) {
        found.push(format!("I6: {error:#}"));
    }
    let (about_dead_letters, alerts): (Vec<Alert>, Vec<Alert>) =
        system.inbox.drain().await?.into_iter().partition(|alert| alert.rule == "queue.dead-letters");
    if about_dead_letters.is_empty() {
        found.push("I4: no alert about the dead letters was sent".to_owned());
    }
    let mut actual = collect(system, acknowledgements).await?;
    actual.events = events.into_iter().map(|mut event| event["detail"].take()).collect();
    for alert in alerts {
        *actual.alerts.entry(alert.id).or_default() += 1;
    }
    let mut most = 0;
    for id in actual.acknowledged.keys() {
        let requests = model_requests(call_log, *id);
        if requests > MODEL_REQUESTS_MAX {
            found.push(format!("I2: {requests} requests to the model about {id}"));
        }
        most = most.max(requests);
    }
    let ambiguous = call_log.ambiguous.get(Worker::Alerts.name()).copied().unwrap_or(0);
    let poison = POISON.map(|(worker, body)| (worker.name().to_owned(), body.to_owned()));
    let planned = Planned {
        poison: poison.to_vec(),
        parked: Vec::new(),
        repeated_alerts_max: ambiguous + disturbances,
    };
    found.extend(expected::compare(&actual, &planned));
    let numbers = Numbers {
        conversations: actual.acknowledged.len(),
        assessed: actual.analyses.len(),
        events: actual.events.len(),
        alerts: actual.alerts.len(),
        sent_alerts: actual.alerts.values().sum(),
        dead_letters: actual.queues.values().map(|queue| queue.dead_letters.len()).sum(),
        model_requests: call_log.questions.len(),
        most_model_requests_about_one: most,
    };
    Ok((found, numbers))
}

/// Everything that is stored. The queues are empty when the chaos test calls this, so they contribute dead letters only.
async fn collect(system: &System, acknowledgements: &Acknowledgements) -> anyhow::Result<Actual> {
    let outputs = system.stack.outputs();
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let reader = Journal::reader(dynamodb.clone(), &outputs.conversations_table);
    let acknowledged = acknowledgements.conversations();
    let mut journal = BTreeMap::new();
    for id in acknowledged.keys() {
        journal.extend(reader.load(*id).await?.map(|conversation| (*id, conversation)));
    }
    let dead_letter_urls =
        system.queues().iter().map(|(worker, queue)| (worker.name(), &queue.dead_letter_url));
    let mut queues = BTreeMap::new();
    for (name, url) in dead_letter_urls.chain([("events", &outputs.events_dead_letter_url)]) {
        let dead_letters = dead_letters(system, url).await?;
        queues.insert(name.to_owned(), QueueContent { dead_letters, ..QueueContent::default() });
    }
    Ok(Actual {
        acknowledged,
        journal,
        transcripts: system.results.transcripts().await.context("I6: transcripts")?,
        analyses: system.results.analyses().await.context("I6: analyses")?,
        progress: system.results.progress().await?,
        finished_alerts: finished_alerts(&dynamodb, &outputs.effects_table).await?,
        queues,
        ..Actual::default()
    })
}

/// How many requests to the model contain the words of the conversation `id`. Each turn begins with the id.
fn model_requests(call_log: &CallLog, id: ConversationId) -> usize {
    let id = id.to_string();
    let is_about = |body: &&bytes::Bytes| body.windows(id.len()).any(|words| words == id.as_bytes());
    call_log.questions.iter().filter(is_about).count()
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
