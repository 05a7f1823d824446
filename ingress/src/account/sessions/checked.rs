//! The sessions that were found in the table a short time ago.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;
use uuid::Uuid;

use super::CHECK_INTERVAL;

/// Sessions that are remembered. For others every request reads the table.
const CHECKED_MAX: usize = 100_000;

/// When each session was last found.
#[derive(Debug, Default)]
pub(super) struct Checked(Mutex<HashMap<Uuid, Instant>>);

impl Checked {
    /// Whether the session was found within [`CHECK_INTERVAL`].
    pub(super) fn is_recent(&self, session_id: Uuid) -> bool {
        self.lock().get(&session_id).is_some_and(|at| at.elapsed() < CHECK_INTERVAL)
    }

    /// Notes that the session was in the table at `at`.
    pub(super) fn note(&self, session_id: Uuid, at: Instant) {
        let mut checked = self.lock();
        if checked.len() >= CHECKED_MAX {
            checked.retain(|_, at| at.elapsed() < CHECK_INTERVAL);
        }
        if checked.len() < CHECKED_MAX {
            checked.insert(session_id, at);
        }
    }

    pub(super) fn forget(&self, session_id: Uuid) {
        self.lock().remove(&session_id);
    }

    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn checks_are_remembered_for_a_while_and_not_without_bound() {
        let checked = Checked::default();
        for number in 0..=CHECKED_MAX {
            checked.note(Uuid::from_u128(number as u128), Instant::now());
        }
        assert!(checked.is_recent(Uuid::nil()));
        assert!(!checked.is_recent(Uuid::from_u128(CHECKED_MAX as u128)), "there was no room");
        checked.forget(Uuid::nil());
        assert!(!checked.is_recent(Uuid::nil()));
        tokio::time::advance(CHECK_INTERVAL).await;
        assert!(!checked.is_recent(Uuid::from_u128(1)));
        checked.note(Uuid::nil(), Instant::now());
        checked.note(Uuid::from_u128(CHECKED_MAX as u128), Instant::now());
        assert_eq!(checked.lock().len(), 2, "expired ones make room");
    }
}
