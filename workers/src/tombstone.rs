//! Deletion tombstones: whether a learner has deleted the conversation that a worker stores something about, or the account.
//!
//! A deletion first writes a tombstone (`deletedAt` in the header, `erasure#…` in the Effects table) and then deletes the
//! stored documents. A worker that checks for a tombstone only before its write can race with the deletion. It therefore
//! checks again after the write and removes its document if there is one: in every order, either the deletion finds the
//! document or the worker finds the tombstone. A worker that dies before the check leaves its message, and the next
//! attempt checks.

use events::{
    contract::ConversationCompleted,
    journal::{JournalError, JournalReader},
    runtime::failure::Failure,
};

use crate::effects::Effects;

#[derive(Clone, Debug)]
pub(crate) struct Tombstones {
    pub(crate) journal: JournalReader,
    pub(crate) effects: Effects,
}

impl Tombstones {
    /// Whether there is a tombstone for the conversation or its learner, read consistently.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub(crate) async fn exist_for(&self, completed: &ConversationCompleted) -> Result<bool, Failure> {
        let header = self.journal.header(completed.conversation_id).await;
        let header = header.map_err(JournalError::into_failure)?;
        if header.is_some_and(|header| header.deleted_at.is_some()) {
            return Ok(true);
        }
        self.effects.is_erased(&completed.user_id).await
    }
}
