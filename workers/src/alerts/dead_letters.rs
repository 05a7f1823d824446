//! Reads the depth of the dead-letter queues, which hold messages that a worker rejected or that exceeded their receives, and
//! events that EventBridge could not deliver. It receives no messages: for what kinds of reasons they are there is in the
//! notes of the workers that gave them up (`events::runtime::dead_letter_kind`).

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use events::{dynamo::Item, queues::Depths, runtime::failure::Failure};

/// Maximum number of kinds of reasons that raise an alert, by queue and day: a flood of letters is no flood of alerts.
pub(super) const KINDS_MAX: usize = 20;

pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct DeadLetters {
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) queue_urls: Vec<String>,
}

impl DeadLetters {
    /// The approximate number of messages that wait in a queue.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub(super) async fn depth(&self, queue_url: &str) -> Result<u32, Failure> {
        let depths = Depths::read(&self.sqs, queue_url).await?;
        Ok(u32::try_from(depths.waiting).unwrap_or(u32::MAX))
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
}
