//! The sessions of a learner as a list, and the end of single ones.

use events::{contract::UserId, runtime::env};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{AccountSessions, SESSION_SECONDS, SessionError};
use crate::{
    account::{auth::Caller, browser::Browser},
    security::{SecurityEvent, security_event},
    store::sessions::StoredSession,
};

/// A session, as far as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// The id of the session. It opens nothing.
    pub session_id: Uuid,
    /// When it began.
    pub started_at: Timestamp,
    /// When its cookie was last replaced: a page that is open does that every few minutes.
    pub used_at: Timestamp,
    /// The browser that began it.
    pub browser: Browser,
}

impl AccountSessions {
    /// The sessions of a learner that have not ended, the last used one first.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub async fn list(&self, user_id: &UserId) -> Result<Vec<ListedSession>, SessionError> {
        let stored = self.store.list(user_id, env::now()).await.map_err(SessionError::Failed)?;
        let mut sessions: Vec<_> = stored.iter().map(ListedSession::of).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.used_at));
        Ok(sessions)
    }

    /// Ends one session of a learner, here and in the pool. Returns whether there was one.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn end_one(&self, user_id: &UserId, session_id: Uuid) -> Result<bool, SessionError> {
        let session = match self.find(user_id, session_id).await {
            Ok(session) => session,
            Err(SessionError::Ended) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.end_with_pool(&session).await?;
        security_event(&self.metrics, SecurityEvent::SessionRevoked, Some(user_id), "one session");
        Ok(true)
    }

    /// Ends all sessions of a learner except that of `caller`, here and in the pool.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn end_others(&self, caller: &Caller) -> Result<(), SessionError> {
        // The sessions of a page are deleted before the next one is read, so each turn of the loop has fewer left.
        loop {
            let ids = self.store.of_learner(&caller.user_id).await.map_err(SessionError::Failed)?;
            let others: Vec<_> = ids.into_iter().filter(|id| *id != caller.session_id).collect();
            if others.is_empty() {
                return Ok(());
            }
            for session_id in others {
                if !self.end_one(&caller.user_id, session_id).await? {
                    // It has expired, and the table still has it.
                    self.end(&caller.user_id, session_id).await?;
                }
            }
        }
    }
}

impl ListedSession {
    fn of(session: &StoredSession) -> Self {
        let ends_at = Timestamp::from_second(session.expires_at).unwrap_or(session.rotated_at);
        let started_at = ends_at - SignedDuration::from_secs(SESSION_SECONDS);
        Self {
            session_id: session.session_id,
            started_at,
            used_at: session.rotated_at,
            browser: session.browser,
        }
    }
}
