//! The Users table: one record per learner, with the key `userId`, the `sub` of the user pool. It is the source of
//! truth for the profile; the e-mail address stays in the user pool.
//!
//! The confirmation of a sign-up creates the record (`sign_up`, the trigger of the user pool); where that failed, the
//! next sign-in creates it. Creating it again changes nothing. Every change names the version on which it is based, so
//! one of two changes to the same version is refused.

use anyhow::{Context as _, anyhow};
use aws_sdk_dynamodb::{Client, types::ReturnValue};
use events::{
    account::DELETION_REQUESTED_AT,
    contract::UserId,
    dynamo::{Item, is_conditional_check_failed, millis, number, read_item, text, to_item},
    runtime::failure::describe,
};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::profile::Profile;

/// Reads and writes the records.
#[derive(Clone, Debug)]
pub struct Users {
    dynamodb: Client,
    table: String,
}

/// The record of a learner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id of the learner, the `sub` of the user pool.
    pub user_id: UserId,
    /// The learner's own settings.
    #[serde(flatten)]
    pub profile: Profile,
    /// 1 for a new record; each change of the profile increments it.
    pub version: u64,
    /// When the record was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When the profile was last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated_at: Timestamp,
    /// When the learner requested the deletion of the account. The profile does not change after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub deletion_requested_at: Option<Timestamp>,
}

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("the learner has no record")]
    NotFound,
    /// The record has another version: this is the current record.
    #[error("the record has the version {}", .0.version)]
    Changed(Box<User>),
    #[error("the account is being deleted")]
    Deleting,
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl User {
    /// A new learner's record.
    #[must_use]
    pub fn new(user_id: UserId, profile: Profile, now: Timestamp) -> Self {
        // The table holds milliseconds: a record equals its stored form.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        Self { user_id, profile, version: 1, created_at: now, updated_at: now, deletion_requested_at: None }
    }

    /// The record in an item of the table.
    ///
    /// # Errors
    /// An attribute is missing or unreadable. The error names it and quotes no value.
    pub(super) fn of_item(item: Item) -> anyhow::Result<Self> {
        read(item)
    }
}

impl Users {
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The record of `user_id`, read consistently; `None` without one.
    ///
    /// # Errors
    /// The table cannot be read, or the item is not a record.
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
        got.item.map(read).transpose()
    }

    /// Creates the record of `user` if there is none. Returns the stored record.
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
            Err(error) if is_conditional_check_failed(&error) => {
                let current = self.get(&user.user_id).await?;
                current.context("the learner's record was deleted while it was created")
            }
            Err(error) => Err(describe(&error)).context("failed to create the learner's record"),
        }
    }

    /// Replaces the profile of the record if it has the version `version`. Returns the new record. Repeating the call
    /// changes nothing.
    pub async fn update(
        &self,
        user_id: &UserId,
        version: u64,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<User, UpdateError> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .update_expression(
                "SET #name = :name, #level = :level, interests = :interests, #timeZone = :timeZone, \
                 feedbackLanguage = :feedbackLanguage, pageLanguage = :pageLanguage, #version = :next, updatedAt = :now",
            )
            .condition_expression(
                "attribute_exists(userId) AND #version = :version AND attribute_not_exists(deletionRequestedAt)",
            )
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#level", "level")
            .expression_attribute_names("#timeZone", "timeZone")
            .expression_attribute_names("#version", "version")
            .set_expression_attribute_values(Some(
                to_item(profile).into_iter().map(|(name, value)| (format!(":{name}"), value)).collect(),
            ))
            .expression_attribute_values(":version", number(&version))
            .expression_attribute_values(":next", number(&version.saturating_add(1)))
            .expression_attribute_values(":now", millis(now))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match updated {
            Ok(updated) => {
                let item = updated.attributes.context("the update returned no attributes")?;
                Ok(read(item)?)
            }
            Err(error) if is_conditional_check_failed(&error) => {
                after_failed_condition(self.get(user_id).await?, version, profile)
            }
            Err(error) => Err(describe(&error).context("failed to change the learner's record").into()),
        }
    }

    /// Records that the learner requested the deletion of the account at `now`. Returns the time of the first request,
    /// which stays, or `None` without a record.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn request_deletion(
        &self,
        user_id: &UserId,
        now: Timestamp,
    ) -> anyhow::Result<Option<Timestamp>> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .update_expression("SET #requested = if_not_exists(#requested, :now)")
            .condition_expression("attribute_exists(userId)")
            .expression_attribute_names("#requested", DELETION_REQUESTED_AT)
            .expression_attribute_values(":now", millis(now))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match updated {
            Ok(updated) => {
                let item = updated.attributes.context("the update returned no attributes")?;
                let request: DeletionRequest = read_item(item).context("item of the Users table")?;
                Ok(Some(request.deletion_requested_at))
            }
            Err(error) if is_conditional_check_failed(&error) => Ok(None),
            Err(error) => Err(describe(&error)).context("failed to record the request to delete the account"),
        }
    }
}

/// The result of an update whose condition failed, from the `current` record. The SDK repeats a request whose response
/// was lost, and the condition of the repetition fails because the first request succeeded.
fn after_failed_condition(
    current: Option<User>,
    version: u64,
    profile: &Profile,
) -> Result<User, UpdateError> {
    let current = current.ok_or(UpdateError::NotFound)?;
    if current.deletion_requested_at.is_some() {
        return Err(UpdateError::Deleting);
    }
    if current.version == version.saturating_add(1) && current.profile == *profile {
        return Ok(current);
    }
    Err(UpdateError::Changed(Box::new(current)))
}

/// An item of the table. Times are milliseconds since the Unix epoch, as in the Conversations table.
#[derive(Serialize, Deserialize)]
#[serde(remote = "User", rename_all = "camelCase")]
struct UserItem {
    user_id: UserId,
    #[serde(flatten)]
    profile: Profile,
    version: u64,
    #[serde(with = "millisecond::required")]
    created_at: Timestamp,
    #[serde(with = "millisecond::required")]
    updated_at: Timestamp,
    #[serde(default, with = "millisecond::optional", skip_serializing_if = "Option::is_none")]
    deletion_requested_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletionRequest {
    #[serde(with = "millisecond::required")]
    deletion_requested_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Record(#[serde(with = "UserItem")] User);

fn item(user: &User) -> Item {
    to_item(&Record(user.clone()))
}

fn read(item: Item) -> anyhow::Result<User> {
    let record: Record = read_item(item).map_err(|error| anyhow!("item of the Users table: {error}"))?;
    Ok(User { profile: record.0.profile.of_record(), ..record.0 })
}

#[cfg(test)]
mod tests {
    use events::contract::{FeedbackLanguage, Level};

    use super::*;
    use crate::account::profile::PageLanguage;

    fn user() -> User {
        let profile = Profile {
            name: "Mina Kim".to_owned(),
            level: Level::C1,
            interests: vec!["cooking".to_owned(), "trains".to_owned()],
            time_zone: "Asia/Seoul".to_owned(),
            feedback_language: FeedbackLanguage::Korean,
            page_language: PageLanguage::Korean,
        };
        let now = "2026-11-23T10:00:00.123456789Z".parse().unwrap();
        User::new("8f1d7c1e-0a5b-4a0e-9d38-1f5c72aae4b1".parse().unwrap(), profile, now)
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut user = user();
        assert_eq!(read(item(&user)).unwrap(), user);
        user.version = 7;
        user.profile.interests.clear();
        user.deletion_requested_at = Some(user.created_at);
        assert_eq!(read(item(&user)).unwrap(), user);
    }

    #[test]
    fn record_that_is_older_than_the_rules_of_names_is_read_as_it_can_be_shown() {
        let mut user = user();
        user.profile.name = "Mi\u{202e}na Zoe\u{308}".to_owned();
        user.profile.interests = vec!["\u{3164}".to_owned(), "tea".to_owned()];
        let profile = read(item(&user)).unwrap().profile;
        assert_eq!((profile.name.as_str(), profile.interests), ("Mina Zoë", vec!["tea".to_owned()]));
    }

    #[test]
    fn a_record_without_one_of_its_attributes_is_an_error_that_names_it() {
        let whole = item(&user());
        for name in whole.keys().filter(|name| *name != "pageLanguage") {
            let mut item = whole.clone();
            item.remove(name);
            let error = read(item).unwrap_err().to_string();
            assert!(error.contains(name.as_str()), "{name}: {error}");
        }
    }

    #[test]
    fn record_from_before_page_languages_has_the_default_one() {
        let mut item = item(&user());
        assert!(item.remove("pageLanguage").is_some());
        assert_eq!(read(item).unwrap().profile.page_language, PageLanguage::English);
    }

    #[test]
    fn an_update_whose_condition_failed_is_told_from_one_whose_response_was_lost() {
        let mut standing = user();
        let wanted = standing.profile.clone();
        standing.version = 2;
        assert_eq!(after_failed_condition(Some(standing.clone()), 1, &wanted).unwrap(), standing);
        let other = Profile { level: Level::A1, ..wanted.clone() };
        let UpdateError::Changed(at) = after_failed_condition(Some(standing.clone()), 1, &other).unwrap_err()
        else {
            panic!("another profile is stored")
        };
        assert_eq!(at.version, 2);
        assert!(matches!(
            after_failed_condition(Some(standing.clone()), 2, &wanted),
            Err(UpdateError::Changed(_))
        ));
        standing.deletion_requested_at = Some(standing.created_at);
        assert!(matches!(after_failed_condition(Some(standing), 1, &wanted), Err(UpdateError::Deleting)));
        assert!(matches!(after_failed_condition(None, 1, &wanted), Err(UpdateError::NotFound)));
    }
}
