//! Tells people what they have to know, through three SNS topics: critical, warning, info.
//!
//! - Consumes `conversation.completed`, `conversation.analyzed`, `analysis.failed`, `progress.updated`,
//!   `conversation.stalled`; and looks at the dead-letter queues once a minute. Each event that was looked at is noted in
//!   the item `alerts#<conversationId>` of the Effects table.
//! - Effect: one SNS message for each alert that `rules` finds in the event, or one for many: see `policy`. An alert of
//!   a storm waits for at most one window (`NOVA_ALERTS_STORM_SECONDS`), one of the quiet hours for their end; where
//!   nothing goes wrong both are told within seconds of it.
//! - Idempotent because an alert's id depends on the event and the rule alone. Its item `alert#<id>` in the Effects table
//!   says what becomes of it, is claimed before the message is sent and finished after; a finished alert is not sent
//!   again. What waits is in the table (`batch`) before its event's message is deleted; the message of the event whose
//!   alert waited first is the clock: it stays in the queue and comes back when the batch is due, whatever process there
//!   is then.
//!
//! Exactly-once e-mail does not exist. A worker that dies after SNS took the message and before the alert was
//! finished leaves the alert to the next attempt, which sends it again, with the same `alertId`: a subscriber that
//! must not see repetitions keeps the ids it has seen.
//!
//! A message has the attributes `alertId`, `severity`, `rule` and, where it is about one, `conversationId`, to filter by.
//! Subscribers by e-mail get the readable text, all others get the alert as JSON: `{alertId, rule, severity, title, text,
//! eventId, conversationId, userId, occurredAt}`, for many alerts `{alertId, rule, severity, title, text, count, alerts}`,
//! for dead letters `{…, queue, count, occurredAt}`.

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use clap::Parser;
use events::{
    contract::Envelope,
    pipeline::names::alerts_effect,
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        env,
        failure::Failure,
    },
};
use serde_json::json;

use crate::{
    boot,
    effects::{Claim, Effects},
};
use batch::{Batches, Held, Placed, sent_item_id};
use dead_letters::{DeadLetters, LOOK_INTERVAL};
use message::Message;
use policy::{Policy, Quiet};
use rules::{Alert, Severity};

mod batch;
mod dead_letters;
mod message;
mod policy;
mod rules;

/// The alert worker's configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "alerts", about = "Tells people what they have to know")]
pub struct Config {
    /// The queue.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
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
    /// Alerts of one rule that are sent one by one in a window; the rest of the window is told in one message.
    #[arg(
        long,
        env = "NOVA_ALERTS_STORM_AFTER", value_name = "NOVA_ALERTS_STORM_AFTER",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub alerts_storm_after: u32,
    /// The length of a window, in seconds, and so the longest that an alert of a storm waits.
    #[arg(
        long,
        env = "NOVA_ALERTS_STORM_SECONDS", value_name = "NOVA_ALERTS_STORM_SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(10..=3600)
    )]
    pub alerts_storm_seconds: u32,
    /// Hours in which information waits, for example 22:00-07:00, at most 12; none when unset.
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

/// The handler.
#[derive(Clone, Debug)]
pub struct Alerts {
    sns: aws_sdk_sns::Client,
    effects: Effects,
    batches: Batches,
    dead_letters: DeadLetters,
    topic_critical_arn: String,
    topic_warning_arn: String,
    topic_info_arn: String,
}

/// What became of an alert.
enum Raised {
    /// It is told, or others tell it.
    Done,
    /// It waits, and its message brings it back.
    Waits(Duration),
}

impl Alerts {
    /// The handler on the table, the topics and the queues that `config` names.
    ///
    /// # Errors
    /// One of them is missing, not accessible or of another shape, or the quiet hours are none.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let sns = aws_sdk_sns::Client::new(aws);
        let table = &config.effects_table;
        boot::table(&dynamodb, "NOVA_EFFECTS_TABLE", table, boot::EFFECTS).await?;
        boot::topic(&sns, "NOVA_TOPIC_CRITICAL_ARN", &config.topic_critical_arn).await?;
        boot::topic(&sns, "NOVA_TOPIC_WARNING_ARN", &config.topic_warning_arn).await?;
        boot::topic(&sns, "NOVA_TOPIC_INFO_ARN", &config.topic_info_arn).await?;
        let dead_letters =
            DeadLetters { sqs: aws_sdk_sqs::Client::new(aws), queue_urls: config.watched_queue_urls.clone() };
        for url in &dead_letters.queue_urls {
            let found = dead_letters.depth(url).await;
            found.map_err(|failure| anyhow!("NOVA_WATCHED_QUEUE_URLS: {url:?}: {failure}"))?;
        }
        let effects = Effects::new(dynamodb.clone(), table.clone());
        Ok(Self {
            sns,
            batches: Batches::new(dynamodb, table.clone(), effects.clone(), policy(config)?),
            effects,
            dead_letters,
            topic_critical_arn: config.topic_critical_arn.clone(),
            topic_warning_arn: config.topic_warning_arn.clone(),
            topic_info_arn: config.topic_info_arn.clone(),
        })
    }

    /// Looks at the dead-letter queues until it is dropped.
    pub async fn watch_dead_letters(self) {
        loop {
            for url in &self.dead_letters.queue_urls {
                if let Err(failure) = Box::pin(self.look(url)).await {
                    let queue = dead_letters::name(url);
                    tracing::warn!(queue, error = %failure, "failed to look at a dead-letter queue");
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn look(&self, queue_url: &str) -> Result<(), Failure> {
        let depth = self.dead_letters.depth(queue_url).await?;
        if depth == 0 {
            return Ok(());
        }
        let queue = dead_letters::name(queue_url);
        self.send_once(&Message::dead_letters(queue, depth, env::now()), 1).await
    }

    async fn raise(&self, alert: &Alert, receive_count: u32) -> Result<Raised, Failure> {
        match self.batches.place(alert).await? {
            Placed::Alone => {
                self.send_once(&Message::alert(alert), receive_count).await.map(|()| Raised::Done)
            }
            Placed::Held(held) => self.tell(alert, &held, receive_count).await,
        }
    }

    /// Tells the batch once it is due. Until then its carrier waits for it; should that be lost, whoever comes back
    /// after the time tells it.
    async fn tell(&self, alert: &Alert, held: &Held, receive_count: u32) -> Result<Raised, Failure> {
        let left = held.due.duration_since(env::now());
        if let Ok(left) = Duration::try_from(left)
            && !left.is_zero()
        {
            return Ok(if held.carries { Raised::Waits(left) } else { Raised::Done });
        }
        let message = self.batches.close(&held.batch, alert).await?;
        self.send_once(&message, receive_count).await.map(|()| Raised::Done)
    }

    /// Sends `message`, unless it was sent.
    async fn send_once(&self, message: &Message, receive_count: u32) -> Result<(), Failure> {
        let effect_id = sent_item_id(message.alert_id);
        let lease = match self.effects.claim(&effect_id, receive_count, env::now()).await? {
            Claim::Mine(lease) => lease,
            Claim::Finished(_) => return Ok(()),
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
                lease.finish(&message_id).await
            }
            Err(failure) => {
                lease.release().await;
                Err(failure)
            }
        }
    }

    /// Sends the message and returns the id that SNS gave it.
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
        let mut wait: Option<Duration> = None;
        for alert in rules::alerts(event) {
            if let Raised::Waits(left) = Box::pin(self.raise(&alert, delivery.receive_count)).await? {
                wait = Some(wait.map_or(left, |wait| wait.min(left)));
            }
        }
        let noted = alerts_effect(conversation_id);
        self.effects.note(&noted, &event.id.to_string(), env::now()).await?;
        match wait {
            None => Ok(()),
            Some(left) => Err(Failure::busy(anyhow!("an alert waits to be told with others"), left)),
        }
    }
}

fn policy(config: &Config) -> anyhow::Result<Policy> {
    let quiet = config.alerts_quiet_hours.as_deref().filter(|hours| !hours.is_empty());
    let quiet = quiet
        .map(|hours| Quiet::new(hours, &config.alerts_quiet_zone))
        .transpose()
        .map_err(|expected| anyhow!(expected))
        .context("NOVA_ALERTS_QUIET_HOURS, NOVA_ALERTS_QUIET_ZONE")?;
    let (alone_max, window_seconds) = (config.alerts_storm_after, config.alerts_storm_seconds);
    Ok(Policy { alone_max, window_seconds, quiet })
}
