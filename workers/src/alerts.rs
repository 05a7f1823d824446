//! Tells people what they have to know, through three SNS topics: critical, warning, info.
//!
//! - Consumes `conversation.completed`, `conversation.analyzed`, `analysis.failed`, `progress.updated`.
//! - Effect: one SNS message for each alert that `rules` finds in the event.
//! - Idempotent because an alert's id depends on the event and the rule alone. Its item `alert#<id>` in the
//!   Effects table is claimed before the message is sent and finished after; a finished alert is not sent again.
//!
//! Exactly-once e-mail does not exist. A worker that dies after SNS took the message and before the alert was
//! finished leaves the alert to the next attempt, which sends it again, with the same `alertId`: a subscriber that
//! must not see repetitions keeps the ids it has seen.
//!
//! A message has the attributes `alertId`, `severity` and `rule`, to filter by. Subscribers by e-mail get the
//! readable text, all others get the alert as JSON: `{alertId, rule, severity, title, text, eventId,
//! conversationId, userId, occurredAt}`.

use anyhow::Context;
use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use clap::Parser;
use events::{
    contract::Envelope,
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        failure::Failure,
        world,
    },
};
use serde_json::json;

use crate::{
    boot,
    effects::{Claim, Effects},
};
use rules::{Alert, Severity};

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
}

/// The handler.
#[derive(Debug)]
pub struct Alerts {
    sns: aws_sdk_sns::Client,
    effects: Effects,
    topic_critical_arn: String,
    topic_warning_arn: String,
    topic_info_arn: String,
}

impl Alerts {
    /// The handler on the table and the topics that `config` names.
    ///
    /// # Errors
    /// One of them is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let sns = aws_sdk_sns::Client::new(aws);
        let table = &config.effects_table;
        boot::table(&dynamodb, "NOVA_EFFECTS_TABLE", table, boot::EFFECTS).await?;
        boot::topic(&sns, "NOVA_TOPIC_CRITICAL_ARN", &config.topic_critical_arn).await?;
        boot::topic(&sns, "NOVA_TOPIC_WARNING_ARN", &config.topic_warning_arn).await?;
        boot::topic(&sns, "NOVA_TOPIC_INFO_ARN", &config.topic_info_arn).await?;
        Ok(Self {
            sns,
            effects: Effects::new(dynamodb, table.clone()),
            topic_critical_arn: config.topic_critical_arn.clone(),
            topic_warning_arn: config.topic_warning_arn.clone(),
            topic_info_arn: config.topic_info_arn.clone(),
        })
    }

    async fn raise(&self, alert: &Alert, receive_count: u32) -> Result<(), Failure> {
        let effect_id = format!("alert#{}", alert.alert_id);
        let lease = match self.effects.claim(&effect_id, receive_count, world::now()).await? {
            Claim::Mine(lease) => lease,
            Claim::Finished(_) => return Ok(()),
        };
        let sent = Box::pin(lease.hold(self.send(alert))).await;
        match sent {
            Ok(message_id) => {
                tracing::info!(
                    alert.id = %alert.alert_id,
                    alert.rule = alert.rule,
                    alert.severity = alert.severity.name(),
                    conversation.id = %alert.conversation_id,
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

    /// Sends the alert and returns the id that SNS gave it.
    async fn send(&self, alert: &Alert) -> Result<String, Failure> {
        let structured = serde_json::to_string(alert)
            .context("failed to write the alert as JSON")
            .map_err(Failure::retry)?;
        let readable = format!("{}\n\nAlert {} ({})", alert.text, alert.alert_id, alert.rule);
        let message = json!({ "default": structured, "email": readable });
        let topic = match alert.severity {
            Severity::Critical => &self.topic_critical_arn,
            Severity::Warning => &self.topic_warning_arn,
            Severity::Info => &self.topic_info_arn,
        };
        let mut publish = self
            .sns
            .publish()
            .topic_arn(topic)
            .subject(alert.title)
            .message_structure("json")
            .message(message.to_string());
        let alert_id = alert.alert_id.to_string();
        for (name, value) in
            [("alertId", alert_id.as_str()), ("severity", alert.severity.name()), ("rule", alert.rule)]
        {
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
        for alert in rules::alerts(event) {
            self.raise(&alert, delivery.receive_count).await?;
        }
        Ok(())
    }
}
