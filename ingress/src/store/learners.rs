//! The learners with a record in the Users table, for analysts: paginated, filtered and sorted. Sorted by activity the pages
//! come from the index of activity, sorted by a value from its ranking; otherwise from a scan of the records.
//!
//! Filters apply after the read, so a page costs a bounded number of reads however few learners match. A page may
//! therefore be shorter than its limit and still have a next page.

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use events::{
    contract::{Level, UserId},
    dynamo::{Item, text},
    pipeline::overview::Ranking,
    runtime::failure::describe,
    text::caseless,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    progress::{ActivityCursor, Order, Progress, Total},
    users::{User, Users},
};

/// Learners that are read for one page, whether they match or not. Each costs at most three reads: of the place, the record
/// and the total.
pub const EXAMINED_MAX: usize = 66;

/// Concurrent reads.
const READS_AT_ONCE: usize = 16;

#[derive(Clone, Debug)]
pub struct Learners {
    dynamodb: Client,
    table: String,
    users: Users,
    progress: Progress,
}

/// Conditions on learners; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The level of the profile.
    pub level: Option<Level>,
    /// The earliest time of the last counted activity.
    pub active_since: Option<Timestamp>,
    /// The ranking that gives the order; not together with `active_since`.
    pub ranking: Option<Ranking>,
    /// Whether the lowest value, or the earliest activity, comes first.
    pub is_ascending: bool,
    /// A prefix of the name, without regard to case and in any canonically equal form.
    pub name: Option<String>,
}

/// A position in the list, for the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnerCursor {
    /// In the scan of the records.
    Record(UserId),
    /// In the index of activity.
    Activity(ActivityCursor),
    /// In a ranking: the place.
    Place(String),
}

/// A learner with the total progress.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerRecord {
    /// The record in the Users table.
    pub user: User,
    /// The progress over all days, now.
    pub total: Total,
}

impl LearnerRecord {
    fn new(user: User, total: Total) -> Self {
        let total = total.at(Timestamp::now(), &user.profile.time_zone);
        Self { user, total }
    }
}

impl Learners {
    /// Uses the records in `table` and `progress`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String, progress: Progress) -> Self {
        let users = Users::new(dynamodb.clone(), table.clone());
        Self { dynamodb, table, users, progress }
    }

    /// The learner `user_id`; `None` without a record.
    ///
    /// # Errors
    /// A table cannot be read.
    pub async fn get(&self, user_id: &UserId) -> anyhow::Result<Option<LearnerRecord>> {
        let Some(user) = self.users.get(user_id).await? else { return Ok(None) };
        let total = self.progress.total(user_id).await?;
        Ok(Some(LearnerRecord::new(user, total)))
    }

    /// The record of the learner `user_id`, without progress.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn user(&self, user_id: &UserId) -> anyhow::Result<Option<User>> {
        self.users.get(user_id).await
    }

    /// At most `limit` matching learners after `after`, and the cursor of the next page if there may be one.
    ///
    /// # Errors
    /// A table cannot be read.
    pub async fn page(
        &self,
        filter: &Filter,
        after: Option<&LearnerCursor>,
        limit: usize,
    ) -> anyhow::Result<(Vec<LearnerRecord>, Option<LearnerCursor>)> {
        let (mut found, mut after, mut examined) = (Vec::new(), after.cloned(), 0);
        loop {
            let wanted = (limit - found.len()).min(EXAMINED_MAX - examined);
            let (read, next) = match (filter.active_since, filter.ranking) {
                (Some(since), _) => self.by_activity(since, filter, after.as_ref(), wanted).await?,
                (None, Some(ranking)) => self.by_place(ranking, filter, after.as_ref(), wanted).await?,
                (None, None) => self.by_record(filter, after.as_ref(), wanted).await?,
            };
            examined += wanted;
            found.extend(read.into_iter().filter(|learner| filter.matches(&learner.user)));
            after = next;
            if after.is_none() || found.len() >= limit || examined >= EXAMINED_MAX {
                return Ok((found, after));
            }
        }
    }

    async fn by_activity(
        &self,
        since: Timestamp,
        filter: &Filter,
        after: Option<&LearnerCursor>,
        limit: usize,
    ) -> anyhow::Result<(Vec<LearnerRecord>, Option<LearnerCursor>)> {
        let after = match after {
            Some(LearnerCursor::Activity(cursor)) => Some(cursor),
            Some(LearnerCursor::Record(_) | LearnerCursor::Place(_)) | None => None,
        };
        let order = if filter.is_ascending { Order::OldestFirst } else { Order::NewestFirst };
        let (active, next) = self.progress.active(since, order, after, limit).await?;
        let reads = active.into_iter().map(|active| async move {
            // Progress without a record belongs to a deleted account.
            let user = self.users.get(&active.user_id).await?;
            anyhow::Ok(user.map(|user| LearnerRecord::new(user, active.total)))
        });
        let read: Vec<Option<LearnerRecord>> =
            stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        Ok((read.into_iter().flatten().collect(), next.map(LearnerCursor::Activity)))
    }

    async fn by_place(
        &self,
        ranking: Ranking,
        filter: &Filter,
        after: Option<&LearnerCursor>,
        limit: usize,
    ) -> anyhow::Result<(Vec<LearnerRecord>, Option<LearnerCursor>)> {
        let after = match after {
            Some(LearnerCursor::Place(place)) => Some(place.as_str()),
            Some(LearnerCursor::Record(_) | LearnerCursor::Activity(_)) | None => None,
        };
        let (ranked, next) = self.progress.ranked(ranking, filter.is_ascending, after, limit).await?;
        let reads = ranked.into_iter().map(|user_id| async move { self.get(&user_id).await });
        let read: Vec<Option<LearnerRecord>> =
            stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        Ok((read.into_iter().flatten().collect(), next.map(LearnerCursor::Place)))
    }

    async fn by_record(
        &self,
        filter: &Filter,
        after: Option<&LearnerCursor>,
        limit: usize,
    ) -> anyhow::Result<(Vec<LearnerRecord>, Option<LearnerCursor>)> {
        let start = match after {
            Some(LearnerCursor::Record(id)) => Some(Item::from([("userId".to_owned(), text(id))])),
            Some(LearnerCursor::Activity(_) | LearnerCursor::Place(_)) | None => None,
        };
        let scan = self.dynamodb.scan().table_name(&self.table).set_exclusive_start_key(start);
        let page = scan.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
        let page = page.map_err(|error| describe(&error)).context("failed to list the learners")?;
        let id = |value: &AttributeValue| value.as_s().ok().and_then(|id| id.parse().ok());
        let next = page.last_evaluated_key().and_then(|key| key.get("userId")).and_then(id);
        let users = page
            .items
            .unwrap_or_default()
            .into_iter()
            .map(User::of_item)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let reads = users.into_iter().filter(|user| filter.matches(user)).map(|user| async move {
            let total = self.progress.total(&user.user_id).await?;
            anyhow::Ok(LearnerRecord::new(user, total))
        });
        let read = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        Ok((read, next.map(LearnerCursor::Record)))
    }
}

impl Filter {
    /// Whether the record meets the conditions on level and name.
    #[must_use]
    pub fn matches(&self, user: &User) -> bool {
        let begins = |prefix: &String| caseless(&user.profile.name).starts_with(&caseless(prefix));
        self.level.is_none_or(|level| user.profile.level == level) && self.name.as_ref().is_none_or(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::profile::Profile, store::READS_MAX};

    #[test]
    fn a_filter_wants_the_level_and_the_beginning_of_the_name_whatever_its_case() {
        let profile = Profile { level: Level::B2, ..Profile::new("Émilie Kim".to_owned()) };
        let user = User::new("learner-1".parse().unwrap(), profile, Timestamp::UNIX_EPOCH);
        let filter =
            |level, name: Option<&str>| Filter { level, name: name.map(str::to_owned), ..Filter::default() };
        assert!(filter(None, None).matches(&user));
        assert!(filter(Some(Level::B2), Some("éMI")).matches(&user));
        assert!(!filter(Some(Level::B1), None).matches(&user));
        assert!(!filter(None, Some("Kim")).matches(&user));
    }

    #[test]
    fn page_reads_no_more_than_a_request_may() {
        assert_eq!(EXAMINED_MAX, READS_MAX / 3);
    }

    #[test]
    fn a_name_is_found_in_any_canonically_equal_form() {
        // A record can be older than the rule that names are stored in NFC.
        for name in ["Zo\u{eb} Kim", "Zoe\u{308} Kim", "ZOE\u{308} Kim"] {
            let user =
                User::new("learner-1".parse().unwrap(), Profile::new(name.to_owned()), Timestamp::UNIX_EPOCH);
            for wanted in ["zo\u{eb}", "zoe\u{308}", "ZO\u{cb} K"] {
                let filter = Filter { name: Some(wanted.to_owned()), ..Filter::default() };
                assert!(filter.matches(&user), "{name:?} {wanted:?}");
            }
        }
    }
}
