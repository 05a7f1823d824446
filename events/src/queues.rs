//! How full the queues are: the counts that SQS returns, and the metrics that it writes to CloudWatch. Nothing here receives a
//! message.

use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{cloudwatch::Query, runtime::failure::Failure, workers::Worker};

/// Seconds between two values of a queue's metric.
pub const METRIC_PERIOD_SECONDS: u32 = 60;

/// The metric of the age of the oldest message, in seconds. SQS leaves out messages that were received three times or more.
pub const OLDEST_AGE: &str = "ApproximateAgeOfOldestMessage";

/// The metric of the messages that wait.
pub const WAITING: &str = "ApproximateNumberOfMessagesVisible";

/// The namespace of the metrics.
pub const NAMESPACE: &str = "AWS/SQS";

/// The dimension of the metrics.
pub const DIMENSION: &str = "QueueName";

/// The name of the dead-letter queue of the rules, which has no worker.
const EVENTS: &str = "events";

/// A queue with a dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// The queue of a worker.
    Worker(Worker),
    /// The events that no rule could deliver. There is a dead-letter queue only.
    Events,
}

/// The messages of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Depths {
    /// Messages that wait for a worker.
    pub waiting: u64,
    /// Messages that a worker has received.
    pub in_flight: u64,
    /// Messages whose delay is not over.
    pub delayed: u64,
}

impl QueueName {
    /// The queues of all workers, then `events`.
    pub fn all() -> impl Iterator<Item = Self> {
        Worker::ALL.into_iter().map(Self::Worker).chain([Self::Events])
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker(worker) => worker.name(),
            Self::Events => EVENTS,
        }
    }

    /// The queue whose dead-letter queue has this name.
    #[must_use]
    pub fn of_dead_letters(queue: &str) -> Option<Self> {
        Self::all().find(|name| name.dead_letters() == queue)
    }

    /// The name of the dead-letter queue.
    #[must_use]
    pub fn dead_letters(self) -> String {
        format!("nova-{}-dlq", self.name())
    }
}

impl Depths {
    /// All messages.
    #[must_use]
    pub fn total(self) -> u64 {
        self.waiting + self.in_flight + self.delayed
    }

    /// Reads the approximate numbers of the queue at `url`.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub async fn read(sqs: &aws_sdk_sqs::Client, url: &str) -> Result<Self, Failure> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let read = sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
        let output = read
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to read the depth of a queue"))?;
        let number = |name: &QueueAttributeName| {
            let number = output.attributes().and_then(|all| all.get(name)?.parse().ok());
            number.with_context(|| format!("SQS returned no {name} of a queue")).map_err(Failure::retry)
        };
        let [waiting, in_flight, delayed] = &names;
        Ok(Self { waiting: number(waiting)?, in_flight: number(in_flight)?, delayed: number(delayed)? })
    }
}

/// The name of a queue: the last part of its URL.
#[must_use]
pub fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// The largest value of a metric of the queue in each period.
#[must_use]
pub fn metric(queue: &str, metric: &'static str) -> Query {
    Query { namespace: NAMESPACE, metric, dimension: (DIMENSION, queue.to_owned()), statistic: "Maximum" }
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

    #[test]
    fn dead_letter_queue_belongs_to_its_queue() {
        for name in QueueName::all() {
            assert_eq!(QueueName::of_dead_letters(&name.dead_letters()), Some(name));
        }
        assert_eq!(QueueName::of_dead_letters("nova-alerts"), None);
    }
}
