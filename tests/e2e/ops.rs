//! The operator's commands as processes, and the audit whose alerts call for them.

mod accounts;
mod rebuild;

use events::workers::Worker;
use std::{
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::ConversationId,
    dynamo::Item,
    journal::{Journal, JournalReader},
};
use futures_util::future::try_join;
use infra::local::{Binaries, Instance, Service};
use serde_json::{Value, json};
use tests::system::{Delivery, System, await_some};
use tokio::process::Command;

use crate::{beside_others, conversations};

/// The longest time for an effect without a planned delay.
const WITHIN: Duration = Duration::from_secs(60);

/// A message that no worker can read. It stands for the words of a learner.
const POISON: &str = "words that nobody should read";

#[tokio::test(flavor = "multi_thread")]
async fn stopped_conversation_is_reported_once_and_dead_letters_are_put_right() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start_with("ops", Delivery::Once, |options| {
        for (name, value) in [
            ("NOVA_WATCH_DELAY_SECONDS", "2"),
            ("NOVA_AUDIT_COMPLETE_SECONDS", "12"),
            ("NOVA_AUDIT_STAGE_SECONDS", "6"),
            ("NOVA_AUDIT_LATE_DELAY_SECONDS", "2"),
        ] {
            options.environment.push((Worker::Watchdog.into(), name.to_owned(), value.to_owned()));
        }
        let delay = ("NOVA_WATCH_DELAY_SECONDS".to_owned(), "2".to_owned());
        options.environment.push((Service::Ingress, delay.0, delay.1));
    })
    .await?;
    let ops = Ops::of(&system)?;
    let id = audit(&system, &ops).await?;
    reads_are_recorded(&system, &ops, id).await?;
    rebuild::check(&system, &ops).await?;
    ages(&system, &ops).await?;
    dead_letters(&system, &ops, id).await?;
    replay(&system, &ops, id).await?;
    accounts::check(&system, &ops).await?;
    limit(&ops).await?;
    system.stop().await
}

/// The spending limit of the day is shown, and changed with `--apply` only.
async fn limit(ops: &Ops) -> anyhow::Result<()> {
    let before = ops.json(&["limit"]).await?;
    ensure!(before["isSet"] == false && before["limitUsdMicros"] == 100_000_000, "{before}");
    ensure!(
        before["spentUsdMicros"].as_u64() > Some(0),
        "the conversation and its assessment cost nothing: {before}"
    );
    let planned = ops.json(&["limit", "--set", "12.50"]).await?;
    ensure!(planned["isSet"] == false, "{planned}");
    let applied = ops.json(&["limit", "--set", "12.50", "--apply"]).await?;
    ensure!(applied["isSet"] == true && applied["limitUsdMicros"] == 12_500_000, "{applied}");
    ops.run(&["limit", "--set", "much", "--apply"], false).await?;
    Ok(())
}

/// Each look at a conversation left a record of who looked at whose data, without the data.
async fn reads_are_recorded(system: &System, ops: &Ops, id: ConversationId) -> anyhow::Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let table = &system.stack.outputs().effects_table;
    let scan = dynamodb.scan().table_name(table).filter_expression("begins_with(effectId, :audit)");
    let scan = scan.expression_attribute_values(":audit", AttributeValue::S("audit#".to_owned()));
    let items = scan.send().await?.items.unwrap_or_default();
    let owner = ops.journal.header(id).await?.context("the conversation")?.start.user_id;
    let is_right = |item: &Item| {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let (who, what, whose) = (text("who"), text("what"), text("whose"));
        who.is_some_and(|who| who.contains("OpsRole"))
            && (what.as_deref(), whose.as_deref()) == (Some("ops conversation"), Some(owner.as_str()))
    };
    ensure!(items.iter().any(is_right), "{items:?}");
    Ok(())
}

/// One worker is stopped: the conversation is reported once, at its stage, and continues when the worker runs again.
async fn audit(system: &System, ops: &Ops) -> anyhow::Result<ConversationId> {
    let transcript = Instance { service: Worker::Transcript.into(), copy: 0 };
    let learners = conversations::learners(system, 1).await?;
    // It is stopped, not killed: it returns a message that its last poll received.
    let (finished, _) =
        try_join(conversations::converse_at_once(&learners), system.stack.terminate(transcript)).await?;
    let id = finished[0].conversation.conversation_id;
    let mut alerts = Vec::new();
    await_some("the conversation is reported", WITHIN, async || {
        alerts.extend(system.inbox.drain().await?);
        let reported = alerts.iter().any(|alert| alert.rule == "conversation.stalled");
        Ok(if reported { Ok(()) } else { Err(format!("{} other alerts", alerts.len())) })
    })
    .await?;
    let seen = ops.json(&["conversation", &id.to_string()]).await?;
    let status = |seen: &Value, stage: &str| {
        let stages = seen["stages"].as_array().into_iter().flatten();
        stages.clone().find(|step| step["stage"] == stage).map(|step| step["status"].clone())
    };
    ensure!(status(&seen, "transcript") == Some(json!("missing")), "{seen:#}");
    ensure!(status(&seen, "published") == Some(json!("passed")), "{seen:#}");

    system.stack.restart(transcript).await?;
    conversations::check_results(system, &finished).await?;
    // The watchdog deletes its message only when every stage is complete.
    system.await_quiet(WITHIN).await?;
    let seen = ops.json(&["conversation", &id.to_string()]).await?;
    ensure!(seen["state"] == "complete" && seen.get("turns").is_none(), "{seen:#}");
    ensure!(status(&seen, "transcript") == Some(json!("passed")), "{seen:#}");
    let words = ops.json(&["conversation", &id.to_string(), "--show-words"]).await?;
    ensure!(words["turns"].as_array().is_some_and(|turns| turns.len() == 5), "{words:#}");
    alerts.extend(system.inbox.drain().await?);
    let stalled: Vec<_> = alerts.iter().filter(|alert| alert.rule == "conversation.stalled").collect();
    ensure!(stalled.len() == 1 && stalled[0].severity == "critical", "{stalled:?}");
    ensure!(stalled[0].message.contains("its transcript is not stored"), "{stalled:?}");
    Ok(id)
}

/// The local cloud measures no queue, so the test writes the metric that SQS writes to CloudWatch.
async fn ages(system: &System, ops: &Ops) -> anyhow::Result<()> {
    const AGE: u64 = 61;
    let metric = json!({ "Namespace": "AWS/SQS", "MetricData": [{
        "MetricName": "ApproximateAgeOfOldestMessage", "Value": AGE,
        // The query does not include the current second.
        "Timestamp": jiff::Timestamp::now().as_second() - 60,
        "Dimensions": [{ "Name": "QueueName", "Value": "nova-transcript" }],
    }]});
    let put = infra::local::http_client()?
        .post(system.stack.cloud().endpoint())
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "GraniteServiceVersion20100801.PutMetricData")
        // The local cloud does not verify the signature of its root key.
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
        .body(metric.to_string());
    put.send().await?.error_for_status()?;
    let queues = ops.json(&["queues"]).await?;
    let rows = queues.as_array().context("no list of queues")?;
    let age = |row: &Value| row["oldestAgeSeconds"].as_u64();
    let known: Vec<_> = rows.iter().filter(|row| age(row).is_some()).collect();
    ensure!(known.len() == 1 && known[0]["queue"] == "transcript" && age(known[0]) == Some(AGE), "{queues}");
    Ok(())
}

/// An unreadable message, a rejected one and one of a newer version: each is explained and treated as it should be.
async fn dead_letters(system: &System, ops: &Ops, id: ConversationId) -> anyhow::Result<()> {
    let queue = system.stack.outputs().queue(Worker::Transcript)?;
    let completed = ops.completed(id).await?;
    let unknown = completed.replace(&id.to_string(), UNKNOWN_CONVERSATION);
    ops.send(&queue.url, POISON).await?;
    ops.send(&queue.url, &unknown).await?;
    ops.await_dead(2).await?;
    // As SQS moves a message that it gives up, and as a worker that dies after it has copied a rejected message.
    let mut newer: Value = serde_json::from_str(&completed)?;
    newer["version"] = json!("2.0");
    ops.send(&queue.dead_letter_url, &newer.to_string()).await?;
    ops.send(&queue.dead_letter_url, &unknown).await?;
    ops.await_dead(4).await?;

    let peeked = ops.run(&["dlq", "peek", "transcript", "--json"], true).await?;
    let explained = ops.run(&["dlq", "explain", "transcript"], true).await?;
    for expected in
        ["rejected by the worker transcript", "\"2.0\"", "no message of this service", UNKNOWN_CONVERSATION]
    {
        ensure!(explained.contains(expected), "{expected} is not explained: {explained}");
    }
    let folder = tempfile::tempdir()?;
    let (file, whole) = (folder.path().join("letters"), folder.path().join("whole"));
    let (file, whole) = (file.to_str().context("a path")?, whole.to_str().context("a path")?);
    ops.run(&["dlq", "export", "transcript", "--to", file], true).await?;
    ops.run(&["dlq", "export", "transcript", "--to", file], false).await?;
    ops.run(&["dlq", "export", "transcript", "--to", whole, "--show-words"], true).await?;
    let (saved, whole) = (std::fs::read_to_string(file)?, std::fs::read_to_string(whole)?);
    ensure!(saved.lines().count() == 4 && whole.contains(POISON), "{saved}{whole}");
    for shown in [&peeked, &explained, &saved] {
        ensure!(!shown.contains(POISON), "it shows the content: {shown}");
    }

    // A dry run moves nothing. Copies count once. An unreadable message stays.
    let dry = ops.json(&["dlq", "redrive", "transcript"]).await?;
    let expected = json!({"applied": false, "letters": 4, "sent": 2, "deleted": 3, "left": 1});
    ensure!(dry == expected, "{dry}");
    ensure!(ops.dead("transcript").await? == 4, "a dry run changed something");
    let letters: Vec<Value> = serde_json::from_str(&peeked)?;
    let rejected = letters
        .iter()
        .find(|letter| letter["conversationId"] == UNKNOWN_CONVERSATION && letter["reason"].is_string());
    let message = rejected.and_then(|letter| letter["messageId"].as_str()).context("no rejected letter")?;
    let sent = ops.json(&["dlq", "redrive", "transcript", "--message", message, "--apply"]).await?;
    ensure!((&sent["sent"], &sent["deleted"]) == (&json!(1), &json!(1)), "{sent}");
    // Its conversation is still unknown, so it is rejected again.
    ops.await_dead(4).await?;

    let dry = ops.json(&["dlq", "drop", "transcript"]).await?;
    ensure!(dry["applied"] == false && ops.dead("transcript").await? == 4, "{dry}");
    ops.run(&["dlq", "drop", "transcript", "--apply"], false).await?;
    let dropped = ops.json(&["dlq", "drop", "transcript", "--apply", "--yes"]).await?;
    ensure!(dropped["deleted"] == 4 && ops.dead("transcript").await? == 0, "{dropped}");
    Ok(())
}

/// A replay of a conversation from the journal, from dead letters and from its stored transcript changes no result.
async fn replay(system: &System, ops: &Ops, id: ConversationId) -> anyhow::Result<()> {
    let before = (system.results.transcripts().await?, system.results.analyses().await?);
    let progress = system.results.progress().await?;
    let learner = before.0[&id].user_id.to_string();
    system.tap.drain().await?;
    let id_text = id.to_string();
    let dry = ops.json(&["replay", &id_text]).await?;
    ensure!(dry["source"] == "journal" && dry["applied"] == false, "{dry}");
    ensure!(system.tap.drain().await?.is_empty(), "a dry run published something");
    ops.json(&["replay", &id_text, "--apply"]).await?;
    system.await_quiet(WITHIN).await?;

    let queue = system.stack.outputs().queue(Worker::Progress)?;
    let completed = ops.completed(id).await?;
    for _ in 0..2 {
        ops.send(&queue.dead_letter_url, &completed).await?;
    }
    let sent = ops.json(&["dlq", "redrive", "progress", "--apply"]).await?;
    ensure!((&sent["sent"], &sent["deleted"], &sent["left"]) == (&json!(1), &json!(2), &json!(0)), "{sent}");
    system.await_quiet(WITHIN).await?;

    check_told_again(system).await?;

    forget(system, id).await?;
    ops.run(&["conversation", &id_text], false).await?;
    ops.run(&["replay", &id_text, "--apply"], false).await?;
    let replayed = ops.json(&["replay", &id_text, "--user", &learner, "--apply"]).await?;
    ensure!(replayed["source"] == "transcript", "{replayed}");
    system.await_quiet(WITHIN).await?;

    // The transcript does not contain the trace, so the new events have another one.
    check_told_again(system).await?;
    ensure!(before == (system.results.transcripts().await?, system.results.analyses().await?), "rewritten");
    ensure!(progress == system.results.progress().await?, "counted again");
    let again = system.inbox.drain().await?;
    ensure!(again.is_empty(), "alerts were sent again: {again:?}");
    Ok(())
}

/// Each event of the conversation is published once more.
async fn check_told_again(system: &System) -> anyhow::Result<()> {
    let published = tests::tap::check(&system.tap.drain().await?)?;
    for name in ["conversation.completed", "transcript.stored", "conversation.analyzed"] {
        ensure!(published.get(name) == Some(&1), "{name}: {published:?}");
    }
    Ok(())
}

/// The id of a conversation that does not exist.
const UNKNOWN_CONVERSATION: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Deletes the conversation from the journal, as DynamoDB does at the end of its retention.
async fn forget(system: &System, id: ConversationId) -> anyhow::Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let table = &system.stack.outputs().conversations_table;
    let items = dynamodb
        .query()
        .table_name(table)
        .key_condition_expression("sessionId = :id")
        .expression_attribute_values(":id", AttributeValue::S(id.to_string()))
        .send()
        .await?;
    for item in items.items() {
        let key = ["sessionId", "timestamp"].map(|name| (name.to_owned(), item[name].clone()));
        dynamodb.delete_item().table_name(table).set_key(Some(key.into())).send().await?;
    }
    Ok(())
}

/// The operator: the binary, pointed at the system by its run file.
pub(crate) struct Ops {
    nova: PathBuf,
    run_file: PathBuf,
    _folder: tempfile::TempDir,
    sqs: aws_sdk_sqs::Client,
    journal: JournalReader,
}

impl Ops {
    pub(crate) fn of(system: &System) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let run_file = folder.path().join("run.json");
        system.stack.run_file(folder.path().to_owned())?.write(&run_file)?;
        let root = system.stack.cloud().root();
        let table = &system.stack.outputs().conversations_table;
        Ok(Self {
            nova: Binaries::beside_this_one()?.path("nova"),
            run_file,
            _folder: folder,
            sqs: aws_sdk_sqs::Client::new(&root),
            journal: Journal::reader(aws_sdk_dynamodb::Client::new(&root), table),
        })
    }

    /// Runs `nova ops`; returns what it says on standard output.
    pub(crate) async fn run(&self, arguments: &[&str], succeeds: bool) -> anyhow::Result<String> {
        let output = self.output(arguments).await?;
        let (out, error) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success() == succeeds, "{arguments:?}: {}: {out}{error}", output.status);
        ensure!(succeeds || !error.is_empty(), "{arguments:?} fails without an error text");
        Ok(out)
    }

    /// Runs `nova ops`; returns its exit code and what it prints on standard output.
    pub(crate) async fn exit(&self, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        let output = self.output(arguments).await?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    }

    async fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let run_file: &Path = &self.run_file;
        let mut command = Command::new(&self.nova);
        Ok(command.arg("ops").arg("--run-file").arg(run_file).args(arguments).output().await?)
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let out = self.run(&[arguments, &["--json"]].concat(), true).await?;
        serde_json::from_str(&out).with_context(|| format!("{arguments:?} prints no JSON: {out}"))
    }

    /// The dead letters of `queue`.
    async fn dead(&self, queue: &str) -> anyhow::Result<u64> {
        let queues = self.json(&["queues"]).await?;
        let row = queues.as_array().into_iter().flatten().find(|row| row["queue"] == queue);
        row.and_then(|row| row["deadLetters"].as_u64()).context("a queue is not listed")
    }

    /// Waits for `count` dead letters of the transcript worker.
    async fn await_dead(&self, count: u64) -> anyhow::Result<()> {
        await_some("the dead letters have arrived", WITHIN, async || {
            let dead = self.dead("transcript").await?;
            Ok(if dead == count { Ok(()) } else { Err(format!("{dead} of {count}")) })
        })
        .await
    }

    /// The `conversation.completed` of a conversation.
    async fn completed(&self, id: ConversationId) -> anyhow::Result<String> {
        let header = self.journal.header(id).await?.context("the journal knows the conversation")?;
        Ok(header.completed().context("the conversation has ended")?.encode())
    }

    async fn send(&self, url: &str, body: &str) -> anyhow::Result<()> {
        self.sqs.send_message().queue_url(url).message_body(body).send().await?;
        Ok(())
    }
}
