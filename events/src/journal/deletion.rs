//! Deletion of one conversation by its learner: the turns are deleted, the header stays as a tombstone that prevents storing
//! its content again.
//!
//! The tombstone is written first. Handlers of the conversation's events find it, however late, and do nothing; an
//! interrupted deletion is repeated as a whole. The header contains no spoken words, and expires by the table's TTL as
//! usual.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{Header, Journal, JournalError, error::service, item};
use crate::{
    contract::ConversationId,
    dynamo::{millis, number, text},
};

/// Concurrent deletions of items.
const DELETES_AT_ONCE: usize = 16;

/// Pages of a query (1 MiB each) that one conversation may fill.
const PAGES_MAX: usize = 64;

impl Journal {
    /// Writes the deletion tombstone of an ended conversation. The first time stays.
    ///
    /// # Errors
    /// [`JournalError::NotFound`]; [`JournalError::Held`] for a conversation that has not ended;
    /// [`JournalError::Service`].
    pub async fn mark_deleted(&self, id: ConversationId, now: Timestamp) -> Result<Header, JournalError> {
        let marked = self
            .update(id, |update| {
                update
                    .condition_expression("#state = :ended")
                    .update_expression("SET deletedAt = if_not_exists(deletedAt, :now)")
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_values(":ended", text(item::ENDED))
                    .expression_attribute_values(":now", millis(now))
            })
            .await?;
        match marked {
            Some(header) => Ok(header),
            None => match self.header(id).await? {
                Some(header) => Err(JournalError::Held { until: header.lease_until }),
                None => Err(JournalError::NotFound),
            },
        }
    }

    /// Deletes the turns of a conversation with a tombstone. Idempotent.
    ///
    /// # Errors
    /// [`JournalError::Service`].
    pub async fn delete_turns(&self, id: ConversationId) -> Result<(), JournalError> {
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .dynamodb()
                .query()
                .table_name(self.table())
                .key_condition_expression("sessionId = :id AND #timestamp > :start")
                .expression_attribute_names("#timestamp", "timestamp")
                .expression_attribute_values(":id", text(&id))
                .expression_attribute_values(":start", number(&id.started_at_ms()))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| service(&error))?;
            after = page.last_evaluated_key;
            let mut keys = Vec::new();
            for mut turn in page.items.unwrap_or_default() {
                keys.extend(turn.remove("timestamp"));
            }
            stream::iter(keys.into_iter().map(|timestamp| self.delete_turn(id, timestamp)))
                .buffer_unordered(DELETES_AT_ONCE)
                .try_collect::<()>()
                .await?;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn delete_turn(&self, id: ConversationId, timestamp: AttributeValue) -> Result<(), JournalError> {
        self.dynamodb()
            .delete_item()
            .table_name(self.table())
            .key("sessionId", text(&id))
            .key("timestamp", timestamp)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| service(&error))
    }
}
