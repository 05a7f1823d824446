//! Whether the journal confirms a `conversation.completed`. Anything that may put events on the bus could otherwise make a worker
//! store one learner's words as another's.

use events::{contract::ConversationCompleted, journal::Header, runtime::failure::Failure};

/// # Errors
/// The event is rejected: the journal holds the conversation with another learner or another end, or without an end.
pub(crate) fn check(header: &Header, completed: &ConversationCompleted) -> Result<(), Failure> {
    if header.confirms(completed) {
        return Ok(());
    }
    Err(Failure::reject("the journal does not confirm the event"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::{completed, header};

    #[test]
    fn event_that_the_journal_does_not_confirm_is_rejected() {
        let (ended, event) = (header(true, None), completed(0));
        assert!(check(&ended, &event).is_ok());
        assert!(check(&header(false, None), &event).is_err(), "the conversation goes on");
        let forged = [
            ConversationCompleted { user_id: "another".parse().unwrap(), ..event.clone() },
            ConversationCompleted { image_id: "another".to_owned(), ..event.clone() },
            ConversationCompleted { turns: event.turns + 1, ..event.clone() },
            ConversationCompleted { ended_at: event.started_at, ..event },
        ];
        for forged in forged {
            let failure = check(&ended, &forged).unwrap_err();
            assert!(format!("{failure:?}").contains("does not confirm"), "{failure:?}");
        }
    }
}
