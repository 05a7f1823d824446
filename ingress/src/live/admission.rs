//! Who may talk now: a bounded number of conversations, one for each learner, none while the service is stopping.
//! A seat is taken when a conversation is asked for and kept while its ticket is good; the time is a value.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use events::contract::{ConversationId, UserId};
use jiff::{SignedDuration, Timestamp};

use crate::{live::presence::Present, live::ticket::TICKET_SECONDS};

/// Gives out seats.
#[derive(Clone, Debug)]
pub struct Seats {
    seats_max: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    taken: HashMap<UserId, Seat>,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    conversation_id: ConversationId,
    /// Until when the seat is kept for a conversation that has not started; `None` once it has.
    kept_until: Option<Timestamp>,
}

/// A seat in use; dropping it frees the seat.
#[derive(Debug)]
pub struct Seated {
    seats: Seats,
    user_id: UserId,
    conversation_id: ConversationId,
    /// What the other tasks are told.
    present: Option<Present>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSeat {
    /// The service is stopping.
    #[error("the service is restarting")]
    Stopping,
    /// All seats are taken.
    #[error("all conversations are in use at the moment")]
    Full,
    /// The learner is in another conversation.
    #[error("you are in another conversation already")]
    InConversation(ConversationId),
}

impl Seats {
    /// At most `seats_max` conversations.
    #[must_use]
    pub fn new(seats_max: usize) -> Self {
        Self { seats_max, state: Arc::default() }
    }

    /// Keeps a seat for a conversation whose ticket is issued now. A learner who asks again gives up the earlier
    /// one, if it has not started.
    ///
    /// # Errors
    /// See [`NoSeat`].
    pub fn keep(
        &self,
        user_id: &UserId,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<(), NoSeat> {
        let kept_until = now + SignedDuration::from_secs(TICKET_SECONDS);
        self.take(user_id, Seat { conversation_id, kept_until: Some(kept_until) }, now)
    }

    /// Takes the seat of a conversation that starts.
    ///
    /// # Errors
    /// See [`NoSeat`].
    pub fn sit(
        &self,
        user_id: &UserId,
        conversation_id: ConversationId,
        now: Timestamp,
    ) -> Result<Seated, NoSeat> {
        self.take(user_id, Seat { conversation_id, kept_until: None }, now)?;
        Ok(Seated { seats: self.clone(), user_id: user_id.clone(), conversation_id, present: None })
    }

    /// Whether a seat is kept for this conversation of the learner, or it is held.
    #[must_use]
    pub fn holds(&self, user_id: &UserId, conversation_id: ConversationId) -> bool {
        self.lock().taken.get(user_id).is_some_and(|seat| seat.conversation_id == conversation_id)
    }

    /// No more seats from now on.
    pub fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Whether [`Self::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    fn take(&self, user_id: &UserId, seat: Seat, now: Timestamp) -> Result<(), NoSeat> {
        let mut state = self.lock();
        if state.stopping {
            return Err(NoSeat::Stopping);
        }
        let expired = |seat: &Seat| seat.kept_until.is_some_and(|until| until <= now);
        if let Some(taken) = state.taken.get(user_id)
            && taken.kept_until.is_none()
        {
            return Err(NoSeat::InConversation(taken.conversation_id));
        }
        if !state.taken.contains_key(user_id) && state.taken.len() >= self.seats_max {
            state.taken.retain(|_, seat| !expired(seat));
            if state.taken.len() >= self.seats_max {
                return Err(NoSeat::Full);
            }
        }
        state.taken.insert(user_id.clone(), seat);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    /// The other tasks are told as long as the seat is held.
    #[must_use]
    pub fn shown(self, present: Present) -> Self {
        let mut seated = self;
        seated.present = Some(present);
        seated
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut state = self.seats.lock();
        let own = state.taken.get(&self.user_id).map(|seat| seat.conversation_id);
        if own == Some(self.conversation_id) {
            state.taken.remove(&self.user_id);
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
        let seats = Seats::new(2);
        let first = seats.sit(&user("a"), conversation(1), now()).unwrap();
        let _second = seats.sit(&user("b"), conversation(2), now()).unwrap();
        assert_eq!(seats.keep(&user("c"), conversation(3), now()), Err(NoSeat::Full));
        drop(first);
        assert_eq!(seats.keep(&user("c"), conversation(3), now()), Ok(()));
    }

    #[test]
    fn a_learner_has_one_conversation() {
        let seats = Seats::new(9);
        let seated = seats.sit(&user("a"), conversation(1), now()).unwrap();
        let again = seats.keep(&user("a"), conversation(2), now());
        assert_eq!(again, Err(NoSeat::InConversation(conversation(1))));
        drop(seated);
        assert_eq!(seats.keep(&user("a"), conversation(2), now()), Ok(()));
        assert_eq!(seats.keep(&user("a"), conversation(3), now()), Ok(()));
        assert!(seats.holds(&user("a"), conversation(3)));
        assert!(!seats.holds(&user("a"), conversation(2)) && !seats.holds(&user("b"), conversation(3)));
    }

    #[test]
    fn a_seat_that_is_not_used_is_free_after_a_while() {
        let seats = Seats::new(1);
        seats.keep(&user("a"), conversation(1), now()).unwrap();
        assert_eq!(seats.keep(&user("b"), conversation(2), now()), Err(NoSeat::Full));
        let later = now() + SignedDuration::from_secs(TICKET_SECONDS);
        assert_eq!(seats.keep(&user("b"), conversation(2), later), Ok(()));
    }

    #[test]
    fn a_stopping_service_has_no_seats() {
        let seats = Seats::new(1);
        seats.stop();
        assert_eq!(seats.keep(&user("a"), conversation(1), now()), Err(NoSeat::Stopping));
    }
}
