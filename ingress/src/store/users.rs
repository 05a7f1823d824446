//! The Users table: one record for each learner, keyed by `userId`, the `sub` of the user pool. It is the source of
//! truth for the profile; the e-mail address stays in the user pool.
//!
//! The record is made when the sign-up is confirmed (`sign_up`, the trigger of the user pool) and, should that have
//! failed, at the next sign-in. Making it again changes nothing. Every change carries the version that it was made
//! on, so of two changes to the same version one is refused.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::AttributeValue,
};
use events::{account::DELETION_REQUESTED_AT, contract::UserId, runtime::failure::describe};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::account::profile::Profile;

/// Reads and writes the records of learners.
#[derive(Clone, Debug)]
pub struct Users {
    dynamodb: Client,
    table: String,
}

/// The record of a learner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The learner.
    pub user_id: UserId,
    /// What the learner says of themselves.
    #[serde(flatten)]
    pub profile: Profile,
    /// 1 at first, one more with each change of the profile.
    pub version: u64,
    /// When the record was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When the profile was last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated_at: Timestamp,
    /// When the learner asked for the deletion of the account: from then on the profile does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub deletion_requested_at: Option<Timestamp>,
}

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotUpdated {
    /// There is no record.
    #[error("the learner has no record")]
    NotFound,
    /// The record has another version.
    #[error("the record has the version {}", .0.version)]
    Changed(Box<User>),
    /// The account is being deleted.
    #[error("the account is being deleted")]
    Deleting,
    /// The table.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl User {
    /// A new learner's record.
    #[must_use]
    pub fn new(user_id: UserId, profile: Profile, now: Timestamp) -> Self {
        // The table holds milliseconds: what is written is what is read.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        Self { user_id, profile, version: 1, created_at: now, updated_at: now, deletion_requested_at: None }
    }
}

impl User {
    /// The record in an item of the table.
    ///
    /// # Errors
    /// An attribute is missing or unreadable: it is named.
    pub(super) fn of_item(item: &Item) -> anyhow::Result<Self> {
        read(item)
    }
}

impl Users {
    /// The records in `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The record of `user_id`, if there is one; what was written before is seen.
    ///
    /// # Errors
    /// The table cannot be read, or its item is not a record.
    pub async fn get(&self, user_id: &UserId) -> anyhow::Result<Option<User>> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to read the learner's record")?;
        got.item.map(|item| read(&item)).transpose()
    }

    /// Makes the record of `user` if there is none, and answers the one that stands.
    ///
    /// # Errors
    /// The table cannot be written or read.
    pub async fn create_if_missing(&self, user: User) -> anyhow::Result<User> {
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(&user)))
            .condition_expression("attribute_not_exists(userId)")
            .send()
            .await;
        match put {
            Ok(_) => Ok(user),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                let standing = self.get(&user.user_id).await?;
                standing.context("the learner's record was deleted while it was made")
            }
            Err(error) => Err(describe(&error)).context("failed to make the learner's record"),
        }
    }

    /// Replaces the profile of the record that has `version`, and answers the record as it is then. Doing it again
    /// changes nothing.
    ///
    /// # Errors
    /// See [`NotUpdated`].
    pub async fn update(
        &self,
        user_id: &UserId,
        version: u64,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<User, NotUpdated> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .update_expression(
                "SET #name = :name, #level = :level, interests = :interests, #timeZone = :timeZone, \
                 feedbackLanguage = :feedbackLanguage, #version = :next, updatedAt = :now",
            )
            .condition_expression(
                "attribute_exists(userId) AND #version = :version AND attribute_not_exists(deletionRequestedAt)",
            )
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#level", "level")
            .expression_attribute_names("#timeZone", "timeZone")
            .expression_attribute_names("#version", "version")
            .set_expression_attribute_values(Some(
                profile_item(profile).into_iter().map(|(name, value)| (format!(":{name}"), value)).collect(),
            ))
            .expression_attribute_values(":version", number(&version))
            .expression_attribute_values(":next", number(&version.saturating_add(1)))
            .expression_attribute_values(":now", number(&now.as_millisecond()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await;
        match updated {
            Ok(updated) => {
                let item = updated.attributes.context("an update answers the record")?;
                Ok(read(&item)?)
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                refused(self.get(user_id).await?, version, profile)
            }
            Err(error) => Err(describe(&error).context("failed to change the learner's record").into()),
        }
    }

    /// Notes that the learner asked for the deletion of the account at `now`, and answers since when that is asked for:
    /// the first time stays. `None` where there is no record.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn leave(&self, user_id: &UserId, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .update_expression("SET #requested = if_not_exists(#requested, :now)")
            .condition_expression("attribute_exists(userId)")
            .expression_attribute_names("#requested", DELETION_REQUESTED_AT)
            .expression_attribute_values(":now", number(&now.as_millisecond()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await;
        match updated {
            Ok(updated) => {
                let item = updated.attributes.context("an update answers the record")?;
                timestamp(&item, DELETION_REQUESTED_AT).map(Some)
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(describe(&error)).context("failed to note that the account is to be deleted"),
        }
    }
}

/// What a refused update means, from the record that stands. The SDK repeats a request whose answer was lost, and
/// the repetition is refused because the first one succeeded.
fn refused(standing: Option<User>, version: u64, profile: &Profile) -> Result<User, NotUpdated> {
    let standing = standing.ok_or(NotUpdated::NotFound)?;
    if standing.deletion_requested_at.is_some() {
        return Err(NotUpdated::Deleting);
    }
    if standing.version == version.saturating_add(1) && standing.profile == *profile {
        return Ok(standing);
    }
    Err(NotUpdated::Changed(Box::new(standing)))
}

type Item = HashMap<String, AttributeValue>;

/// Times are milliseconds since the Unix epoch, as in the Conversations table.
fn item(user: &User) -> Item {
    let mut item = profile_item(&user.profile);
    item.extend([
        ("userId".to_owned(), text(&user.user_id)),
        ("version".to_owned(), number(&user.version)),
        ("createdAt".to_owned(), number(&user.created_at.as_millisecond())),
        ("updatedAt".to_owned(), number(&user.updated_at.as_millisecond())),
    ]);
    if let Some(at) = user.deletion_requested_at {
        item.insert("deletionRequestedAt".to_owned(), number(&at.as_millisecond()));
    }
    item
}

fn profile_item(profile: &Profile) -> Item {
    let interests = profile.interests.iter().map(text).collect();
    Item::from([
        ("name".to_owned(), text(&profile.name)),
        ("level".to_owned(), text(&name(&profile.level))),
        ("interests".to_owned(), AttributeValue::L(interests)),
        ("timeZone".to_owned(), text(&profile.time_zone)),
        ("feedbackLanguage".to_owned(), text(&name(&profile.feedback_language))),
    ])
}

fn read(item: &Item) -> anyhow::Result<User> {
    let interests = item.get("interests").and_then(|value| value.as_l().ok());
    let interests = interests.and_then(|all| all.iter().map(|one| one.as_s().ok().cloned()).collect());
    let profile = Profile {
        name: string(item, "name")?.to_owned(),
        level: named(item, "level")?,
        interests: interests.with_context(|| unreadable("interests"))?,
        time_zone: string(item, "timeZone")?.to_owned(),
        feedback_language: named(item, "feedbackLanguage")?,
    };
    let deletion = item.contains_key("deletionRequestedAt");
    Ok(User {
        user_id: string(item, "userId")?.parse().with_context(|| unreadable("userId"))?,
        profile,
        version: integer(item, "version")?.try_into().with_context(|| unreadable("version"))?,
        created_at: timestamp(item, "createdAt")?,
        updated_at: timestamp(item, "updatedAt")?,
        deletion_requested_at: deletion.then(|| timestamp(item, "deletionRequestedAt")).transpose()?,
    })
}

fn text(value: &impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The name of a unit variant, as the API writes it.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a unit variant is written as its name, not as {other:?}"),
    }
}

fn string<'a>(item: &'a Item, attribute: &str) -> anyhow::Result<&'a str> {
    let value = item.get(attribute).and_then(|value| value.as_s().ok());
    value.map(String::as_str).with_context(|| unreadable(attribute))
}

fn named<T: DeserializeOwned>(item: &Item, attribute: &str) -> anyhow::Result<T> {
    let value = serde_json::Value::String(string(item, attribute)?.to_owned());
    serde_json::from_value(value).ok().with_context(|| unreadable(attribute))
}

fn integer(item: &Item, attribute: &str) -> anyhow::Result<i64> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok());
    digits.and_then(|digits| digits.parse().ok()).with_context(|| unreadable(attribute))
}

fn timestamp(item: &Item, attribute: &str) -> anyhow::Result<Timestamp> {
    Timestamp::from_millisecond(integer(item, attribute)?).ok().with_context(|| unreadable(attribute))
}

/// Names the attribute and never its value.
fn unreadable(attribute: &str) -> String {
    format!("item of the Users table: attribute {attribute} is missing or unreadable")
}

#[cfg(test)]
mod tests {
    use events::contract::{FeedbackLanguage, Level};

    use super::*;

    fn user() -> User {
        let profile = Profile {
            name: "Mina Kim".to_owned(),
            level: Level::C1,
            interests: vec!["cooking".to_owned(), "trains".to_owned()],
            time_zone: "Asia/Seoul".to_owned(),
            feedback_language: FeedbackLanguage::Korean,
        };
        let now = "2026-11-23T10:00:00.123456789Z".parse().unwrap();
        User::new("8f1d7c1e-0a5b-4a0e-9d38-1f5c72aae4b1".parse().unwrap(), profile, now)
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut user = user();
        assert_eq!(read(&item(&user)).unwrap(), user);
        user.version = 7;
        user.profile.interests.clear();
        user.deletion_requested_at = Some(user.created_at);
        assert_eq!(read(&item(&user)).unwrap(), user);
    }

    #[test]
    fn a_record_without_one_of_its_attributes_is_an_error_that_names_it() {
        let whole = item(&user());
        for name in whole.keys() {
            let mut item = whole.clone();
            item.remove(name);
            let error = read(&item).unwrap_err().to_string();
            assert!(error.contains(name.as_str()), "{name}: {error}");
        }
    }

    #[test]
    fn a_refused_update_is_told_from_one_whose_answer_was_lost() {
        let mut standing = user();
        let wanted = standing.profile.clone();
        standing.version = 2;
        assert_eq!(refused(Some(standing.clone()), 1, &wanted).unwrap(), standing);
        let other = Profile { level: Level::A1, ..wanted.clone() };
        let NotUpdated::Changed(at) = refused(Some(standing.clone()), 1, &other).unwrap_err() else {
            panic!("another profile stands")
        };
        assert_eq!(at.version, 2);
        assert!(matches!(refused(Some(standing.clone()), 2, &wanted), Err(NotUpdated::Changed(_))));
        standing.deletion_requested_at = Some(standing.created_at);
        assert!(matches!(refused(Some(standing), 1, &wanted), Err(NotUpdated::Deleting)));
        assert!(matches!(refused(None, 1, &wanted), Err(NotUpdated::NotFound)));
    }
}
