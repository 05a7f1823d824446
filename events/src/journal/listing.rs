//! The conversations of a learner, from the index over headers. The index may lag behind the table by a moment.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    JournalReader,
    error::{JournalError, service},
    item::{self, CorruptItemError},
};
use crate::contract::{ConversationId, UserId};

/// The index that lists the conversations of a learner.
const INDEX: &str = "userId-timestamp-index";

/// Conversations of one page.
const PAGE_MAX: i32 = 100;

/// Some conversations of a learner, the oldest first, and where the next ones begin.
#[derive(Clone, Debug, Default)]
pub struct IdPage {
    /// The conversations.
    pub conversations: Vec<ConversationId>,
    /// Where to go on; `None` at the end.
    pub next: Option<IdCursor>,
}

/// A place among the conversations of a learner.
#[derive(Clone, Debug)]
pub struct IdCursor(HashMap<String, AttributeValue>);

impl JournalReader {
    /// The conversations of a learner from `after` on, at most 100.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Service`].
    pub async fn ids_of_learner(
        &self,
        user_id: &UserId,
        after: Option<IdCursor>,
    ) -> Result<IdPage, JournalError> {
        let output = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("userId = :user")
            .expression_attribute_values(":user", item::text(user_id))
            .set_exclusive_start_key(after.map(|cursor| cursor.0))
            .limit(PAGE_MAX)
            .send()
            .await
            .map_err(|error| service(&error))?;
        let id = |item: &HashMap<String, AttributeValue>| {
            let id = item.get("sessionId").and_then(|id| id.as_s().ok()?.parse().ok());
            id.ok_or_else(|| CorruptItemError("the index lists something that is no conversation".to_owned()))
        };
        let conversations = output.items().iter().map(id).collect::<Result<Vec<_>, _>>()?;
        Ok(IdPage { conversations, next: output.last_evaluated_key.map(IdCursor) })
    }
}
