//! The hashes of recovery codes ([`crate::account::recovery_codes`]), an attribute of the learner's record in the Users table.

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use events::{
    contract::UserId,
    dynamo::{is_conditional_check_failed, read_item, text},
    runtime::failure::describe,
};
use serde::Deserialize;

/// Attempts to use a code while another one is used at the same time.
const ATTEMPTS_MAX: usize = 5;

/// Reads and writes the hashes.
#[derive(Clone, Debug)]
pub struct RecoveryCodeStore {
    dynamodb: Client,
    table: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    recovery_codes: Vec<String>,
}

impl RecoveryCodeStore {
    /// Uses the Users table `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The hashes of the codes that are left.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, user_id: &UserId) -> anyhow::Result<Vec<String>> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .projection_expression("recoveryCodes")
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to read recovery codes")?;
        let record: Option<Record> =
            got.item.map(read_item).transpose().context("item of the Users table")?;
        Ok(record.unwrap_or_default().recovery_codes)
    }

    /// Replaces all codes of the learner.
    ///
    /// # Errors
    /// The learner has no record, or the table cannot be written.
    pub async fn replace(&self, user_id: &UserId, hashes: &[String]) -> anyhow::Result<()> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("userId", text(user_id))
            .update_expression("SET recoveryCodes = :after")
            .condition_expression("attribute_exists(userId)")
            .expression_attribute_values(":after", list(hashes))
            .send()
            .await;
        updated.map(drop).map_err(|error| describe(&error)).context("failed to store recovery codes")
    }

    /// Removes the code with this hash. Returns whether it was there: of several uses at one time one succeeds.
    ///
    /// # Errors
    /// The table cannot be read or written.
    pub async fn take(&self, user_id: &UserId, hash: &str) -> anyhow::Result<bool> {
        for _ in 0..ATTEMPTS_MAX {
            let before = self.get(user_id).await?;
            let after: Vec<String> = before.iter().filter(|one| *one != hash).cloned().collect();
            if after.len() == before.len() {
                return Ok(false);
            }
            let updated = self
                .dynamodb
                .update_item()
                .table_name(&self.table)
                .key("userId", text(user_id))
                .update_expression("SET recoveryCodes = :after")
                .condition_expression("recoveryCodes = :before")
                .expression_attribute_values(":before", list(&before))
                .expression_attribute_values(":after", list(&after))
                .send()
                .await;
            match updated {
                Ok(_) => return Ok(true),
                Err(error) if is_conditional_check_failed(&error) => {}
                Err(error) => return Err(describe(&error)).context("failed to use a recovery code"),
            }
        }
        anyhow::bail!("recovery codes changed {ATTEMPTS_MAX} times while one was used")
    }
}

fn list(hashes: &[String]) -> AttributeValue {
    AttributeValue::L(hashes.iter().map(text).collect())
}
