//! The UserProgress table, read only: a learner's days, the total over all days, and the learners by their last activity.
//! `workers::progress`, which writes the table, defines the attributes.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use aws_sdk_dynamodb::Client;
use events::{
    contract::{ConversationId, Direction, Level, Milestone, Streak, UserId},
    dynamo::{Item, json_text, read_item, text},
    pipeline::names::{PROGRESS_TOTAL, sortable},
    runtime::failure::describe,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod overview;

/// The index over the totals, by the time of their last change.
const BY_ACTIVITY: &str = "date-updatedAt-index";

/// A minute in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// Maximum number of pages of a query for days. A day is far below a kilobyte.
const PAGES_MAX: usize = 8;

#[derive(Clone, Debug)]
pub struct Progress {
    dynamodb: Client,
    table: String,
}

/// Sums over one or more days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// Number of conversations.
    pub conversations: u64,
    /// Turns of learner and tutor.
    pub turns: u64,
    /// Duration of the learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// Duration of the conversations from start to end, in milliseconds.
    pub duration_ms: u64,
    /// Number of assessed conversations.
    pub scored: u64,
    /// Words of the learner, spoken and typed, in the assessed conversations. Assessments before version 1.3 of the events are
    /// not among them.
    pub words: u64,
    /// Spoken words by minute of speech, rounded to a tenth; absent without speech.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// Mean scores of the assessed conversations; absent without assessments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Means>,
    /// Number of assessments by level; levels without assessments are absent.
    pub levels: BTreeMap<Level, u64>,
}

/// Mean scores from 0 to 100, rounded to a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Means {
    /// Overall score.
    pub overall: f64,
    /// Flow and pace.
    pub fluency: f64,
    /// Range and choice of words.
    pub vocabulary: f64,
    /// Correctness.
    pub grammar: f64,
    /// Relevance to the picture.
    pub relevance: f64,
}

/// A day on which a learner had a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// The learner's local day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: Date,
    /// The sums of the day.
    #[serde(flatten)]
    pub sums: Sums,
}

/// The progress of a learner over all days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// The sums over all days.
    #[serde(flatten)]
    pub sums: Sums,
    /// Consecutive days. `currentDays` is 0 unless the last day is today or yesterday in the learner's time zone.
    pub streak: Streak,
    /// The level over the latest assessments; absent without assessments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<LevelTrend>,
    /// The milestones that were reached, in their fixed order.
    pub milestones: Vec<Milestone>,
    /// Time of the last change; absent without counted activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub updated_at: Option<Timestamp>,
}

/// The level over the latest ten assessments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LevelTrend {
    /// The level. It changes only when several assessments agree.
    pub level: Level,
    /// Whether the later assessments are higher or lower than the earlier ones.
    pub direction: Direction,
}

/// A learner with counted activity.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveLearner {
    pub user_id: UserId,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// The conversation that caused the last change.
    pub updated_by: Option<ConversationId>,
    /// The total after the last change.
    pub total: Total,
}

/// A position in the list of active learners, for the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityCursor {
    /// Time of the learner's last change.
    pub updated_at: Timestamp,
    pub user_id: UserId,
}

/// The order of a list of active learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The latest change first.
    NewestFirst,
    /// The earliest change first.
    OldestFirst,
}

impl Progress {
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The days of a learner from `from` to `to`, both included, in order, without days that have no conversation.
    ///
    /// # Errors
    /// The table cannot be read, or an item is unreadable.
    pub async fn days(&self, user_id: &UserId, from: Date, to: Date) -> anyhow::Result<Vec<Day>> {
        let (mut days, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let query = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .key_condition_expression("userId = :user AND #date BETWEEN :from AND :to")
                .expression_attribute_names("#date", "date")
                .expression_attribute_values(":user", text(user_id))
                .expression_attribute_values(":from", text(&from))
                .expression_attribute_values(":to", text(&to))
                .set_exclusive_start_key(after);
            let page = query.send().await.map_err(|error| describe(&error));
            let page = page.context("failed to read the learner's days")?;
            for item in page.items.unwrap_or_default() {
                let item = ProgressItem::read(item)?;
                let date = item.date.parse().ok().context("a day has no date")?;
                days.push(Day { date, sums: item.sums() });
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(days);
            }
        }
        anyhow::bail!("a learner's days fill more than {PAGES_MAX} pages")
    }

    /// The total of a learner as it is stored; the default without counted activity. [`Total::at`] ends a streak.
    ///
    /// # Errors
    /// The table cannot be read, or the item is unreadable.
    pub async fn total(&self, user_id: &UserId) -> anyhow::Result<Total> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .key("date", text(PROGRESS_TOTAL))
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to read the learner's total")?;
        got.item.map_or_else(|| Ok(Total::default()), |item| Ok(ProgressItem::read(item)?.total()))
    }

    /// At most `limit` learners with a change at `since` or later, after `after`, and the cursor of the next page if there
    /// may be one.
    ///
    /// # Errors
    /// The table cannot be read, or an item is unreadable.
    pub async fn active(
        &self,
        since: Timestamp,
        order: Order,
        after: Option<&ActivityCursor>,
        limit: usize,
    ) -> anyhow::Result<(Vec<ActiveLearner>, Option<ActivityCursor>)> {
        let start = after.map(|cursor| {
            Item::from([
                ("userId".to_owned(), text(&cursor.user_id)),
                ("date".to_owned(), text(PROGRESS_TOTAL)),
                ("updatedAt".to_owned(), text(&sortable(cursor.updated_at))),
            ])
        });
        let query = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .index_name(BY_ACTIVITY)
            .key_condition_expression("#date = :total AND updatedAt >= :since")
            .expression_attribute_names("#date", "date")
            .expression_attribute_values(":total", text(PROGRESS_TOTAL))
            .expression_attribute_values(":since", text(&sortable(since)))
            .scan_index_forward(order == Order::OldestFirst)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let page = query.send().await.map_err(|error| describe(&error));
        let page = page.context("failed to list the active learners")?;
        let found = page.items.unwrap_or_default().into_iter().map(active);
        let found = found.collect::<anyhow::Result<Vec<_>>>()?;
        let next = page.last_evaluated_key.as_ref().and(found.last()).map(ActiveLearner::cursor);
        Ok((found, next))
    }
}

impl Total {
    /// The total at `now` for a learner in `time_zone`, in UTC if this build does not know it.
    #[must_use]
    pub fn at(self, now: Timestamp, time_zone: &str) -> Self {
        let today =
            now.in_tz(time_zone).map_or_else(|_| TimeZone::UTC.to_datetime(now).date(), |local| local.date());
        Self { streak: self.streak.on(today), ..self }
    }
}

impl ActiveLearner {
    /// The learner's position in the list.
    #[must_use]
    pub fn cursor(&self) -> ActivityCursor {
        ActivityCursor { updated_at: self.updated_at, user_id: self.user_id.clone() }
    }
}

/// An item of the table. Sums are absent until something was added; a day has no attributes of the total.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ProgressItem {
    user_id: Option<UserId>,
    date: String,
    conversations: u64,
    turns: u64,
    learner_speech_ms: u64,
    duration_ms: u64,
    scored: u64,
    overall_sum: u64,
    fluency_sum: u64,
    vocabulary_sum: u64,
    grammar_sum: u64,
    relevance_sum: u64,
    words: u64,
    spoken_words: u64,
    spoken_ms: u64,
    cefr_a1: u64,
    cefr_a2: u64,
    cefr_b1: u64,
    cefr_b2: u64,
    cefr_c1: u64,
    cefr_c2: u64,
    streak_days: u32,
    longest_streak_days: u32,
    last_day: Option<Date>,
    level: Option<Level>,
    level_direction: Option<Direction>,
    #[serde(deserialize_with = "json_text::deserialize")]
    milestones: Vec<serde_json::Value>,
    updated_at: Option<Timestamp>,
    updated_by: Option<ConversationId>,
}

impl ProgressItem {
    fn read(item: Item) -> anyhow::Result<Self> {
        read_item(item).map_err(|error| anyhow!("item of the UserProgress table: {error}"))
    }

    fn total(&self) -> Total {
        let streak = Streak {
            current_days: self.streak_days,
            longest_days: self.longest_streak_days,
            last_day: self.last_day,
        };
        // A newer build of the worker may write milestones that this build does not know.
        let milestones =
            self.milestones.iter().filter_map(|name| serde_json::from_value(name.clone()).ok()).collect();
        Total {
            sums: self.sums(),
            streak,
            trend: self
                .level
                .zip(self.level_direction)
                .map(|(level, direction)| LevelTrend { level, direction }),
            milestones,
            updated_at: self.updated_at,
        }
    }

    fn words_per_minute(&self) -> Option<f64> {
        let words = self.spoken_words.saturating_mul(MINUTE_MS);
        (self.spoken_ms > 0).then(|| mean(words, self.spoken_ms))
    }

    fn sums(&self) -> Sums {
        let mean = |sum| mean(sum, self.scored);
        let levels = [
            (Level::A1, self.cefr_a1),
            (Level::A2, self.cefr_a2),
            (Level::B1, self.cefr_b1),
            (Level::B2, self.cefr_b2),
            (Level::C1, self.cefr_c1),
            (Level::C2, self.cefr_c2),
        ];
        Sums {
            conversations: self.conversations,
            turns: self.turns,
            learner_speech_ms: self.learner_speech_ms,
            duration_ms: self.duration_ms,
            scored: self.scored,
            words: self.words,
            words_per_minute: self.words_per_minute(),
            scores: (self.scored > 0).then(|| Means {
                overall: mean(self.overall_sum),
                fluency: mean(self.fluency_sum),
                vocabulary: mean(self.vocabulary_sum),
                grammar: mean(self.grammar_sum),
                relevance: mean(self.relevance_sum),
            }),
            levels: levels.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}

fn active(item: Item) -> anyhow::Result<ActiveLearner> {
    let item = ProgressItem::read(item)?;
    let total = item.total();
    Ok(ActiveLearner {
        user_id: item.user_id.context("a total has no userId")?,
        updated_at: item.updated_at.context("a total in the index has no updatedAt")?,
        updated_by: item.updated_by,
        total,
    })
}

/// The quotient, rounded to a tenth with halves up. Means and rates are small, so the number of tenths is exact.
fn mean(sum: u64, count: u64) -> f64 {
    let tenths = (u128::from(sum) * 20 + u128::from(count)) / (u128::from(count) * 2).max(1);
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    fn item(numbers: &[(&str, u64)], texts: &[(&str, &str)]) -> Item {
        let numbers = numbers.iter().map(|(name, n)| ((*name).to_owned(), AttributeValue::N(n.to_string())));
        let texts = texts.iter().map(|(name, s)| ((*name).to_owned(), AttributeValue::S((*s).to_owned())));
        numbers.chain(texts).collect()
    }

    #[test]
    fn means_are_those_of_the_sums_to_a_tenth() {
        assert_eq!(mean(205, 3).to_string(), "68.3");
        assert_eq!(mean(1, 20).to_string(), "0.1");
        assert_eq!(mean(100, 1).to_string(), "100");
        let sums = |numbers| ProgressItem::read(item(numbers, &[])).unwrap().sums();
        assert_eq!(sums(&[("conversations", 1)]).scores, None);
        let sums = sums(&[("scored", 2), ("overallSum", 141), ("cefrB1", 2)]);
        assert_eq!(sums.scores.unwrap().overall.to_string(), "70.5");
        assert_eq!(sums.levels, BTreeMap::from([(Level::B1, 2)]));
        assert_eq!((sums.words, sums.words_per_minute), (0, None), "typed, or of an older build");
    }

    #[test]
    fn words_per_minute_are_those_of_the_speech_of_all_conversations() {
        let numbers = [("scored", 2), ("words", 130), ("spokenWords", 125), ("spokenMs", 90_000)];
        let sums = ProgressItem::read(item(&numbers, &[])).unwrap().sums();
        assert_eq!((sums.words, sums.words_per_minute.unwrap().to_string()), (130, "83.3".to_owned()));
    }

    #[test]
    fn streak_is_judged_by_the_learners_day() {
        let streak =
            Streak { current_days: 10, longest_days: 10, last_day: Some("2026-11-24".parse().unwrap()) };
        let days = |now: &str, time_zone: &str| {
            let total = Total { streak, ..Total::default() };
            total.at(now.parse().unwrap(), time_zone).streak.current_days
        };
        // 26 November begins at 15:00 UTC in Seoul and at 08:00 UTC in Los Angeles.
        assert_eq!(
            (days("2026-11-25T14:59:59Z", "Asia/Seoul"), days("2026-11-25T15:00:00Z", "Asia/Seoul")),
            (10, 0)
        );
        let west = "America/Los_Angeles";
        assert_eq!((days("2026-11-26T07:59:59Z", west), days("2026-11-26T08:00:00Z", west)), (10, 0));
        assert_eq!((days("2026-11-25T23:59:59Z", "Moon"), days("2026-11-26T00:00:00Z", "Moon")), (10, 0));
    }

    #[test]
    fn a_total_is_read_with_its_streak_trend_and_the_milestones_that_this_build_knows() {
        let texts = [
            ("userId", "learner-1"),
            ("updatedAt", "2026-11-26T10:00:00.123Z"),
            ("updatedBy", "01a20ace-c800-7c7a-b47c-ea47bd68d012"),
            ("lastDay", "2026-11-26"),
            ("level", "B2"),
            ("levelDirection", "rising"),
            ("milestones", r#"["first_conversation","flew_to_the_moon"]"#),
        ];
        let item = item(&[("streakDays", 3), ("longestStreakDays", 9), ("conversations", 12)], &texts);
        let active = active(item).unwrap();
        assert_eq!(sortable(active.updated_at), "2026-11-26T10:00:00.123Z");
        let total = active.total;
        assert_eq!((total.streak.current_days, total.streak.longest_days), (3, 9));
        assert_eq!(total.trend, Some(LevelTrend { level: Level::B2, direction: Direction::Rising }));
        assert_eq!(total.milestones, [Milestone::FirstConversation]);
        assert!(super::active(Item::new()).is_err());
    }
}
