//! The UserProgress table as it is read: a learner's days, the total over all of them, and who was active when. What its
//! attributes mean stands with the worker that writes it (`workers::progress`).

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use events::{
    contract::{ConversationId, Direction, Level, Milestone, Streak, UserId},
    runtime::failure::describe,
};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// The sort key of the item that sums up all days of a learner.
const TOTAL: &str = "total";

/// The index over the totals, by the time of their last change.
const BY_ACTIVITY: &str = "date-updatedAt-index";

/// Pages of a query that a range of days may fill: a day is far below a kilobyte.
const PAGES_MAX: usize = 8;

type Item = HashMap<String, AttributeValue>;

/// Reads progress.
#[derive(Clone, Debug)]
pub struct Progress {
    dynamodb: Client,
    table: String,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// Conversations.
    pub conversations: u64,
    /// Turns of both sides.
    pub turns: u64,
    /// The learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// From start to end of the conversations, in milliseconds.
    pub duration_ms: u64,
    /// Assessed conversations.
    pub scored: u64,
    /// Mean scores of the assessed conversations; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Means>,
    /// Assessments at each level; a level without any is absent.
    pub levels: BTreeMap<Level, u64>,
}

/// Mean scores, from 0 to 100, to a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Means {
    /// Of the whole conversations.
    pub overall: f64,
    /// Flow and pace.
    pub fluency: f64,
    /// Range and choice of words.
    pub vocabulary: f64,
    /// Correctness.
    pub grammar: f64,
    /// How far the talk was about the picture.
    pub relevance: f64,
}

/// A day on which a learner had a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// The learner's local day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: Date,
    /// What was counted.
    #[serde(flatten)]
    pub sums: Sums,
}

/// All days of a learner together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// What was counted.
    #[serde(flatten)]
    pub sums: Sums,
    /// Days in a row. A streak lasts while its last day is today or yesterday, on the learner's calendar.
    pub streak: Streak,
    /// The level over the latest assessments; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<LevelTrend>,
    /// What was reached, in the order of the milestones.
    pub milestones: Vec<Milestone>,
    /// When something was counted last; absent of a learner of whom nothing was.
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
    /// Whether the later assessments are better than the earlier ones.
    pub direction: Direction,
}

/// A learner of whom something was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    /// The learner.
    pub user_id: UserId,
    /// When.
    pub updated_at: Timestamp,
    /// The conversation of which it was.
    pub updated_by: Option<ConversationId>,
    /// Where the learner stands since.
    pub total: Total,
}

/// A place in the list of active learners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When something was counted of the learner.
    pub updated_at: Timestamp,
    /// The learner.
    pub user_id: UserId,
}

/// In which order active learners are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last change first.
    NewestFirst,
    /// The first change first.
    OldestFirst,
}

impl Progress {
    /// Progress in `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The days of a learner from `from` to `to`, both included, in order; days without a conversation are left out.
    ///
    /// # Errors
    /// The table cannot be read, or holds what is no progress.
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
            for item in page.items() {
                let date = string(item, "date").and_then(|date| date.parse().ok());
                days.push(Day { date: date.context("a day without a date")?, sums: sums(item) });
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(days);
            }
        }
        anyhow::bail!("a learner's days fill more than {PAGES_MAX} pages")
    }

    /// The total of a learner; the default of one of whom nothing was counted.
    ///
    /// # Errors
    /// The table cannot be read, or holds what is no total.
    pub async fn total(&self, user_id: &UserId) -> anyhow::Result<Total> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .key("date", text(&TOTAL))
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to read the learner's total")?;
        got.item.as_ref().map_or_else(|| Ok(Total::default()), total)
    }

    /// At most `limit` learners of whom something was counted at `since` or later, from the one that follows `after`,
    /// and the place to go on after, if there may be more.
    ///
    /// # Errors
    /// The table cannot be read, or holds what is no total.
    pub async fn active(
        &self,
        since: Timestamp,
        order: Order,
        after: Option<&Place>,
        limit: usize,
    ) -> anyhow::Result<(Vec<Active>, Option<Place>)> {
        let start = after.map(|place| {
            Item::from([
                ("userId".to_owned(), text(&place.user_id)),
                ("date".to_owned(), text(&TOTAL)),
                ("updatedAt".to_owned(), text(&sortable(place.updated_at))),
            ])
        });
        let query = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .index_name(BY_ACTIVITY)
            .key_condition_expression("#date = :total AND updatedAt >= :since")
            .expression_attribute_names("#date", "date")
            .expression_attribute_values(":total", text(&TOTAL))
            .expression_attribute_values(":since", text(&sortable(since)))
            .scan_index_forward(order == Order::OldestFirst)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let page = query.send().await.map_err(|error| describe(&error));
        let page = page.context("failed to list the active learners")?;
        let found = page.items().iter().map(active).collect::<anyhow::Result<Vec<_>>>()?;
        let next = page.last_evaluated_key().and(found.last()).map(Active::place);
        Ok((found, next))
    }
}

impl Active {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { updated_at: self.updated_at, user_id: self.user_id.clone() }
    }
}

/// A moment as the table writes it: UTC, with milliseconds.
#[must_use]
pub fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn active(item: &Item) -> anyhow::Result<Active> {
    let user_id = string(item, "userId").and_then(|id| id.parse().ok());
    let total = total(item)?;
    Ok(Active {
        user_id: user_id.context("a total without a learner")?,
        updated_at: total.updated_at.context("a total in the index has no updatedAt")?,
        updated_by: string(item, "updatedBy").and_then(|id| id.parse().ok()),
        total,
    })
}

fn total(item: &Item) -> anyhow::Result<Total> {
    let days = |name: &str| u32::try_from(number(item, name)).unwrap_or(u32::MAX);
    let streak = Streak {
        current_days: days("streakDays"),
        longest_days: days("longestStreakDays"),
        last_day: string(item, "lastDay").and_then(|day| day.parse().ok()),
    };
    let trend = named(item, "level").zip(named(item, "levelDirection"));
    let milestones = string(item, "milestones").unwrap_or("[]");
    let milestones: Vec<serde_json::Value> =
        serde_json::from_str(milestones).context("a total has unreadable milestones")?;
    // A newer build of the worker may know more of them.
    let milestones = milestones.into_iter().filter_map(|name| serde_json::from_value(name).ok());
    Ok(Total {
        sums: sums(item),
        streak,
        trend: trend.map(|(level, direction)| LevelTrend { level, direction }),
        milestones: milestones.collect(),
        updated_at: string(item, "updatedAt").and_then(|at| at.parse().ok()),
    })
}

fn sums(item: &Item) -> Sums {
    let scored = number(item, "scored");
    let mean = |name: &str| mean(number(item, name), scored);
    let levels = [
        (Level::A1, "cefrA1"),
        (Level::A2, "cefrA2"),
        (Level::B1, "cefrB1"),
        (Level::B2, "cefrB2"),
        (Level::C1, "cefrC1"),
        (Level::C2, "cefrC2"),
    ];
    let levels = levels.into_iter().map(|(level, name)| (level, number(item, name)));
    Sums {
        conversations: number(item, "conversations"),
        turns: number(item, "turns"),
        learner_speech_ms: number(item, "learnerSpeechMs"),
        duration_ms: number(item, "durationMs"),
        scored,
        scores: (scored > 0).then(|| Means {
            overall: mean("overallSum"),
            fluency: mean("fluencySum"),
            vocabulary: mean("vocabularySum"),
            grammar: mean("grammarSum"),
            relevance: mean("relevanceSum"),
        }),
        levels: levels.filter(|(_, count)| *count > 0).collect(),
    }
}

/// To a tenth, halves up. A score is at most 100, so a tenth of it is an exact small number.
fn mean(sum: u64, count: u64) -> f64 {
    let tenths = (u128::from(sum) * 20 + u128::from(count)) / (u128::from(count) * 2).max(1);
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

fn text(value: &impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn named<T: DeserializeOwned>(item: &Item, name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(string(item, name)?.to_owned())).ok()
}

/// 0 where nothing was added yet.
fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
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
        let sums = sums(&item(&[("scored", 2), ("overallSum", 141), ("cefrB1", 2)], &[]));
        assert_eq!(sums.scores.unwrap().overall.to_string(), "70.5");
        assert_eq!(sums.levels, BTreeMap::from([(Level::B1, 2)]));
        assert_eq!(super::sums(&item(&[("conversations", 1)], &[])).scores, None);
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
        let active = active(&item).unwrap();
        assert_eq!(sortable(active.updated_at), "2026-11-26T10:00:00.123Z");
        let total = active.total;
        assert_eq!((total.streak.current_days, total.streak.longest_days), (3, 9));
        assert_eq!(total.trend, Some(LevelTrend { level: Level::B2, direction: Direction::Rising }));
        assert_eq!(total.milestones, [Milestone::FirstConversation]);
        assert!(super::active(&Item::new()).is_err());
    }
}
