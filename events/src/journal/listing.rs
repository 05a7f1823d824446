//! Lists from the eventually consistent index over headers: the ids of a learner's conversations, and all headers.

use super::{
    Header, JournalReader,
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

/// A page of all headers, in no order.
#[derive(Clone, Debug, Default)]
pub struct ScanPage {
    /// Headers.
    pub headers: Vec<Header>,
    /// Items of the page that are no header of this version.
    pub unreadable: usize,
    /// Start of the next page; `None` at the end.
    pub next: Option<ScanCursor>,
}

/// A position in the list of all headers.
#[derive(Clone, Debug)]
pub struct ScanCursor(Item);

impl JournalReader {
    /// The headers of all learners after `after`, at most 100.
    ///
    /// # Errors
    /// [`JournalError::Service`].
    pub async fn scan(&self, after: Option<ScanCursor>) -> Result<ScanPage, JournalError> {
        let output = self
            .dynamodb
            .scan()
            .table_name(&self.table)
            .index_name(BY_LEARNER)
            .set_exclusive_start_key(after.map(|cursor| cursor.0))
            .limit(PAGE_MAX)
            .send()
            .await
            .map_err(|error| service(&error))?;
        let mut page = ScanPage { next: output.last_evaluated_key.map(ScanCursor), ..ScanPage::default() };
        for found in output.items.unwrap_or_default() {
            match item::read_header(found) {
                Ok(header) => page.headers.push(header),
                Err(_) => page.unreadable += 1,
            }
        }
        Ok(page)
    }

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
