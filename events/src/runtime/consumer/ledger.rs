//! The ledger of attempts: how it is known of a message that it kills its worker.
//!
//! SQS counts receives, whatever became of them: outages, deployments and neighbours that took the process along spend
//! them too. So an attempt at a message that comes for the second time or more notes in the Effects table that it
//! began, and when it reports, whatever it reports, takes the note back. An attempt that began and never reported died
//! with its worker. The next one runs while nothing else does ([`Standing::Alone`]), which clears the neighbours: they
//! succeed. A message that dies alone as well is dead-lettered as what it is. What earlier attempts left is not cleared
//! by one that reports: it may have met an outage before it came to what kills.
//!
//! Failures that were reported are counted here, too, because only they are attempts. A message that succeeds at its
//! first receive costs nothing.
//!
//! Item `attempt#<service>#<message id>`: `begun` (S, the attempt that has not reported, or empty), `earlier` (S, the
//! one that stood there before it), `alone` (N, attempts that ran alone and have not reported), `failures` (N),
//! `expiresAt` (N, the table's TTL). All writes set values and add none, so that one that the SDK repeats changes
//! nothing. An attempt that cannot be noted is not the message's fault: it waits.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use aws_sdk_dynamodb::{
    Client,
    config::retry::RetryPartition,
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, KeySchemaElement, ReturnValue, TableDescription},
};
use jiff::SignedDuration;

use super::{ConsumerConfig, Delivery};
use crate::runtime::{
    aws,
    delivery::{Standing, standing},
    env,
    failure::{Failure, FailureKind, describe},
};

/// Days for which an attempt is remembered: the longest retention of a queue and a day.
const RETENTION_DAYS: i64 = 15;

/// The wait after a note that could not be made.
const UNNOTED_WAIT: Duration = Duration::from_secs(1);

/// No attempt.
const NONE: &str = "";

pub(super) struct Ledger {
    dynamodb: Client,
    table: String,
    service: &'static str,
}

/// What is known of one message during one receive.
pub(super) struct Entry {
    key: String,
    attempt: String,
    /// Whether the ledger is asked at all: not at the first receive.
    again: bool,
    /// Whether SQS would take the message away after this receive.
    last: bool,
    begun: bool,
    /// Whether [`Ledger::begin`] has learned of earlier attempts before, during this receive.
    known: bool,
    /// The earlier attempt that never reported, or [`NONE`].
    earlier: String,
    /// Earlier attempts that ran alone and never reported.
    alone: u32,
    pub(super) failures: u32,
}

impl Entry {
    /// How the next run may be done.
    pub(super) fn standing(&self) -> Standing {
        standing(self.earlier != NONE, self.alone, self.last)
    }

    /// Whether [`Ledger::begin`] has nothing more to do.
    pub(super) fn has_begun(&self) -> bool {
        self.begun || !self.again
    }
}

impl Ledger {
    /// Opens the ledger and checks that its table has the key it needs.
    pub(super) async fn open(
        service: &'static str,
        dynamodb: &Client,
        config: &ConsumerConfig,
    ) -> anyhow::Result<Self> {
        // Handlers use the same service: what they are refused must not cost the notes their repetitions.
        let own = RetryPartition::custom("nova-attempts").build();
        let builder = dynamodb.config().to_builder().retry_partition(own).timeout_config(aws::timeouts());
        let dynamodb = Client::from_conf(builder.build());
        let table = config.attempts_table.clone();
        let described = dynamodb.describe_table().table_name(&table).send().await;
        let described = described
            .map_err(|error| describe(&error))
            .with_context(|| format!("NOVA_ATTEMPTS_TABLE: failed to describe the table {table:?}"))?;
        let keys = described.table().map(TableDescription::key_schema).unwrap_or_default();
        let names: Vec<_> = keys.iter().map(KeySchemaElement::attribute_name).collect();
        ensure!(
            names == ["effectId"],
            "NOVA_ATTEMPTS_TABLE: the table {table:?} has the key {names:?}, expected is effectId"
        );
        Ok(Self { dynamodb, table, service })
    }

    /// The entry of a message that was received just now, before anything is known.
    pub(super) fn entry(&self, delivery: &Delivery, receive_count_max: u32) -> Entry {
        Entry {
            key: format!("attempt#{}#{}", self.service, delivery.message_id),
            attempt: env::random_uuid().to_string(),
            again: delivery.receive_count > 1,
            last: delivery.receive_count >= receive_count_max,
            begun: false,
            known: false,
            earlier: NONE.to_owned(),
            alone: 0,
            failures: 0,
        }
    }

    /// Notes that an attempt begins, and learns of earlier ones.
    pub(super) async fn begin(&self, entry: &mut Entry) -> Result<(), Failure> {
        if entry.has_begun() {
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
            .map_err(unnoted)?;
        let item = output.attributes.unwrap_or_default();
        let count = |name: &str| -> u32 {
            item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0)
        };
        let earlier = item.get("earlier").and_then(|value| value.as_s().ok());
        let is_own = earlier.is_some_and(|earlier| *earlier == entry.attempt);
        // Our own attempt stands there when the SDK repeated the request because its reply was lost. What stood there
        // before it is not known then: the message is believed to be harmless, and found out next time.
        if let Some(earlier) = earlier.filter(|_| !is_own) {
            entry.earlier.clone_from(earlier);
        }
        // It also stands there when it ran before and its report could not be noted. Then what is counted may be itself.
        if !(is_own && entry.known) {
            entry.alone = count("alone");
        }
        (entry.failures, entry.begun, entry.known) = (count("failures"), true, true);
        Ok(())
    }

    /// Notes that the attempt runs alone from now on.
    pub(super) async fn runs_alone(&self, entry: &Entry) -> Result<(), Failure> {
        self.update(entry)
            .update_expression("SET alone = :alone")
            .expression_attribute_values(":alone", number(&(entry.alone + 1)))
            .send()
            .await
            .map(|_| ())
            .map_err(unnoted)
    }

    /// Notes that the attempt failed by itself.
    pub(super) async fn failed(&self, entry: &mut Entry) {
        entry.failures = entry.failures.saturating_add(1);
        let update = self
            .update(entry)
            .update_expression(
                "SET begun = :earlier, alone = :alone, failures = :failures, expiresAt = :expires",
            )
            .expression_attribute_values(":earlier", text(&entry.earlier))
            .expression_attribute_values(":alone", number(&entry.alone))
            .expression_attribute_values(":failures", number(&entry.failures))
            .expression_attribute_values(":expires", expires_at());
        self.note(update).await;
        entry.begun = false;
    }

    /// Notes that the attempt reported something that is not counted against the message.
    pub(super) async fn reported(&self, entry: &mut Entry) {
        if !std::mem::take(&mut entry.begun) {
            return;
        }
        let update = self
            .update(entry)
            // Somebody else may have begun meanwhile.
            .condition_expression("begun = :attempt")
            .update_expression("SET begun = :earlier, alone = :alone")
            .expression_attribute_values(":attempt", text(&entry.attempt))
            .expression_attribute_values(":earlier", text(&entry.earlier))
            .expression_attribute_values(":alone", number(&entry.alone));
        self.note(update).await;
    }

    /// A note that is not made costs a message some neighbourhood, or one more attempt.
    async fn note(&self, update: UpdateItemFluentBuilder) {
        if let Err(error) = update.send().await
            && !error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
        {
            let error = format!("{:#}", describe(&error));
            tracing::warn!(service = self.service, error, "failed to note the end of an attempt");
        }
    }

    fn update(&self, entry: &Entry) -> UpdateItemFluentBuilder {
        self.dynamodb.update_item().table_name(&self.table).key("effectId", text(&entry.key))
    }
}

/// An attempt that could not be noted is not made, and does not count.
fn unnoted(error: SdkError<UpdateItemError>) -> Failure {
    let failure = Failure::aws(error).context("failed to note an attempt");
    match failure.kind() {
        FailureKind::Environment
        | FailureKind::Unavailable { .. }
        | FailureKind::Throttled { .. }
        | FailureKind::Busy { .. } => failure,
        FailureKind::Retry { .. } | FailureKind::Reject { .. } | FailureKind::Park => {
            Failure::busy(anyhow!("{failure}"), UNNOTED_WAIT)
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn expires_at() -> AttributeValue {
    let retention = SignedDuration::from_hours(24 * RETENTION_DAYS);
    number(&(env::now().as_second() + retention.as_secs()))
}
