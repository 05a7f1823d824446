//! The account itself: the Users record, which says that it is to go, and the user of the pool, who can sign in.

use std::collections::HashMap;

use aws_sdk_cognitoidentityprovider::{self as cognito, operation::admin_delete_user::AdminDeleteUserError};
use aws_sdk_dynamodb::types::AttributeValue;
use events::{account::DELETION_REQUESTED_AT, contract::UserId, runtime::failure::Failure};
use jiff::Timestamp;

use crate::effects::text;

/// Accounts.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) users_table: String,
    pub(super) cognito: cognito::Client,
    pub(super) user_pool_id: String,
}

/// What the record says of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// There is no record: it was deleted before.
    Gone,
    /// The account is to stay: the request to delete it was never recorded, and so never promised.
    Kept,
    /// It is to go since then.
    Leaving(Timestamp),
}

impl Accounts {
    /// What the record of the learner says, as of now.
    pub(super) async fn look(&self, user_id: &UserId) -> Result<Account, Failure> {
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
        read(output.item.as_ref())
    }

    /// Deletes the user of the pool, and then the record: as long as the record is there, a deletion that was cut short
    /// is known to be one.
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

fn read(record: Option<&HashMap<String, AttributeValue>>) -> Result<Account, Failure> {
    let Some(record) = record else { return Ok(Account::Gone) };
    let Some(requested_at) = record.get(DELETION_REQUESTED_AT) else { return Ok(Account::Kept) };
    let read = requested_at.as_n().ok().and_then(|digits| digits.parse().ok());
    let unreadable =
        || Failure::reject(format!("the learner's record has an unreadable {DELETION_REQUESTED_AT}"));
    let read = read.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    read.map(Account::Leaving).ok_or_else(unreadable)
}

fn key(user_id: &UserId) -> HashMap<String, AttributeValue> {
    HashMap::from([("userId".to_owned(), text(user_id))])
}

#[cfg(test)]
mod tests {
    use events::runtime::failure::FailureKind;

    use super::*;

    #[test]
    fn only_a_record_that_says_so_is_of_an_account_that_goes() {
        let record = |value: Option<AttributeValue>| {
            let mut record = key(&"learner-1".parse().unwrap());
            record.extend(value.map(|value| (DELETION_REQUESTED_AT.to_owned(), value)));
            record
        };
        assert_eq!(read(None).unwrap(), Account::Gone);
        assert_eq!(read(Some(&record(None))).unwrap(), Account::Kept);
        let at = AttributeValue::N("1795594530250".to_owned());
        let leaving = read(Some(&record(Some(at)))).unwrap();
        assert_eq!(leaving, Account::Leaving("2026-11-25T08:15:30.25Z".parse().unwrap()));
        for value in [text("yesterday"), AttributeValue::Bool(true), AttributeValue::N("0.5".to_owned())] {
            let failure = read(Some(&record(Some(value)))).unwrap_err();
            assert!(matches!(failure.kind(), FailureKind::Reject { .. }), "{failure}");
        }
    }
}
