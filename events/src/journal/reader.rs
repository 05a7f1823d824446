//! Reads the journal. Reads of one conversation are strongly consistent; lists use an eventually consistent index.

use super::{
    conversation::{Conversation, Header},
    error::{JournalError, service},
    item::{self, CorruptItemError},
};
use crate::{
    contract::{ConversationId, Turn, UserId},
    dynamo::text,
};

/// Pages of a query (1 MiB each) that one conversation may fill.
const PAGES_MAX: usize = 64;

/// The index that lists a learner's conversations. It contains headers only.
pub(super) const BY_LEARNER: &str = "userId-timestamp-index";

/// Requests for one page of a list. Deleted conversations can make more than one necessary.
const LIST_REQUESTS_MAX: usize = 8;

/// A page of a learner's conversations, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderPage {
    /// Headers. There can be fewer than requested although more follow.
    pub headers: Vec<Header>,
    /// Last conversation of the page, if more follow.
    pub next: Option<ConversationId>,
}

#[derive(Clone, Debug)]
pub struct JournalReader {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) table: String,
}

impl JournalReader {
    pub(super) fn new(dynamodb: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The header of a conversation.
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
        Ok(output.item.map(item::read_header).transpose()?)
    }

    /// At most `limit` conversations of a learner after `after`, the newest first, without deleted ones. A conversation that
    /// began within the last second may be missing, because the index is eventually consistent.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Service`].
    pub async fn of_learner(
        &self,
        user_id: &UserId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<HeaderPage, JournalError> {
        let mut page = HeaderPage { headers: Vec::new(), next: after };
        for _ in 0..LIST_REQUESTS_MAX {
            let start = page.next.map(|id| {
                let mut key = item::header_key(id);
                key.insert("userId".to_owned(), text(user_id));
                key
            });
            let listed = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .index_name(BY_LEARNER)
                .key_condition_expression("userId = :user")
                .filter_expression("attribute_not_exists(deletedAt)")
                .expression_attribute_values(":user", text(user_id))
                .scan_index_forward(false)
                .limit(i32::try_from(limit - page.headers.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| service(&error))?;
            for found in listed.items.unwrap_or_default() {
                page.headers.push(item::read_header(found)?);
            }
            page.next = listed.last_evaluated_key.as_ref().map(item::conversation_id).transpose()?;
            if page.next.is_none() || page.headers.len() >= limit {
                break;
            }
        }
        Ok(page)
    }

    /// One turn of a conversation, if it exists.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Service`].
    pub async fn turn(&self, id: ConversationId, index: u32) -> Result<Option<Turn>, JournalError> {
        let output = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::turn_key(id, index)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| service(&error))?;
        Ok(output.item.map(item::read_turn).transpose()?)
    }

    /// A conversation with its turns in order.
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
                .expression_attribute_values(":id", text(&id))
                .set_exclusive_start_key(after)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| service(&error))?;
            items.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(item::read_conversation(items)?);
            }
        }
        Err(CorruptItemError(format!("the conversation fills more than {PAGES_MAX} pages")).into())
    }
}
