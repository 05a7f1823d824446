//! Waits for the results of a conversation and shows each when it arrives.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use events::{
    contract::{
        ConversationId, Direction, Level, Milestone, Speaker, StoredAnalysis, Streak, Transcript, Turn,
        UserId,
    },
    workers::Worker,
};
use infra::{
    client::{Learner, Line, Script},
    local::{RunFile, http_client, root_s3_client, root_sdk_config},
};
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::console::Console;

/// How long the work for a result may take, besides the wait for a message that a killed worker held.
const WORK_TIMEOUT: Duration = Duration::from_secs(90);

/// Time between two reads of a result that has not arrived.
const INTERVAL: Duration = Duration::from_millis(250);

/// A temporary queue that subscribes to the three alert topics.
#[derive(Debug)]
pub(super) struct AlertTap {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    queue_url: String,
    subscriptions: Vec<String>,
}

/// An alert as a subscriber receives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    severity: String,
    title: String,
    text: String,
    /// Absent in batches and in alerts about dead letters.
    conversation_id: Option<ConversationId>,
}

/// The conversation whose results are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken<'a> {
    pub(super) learner: &'a Learner,
    pub(super) id: ConversationId,
    pub(super) script: &'a Script,
}

/// Shows the four results as they arrive. Returns whether all of them did.
pub(super) async fn show(run: &RunFile, spoken: Spoken<'_>, tap: &AlertTap, console: &Console) -> bool {
    let Spoken { learner, id, script } = spoken;
    let user_id = learner.user_id();
    let shown = tokio::join!(
        print_when_ready(console, run, "transcript", Box::pin(transcript(run, user_id, id, script))),
        print_when_ready(console, run, "analysis", Box::pin(analysis(run, user_id, id, script))),
        print_when_ready(console, run, "progress", Box::pin(progress(run, learner))),
        print_when_ready(console, run, "alerts", Box::pin(tap.alert(id))),
    );
    shown.0 && shown.1 && shown.2 && shown.3
}

/// A turn as one line: start, speaker, text.
pub(super) fn turn_line(turn: &Turn) -> String {
    let speaker = match turn.speaker {
        Speaker::Learner => "learner",
        Speaker::Tutor => "tutor  ",
    };
    format!("{:6.1} s  {speaker}  {}", turn.start_ms as f64 / 1000.0, turn.text)
}

async fn print_when_ready(
    console: &Console,
    run: &RunFile,
    worker: &str,
    result: impl Future<Output = anyhow::Result<Vec<String>>>,
) -> bool {
    let since = Instant::now();
    let timeout = result_timeout();
    let result = tokio::time::timeout(timeout, result).await;
    let result =
        result.unwrap_or_else(|_| Err(anyhow::anyhow!("nothing arrived within {} s", timeout.as_secs())));
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
fn result_timeout() -> Duration {
    let held = Worker::ALL.map(|worker| worker.spec().visibility_seconds).into_iter().max();
    WORK_TIMEOUT + Duration::from_secs(held.unwrap_or_default())
}

/// The transcript, which must be what was said.
async fn transcript(
    run: &RunFile,
    user_id: &UserId,
    id: ConversationId,
    script: &Script,
) -> anyhow::Result<Vec<String>> {
    let key = format!("transcripts/{user_id}/{id}.json.gz");
    let transcript: Transcript = document(run, &key).await?;
    let said: Vec<&str> = script.lines.iter().filter_map(Line::text).collect();
    let written = transcript.turns.iter().filter(|turn| turn.turn.speaker == Speaker::Learner);
    let written: Vec<&str> = written.map(|turn| turn.turn.text.as_str()).collect();
    ensure!(
        said.len() < script.lines.len() || said == written,
        "it differs from what was said: said {said:?}, written {written:?}"
    );
    let mut lines = vec![format!("s3://{}/{key}", run.outputs.logs_bucket)];
    lines.extend(transcript.turns.iter().map(|turn| turn_line(&turn.turn)));
    if said.len() == script.lines.len() {
        lines.push("word for word what was said; only audio was sent".to_owned());
    }
    Ok(lines)
}

async fn analysis(
    run: &RunFile,
    user_id: &UserId,
    id: ConversationId,
    script: &Script,
) -> anyhow::Result<Vec<String>> {
    let analysis: StoredAnalysis = document(run, &format!("analyses/{user_id}/{id}.json.gz")).await?;
    let is_speech = script.lines.iter().any(|line| line.text().is_none());
    Ok(analysis_lines(&analysis, is_speech))
}

/// An analysis for a reader. `is_speech` says that a person spoke, and not audible text.
fn analysis_lines(analysis: &StoredAnalysis, is_speech: bool) -> Vec<String> {
    let StoredAnalysis { assessment, measures, .. } = analysis;
    let skills = &assessment.skills;
    let model = if analysis.simulated { "a simulated model" } else { analysis.model_id.as_str() };
    let voice = if is_speech { "" } else { " of audible text, whose tones are faster than a person" };
    let mut lines = vec![
        format!("overall {} of 100, CEFR {:?}, assessed by {model}", assessment.overall, assessment.cefr),
        format!(
            "fluency {}, vocabulary {}, grammar {}, relevance {}",
            skills.fluency.score, skills.vocabulary.score, skills.grammar.score, skills.relevance.score
        ),
        format!("{} words, {} different ones", measures.words, measures.distinct_words),
        format!("{:.0} words per minute{voice}", measures.words_per_minute),
    ];
    if let Some(cost) = analysis.cost {
        let would = if analysis.simulated { "would have cost" } else { "cost" };
        lines.push(format!(
            "{} input and {} output tokens, which {would} ${:.4}",
            analysis.input_tokens,
            analysis.output_tokens,
            cost.usd_micros as f64 / 1e6
        ));
    }
    lines.extend(assessment.strengths.iter().map(|strength| format!("+ {strength}")));
    lines.extend(assessment.corrections.iter().map(|correction| {
        format!("\"{}\" → \"{}\": {}", correction.quote, correction.better, correction.why)
    }));
    lines.extend(assessment.recommendations.iter().map(|advice| format!("> {advice}")));
    lines.push(format!("next: {}", assessment.next_objective));
    lines
}

/// The learner's progress as the API returns it, once it contains the conversation and its assessment.
async fn progress(run: &RunFile, learner: &Learner) -> anyhow::Result<Vec<String>> {
    let http = http_client()?;
    loop {
        let get = http.get(format!("{}/api/progress", run.url)).bearer_auth(learner.access_token().await?);
        let response = get.send().await.and_then(reqwest::Response::error_for_status);
        let progress = response.context("cannot read the progress")?.json::<Progress>();
        let progress = progress.await.context("the progress is unreadable")?;
        if progress.total.scored > 0 && progress.total.conversations > 0 {
            return Ok(progress.lines());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The response of `GET /api/progress`, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Progress {
    days: Vec<Day>,
    total: Total,
}

#[derive(Debug, Deserialize)]
struct Day {
    date: String,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    conversations: u64,
    turns: u64,
    learner_speech_ms: u64,
    duration_ms: u64,
    scores: Option<BTreeMap<String, f64>>,
    levels: BTreeMap<Level, u64>,
}

#[derive(Debug, Deserialize)]
struct Total {
    conversations: u64,
    scored: u64,
    streak: Streak,
    trend: Option<Trend>,
    milestones: Vec<Milestone>,
}

#[derive(Debug, Deserialize)]
struct Trend {
    level: Level,
    direction: Direction,
}

impl Progress {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Day { date, sums } in &self.days {
            let seconds = |ms: u64| ms as f64 / 1000.0;
            lines.push(format!(
                "{date}: {} with {} turns and {:.1} s of the learner's speech in {:.1} s",
                counted(sums.conversations, "conversation"),
                sums.turns,
                seconds(sums.learner_speech_ms),
                seconds(sums.duration_ms)
            ));
            let scores = sums.scores.iter().flatten();
            let scores: Vec<String> = scores.map(|(skill, score)| format!("{skill} {score}")).collect();
            lines.extend((!scores.is_empty()).then(|| format!("mean scores: {}", scores.join(", "))));
            lines.extend(
                sums.levels
                    .iter()
                    .map(|(level, count)| format!("CEFR {level:?}: {}", counted(*count, "conversation"))),
            );
        }
        let Total { streak, trend, milestones, .. } = &self.total;
        lines.push(format!(
            "{} in a row, {} at most",
            counted(streak.current_days.into(), "day"),
            counted(streak.longest_days.into(), "day")
        ));
        lines.extend(trend.as_ref().map(|trend| {
            let direction = match trend.direction {
                Direction::Rising => "rising",
                Direction::Steady => "steady",
                Direction::Falling => "falling",
            };
            format!("level {:?}, {direction}", trend.level)
        }));
        let milestones: Vec<&str> = milestones.iter().copied().map(milestone).collect();
        lines.extend((!milestones.is_empty()).then(|| format!("milestones: {}", milestones.join(", "))));
        lines
    }
}

fn counted(count: u64, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn milestone(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::FirstConversation => "first conversation",
        Milestone::TenConversations => "10 conversations",
        Milestone::HundredConversations => "100 conversations",
        Milestone::StreakSevenDays => "7 days in a row",
        Milestone::StreakThirtyDays => "30 days in a row",
        Milestone::HourSpoken => "1 hour of speech",
        Milestone::TenHoursSpoken => "10 hours of speech",
        Milestone::HundredHoursSpoken => "100 hours of speech",
        Milestone::LevelA2 => "level A2",
        Milestone::LevelB1 => "level B1",
        Milestone::LevelB2 => "level B2",
        Milestone::LevelC1 => "level C1",
        Milestone::LevelC2 => "level C2",
    }
}

/// A compressed JSON document, once it is stored.
async fn document<T: serde::de::DeserializeOwned>(run: &RunFile, key: &str) -> anyhow::Result<T> {
    let s3 = root_s3_client(&run.cloud_endpoint);
    loop {
        let stored = events::document::get(&s3, &run.outputs.logs_bucket, key).await;
        if let Some(stored) = stored.context("cannot read the bucket of documents")? {
            return serde_json::from_slice(&stored.content).context("the document is unreadable");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

impl AlertTap {
    /// Creates the queue and subscribes it. It receives the alerts that are published from now on.
    pub(super) async fn open(run: &RunFile) -> anyhow::Result<Self> {
        let sdk = root_sdk_config(&run.cloud_endpoint);
        let (sqs, sns) = (aws_sdk_sqs::Client::new(&sdk), aws_sdk_sns::Client::new(&sdk));
        let unavailable = "the local cloud does not respond; start the service again with `cargo run`";
        let name = format!("nova-demo-{}", Uuid::new_v4().simple());
        let queue_url = sqs.create_queue().queue_name(name).send().await.context(unavailable)?.queue_url;
        let queue_url = queue_url.context("a queue has a URL")?;
        let mut tap = Self { sqs, sns, queue_url, subscriptions: Vec::new() };
        match tap.subscribe(run).await {
            Ok(()) => Ok(tap),
            Err(error) => {
                // The first error is the cause.
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
            // Shorter than the timeout: a cancelled poll could lose a message.
            let received = self.sqs.receive_message().queue_url(&self.queue_url).wait_time_seconds(5);
            let received =
                received.max_number_of_messages(10).send().await.context("cannot receive alerts")?;
            let mut lines = Vec::new();
            for message in received.messages() {
                let Some(body) = message.body() else { bail!("an alert has no body") };
                let alert: Alert = serde_json::from_str(body).context("an alert is unreadable")?;
                if alert.conversation_id == Some(id) {
                    lines.push(format!("{}: {} - {}", alert.severity, alert.title, alert.text));
                }
            }
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
    }

    /// Deletes the subscriptions and the queue.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        for subscription in &self.subscriptions {
            self.sns
                .unsubscribe()
                .subscription_arn(subscription)
                .send()
                .await
                .context("cannot unsubscribe")?;
        }
        self.sqs.delete_queue().queue_url(&self.queue_url).send().await.context("cannot delete the queue")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// All keys of the objects in `value`.
    fn keys(value: &Value) -> Vec<&str> {
        let object = value.as_object().into_iter().flatten();
        let inner = value.as_array().into_iter().flatten().flat_map(keys);
        object
            .flat_map(|(key, value)| std::iter::once(key.as_str()).chain(keys(value)))
            .chain(inner)
            .collect()
    }

    #[test]
    fn rate_of_words_says_whether_a_person_spoke() {
        let example = include_str!("../../../schemas/example/stored-analysis.json");
        let analysis: StoredAnalysis = serde_json::from_str(example).unwrap();
        let rate = |is_speech| {
            let lines = analysis_lines(&analysis, is_speech);
            lines.into_iter().find(|line| line.contains("words per minute")).unwrap()
        };
        assert!(rate(true).ends_with("words per minute"), "{}", rate(true));
        assert!(
            rate(false).contains("of audible text, whose tones are faster than a person"),
            "{}",
            rate(false)
        );
    }

    #[test]
    fn progress_lines_have_labels_and_no_attribute_name() {
        let sums = json!({
            "conversations": 1, "turns": 9, "learnerSpeechMs": 14_200, "durationMs": 31_000, "scored": 1,
            "scores": { "overall": 70.5, "fluency": 70.0 }, "levels": { "B2": 1 },
        });
        let mut response = json!({ "from": "2026-11-01", "to": "2026-11-28", "days": [sums], "total": sums });
        response["days"][0]["date"] = json!("2026-11-28");
        response["total"]["streak"] = json!({ "currentDays": 1, "longestDays": 2, "lastDay": "2026-11-28" });
        response["total"]["trend"] = json!({ "level": "B2", "direction": "steady" });
        response["total"]["milestones"] = serde_json::to_value(Milestone::ALL).unwrap();
        let lines = serde_json::from_value::<Progress>(response.clone()).unwrap().lines();
        let expected = [
            "2026-11-28: 1 conversation with 9 turns and 14.2 s of the learner's speech in 31.0 s",
            "mean scores: fluency 70, overall 70.5",
            "CEFR B2: 1 conversation",
            "1 day in a row, 2 days at most",
            "level B2, steady",
        ];
        assert_eq!(lines[..5], expected);
        let text = lines.concat();
        // Names of one lower-case word are words of the text, too.
        let names =
            keys(&response).into_iter().filter(|key| key.contains(char::is_uppercase) && key.len() > 2);
        let names: Vec<&str> = names.collect();
        assert!(names.contains(&"learnerSpeechMs") && names.contains(&"longestDays"), "{names:?}");
        for name in names {
            assert!(!text.contains(name), "{name} is in {text:?}");
        }
        assert!(!text.contains('_') && !text.contains("cefr"), "{text:?}");
    }
}
