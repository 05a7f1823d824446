//! Whose data is erased, as the erasure worker notes it in the Effects table; read only. It is asked where a learner has
//! no record: the owner of a token that is still good may be somebody whose account is gone.

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use events::{contract::UserId, pipeline::names::erasure_effect, runtime::failure::describe};

/// Reads the notes.
#[derive(Clone, Debug)]
pub struct Erasures {
    dynamodb: Client,
    table: String,
}

impl Erasures {
    /// The notes in `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Whether the data of `user_id` is erased, or about to be.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn has(&self, user_id: &UserId) -> anyhow::Result<bool> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("effectId", AttributeValue::S(erasure_effect(user_id)))
            .projection_expression("effectId")
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to see whose data is erased")?;
        Ok(got.item.is_some())
    }
}
