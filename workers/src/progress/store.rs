//! The UserProgress table and the markers that make each event count once.
//!
//! One transaction: the marker `progress#<event id>` in the Effects table (it must not stand there), the sums of
//! the day, the sums of the total. DynamoDB applies all of it or nothing.
//!
//! A milestone is reached by the conversation that finds the total one short of it, so a conversation is counted
//! on the condition that the total is what it was when it was read; the milestones it reached are in its marker,
//! where a repetition of the event finds them. Two conversations of one learner that end together: one of them
//! meets a moved total, reads again and tries again.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use anyhow::{Context, anyhow};
use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem, Update},
};
use events::{
    contract::{EventId, Milestone, UserId},
    runtime::{
        failure::Failure,
        retry::{Retry, RetryPolicy, retry},
    },
};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    counts::{self, Change},
    transaction::{Cancelled, cancelled},
};
use crate::effects::{Effects, number, text};

/// The sort key of the item that sums up all days of a learner. It sorts behind every date.
const TOTAL: &str = "total";

/// Repetitions of a transaction that met another one.
const CONFLICT_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(40), cap: Duration::from_millis(800), attempts_max: 25 };

/// The longest time a change may take with all its repetitions.
const APPLY_DEADLINE: Duration = Duration::from_secs(20);

/// The table.
#[derive(Clone, Debug)]
pub(super) struct Store {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    effects: Effects,
}

impl Store {
    pub(super) fn new(dynamodb: aws_sdk_dynamodb::Client, table: String, effects: Effects) -> Self {
        Self { dynamodb, table, effects }
    }

    /// Adds `change`, caused by the event `cause` at `at`, once. Returns the milestones it reached, the same ones
    /// each time.
    ///
    /// # Errors
    /// By the nature of the failed call; conflicts that do not end are a retry.
    pub(super) async fn apply(
        &self,
        cause: EventId,
        at: Timestamp,
        change: &Change,
    ) -> Result<Vec<Milestone>, Failure> {
        retry(CONFLICT_POLICY, Instant::now() + APPLY_DEADLINE, || async {
            if let Some(milestones) = self.applied(cause).await.map_err(Retry::Permanent)? {
                return Ok(milestones);
            }
            let before = if change.counts_conversation {
                Some(self.conversations(&change.user_id).await.map_err(Retry::Permanent)?)
            } else {
                None
            };
            self.transact(cause, at, change, before).await
        })
        .await
    }

    /// The milestones in the marker of `cause`, if it stands.
    async fn applied(&self, cause: EventId) -> Result<Option<Vec<Milestone>>, Failure> {
        let Some(item) = self.effects.find(&effect_id(cause)).await? else { return Ok(None) };
        let milestones = item
            .get("milestones")
            .and_then(|value| value.as_s().ok())
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or_else(|| Failure::reject("the marker's milestones are unreadable"))?;
        Ok(Some(milestones))
    }

    /// The conversations of a learner so far.
    async fn conversations(&self, user_id: &UserId) -> Result<u64, Failure> {
        let output = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .key("date", text(TOTAL))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to read the learner's total"))?;
        let count = output.item.as_ref().and_then(|item| item.get("conversations"));
        match count {
            None => Ok(0),
            Some(count) => count
                .as_n()
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| Failure::reject("the learner's total is unreadable")),
        }
    }

    /// One attempt. `before` is the total of conversations on which it depends, where it does.
    async fn transact(
        &self,
        cause: EventId,
        at: Timestamp,
        change: &Change,
        before: Option<u64>,
    ) -> Result<Vec<Milestone>, Retry<Failure>> {
        let milestones = before.map(counts::milestones).unwrap_or_default();
        let writes = self
            .writes(cause, at, change, (&milestones, before))
            .context("failed to build the transaction")
            .map_err(|error| Retry::Permanent(Failure::reject(format!("{error:#}"))))?;
        let sent = self
            .dynamodb
            .transact_write_items()
            .client_request_token(request_token(cause, before))
            .set_transact_items(Some(writes))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(milestones),
            Err(error) => Err(refused(error)),
        }
    }

    fn writes(
        &self,
        cause: EventId,
        at: Timestamp,
        change: &Change,
        (milestones, before): (&[Milestone], Option<u64>),
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let reached = serde_json::to_string(milestones).expect("milestones are written by their names");
        let attributes = HashMap::from([
            ("milestones".to_owned(), text(&reached)),
            ("date".to_owned(), text(&change.date)),
            ("conversationId".to_owned(), text(&change.conversation_id)),
        ]);
        let marker = self.effects.marker(&effect_id(cause), attributes, at)?;
        let day = self.addition(&change.user_id, &change.date, &change.added, None)?;
        let total = self.addition(&change.user_id, TOTAL, &change.added, before)?;
        Ok(vec![
            TransactWriteItem::builder().put(marker).build(),
            TransactWriteItem::builder().update(day).build(),
            TransactWriteItem::builder().update(total).build(),
        ])
    }

    /// Adds `added` to one item, where given on the condition that it counts `before` conversations.
    fn addition(
        &self,
        user_id: &UserId,
        date: &str,
        added: &BTreeMap<&'static str, u64>,
        before: Option<u64>,
    ) -> Result<Update, BuildError> {
        let (expression, values) = addition(added);
        let update = Update::builder()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .key("date", text(date))
            .update_expression(expression)
            .set_expression_attribute_values(Some(values));
        match before {
            None => update,
            Some(0) => update.condition_expression("attribute_not_exists(conversations)"),
            Some(before) => update
                .condition_expression("conversations = :before")
                .expression_attribute_values(":before", number(&before)),
        }
        .build()
    }
}

/// `ADD name :name, …` and its values. None of the names is a reserved word of DynamoDB.
fn addition(added: &BTreeMap<&'static str, u64>) -> (String, HashMap<String, AttributeValue>) {
    let terms: Vec<_> = added.keys().map(|name| format!("{name} :{name}")).collect();
    let values = added.iter().map(|(name, value)| (format!(":{name}"), number(value))).collect();
    (format!("ADD {}", terms.join(", ")), values)
}

fn effect_id(cause: EventId) -> String {
    format!("progress#{cause}")
}

/// The token by which DynamoDB recognises a repeated request for ten minutes. The same token must come with the
/// same request, and the request depends on `before`.
fn request_token(cause: EventId, before: Option<u64>) -> String {
    let name = before.map_or_else(String::new, |before| before.to_string());
    Uuid::new_v5(&cause.uuid(), name.as_bytes()).to_string()
}

fn refused(error: SdkError<TransactWriteItemsError>) -> Retry<Failure> {
    let again = |what: String| Retry::transient(Failure::retry(anyhow!("{what}")));
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(reasons)) => {
            let codes: Vec<_> =
                reasons.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
            match cancelled(&codes) {
                // The next attempt finds the marker and returns what it says.
                Cancelled::Applied => again("the event was counted in this very moment".to_owned()),
                Cancelled::Again(codes) => again(format!("the transaction was cancelled: {codes}")),
                Cancelled::Invalid(codes) => {
                    Retry::Permanent(Failure::reject(format!("the transaction is invalid: {codes}")))
                }
            }
        }
        Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {
            again("the same change is being applied by another build".to_owned())
        }
        _ => Retry::Permanent(Failure::aws(error).context("failed to add to the learner's progress")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::completed;

    #[test]
    fn addition_names_every_attribute_with_its_value() {
        let (expression, values) = addition(&BTreeMap::from([("turns", 4), ("conversations", 1)]));
        assert_eq!(expression, "ADD conversations :conversations, turns :turns");
        assert_eq!(
            values,
            HashMap::from([(":conversations".into(), number(&1)), (":turns".into(), number(&4))])
        );
    }

    #[test]
    fn request_token_is_the_same_for_the_same_request_only() {
        let cause = EventId::derive(completed(0).conversation_id, "conversation.completed");
        let other = EventId::derive(completed(0).conversation_id, "conversation.analyzed");
        assert_eq!(request_token(cause, Some(3)), request_token(cause, Some(3)));
        assert_ne!(request_token(cause, Some(3)), request_token(cause, Some(4)));
        assert_ne!(request_token(cause, Some(3)), request_token(other, Some(3)));
        // Source: DynamoDB API reference, TransactWriteItems, ClientRequestToken: 1 to 36 characters.
        assert_eq!(request_token(cause, None).len(), 36);
    }

    #[test]
    fn total_sorts_behind_every_date() {
        assert!(TOTAL > "9999-12-31");
    }
}
