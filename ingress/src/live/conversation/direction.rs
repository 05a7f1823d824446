//! PURE. Stage directions during the conversation: nudges for a silent learner, and the wrap-up when the time is nearly
//! over. Both need a quiet moment, a connected client, and a model that accepts text.

use super::{Conversation, Phase};

/// How long to wait for the answer to a direction, in milliseconds. Meanwhile there is no other direction, no planned renewal
/// and no handover.
pub(super) const ANSWER_WAIT_MS: u64 = 5_000;

/// The directions so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Directions {
    /// Nudges since the last activity of the learner.
    nudges: usize,
    nudged_ms: u64,
    /// Deadline for the answer to the last direction.
    awaited_until_ms: u64,
    wrapped_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Nudge(usize),
    WrapUp,
}

impl Conversation {
    /// Neither side is speaking, and no answer to a direction is pending.
    #[must_use]
    pub(super) fn is_quiet(&self, at_ms: u64) -> bool {
        self.floor.is_quiet() && at_ms >= self.directions.awaited_until_ms
    }

    /// When the next direction is due, if it stays quiet until then.
    #[must_use]
    pub(super) fn direction_due_ms(&self) -> Option<u64> {
        self.next_direction().map(|(due_ms, _)| due_ms)
    }

    /// Sends the direction that is due.
    pub(super) fn direct(&mut self, at_ms: u64) {
        let Some((due_ms, direction)) = self.next_direction() else { return };
        let (Some(stream), Some(texts)) = (self.link.listening(), &self.settings.texts) else { return };
        if at_ms < due_ms || self.phase != Phase::Talking {
            return;
        }
        let text = match direction {
            Direction::Nudge(count) => {
                self.directions.nudges = count + 1;
                self.directions.nudged_ms = at_ms;
                texts.nudges[count].clone()
            }
            Direction::WrapUp => {
                self.directions.wrapped_up = true;
                texts.wrap_up.clone()
            }
        };
        self.directions.awaited_until_ms = at_ms + ANSWER_WAIT_MS;
        self.send_text(stream, text, at_ms);
    }

    fn next_direction(&self) -> Option<(u64, Direction)> {
        let limits = &self.settings.limits;
        let texts = self.settings.texts.as_ref()?;
        let possible = self.detached_ms.is_none()
            && self.hand_over_by_ms.is_none()
            && self.upload.is_none()
            && self.link.listening().is_some()
            && self.floor.is_quiet()
            && self.floor.turns() > 0;
        if !possible || self.directions.wrapped_up {
            return None;
        }
        let sent = self.directions;
        let nudges = if self.active_ms > sent.nudged_ms { 0 } else { sent.nudges };
        let silent_ms = self.active_ms.max(self.floor.playing_until_ms()).max(sent.nudged_ms);
        let nudge = (nudges < texts.nudges.len())
            .then(|| (silent_ms + (limits.nudge_after_ms << nudges), Direction::Nudge(nudges)));
        let wrap_up_ms = self.ends_ms().saturating_sub(limits.wrap_up_ms).max(self.floor.playing_until_ms());
        let next =
            nudge.into_iter().chain([(wrap_up_ms, Direction::WrapUp)]).min_by_key(|(due_ms, _)| *due_ms);
        next.map(|(due_ms, direction)| (due_ms.max(sent.awaited_until_ms), direction))
    }
}

#[cfg(test)]
mod tests {
    use events::contract::{EndReason, Speaker};

    use crate::live::conversation::{
        Input, NUDGES_MAX, StreamId, Texts,
        test_fixture::{Harness, limits, settings, texts},
    };

    const NUDGE_MS: u64 = 20_000;

    /// A conversation in which the tutor has said hello, until 1000 ms.
    fn greeted() -> Harness {
        let mut settings = settings();
        settings.limits.nudge_after_ms = NUDGE_MS;
        let mut talk = Harness::new(settings);
        talk.open(StreamId(0));
        talk.tutor_says("Hello.", 1_000);
        talk
    }

    fn nudge(number: usize) -> String {
        texts().nudges[number].clone()
    }

    #[test]
    fn a_silent_learner_is_spoken_to_and_not_for_ever() {
        let mut talk = greeted();
        talk.pass(NUDGE_MS - 1);
        assert_eq!(talk.prompts(), [texts().opening]);
        talk.pass(1);
        assert_eq!(talk.prompts().last(), Some(&nudge(0)));
        talk.tutor_says("Shall I say it again?", 2_000);
        // The next one comes after twice the time, from the end of the tutor's words on.
        talk.pass(2 * NUDGE_MS - 1);
        assert_eq!(talk.prompts().len(), 2);
        talk.pass(1);
        assert_eq!(talk.prompts().last(), Some(&nudge(1)));
        talk.tutor_says("Is it a dog?", 1_000);
        talk.pass(limits().silence_ms_max - 1);
        assert_eq!(talk.prompts().len(), 1 + NUDGES_MAX);
        assert_eq!(talk.ended(), None);
        talk.pass(2);
        talk.pass(10_000);
        assert_eq!(talk.ended(), Some(EndReason::Silence));
    }

    #[test]
    fn a_learner_who_has_spoken_again_is_nudged_anew() {
        let mut talk = greeted();
        talk.pass(NUDGE_MS + 1_000);
        talk.tutor_says("Shall I say it again?", 1_000);
        talk.pass(5_000);
        talk.learner_says("I see a dog.", 500);
        talk.tutor_says("What colour is it?", 1_000);
        talk.pass(NUDGE_MS + 2_000);
        assert_eq!(talk.prompts()[1..], [nudge(0), nudge(0)]);
    }

    #[test]
    fn nobody_is_nudged_while_somebody_speaks_or_is_not_there() {
        let mut talk = greeted();
        // Speech that is not understood yet.
        talk.pass(NUDGE_MS - 1_000);
        talk.learner_speaks(500);
        talk.pass(5_000);
        assert_eq!(talk.prompts().len(), 1);
        talk.tutor_says("Sorry?", 1_000);
        // The client is disconnected.
        let mut talk = greeted();
        talk.input(Input::Detached);
        talk.pass(NUDGE_MS * 2);
        assert_eq!(talk.prompts().len(), 1);
        // An uploaded turn that is being spoken: three seconds of it.
        let mut talk = greeted();
        talk.pass(NUDGE_MS - 1_000);
        talk.input(Input::Uploaded(vec![0; 96_000].into()));
        talk.pass(3_000);
        assert_eq!(talk.prompts().len(), 1);
    }

    #[test]
    fn near_the_end_the_tutor_is_asked_once_to_come_to_an_end() {
        let mut talk = greeted();
        let wrap_up_at = limits().conversation_ms_max - limits().wrap_up_ms;
        while talk.now_ms() + 10_000 < wrap_up_at {
            talk.pass(5_000);
            talk.learner_says("I see a dog.", 500);
            talk.tutor_says("So do I.", 1_000);
        }
        assert!(!talk.prompts().contains(&texts().wrap_up));
        // The moment comes while the tutor speaks.
        talk.pass(wrap_up_at - talk.now_ms() - 100);
        talk.learner_says("And a cat.", 500);
        assert!(!talk.prompts().contains(&texts().wrap_up));
        talk.tutor_says("Where is it?", 1_000);
        talk.pass(2_000);
        assert_eq!(talk.prompts().last(), Some(&texts().wrap_up));
        talk.tutor_says("You did well. Goodbye!", 2_000);
        talk.pass(limits().conversation_ms_max - talk.now_ms() + 10_000);
        let wrap_ups = talk.prompts().iter().filter(|text| **text == texts().wrap_up).count();
        assert_eq!((wrap_ups, talk.ended()), (1, Some(EndReason::TimeLimit)));
        assert_eq!(talk.turns().last().unwrap().text, "You did well. Goodbye!");
    }

    #[test]
    fn what_the_tutor_is_told_is_no_turn_and_its_answer_has_no_latency() {
        let mut talk = greeted();
        talk.pass(NUDGE_MS + 1_000);
        talk.tutor_says("Shall I say it again?", 1_000);
        talk.pass(5_000);
        let turns: Vec<_> = talk.turns().iter().map(|turn| (turn.speaker, turn.answer_latency_ms)).collect();
        assert_eq!(turns, [(Speaker::Tutor, None), (Speaker::Tutor, None)]);
    }

    #[test]
    fn a_model_that_cannot_be_typed_to_is_told_nothing() {
        let mut settings = settings();
        settings.texts = None::<Texts>;
        let mut talk = Harness::new(settings);
        talk.open(StreamId(0));
        talk.learner_says("Hello.", 500);
        talk.tutor_says("Hello.", 1_000);
        talk.pass(limits().silence_ms_max - 1);
        assert!(talk.prompts().is_empty());
    }
}
