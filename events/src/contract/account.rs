//! PURE. What is published about an account as a whole, not about one of its conversations.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UserId;

/// Data of `account.deletion_requested`: a learner asked for the deletion of the account and of all its data, and was
/// told that it will happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountDeletionRequested {
    /// The learner.
    pub user_id: UserId,
    /// When they asked for the first time.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub requested_at: Timestamp,
}
