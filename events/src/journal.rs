//! The Conversations table: the durable log of a running conversation, and the outbox of its end.
//!
//! Every write of an owner carries the owner's epoch. A takeover raises the epoch, so later writes of a process that was
//! wrongly believed dead fail. Reading is separate: [`JournalReader`] cannot write.
//!
//! A conditional write that fails may have succeeded before, because the SDK repeats a request whose response was lost. So
//! each write reads what is stored before it returns an error.

use std::{ops::Deref, time::Duration};

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ConditionCheck, Put, ReturnValue, TransactWriteItem},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{
    contract::{ConversationId, Turn, live::MetObjective},
    dynamo::{is_conditional_check_failed, millis, name, number, text},
    pipeline::names::erasure_effect,
    runtime::{
        env,
        retry::{RetryPolicy, retry},
    },
};

mod conversation;
mod deletion;
mod erase;
mod error;
mod handover;
mod item;
mod listing;
mod progress;
mod reader;
#[cfg(test)]
pub(crate) mod test_samples;

pub use conversation::{
    Completed, Conversation, End, Ended, Header, Ownership, Start, State, Watch, WatchError,
};
pub use erase::Eraser;
pub use error::JournalError;
pub use item::CorruptItemError;
pub use listing::{IdCursor, IdPage, ScanCursor, ScanPage};
pub use progress::{Handover, Progress, Seized};
pub use reader::{HeaderPage, JournalReader};

use error::{Canceled, canceled, conflicting, service, unbuilt};

/// Seconds for which an owner counts as alive after a start, a takeover or a renewal.
pub const LEASE_SECONDS: i64 = 90;

/// Seconds between two checks of a conversation by the watchdog, by default.
pub const WATCH_DELAY_SECONDS: i32 = 120;

/// The longest configurable interval: SQS delays a message by at most 15 minutes (API reference, `SendMessage`).
pub const WATCH_DELAY_SECONDS_MAX: i32 = 900;

/// The longest time for a write with all its retries.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);

/// Retries of a write that conflicted with another write of the same item.
const CONFLICT_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), cap: Duration::from_secs(1), attempts_max: 8 };

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// Name of the Conversations table.
    pub table: String,
    /// Name of the Effects table, which has the tombstones of erased learners.
    pub effects_table: String,
    pub watchdog_queue_url: String,
    /// Seconds between two checks of a conversation by the watchdog, 1 to [`WATCH_DELAY_SECONDS_MAX`].
    pub watch_delay_seconds: i32,
}

/// Reads and writes conversations.
#[derive(Clone, Debug)]
pub struct Journal {
    reader: JournalReader,
    sqs: aws_sdk_sqs::Client,
    effects_table: String,
    watchdog_queue_url: String,
    watch_delay_seconds: i32,
}

impl Journal {
    /// A journal with write access.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, sqs: aws_sdk_sqs::Client, config: JournalConfig) -> Self {
        let JournalConfig { table, effects_table, watchdog_queue_url, watch_delay_seconds } = config;
        let reader = Self::reader(dynamodb, table);
        Self { reader, sqs, effects_table, watchdog_queue_url, watch_delay_seconds }
    }

    /// A journal with read access only.
    #[must_use]
    pub fn reader(dynamodb: aws_sdk_dynamodb::Client, table: impl Into<String>) -> JournalReader {
        JournalReader::new(dynamodb, table.into())
    }

    /// Starts a conversation: its header and its watchdog message are durable when this returns.
    ///
    /// The message is sent first. Without a header it is harmless (the watchdog ignores it), while a header without a
    /// message would stay active forever.
    ///
    /// The header is written only if the learner's data is not erased. Otherwise a repeated request that takes effect after
    /// the erasure would bring back the header of a conversation that has ended, and the watchdog would end it again: with
    /// other content under the same event id.
    ///
    /// # Errors
    /// [`JournalError::AlreadyStarted`], [`JournalError::Erased`], [`JournalError::Service`].
    pub async fn start(&self, start: &Start, now: Timestamp) -> Result<Ownership, JournalError> {
        let conversation_id = start.conversation_id;
        self.watch_again(conversation_id).await?;
        let claim = env::random_uuid().to_string();
        let put = Put::builder()
            .table_name(self.table())
            .set_item(Some(item::header(start, &claim, lease_end(now))))
            .condition_expression("attribute_not_exists(sessionId)")
            .build()
            .map_err(unbuilt)?;
        let not_erased = ConditionCheck::builder()
            .table_name(&self.effects_table)
            .key("effectId", text(&erasure_effect(&start.user_id)))
            .condition_expression("attribute_not_exists(effectId)")
            .build()
            .map_err(unbuilt)?;
        let writes = [
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().condition_check(not_erased).build(),
        ];
        match self.transact(writes).await {
            Ok(()) => Ok(Ownership { conversation_id, epoch: 1 }),
            Err(Canceled::First) => {
                let stored = self.header(conversation_id).await?;
                if stored.is_some_and(|header| header.claim == claim) {
                    Ok(Ownership { conversation_id, epoch: 1 })
                } else {
                    Err(JournalError::AlreadyStarted)
                }
            }
            Err(Canceled::Second) => Err(JournalError::Erased),
            Err(Canceled::Other(error)) => Err(error),
        }
    }

    /// Appends a turn. Appending the same turn again changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Ended`], [`JournalError::NotFound`],
    /// [`JournalError::TurnExists`], [`JournalError::Service`].
    pub async fn append(&self, own: &Ownership, turn: &Turn) -> Result<(), JournalError> {
        let check = ConditionCheck::builder()
            .table_name(self.table())
            .set_key(Some(item::header_key(own.conversation_id)))
            .condition_expression("epoch = :epoch AND #state = :active")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":epoch", number(&own.epoch))
            .expression_attribute_values(":active", text(item::ACTIVE))
            .build()
            .map_err(unbuilt)?;
        let put = Put::builder()
            .table_name(self.table())
            .set_item(Some(item::turn(own.conversation_id, turn)))
            .condition_expression("attribute_not_exists(sessionId) OR turn = :turn")
            .expression_attribute_values(":turn", text(&item::json(turn)))
            .build()
            .map_err(unbuilt)?;
        let writes = [
            TransactWriteItem::builder().condition_check(check).build(),
            TransactWriteItem::builder().put(put).build(),
        ];
        match self.transact(writes).await {
            Ok(()) => Ok(()),
            Err(Canceled::First) => Err(self.write_error(own).await),
            Err(Canceled::Second) => Err(JournalError::TurnExists { index: turn.index }),
            Err(Canceled::Other(error)) => Err(error),
        }
    }

    /// Records the objectives of the picture that the learner has met: all of them, in place of those recorded before.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn record_objectives(&self, own: &Ownership, met: &[MetObjective]) -> Result<(), JournalError> {
        let recorded = self
            .update(own.conversation_id, |update| {
                owned(update, own)
                    .update_expression("SET objectivesMet = :met")
                    .expression_attribute_values(":met", text(&item::json(&met)))
            })
            .await?;
        match recorded {
            Some(_) => Ok(()),
            None => Err(self.write_error(own).await),
        }
    }

    /// Extends the owner's lease to [`LEASE_SECONDS`] from `now`. Returns whether another process requested a handover
    /// ([`Journal::request_handover`]).
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::Ended`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn renew(&self, own: &Ownership, now: Timestamp) -> Result<bool, JournalError> {
        let renewed = self
            .update(own.conversation_id, |update| {
                owned(update, own)
                    .update_expression("SET leaseUntil = :until")
                    .expression_attribute_values(":until", millis(lease_end(now)))
            })
            .await?;
        match renewed {
            Some(header) => Ok(header.handover_requested_by.is_some()),
            None => Err(self.write_error(own).await),
        }
    }

    /// Ends a conversation and returns the event to publish. A repetition by the same owner returns the same event.
    ///
    /// # Errors
    /// [`JournalError::Fenced`], [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn end(&self, own: &Ownership, end: &End, now: Timestamp) -> Result<Completed, JournalError> {
        let ended = self
            .update(own.conversation_id, |update| {
                owned(update, own)
                    .update_expression(
                        "SET #state = :ended, endedAt = :at, endReason = :reason, #usage = :usage, turns = :turns, \
                         learnerTurns = :learnerTurns, learnerSpeechMs = :speech, #metrics = :metrics",
                    )
                    .expression_attribute_values(
                        ":learnerTurns",
                        end.learner_turns.map_or(AttributeValue::Null(true), |turns| number(&turns)),
                    )
                    .expression_attribute_names("#metrics", "metrics")
                    .expression_attribute_values(":metrics", text(&item::json(&end.metrics)))
                    .expression_attribute_names("#usage", "usage")
                    .expression_attribute_values(":ended", text(item::ENDED))
                    .expression_attribute_values(":at", millis(now))
                    .expression_attribute_values(":reason", text(&name(&end.reason)))
                    .expression_attribute_values(":usage", text(&item::json(&end.usage)))
                    .expression_attribute_values(":turns", number(&end.turns))
                    .expression_attribute_values(":speech", number(&end.learner_speech_ms))
            })
            .await?;
        let header = match ended {
            Some(header) => header,
            None => match self.header(own.conversation_id).await? {
                Some(header) if header.epoch == own.epoch => header,
                Some(_) => return Err(JournalError::Fenced),
                None => return Err(JournalError::NotFound),
            },
        };
        header.completed().map(|envelope| Completed { envelope }).ok_or(JournalError::Fenced)
    }

    /// Records that the conversation's event is on the bus. The first time stays.
    ///
    /// # Errors
    /// [`JournalError::NotFound`], [`JournalError::Service`].
    pub async fn mark_published(&self, id: ConversationId, now: Timestamp) -> Result<(), JournalError> {
        let marked = self
            .update(id, |update| {
                update
                    .condition_expression("attribute_exists(sessionId)")
                    .update_expression("SET publishedAt = if_not_exists(publishedAt, :now)")
                    .expression_attribute_values(":now", millis(now))
            })
            .await?;
        marked.map(|_| ()).ok_or(JournalError::NotFound)
    }

    /// Requests a check by the watchdog after the configured delay.
    ///
    /// # Errors
    /// [`JournalError::Service`].
    pub async fn watch_again(&self, id: ConversationId) -> Result<(), JournalError> {
        self.watch(&Watch::new(id), self.watch_delay_seconds).await
    }

    /// Requests a check by the watchdog in `delay_seconds`, 0 to [`WATCH_DELAY_SECONDS_MAX`].
    ///
    /// # Errors
    /// [`JournalError::Service`].
    pub async fn watch(&self, watch: &Watch, delay_seconds: i32) -> Result<(), JournalError> {
        self.sqs
            .send_message()
            .queue_url(&self.watchdog_queue_url)
            .message_body(watch.encode())
            .delay_seconds(delay_seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| service(&error))
    }

    fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        &self.reader.dynamodb
    }

    fn table(&self) -> &str {
        &self.reader.table
    }

    async fn transact(&self, writes: [TransactWriteItem; 2]) -> Result<(), Canceled> {
        let written = retry(CONFLICT_POLICY, Instant::now() + WRITE_DEADLINE, || async {
            let transaction = self.dynamodb().transact_write_items();
            transaction.set_transact_items(Some(writes.to_vec())).send().await.map_err(canceled)
        });
        Box::pin(written).await.map(drop)
    }

    /// Updates the header. `None` if its condition did not hold.
    async fn update(
        &self,
        id: ConversationId,
        change: impl Fn(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Result<Option<Header>, JournalError> {
        let updated = retry(CONFLICT_POLICY, Instant::now() + WRITE_DEADLINE, || async {
            let update = self.dynamodb().update_item().table_name(self.table());
            change(update)
                .set_key(Some(item::header_key(id)))
                .return_values(ReturnValue::AllNew)
                .send()
                .await
                .map_err(conflicting)
        })
        .await;
        match updated {
            Ok(output) => Ok(Some(item::read_header(output.attributes.unwrap_or_default())?)),
            Err(error) if is_conditional_check_failed(&error) => Ok(None),
            Err(error) => Err(service(&error)),
        }
    }

    /// Why a write by `own` failed.
    async fn write_error(&self, own: &Ownership) -> JournalError {
        match self.header(own.conversation_id).await {
            Ok(None) => JournalError::NotFound,
            Ok(Some(header)) if header.epoch == own.epoch => JournalError::Ended,
            Ok(Some(_)) => JournalError::Fenced,
            Err(error) => error,
        }
    }
}

/// A journal with write access can also read.
impl Deref for Journal {
    type Target = JournalReader;

    fn deref(&self) -> &JournalReader {
        &self.reader
    }
}

fn lease_end(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(LEASE_SECONDS)).unwrap_or(Timestamp::MAX)
}

/// Restricts an update to the owner `own` of a conversation that has not ended.
fn owned(update: UpdateItemFluentBuilder, own: &Ownership) -> UpdateItemFluentBuilder {
    update
        .condition_expression("epoch = :epoch AND #state = :active")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":epoch", number(&own.epoch))
        .expression_attribute_values(":active", text(item::ACTIVE))
}
