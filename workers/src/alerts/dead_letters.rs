//! Watches the dead-letter queues: messages that a worker rejected, that SQS gave up, and events that no rule could
//! deliver are one alert. A queue is asked how much it holds, nothing is received from it.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use events::runtime::failure::Failure;

/// How often the queues are looked at.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The queues.
#[derive(Clone, Debug)]
pub(super) struct DeadLetters {
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) queue_urls: Vec<String>,
}

impl DeadLetters {
    /// How many messages a queue holds.
    ///
    /// # Errors
    /// By the nature of the failed call.
    pub(super) async fn depth(&self, queue_url: &str) -> Result<u32, Failure> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self.sqs.get_queue_attributes().queue_url(queue_url).attribute_names(name.clone());
        let answer = asked
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to look at a dead-letter queue"))?;
        let depth = answer.attributes().and_then(|all| all.get(&name)?.parse().ok());
        depth.ok_or_else(|| Failure::retry(anyhow::anyhow!("SQS did not say how much a queue holds")))
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
