//! The UserProgress table and the markers by which each event counts once.
//!
//! One transaction writes the marker `progress#<event id>` in the Effects table (on the condition that it does not exist),
//! the sums of the day and the total, and the items about all learners, on the condition that the learner's data is not
//! erased.
//!
//! The marker of an event that a build without the items about all learners counted has no attribute `overview`. A repetition
//! of the event then adds what that build did not count, once, and the attribute.
//!
//! The attributes of the total other than its sums are computed from the previous total, so the write is conditional on its
//! `revision`. The marker holds the milestones and the standing for a repetition of the event. Of two concurrent events of
//! one learner, one finds a changed revision, reads again and retries.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, anyhow};
use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem, Update},
};
use events::{
    contract::{EventId, Milestone, Standing, UserId},
    dynamo::{Item, millis, name, number, text},
    pipeline::{
        names::{OVERVIEW_COUNTED, PROGRESS_TOTAL, progress_effect, sortable},
        overview::{RANKINGS, places},
    },
    runtime::{
        env,
        failure::Failure,
        retry::{Retry, RetryPolicy, retry},
    },
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    counts::{Amounts, Change},
    days::Days,
    overview,
    total::Total,
    transaction::{Cancellation, MARKER, cancelled},
};
use crate::effects::Effects;

/// Retries of a transaction that conflicted with another one.
const CONFLICT_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(40), cap: Duration::from_millis(800), attempts_max: 25 };

/// Deadline of a change with all retries.
const APPLY_DEADLINE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub(super) struct Store {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    effects: Effects,
}

/// The result of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) milestones: Vec<Milestone>,
    /// The learner's standing after it; `None` for a change that an older build counted.
    pub(super) standing: Option<Standing>,
}

/// What is known of an event before a transaction.
#[derive(Debug)]
struct Before {
    /// The learner's total.
    total: Total,
    /// The result of a change that an older build counted without the items about all learners.
    counted: Option<Applied>,
}

impl Store {
    pub(super) fn new(dynamodb: aws_sdk_dynamodb::Client, table: String, effects: Effects) -> Self {
        Self { dynamodb, table, effects }
    }

    /// Counts `change`, caused by the event `cause` at `at`, once. A repetition returns the same result. Returns `None`, and
    /// counts nothing, if the learner's data is erased.
    ///
    /// # Errors
    /// By the class of the failed call. Conflicts until the deadline are a retry.
    pub(super) async fn apply(
        &self,
        cause: EventId,
        at: Timestamp,
        change: &Change,
    ) -> Result<Option<Applied>, Failure> {
        retry(CONFLICT_POLICY, Instant::now() + APPLY_DEADLINE, || async {
            let marker = self.marker(cause).await.map_err(Retry::Permanent)?;
            let is_complete = marker.as_ref().is_some_and(|marker| marker.contains_key(OVERVIEW_COUNTED));
            let counted = marker.map(|marker| applied(&marker)).transpose().map_err(Retry::Permanent)?;
            if is_complete {
                return Ok(counted);
            }
            let total = self.total(&change.user_id).await.map_err(Retry::Permanent)?;
            self.transact(cause, at, change, Before { total, counted }).await
        })
        .await
    }

    /// Whether the event `cause` is counted.
    pub(super) async fn is_counted(&self, cause: EventId) -> Result<bool, Failure> {
        Ok(self.marker(cause).await?.is_some())
    }

    async fn marker(&self, cause: EventId) -> Result<Option<Item>, Failure> {
        self.effects.find(&progress_effect(cause)).await
    }

    /// The learner's current total.
    async fn total(&self, user_id: &UserId) -> Result<Total, Failure> {
        let output = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .key("date", text(PROGRESS_TOTAL))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to read the learner's total"))?;
        output.item.as_ref().map_or_else(|| Ok(Total::default()), read_total)
    }

    /// One attempt, based on what was there `before`.
    async fn transact(
        &self,
        cause: EventId,
        at: Timestamp,
        change: &Change,
        before: Before,
    ) -> Result<Option<Applied>, Retry<Failure>> {
        let Before { total, counted } = before;
        let (revision, counted_at) = (total.revision, env::now());
        let mut after = total.clone();
        let is_repeated = counted.is_some();
        let applied = counted.unwrap_or_else(|| {
            let milestones = after.count(change);
            Applied { milestones, standing: Some(after.standing()) }
        });
        if is_repeated {
            after.complete(change);
        }
        after.rankings = places(&after.sums, &change.user_id);
        let marker = if is_repeated {
            let marker = self.effects.completed_marker(&progress_effect(cause), OVERVIEW_COUNTED);
            marker.map(|marker| TransactWriteItem::builder().update(marker).build())
        } else {
            let attributes = marker_attributes(change, &applied, counted_at);
            let marker = self.effects.marker(&progress_effect(cause), attributes, at);
            marker.map(|marker| TransactWriteItem::builder().put(marker).build())
        };
        let writes = marker.and_then(|marker| {
            let mut writes = self.writes(change, &after, (!is_repeated).then_some(counted_at))?;
            writes.insert(MARKER, marker);
            writes.extend(overview::moves(&self.table, &total.rankings, &after.rankings)?);
            writes.extend(overview::writes(&self.table, change)?);
            Ok(writes)
        });
        let writes = writes
            .context("failed to build the transaction")
            .map_err(|error| Retry::Permanent(Failure::reject(format!("{error:#}"))))?;
        let sent = self
            .dynamodb
            .transact_write_items()
            .client_request_token(request_token(cause, revision, counted_at))
            .set_transact_items(Some(writes))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Some(applied)),
            Err(error) => after_failure(error).map(|()| None),
        }
    }

    /// The writes to the items of the learner, with the condition of the transaction. Without `counted_at` an older build has
    /// counted the change: no more than the measured amounts are added, and the learner was not active.
    fn writes(
        &self,
        change: &Change,
        after: &Total,
        counted_at: Option<Timestamp>,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let update = |date: &str| {
            let update = Update::builder().table_name(&self.table).key("userId", text(&change.user_id));
            update.key("date", text(date))
        };
        let amounts = if counted_at.is_some() { change.amounts() } else { change.measured.clone() };
        let (expression, values) = addition(&amounts);
        let mut total = update(PROGRESS_TOTAL).set_expression_attribute_values(Some(values.clone()));
        let mut settings = vec!["#revision = :revision".to_owned()];
        if let Some(counted_at) = counted_at {
            settings.extend(["updatedAt = :updatedAt".to_owned(), "updatedBy = :updatedBy".to_owned()]);
            total = total
                .expression_attribute_values(":updatedAt", text(&sortable(counted_at)))
                .expression_attribute_values(":updatedBy", text(&change.conversation_id));
        }
        for (index, (name, value)) in computed(after).into_iter().enumerate() {
            settings.push(format!("#kept{index} = :kept{index}"));
            total = total
                .expression_attribute_names(format!("#kept{index}"), name)
                .expression_attribute_values(format!(":kept{index}"), value);
        }
        total = total
            .update_expression(format!("SET {} {expression}", settings.join(", ")))
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":revision", number(&after.revision));
        // `after` is one revision ahead of the stored total.
        total = match after.revision - 1 {
            0 => total.condition_expression("attribute_not_exists(#revision)"),
            before => total
                .condition_expression("#revision = :before")
                .expression_attribute_values(":before", number(&before)),
        };
        let mut writes = vec![
            TransactWriteItem::builder().condition_check(self.effects.not_erased(&change.user_id)?).build(),
            TransactWriteItem::builder().update(total.build()?).build(),
        ];
        // Without an amount there is no such day.
        if !amounts.is_empty() {
            let day = update(&change.day.to_string()).update_expression(expression);
            let day = day.set_expression_attribute_values(Some(values)).build()?;
            writes.push(TransactWriteItem::builder().update(day).build());
        }
        Ok(writes)
    }
}

fn marker_attributes(change: &Change, applied: &Applied, counted_at: Timestamp) -> Item {
    let mut attributes = Item::from([
        ("milestones".to_owned(), json_text(&applied.milestones)),
        ("date".to_owned(), text(&change.day)),
        ("conversationId".to_owned(), text(&change.conversation_id)),
        ("countedAt".to_owned(), millis(counted_at)),
        (OVERVIEW_COUNTED.to_owned(), number(&1)),
    ]);
    attributes.extend(applied.standing.iter().map(|standing| ("standing".to_owned(), json_text(standing))));
    attributes
}

/// The result in the marker of a counted event.
fn applied(marker: &Item) -> Result<Applied, Failure> {
    let milestones = json(marker, "milestones")?
        .ok_or_else(|| Failure::reject("the marker of a counted event has no milestones"))?;
    Ok(Applied { milestones, standing: json(marker, "standing")? })
}

/// The attributes of the total other than sums and revision.
fn computed(total: &Total) -> Vec<(&'static str, AttributeValue)> {
    let Standing { streak, trend, .. } = total.standing();
    let mut attributes = vec![
        ("activeDays", text(&total.days.write())),
        ("latestAssessments", json_text(&total.latest)),
        ("milestones", json_text(&total.milestones)),
        (RANKINGS, json_text(&total.rankings)),
        ("streakDays", number(&streak.current_days)),
        ("longestStreakDays", number(&streak.longest_days)),
    ];
    attributes.extend(streak.last_day.map(|day| ("lastDay", text(&day))));
    if let Some(trend) = trend {
        attributes.extend([
            ("level", text(&name(&trend.level))),
            ("levelDirection", text(&name(&trend.direction))),
        ]);
    }
    attributes
}

fn read_total(item: &Item) -> Result<Total, Failure> {
    let unreadable = |name: &str| Failure::reject(format!("the learner's total has an unreadable {name}"));
    let mut sums = BTreeMap::new();
    for (name, value) in item {
        if let AttributeValue::N(digits) = value {
            sums.insert(name.clone(), digits.parse().map_err(|_| unreadable(name))?);
        }
    }
    // These are computed, not summed.
    sums.remove("streakDays");
    sums.remove("longestStreakDays");
    let days = item.get("activeDays").map(AttributeValue::as_s);
    let days = days.map_or(Ok(Days::default()), |days| {
        days.ok().and_then(|days| Days::read(days).ok()).ok_or_else(|| unreadable("activeDays"))
    })?;
    Ok(Total {
        revision: sums.remove("revision").unwrap_or(0),
        sums,
        days,
        latest: json(item, "latestAssessments")?.unwrap_or_default(),
        milestones: json(item, "milestones")?.unwrap_or_default(),
        rankings: json(item, RANKINGS)?.unwrap_or_default(),
    })
}

fn json_text(value: &impl serde::Serialize) -> AttributeValue {
    let json = serde_json::to_string(value).expect("names, numbers and dates are written as JSON");
    AttributeValue::S(json)
}

/// The value of the JSON text in the attribute `name`, if it exists.
fn json<T: DeserializeOwned>(item: &Item, name: &str) -> Result<Option<T>, Failure> {
    let Some(value) = item.get(name) else { return Ok(None) };
    let read = value.as_s().ok().and_then(|json| serde_json::from_str(json).ok());
    read.map(Some).ok_or_else(|| Failure::reject(format!("the attribute {name} is unreadable")))
}

/// `ADD name :name, …` and its values; empty without amounts. None of the names is a reserved word of DynamoDB.
pub(super) fn addition(added: &Amounts) -> (String, Item) {
    if added.is_empty() {
        return (String::new(), Item::new());
    }
    let terms: Vec<_> = added.keys().map(|name| format!("{name} :{name}")).collect();
    let values = added.iter().map(|(name, value)| (format!(":{name}"), number(value))).collect();
    (format!("ADD {}", terms.join(", ")), values)
}

/// The token by which DynamoDB recognises a repeated request for ten minutes. Requests with the same token must be equal,
/// and the request depends on the total at `revision` and on `counted_at`. After an erasure the total restarts at the first
/// revision.
fn request_token(cause: EventId, revision: u64, counted_at: Timestamp) -> String {
    Uuid::new_v5(&cause.uuid(), format!("{revision} {counted_at}").as_bytes()).to_string()
}

/// Handles a failed transaction. It succeeds if the learner's data is erased.
fn after_failure(error: SdkError<TransactWriteItemsError>) -> Result<(), Retry<Failure>> {
    let again = |what: String| Err(Retry::transient(Failure::retry(anyhow!("{what}"))));
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(reasons)) => {
            let codes: Vec<_> =
                reasons.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
            match cancelled(&codes) {
                Cancellation::Erased => Ok(()),
                // The next attempt finds the marker and returns its result.
                Cancellation::Applied => again("the event was counted concurrently".to_owned()),
                Cancellation::Retry(codes) => again(format!("the transaction was cancelled: {codes}")),
                Cancellation::Invalid(codes) => {
                    Err(Retry::Permanent(Failure::reject(format!("the transaction is invalid: {codes}"))))
                }
            }
        }
        Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {
            again("another build is applying the same change".to_owned())
        }
        _ => Err(Retry::Permanent(Failure::aws(error).context("failed to write the learner's progress"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        progress::counts::change,
        test_samples::{analyzed, completed},
    };
    use events::contract::{Event, Level};

    #[test]
    fn addition_names_every_attribute_with_its_value() {
        let (expression, values) = addition(&BTreeMap::from([("turns", 4), ("conversations", 1)]));
        assert_eq!(expression, "ADD conversations :conversations, turns :turns");
        assert_eq!(
            values,
            Item::from([(":conversations".into(), number(&1)), (":turns".into(), number(&4))])
        );
        assert_eq!(addition(&BTreeMap::new()), (String::new(), Item::new()));
    }

    #[test]
    fn request_token_is_the_same_for_the_same_request_only() {
        let cause = EventId::derive(completed(0).conversation_id, "conversation.completed");
        let other = EventId::derive(completed(0).conversation_id, "conversation.analyzed");
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        assert_eq!(request_token(cause, 3, now), request_token(cause, 3, now));
        assert_ne!(request_token(cause, 3, now), request_token(cause, 4, now));
        assert_ne!(request_token(cause, 3, now), request_token(other, 3, now));
        assert_ne!(request_token(cause, 3, now), request_token(cause, 3, Timestamp::UNIX_EPOCH));
        // Source: DynamoDB API reference, TransactWriteItems, ClientRequestToken: 1 to 36 characters.
        assert_eq!(request_token(cause, 0, now).len(), 36);
    }

    #[test]
    fn total_is_read_back_as_it_was_written() {
        let mut total = Total::default();
        for event in
            [Event::ConversationCompleted(completed(6)), Event::ConversationAnalyzed(analyzed(70, Level::B2))]
        {
            total.count(&change(&event).unwrap());
        }
        total.rankings = places(&total.sums, &completed(0).user_id);
        assert_eq!(total.rankings.len(), 3);
        let sums = total.sums.iter().map(|(name, sum)| (name.clone(), number(sum)));
        let computed = [("revision", number(&total.revision))]
            .into_iter()
            .chain(computed(&total))
            .map(|(name, value)| (name.to_owned(), value));
        let keys = [("userId", "learner-1"), ("date", PROGRESS_TOTAL)]
            .map(|(name, key)| (name.to_owned(), text(key)));
        let mut item: Item = sums.chain(computed).chain(keys).collect();
        assert_eq!(read_total(&item).unwrap(), total);
        assert_eq!((&item["level"], &item["levelDirection"]), (&text("B2"), &text("steady")));
        item.insert("activeDays".to_owned(), text("yesterday"));
        assert!(read_total(&item).is_err());
    }
}
