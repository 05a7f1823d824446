//! Reads the depth of the dead-letter queues, which hold messages that a worker rejected or that exceeded their receives, and
//! events that EventBridge could not deliver. It receives no messages: for what kinds of reasons they are there is in the
//! notes of the workers that gave them up (`events::runtime::dead_letter_kind`).

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use events::{dynamo::Item, runtime::failure::Failure};

/// Maximum number of kinds of reasons that raise an alert, by queue and day: a flood of letters is no flood of alerts.
pub(super) const KINDS_MAX: usize = 20;

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

/// The kinds in the item of notes `item`, the earliest first, at most [`KINDS_MAX`].
pub(super) fn kinds(item: &Item) -> Vec<String> {
    let first_at = |value: &AttributeValue| value.as_n().ok().and_then(|millis| millis.parse::<i64>().ok());
    let is_kind = |name: &str| !matches!(name, "effectId" | "expiresAt");
    let mut kinds: Vec<(i64, &String)> = item
        .iter()
        .filter(|(name, _)| is_kind(name))
        .filter_map(|(name, value)| Some((first_at(value)?, name)))
        .collect();
    kinds.sort();
    kinds.into_iter().take(KINDS_MAX).map(|(_, kind)| kind.clone()).collect()
}

/// The name of a queue: the last part of its URL.
pub(super) fn name(queue_url: &str) -> &str {
    queue_url.rsplit('/').next().unwrap_or(queue_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_the_order_in_which_they_occurred() {
        let number = |millis: i64| AttributeValue::N(millis.to_string());
        let item = Item::from([
            ("effectId".to_owned(), AttributeValue::S("attempt#dead-letters#q#2026-11-24".to_owned())),
            ("expiresAt".to_owned(), number(1)),
            ("later".to_owned(), number(20)),
            ("a first one".to_owned(), number(3)),
        ]);
        assert_eq!(kinds(&item), ["a first one", "later"]);
        assert!(kinds(&Item::new()).is_empty());
        let flood = (0..200).map(|kind| (format!("kind {kind}"), number(kind)));
        assert_eq!(kinds(&flood.collect()).len(), KINDS_MAX);
    }

    #[test]
    fn name_is_the_last_part_of_the_url() {
        assert_eq!(
            name("https://sqs.us-east-1.amazonaws.com/123456789012/nova-alerts-dlq"),
            "nova-alerts-dlq"
        );
        assert_eq!(name("nova-alerts-dlq"), "nova-alerts-dlq");
    }
}
