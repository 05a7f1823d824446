//! A learner deletes a conversation: its turns go, its header stays as the mark that nothing of it is to be stored again.
//!
//! The mark comes first. Whoever handles an event of the conversation later, however late, finds it and does nothing; a
//! deletion that was interrupted is repeated as a whole. The header itself holds nothing that was said, and leaves with
//! the table's TTL, as it would have done in any case.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{Header, Journal, JournalError, error::service, item};
use crate::contract::ConversationId;

/// Items that are deleted at one time.
const DELETES_AT_ONCE: usize = 16;

/// Pages of a query that one conversation may fill.
const PAGES_MAX: usize = 64;

impl Journal {
    /// Marks an ended conversation as deleted. The first mark stays.
    ///
    /// # Errors
    /// [`JournalError::NotFound`]; [`JournalError::Held`] of a conversation that has not ended;
    /// [`JournalError::Service`].
    pub async fn mark_deleted(&self, id: ConversationId, now: Timestamp) -> Result<Header, JournalError> {
        let marked = self
            .update(id, |update| {
                update
                    .condition_expression("#state = :ended")
                    .update_expression("SET deletedAt = if_not_exists(deletedAt, :now)")
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_values(":ended", item::text(&item::ENDED))
                    .expression_attribute_values(":now", item::millis(now))
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

    /// Deletes the turns of a conversation that was marked. Doing it again changes nothing.
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
                .expression_attribute_values(":id", item::text(&id))
                .expression_attribute_values(":start", item::number(&id.started_at_ms()))
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
            .key("sessionId", item::text(&id))
            .key("timestamp", timestamp)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| service(&error))
    }
}
