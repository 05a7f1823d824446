//! The ids of a learner's conversations, from the eventually consistent index over headers.

use super::{
    JournalReader,
    error::{JournalError, service},
    item,
    reader::BY_LEARNER,
};
use crate::{
    contract::{ConversationId, UserId},
    dynamo::{Item, text},
};

const PAGE_MAX: i32 = 100;

/// A page of a learner's conversations, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct IdPage {
    pub conversations: Vec<ConversationId>,
    /// Start of the next page; `None` at the end.
    pub next: Option<IdCursor>,
}

/// A position in the list of a learner's conversations.
#[derive(Clone, Debug)]
pub struct IdCursor(Item);

impl JournalReader {
    /// The ids of a learner's conversations after `after`, at most 100.
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
            .index_name(BY_LEARNER)
            .key_condition_expression("userId = :user")
            .expression_attribute_values(":user", text(user_id))
            .set_exclusive_start_key(after.map(|cursor| cursor.0))
            .limit(PAGE_MAX)
            .send()
            .await
            .map_err(|error| service(&error))?;
        let conversations =
            output.items().iter().map(item::conversation_id).collect::<Result<Vec<_>, _>>()?;
        Ok(IdPage { conversations, next: output.last_evaluated_key.map(IdCursor) })
    }
}
