//! Erasure leases in the Effects table, which the erasure worker writes; read only. They are checked where a learner has no
//! record: a valid token may belong to a deleted account.

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use events::{contract::UserId, dynamo::text, pipeline::names::erasure_effect, runtime::failure::describe};

/// Reads erasure leases.
#[derive(Clone, Debug)]
pub struct Erasures {
    dynamodb: Client,
    table: String,
}

impl Erasures {
    /// Uses `table`, the Effects table.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Whether the erasure of the data of `user_id` has begun.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn has(&self, user_id: &UserId) -> anyhow::Result<bool> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("effectId", text(&erasure_effect(user_id)))
            .projection_expression("effectId")
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to read an erasure lease")?;
        Ok(got.item.is_some())
    }
}
