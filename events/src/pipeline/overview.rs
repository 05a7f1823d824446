//! PURE. The items of the UserProgress table that are about all learners, for analysts: rankings of learners, sums over
//! learners, and assessed conversations. `workers::progress` writes them in the transaction that counts an event.
//!
//! | `userId` | `date` | item |
//! |---|---|---|
//! | `ranking#<ranking>` | value and learner | a learner's place; the keys are all |
//! | `sums#<group>#<shard>` | level, picture or ISO week | the sums of the learners of a shard, without a name |
//! | `flagged#` | start and conversation | an assessed conversation with flags |
//! | a learner | `score#`, start and conversation | an assessed conversation of the learner |
//!
//! The other partition keys have a `#`, which no user id has, so no learner is one of them.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{PROGRESS_TOTAL, sortable};
use crate::{
    contract::{ConversationId, Flag, Level, Scores, UserId},
    dynamo::{Item, text},
};

/// The partition key of flagged conversations.
pub const FLAGGED: &str = "flagged#";

/// What the sort key of an assessed conversation begins with, in the partition of its learner.
pub const SCORE: &str = "score#";

/// Shards of each group of sums. Two transactions that change one item at once conflict, and every conversation changes the
/// sums of its week.
pub const SHARDS: u32 = 4;

/// The attribute of the total that has the learner's places, for their removal.
pub const RANKINGS: &str = "rankings";

/// An order of learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ranking {
    /// By the duration of their speech.
    Speech,
    /// By their mean overall score; only learners with an assessment.
    Overall,
    /// By the number of their conversations.
    Conversations,
}

/// What sums over all learners are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Group {
    /// The level of the conversation.
    #[default]
    Level,
    /// The picture.
    Picture,
    /// The ISO week of the learner's day, for example `2026-W48`.
    Week,
}

/// An assessed conversation, without a word of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoredConversation {
    /// The id of the conversation.
    pub conversation_id: ConversationId,
    /// The id of the learner.
    pub learner_id: UserId,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// The id of the picture.
    pub image_id: String,
    /// The level of the conversation; absent if it was assessed by an older build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The scores.
    #[serde(flatten)]
    pub scores: Scores,
    /// The level at which the learner spoke.
    pub cefr: Level,
    /// Flags for human review.
    pub flags: Vec<Flag>,
    /// Words of the learner; absent if it was assessed by an older build, as the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u32>,
    /// Different words among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct_words: Option<u32>,
    /// Words per minute of speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// Whether a simulated model assessed it.
    pub simulated: bool,
}

impl Ranking {
    pub const ALL: [Self; 3] = [Self::Speech, Self::Overall, Self::Conversations];

    /// The partition key.
    #[must_use]
    pub fn partition(self) -> &'static str {
        match self {
            Self::Speech => "ranking#speech",
            Self::Overall => "ranking#overall",
            Self::Conversations => "ranking#conversations",
        }
    }

    /// The value of a learner with the sums `sums`; `None` for a learner who is not ranked.
    fn value(self, sums: &BTreeMap<String, u64>) -> Option<u64> {
        let sum = |name: &str| sums.get(name).copied().unwrap_or(0);
        let has = |name: &str| sum(name) > 0;
        match self {
            Self::Speech => has("conversations").then(|| sum("learnerSpeechMs")),
            Self::Overall => has("scored").then(|| sum("overallSum").saturating_mul(100) / sum("scored")),
            Self::Conversations => has("conversations").then(|| sum("conversations")),
        }
    }
}

impl Group {
    /// The partition key of a shard.
    #[must_use]
    pub fn partition(self, shard: u32) -> String {
        let name = match self {
            Self::Level => "level",
            Self::Picture => "picture",
            Self::Week => "week",
        };
        format!("sums#{name}#{shard}")
    }
}

/// The places of a learner with the total `sums`: sort keys by ranking, of equal length for all values.
#[must_use]
pub fn places(sums: &BTreeMap<String, u64>, user_id: &UserId) -> BTreeMap<Ranking, String> {
    let place = |ranking: Ranking| Some((ranking, format!("{:020}#{user_id}", ranking.value(sums)?)));
    Ranking::ALL.into_iter().filter_map(place).collect()
}

/// The learner at a place.
#[must_use]
pub fn learner_at(place: &str) -> Option<UserId> {
    place.split_once('#')?.1.parse().ok()
}

/// The shard of a learner's sums.
#[must_use]
pub fn shard(user_id: &UserId) -> u32 {
    user_id.as_str().bytes().map(u32::from).sum::<u32>() % SHARDS
}

/// The key of a week's sums.
#[must_use]
pub fn week(day: Date) -> String {
    let week = day.iso_week_date();
    format!("{:04}-W{:02}", week.year(), week.week())
}

/// The sort key of a flagged conversation. With [`SCORE`] before it, the one of an assessed conversation.
#[must_use]
pub fn by_start(id: ConversationId) -> String {
    format!("{}#{id}", sortable(id.started_at()))
}

/// The primary key of an item.
#[must_use]
pub fn key(partition: &str, sort: &str) -> Item {
    Item::from([("userId".to_owned(), text(partition)), ("date".to_owned(), text(sort))])
}

/// The keys of the items in other partitions that belong to an `item` of a learner: what an erasure deletes before it.
#[must_use]
pub fn belonging(item: &Item) -> Vec<Item> {
    let attribute = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    let date = attribute("date").unwrap_or_default();
    if let Some(start) = date.strip_prefix(SCORE) {
        return vec![key(FLAGGED, start)];
    }
    let rankings = attribute(RANKINGS).filter(|_| date == PROGRESS_TOTAL);
    let places: BTreeMap<Ranking, String> =
        rankings.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    places.into_iter().map(|(ranking, place)| key(ranking.partition(), &place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(sums: &[(&str, u64)]) -> BTreeMap<String, u64> {
        sums.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect()
    }

    #[test]
    fn places_sort_as_their_values_and_name_their_learner() {
        let learner: UserId = "learner-1".parse().unwrap();
        let of = |speech, scored| {
            let sums = sums(&[
                ("conversations", 2),
                ("learnerSpeechMs", speech),
                ("scored", scored),
                ("overallSum", 141),
            ]);
            places(&sums, &learner)
        };
        let low = of(9_000, 2);
        assert!(low[&Ranking::Speech] < of(10_000, 2)[&Ranking::Speech]);
        assert_eq!(low[&Ranking::Overall], "00000000000000007050#learner-1", "hundredths of the mean");
        assert_eq!(learner_at(&low[&Ranking::Conversations]), Some(learner.clone()));
        assert!(!of(9_000, 0).contains_key(&Ranking::Overall), "without an assessment");
        assert!(places(&sums(&[("revision", 1)]), &learner).is_empty(), "without practice");
        assert_eq!(learner_at("7"), None);
    }

    #[test]
    fn week_is_the_iso_week_of_the_day() {
        let week_of = |day: &str| week(day.parse().unwrap());
        assert_eq!(week_of("2026-11-29"), "2026-W48");
        assert_eq!(week_of("2026-11-30"), "2026-W49");
        assert_eq!((week_of("2027-01-03"), week_of("2027-01-04")), ("2026-W53".into(), "2027-W01".into()));
    }

    #[test]
    fn shards_are_all_used_and_partition_keys_are_no_user_ids() {
        let shards: std::collections::BTreeSet<u32> =
            (0..100).map(|number| shard(&format!("learner-{number}").parse().unwrap())).collect();
        assert_eq!(shards, (0..SHARDS).collect());
        let keys = Ranking::ALL.map(|ranking| ranking.partition().to_owned());
        for key in keys.into_iter().chain([FLAGGED.to_owned(), Group::Week.partition(3)]) {
            assert!(key.parse::<UserId>().is_err(), "{key}");
        }
    }

    #[test]
    fn places_and_flags_belong_to_the_items_of_their_learner() {
        let places = BTreeMap::from([(Ranking::Speech, "1#learner-1".to_owned())]);
        let mut total = key("learner-1", PROGRESS_TOTAL);
        assert!(belonging(&total).is_empty());
        total.insert(RANKINGS.to_owned(), text(&serde_json::to_string(&places).unwrap()));
        assert_eq!(belonging(&total), [key("ranking#speech", "1#learner-1")]);
        assert_eq!(belonging(&key("learner-1", "score#a#b")), [key(FLAGGED, "a#b")]);
        assert!(belonging(&key("learner-1", "2026-11-29")).is_empty());
    }
}
