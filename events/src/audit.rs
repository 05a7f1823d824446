//! The record of who read a learner's data, without the data: a log line with the target `audit`, and an item `audit#<time>#<id>` in
//! the Effects table that stays for [`RETENTION_DAYS`]. Analysts and operators read data of others; learners, who read their own, are
//! not recorded.

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    contract::UserId,
    dynamo::{millis, number, text},
    runtime::{AUDIT_LOG, failure::describe},
};

/// Days after which a record leaves the table.
pub const RETENTION_DAYS: i64 = 400;

/// Writes records.
#[derive(Clone, Debug)]
pub struct Audit {
    dynamodb: Client,
    table: String,
}

/// One read.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Who reads: the id of an analyst, or the ARN of an operator.
    pub who: &'a str,
    /// What is read: a fixed name, as the operation of the API or the command.
    pub what: &'a str,
    /// Whose data; empty for that of all learners.
    pub whose: &'a [UserId],
}

impl Audit {
    /// Uses `table`, the Effects table.
    #[must_use]
    pub fn new(dynamodb: Client, table: impl Into<String>) -> Self {
        Self { dynamodb, table: table.into() }
    }

    /// Records a read. The caller shows nothing before this has succeeded.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn record(&self, read: Read<'_>, now: Timestamp) -> anyhow::Result<()> {
        let Read { who, what, whose } = read;
        let whose = whose.iter().map(UserId::as_str).collect::<Vec<_>>().join(" ");
        let whose = if whose.is_empty() { "all" } else { &whose };
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("effectId", text(&format!("audit#{}#{}", now.as_millisecond(), Uuid::new_v4())))
            .item("who", text(who))
            .item("what", text(what))
            .item("whose", text(whose))
            .item("at", millis(now))
            .item("expiresAt", number(&(now.as_second() + RETENTION_DAYS * 24 * 60 * 60)))
            .send()
            .await;
        put.map_err(|error| describe(&error)).context("failed to record a read of a learner's data")?;
        tracing::info!(target: AUDIT_LOG, who, what, whose, "a learner's data was read");
        Ok(())
    }
}
