//! A queue that a test creates for itself to receive what is published on the bus or on a topic.

use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

/// The queue.
pub(crate) struct Subscription {
    sqs: aws_sdk_sqs::Client,
    /// Name.
    pub(crate) name: String,
    /// ARN.
    pub(crate) arn: String,
    url: String,
}

impl Subscription {
    /// Creates a queue to which the `publishers`, if there are any, may send.
    pub(crate) async fn create(
        sdk: &aws_config::SdkConfig,
        prefix: &str,
        publishers: &[&str],
    ) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(sdk);
        let name = format!("{prefix}-{}", uuid::Uuid::new_v4());
        let url = sqs.create_queue().queue_name(&name).send().await?.queue_url.context("no queue URL")?;
        let attributes = sqs.get_queue_attributes().queue_url(&url);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = attributes.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
        let arn = arn.context("the queue has no ARN")?;
        if !publishers.is_empty() {
            let policy = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": publishers}}}]});
            let set = sqs.set_queue_attributes().queue_url(&url);
            set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        }
        Ok(Self { sqs, name, arn, url })
    }

    /// Receives and deletes all messages until a receive of one second is empty. The local cloud delivers a message before
    /// the call that publishes it returns, so that nothing is missing then.
    pub(crate) async fn drain(&self) -> anyhow::Result<Vec<Value>> {
        let mut bodies = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(1).send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(bodies);
            }
            for message in messages {
                bodies.push(serde_json::from_str(message.body.as_deref().unwrap_or_default())?);
                let handle = message.receipt_handle.context("a message without a receipt handle")?;
                self.sqs.delete_message().queue_url(&self.url).receipt_handle(handle).send().await?;
            }
        }
    }
}
