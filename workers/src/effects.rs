//! The Effects table: what makes an effect happen once.
//!
//! Key `effectId` (S), for example `analysis#<conversation>`; `expiresAt` (N, seconds) is the table's TTL, 90 days
//! ahead: longer than any queue, dead-letter queue and archive together keep a message. An item that TTL has not
//! yet deleted still counts.
//!
//! Three kinds of items:
//! - a **marker** stands there or not: [`Effects::marker`], written in the transaction of its effect;
//! - a **lease** is for effects outside DynamoDB: `state` (`running`, `finished`), `owner` (one attempt at one
//!   message), `epoch` (counts the owners), `until` (N, milliseconds), `outcome` (S, once finished). One attempt
//!   holds it at a time. Finishing is conditional on owner and epoch, so an attempt that lost its lease cannot
//!   finish. Other attempts read the outcome.
//! - a **note** has an attribute for each thing that happened, with its time (N, milliseconds): [`Effects::note`].
//!
//! A lease trusts clocks to agree within a few seconds. Where they do not, the effect may run twice, but is
//! finished once.

use std::{collections::HashMap, time::Duration};

use anyhow::anyhow;
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ConditionCheck, Put, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use events::{
    contract::UserId,
    dynamo::delete_items,
    pipeline::names::erasure_effect,
    runtime::{
        env,
        failure::Failure,
        retry::{Retry, RetryPolicy, retry},
    },
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Days for which an effect is remembered.
const RETENTION_DAYS: i64 = 90;

/// How long an attempt holds a lease without renewing it.
pub(crate) const LEASE: Duration = Duration::from_secs(45);

/// How often a held lease is renewed.
const RENEWAL: Duration = Duration::from_secs(15);

/// Repetitions of a renewal. The last of them starts before the lease is over.
const RENEWAL_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), cap: Duration::from_secs(4), attempts_max: 8 };

/// The longest time in which a finished effect is noted, with all repetitions.
const FINISH_DEADLINE: Duration = Duration::from_secs(20);

/// The wait after the first delivery that met somebody else's lease; three times as long after each further one.
/// Whoever holds the lease most often finishes within seconds.
const HELD_WAIT: Duration = Duration::from_secs(3);

const RUNNING: &str = "running";
const FINISHED: &str = "finished";

/// An item of the table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct Effects {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
}

/// The answer to a wish to run an effect.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Run it.
    Mine(Lease),
    /// It ran; this is its outcome.
    Finished(String),
}

/// The right to run an effect.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    effects: Effects,
    effect_id: String,
    owner: String,
    epoch: String,
    /// Until when nobody else can claim, unless it is renewed: counted from before the claim was sent.
    held_until: Instant,
}

impl Effects {
    pub(crate) fn new(dynamodb: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The item of `effect_id`, as of now.
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

    /// Whether the learner's data is erased, or about to be: what is stored of them now might stay (see `withdrawal`).
    pub(crate) async fn is_erased(&self, user_id: &UserId) -> Result<bool, Failure> {
        Ok(self.find(&erasure_effect(user_id)).await?.is_some())
    }

    /// The condition that the learner's data is not erased, to stand in a transaction.
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

    /// Forgets the effects `effect_ids`.
    pub(crate) async fn forget(&self, effect_ids: &[String]) -> Result<(), Failure> {
        let key = |id: &String| Item::from([("effectId".to_owned(), text(id))]);
        delete_items(&self.dynamodb, &self.table, effect_ids.iter().map(key).collect()).await
    }

    /// The write of a marker with `attributes`, to stand in a transaction: fails where the marker stands.
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

    /// Notes in the item of `effect_id` that `name` happened at `at`. The first note of a name stays.
    pub(crate) async fn note(&self, effect_id: &str, name: &str, at: Timestamp) -> Result<(), Failure> {
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(effect_id))
            .update_expression("SET #name = if_not_exists(#name, :at), expiresAt = :expires")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":at", number(&at.as_millisecond()))
            .expression_attribute_values(":expires", expires_at(at))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::aws(error).context("failed to note what happened"))
    }

    /// Claims `effect_id` for an attempt at the message that was received `receive_count` times.
    ///
    /// # Errors
    /// [`Failure::busy`] when another attempt holds it, at the latest after the remaining time of its lease.
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
            .expression_attribute_values(":now", number(&now.as_millisecond()))
            .expression_attribute_values(":expires", expires_at(now))
            .expression_attribute_values(":one", number(&1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let item = match claimed {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) => refused(error)?,
        };
        let attribute = |name: &str| {
            let value = item.get(name);
            value.and_then(|value| value.as_s().or_else(|_| value.as_n()).ok()).map(String::as_str)
        };
        if attribute("state") == Some(FINISHED) {
            return Ok(Claim::Finished(attribute("outcome").unwrap_or_default().to_owned()));
        }
        // The owner is ours also when the condition failed against our own claim, whose reply was lost.
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
    /// Runs `work` while the lease is renewed. When the lease is lost, `work` is dropped where it stands.
    pub(crate) async fn hold<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            failure = self.keep() => Err(failure),
        }
    }

    /// Notes that the effect happened. Nobody runs it again. It is tried several times, because an effect that
    /// happened and is not noted happens again.
    ///
    /// # Errors
    /// A retry when the lease was lost: another attempt decides.
    pub(crate) async fn finish(&self, outcome: &str) -> Result<(), Failure> {
        retry(RENEWAL_POLICY, Instant::now() + FINISH_DEADLINE, || self.finish_once(outcome)).await
    }

    async fn finish_once(&self, outcome: &str) -> Result<(), Retry<Failure>> {
        let finished = self
            .owned()
            .update_expression("SET #state = :finished, outcome = :outcome REMOVE #until")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":finished", text(FINISHED))
            .expression_attribute_values(":outcome", text(outcome))
            .send()
            .await;
        let Err(error) = finished else { return Ok(()) };
        let item = refused(error).map_err(Retry::transient)?;
        let is = |name: &str, value: &str| item.get(name).is_some_and(|found| *found == text(value));
        // Ours, with a lost reply.
        let ours = is("state", FINISHED) && is("owner", &self.owner);
        if ours { Ok(()) } else { Err(Retry::Permanent(lost())) }
    }

    /// Lets the next attempt run at once, after an attempt that failed. Not having it only costs time.
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

    /// Renews until that is no longer possible.
    async fn keep(&self) -> Failure {
        let mut held_until = self.held_until;
        let mut next = held_until - LEASE + RENEWAL;
        loop {
            tokio::time::sleep_until(next.min(held_until)).await;
            let start = Instant::now();
            let renewed = retry(RENEWAL_POLICY, held_until, || self.renew());
            // A renewal that is not answered must not outlast the lease.
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
            .map_err(|error| match refused(error) {
                Ok(_) => Retry::Permanent(lost()),
                Err(failure) => Retry::transient(failure),
            })
    }

    /// An update that only this attempt may make.
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

/// The attributes of an effect that the next claim gets, beside `attributes`: to stand in a [`Effects::marker`].
pub(crate) fn claimable(attributes: Item) -> Item {
    let lease = [("state", text(RUNNING)), ("until", number(&0)), ("epoch", number(&0))];
    lease.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(attributes).collect()
}

/// The attributes of an effect that happened with `outcome`, beside `attributes`: to stand in a [`Effects::marker`].
pub(crate) fn finished(outcome: &str, attributes: Item) -> Item {
    let state = [("state", text(FINISHED)), ("outcome", text(outcome))];
    state.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(attributes).collect()
}

/// A string attribute.
pub(crate) fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number attribute.
pub(crate) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The item against which a condition failed; any other error is a failure.
fn refused(error: SdkError<UpdateItemError>) -> Result<Item, Failure> {
    if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
        return Ok(failed.item.clone().unwrap_or_default());
    }
    Err(Failure::aws(error).context("failed to write the effect"))
}

/// How long a message that was received `receive_count` times waits for a lease that lasts `remaining` if it is
/// not renewed.
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

/// The TTL of an item that is written at `at`.
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
