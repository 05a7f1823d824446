//! Deleting conversations, for whoever has the right to have them deleted.
//!
//! Whoever holds a conversation is fenced first, as by a takeover; then its turns go, and its header last. So a deletion
//! that was cut short is found again by the learner's index, which lists headers only, and no turn is left behind
//! without a header: the header goes only while nobody else became the owner in between.

use std::collections::HashMap;

use anyhow::anyhow;
use aws_sdk_dynamodb::{
    operation::{delete_item::DeleteItemError, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValue},
};

use super::{item, lease_end};
use crate::{
    contract::ConversationId,
    dynamo::delete_items,
    runtime::{env, failure::Failure},
};

/// Pages of a query (1 MiB each) that the keys of one conversation may fill.
const PAGES_MAX: usize = 64;

/// An item or a key of the table.
type Item = HashMap<String, AttributeValue>;

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

    /// Deletes a conversation, held or ended. Returns how many items were there.
    ///
    /// # Errors
    /// A retry when somebody became its owner meanwhile; otherwise by the nature of the failed call.
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
            .expression_attribute_values(":epoch", item::number(&epoch))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(found),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Err(Failure::retry(anyhow!("the conversation got another owner while it was deleted")))
            }
            Err(error) => Err(Failure::aws(error).context("failed to delete a header")),
        }
    }

    /// Takes the right to write from whoever has it. Returns the epoch in which nobody has it, or `None` where there is
    /// no header. The header is not read as one: also what this build cannot read can be deleted.
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
            .expression_attribute_values(":epoch", item::number(&seen.0))
            .expression_attribute_values(":next", item::number(&next))
            .expression_attribute_values(":claim", item::text(&claim))
            // Nobody takes over meanwhile.
            .expression_attribute_values(":until", item::millis(lease_end(env::now())))
            .return_values(ReturnValue::None)
            .send()
            .await;
        let Err(error) = fenced else { return Ok(Some(next)) };
        if !error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) {
            return Err(Failure::aws(error).context("failed to take a conversation over"));
        }
        // It may be our own write, whose reply was lost.
        match self.epoch(id).await? {
            None => Ok(None),
            Some((epoch, claimed)) if claimed == claim => Ok(Some(epoch)),
            Some(_) => Err(Failure::retry(anyhow!("the conversation changed its owner in this very moment"))),
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
                .expression_attribute_values(":id", item::text(&id))
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
