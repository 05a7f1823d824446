//! The sessions that were found in the table a short time ago.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::CHECK_INTERVAL;
use crate::store::sessions::StoredSession;

/// Sessions that are remembered. For others every request reads the table.
const CHECKED_MAX: usize = 100_000;

/// When each session was last found, and what it said of the last step-up.
#[derive(Debug, Default)]
pub(super) struct Checked(Mutex<HashMap<Uuid, Check>>);

#[derive(Clone, Copy, Debug)]
struct Check {
    at: Instant,
    stepped_up_at: Option<Timestamp>,
}

impl Checked {
    /// Whether the session was found within [`CHECK_INTERVAL`].
    pub(super) fn is_recent(&self, session_id: Uuid) -> bool {
        self.recent(session_id).is_some()
    }

    /// The last step-up of the session, if it was found within [`CHECK_INTERVAL`].
    pub(super) fn stepped_up_at(&self, session_id: Uuid) -> Option<Timestamp> {
        self.recent(session_id)?.stepped_up_at
    }

    /// Notes that the session was in the table at `at`.
    pub(super) fn note(&self, session: &StoredSession, at: Instant) {
        let mut checked = self.lock();
        if checked.len() >= CHECKED_MAX {
            checked.retain(|_, check| check.at.elapsed() < CHECK_INTERVAL);
        }
        if checked.len() < CHECKED_MAX {
            checked.insert(session.session_id, Check { at, stepped_up_at: session.stepped_up_at });
        }
    }

    pub(super) fn forget(&self, session_id: Uuid) {
        self.lock().remove(&session_id);
    }

    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn recent(&self, session_id: Uuid) -> Option<Check> {
        self.lock().get(&session_id).filter(|check| check.at.elapsed() < CHECK_INTERVAL).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Check>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::browser::Browser;

    fn session(session_id: u128) -> StoredSession {
        StoredSession {
            user_id: "learner-1".parse().unwrap(),
            session_id: Uuid::from_u128(session_id),
            generation: 0,
            rotated_at: Timestamp::UNIX_EPOCH,
            stepped_up_at: Some(Timestamp::UNIX_EPOCH),
            browser: Browser::default(),
            sealed: String::new(),
            expires_at: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn checks_are_remembered_for_a_while_and_not_without_bound() {
        let checked = Checked::default();
        for number in 0..=CHECKED_MAX {
            checked.note(&session(number as u128), Instant::now());
        }
        assert!(checked.is_recent(Uuid::nil()));
        assert_eq!(checked.stepped_up_at(Uuid::nil()), Some(Timestamp::UNIX_EPOCH));
        assert!(!checked.is_recent(Uuid::from_u128(CHECKED_MAX as u128)), "there was no room");
        checked.forget(Uuid::nil());
        assert!(!checked.is_recent(Uuid::nil()));
        tokio::time::advance(CHECK_INTERVAL).await;
        assert!(!checked.is_recent(Uuid::from_u128(1)));
        assert_eq!(checked.stepped_up_at(Uuid::from_u128(1)), None);
        checked.note(&session(0), Instant::now());
        checked.note(&session(CHECKED_MAX as u128), Instant::now());
        assert_eq!(checked.lock().len(), 2, "expired ones make room");
    }
}
