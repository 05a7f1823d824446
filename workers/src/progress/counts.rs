//! PURE. The change that one event makes to a learner's progress: the day and the amounts. All amounts are summed, so the
//! order of events does not matter.

use std::collections::BTreeMap;

use events::{
    contract::{ConversationAnalyzed, ConversationCompleted, ConversationId, Event, Level, UserId},
    pipeline::overview::ScoredConversation,
};
use jiff::{Timestamp, civil::Date};

use super::trend::Assessed;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) user_id: UserId,
    pub(super) conversation_id: ConversationId,
    /// The day in the learner's time zone.
    pub(super) day: Date,
    pub(super) image_id: String,
    /// The level of the conversation; `None` in a `conversation.analyzed` before version 1.3.
    pub(super) level: Option<Level>,
    /// The amounts for the day, the total and the overview, by attribute; empty for a conversation in which the learner said
    /// nothing.
    pub(super) added: Amounts,
    /// More amounts, which builds before the overview did not count.
    pub(super) measured: Amounts,
    /// Whether a conversation is counted: its day then belongs to a streak.
    pub(super) counts_conversation: bool,
    pub(super) assessed: Option<Assessed>,
    /// The assessed conversation, for lists of scores.
    pub(super) scored: Option<ScoredConversation>,
}

/// Amounts by attribute.
pub(super) type Amounts = BTreeMap<&'static str, u64>;

impl Change {
    /// All amounts.
    pub(super) fn amounts(&self) -> Amounts {
        self.added.iter().chain(&self.measured).map(|(name, amount)| (*name, *amount)).collect()
    }
}

/// Why an event makes no change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChangeError {
    #[error("time zone {0:?} is unknown")]
    UnknownTimeZone(String),
    #[error("{0} is not about progress")]
    OtherEvent(&'static str),
}

/// The change of `event`.
pub(super) fn change(event: &Event) -> Result<Change, ChangeError> {
    if let Some(completed) = event.as_completed() {
        Ok(Change {
            user_id: completed.user_id.clone(),
            conversation_id: completed.conversation_id,
            day: local_day(completed.started_at, &completed.time_zone)?,
            image_id: completed.image_id.clone(),
            level: Some(completed.level),
            measured: Amounts::new(),
            added: if is_practice(completed) { activity(completed) } else { BTreeMap::new() },
            counts_conversation: is_practice(completed),
            assessed: None,
            scored: None,
        })
    } else if let Some(analyzed) = event.as_analyzed() {
        Ok(Change {
            user_id: analyzed.user_id.clone(),
            conversation_id: analyzed.conversation_id,
            day: local_day(analyzed.started_at, &analyzed.time_zone)?,
            image_id: analyzed.image_id.clone(),
            level: analyzed.level,
            added: scores(analyzed),
            measured: measured(analyzed),
            counts_conversation: false,
            assessed: Some(Assessed {
                started_at_ms: analyzed.started_at.as_millisecond(),
                conversation_id: analyzed.conversation_id,
                level: analyzed.cefr,
            }),
            scored: Some(scored(analyzed)),
        })
    } else {
        Err(ChangeError::OtherEvent(event.schema()))
    }
}

fn local_day(at: Timestamp, time_zone: &str) -> Result<Date, ChangeError> {
    let local = at.in_tz(time_zone).map_err(|_| ChangeError::UnknownTimeZone(time_zone.to_owned()))?;
    Ok(local.date())
}

/// Whether the learner took a turn: nothing else is practice. Events before version 1.2 do not say how many turns are the
/// learner's; there it is speech, or a turn after the tutor's greeting, which may have been typed.
fn is_practice(completed: &ConversationCompleted) -> bool {
    completed.learner_turns.map_or(completed.learner_speech_ms > 0 || completed.turns > 1, |turns| turns > 0)
}

fn activity(completed: &ConversationCompleted) -> Amounts {
    let lasted_ms = completed.ended_at.as_millisecond() - completed.started_at.as_millisecond();
    BTreeMap::from([
        ("conversations", 1),
        ("turns", u64::from(completed.turns)),
        ("learnerSpeechMs", completed.learner_speech_ms),
        ("durationMs", u64::try_from(lasted_ms).unwrap_or(0)),
    ])
}

fn scores(analyzed: &ConversationAnalyzed) -> Amounts {
    let scores = &analyzed.scores;
    let cefr = match analyzed.cefr {
        Level::A1 => "cefrA1",
        Level::A2 => "cefrA2",
        Level::B1 => "cefrB1",
        Level::B2 => "cefrB2",
        Level::C1 => "cefrC1",
        Level::C2 => "cefrC2",
    };
    BTreeMap::from([
        ("scored", 1),
        ("overallSum", u64::from(scores.overall)),
        ("fluencySum", u64::from(scores.fluency)),
        ("vocabularySum", u64::from(scores.vocabulary)),
        ("grammarSum", u64::from(scores.grammar)),
        ("relevanceSum", u64::from(scores.relevance)),
        (cefr, 1),
    ])
}

fn measured(analyzed: &ConversationAnalyzed) -> Amounts {
    let Some(measures) = &analyzed.measures else { return Amounts::new() };
    Amounts::from([
        ("words", u64::from(measures.words)),
        ("spokenWords", measures.spoken_words()),
        ("spokenMs", measures.speech_ms),
    ])
}

fn scored(analyzed: &ConversationAnalyzed) -> ScoredConversation {
    let measures = analyzed.measures.as_ref();
    ScoredConversation {
        conversation_id: analyzed.conversation_id,
        learner_id: analyzed.user_id.clone(),
        started_at: analyzed.started_at,
        image_id: analyzed.image_id.clone(),
        level: analyzed.level,
        scores: analyzed.scores,
        cefr: analyzed.cefr,
        flags: analyzed.flags.clone(),
        words: measures.map(|measures| measures.words),
        distinct_words: measures.map(|measures| measures.distinct_words),
        words_per_minute: measures.map(|measures| measures.words_per_minute),
        simulated: analyzed.simulated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::{analyzed, completed};
    use events::contract::Measures;
    use proptest::prelude::*;

    fn day(at: &str, time_zone: &str) -> String {
        local_day(at.parse().unwrap(), time_zone).unwrap().to_string()
    }

    #[test]
    fn day_is_the_one_on_the_learners_wall() {
        assert_eq!(day("2026-11-23T14:59:59.999Z", "Asia/Seoul"), "2026-11-23");
        assert_eq!(day("2026-11-23T15:00:00Z", "Asia/Seoul"), "2026-11-24");
        assert_eq!(day("2026-11-23T15:00:00Z", "UTC"), "2026-11-23");
        assert_eq!(day("2026-11-24T07:59:59Z", "America/Los_Angeles"), "2026-11-23");
        assert_eq!(day("2026-12-31T10:00:00Z", "Pacific/Kiritimati"), "2027-01-01");
        assert_eq!(day("2027-01-01T10:59:59Z", "Pacific/Pago_Pago"), "2026-12-31");
        assert_eq!(day("2026-02-28T18:15:00Z", "Asia/Kathmandu"), "2026-03-01");
    }

    #[test]
    fn day_follows_daylight_saving() {
        // Midnight in New York is 05:00 UTC in winter and 04:00 UTC in summer.
        assert_eq!(day("2026-03-08T04:30:00Z", "America/New_York"), "2026-03-07");
        assert_eq!(day("2026-03-09T04:30:00Z", "America/New_York"), "2026-03-09");
        // Samoa had no 30 December 2011.
        assert_eq!(day("2011-12-30T09:59:59Z", "Pacific/Apia"), "2011-12-29");
        assert_eq!(day("2011-12-30T10:00:00Z", "Pacific/Apia"), "2011-12-31");
    }

    #[test]
    fn unknown_time_zone_is_named() {
        let mut event = completed(2);
        event.time_zone = "Mars/Olympus".to_owned();
        let unknown = change(&Event::ConversationCompleted(event));
        assert_eq!(unknown, Err(ChangeError::UnknownTimeZone("Mars/Olympus".to_owned())));
    }

    #[test]
    fn conversation_adds_activity_and_an_assessment_adds_scores_to_the_same_day() {
        let activity = change(&Event::ConversationCompleted(completed(6))).unwrap();
        let expected =
            [("conversations", 1), ("durationMs", 245_000), ("learnerSpeechMs", 800), ("turns", 6)];
        assert_eq!(activity.added, BTreeMap::from(expected));

        let measures =
            Measures { words: 12, speech_ms: 6_000, words_per_minute: 100.0, ..Measures::default() };
        let assessed = ConversationAnalyzed { measures: Some(measures), ..analyzed(70, Level::B2) };
        let scores = change(&Event::ConversationAnalyzed(assessed.clone())).unwrap();
        let measured = ["words", "spokenWords", "spokenMs"].map(|name| scores.measured[name]);
        assert_eq!(measured, [12, 10, 6_000], "two words were typed");
        let older = ConversationAnalyzed { measures: None, ..assessed };
        let older = change(&Event::ConversationAnalyzed(older)).unwrap();
        assert_eq!((older.measured, older.added["scored"]), (Amounts::new(), 1), "of version 1.2");
        assert_eq!(scores.amounts().len(), scores.added.len() + 3);
        assert_eq!(scores.added["overallSum"], 70);
        assert_eq!((scores.added["scored"], scores.added["cefrB2"]), (1, 1));
        assert_eq!((scores.day, scores.counts_conversation), (activity.day, false));
        assert_eq!(scores.assessed.map(|assessed| assessed.level), Some(Level::B2));
        assert_eq!(activity.assessed, None);
    }

    #[test]
    fn conversation_without_a_turn_of_the_learner_counts_nothing() {
        let counted = |learner_turns, turns, learner_speech_ms| {
            let event = ConversationCompleted { learner_turns, learner_speech_ms, ..completed(turns) };
            let change = change(&Event::ConversationCompleted(event)).unwrap();
            assert_eq!(change.counts_conversation, !change.added.is_empty());
            change.counts_conversation
        };
        assert!(!counted(Some(0), 0, 0) && !counted(Some(0), 2, 0), "greetings and nudges are the tutor's");
        assert!(counted(Some(1), 1, 0), "a typed turn has no speech");
        assert!(!counted(None, 0, 0) && !counted(None, 1, 0), "of an older build");
        assert!(counted(None, 2, 0) && counted(None, 1, 800));
    }

    #[test]
    fn conversation_that_ends_before_it_starts_lasts_no_time() {
        let mut event = completed(0);
        event.ended_at = "2026-11-23T15:29:00Z".parse().unwrap();
        assert_eq!(activity(&event)["durationMs"], 0);
    }

    proptest! {
        #[test]
        fn day_is_within_a_day_of_utc_in_every_zone(
            seconds in -2_000_000_000i64..4_000_000_000,
            zone in prop::sample::select(jiff::tz::db().available().map(|name| name.to_string()).collect::<Vec<_>>()),
        ) {
            let at = Timestamp::from_second(seconds).unwrap();
            let local = local_day(at, &zone).unwrap();
            let utc = local_day(at, "UTC").unwrap();
            prop_assert!(local >= utc.yesterday().unwrap() && local <= utc.tomorrow().unwrap());
        }
    }
}
