//! Reading the journal, always consistently: what was durable before the call is in the answer.

use super::{
    conversation::{Conversation, Header},
    error::{JournalError, service},
    item::{self, Corrupt},
};
use crate::contract::ConversationId;

/// Pages of a query (1 MiB each) that one conversation may fill.
const PAGES_MAX: usize = 64;

/// Reads conversations.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) table: String,
}

impl Reader {
    pub(super) fn new(dynamodb: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The header of a conversation, as of now.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Service`].
    pub async fn header(&self, id: ConversationId) -> Result<Option<Header>, JournalError> {
        let output = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::header_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| service(&error))?;
        Ok(output.item.as_ref().map(item::read_header).transpose()?)
    }

    /// A conversation with its turns in order, as of now.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Service`].
    pub async fn load(&self, id: ConversationId) -> Result<Option<Conversation>, JournalError> {
        let mut items = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .key_condition_expression("sessionId = :id")
                .expression_attribute_values(":id", item::text(&id))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| service(&error))?;
            items.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(item::read_conversation(&items)?);
            }
        }
        Err(Corrupt(format!("the conversation fills more than {PAGES_MAX} pages")).into())
    }
}
