//! PURE. A learner's progress as it is published: what one event of a conversation changed, and where the learner
//! stands after it. How it is computed is the progress worker's business; what the table holds is documented there.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ConversationId, Level, UserId};

/// Data of `progress.updated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressUpdated {
    /// The conversation that caused the change.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The learner's local day, `YYYY-MM-DD`: the sort key of UserProgress.
    pub date: String,
    /// What was reached with this change: each milestone once for a learner. A reader skips those it does not know.
    #[serde(deserialize_with = "known_milestones")]
    pub milestones: Vec<Milestone>,
    /// Where the learner stands after this change; absent in version 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// Something worth telling a learner. What a milestone rests on only ever grows, so it is reached whatever the order
/// in which conversations and assessments are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// The learner's first conversation of all.
    FirstConversation,
    /// Ten conversations in all.
    TenConversations,
    /// A hundred conversations in all.
    HundredConversations,
    /// Conversations on seven days in a row.
    StreakSevenDays,
    /// Conversations on thirty days in a row.
    StreakThirtyDays,
    /// An hour of the learner's own speech in all.
    HourSpoken,
    /// Ten hours of the learner's own speech in all.
    TenHoursSpoken,
    /// A hundred hours of the learner's own speech in all.
    HundredHoursSpoken,
    /// The third assessment at A2 or above.
    LevelA2,
    /// The third assessment at B1 or above.
    LevelB1,
    /// The third assessment at B2 or above.
    LevelB2,
    /// The third assessment at C1 or above.
    LevelC1,
    /// The third assessment at C2.
    LevelC2,
}

impl Milestone {
    pub const ALL: [Self; 13] = [
        Self::FirstConversation,
        Self::TenConversations,
        Self::HundredConversations,
        Self::StreakSevenDays,
        Self::StreakThirtyDays,
        Self::HourSpoken,
        Self::TenHoursSpoken,
        Self::HundredHoursSpoken,
        Self::LevelA2,
        Self::LevelB1,
        Self::LevelB2,
        Self::LevelC1,
        Self::LevelC2,
    ];
}

/// Where a learner stands, over all days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Days in a row.
    pub streak: Streak,
    /// Sums over all conversations; averages are quotients of them.
    pub totals: Totals,
    /// The level the learner is at; absent without an assessment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
}

/// Days in a row on which the learner had a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Streak {
    /// Days in the run that ends with [`Streak::last_day`]. Whether it still lasts is for the reader to say, who knows
    /// what day it is: it does if the last day is today or yesterday.
    pub current_days: u32,
    /// Days in the longest run of all.
    pub longest_days: u32,
    /// The latest day with a conversation, `YYYY-MM-DD`; absent before the first one was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub last_day: Option<Date>,
}

impl Streak {
    /// The streak on the learner's day `today`. It is over, and has no days, if the last day is before yesterday.
    #[must_use]
    pub fn on(self, today: Date) -> Self {
        let lasts = self.last_day.is_some_and(|last| last.tomorrow().map_or(true, |next| next >= today));
        Self { current_days: if lasts { self.current_days } else { 0 }, ..self }
    }
}

/// Sums over all conversations of a learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Conversations.
    pub conversations: u64,
    /// The learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// Assessed conversations.
    pub scored: u64,
    /// Sum of the overall scores: the average is `overallSum / scored`.
    pub overall_sum: u64,
}

/// The level of a learner over the latest assessments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    /// The level. It changes only when several assessments agree.
    pub level: Level,
    /// Whether the later assessments are better than the earlier ones.
    pub direction: Direction,
    /// Assessments it rests on, at most the latest ten.
    pub assessments: u32,
}

/// Where a trend goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up by half a level or more.
    Rising,
    /// Neither.
    Steady,
    /// Down by half a level or more.
    Falling,
}

/// The milestones of a list that this build knows: a newer build may reach others.
fn known_milestones<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Milestone>, D::Error> {
    let names = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(names.into_iter().filter_map(|name| serde_json::from_value(name).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(milestones: &serde_json::Value) -> serde_json::Result<ProgressUpdated> {
        serde_json::from_value(json!({
            "conversationId": "01a20ace-c800-7c7a-b47c-ea47bd68d012",
            "userId": "learner-1",
            "date": "2026-11-24",
            "milestones": milestones,
        }))
    }

    #[test]
    fn milestones_of_a_newer_build_are_skipped() {
        let updated = decoded(&json!(["flew_to_the_moon", "level_b2"])).unwrap();
        assert_eq!((updated.milestones, updated.standing), (vec![Milestone::LevelB2], None));
        assert!(decoded(&json!("level_b2")).is_err());
    }

    #[test]
    fn streak_lasts_until_a_day_without_a_conversation_is_over() {
        let last_day = jiff::civil::date(2026, 2, 28);
        let streak = Streak { current_days: 10, longest_days: 12, last_day: Some(last_day) };
        let days_on = |today: Date| streak.on(today).current_days;
        assert_eq!((days_on(last_day), days_on(jiff::civil::date(2026, 3, 1))), (10, 10));
        assert_eq!(days_on(jiff::civil::date(2026, 3, 2)), 0);
        assert_eq!(days_on(jiff::civil::date(2026, 5, 18)), 0);
        assert_eq!(days_on(jiff::civil::date(2026, 2, 27)), 10, "the learner travelled to the west");
        assert_eq!(streak.on(jiff::civil::date(2026, 5, 18)).longest_days, 12);
        assert_eq!(Streak::default().on(last_day), Streak::default());
        let end = Streak { last_day: Some(Date::MAX), ..streak };
        assert_eq!(end.on(Date::MAX).current_days, 10);
    }

    #[test]
    fn every_milestone_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> =
            Milestone::ALL.iter().map(|milestone| serde_json::to_string(milestone).unwrap()).collect();
        assert_eq!(names.len(), Milestone::ALL.len());
    }
}
