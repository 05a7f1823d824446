//! PURE. A learner's total over all days: sums, days, latest assessments and milestones. It depends on the counted
//! conversations and assessments, not on their order.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    contract::{Milestone, Standing, Totals},
    pipeline::overview::Ranking,
};

use super::{
    counts::{Amounts, Change},
    days::Days,
    trend::Latest,
};

/// Number of assessments at or above a level that reach the level's milestone.
const LEVEL_ASSESSMENTS: u64 = 3;

const HOUR_MS: u64 = 3_600_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    /// Number of counted changes. A write is conditional on it.
    pub(super) revision: u64,
    pub(super) sums: BTreeMap<String, u64>,
    pub(super) days: Days,
    pub(super) latest: Latest,
    /// The milestones that were reached.
    pub(super) milestones: BTreeSet<Milestone>,
    /// The learner's places in the rankings.
    pub(super) rankings: BTreeMap<Ranking, String>,
}

impl Total {
    /// Counts `change` and returns the milestones that it reached, in their fixed order.
    pub(super) fn count(&mut self, change: &Change) -> Vec<Milestone> {
        self.revision += 1;
        self.add(&change.amounts());
        if change.counts_conversation {
            self.days.insert(change.day);
        }
        if let Some(assessed) = change.assessed {
            self.latest.insert(assessed);
        }
        let reached: Vec<_> =
            Milestone::ALL.into_iter().filter(|milestone| self.has_reached(*milestone)).collect();
        reached.into_iter().filter(|milestone| self.milestones.insert(*milestone)).collect()
    }

    /// Counts what an older build did not, of a `change` that it counted.
    pub(super) fn complete(&mut self, change: &Change) {
        self.revision += 1;
        self.add(&change.measured);
    }

    fn add(&mut self, amounts: &Amounts) {
        for (name, added) in amounts {
            let sum = self.sums.entry((*name).to_owned()).or_default();
            *sum = sum.saturating_add(*added);
        }
    }

    /// Streak, sums and trend of the learner.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            streak: self.days.streak(),
            totals: Totals {
                conversations: self.sum("conversations"),
                learner_speech_ms: self.sum("learnerSpeechMs"),
                scored: self.sum("scored"),
                overall_sum: self.sum("overallSum"),
            },
            trend: self.latest.trend(),
        }
    }

    fn sum(&self, name: &str) -> u64 {
        self.sums.get(name).copied().unwrap_or(0)
    }

    /// Whether the condition of a milestone holds. Once true, it stays true.
    fn has_reached(&self, milestone: Milestone) -> bool {
        let conversations = |least| self.sum("conversations") >= least;
        let streak = |least| self.days.streak().longest_days >= least;
        let hours = |least| self.sum("learnerSpeechMs") >= least * HOUR_MS;
        // The number of assessments at a level and above.
        let level = |names: &[&str]| {
            names.iter().map(|name| self.sum(name)).fold(0, u64::saturating_add) >= LEVEL_ASSESSMENTS
        };
        const FROM_A2: [&str; 5] = ["cefrA2", "cefrB1", "cefrB2", "cefrC1", "cefrC2"];
        match milestone {
            Milestone::FirstConversation => conversations(1),
            Milestone::TenConversations => conversations(10),
            Milestone::HundredConversations => conversations(100),
            Milestone::StreakSevenDays => streak(7),
            Milestone::StreakThirtyDays => streak(30),
            Milestone::HourSpoken => hours(1),
            Milestone::TenHoursSpoken => hours(10),
            Milestone::HundredHoursSpoken => hours(100),
            Milestone::LevelA2 => level(&FROM_A2),
            Milestone::LevelB1 => level(&FROM_A2[1..]),
            Milestone::LevelB2 => level(&FROM_A2[2..]),
            Milestone::LevelC1 => level(&FROM_A2[3..]),
            Milestone::LevelC2 => level(&FROM_A2[4..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        progress::counts::change,
        test_samples::{analyzed, completed},
    };
    use events::contract::{ConversationId, Event, Level};
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    /// The `number`th conversation of a learner, `hours` after the first, and its assessment.
    fn conversation(number: u8, hours: i64, level: Level, speech_ms: u64) -> [Change; 2] {
        let start: Timestamp = "2026-11-01T03:00:00Z".parse().unwrap();
        let started_at = start + SignedDuration::from_hours(hours);
        let conversation_id = ConversationId::new(started_at, [number; 10]);
        let mut ended = completed(4);
        (ended.conversation_id, ended.started_at, ended.ended_at) = (conversation_id, started_at, started_at);
        ended.learner_speech_ms = speech_ms;
        let mut assessed = analyzed(70, level);
        (assessed.conversation_id, assessed.started_at) = (conversation_id, started_at);
        let changes = [Event::ConversationCompleted(ended), Event::ConversationAnalyzed(assessed)];
        changes.map(|event| change(&event).unwrap())
    }

    fn counted<'a>(changes: impl IntoIterator<Item = &'a Change>) -> (Total, Vec<Milestone>) {
        let mut total = Total::default();
        let reached = changes.into_iter().flat_map(|change| total.count(change)).collect();
        (total, reached)
    }

    #[test]
    fn each_milestone_of_number_is_reached_by_the_conversation_that_makes_it() {
        let mut total = Total::default();
        let mut reached = Vec::new();
        for number in 0..120u8 {
            let [ended, _] = conversation(number, i64::from(number) / 20, Level::A1, 0);
            reached.extend(total.count(&ended).into_iter().map(|milestone| (number + 1, milestone)));
        }
        let expected = [
            (1, Milestone::FirstConversation),
            (10, Milestone::TenConversations),
            (100, Milestone::HundredConversations),
        ];
        assert_eq!(reached, expected);
    }

    #[test]
    fn days_in_a_row_hours_and_levels_are_milestones() {
        let every_day = |days: u8| -> Vec<Change> {
            (0..days).flat_map(|day| conversation(day, 24 * i64::from(day), Level::B1, 7 * 60_000)).collect()
        };
        let has = |days, milestone| counted(&every_day(days)).1.contains(&milestone);
        assert!(!has(6, Milestone::StreakSevenDays) && has(7, Milestone::StreakSevenDays));
        assert!(!has(29, Milestone::StreakThirtyDays) && has(30, Milestone::StreakThirtyDays));
        assert!(!has(8, Milestone::HourSpoken) && has(9, Milestone::HourSpoken));
        assert!(!has(2, Milestone::LevelB1) && has(3, Milestone::LevelB1) && has(3, Milestone::LevelA2));
        assert!(!has(30, Milestone::LevelB2));
    }

    #[test]
    fn standing_tells_sums_streak_and_trend() {
        let [ended, assessed] = conversation(1, 0, Level::B2, 60_000);
        let (total, _) = counted([&assessed]);
        assert_eq!(total.standing().streak, events::contract::Streak::default(), "an assessment is no day");
        let standing = counted([&ended, &assessed]).0.standing();
        let totals = Totals { conversations: 1, learner_speech_ms: 60_000, scored: 1, overall_sum: 70 };
        assert_eq!((standing.totals, standing.streak.current_days), (totals, 1));
        assert_eq!(standing.trend.map(|trend| trend.level), Some(Level::B2));
    }

    #[test]
    fn conversation_without_a_turn_of_the_learner_is_no_streak_day_and_no_first_conversation() {
        let mut empty = completed(1);
        (empty.learner_turns, empty.learner_speech_ms) = (Some(0), 0);
        let empty = change(&Event::ConversationCompleted(empty)).unwrap();
        let (total, reached) = counted([&empty]);
        assert_eq!((total.standing(), reached), (Total::default().standing(), vec![]));
        let [ended, _] = conversation(1, 24, Level::B1, 0);
        let (total, reached) = counted([&empty, &ended]);
        assert_eq!((total.standing().streak.current_days, reached), (1, vec![Milestone::FirstConversation]));
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_total_and_each_milestone_once(
            conversations in prop::collection::vec(
                (0i64..24 * 12, prop::sample::select(vec![Level::A1, Level::A2, Level::B1, Level::C2]), 0u64..3_000_000),
                0..14,
            ),
            order in prop::collection::vec(any::<prop::sample::Index>(), 28),
        ) {
            let changes: Vec<Change> = (0u8..)
                .zip(conversations)
                .flat_map(|(number, (hours, level, speech_ms))| conversation(number, hours, level, speech_ms))
                .collect();
            let mut shuffled = changes.clone();
            for (place, other) in order.iter().enumerate().take(changes.len()) {
                shuffled.swap(place, other.index(changes.len()));
            }
            let (total, reached) = counted(&changes);
            let (other, other_reached) = counted(&shuffled);
            prop_assert_eq!(&total, &other);
            let distinct: BTreeSet<_> = other_reached.iter().copied().collect();
            prop_assert_eq!(distinct.len(), other_reached.len());
            prop_assert_eq!(&distinct, &total.milestones);
            prop_assert_eq!(reached.len(), other_reached.len());
        }
    }
}
