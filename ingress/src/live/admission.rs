//! Admission of conversations: a bounded number on this task, one for each learner, none while the task shuts down. A
//! conversation acquires its slot when it starts. A ticket only reserves one, for a short time and from a small share, so that
//! accounts that request tickets and open no socket keep no learner out. Time is a value.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use events::contract::{ConversationId, UserId};
use jiff::{SignedDuration, Timestamp};

use crate::live::presence::PresenceClaim;

/// Time for which a ticket reserves a slot, in seconds: a client opens its socket at once.
pub const RESERVATION_SECONDS: i64 = 10;

/// Share of the slots that tickets may reserve, in percent; at least one slot.
pub const RESERVED_PERCENT_MAX: usize = 10;

/// The slots of this task.
#[derive(Clone, Debug)]
pub struct AdmissionControl {
    slots_max: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    slots: HashMap<UserId, Reservation>,
}

#[derive(Clone, Copy, Debug)]
struct Reservation {
    conversation_id: ConversationId,
    /// Expiry of the slot of a conversation that has not started; `None` once it has.
    reserved_until: Option<Timestamp>,
}

/// The slot of a running conversation; dropping it releases the slot.
#[derive(Debug)]
pub struct Slot {
    admission: AdmissionControl,
    user_id: UserId,
    conversation_id: ConversationId,
    /// Shows the learner as live to the other tasks.
    presence: Option<PresenceClaim>,
}

/// Why a conversation is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    #[error("the service is restarting")]
    Stopping,
    #[error("all conversations are in use at the moment")]
    Full,
    /// The model, or the quota of its streams over all tasks, has no room.
    #[error("the speaking partner has no time for more conversations at the moment")]
    Throttled,
    #[error("you are in another conversation already")]
    InConversation(ConversationId),
}

impl AdmissionControl {
    /// At most `slots_max` conversations.
    #[must_use]
    pub fn new(slots_max: usize) -> Self {
        Self { slots_max, state: Arc::default() }
    }

    /// Reserves a slot for a conversation whose ticket is issued now, unless all that may be reserved are. It replaces an earlier
    /// reservation of the learner.
    pub fn reserve(
        &self,
        user_id: &UserId,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<(), AdmissionError> {
        let reserved_until = now + SignedDuration::from_secs(RESERVATION_SECONDS);
        self.insert(user_id, Reservation { conversation_id, reserved_until: Some(reserved_until) }, now)
    }

    /// Acquires the slot of a conversation that starts.
    pub fn acquire(
        &self,
        user_id: &UserId,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<Slot, AdmissionError> {
        self.insert(user_id, Reservation { conversation_id, reserved_until: None }, now)?;
        Ok(Slot { admission: self.clone(), user_id: user_id.clone(), conversation_id, presence: None })
    }

    /// Whether the learner has a slot for this conversation, reserved or acquired.
    #[must_use]
    pub fn holds(&self, user_id: &UserId, conversation_id: ConversationId) -> bool {
        self.lock().slots.get(user_id).is_some_and(|slot| slot.conversation_id == conversation_id)
    }

    /// Admits no conversation from now on.
    pub fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Whether [`Self::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    fn insert(&self, user_id: &UserId, slot: Reservation, now: Timestamp) -> Result<(), AdmissionError> {
        let mut state = self.lock();
        if state.stopping {
            return Err(AdmissionError::Stopping);
        }
        if let Some(current) = state.slots.get(user_id)
            && current.reserved_until.is_none()
        {
            return Err(AdmissionError::InConversation(current.conversation_id));
        }
        state.slots.retain(|_, slot| slot.reserved_until.is_none_or(|until| until > now));
        let is_new = !state.slots.contains_key(user_id);
        if is_new && state.slots.len() >= self.slots_max {
            return Err(AdmissionError::Full);
        }
        if is_new && slot.reserved_until.is_some() {
            let reserved = state.slots.values().filter(|slot| slot.reserved_until.is_some()).count();
            if reserved >= (self.slots_max * RESERVED_PERCENT_MAX / 100).max(1) {
                return Ok(());
            }
        }
        state.slots.insert(user_id.clone(), slot);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Holds the claim as long as the slot.
    #[must_use]
    pub fn with_presence(mut self, presence: PresenceClaim) -> Self {
        self.presence = Some(presence);
        self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        let own = state.slots.get(&self.user_id).map(|slot| slot.conversation_id);
        if own == Some(self.conversation_id) {
            state.slots.remove(&self.user_id);
        }
    }
}

impl AdmissionError {
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Full => "full",
            Self::Throttled => "throttled",
            Self::InConversation(_) => "in_conversation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    fn conversation(n: u8) -> ConversationId {
        ConversationId::new(now(), [n; 10])
    }

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    #[test]
    fn seats_are_bounded_and_come_back() {
        let admission = AdmissionControl::new(2);
        let first = admission.acquire(&user("a"), conversation(1), now()).unwrap();
        let _second = admission.acquire(&user("b"), conversation(2), now()).unwrap();
        assert_eq!(admission.reserve(&user("c"), conversation(3), now()), Err(AdmissionError::Full));
        drop(first);
        assert_eq!(admission.reserve(&user("c"), conversation(3), now()), Ok(()));
    }

    #[test]
    fn a_learner_has_one_conversation() {
        let admission = AdmissionControl::new(9);
        let slot = admission.acquire(&user("a"), conversation(1), now()).unwrap();
        let again = admission.reserve(&user("a"), conversation(2), now());
        assert_eq!(again, Err(AdmissionError::InConversation(conversation(1))));
        drop(slot);
        assert_eq!(admission.reserve(&user("a"), conversation(2), now()), Ok(()));
        assert_eq!(admission.reserve(&user("a"), conversation(3), now()), Ok(()));
        assert!(admission.holds(&user("a"), conversation(3)));
        assert!(
            !admission.holds(&user("a"), conversation(2)) && !admission.holds(&user("b"), conversation(3))
        );
    }

    #[test]
    fn a_seat_that_is_not_used_is_free_after_a_while() {
        let admission = AdmissionControl::new(1);
        admission.reserve(&user("a"), conversation(1), now()).unwrap();
        assert_eq!(admission.reserve(&user("b"), conversation(2), now()), Err(AdmissionError::Full));
        let later = now() + SignedDuration::from_secs(RESERVATION_SECONDS);
        assert_eq!(admission.reserve(&user("b"), conversation(2), later), Ok(()));
    }

    #[test]
    fn tickets_that_open_no_socket_keep_no_learner_out() {
        let admission = AdmissionControl::new(100);
        for n in 0..100 {
            assert_eq!(admission.reserve(&user(&format!("idle-{n}")), conversation(n), now()), Ok(()));
        }
        let talking: Vec<_> = (0..90)
            .map(|n| admission.acquire(&user(&format!("talks-{n}")), conversation(n), now()).unwrap())
            .collect();
        let late = admission.acquire(&user("late"), conversation(1), now());
        assert_eq!(late.unwrap_err(), AdmissionError::Full, "ten slots are reserved");
        assert!(admission.acquire(&user("idle-3"), conversation(3), now()).is_ok());
        let later = now() + SignedDuration::from_secs(RESERVATION_SECONDS);
        assert!(admission.acquire(&user("late"), conversation(1), later).is_ok());
        drop(talking);
    }

    #[test]
    fn a_stopping_service_has_no_seats() {
        let admission = AdmissionControl::new(1);
        admission.stop();
        assert_eq!(admission.reserve(&user("a"), conversation(1), now()), Err(AdmissionError::Stopping));
    }
}
