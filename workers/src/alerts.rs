//! Sends alerts through three SNS topics: critical, warning, info.
//!
//! - Consumes `conversation.completed`, `conversation.analyzed`, `analysis.failed`, `progress.updated` and
//!   `conversation.stalled`, and checks the dead-letter queues once a minute. Each processed event is recorded in the item
//!   `alerts#<conversationId>` of the Effects table.
//! - Effect: one SNS message for each alert that `rules` raises for the event, or one for a batch (see `policy`). An alert
//!   in a storm is delayed by at most one window (`NOVA_ALERTS_STORM_SECONDS`), one in the quiet hours until their end;
//!   without failures both are sent within seconds after that.
//! - Idempotent because an alert's id depends on the event and the rule alone. Its item `alert#<id>` in the Effects table
//!   is claimed before the message is sent and finished afterwards; a finished alert is not sent again. A batched alert is
//!   in the table (`batches`) before its event's message is deleted. The message of the first batched event is the timer: it
//!   stays in the queue and is received again when the batch is due, by any process.
//!
//! A `conversation.completed` that the journal does not confirm is rejected (see `confirmed`); one of a learner whose data is erased
//! raises nothing.
//! The item of a sent alert has a record for operators (`events::alert`), who list the alerts of the last 30 days.
//!
//! Exactly-once e-mail does not exist. If a worker dies after SNS accepted the message and before the alert was finished,
//! the next attempt sends it again with the same `alertId`: a subscriber that must not see repetitions keeps the ids.
//!
//! A message has the attributes `alertId`, `severity`, `rule` and, if it is about one, `conversationId`, for filters.
//! E-mail subscribers get the readable text, all others get JSON: `{alertId, rule, severity, title, text, eventId,
//! conversationId, userId, occurredAt}`, for a batch `{alertId, rule, severity, title, text, count, alerts}`, for dead
//! letters `{…, queue, count, kind, occurredAt}`, where `kind` is null for an alert to their number.

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use clap::Parser;
use events::{
    contract::{ConversationId, Envelope},
    journal::Journal,
    pipeline::names::alerts_effect,
    queues,
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        dead_letter_kind::kinds_item,
        env,
        failure::Failure,
    },
};
use serde_json::json;

use crate::{
    confirmed::Confirmation,
    effects::{Claim, Effects},
    startup_check,
};
use batches::{BatchStore, BatchedAlert, Placement, sent_item_id};
use dead_letters::{CHECK_INTERVAL, DeadLetters};
use message::Message;
use policy::{Policy, QuietHours};
use rules::{Alert, Severity};

mod batches;
mod dead_letters;
mod message;
mod policy;
mod rules;

/// The configuration of the alerts worker.
#[derive(Clone, Debug, Parser)]
#[command(name = "alerts", about = "Sends alerts through SNS topics")]
pub struct Config {
    /// The queue and the limits of its consumer.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The topic of critical alerts.
    #[arg(long, env = "NOVA_TOPIC_CRITICAL_ARN", value_name = "NOVA_TOPIC_CRITICAL_ARN")]
    pub topic_critical_arn: String,
    /// The topic of warnings.
    #[arg(long, env = "NOVA_TOPIC_WARNING_ARN", value_name = "NOVA_TOPIC_WARNING_ARN")]
    pub topic_warning_arn: String,
    /// The topic of information.
    #[arg(long, env = "NOVA_TOPIC_INFO_ARN", value_name = "NOVA_TOPIC_INFO_ARN")]
    pub topic_info_arn: String,
    /// The dead-letter queues to watch, separated by commas.
    #[arg(
        long,
        env = "NOVA_WATCHED_QUEUE_URLS",
        value_name = "NOVA_WATCHED_QUEUE_URLS",
        value_delimiter = ','
    )]
    pub watched_queue_urls: Vec<String>,
    /// Alerts of one rule that are sent individually in a window; the others of the window are sent as one message.
    #[arg(
        long,
        env = "NOVA_ALERTS_STORM_AFTER", value_name = "NOVA_ALERTS_STORM_AFTER",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub alerts_storm_after: u32,
    /// The length of a window in seconds, which is the maximum delay of an alert in a storm.
    #[arg(
        long,
        env = "NOVA_ALERTS_STORM_SECONDS", value_name = "NOVA_ALERTS_STORM_SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(10..=3600)
    )]
    pub alerts_storm_seconds: u32,
    /// Hours in which alerts of the severity info are delayed, for example 22:00-07:00, at most 12; none if unset.
    #[arg(long, env = "NOVA_ALERTS_QUIET_HOURS", value_name = "NOVA_ALERTS_QUIET_HOURS")]
    pub alerts_quiet_hours: Option<String>,
    /// The IANA time zone of the quiet hours.
    #[arg(
        long,
        env = "NOVA_ALERTS_QUIET_ZONE",
        value_name = "NOVA_ALERTS_QUIET_ZONE",
        default_value = "UTC"
    )]
    pub alerts_quiet_zone: String,
}

/// The outcome of an alert that another one covers.
const SKIPPED: &str = "covered by another alert";

#[derive(Clone, Debug)]
pub struct Alerts {
    sns: aws_sdk_sns::Client,
    effects: Effects,
    confirmation: Confirmation,
    batches: BatchStore,
    dead_letters: DeadLetters,
    topic_critical_arn: String,
    topic_warning_arn: String,
    topic_info_arn: String,
}

/// The state of an alert after an attempt.
enum Raised {
    /// It was sent, or another message's attempt sends it.
    Done,
    /// Its message carries the batch and must be received again after this time.
    Delayed(Duration),
}

impl Alerts {
    /// The handler with the table, the topics and the queues that `config` names.
    ///
    /// # Errors
    /// One of them is missing, not accessible or of another shape, or the quiet hours are invalid.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let sns = aws_sdk_sns::Client::new(aws);
        let table = &config.effects_table;
        let conversations = &config.conversations_table;
        startup_check::table(&dynamodb, startup_check::CONVERSATIONS, conversations).await?;
        startup_check::table(&dynamodb, startup_check::EFFECTS, table).await?;
        startup_check::topic(&sns, "NOVA_TOPIC_CRITICAL_ARN", &config.topic_critical_arn).await?;
        startup_check::topic(&sns, "NOVA_TOPIC_WARNING_ARN", &config.topic_warning_arn).await?;
        startup_check::topic(&sns, "NOVA_TOPIC_INFO_ARN", &config.topic_info_arn).await?;
        let dead_letters =
            DeadLetters { sqs: aws_sdk_sqs::Client::new(aws), queue_urls: config.watched_queue_urls.clone() };
        for url in &dead_letters.queue_urls {
            startup_check::queue(&dead_letters.sqs, "NOVA_WATCHED_QUEUE_URLS", url).await?;
        }
        let effects = Effects::new(dynamodb.clone(), table.clone());
        let journal = Journal::reader(dynamodb.clone(), conversations);
        Ok(Self {
            sns,
            confirmation: Confirmation { journal, effects: effects.clone() },
            batches: BatchStore::new(dynamodb, table.clone(), effects.clone(), policy(config)?),
            effects,
            dead_letters,
            topic_critical_arn: config.topic_critical_arn.clone(),
            topic_warning_arn: config.topic_warning_arn.clone(),
            topic_info_arn: config.topic_info_arn.clone(),
        })
    }

    /// Checks the dead-letter queues until it is dropped.
    pub async fn watch_dead_letters(self) {
        loop {
            for url in &self.dead_letters.queue_urls {
                if let Err(failure) = Box::pin(self.check_dead_letters(url)).await {
                    let queue = queues::name(url);
                    tracing::warn!(queue, error = %failure, "failed to check a dead-letter queue");
                }
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    async fn check_dead_letters(&self, queue_url: &str) -> Result<(), Failure> {
        let depth = self.dead_letters.depth(queue_url).await?;
        if depth == 0 {
            return Ok(());
        }
        let (queue, now) = (queues::name(queue_url), env::now());
        let noted = self.effects.find(&kinds_item(queue_url, now)).await?;
        let mut is_sent = false;
        for kind in noted.as_ref().map(dead_letters::kinds).unwrap_or_default() {
            is_sent |= self.send_once(&Message::dead_letters(queue, depth, Some(&kind), now), 1).await?;
        }
        let grown = Message::dead_letters(queue, depth, None, now);
        if is_sent {
            // The alert to the kind gives the number, too.
            return self.skip(&grown).await;
        }
        self.send_once(&grown, 1).await.map(drop)
    }

    /// Records `message` as sent.
    async fn skip(&self, message: &Message) -> Result<(), Failure> {
        match self.effects.claim(&sent_item_id(message.alert_id), 1, env::now()).await? {
            Claim::Mine(lease) => lease.finish(SKIPPED).await,
            Claim::Finished(_) => Ok(()),
        }
    }

    /// Whether the event may raise alerts.
    async fn is_allowed(&self, event: &Envelope, conversation_id: ConversationId) -> Result<bool, Failure> {
        let Some(completed) = event.event.as_completed() else { return Ok(true) };
        let has_handled = async {
            let noted = self.effects.find(&alerts_effect(conversation_id)).await?;
            Ok(noted.is_some_and(|noted| noted.contains_key(&event.id.to_string())))
        };
        Box::pin(self.confirmation.allows(event, completed, has_handled)).await
    }

    async fn raise(&self, alert: &Alert, receive_count: u32) -> Result<Raised, Failure> {
        match self.batches.place(alert).await? {
            Placement::Individual => {
                self.send_once(&Message::alert(alert), receive_count).await.map(|_| Raised::Done)
            }
            Placement::Batched(batched) => self.send_batch(alert, &batched, receive_count).await,
        }
    }

    /// Sends the batch once it is due. Until then its carrier waits for it. If the carrier is lost, any alert of the batch
    /// that is processed after the due time sends it.
    async fn send_batch(
        &self,
        alert: &Alert,
        batched: &BatchedAlert,
        receive_count: u32,
    ) -> Result<Raised, Failure> {
        let left = batched.due.duration_since(env::now());
        if let Ok(left) = Duration::try_from(left)
            && !left.is_zero()
        {
            return Ok(if batched.is_carrier { Raised::Delayed(left) } else { Raised::Done });
        }
        let message = self.batches.close(&batched.batch, alert).await?;
        self.send_once(&message, receive_count).await.map(|_| Raised::Done)
    }

    /// Sends `message` unless it was sent before. Returns whether it was sent now.
    async fn send_once(&self, message: &Message, receive_count: u32) -> Result<bool, Failure> {
        let effect_id = sent_item_id(message.alert_id);
        let lease = match self.effects.claim(&effect_id, receive_count, env::now()).await? {
            Claim::Mine(lease) => lease,
            Claim::Finished(_) => return Ok(false),
        };
        let sent = Box::pin(lease.hold(self.send(message))).await;
        match sent {
            Ok(message_id) => {
                tracing::info!(
                    alert.id = %message.alert_id,
                    alert.rule = message.rule,
                    alert.severity = message.severity.name(),
                    conversation.id = message.conversation_id,
                    "sent an alert"
                );
                lease.finish_with(&message_id, &message.record(env::now()).attributes()).await.map(|()| true)
            }
            Err(failure) => {
                lease.release().await;
                Err(failure)
            }
        }
    }

    /// Sends the message and returns its SNS message id.
    async fn send(&self, message: &Message) -> Result<String, Failure> {
        let structured = message.structured.to_string();
        let both = json!({ "default": structured, "email": message.readable });
        let topic = match message.severity {
            Severity::Critical => &self.topic_critical_arn,
            Severity::Warning => &self.topic_warning_arn,
            Severity::Info => &self.topic_info_arn,
        };
        let mut publish = self
            .sns
            .publish()
            .topic_arn(topic)
            .subject(&message.subject)
            .message_structure("json")
            .message(both.to_string());
        let alert_id = message.alert_id.to_string();
        let attributes = [
            ("alertId", Some(alert_id.as_str())),
            ("severity", Some(message.severity.name())),
            ("rule", Some(message.rule.as_str())),
            ("conversationId", message.conversation_id.as_deref()),
        ];
        for (name, value) in attributes {
            let Some(value) = value else { continue };
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            publish = publish.message_attributes(name, value.map_err(Failure::retry)?);
        }
        let output =
            publish.send().await.map_err(|error| Failure::aws(error).context("failed to send the alert"))?;
        Ok(output.message_id.unwrap_or_default())
    }
}

impl EventHandler for Alerts {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        let Some(conversation_id) = event.event.conversation_id() else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        if !self.is_allowed(event, conversation_id).await? {
            tracing::info!(event.id = %event.id, "the learner's data is erased: no alert is raised");
            return Ok(());
        }
        let mut wait: Option<Duration> = None;
        for alert in rules::alerts(event) {
            if let Raised::Delayed(left) = Box::pin(self.raise(&alert, delivery.receive_count)).await? {
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
            }
        }
        let effect_id = alerts_effect(conversation_id);
        self.effects.note(&effect_id, &event.id.to_string(), env::now()).await?;
        match wait {
            None => Ok(()),
            Some(left) => Err(Failure::busy(anyhow!("an alert is delayed until its batch is due"), left)),
        }
    }
}

fn policy(config: &Config) -> anyhow::Result<Policy> {
    let quiet = config.alerts_quiet_hours.as_deref().filter(|hours| !hours.is_empty());
    let quiet = quiet
        .map(|hours| QuietHours::new(hours, &config.alerts_quiet_zone))
        .transpose()
        .map_err(|expected| anyhow!(expected))
        .context("NOVA_ALERTS_QUIET_HOURS, NOVA_ALERTS_QUIET_ZONE")?;
    let (individual_max, window_seconds) = (config.alerts_storm_after, config.alerts_storm_seconds);
    Ok(Policy { individual_max, window_seconds, quiet })
}
