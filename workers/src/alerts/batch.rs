//! Batches of alerts in the Effects table, and which batch an alert is in.
//!
//! Placing an alert is one transaction: its item `alert#<id>` (it must not stand there) and its batch `alert-batch#<name>`
//! (it must count what was read, and not be closed). The alert's item says the batch, and whether the alert is `held`;
//! one that is held is finished with that. The batch has `count` (N, all its alerts), `held` (N), `listed` (S, the first
//! of the held, JSON), `carrier` (S, the first held alert's id) and `due` (N, milliseconds).
//!
//! Telling a batch begins with closing it: from then on it does not change, and whoever comes later is sent alone. So an
//! alert that was placed is in the message of its batch, whenever that is sent, and however often it is tried.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, anyhow};
use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem, Update},
};
use events::runtime::{
    env,
    failure::Failure,
    retry::{Retry, RetryPolicy, retry},
};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    message::{Batch, LISTED_MAX, Listed, Message},
    policy::{Kind, Place, Policy},
    rules::Alert,
};
use crate::effects::{Effects, Item, claimable, expires_at, finished, number, text};

/// Repetitions of a transaction that met another one: in a storm there are many.
const CONFLICT_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), cap: Duration::from_secs(1), attempts_max: 25 };

/// The longest time in which an alert is placed, with all repetitions.
const PLACE_DEADLINE: Duration = Duration::from_secs(20);

/// What is to be done with an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// Send it.
    Alone,
    /// It is told with its batch.
    Held(Held),
}

/// An alert in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The batch.
    pub(super) batch: String,
    /// Whether the alert's message brings the batch to its end.
    pub(super) carries: bool,
    /// When the batch is told.
    pub(super) due: Timestamp,
}

/// The batches.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    effects: Effects,
    policy: Policy,
}

/// A batch as it stands.
#[derive(Clone, Debug, Default)]
struct Stored {
    count: u32,
    held: u32,
    listed: Vec<Listed>,
    carrier: Option<String>,
    due_ms: i64,
    closed: bool,
}

impl Batches {
    pub(super) fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table: String,
        effects: Effects,
        policy: Policy,
    ) -> Self {
        Self { dynamodb, table, effects, policy }
    }

    /// Where `alert` is, placed now or before.
    ///
    /// # Errors
    /// By the nature of the failed call; conflicts that do not end are a retry.
    pub(super) async fn place(&self, alert: &Alert) -> Result<Placed, Failure> {
        retry(CONFLICT_POLICY, Instant::now() + PLACE_DEADLINE, || self.place_once(alert)).await
    }

    /// The message of the batch `name`, which is closed with this: it is the same each time.
    ///
    /// # Errors
    /// By the nature of the failed call.
    pub(super) async fn close(&self, name: &str, alert: &Alert) -> Result<Message, Failure> {
        let closed = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(&item_id(name)))
            .update_expression("SET #closed = if_not_exists(#closed, :now)")
            .expression_attribute_names("#closed", "closed")
            .expression_attribute_values(":now", number(&env::now().as_millisecond()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to close a batch of alerts"))?;
        let stored = read(&closed.attributes.unwrap_or_default())?;
        Ok(Message::batch(&Batch {
            name,
            kind: if name.starts_with("quiet#") { Kind::Quiet } else { Kind::Storm },
            severity: alert.severity,
            count: stored.count,
            held: stored.held,
            listed: &stored.listed,
        }))
    }

    async fn place_once(&self, alert: &Alert) -> Result<Placed, Retry<Failure>> {
        if let Some(item) = self.effects.find(&alert_item_id(alert)).await.map_err(Retry::Permanent)? {
            return self.placed(alert, &item).await.map_err(Retry::Permanent);
        }
        let now = env::now();
        let place = self.policy.place(alert.rule, alert.severity, now);
        let stored = self.stored(&place.batch).await.map_err(Retry::Permanent)?;
        if stored.closed {
            // The clock of whoever closed it is ahead of ours.
            return Ok(Placed::Alone);
        }
        let held = stored.count >= place.alone_max;
        let carries = held && stored.carrier.is_none();
        let writes = self
            .writes(alert, &place, (&stored, held), now)
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
            Ok(_) if held => Ok(Placed::Held(Held { batch: place.batch, carries, due: place.due })),
            Ok(_) => Ok(Placed::Alone),
            Err(error) => Err(refused(error)),
        }
    }

    /// Where an alert is whose item stands.
    async fn placed(&self, alert: &Alert, item: &Item) -> Result<Placed, Failure> {
        let is_held = item.get("held").is_some();
        let Some(batch) = item.get("batch").and_then(|batch| batch.as_s().ok()).filter(|_| is_held) else {
            return Ok(Placed::Alone);
        };
        let stored = self.stored(batch).await?;
        let carries = stored.carrier == Some(alert.alert_id.to_string());
        let due = Timestamp::from_millisecond(stored.due_ms).unwrap_or(Timestamp::MIN);
        Ok(Placed::Held(Held { batch: batch.clone(), carries, due }))
    }

    async fn stored(&self, name: &str) -> Result<Stored, Failure> {
        self.effects.find(&item_id(name)).await?.as_ref().map_or_else(|| Ok(Stored::default()), read)
    }

    fn writes(
        &self,
        alert: &Alert,
        place: &Place,
        (stored, held): (&Stored, bool),
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let batch = ("batch".to_owned(), text(&place.batch));
        let item = if held {
            finished("held", HashMap::from([batch, ("held".to_owned(), number(&1))]))
        } else {
            claimable(HashMap::from([batch]))
        };
        let marker = self.effects.marker(&alert_item_id(alert), item, now)?;
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("effectId", text(&item_id(&place.batch)))
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#due", "due")
            .expression_attribute_names("#closed", "closed")
            .expression_attribute_values(":count", number(&(stored.count + 1)))
            .expression_attribute_values(":due", number(&place.due.as_millisecond()))
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

/// The id of the item of `alert`.
pub(super) fn alert_item_id(alert: &Alert) -> String {
    sent_item_id(alert.alert_id)
}

/// The id of the item of the message `alert_id`.
pub(super) fn sent_item_id(alert_id: Uuid) -> String {
    format!("alert#{alert_id}")
}

fn item_id(batch: &str) -> String {
    format!("alert-batch#{batch}")
}

fn read(item: &Item) -> Result<Stored, Failure> {
    let unreadable = || Failure::reject("a batch of alerts is unreadable");
    let number = |name: &str| -> Result<i64, Failure> {
        let Some(value) = item.get(name) else { return Ok(0) };
        value.as_n().ok().and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)
    };
    let string = |name: &str| item.get(name).map(AttributeValue::as_s).transpose().map_err(|_| unreadable());
    let listed =
        string("listed")?.map(|json| serde_json::from_str(json)).transpose().map_err(|_| unreadable())?;
    Ok(Stored {
        count: u32::try_from(number("count")?).map_err(|_| unreadable())?,
        held: u32::try_from(number("held")?).map_err(|_| unreadable())?,
        listed: listed.unwrap_or_default(),
        carrier: string("carrier")?.cloned(),
        due_ms: number("due")?,
        closed: item.contains_key("closed"),
    })
}

/// Everything that cancels the transaction is read again: the alert may be placed, or the batch have moved on.
fn refused(error: SdkError<TransactWriteItemsError>) -> Retry<Failure> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(reasons)) => {
            let code = |place: usize| reasons.cancellation_reasons().get(place)?.code();
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
    fn batch_that_nobody_wrote_is_empty_and_one_that_is_unreadable_is_refused() {
        let empty = read(&Item::new()).unwrap();
        assert_eq!((empty.count, empty.held, empty.closed, empty.carrier), (0, 0, false, None));
        for (name, value) in [("count", text("many")), ("listed", text("all")), ("held", number(&-1))] {
            assert!(read(&Item::from([(name.to_owned(), value)])).is_err(), "{name}");
        }
    }
}
