//! Waits for what the workers make of a conversation and shows each result when it arrives.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use events::{
    contract::{ConversationId, Speaker, StoredAnalysis, Transcript, UserId},
    workers::Worker,
};
use infra::{
    learner::{Conversation, Line, Script},
    local::{RunFile, root_s3_client, root_sdk_config},
};
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::demo;
use crate::console::Console;

/// How long the work for a result may take, besides the wait for a message that a killed worker held.
const WORK_TIMEOUT: Duration = Duration::from_secs(90);

/// How often the stores are looked at.
const INTERVAL: Duration = Duration::from_millis(250);

/// Listens to the three alert topics through a queue of its own.
#[derive(Debug)]
pub(super) struct AlertTap {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    queue_url: String,
    subscriptions: Vec<String>,
}

/// An alert as subscribers get it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    severity: String,
    title: String,
    text: String,
    /// Not of alerts that are told together, nor of dead letters.
    conversation_id: Option<ConversationId>,
}

/// A conversation that was held, and the script that it followed.
pub(super) struct Spoken<'a> {
    pub(super) user_id: &'a UserId,
    pub(super) conversation: &'a Conversation,
    pub(super) script: &'a Script,
}

/// Shows the four results as they arrive. Returns whether all of them did.
pub(super) async fn show(run: &RunFile, spoken: &Spoken<'_>, tap: &AlertTap, console: &Console) -> bool {
    let Spoken { user_id, conversation, script } = *spoken;
    let id = conversation.conversation_id;
    let shown = tokio::join!(
        print_when_ready(console, run, "transcript", Box::pin(transcript(run, user_id, id, script))),
        print_when_ready(console, run, "analysis", Box::pin(assessment(run, user_id, id))),
        print_when_ready(console, run, "progress", Box::pin(progress(run, user_id))),
        print_when_ready(console, run, "alerts", Box::pin(tap.alert(id))),
    );
    shown.0 && shown.1 && shown.2 && shown.3
}

async fn print_when_ready(
    console: &Console,
    run: &RunFile,
    worker: &str,
    result: impl Future<Output = anyhow::Result<Vec<String>>>,
) -> bool {
    let since = Instant::now();
    let patience = patience();
    let result = tokio::time::timeout(patience, result).await;
    let result =
        result.unwrap_or_else(|_| Err(anyhow::anyhow!("nothing arrived within {} s", patience.as_secs())));
    match result {
        Ok(lines) => {
            console.line(&format!("✓ {worker} ({:.1} s after the end)", since.elapsed().as_secs_f64()));
            for line in lines {
                console.line(&format!("    {line}"));
            }
            true
        }
        Err(error) => {
            let log = run.state_dir.join(format!("{worker}.log"));
            console.line(&format!("✗ {worker}: {error:#}; its log is {}", log.display()));
            false
        }
    }
}

/// How long a result may take to arrive: a message that a killed worker held comes back after the visibility timeout of
/// its queue.
fn patience() -> Duration {
    let held = Worker::ALL.map(|worker| worker.spec().visibility_seconds).into_iter().max();
    WORK_TIMEOUT + Duration::from_secs(held.unwrap_or_default())
}

/// The transcript, which has to be what was said.
async fn transcript(
    run: &RunFile,
    user_id: &UserId,
    id: ConversationId,
    script: &Script,
) -> anyhow::Result<Vec<String>> {
    let key = format!("transcripts/{user_id}/{id}.json.gz");
    let transcript: Transcript = document(run, &key).await?;
    let said: Vec<&str> = script.lines.iter().filter_map(text).collect();
    let written = transcript.turns.iter().filter(|turn| turn.turn.speaker == Speaker::Learner);
    let written: Vec<&str> = written.map(|turn| turn.turn.text.as_str()).collect();
    ensure!(
        said.len() < script.lines.len() || said == written,
        "it differs from what was said: said {said:?}, written {written:?}"
    );
    let mut lines = vec![format!("s3://{}/{key}", run.outputs.logs_bucket)];
    lines.extend(transcript.turns.iter().map(|turn| demo::line(&turn.turn)));
    if said.len() == script.lines.len() {
        lines.push("word for word what was said, although nothing but audio was sent".to_owned());
    }
    Ok(lines)
}

fn text(line: &Line) -> Option<&str> {
    match line {
        Line::Text(text) => Some(text),
        Line::Recording(_) => None,
    }
}

async fn assessment(run: &RunFile, user_id: &UserId, id: ConversationId) -> anyhow::Result<Vec<String>> {
    let analysis: StoredAnalysis = document(run, &format!("analyses/{user_id}/{id}.json.gz")).await?;
    let it = &analysis.assessment;
    let skills = &it.skills;
    let by = if analysis.simulated { "a simulated model" } else { analysis.model_id.as_str() };
    let mut lines = vec![
        format!("overall {} of 100, CEFR {:?}, assessed by {by}", it.overall, it.cefr),
        format!(
            "fluency {}, vocabulary {}, grammar {}, relevance {}",
            skills.fluency.score, skills.vocabulary.score, skills.grammar.score, skills.relevance.score
        ),
        format!(
            "{} words, {} different ones, {:.0} words a minute",
            analysis.measures.words, analysis.measures.distinct_words, analysis.measures.words_per_minute
        ),
    ];
    if let Some(cost) = analysis.cost {
        let would = if analysis.simulated { "would have cost" } else { "cost" };
        lines.push(format!(
            "{} tokens in and {} out, which {would} ${:.4}",
            analysis.input_tokens,
            analysis.output_tokens,
            cost.usd_micros as f64 / 1e6
        ));
    }
    lines.extend(it.strengths.iter().map(|strength| format!("+ {strength}")));
    lines.extend(it.corrections.iter().map(|correction| {
        format!("\"{}\" → \"{}\": {}", correction.quote, correction.better, correction.why)
    }));
    lines.extend(it.recommendations.iter().map(|advice| format!("> {advice}")));
    lines.push(format!("next: {}", it.next_objective));
    Ok(lines)
}

/// The learner's day, once both the conversation and its assessment are in it.
async fn progress(run: &RunFile, user_id: &UserId) -> anyhow::Result<Vec<String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&root_sdk_config(&run.cloud_endpoint));
    loop {
        let found = dynamodb
            .query()
            .table_name(&run.outputs.user_progress_table)
            .key_condition_expression("userId = :user")
            .expression_attribute_values(":user", AttributeValue::S(user_id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .context("cannot read the progress table")?;
        // Days sort before the total, which is the last item.
        let (day, total) = (found.items().first(), found.items().last());
        let both = day.zip(total).filter(|(day, total)| {
            day.contains_key("conversations") && day.contains_key("scored") && total.contains_key("level")
        });
        if let Some((day, total)) = both {
            let attributes: BTreeMap<&String, String> =
                day.iter().filter_map(|(name, value)| Some((name, shown(value)?))).collect();
            let attributes = attributes.iter().filter(|(name, _)| name.as_str() != "userId");
            let mut lines: Vec<String> = attributes.map(|(name, value)| format!("{name}: {value}")).collect();
            lines.push(standing(total));
            return Ok(lines);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Where the learner stands over all days: streak, level and milestones.
fn standing(total: &HashMap<String, AttributeValue>) -> String {
    let of = |name: &str| total.get(name).and_then(shown).unwrap_or_default();
    let milestones: Vec<String> = serde_json::from_str(&of("milestones")).unwrap_or_default();
    format!(
        "in all: {} days in a row (longest {}), level {} ({}), milestones: {}",
        of("streakDays"),
        of("longestStreakDays"),
        of("level"),
        of("levelDirection"),
        milestones.join(", ")
    )
}

fn shown(value: &AttributeValue) -> Option<String> {
    value.as_n().or_else(|_| value.as_s()).ok().cloned()
}

/// A compressed JSON document, once it is there.
async fn document<T: serde::de::DeserializeOwned>(run: &RunFile, key: &str) -> anyhow::Result<T> {
    let s3 = root_s3_client(&run.cloud_endpoint);
    loop {
        let stored = events::document::get(&s3, &run.outputs.logs_bucket, key).await;
        if let Some(stored) = stored.context("cannot read the bucket of logs")? {
            return serde_json::from_slice(&stored.content).context("the document has another shape");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

impl AlertTap {
    /// Makes the queue and subscribes it. Alerts published from now on are heard.
    pub(super) async fn open(run: &RunFile) -> anyhow::Result<Self> {
        let sdk = root_sdk_config(&run.cloud_endpoint);
        let (sqs, sns) = (aws_sdk_sqs::Client::new(&sdk), aws_sdk_sns::Client::new(&sdk));
        let gone = "the local cloud does not answer; start the service again with `cargo run`";
        let name = format!("nova-demo-{}", Uuid::new_v4().simple());
        let queue_url = sqs.create_queue().queue_name(name).send().await.context(gone)?.queue_url;
        let queue_url = queue_url.context("a queue has a URL")?;
        let mut tap = Self { sqs, sns, queue_url, subscriptions: Vec::new() };
        match tap.subscribe(run).await {
            Ok(()) => Ok(tap),
            Err(error) => {
                // The first error is the one to tell.
                let _ = tap.close().await;
                Err(error)
            }
        }
    }

    async fn subscribe(&mut self, run: &RunFile) -> anyhow::Result<()> {
        let attributes = self.sqs.get_queue_attributes().queue_url(&self.queue_url);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = attributes.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let arn = arn.context("a queue has an ARN")?;
        let outputs = &run.outputs;
        let topics = [&outputs.critical_topic, &outputs.warning_topic, &outputs.info_topic];
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topics}},
        }]});
        let set = self.sqs.set_queue_attributes().queue_url(&self.queue_url);
        set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        for topic in topics {
            let subscribe = self.sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn);
            let subscription = subscribe.attributes("RawMessageDelivery", "true").send().await?;
            self.subscriptions.extend(subscription.subscription_arn);
        }
        Ok(())
    }

    /// Waits for an alert about the conversation.
    async fn alert(&self, id: ConversationId) -> anyhow::Result<Vec<String>> {
        loop {
            // Shorter than the patience: a poll that is given up would take a message with it.
            let received = self.sqs.receive_message().queue_url(&self.queue_url).wait_time_seconds(5);
            let received = received.max_number_of_messages(10).send().await.context("cannot hear alerts")?;
            let mut lines = Vec::new();
            for message in received.messages() {
                let Some(body) = message.body() else { bail!("an alert has no text") };
                let alert: Alert = serde_json::from_str(body).context("an alert has another shape")?;
                if alert.conversation_id == Some(id) {
                    lines.push(format!("{}: {} - {}", alert.severity, alert.title, alert.text));
                }
            }
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
    }

    /// Removes the subscriptions and the queue.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        for subscription in &self.subscriptions {
            self.sns
                .unsubscribe()
                .subscription_arn(subscription)
                .send()
                .await
                .context("cannot unsubscribe")?;
        }
        self.sqs.delete_queue().queue_url(&self.queue_url).send().await.context("cannot remove a queue")?;
        Ok(())
    }
}
