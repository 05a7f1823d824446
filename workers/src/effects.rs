//! The Effects table, which makes effects idempotent.
//!
//! Key `effectId` (S), for example `analysis#<conversation>`; `expiresAt` (N, seconds) is the table's TTL, 90 days
//! ahead: longer than queue, dead-letter queue and archive together keep a message. An item that TTL has not deleted
//! yet is still valid.
//!
//! Three kinds of items:
//! - a **marker** exists or not: [`Effects::marker`], written in the transaction of its effect;
//! - a **lease** is for effects outside DynamoDB: `state` (`running`, `finished`), `owner` (one attempt at one
//!   message), `epoch` (counts the owners), `until` (N, milliseconds), `outcome` (S, once finished). One attempt
//!   holds it at a time. Finishing is conditional on owner and epoch, so an attempt that lost its lease cannot
//!   finish. Other attempts read the outcome.
//! - a **note** has one attribute per occurrence, with its time (N, milliseconds): [`Effects::note`].
//!
//! Leases assume clocks that agree within a few seconds. With larger differences the effect may run twice, but is finished
//! once.

use std::{collections::BTreeSet, time::Duration};

use anyhow::anyhow;
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ConditionCheck, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, Update},
};
use events::{
    contract::UserId,
    dynamo::{Item, delete_items, millis, number, text},
    pipeline::names::erasure_effect,
    runtime::{
        env,
        failure::Failure,
        retry::{Retry, RetryPolicy, retry},
    },
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

const RETENTION_DAYS: i64 = 90;

/// Duration of a lease that is not renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(45);

const RENEWAL: Duration = Duration::from_secs(15);

/// Retries of a renewal. The last one starts before the lease expires.
const RENEWAL_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), cap: Duration::from_secs(4), attempts_max: 8 };

/// Deadline for finishing a lease, with all retries.
const FINISH_DEADLINE: Duration = Duration::from_secs(20);

/// The wait after the first delivery that finds a lease of another attempt; three times as long after each further one.
/// The holder of a lease usually finishes within seconds.
const HELD_WAIT: Duration = Duration::from_secs(3);

const RUNNING: &str = "running";
const FINISHED: &str = "finished";

#[derive(Clone, Debug)]
pub(crate) struct Effects {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
}

#[derive(Debug)]
pub(crate) enum Claim {
    /// This attempt holds the lease and may run the effect.
    Mine(Lease),
    /// The effect has run; this is its outcome.
    Finished(String),
}

/// The exclusive right to run an effect.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    effects: Effects,
    effect_id: String,
    owner: String,
    epoch: String,
    /// End of the lease unless it is renewed, counted from before the claim was sent.
    held_until: Instant,
}

impl Effects {
    pub(crate) fn new(dynamodb: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The item of `effect_id`, read consistently.
    pub(crate) async fn find(&self, effect_id: &str) -> Result<Option<Item>, Failure> {
        self.dynamodb
            .get_item()
            .table_name(&self.table)
            .key("effectId", text(effect_id))
            .consistent_read(true)
            .send()
            .await
            .map(|output| output.item)
            .map_err(|error| Failure::aws(error).context("failed to read the effect"))
    }

    /// Whether the erasure of the learner's data has begun: a document that is stored now might stay (see `tombstone`).
    pub(crate) async fn is_erased(&self, user_id: &UserId) -> Result<bool, Failure> {
        Ok(self.find(&erasure_effect(user_id)).await?.is_some())
    }

    /// The condition that the learner's data is not erased, for a transaction.
    pub(crate) fn not_erased(
        &self,
        user_id: &UserId,
    ) -> Result<ConditionCheck, aws_sdk_dynamodb::error::BuildError> {
        ConditionCheck::builder()
            .table_name(&self.table)
            .key("effectId", text(&erasure_effect(user_id)))
            .condition_expression("attribute_not_exists(effectId)")
            .build()
    }

    pub(crate) async fn delete(&self, effect_ids: &[String]) -> Result<(), Failure> {
        let key = |id: &String| Item::from([("effectId".to_owned(), text(id))]);
        delete_items(&self.dynamodb, &self.table, effect_ids.iter().map(key).collect()).await
    }

    /// The write of a marker with `attributes`, for a transaction. It fails if the marker exists.
    pub(crate) fn marker(
        &self,
        effect_id: &str,
        attributes: Item,
        at: Timestamp,
    ) -> Result<Put, aws_sdk_dynamodb::error::BuildError> {
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(attributes))
            .item("effectId", text(effect_id))
            .item("expiresAt", expires_at(at))
            .condition_expression("attribute_not_exists(effectId)")
            .build()
    }

    /// The write that adds `attribute` to a marker, for a transaction. It fails if the marker has it, or does not exist.
    pub(crate) fn completed_marker(
        &self,
        effect_id: &str,
        attribute: &str,
    ) -> Result<Update, aws_sdk_dynamodb::error::BuildError> {
        Update::builder()
            .table_name(&self.table)
            .key("effectId", text(effect_id))
            .update_expression("SET #done = :done")
            .condition_expression("attribute_exists(effectId) AND attribute_not_exists(#done)")
            .expression_attribute_names("#done", attribute)
            .expression_attribute_values(":done", number(&1))
            .build()
    }

    /// Records in the item of `effect_id` that `name` happened at `at`. The first record of a name stays.
    pub(crate) async fn note(&self, effect_id: &str, name: &str, at: Timestamp) -> Result<(), Failure> {
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(effect_id))
            .update_expression("SET #name = if_not_exists(#name, :at), expiresAt = :expires")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":at", millis(at))
            .expression_attribute_values(":expires", expires_at(at))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::aws(error).context("failed to record an occurrence"))
    }

    /// Claims `effect_id` for an attempt at a message that was received `receive_count` times.
    ///
    /// # Errors
    /// [`Failure::busy`] while another attempt holds the lease, with a wait of at most its remaining time.
    pub(crate) async fn claim(
        &self,
        effect_id: &str,
        receive_count: u32,
        now: Timestamp,
    ) -> Result<Claim, Failure> {
        let owner = env::random_uuid().to_string();
        let held_until = Instant::now() + LEASE;
        let claimed = self
            .update(effect_id)
            .update_expression(
                "SET #state = :running, #owner = :owner, #until = :until, expiresAt = :expires ADD epoch :one",
            )
            .condition_expression("attribute_not_exists(effectId) OR (#state = :running AND #until <= :now)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":running", text(RUNNING))
            .expression_attribute_values(":owner", text(&owner))
            .expression_attribute_values(":until", number(&lease_end(now)))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":expires", expires_at(now))
            .expression_attribute_values(":one", number(&1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let item = match claimed {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) => failed_condition(error)?,
        };
        let attribute = |name: &str| {
            let value = item.get(name);
            value.and_then(|value| value.as_s().or_else(|_| value.as_n()).ok()).map(String::as_str)
        };
        if attribute("state") == Some(FINISHED) {
            return Ok(Claim::Finished(attribute("outcome").unwrap_or_default().to_owned()));
        }
        // The condition also fails against our own claim if its response was lost.
        if attribute("owner") == Some(&owner) {
            let epoch = attribute("epoch").unwrap_or_default().to_owned();
            return Ok(Claim::Mine(Lease {
                effects: self.clone(),
                effect_id: effect_id.to_owned(),
                owner,
                epoch,
                held_until,
            }));
        }
        let until: i64 = attribute("until").and_then(|until| until.parse().ok()).unwrap_or(0);
        let remaining = u64::try_from(until - now.as_millisecond()).unwrap_or(0);
        let wait = held_wait(Duration::from_millis(remaining), receive_count);
        Err(Failure::busy(anyhow!("another attempt holds the effect"), wait))
    }

    fn update(&self, effect_id: &str) -> UpdateItemFluentBuilder {
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(effect_id))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

impl Lease {
    /// Runs `work` and renews the lease meanwhile. If the lease is lost, `work` is cancelled.
    pub(crate) async fn hold<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            failure = self.renew_until_lost() => Err(failure),
        }
    }

    /// Records that the effect has run, so that no attempt runs it again. The write is retried, because an effect that is
    /// not recorded runs again.
    ///
    /// # Errors
    /// A retry if the lease was lost: another attempt decides.
    pub(crate) async fn finish(&self, outcome: &str) -> Result<(), Failure> {
        self.finish_with(outcome, &Item::new()).await
    }

    /// The same, and adds `attributes` to the item.
    ///
    /// # Errors
    /// As [`Lease::finish`].
    pub(crate) async fn finish_with(&self, outcome: &str, attributes: &Item) -> Result<(), Failure> {
        let finish = || self.finish_once(outcome, attributes);
        retry(RENEWAL_POLICY, Instant::now() + FINISH_DEADLINE, finish).await
    }

    async fn finish_once(&self, outcome: &str, attributes: &Item) -> Result<(), Retry<Failure>> {
        // In one order: a seed repeats a run call by call.
        let names: BTreeSet<&String> = attributes.keys().collect();
        let added: String = names.iter().map(|name| format!(", {name} = :{name}")).collect();
        let mut finish = self
            .owned()
            .update_expression(format!("SET #state = :finished, outcome = :outcome{added} REMOVE #until"))
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":finished", text(FINISHED))
            .expression_attribute_values(":outcome", text(outcome));
        for (name, value) in attributes {
            finish = finish.expression_attribute_values(format!(":{name}"), value.clone());
        }
        let finished = finish.send().await;
        let Err(error) = finished else { return Ok(()) };
        let item = failed_condition(error).map_err(Retry::transient)?;
        let is = |name: &str, value: &str| item.get(name).is_some_and(|found| *found == text(value));
        // Our own write, whose response was lost.
        let ours = is("state", FINISHED) && is("owner", &self.owner);
        if ours { Ok(()) } else { Err(Retry::Permanent(lost())) }
    }

    /// Ends the lease after a failed attempt, so that the next attempt need not wait. If this fails, the next attempt waits.
    pub(crate) async fn release(&self) {
        let released = self
            .owned()
            .update_expression("SET #until = :zero")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":zero", number(&0))
            .send()
            .await;
        if let Err(error) = released {
            let failure = Failure::aws(error);
            tracing::warn!(effect.id = self.effect_id, error = %failure, "failed to release an effect's lease");
        }
    }

    async fn renew_until_lost(&self) -> Failure {
        let mut held_until = self.held_until;
        let mut next = held_until - LEASE + RENEWAL;
        loop {
            tokio::time::sleep_until(next.min(held_until)).await;
            let start = Instant::now();
            let renewed = retry(RENEWAL_POLICY, held_until, || self.renew());
            // A renewal without a response must not outlast the lease.
            match tokio::time::timeout_at(held_until, renewed).await {
                Ok(Ok(())) => (held_until, next) = (start + LEASE, start + RENEWAL),
                Ok(Err(failure)) => return failure,
                Err(_) => return lost(),
            }
        }
    }

    async fn renew(&self) -> Result<(), Retry<Failure>> {
        self.owned()
            .update_expression("SET #until = :until")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":until", number(&lease_end(env::now())))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| match failed_condition(error) {
                Ok(_) => Retry::Permanent(lost()),
                Err(failure) => Retry::transient(failure),
            })
    }

    /// An update that succeeds only while this attempt holds the lease.
    fn owned(&self) -> UpdateItemFluentBuilder {
        self.effects
            .update(&self.effect_id)
            .condition_expression("#state = :running AND #owner = :owner AND epoch = :epoch")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":running", text(RUNNING))
            .expression_attribute_values(":owner", text(&self.owner))
            .expression_attribute_values(":epoch", AttributeValue::N(self.epoch.clone()))
    }
}

/// The attributes of an effect that the next claim gets, with `attributes`, for an [`Effects::marker`].
pub(crate) fn claimable(attributes: Item) -> Item {
    let lease = [("state", text(RUNNING)), ("until", number(&0)), ("epoch", number(&0))];
    lease.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(attributes).collect()
}

/// The attributes of an effect that has finished with `outcome`, with `attributes`, for an [`Effects::marker`].
pub(crate) fn finished(outcome: &str, attributes: Item) -> Item {
    let state = [("state", text(FINISHED)), ("outcome", text(outcome))];
    state.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(attributes).collect()
}

/// The item for which the condition failed. Any other error is a failure.
fn failed_condition(error: SdkError<UpdateItemError>) -> Result<Item, Failure> {
    if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
        return Ok(failed.item.clone().unwrap_or_default());
    }
    Err(Failure::aws(error).context("failed to write the effect"))
}

/// The wait of a message that was received `receive_count` times for a lease with the `remaining` time.
fn held_wait(remaining: Duration, receive_count: u32) -> Duration {
    let factor = 3u32.saturating_pow(receive_count.saturating_sub(1));
    HELD_WAIT.saturating_mul(factor).min(remaining)
}

fn lost() -> Failure {
    Failure::retry(anyhow!("the lease of the effect was lost"))
}

fn lease_end(now: Timestamp) -> i64 {
    now.as_millisecond() + i64::try_from(LEASE.as_millis()).expect("a lease lasts less than a minute")
}

/// `expiresAt` of an item that is written at `at`.
pub(crate) fn expires_at(at: Timestamp) -> AttributeValue {
    number(&(at.as_second() + SignedDuration::from_hours(24 * RETENTION_DAYS).as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_for_a_held_lease_grows_and_ends_with_the_lease() {
        let waits: Vec<_> = (0..=5).map(|received| held_wait(LEASE, received).as_secs()).collect();
        assert_eq!(waits, [3, 3, 9, 27, 45, 45]);
        assert_eq!(held_wait(LEASE, u32::MAX), LEASE);
        assert_eq!(held_wait(Duration::ZERO, 1), Duration::ZERO);
    }

    #[test]
    fn lease_that_is_never_renewed_is_waited_for_at_five_deliveries_at_the_most() {
        let waited: Duration = (1..=5).map(|received| held_wait(LEASE, received)).sum();
        assert!(waited > LEASE * 2, "{waited:?}");
    }
}
