//! The items of the UserProgress table for analysts, read only: rankings, sums over all learners, and assessed conversations.
//! `events::pipeline::overview` defines them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::{ConversationId, UserId},
    dynamo::{Item, number, read_item, text},
    pipeline::{
        names::sortable,
        overview::{FLAGGED, Group, Ranking, SCORE, SHARDS, ScoredConversation, by_start, key, learner_at},
    },
    runtime::failure::describe,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Progress, ProgressItem, Sums};

/// Groups of a page of sums: each is read from every shard.
pub const GROUPS_MAX: usize = 50;

/// The sums of a group, over all learners.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSums {
    /// The level, the id of the picture, or the ISO week, for example `2026-W48`.
    pub key: String,
    /// The sums. They keep the share of learners whose accounts are deleted.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Items of a partition in the order of their sort keys.
struct Range<'a> {
    partition: &'a str,
    /// First and last sort key.
    between: Option<(String, String)>,
    is_ascending: bool,
    /// Sort key of the last item of the previous page.
    after: Option<&'a str>,
    limit: usize,
}

impl Progress {
    /// At most `limit` learners of `ranking` after the place `after`, the highest value first unless `is_ascending`; and the
    /// place of the last one if more follow.
    ///
    /// # Errors
    /// The table cannot be read, or a place is unreadable.
    pub async fn ranked(
        &self,
        ranking: Ranking,
        is_ascending: bool,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<(Vec<UserId>, Option<String>)> {
        let partition = ranking.partition();
        let (items, next) =
            self.range(Range { partition, between: None, is_ascending, after, limit }).await?;
        let learner = |item: &Item| learner_at(sort_key(item)).context("a place names no learner");
        Ok((items.iter().map(learner).collect::<anyhow::Result<_>>()?, next))
    }

    /// At most `limit` groups after the group `after` and the last of them if more follow: weeks with the latest first, levels
    /// and pictures in their order. Reads at most `SHARDS * limit` items.
    ///
    /// # Errors
    /// The table cannot be read, or an item is unreadable.
    pub async fn groups(
        &self,
        group: Group,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<(Vec<GroupSums>, Option<String>)> {
        let is_ascending = group != Group::Week;
        let mut shards = Vec::new();
        for shard in 0..SHARDS {
            let partition = group.partition(shard);
            let range = Range { partition: &partition, between: None, is_ascending, after, limit };
            shards.push(self.range(range).await?);
        }
        merged(&shards, is_ascending, limit)
    }

    /// At most `limit` flagged conversations that started at `since` or later, after `after`, the latest first.
    ///
    /// # Errors
    /// The table cannot be read, or an item is unreadable.
    pub async fn flagged(
        &self,
        since: Timestamp,
        after: Option<ConversationId>,
        limit: usize,
    ) -> anyhow::Result<(Vec<ScoredConversation>, Option<ConversationId>)> {
        self.scored(FLAGGED, (String::new(), sortable(since)), after, limit).await
    }

    /// At most `limit` assessed conversations of a learner after `after`, the latest first.
    ///
    /// # Errors
    /// As [`Progress::flagged`].
    pub async fn scores(
        &self,
        user_id: &UserId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> anyhow::Result<(Vec<ScoredConversation>, Option<ConversationId>)> {
        self.scored(user_id.as_str(), (SCORE.to_owned(), String::new()), after, limit).await
    }

    /// The scores of a conversation of a learner, if it is assessed.
    ///
    /// # Errors
    /// As [`Progress::flagged`].
    pub async fn score(
        &self,
        user_id: &UserId,
        id: ConversationId,
    ) -> anyhow::Result<Option<ScoredConversation>> {
        let key = key(user_id.as_str(), &format!("{SCORE}{}", by_start(id)));
        let got = self.dynamodb.get_item().table_name(&self.table).set_key(Some(key)).send().await;
        let got = got.map_err(|error| describe(&error)).context("failed to read a conversation's scores")?;
        Ok(got.item.map(read_item).transpose()?)
    }

    /// The conversations of `partition` whose sort keys begin with the prefix, from the start `since` on.
    async fn scored(
        &self,
        partition: &str,
        (prefix, since): (String, String),
        after: Option<ConversationId>,
        limit: usize,
    ) -> anyhow::Result<(Vec<ScoredConversation>, Option<ConversationId>)> {
        let after = after.map(|id| format!("{prefix}{}", by_start(id)));
        // Starts are digits, which sort before a colon.
        let between = Some((format!("{prefix}{since}"), format!("{prefix}:")));
        let range = Range { partition, between, is_ascending: false, after: after.as_deref(), limit };
        let (items, next) = self.range(range).await?;
        let items = items.into_iter().map(|item| Ok(read_item(item)?));
        let found: Vec<ScoredConversation> = items.collect::<anyhow::Result<_>>()?;
        let next = next.and_then(|_| found.last()).map(|scored| scored.conversation_id);
        Ok((found, next))
    }

    /// The items of a range, and the sort key of the last one if more may follow.
    async fn range(&self, range: Range<'_>) -> anyhow::Result<(Vec<Item>, Option<String>)> {
        let Range { partition, between, is_ascending, after, limit } = range;
        let mut query = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .key_condition_expression("userId = :partition")
            .expression_attribute_values(":partition", text(partition))
            .scan_index_forward(is_ascending)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|after| key(partition, after)));
        if let Some((from, to)) = between {
            query = query
                .key_condition_expression("userId = :partition AND #date BETWEEN :from AND :to")
                .expression_attribute_names("#date", "date")
                .expression_attribute_values(":from", text(&from))
                .expression_attribute_values(":to", text(&to));
        }
        let page = query.send().await.map_err(|error| describe(&error));
        let page = page.with_context(|| format!("failed to read the items of {}", described(partition)))?;
        let next = page.last_evaluated_key.as_ref().map(|key| sort_key(key).to_owned());
        Ok((page.items.unwrap_or_default(), next))
    }
}

/// A partition in an error: without the id of a learner.
fn described(partition: &str) -> &str {
    if partition.contains('#') { partition } else { "a learner" }
}

fn sort_key(item: &Item) -> &str {
    item.get("date").and_then(|date| date.as_s().ok()).map_or("", String::as_str)
}

/// The sums over all `shards`, each with the key of its last group if more follow. Beyond the first such key a shard could
/// miss, so the page ends there.
fn merged(
    shards: &[(Vec<Item>, Option<String>)],
    is_ascending: bool,
    limit: usize,
) -> anyhow::Result<(Vec<GroupSums>, Option<String>)> {
    let ends = shards.iter().filter_map(|(_, next)| next.as_deref());
    let end = if is_ascending { ends.min() } else { ends.max() };
    let is_complete = |key: &str| end.is_none_or(|end| if is_ascending { key <= end } else { key >= end });
    let mut groups: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for item in shards.iter().flat_map(|(items, _)| items).filter(|item| is_complete(sort_key(item))) {
        let sums = groups.entry(sort_key(item)).or_default();
        for (name, value) in item {
            if let AttributeValue::N(digits) = value {
                let added: u64 = digits.parse().ok().with_context(|| format!("unreadable sum {name}"))?;
                let sum = sums.entry(name).or_default();
                *sum = sum.saturating_add(added);
            }
        }
    }
    let more = end.is_some() || groups.len() > limit;
    let group = |(key, sums): (&str, BTreeMap<&str, u64>)| {
        let item = sums.into_iter().map(|(name, sum)| (name.to_owned(), number(&sum)));
        let sums = ProgressItem::read(item.chain([("date".to_owned(), text(key))]).collect())?.sums();
        anyhow::Ok(GroupSums { key: key.to_owned(), sums })
    };
    let ascending = groups.into_iter();
    let page: Vec<GroupSums> = if is_ascending {
        ascending.take(limit).map(group).collect::<anyhow::Result<_>>()?
    } else {
        ascending.rev().take(limit).map(group).collect::<anyhow::Result<_>>()?
    };
    let next = page.last().filter(|_| more).map(|group| group.key.clone());
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::READS_MAX;

    #[test]
    fn page_of_groups_reads_no_more_than_a_request_may() {
        assert_eq!(GROUPS_MAX * SHARDS as usize, READS_MAX);
    }

    /// A page of a shard that has `keys`, each with one conversation.
    fn page(
        keys: &[u8],
        after: Option<&str>,
        is_ascending: bool,
        limit: usize,
    ) -> (Vec<Item>, Option<String>) {
        let mut keys: Vec<String> = keys.iter().map(|key| format!("{key:03}")).collect();
        keys.sort();
        keys.dedup();
        if !is_ascending {
            keys.reverse();
        }
        let is_after = |key: &String| {
            after.is_none_or(|after| if is_ascending { key.as_str() > after } else { key.as_str() < after })
        };
        let keys: Vec<String> = keys.into_iter().filter(is_after).collect();
        let next = keys.get(limit).and(keys.get(limit.wrapping_sub(1))).cloned();
        let item = |key: &String| {
            Item::from([("date".to_owned(), text(key)), ("conversations".to_owned(), number(&1))])
        };
        (keys.iter().take(limit).map(item).collect(), next)
    }

    proptest! {
        #[test]
        fn pages_of_shards_have_every_group_once_with_the_sums_of_all_shards(
            shards in prop::collection::vec(prop::collection::btree_set(0u8..40, 0..12), 4),
            is_ascending: bool,
            limit in 1usize..6,
        ) {
            let shards: Vec<Vec<u8>> = shards.into_iter().map(|keys| keys.into_iter().collect()).collect();
            let (mut found, mut after) = (Vec::new(), None::<String>);
            loop {
                let pages: Vec<_> =
                    shards.iter().map(|keys| page(keys, after.as_deref(), is_ascending, limit)).collect();
                let (groups, next) = merged(&pages, is_ascending, limit).unwrap();
                prop_assert!(groups.len() <= limit);
                found.extend(groups.into_iter().map(|group| (group.key, group.sums.conversations)));
                prop_assert!(found.len() <= 40);
                after = next;
                if after.is_none() {
                    break;
                }
            }
            let mut expected: BTreeMap<String, u64> = BTreeMap::new();
            for key in shards.iter().flatten() {
                *expected.entry(format!("{key:03}")).or_default() += 1;
            }
            let mut expected: Vec<_> = expected.into_iter().collect();
            if !is_ascending {
                expected.reverse();
            }
            prop_assert_eq!(found, expected);
        }
    }
}
