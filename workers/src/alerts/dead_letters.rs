//! Reads the depth of the dead-letter queues, which hold messages that a worker rejected or that exceeded their receives, and
//! events that EventBridge could not deliver. It receives no messages.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use events::runtime::failure::Failure;

pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct DeadLetters {
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) queue_urls: Vec<String>,
}

impl DeadLetters {
    /// The approximate number of messages in a queue.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub(super) async fn depth(&self, queue_url: &str) -> Result<u32, Failure> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.sqs.get_queue_attributes().queue_url(queue_url).attribute_names(name.clone());
        let response = request.send().await.map_err(|error| {
            Failure::aws(error).context("failed to read the depth of a dead-letter queue")
        })?;
        let depth = response.attributes().and_then(|all| all.get(&name)?.parse().ok());
        depth.ok_or_else(|| Failure::retry(anyhow::anyhow!("SQS returned no depth of a queue")))
    }
}

/// The name of a queue: the last part of its URL.
pub(super) fn name(queue_url: &str) -> &str {
    queue_url.rsplit('/').next().unwrap_or(queue_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_the_last_part_of_the_url() {
        assert_eq!(
            name("https://sqs.us-east-1.amazonaws.com/123456789012/nova-alerts-dlq"),
            "nova-alerts-dlq"
        );
        assert_eq!(name("nova-alerts-dlq"), "nova-alerts-dlq");
    }
}
