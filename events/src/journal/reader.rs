//! Reading the journal, always consistently: what was durable before the call is in the answer.

use super::{
    conversation::{Conversation, Header},
    error::{JournalError, service},
    item::{self, CorruptItemError},
};
use crate::contract::{ConversationId, Turn, UserId};

/// Pages of a query (1 MiB each) that one conversation may fill.
const PAGES_MAX: usize = 64;

/// The index that lists a learner's conversations: only headers are in it.
const BY_LEARNER: &str = "userId-timestamp-index";

/// Requests that one page of a list may take: more than one where conversations were deleted.
const LIST_REQUESTS_MAX: usize = 8;

/// Some of a learner's conversations, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderPage {
    /// Their headers. There can be fewer than were asked for although there are more.
    pub headers: Vec<Header>,
    /// What to go on after, if there is more.
    pub next: Option<ConversationId>,
}

/// Reads conversations.
#[derive(Clone, Debug)]
pub struct JournalReader {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) table: String,
}

impl JournalReader {
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

    /// At most `limit` conversations of a learner that were not deleted, the newest first, from the one that follows
    /// `after`. An index tells it, so a conversation that began within the last second may be missing.
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
                key.insert("userId".to_owned(), item::text(user_id));
                key
            });
            let listed = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .index_name(BY_LEARNER)
                .key_condition_expression("userId = :user")
                .filter_expression("attribute_not_exists(deletedAt)")
                .expression_attribute_values(":user", item::text(user_id))
                .scan_index_forward(false)
                .limit(i32::try_from(limit - page.headers.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| service(&error))?;
            for found in listed.items() {
                page.headers.push(item::read_header(found)?);
            }
            page.next = listed.last_evaluated_key().map(item::conversation_id).transpose()?;
            if page.next.is_none() || page.headers.len() >= limit {
                break;
            }
        }
        Ok(page)
    }

    /// One turn of a conversation, if it has so many.
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
        Ok(output.item.as_ref().map(item::read_turn).transpose()?)
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
        Err(CorruptItemError(format!("the conversation fills more than {PAGES_MAX} pages")).into())
    }
}
