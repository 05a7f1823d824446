//! Whether a learner took back what a worker stores of a conversation: deleted the conversation, or the account.
//!
//! Who deletes leaves a mark first (`deletedAt` in the header, `erasure#…` in the Effects table) and deletes what is
//! stored after that. A worker that looks for a mark before it writes can be overtaken between the two. So it looks
//! again after it has written, and removes what it finds there: whatever the order, either the one who deletes finds
//! the object or the worker finds the mark. A worker that dies before that look leaves its message, and the next
//! attempt looks.

use events::{
    contract::ConversationCompleted,
    journal::{JournalError, JournalReader},
    runtime::failure::Failure,
};

use crate::effects::Effects;

/// Looks for marks.
#[derive(Clone, Debug)]
pub(crate) struct Withdrawals {
    pub(crate) journal: JournalReader,
    pub(crate) effects: Effects,
}

impl Withdrawals {
    /// Whether there is a mark, as of now.
    ///
    /// # Errors
    /// By the nature of the failed call.
    pub(crate) async fn has(&self, completed: &ConversationCompleted) -> Result<bool, Failure> {
        let header = self.journal.header(completed.conversation_id).await;
        let header = header.map_err(JournalError::into_failure)?;
        if header.is_some_and(|header| header.deleted_at.is_some()) {
            return Ok(true);
        }
        self.effects.is_erased(&completed.user_id).await
    }
}
