//! Whether the journal confirms a `conversation.completed`. Anything that may put events on the bus could otherwise make a worker
//! store one learner's words as another's, count a conversation that never was, or raise an alert about it.

use events::{
    contract::{ConversationCompleted, Envelope},
    journal::{Header, JournalError, JournalReader},
    runtime::failure::Failure,
};

use crate::effects::Effects;

/// Checks the event of a conversation that the journal holds.
///
/// # Errors
/// The event is rejected: it is not the one of this conversation, or the conversation has not ended.
pub(crate) fn check(header: &Header, event: &Envelope) -> Result<(), Failure> {
    if header.confirms(event) {
        return Ok(());
    }
    Err(Failure::reject("the journal does not confirm the event"))
}

/// The stores that know of an event whose worker reads nothing else of the conversation.
#[derive(Clone, Debug)]
pub(crate) struct Confirmation {
    pub(crate) journal: JournalReader,
    pub(crate) effects: Effects,
}

impl Confirmation {
    /// Whether the event may have its effect. `false` if the learner's data is erased. The journal forgets a conversation in time;
    /// then the event is accepted if its worker `has_handled` it before.
    ///
    /// # Errors
    /// Rejected as by [`check`], or because the journal does not hold the conversation; otherwise by the class of the failed call.
    pub(crate) async fn allows(
        &self,
        event: &Envelope,
        completed: &ConversationCompleted,
        has_handled: impl Future<Output = Result<bool, Failure>>,
    ) -> Result<bool, Failure> {
        let header = self.journal.header(completed.conversation_id).await;
        if let Some(header) = header.map_err(JournalError::into_failure)? {
            return check(&header, event).map(|()| true);
        }
        if self.effects.is_erased(&completed.user_id).await? {
            return Ok(false);
        }
        if has_handled.await? {
            return Ok(true);
        }
        Err(Failure::reject("the journal does not hold the conversation"))
    }
}

#[cfg(test)]
mod tests {
    use events::contract::{EndReason, Event, EventId};

    use super::*;
    use crate::test_samples::{completed, header};

    #[test]
    fn event_that_the_journal_does_not_confirm_is_rejected() {
        let (ended, sample) = (header(true, None), completed(0));
        let event = ended.completed().unwrap();
        assert!(check(&ended, &event).is_ok());
        assert!(check(&header(false, None), &event).is_err(), "the conversation goes on");
        let data = event.event.as_completed().unwrap().clone();
        let older = ConversationCompleted { learner_turns: None, metrics: None, ..data.clone() };
        let older = Envelope { event: Event::ConversationCompleted(older), ..event.clone() };
        assert!(check(&ended, &older).is_ok(), "of a publisher that does not know the newer fields");
        let forged_data = [
            ConversationCompleted { user_id: "another".parse().unwrap(), ..data.clone() },
            ConversationCompleted { image_id: "another".to_owned(), ..data.clone() },
            ConversationCompleted { turns: data.turns + 1, ..data.clone() },
            ConversationCompleted { ended_at: data.started_at, ..data.clone() },
            ConversationCompleted { learner_speech_ms: 3_600_000, ..data.clone() },
            ConversationCompleted { time_zone: "Pacific/Kiritimati".to_owned(), ..data.clone() },
            ConversationCompleted { reason: EndReason::ModelFailed, ..data },
        ];
        let forged_data =
            forged_data.map(|data| Envelope { event: Event::ConversationCompleted(data), ..event.clone() });
        let forged_frame = [
            Envelope { id: EventId::derive(sample.conversation_id, "made up"), ..event.clone() },
            Envelope { occurred_at: sample.started_at, ..event },
        ];
        for forged in forged_data.into_iter().chain(forged_frame) {
            let failure = check(&ended, &forged).unwrap_err();
            assert!(format!("{failure:?}").contains("does not confirm"), "{failure:?}");
        }
    }
}
