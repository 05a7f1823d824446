//! What the models cost on one day (UTC) over all processes, and the limit that operators set for a day. Both are items of the Effects
//! table: `spending#<date>` with `usdMicros`, and `limit#spending` with `usdMicrosPerDay`.
//!
//! The sum is for a limit and not for a bill: an addition whose response was lost may count twice.

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::ReturnValue};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    dynamo::{Item, number, text},
    runtime::failure::describe,
};

/// The limit of a day until operators set another one, in millionths of a US dollar.
pub const USD_MICROS_PER_DAY_DEFAULT: u64 = 100_000_000;

/// Days after which the sum of a day leaves the table.
const RETENTION_DAYS: i64 = 90;

const LIMIT_ID: &str = "limit#spending";

/// The sums and the limit in the Effects table.
#[derive(Clone, Debug)]
pub struct Spending {
    dynamodb: Client,
    table: String,
}

impl Spending {
    /// Uses `table`, the Effects table.
    #[must_use]
    pub fn new(dynamodb: Client, table: impl Into<String>) -> Self {
        Self { dynamodb, table: table.into() }
    }

    /// Adds to the sum of the day of `now`, in millionths of a US dollar, and returns the sum.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn add(&self, usd_micros: u64, now: Timestamp) -> anyhow::Result<u64> {
        let expires_at = now.as_second() + RETENTION_DAYS * 24 * 60 * 60;
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(&day_id(now)))
            .update_expression("SET expiresAt = :expires ADD usdMicros :amount")
            .expression_attribute_values(":expires", number(&expires_at))
            .expression_attribute_values(":amount", number(&usd_micros))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let updated = updated.map_err(|error| describe(&error)).context("failed to add to the spending")?;
        Ok(amount(updated.attributes.as_ref(), "usdMicros").unwrap_or(0))
    }

    /// The sum of the day of `now`, in millionths of a US dollar.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn of_day(&self, now: Timestamp) -> anyhow::Result<u64> {
        let item = self.find(&day_id(now)).await?;
        Ok(amount(item.as_ref(), "usdMicros").unwrap_or(0))
    }

    /// The limit that operators have set for a day, in millionths of a US dollar. `None`:
    /// [`USD_MICROS_PER_DAY_DEFAULT`] applies.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn limit(&self) -> anyhow::Result<Option<u64>> {
        Ok(amount(self.find(LIMIT_ID).await?.as_ref(), "usdMicrosPerDay"))
    }

    /// Sets the limit of a day, in millionths of a US dollar.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn set_limit(&self, usd_micros_per_day: u64) -> anyhow::Result<()> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(LIMIT_ID))
            .update_expression("SET usdMicrosPerDay = :limit")
            .expression_attribute_values(":limit", number(&usd_micros_per_day))
            .send()
            .await;
        updated.map(|_| ()).map_err(|error| describe(&error)).context("failed to set the limit")
    }

    async fn find(&self, id: &str) -> anyhow::Result<Option<Item>> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("effectId", text(id))
            .consistent_read(true)
            .send()
            .await;
        Ok(got.map_err(|error| describe(&error)).context("failed to read the spending")?.item)
    }
}

fn day_id(now: Timestamp) -> String {
    format!("spending#{}", TimeZone::UTC.to_datetime(now).date())
}

fn amount(item: Option<&Item>, name: &str) -> Option<u64> {
    item?.get(name)?.as_n().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_of_the_spending_is_that_of_utc() {
        assert_eq!(day_id("2026-11-28T23:59:59.999Z".parse().unwrap()), "spending#2026-11-28");
        assert_eq!(day_id("2026-11-29T00:00:00Z".parse().unwrap()), "spending#2026-11-29");
    }
}
