//! The worker's queue and its dead-letter queue: the SQS calls, each with the client, the timeouts and the retry
//! owner that fit it.
//!
//! Polls, deletes and the other control calls (extend, release, dead-letter) have separate clients with separate retry
//! quotas: failing polls cannot prevent the deletion of a finished message, and many failing deletes cannot cost a lease.
//! Each call has its own timeouts, independent of the process's configuration: a server that accepts a connection and never
//! responds must not block a worker.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, bail, ensure};
use aws_sdk_sqs::{
    Client,
    config::{
        StalledStreamProtectionConfig, retry::RetryConfig, retry::RetryPartition, timeout::TimeoutConfig,
    },
    error::SdkError,
    operation::receive_message::ReceiveMessageError,
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
        Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    },
};

use super::ConsumerConfig;
use crate::runtime::{aws, delivery::RECEIVES_PER_FAILURE, failure::describe};

/// Entries of one batch call and messages of one poll (service limit).
pub(super) const BATCH_MAX: usize = 10;

/// The longest wait of a poll for a message (service limit).
pub(super) const POLL_SECONDS_MAX: u64 = 20;

/// The time a poll may take beyond its wait.
const POLL_MARGIN: Duration = Duration::from_secs(5);

/// The shortest visibility timeout that leaves time for a heartbeat.
const VISIBILITY_MIN: Duration = Duration::from_secs(6);

/// The longest attribute value of a dead-lettered message, in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 1024;

pub(super) struct Queue {
    poll: Client,
    poll_seconds: i32,
    control: Client,
    delete: Client,
    url: String,
    pub(super) dead_letter_url: String,
    pub(super) visibility: Duration,
    pub(super) receive_count_max: u32,
    pub(super) failures_max: u32,
}

impl Queue {
    /// Opens the queue and checks it: it and its dead-letter queue exist, and its `maxReceiveCount` leaves room for the
    /// allowed failures of a message.
    pub(super) async fn open(sqs: &Client, config: &ConsumerConfig) -> anyhow::Result<Self> {
        let control = control(sqs, "nova-control");
        let attributes = attributes(&control, &config.queue_url).await.context("NOVA_QUEUE_URL")?;
        let dead_letter =
            attributes_of_dead_letter(&control, config).await.context("NOVA_DEAD_LETTER_QUEUE_URL")?;
        let visibility: u64 = attribute(&attributes, &QueueAttributeName::VisibilityTimeout)?
            .parse()
            .context("the visibility timeout is not a number")?;
        let visibility = Duration::from_secs(visibility);
        ensure!(
            visibility >= VISIBILITY_MIN,
            "the queue's visibility timeout is {visibility:?}, at least {VISIBILITY_MIN:?} are needed"
        );
        let redrive = attribute(&attributes, &QueueAttributeName::RedrivePolicy)?;
        let (target, receive_count_max) = read_redrive(redrive)?;
        let receives_min = RECEIVES_PER_FAILURE * config.failures_max;
        ensure!(
            receive_count_max >= receives_min,
            "NOVA_QUEUE_URL: the queue dead-letters a message after {receive_count_max} receives (maxReceiveCount); at \
             least {receives_min} are needed, {RECEIVES_PER_FAILURE} for each failure of NOVA_FAILURES_MAX"
        );
        let arn = attribute(&dead_letter, &QueueAttributeName::QueueArn)?;
        ensure!(target == arn, "the queue dead-letters to {target}, but NOVA_DEAD_LETTER_QUEUE_URL is {arn}");
        Ok(Self {
            poll: poll(sqs),
            poll_seconds: i32::try_from(config.poll_seconds).context("NOVA_POLL_SECONDS")?,
            control,
            delete: self::control(sqs, "nova-delete"),
            url: config.queue_url.clone(),
            dead_letter_url: config.dead_letter_queue_url.clone(),
            visibility,
            receive_count_max,
            failures_max: config.failures_max,
        })
    }

    /// Polls for up to `count` messages. The future must not be dropped before it is ready: a message that SQS delivers to
    /// an abandoned poll stays invisible for the visibility timeout.
    pub(super) async fn receive(&self, count: usize) -> Result<Vec<Message>, SdkError<ReceiveMessageError>> {
        let output = self
            .poll
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(count.min(BATCH_MAX)).expect("ten fit"))
            .wait_time_seconds(self.poll_seconds)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await?;
        Ok(output.messages.unwrap_or_default())
    }

    /// Makes each message invisible for `after` from now. Returns the outcomes in the order of `receipts`.
    pub(super) async fn change_visibility(
        &self,
        receipts: &[String],
        after: Duration,
    ) -> anyhow::Result<Vec<Changed>> {
        let seconds = i32::try_from(after.as_secs()).unwrap_or(i32::MAX);
        let entries = receipts
            .iter()
            .enumerate()
            .map(|(position, receipt)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(seconds)
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let output = self
            .control
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| describe(&error))?;
        let mut outcomes = vec![Changed::Done; receipts.len()];
        for (position, failed) in positions(output.failed(), receipts.len()) {
            outcomes[position] = if is_gone(failed) { Changed::Gone } else { Changed::Failed };
        }
        Ok(outcomes)
    }

    /// Deletes messages. Returns the position and the error code of each message that remains. A message whose receipt is
    /// unknown counts as deleted.
    pub(super) async fn delete(&self, receipts: &[String]) -> anyhow::Result<Vec<(usize, String)>> {
        let entries = receipts
            .iter()
            .enumerate()
            .map(|(position, receipt)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(receipt)
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let output = self
            .delete
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| describe(&error))?;
        Ok(positions(output.failed(), receipts.len())
            .filter(|(_, failed)| !is_gone(failed))
            .map(|(position, failed)| (position, failed.code().to_owned()))
            .collect())
    }

    /// Copies a message to the dead-letter queue.
    pub(super) async fn dead_letter(
        &self,
        body: &str,
        attributes: impl IntoIterator<Item = (&'static str, String)>,
    ) -> anyhow::Result<()> {
        let attributes = attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| {
                let value = MessageAttributeValue::builder()
                    .data_type("String")
                    .string_value(presentable(&value))
                    .build()?;
                Ok((name.to_owned(), value))
            })
            .collect::<anyhow::Result<HashMap<_, _>>>()?;
        self.control
            .send_message()
            .queue_url(&self.dead_letter_url)
            .message_body(body)
            .set_message_attributes(Some(attributes))
            .send()
            .await
            .map_err(|error| describe(&error))?;
        Ok(())
    }
}

/// The outcome of a change of visibility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// The visibility is changed.
    Done,
    /// The message is deleted, or another consumer has it.
    Gone,
    /// The visibility is unchanged; another attempt may succeed.
    Failed,
}

/// The client of polls, without retries: the poll loop retries.
fn poll(sqs: &Client) -> Client {
    let timeout = Duration::from_secs(POLL_SECONDS_MAX) + POLL_MARGIN;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(aws::CONNECT_TIMEOUT)
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout + POLL_MARGIN)
        .build();
    let config = with_own_quota(sqs, "nova-poll")
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // It checks the throughput about 48 times a second, and a poll transfers nothing while it waits. The timeouts bound it.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Client::from_conf(config.build())
}

/// A client of control calls with its own retry quota.
fn control(sqs: &Client, quota: &'static str) -> Client {
    Client::from_conf(with_own_quota(sqs, quota).timeout_config(aws::timeouts()).build())
}

fn with_own_quota(sqs: &Client, name: &'static str) -> aws_sdk_sqs::config::Builder {
    sqs.config().to_builder().retry_partition(RetryPartition::custom(name).build())
}

type Attributes = HashMap<QueueAttributeName, String>;

async fn attributes(control: &Client, url: &str) -> anyhow::Result<Attributes> {
    let output = control
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::VisibilityTimeout)
        .attribute_names(QueueAttributeName::RedrivePolicy)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(|error| describe(&error))
        .with_context(|| format!("failed to read the attributes of {url}"))?;
    Ok(output.attributes.unwrap_or_default())
}

async fn attributes_of_dead_letter(control: &Client, config: &ConsumerConfig) -> anyhow::Result<Attributes> {
    ensure!(config.queue_url != config.dead_letter_queue_url, "the queue is its own dead-letter queue");
    attributes(control, &config.dead_letter_queue_url).await
}

fn attribute<'a>(attributes: &'a Attributes, name: &QueueAttributeName) -> anyhow::Result<&'a str> {
    attributes.get(name).map(String::as_str).with_context(|| format!("the queue has no {name}"))
}

/// The target and the `maxReceiveCount` of a redrive policy. Implementations write the count as a number or as a string.
fn read_redrive(policy: &str) -> anyhow::Result<(String, u32)> {
    let policy: serde_json::Value = serde_json::from_str(policy).context("the redrive policy is not JSON")?;
    let Some(target) = policy["deadLetterTargetArn"].as_str() else {
        bail!("the redrive policy has no deadLetterTargetArn");
    };
    let count = &policy["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).context("no maxReceiveCount")?;
    Ok((target.to_owned(), u32::try_from(count)?))
}

fn positions(
    failed: &[BatchResultErrorEntry],
    length: usize,
) -> impl Iterator<Item = (usize, &BatchResultErrorEntry)> {
    failed.iter().filter_map(move |entry| {
        let position: usize = entry.id().parse().ok()?;
        (position < length).then_some((position, entry))
    })
}

/// Whether a batch entry failed because this worker no longer holds the message. AWS and emulators use different codes.
fn is_gone(failed: &BatchResultErrorEntry) -> bool {
    const GONE: [&str; 3] = ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"];
    GONE.iter().any(|code| failed.code().contains(code))
}

/// A text that SQS accepts as an attribute value: without control characters, of bounded length.
fn presentable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|char| if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') { ' ' } else { char })
        .collect();
    if shown.len() > ATTRIBUTE_BYTES_MAX {
        shown.truncate(shown.floor_char_boundary(ATTRIBUTE_BYTES_MAX));
    }
    shown
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use tokio::{net::TcpListener, time::Instant};

    use super::*;

    fn client(endpoint: &str) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(endpoint)
            .http_client(aws::http_client(None).unwrap())
            .build();
        Client::from_conf(config)
    }

    /// Connections are real and time is tokio's: it jumps to the timeout when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn server_that_accepts_and_never_answers_keeps_no_call() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", server.local_addr().unwrap());
        let sqs = client(&endpoint);
        let queue = Queue {
            poll: poll(&sqs),
            poll_seconds: 20,
            control: control(&sqs, "nova-control"),
            delete: control(&sqs, "nova-delete"),
            url: format!("{endpoint}/1/queue"),
            dead_letter_url: format!("{endpoint}/1/queue-dlq"),
            visibility: VISIBILITY_MIN,
            receive_count_max: 100,
            failures_max: 6,
        };
        let receipts = ["receipt".to_owned()];
        let start = Instant::now();
        assert!(queue.receive(1).await.is_err());
        let poll_max = Duration::from_secs(POLL_SECONDS_MAX) + POLL_MARGIN * 2;
        assert!(start.elapsed() <= poll_max, "{:?}", start.elapsed());
        for call in ["extend", "delete", "dead-letter"] {
            let start = Instant::now();
            let failed = match call {
                "extend" => queue.change_visibility(&receipts, VISIBILITY_MIN).await.is_err(),
                "delete" => queue.delete(&receipts).await.is_err(),
                _ => queue.dead_letter("body", []).await.is_err(),
            };
            assert!(failed && start.elapsed() <= aws::OPERATION_TIMEOUT, "{call}: {:?}", start.elapsed());
        }
        assert!(server.accept().await.is_ok(), "it was called");
    }

    /// The park count of the scheduler is the number of times that it had nothing to do and waited to be woken.
    #[test]
    fn waiting_poll_wakes_its_worker_seldom() {
        const WAITED: Duration = Duration::from_secs(2);
        const PARKS_MAX: u64 = 20;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let parks = runtime.block_on(async {
            let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", server.local_addr().unwrap());
            let sqs = client(&endpoint);
            let receive = poll(&sqs).receive_message().queue_url(format!("{endpoint}/1/queue")).send();
            let polling = tokio::spawn(receive);
            let (connection, _) = server.accept().await.unwrap();
            connection.readable().await.unwrap();
            let parks = || tokio::runtime::Handle::current().metrics().worker_park_count(0);
            let before = parks();
            // Not a wait for a condition: the idle time itself.
            tokio::time::sleep(WAITED).await;
            assert!(!polling.is_finished());
            polling.abort();
            parks() - before
        });
        assert!(parks <= PARKS_MAX, "{parks} parks within {WAITED:?}");
    }

    #[test]
    fn redrive_policy_is_read_in_both_spellings() {
        let expected = ("arn:aws:sqs:us-east-1:1:dlq".to_owned(), 6);
        for count in ["6", "\"6\""] {
            let policy = format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:dlq","maxReceiveCount":{count}}}"#
            );
            assert_eq!(read_redrive(&policy).unwrap(), expected);
        }
        assert!(read_redrive("{}").is_err());
        assert!(read_redrive("dlq").is_err());
    }

    #[test]
    fn reasons_are_presentable_to_sqs() {
        assert_eq!(presentable("a\nb\u{0}c\u{ffff}"), "a b c ");
        let long = "é".repeat(ATTRIBUTE_BYTES_MAX);
        let shown = presentable(&long);
        assert!(shown.len() <= ATTRIBUTE_BYTES_MAX && long.starts_with(&shown));
    }
}
