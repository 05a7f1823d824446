//! Deletes conversations with all their items, for the deletion of an account.
//!
//! The owner is fenced first, as by a takeover; then the turns are deleted, and the header last. An interrupted deletion is
//! found again through the learner's index, which lists headers only. No turn remains without a header, because the header
//! is deleted only if no other process became the owner meanwhile.

use anyhow::anyhow;
use aws_sdk_dynamodb::types::ReturnValue;

use super::{item, lease_end};
use crate::{
    contract::ConversationId,
    dynamo::{Item, delete_items, is_conditional_check_failed, millis, number, text},
    runtime::{env, failure::Failure},
};

/// Pages of a query (1 MiB each) that the keys of one conversation may fill.
const PAGES_MAX: usize = 64;

/// Deletes conversations.
#[derive(Clone, Debug)]
pub struct Eraser {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
}

impl Eraser {
    /// Deletes from `table`.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { dynamodb, table: table.into() }
    }

    /// Deletes a conversation, active or ended. Returns the number of its items.
    ///
    /// # Errors
    /// A retry if another process became its owner meanwhile; otherwise by the class of the failed call.
    pub async fn erase(&self, id: ConversationId) -> Result<usize, Failure> {
        let epoch = self.fence(id).await?;
        let header = item::header_key(id);
        let keys = self.keys(id).await?;
        let found = keys.len();
        let turns = keys.into_iter().filter(|key| *key != header).collect();
        delete_items(&self.dynamodb, &self.table, turns).await?;
        let Some(epoch) = epoch else { return Ok(found) };
        let deleted = self
            .dynamodb
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(header))
            .condition_expression("attribute_not_exists(sessionId) OR epoch = :epoch")
            .expression_attribute_values(":epoch", number(&epoch))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(found),
            Err(error) if is_conditional_check_failed(&error) => {
                Err(Failure::retry(anyhow!("another process became the owner during the deletion")))
            }
            Err(error) => Err(Failure::aws(error).context("failed to delete a header")),
        }
    }

    /// Fences the owner. Returns the new epoch, which has no owner, or `None` without a header. It reads only epoch and
    /// claim, so a header that this build cannot read can be deleted.
    async fn fence(&self, id: ConversationId) -> Result<Option<u64>, Failure> {
        let Some(seen) = self.epoch(id).await? else { return Ok(None) };
        let (next, claim) = (seen.0 + 1, env::random_uuid().to_string());
        let fenced = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::header_key(id)))
            .condition_expression("epoch = :epoch")
            .update_expression("SET epoch = :next, claim = :claim, leaseUntil = :until")
            .expression_attribute_values(":epoch", number(&seen.0))
            .expression_attribute_values(":next", number(&next))
            .expression_attribute_values(":claim", text(&claim))
            // Prevents a takeover meanwhile.
            .expression_attribute_values(":until", millis(lease_end(env::now())))
            .return_values(ReturnValue::None)
            .send()
            .await;
        let Err(error) = fenced else { return Ok(Some(next)) };
        if !is_conditional_check_failed(&error) {
            return Err(Failure::aws(error).context("failed to fence the owner of a conversation"));
        }
        // It may be our own write whose response was lost.
        match self.epoch(id).await? {
            None => Ok(None),
            Some((epoch, claimed)) if claimed == claim => Ok(Some(epoch)),
            Some(_) => Err(Failure::retry(anyhow!("the conversation changed its owner concurrently"))),
        }
    }

    /// The epoch and the claim in the header.
    async fn epoch(&self, id: ConversationId) -> Result<Option<(u64, String)>, Failure> {
        let output = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::header_key(id)))
            .projection_expression("epoch, claim")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to read a header"))?;
        let Some(item) = output.item else { return Ok(None) };
        let epoch = item.get("epoch").and_then(|epoch| epoch.as_n().ok()?.parse().ok());
        let epoch = epoch.ok_or_else(|| Failure::reject("a header of the journal has no epoch"))?;
        let claim = item.get("claim").and_then(|claim| claim.as_s().ok()).cloned();
        Ok(Some((epoch, claim.unwrap_or_default())))
    }

    /// The keys of all items of a conversation.
    async fn keys(&self, id: ConversationId) -> Result<Vec<Item>, Failure> {
        let (mut keys, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .key_condition_expression("sessionId = :id")
                .projection_expression("sessionId, #timestamp")
                .expression_attribute_names("#timestamp", "timestamp")
                .expression_attribute_values(":id", text(&id))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| Failure::aws(error).context("failed to list a conversation's items"))?;
            keys.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(keys);
            }
        }
        Err(Failure::reject(format!("the conversation fills more than {PAGES_MAX} pages")))
    }
}
