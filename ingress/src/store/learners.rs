//! Everybody who has a record in the Users table, for analysts: in pages, with filters. Without a time since when somebody
//! was active the records are walked; with one, the index of activity is, the latest first.
//!
//! A filter is applied to what a page has read, so that a page costs a bounded number of reads however few learners match;
//! a page may be shorter than asked for and still have a next one.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use events::{
    contract::{Level, UserId},
    runtime::failure::describe,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    progress::{Order, Place, Progress, Total},
    users::{User, Users},
};

/// Learners that one page looks at, whether they match or not.
pub const EXAMINED_MAX: usize = 200;

/// Reads at one time.
const READS_AT_ONCE: usize = 16;

/// Lists learners.
#[derive(Clone, Debug)]
pub struct Learners {
    dynamodb: Client,
    table: String,
    users: Users,
    progress: Progress,
}

/// Which learners are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this level.
    pub level: Option<Level>,
    /// Of whom something was counted at this time or later.
    pub active_since: Option<Timestamp>,
    /// Whose name begins like this, whatever the case.
    pub name: Option<String>,
}

/// A place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// In the walk over the records.
    Record(UserId),
    /// In the index of activity.
    Activity(Place),
}

/// A learner with the total of the progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Learner {
    /// The record.
    pub user: User,
    /// The total.
    pub total: Total,
}

impl Learners {
    /// Learners with records in `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String, progress: Progress) -> Self {
        let users = Users::new(dynamodb.clone(), table.clone());
        Self { dynamodb, table, users, progress }
    }

    /// A learner, if there is one of that id.
    ///
    /// # Errors
    /// A table cannot be read.
    pub async fn get(&self, user_id: &UserId) -> anyhow::Result<Option<Learner>> {
        let Some(user) = self.users.get(user_id).await? else { return Ok(None) };
        let total = self.progress.total(user_id).await?;
        Ok(Some(Learner { user, total }))
    }

    /// At most `limit` of the learners that match, from the one that follows `after`, and the place to go on after, if
    /// there may be more.
    ///
    /// # Errors
    /// A table cannot be read.
    pub async fn page(
        &self,
        filter: &Filter,
        after: Option<&Position>,
        limit: usize,
    ) -> anyhow::Result<(Vec<Learner>, Option<Position>)> {
        let (mut found, mut after, mut examined) = (Vec::new(), after.cloned(), 0);
        loop {
            let wanted = (limit - found.len()).min(EXAMINED_MAX - examined);
            let (read, next) = match filter.active_since {
                Some(since) => self.by_activity(since, after.as_ref(), wanted).await?,
                None => self.by_record(filter, after.as_ref(), wanted).await?,
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
        after: Option<&Position>,
        limit: usize,
    ) -> anyhow::Result<(Vec<Learner>, Option<Position>)> {
        let after = match after {
            Some(Position::Activity(place)) => Some(place),
            Some(Position::Record(_)) | None => None,
        };
        let (active, next) = self.progress.active(since, Order::NewestFirst, after, limit).await?;
        let reads = active.into_iter().map(|active| async move {
            // Progress without a record is that of an account which is gone.
            let user = self.users.get(&active.user_id).await?;
            anyhow::Ok(user.map(|user| Learner { user, total: active.total }))
        });
        let read: Vec<Option<Learner>> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        Ok((read.into_iter().flatten().collect(), next.map(Position::Activity)))
    }

    async fn by_record(
        &self,
        filter: &Filter,
        after: Option<&Position>,
        limit: usize,
    ) -> anyhow::Result<(Vec<Learner>, Option<Position>)> {
        let start = match after {
            Some(Position::Record(id)) => {
                Some(HashMap::from([("userId".to_owned(), AttributeValue::S(id.to_string()))]))
            }
            Some(Position::Activity(_)) | None => None,
        };
        let scan = self.dynamodb.scan().table_name(&self.table).set_exclusive_start_key(start);
        let page = scan.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
        let page = page.map_err(|error| describe(&error)).context("failed to list the learners")?;
        let users = page.items().iter().map(User::of_item).collect::<anyhow::Result<Vec<_>>>()?;
        let reads = users.into_iter().filter(|user| filter.matches(user)).map(|user| async move {
            let total = self.progress.total(&user.user_id).await?;
            anyhow::Ok(Learner { user, total })
        });
        let read = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        let id = |value: &AttributeValue| value.as_s().ok().and_then(|id| id.parse().ok());
        let next = page.last_evaluated_key().and_then(|key| key.get("userId")).and_then(id);
        Ok((read, next.map(Position::Record)))
    }
}

impl Filter {
    /// Whether a learner is wanted, as far as the record tells.
    #[must_use]
    pub fn matches(&self, user: &User) -> bool {
        let begins = |prefix: &String| user.profile.name.to_lowercase().starts_with(&prefix.to_lowercase());
        self.level.is_none_or(|level| user.profile.level == level) && self.name.as_ref().is_none_or(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::profile::Profile;

    #[test]
    fn a_filter_wants_the_level_and_the_beginning_of_the_name_whatever_its_case() {
        let profile = Profile { level: Level::B2, ..Profile::new("Émilie Kim".to_owned()) };
        let user = User::new("learner-1".parse().unwrap(), profile, Timestamp::UNIX_EPOCH);
        let filter =
            |level, name: Option<&str>| Filter { level, name: name.map(str::to_owned), active_since: None };
        assert!(filter(None, None).matches(&user));
        assert!(filter(Some(Level::B2), Some("éMI")).matches(&user));
        assert!(!filter(Some(Level::B1), None).matches(&user));
        assert!(!filter(None, Some("Kim")).matches(&user));
    }
}
