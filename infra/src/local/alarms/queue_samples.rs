//! PURE. The metrics of the queues from the messages that the local cloud lists, as SQS writes them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::samples::{Metric, Sample};

/// Messages that were received this often do not count for the age of the oldest one, as on AWS.
const RECEIVES_OF_OLD: u32 = 3;

/// A message of a queue as the local cloud lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PeekedMessage {
    message_id: String,
    /// Seconds since the epoch.
    sent_timestamp: i64,
    is_visible: bool,
    receive_count: u32,
}

/// The messages by account, region and URL of the queue.
#[derive(Debug, Deserialize)]
pub(super) struct Peeked {
    messages: BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<PeekedMessage>>>>,
}

/// The messages of the period before, by queue. What is new was sent, and what is gone was deleted; a message that did both within
/// a period is not seen.
#[derive(Debug, Default)]
pub(super) struct QueueSamples(BTreeMap<String, BTreeSet<String>>);

impl QueueSamples {
    /// The samples of a period of the queues whose names begin with `prefix`.
    pub(super) fn sample(&mut self, peeked: Peeked, prefix: &str, now: Timestamp) -> Vec<Sample> {
        let queues = peeked.messages.into_values().flat_map(BTreeMap::into_values).flatten();
        let mut samples = Vec::new();
        for (url, messages) in queues {
            let queue = events::queues::name(&url).to_owned();
            if !queue.starts_with(prefix) {
                continue;
            }
            let ids: BTreeSet<String> = messages.iter().map(|message| message.message_id.clone()).collect();
            let before = self.0.insert(queue.clone(), ids.clone()).unwrap_or_default();
            let count = |messages: usize| f64::from(u32::try_from(messages).unwrap_or(u32::MAX));
            let moved = [
                ("NumberOfMessagesSent", count(ids.difference(&before).count())),
                ("NumberOfMessagesDeleted", count(before.difference(&ids).count())),
            ];
            samples.extend(gauges(&messages, now).into_iter().chain(moved).map(|(name, value)| Sample {
                metric: Metric {
                    namespace: events::queues::NAMESPACE.to_owned(),
                    name: name.to_owned(),
                    dimensions: BTreeMap::from([(events::queues::DIMENSION.to_owned(), queue.clone())]),
                },
                values: vec![value],
            }));
        }
        samples
    }
}

fn gauges(messages: &[PeekedMessage], now: Timestamp) -> [(&'static str, f64); 4] {
    let count = |counts: fn(&PeekedMessage) -> bool| {
        f64::from(
            u32::try_from(messages.iter().filter(|message| counts(message)).count()).unwrap_or(u32::MAX),
        )
    };
    // A message whose delay is not over does not wait yet.
    let waits = |message: &&PeekedMessage| {
        message.receive_count < RECEIVES_OF_OLD && (message.is_visible || message.receive_count > 0)
    };
    let oldest = messages.iter().filter(waits).map(|message| now.as_second() - message.sent_timestamp).max();
    [
        (events::queues::WAITING, count(|message| message.is_visible)),
        (
            "ApproximateNumberOfMessagesNotVisible",
            count(|message| !message.is_visible && message.receive_count > 0),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            count(|message| !message.is_visible && message.receive_count == 0),
        ),
        (events::queues::OLDEST_AGE, oldest.unwrap_or(0).max(0) as f64),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sampled(samples: &mut QueueSamples, messages: &[Value]) -> Vec<f64> {
        let queues = json!({
            "http://127.0.0.1/0/nova-transcript": messages,
            "http://127.0.0.1/0/another": [],
        });
        let peeked = json!({ "messages": { "0": { "us-east-1": queues } } });
        let now = Timestamp::from_second(1000).unwrap();
        let sampled = samples.sample(serde_json::from_value(peeked).unwrap(), "nova-", now);
        assert!(sampled.iter().all(|sample| sample.metric.dimensions["QueueName"] == "nova-transcript"));
        sampled.into_iter().map(|sample| sample.values[0]).collect()
    }

    fn message(id: &str, sent: i64, is_visible: bool, receives: u32) -> Value {
        json!({ "MessageId": id, "SentTimestamp": sent, "IsVisible": is_visible, "ReceiveCount": receives })
    }

    #[test]
    fn queue_is_sampled_as_sqs_reports_it() {
        let mut samples = QueueSamples::default();
        let mut messages = vec![
            message("a", 940, true, 0),
            message("b", 930, false, 1),
            // Received too often to count for the age, and delayed.
            message("c", 100, true, 3),
            message("d", 200, false, 0),
        ];
        assert_eq!(sampled(&mut samples, &messages), [2.0, 1.0, 1.0, 70.0, 4.0, 0.0]);
        messages.drain(..3);
        messages.push(message("e", 990, true, 0));
        assert_eq!(sampled(&mut samples, &messages), [1.0, 0.0, 1.0, 10.0, 1.0, 3.0]);
        assert_eq!(sampled(&mut samples, &[]), [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    }
}
