//! The sessions that have open sockets and streams on this task.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use events::contract::UserId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The watched sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(Arc<Mutex<HashMap<Uuid, Entry>>>);

#[derive(Debug)]
struct Entry {
    user_id: UserId,
    ended: CancellationToken,
    watches: usize,
}

/// Watches a session until it is dropped.
#[derive(Debug)]
pub struct SessionWatch {
    watched: Watched,
    session_id: Uuid,
    ended: CancellationToken,
}

impl Watched {
    pub(super) fn add(&self, user_id: &UserId, session_id: Uuid) -> SessionWatch {
        let mut all = self.lock();
        let entry = all.entry(session_id).or_insert_with(|| Entry {
            user_id: user_id.clone(),
            ended: CancellationToken::new(),
            watches: 0,
        });
        entry.watches += 1;
        SessionWatch { watched: self.clone(), session_id, ended: entry.ended.clone() }
    }

    pub(super) fn all(&self) -> Vec<(Uuid, UserId)> {
        self.lock().iter().map(|(id, entry)| (*id, entry.user_id.clone())).collect()
    }

    pub(super) fn end(&self, session_id: Uuid) {
        if let Some(entry) = self.lock().get(&session_id) {
            entry.ended.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionWatch {
    /// A watch of no session, which ends only by [`Self::end`].
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        Watched::default().add(&"learner-1".parse().expect("this is an id"), Uuid::nil())
    }

    /// Waits until the session has ended. Cancel safe.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for SessionWatch {
    fn drop(&mut self) {
        let mut all = self.watched.lock();
        if let Some(entry) = all.get_mut(&self.session_id) {
            entry.watches -= 1;
            if entry.watches == 0 {
                all.remove(&self.session_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn watch_ends_with_its_session_and_leaves_nothing_behind() {
        let (watched, user_id) = (Watched::default(), "learner-1".parse().unwrap());
        let one = watched.add(&user_id, Uuid::from_u128(1));
        let again = watched.add(&user_id, Uuid::from_u128(1));
        let other = watched.add(&user_id, Uuid::from_u128(2));
        watched.end(Uuid::from_u128(1));
        one.ended().await;
        again.ended().await;
        assert!(!other.ended.is_cancelled());
        drop(one);
        assert_eq!(watched.all().len(), 2);
        drop((again, other));
        assert!(watched.all().is_empty());
    }
}
