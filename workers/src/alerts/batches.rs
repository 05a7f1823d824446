//! Batches of alerts in the Effects table.
//!
//! One transaction places an alert: it writes its item `alert#<id>` (on the condition that it does not exist) and its batch
//! `alert-batch#<name>` (on the condition that the batch is open and `count` is unchanged). The alert's item has the batch and
//! whether the alert is `held`, that is, not sent individually; a held alert is finished. The batch has `count` (N, all its
//! alerts), `held` (N), `listed` (S, the first held alerts, JSON), `carrier` (S, the id of the first held alert) and `due`
//! (N, milliseconds).
//!
//! A batch is closed before it is sent. It does not change after that, and later alerts are sent individually. A placed
//! alert is therefore in the message of its batch, however late and however often that is sent.

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{TransactWriteItem, Update},
};
use events::{
    dynamo::{Item, json_text, millis, number, read_item, text},
    runtime::{
        env,
        failure::Failure,
        retry::{Retry, RetryPolicy, retry},
    },
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    message::{BatchSummary, LISTED_MAX, Listed, Message},
    policy::{BatchAssignment, BatchKind, Policy},
    rules::Alert,
};
use crate::effects::{Effects, claimable, expires_at, finished};

/// Retries of a transaction that conflicted with another one. In a storm there are many.
const CONFLICT_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), cap: Duration::from_secs(1), attempts_max: 25 };

/// Deadline for placing an alert, with all retries.
const PLACE_DEADLINE: Duration = Duration::from_secs(20);

/// How an alert is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// As a message of its own.
    Individual,
    Batched(BatchedAlert),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BatchedAlert {
    pub(super) batch: String,
    /// Whether the alert's message is the timer of the batch.
    pub(super) is_carrier: bool,
    /// When the batch is sent.
    pub(super) due: Timestamp,
}

/// Reads and writes batches.
#[derive(Clone, Debug)]
pub(super) struct BatchStore {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    effects: Effects,
    policy: Policy,
}

/// The item of a batch; all attributes are absent before its first alert.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StoredBatch {
    count: u32,
    held: u32,
    #[serde(deserialize_with = "json_text::deserialize")]
    listed: Vec<Listed>,
    carrier: Option<String>,
    #[serde(rename = "due")]
    due_ms: i64,
    #[serde(rename = "closed")]
    closed_at_ms: Option<i64>,
}

impl StoredBatch {
    /// Whether the next alert is held for the batch message.
    fn holds_next(&self, assignment: &BatchAssignment) -> bool {
        self.count >= assignment.individual_max
    }
}

impl BatchStore {
    pub(super) fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table: String,
        effects: Effects,
        policy: Policy,
    ) -> Self {
        Self { dynamodb, table, effects, policy }
    }

    /// Places `alert`, unless it was placed before, and returns its placement.
    ///
    /// # Errors
    /// By the class of the failed call. Conflicts until the deadline are a retry.
    pub(super) async fn place(&self, alert: &Alert) -> Result<Placement, Failure> {
        retry(CONFLICT_POLICY, Instant::now() + PLACE_DEADLINE, || self.place_once(alert)).await
    }

    /// Closes the batch `name` and returns its message. A repetition returns the same message.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub(super) async fn close(&self, name: &str, alert: &Alert) -> Result<Message, Failure> {
        let closed = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(&item_id(name)))
            .update_expression("SET #closed = if_not_exists(#closed, :now)")
            .expression_attribute_names("#closed", "closed")
            .expression_attribute_values(":now", millis(env::now()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to close a batch of alerts"))?;
        let stored = read(closed.attributes.unwrap_or_default())?;
        Ok(Message::batch(&BatchSummary {
            name,
            kind: if name.starts_with("quiet#") { BatchKind::Quiet } else { BatchKind::Storm },
            severity: alert.severity,
            count: stored.count,
            held: stored.held,
            listed: &stored.listed,
        }))
    }

    async fn place_once(&self, alert: &Alert) -> Result<Placement, Retry<Failure>> {
        if let Some(item) = self.effects.find(&alert_item_id(alert)).await.map_err(Retry::Permanent)? {
            return self.placed(alert, &item).await.map_err(Retry::Permanent);
        }
        let now = env::now();
        let assignment = self.policy.assign(alert.rule, alert.severity, now);
        let stored = self.stored(&assignment.batch).await.map_err(Retry::Permanent)?;
        if stored.closed_at_ms.is_some() {
            // The clock of the process that closed the batch is ahead of ours.
            return Ok(Placement::Individual);
        }
        let held = stored.holds_next(&assignment);
        let is_carrier = held && stored.carrier.is_none();
        let writes = self
            .writes(alert, &assignment, &stored, now)
            .context("failed to build the transaction")
            .map_err(|error| Retry::Permanent(Failure::reject(format!("{error:#}"))))?;
        let sent = self
            .dynamodb
            .transact_write_items()
            .client_request_token(env::random_uuid().to_string())
            .set_transact_items(Some(writes))
            .send()
            .await;
        match sent {
            Ok(_) if held => {
                let BatchAssignment { batch, due, .. } = assignment;
                Ok(Placement::Batched(BatchedAlert { batch, is_carrier, due }))
            }
            Ok(_) => Ok(Placement::Individual),
            Err(error) => Err(failure(error)),
        }
    }

    async fn placed(&self, alert: &Alert, item: &Item) -> Result<Placement, Failure> {
        let is_held = item.get("held").is_some();
        let Some(batch) = item.get("batch").and_then(|batch| batch.as_s().ok()).filter(|_| is_held) else {
            return Ok(Placement::Individual);
        };
        let stored = self.stored(batch).await?;
        let is_carrier = stored.carrier == Some(alert.alert_id.to_string());
        let due = Timestamp::from_millisecond(stored.due_ms).unwrap_or(Timestamp::MIN);
        Ok(Placement::Batched(BatchedAlert { batch: batch.clone(), is_carrier, due }))
    }

    async fn stored(&self, name: &str) -> Result<StoredBatch, Failure> {
        self.effects.find(&item_id(name)).await?.map_or_else(|| Ok(StoredBatch::default()), read)
    }

    fn writes(
        &self,
        alert: &Alert,
        assignment: &BatchAssignment,
        stored: &StoredBatch,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let held = stored.holds_next(assignment);
        let batch = ("batch".to_owned(), text(&assignment.batch));
        let item = if held {
            finished("held", Item::from([batch, ("held".to_owned(), number(&1))]))
        } else {
            claimable(Item::from([batch]))
        };
        let marker = self.effects.marker(&alert_item_id(alert), item, now)?;
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("effectId", text(&item_id(&assignment.batch)))
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#closed", "closed")
            .expression_attribute_values(":count", number(&(stored.count + 1)))
            .expression_attribute_values(":due", millis(assignment.due))
            .expression_attribute_values(":expires", expires_at(now));
        let mut settings = "SET #count = :count, #due = :due, expiresAt = :expires".to_owned();
        if held {
            let mut listed = stored.listed.clone();
            if listed.len() < LISTED_MAX {
                listed.push(Listed::of(alert));
            }
            let listed = serde_json::to_string(&listed).expect("ids, names and times are written as JSON");
            let id = alert.alert_id.to_string();
            let carrier = stored.carrier.as_ref().unwrap_or(&id);
            settings.push_str(", #held = :held, #listed = :listed, #carrier = :carrier");
            update = update
                .expression_attribute_names("#held", "held")
                .expression_attribute_names("#listed", "listed")
                .expression_attribute_names("#carrier", "carrier")
                .expression_attribute_values(":held", number(&(stored.held + 1)))
                .expression_attribute_values(":listed", text(&listed))
                .expression_attribute_values(":carrier", text(carrier));
        }
        let update = match stored.count {
            0 => {
                update.condition_expression("attribute_not_exists(#count) AND attribute_not_exists(#closed)")
            }
            before => update
                .condition_expression("#count = :before AND attribute_not_exists(#closed)")
                .expression_attribute_values(":before", number(&before)),
        };
        Ok(vec![
            TransactWriteItem::builder().put(marker).build(),
            TransactWriteItem::builder().update(update.update_expression(settings).build()?).build(),
        ])
    }
}

/// The key of the item of `alert`.
pub(super) fn alert_item_id(alert: &Alert) -> String {
    sent_item_id(alert.alert_id)
}

/// The key of the item of the message `alert_id`.
pub(super) fn sent_item_id(alert_id: Uuid) -> String {
    format!("alert#{alert_id}")
}

fn item_id(batch: &str) -> String {
    format!("alert-batch#{batch}")
}

fn read(item: Item) -> Result<StoredBatch, Failure> {
    read_item(item).map_err(|error| Failure::reject(format!("a batch of alerts: {error}")))
}

/// After a cancelled transaction the state is read again: the alert may have been placed, or the batch may have changed.
fn failure(error: SdkError<TransactWriteItemsError>) -> Retry<Failure> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(reasons)) => {
            let code = |index: usize| reasons.cancellation_reasons().get(index)?.code();
            let codes = format!("{:?}, {:?}", code(0), code(1));
            if codes.contains("ValidationError") {
                return Retry::Permanent(Failure::reject(format!("the transaction is invalid: {codes}")));
            }
            Retry::transient(Failure::retry(anyhow!("the transaction was cancelled: {codes}")))
        }
        _ => Retry::Permanent(Failure::aws(error).context("failed to place an alert")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_without_an_item_is_empty_and_one_that_is_unreadable_is_refused() {
        let empty = read(Item::new()).unwrap();
        assert_eq!((empty.count, empty.held, empty.closed_at_ms, empty.carrier), (0, 0, None, None));
        for (name, value) in [("count", text("many")), ("listed", text("all")), ("held", number(&-1))] {
            assert!(read(Item::from([(name.to_owned(), value)])).is_err(), "{name}");
        }
    }
}
