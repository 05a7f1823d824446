//! The ledger of attempts: it identifies messages that crash their worker and counts the failures of a message.
//!
//! The receive count of SQS is no measure of either: outages, deployments and crashes caused by other messages raise it
//! too. So every attempt from the second receive on is recorded in the Effects table when it begins, and the record is
//! cleared when the attempt reports, whatever it reports. An attempt that began and never reported died with its worker.
//! The next attempt runs exclusively ([`RunMode::Exclusive`]); the messages that ran beside the crash then succeed and are
//! cleared. A message whose exclusive attempts die too is dead-lettered. A report clears only its own attempt, not those
//! left by earlier ones: it may have met an outage before it reached the code that crashes.
//!
//! Only reported failures count against a message. A message that succeeds at its first receive costs no write.
//!
//! Item `attempt#<service>#<message id>`: `begun` (S, the attempt that has not reported, or empty), `earlier` (S, the
//! previous value of `begun`), `alone` (N, exclusive attempts that have not reported), `failures` (N), `expiresAt` (N, the
//! table's TTL). All writes set values instead of adding to them, so a request repeated by the SDK changes nothing. A
//! message whose attempt cannot be recorded waits; that is not a failure of the message.

use std::time::Duration;

use anyhow::anyhow;
use aws_sdk_dynamodb::{
    Client,
    config::retry::RetryPartition,
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue},
};
use jiff::SignedDuration;

use super::{ConsumerConfig, Delivery};
use crate::{
    dynamo::{is_conditional_check_failed, millis, number, text},
    runtime::{
        aws,
        dead_letter_kind::kinds_item,
        delivery::{RunMode, run_mode},
        env,
        failure::{Failure, FailureKind, describe},
        startup_check,
    },
};

/// Days for which an attempt is kept: the longest retention of a queue and one day.
const RETENTION_DAYS: i64 = 15;

/// The wait after an attempt could not be recorded.
const UNRECORDED_WAIT: Duration = Duration::from_secs(1);

/// The value of `begun` and `earlier` without an attempt.
const NONE: &str = "";

pub(super) struct Ledger {
    dynamodb: Client,
    table: String,
    service: &'static str,
}

/// The attempts at one message, as known during one receive.
pub(super) struct Entry {
    key: String,
    /// The id of the attempt of this receive.
    attempt: String,
    /// Whether attempts are recorded: not at the first receive.
    is_recorded: bool,
    /// Whether SQS would dead-letter the message instead of delivering it again.
    is_last_receive: bool,
    begun: bool,
    /// Whether [`Ledger::begin`] has read the earlier attempts during this receive.
    is_read: bool,
    /// The earlier attempt that never reported, or [`NONE`].
    earlier: String,
    /// Earlier exclusive attempts that never reported.
    exclusive: u32,
    /// Failures so far, those of this receive included.
    pub(super) failures: u32,
}

impl Entry {
    /// How the next attempt may run.
    pub(super) fn run_mode(&self) -> RunMode {
        run_mode(self.earlier != NONE, self.exclusive, self.is_last_receive)
    }
}

impl Ledger {
    /// Opens the ledger and checks that its table has the key it needs.
    pub(super) async fn open(
        service: &'static str,
        dynamodb: &Client,
        config: &ConsumerConfig,
    ) -> anyhow::Result<Self> {
        // Handlers call the same service: their failures must not use up the retries of the ledger.
        let own = RetryPartition::custom("nova-attempts").build();
        let builder = dynamodb.config().to_builder().retry_partition(own).timeout_config(aws::timeouts());
        let dynamodb = Client::from_conf(builder.build());
        let table = config.attempts_table.clone();
        let attempts = startup_check::Table { variable: "NOVA_ATTEMPTS_TABLE", ..startup_check::EFFECTS };
        startup_check::table(&dynamodb, attempts, &table).await?;
        Ok(Self { dynamodb, table, service })
    }

    /// The entry of a message that was received just now, before earlier attempts are read.
    pub(super) fn entry(&self, delivery: &Delivery, receive_count_max: u32) -> Entry {
        Entry {
            key: format!("attempt#{}#{}", self.service, delivery.message_id),
            attempt: env::random_uuid().to_string(),
            is_recorded: delivery.receive_count > 1,
            is_last_receive: delivery.receive_count >= receive_count_max,
            begun: false,
            is_read: false,
            earlier: NONE.to_owned(),
            exclusive: 0,
            failures: 0,
        }
    }

    /// Records that an attempt begins, and reads the earlier ones.
    pub(super) async fn begin(&self, entry: &mut Entry) -> Result<(), Failure> {
        if entry.begun || !entry.is_recorded {
            return Ok(());
        }
        let output = self
            .update(entry)
            .update_expression(
                "SET earlier = if_not_exists(begun, :none), begun = :attempt, expiresAt = :expires",
            )
            .expression_attribute_values(":none", text(NONE))
            .expression_attribute_values(":attempt", text(&entry.attempt))
            .expression_attribute_values(":expires", expires_at())
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(unrecorded)?;
        let item = output.attributes.unwrap_or_default();
        let count = |name: &str| -> u32 {
            item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0)
        };
        let earlier = item.get("earlier").and_then(|value| value.as_s().ok());
        let is_own = earlier.is_some_and(|earlier| *earlier == entry.attempt);
        // `earlier` is our own attempt if the SDK repeated the request because its response was lost. The previous value
        // is unknown then: the message counts as harmless during this receive.
        if let Some(earlier) = earlier.filter(|_| !is_own) {
            entry.earlier.clone_from(earlier);
        }
        // It is also our own attempt if a previous run of this receive could not record its report. Then `alone` may
        // include that run.
        if !(is_own && entry.is_read) {
            entry.exclusive = count("alone");
        }
        (entry.failures, entry.begun, entry.is_read) = (count("failures"), true, true);
        Ok(())
    }

    /// Records that the attempt runs exclusively from now on.
    pub(super) async fn runs_exclusively(&self, entry: &Entry) -> Result<(), Failure> {
        self.update(entry)
            .update_expression("SET alone = :alone")
            .expression_attribute_values(":alone", number(&(entry.exclusive + 1)))
            .send()
            .await
            .map(|_| ())
            .map_err(unrecorded)
    }

    /// Records a failure of the message.
    pub(super) async fn failed(&self, entry: &mut Entry) {
        entry.failures = entry.failures.saturating_add(1);
        let update = self
            .update(entry)
            .update_expression(
                "SET begun = :earlier, alone = :alone, failures = :failures, expiresAt = :expires",
            )
            .expression_attribute_values(":earlier", text(&entry.earlier))
            .expression_attribute_values(":alone", number(&entry.exclusive))
            .expression_attribute_values(":failures", number(&entry.failures))
            .expression_attribute_values(":expires", expires_at());
        self.record_end(update).await;
        entry.begun = false;
    }

    /// Records that the attempt reported and that its report does not count against the message.
    pub(super) async fn reported(&self, entry: &mut Entry) {
        if !std::mem::take(&mut entry.begun) {
            return;
        }
        let update = self
            .update(entry)
            // Another consumer may have begun an attempt meanwhile.
            .condition_expression("begun = :attempt")
            .update_expression("SET begun = :earlier, alone = :alone")
            .expression_attribute_values(":attempt", text(&entry.attempt))
            .expression_attribute_values(":earlier", text(&entry.earlier))
            .expression_attribute_values(":alone", number(&entry.exclusive));
        self.record_end(update).await;
    }

    /// Notes for what kind of reason a message goes to the dead-letter queue at `queue_url`. Without the note there is an alert
    /// to the number of dead letters only.
    pub(super) async fn note_dead_letter(&self, queue_url: &str, kind: &str) {
        let now = env::now();
        let update = self.dynamodb.update_item().table_name(&self.table);
        let update = update
            .key("effectId", text(&kinds_item(queue_url, now)))
            .update_expression("SET #kind = if_not_exists(#kind, :now), expiresAt = :expires")
            .expression_attribute_names("#kind", kind)
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":expires", expires_at());
        if let Err(error) = update.send().await {
            let error = format!("{:#}", describe(&error));
            tracing::warn!(service = self.service, error, "failed to note the kind of a dead letter");
        }
    }

    /// Without this record the next attempt runs exclusively, or the message gets one more attempt.
    async fn record_end(&self, update: UpdateItemFluentBuilder) {
        if let Err(error) = update.send().await
            && !is_conditional_check_failed(&error)
        {
            let error = format!("{:#}", describe(&error));
            tracing::warn!(service = self.service, error, "failed to record the end of an attempt");
        }
    }

    fn update(&self, entry: &Entry) -> UpdateItemFluentBuilder {
        self.dynamodb.update_item().table_name(&self.table).key("effectId", text(&entry.key))
    }
}

/// An attempt that could not be recorded does not run and does not count.
fn unrecorded(error: SdkError<UpdateItemError>) -> Failure {
    let failure = Failure::aws(error).context("failed to record an attempt");
    match failure.kind() {
        FailureKind::Environment
        | FailureKind::Unavailable { .. }
        | FailureKind::Throttled { .. }
        | FailureKind::Busy { .. } => failure,
        FailureKind::Retry { .. } | FailureKind::Reject { .. } | FailureKind::Park => {
            Failure::busy(anyhow!("{failure}"), UNRECORDED_WAIT)
        }
    }
}

fn expires_at() -> AttributeValue {
    let retention = SignedDuration::from_hours(24 * RETENTION_DAYS);
    number(&(env::now().as_second() + retention.as_secs()))
}
