//! The account: the Users record, which holds the deletion request, and the user of the pool, who can sign in.

use aws_sdk_cognitoidentityprovider::{self as cognito, operation::admin_delete_user::AdminDeleteUserError};
use events::{
    account::DELETION_REQUESTED_AT,
    contract::UserId,
    dynamo::{Item, read_item, text},
    runtime::failure::Failure,
};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond};
use serde::Deserialize;

/// Reads and deletes accounts.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) users_table: String,
    pub(super) cognito: cognito::Client,
    pub(super) user_pool_id: String,
}

/// The state of an account by its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// There is no record: the account was deleted before.
    Deleted,
    /// No deletion request was recorded, and so none was confirmed to the learner.
    Kept,
    /// The deletion was requested at this time.
    Deleting(Timestamp),
}

impl Accounts {
    /// The state of the learner's account, read consistently.
    pub(super) async fn state(&self, user_id: &UserId) -> Result<Account, Failure> {
        let output = self
            .dynamodb
            .get_item()
            .table_name(&self.users_table)
            .set_key(Some(key(user_id)))
            .projection_expression("userId, #requested")
            .expression_attribute_names("#requested", DELETION_REQUESTED_AT)
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to read the learner's record"))?;
        read(output.item)
    }

    /// Deletes the user of the pool, then the record: while the record exists, an interrupted deletion can continue.
    pub(super) async fn delete(&self, user_id: &UserId) -> Result<(), Failure> {
        let deleted = self
            .cognito
            .admin_delete_user()
            .user_pool_id(&self.user_pool_id)
            .username(user_id.as_str())
            .send()
            .await;
        if let Err(error) = deleted
            && !error.as_service_error().is_some_and(AdminDeleteUserError::is_user_not_found_exception)
        {
            return Err(Failure::aws(error).context("failed to delete the user of the pool"));
        }
        self.dynamodb
            .delete_item()
            .table_name(&self.users_table)
            .set_key(Some(key(user_id)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::aws(error).context("failed to delete the learner's record"))
    }
}

/// The attribute [`DELETION_REQUESTED_AT`] of a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletionRequest {
    #[serde(default, with = "millisecond::optional")]
    deletion_requested_at: Option<Timestamp>,
}

fn read(record: Option<Item>) -> Result<Account, Failure> {
    let Some(record) = record else { return Ok(Account::Deleted) };
    let DeletionRequest { deletion_requested_at } =
        read_item(record).map_err(|error| Failure::reject(format!("the learner's record: {error}")))?;
    Ok(deletion_requested_at.map_or(Account::Kept, Account::Deleting))
}

fn key(user_id: &UserId) -> Item {
    Item::from([("userId".to_owned(), text(user_id))])
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use events::runtime::failure::FailureKind;

    use super::*;

    #[test]
    fn only_a_record_that_says_so_is_of_an_account_that_goes() {
        let record = |value: Option<AttributeValue>| {
            let mut record = key(&"learner-1".parse().unwrap());
            record.extend(value.map(|value| (DELETION_REQUESTED_AT.to_owned(), value)));
            record
        };
        assert_eq!(read(None).unwrap(), Account::Deleted);
        assert_eq!(read(Some(record(None))).unwrap(), Account::Kept);
        let at = AttributeValue::N("1795594530250".to_owned());
        let deleting = read(Some(record(Some(at)))).unwrap();
        assert_eq!(deleting, Account::Deleting("2026-11-25T08:15:30.25Z".parse().unwrap()));
        for value in [text("yesterday"), AttributeValue::Bool(true), AttributeValue::N("0.5".to_owned())] {
            let failure = read(Some(record(Some(value)))).unwrap_err();
            assert!(matches!(failure.kind(), FailureKind::Reject { .. }), "{failure}");
        }
    }
}
