//! A subscriber of the alert topics: one queue behind all three.

use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

/// The inbox. It collects from its creation on.
pub struct Inbox {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

/// An alert as a subscriber sees it.
#[derive(Clone, Debug)]
pub struct Alert {
    /// What stays the same when an alert is repeated.
    pub id: String,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    /// Which rule raised it.
    pub rule: String,
    /// The text.
    pub message: String,
}

impl Inbox {
    /// Creates the queue and subscribes it to `topics`, by ARN.
    ///
    /// # Errors
    /// When the local cloud refuses.
    pub async fn open(sdk: &aws_config::SdkConfig, topics: [&str; 3]) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(sdk);
        let sns = aws_sdk_sns::Client::new(sdk);
        let name = format!("inbox-{}", uuid::Uuid::new_v4());
        let queue_url =
            sqs.create_queue().queue_name(&name).send().await?.queue_url.context("no queue URL")?;
        let attributes = sqs.get_queue_attributes().queue_url(&queue_url);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = attributes.attributes.as_ref().and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let arn = arn.context("the inbox has no ARN")?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topics}}}]});
        let set = sqs.set_queue_attributes().queue_url(&queue_url);
        set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        for topic in topics {
            sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(arn).send().await?;
        }
        Ok(Self { sqs, queue_url })
    }

    /// Everything that arrived since the last call.
    ///
    /// # Errors
    /// When the queue cannot be read or something in it is not an alert.
    pub async fn drain(&self) -> anyhow::Result<Vec<Alert>> {
        let mut alerts = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = receive.send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(alerts);
            }
            for message in messages {
                alerts.push(read(message.body.as_deref().unwrap_or_default())?);
                let handle = message.receipt_handle.context("a message without a receipt handle")?;
                self.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(handle).send().await?;
            }
        }
    }
}

fn read(body: &str) -> anyhow::Result<Alert> {
    let notification: Value = serde_json::from_str(body)?;
    let attribute = |name: &str| {
        let value = notification["MessageAttributes"][name]["Value"].as_str();
        value.map(str::to_owned).with_context(|| format!("an alert without {name}"))
    };
    Ok(Alert {
        id: attribute("alertId")?,
        severity: attribute("severity")?,
        rule: attribute("rule")?,
        message: notification["Message"].as_str().unwrap_or_default().to_owned(),
    })
}
