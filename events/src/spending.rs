//! What the models cost on one day (UTC) over all processes, and the limits that operators set. Both are items of the Effects
//! table: `spending#<date>` with `usdMicros`, and `limit#spending` with `usdMicrosPerDay`.
//!
//! A service that runs for one person has a limit of the run besides: `usdMicrosPerRun` bounds the sum of all days since `runSince`.
//! Then the limit of a day applies only if operators have set it.
//!
//! The sums are for limits and not for a bill: an addition whose response was lost may count twice.

use anyhow::Context as _;
use aws_sdk_dynamodb::{
    Client, operation::update_item::builders::UpdateItemFluentBuilder, types::ReturnValue,
};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use crate::{
    dynamo::{Item, number, text},
    runtime::failure::describe,
};

/// The limit of a day until operators set another one, in millionths of a US dollar.
pub const USD_MICROS_PER_DAY_DEFAULT: u64 = 100_000_000;

/// Days after which the sum of a day leaves the table.
const RETENTION_DAYS: i64 = 90;

const LIMIT_ID: &str = "limit#spending";

/// A limit that the models have cost as much as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachedLimit {
    Day,
    Run,
}

/// The limit of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimit {
    /// In millionths of a US dollar.
    pub usd_micros: u64,
    /// The first day of the run (UTC).
    pub since: Date,
}

/// The limits that are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpendingLimits {
    /// The limit of a day, in millionths of a US dollar.
    pub day: Option<u64>,
    pub run: Option<RunLimit>,
}

/// The sums and the limits in the Effects table.
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
            .key("effectId", text(&day_id(date(now))))
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
        self.of_date(date(now)).await
    }

    /// The sum of all days from `since` to that of `now`, in millionths of a US dollar. Days that left the table count nothing.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn since(&self, since: Date, now: Timestamp) -> anyhow::Result<u64> {
        let mut sum = 0_u64;
        for date in days(since, date(now)) {
            sum = sum.saturating_add(self.of_date(date).await?);
        }
        Ok(sum)
    }

    /// The limits that operators have set.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn limits(&self) -> anyhow::Result<SpendingLimits> {
        let item = self.find(LIMIT_ID).await?;
        let since = item.as_ref().and_then(|item| item.get("runSince")?.as_s().ok()?.parse().ok());
        let run = amount(item.as_ref(), "usdMicrosPerRun").zip(since);
        Ok(SpendingLimits {
            day: amount(item.as_ref(), "usdMicrosPerDay"),
            run: run.map(|(usd_micros, since)| RunLimit { usd_micros, since }),
        })
    }

    /// Whether the limit of the run is reached at `now`.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn is_run_spent(&self, now: Timestamp) -> anyhow::Result<bool> {
        self.is_spent(self.limits().await?.run, now).await
    }

    /// The limit that is reached at `now`, if one is.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn reached(&self, now: Timestamp) -> anyhow::Result<Option<ReachedLimit>> {
        let limits = self.limits().await?;
        if self.is_spent(limits.run, now).await? {
            return Ok(Some(ReachedLimit::Run));
        }
        let Some(day) = limits.applied_to_day() else { return Ok(None) };
        Ok((self.of_day(now).await? >= day).then_some(ReachedLimit::Day))
    }

    /// Sets the limit of a day, in millionths of a US dollar.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn set_limit(&self, usd_micros_per_day: u64) -> anyhow::Result<()> {
        let update = self.update_limit("SET usdMicrosPerDay = :limit", usd_micros_per_day);
        set(update).await
    }

    /// Sets the limit of the run, in millionths of a US dollar. The run begins on the day of `now` unless it had a limit before.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn set_run_limit(&self, usd_micros: u64, now: Timestamp) -> anyhow::Result<()> {
        let expression = "SET usdMicrosPerRun = :limit, runSince = if_not_exists(runSince, :today)";
        let update = self.update_limit(expression, usd_micros);
        set(update.expression_attribute_values(":today", text(&date(now).to_string()))).await
    }

    fn update_limit(&self, expression: &str, usd_micros: u64) -> UpdateItemFluentBuilder {
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .key("effectId", text(LIMIT_ID))
            .update_expression(expression)
            .expression_attribute_values(":limit", number(&usd_micros))
    }

    async fn is_spent(&self, run: Option<RunLimit>, now: Timestamp) -> anyhow::Result<bool> {
        match run {
            Some(run) => Ok(self.since(run.since, now).await? >= run.usd_micros),
            None => Ok(false),
        }
    }

    async fn of_date(&self, date: Date) -> anyhow::Result<u64> {
        let item = self.find(&day_id(date)).await?;
        Ok(amount(item.as_ref(), "usdMicros").unwrap_or(0))
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

impl SpendingLimits {
    /// The limit that a day has, in millionths of a US dollar.
    #[must_use]
    pub fn applied_to_day(self) -> Option<u64> {
        self.day.or_else(|| self.run.is_none().then_some(USD_MICROS_PER_DAY_DEFAULT))
    }
}

async fn set(update: UpdateItemFluentBuilder) -> anyhow::Result<()> {
    let updated = update.send().await;
    updated.map(|_| ()).map_err(|error| describe(&error)).context("failed to set the limit")
}

fn date(now: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(now).date()
}

/// The days from `since` to `today` whose sums are in the table.
fn days(since: Date, today: Date) -> impl Iterator<Item = Date> {
    let oldest = today.saturating_sub(RETENTION_DAYS.days()).max(since);
    oldest.series(1.day()).take_while(move |date| *date <= today)
}

fn day_id(date: Date) -> String {
    format!("spending#{date}")
}

fn amount(item: Option<&Item>, name: &str) -> Option<u64> {
    item?.get(name)?.as_n().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_of_the_spending_is_that_of_utc() {
        let id = |now: &str| day_id(date(now.parse().unwrap()));
        assert_eq!(id("2026-11-28T23:59:59.999Z"), "spending#2026-11-28");
        assert_eq!(id("2026-11-29T00:00:00Z"), "spending#2026-11-29");
    }

    #[test]
    fn days_of_a_run_are_all_since_its_first_as_long_as_their_sums_are_kept() {
        let [first, today] = ["2026-11-28", "2026-12-01"].map(|date| date.parse::<Date>().unwrap());
        let listed: Vec<String> = days(first, today).map(|date| date.to_string()).collect();
        assert_eq!(listed, ["2026-11-28", "2026-11-29", "2026-11-30", "2026-12-01"]);
        assert_eq!(days(today, today).count(), 1);
        assert_eq!(days(today, first).count(), 0, "a clock that was set back");
        let kept = usize::try_from(RETENTION_DAYS).unwrap() + 1;
        assert_eq!(days("2020-01-01".parse().unwrap(), today).count(), kept);
    }

    #[test]
    fn limit_of_a_run_replaces_the_default_of_a_day_only() {
        let run = Some(RunLimit { usd_micros: 1, since: "2026-11-28".parse().unwrap() });
        let applied = |day, run| SpendingLimits { day, run }.applied_to_day();
        assert_eq!(applied(None, None), Some(USD_MICROS_PER_DAY_DEFAULT));
        assert_eq!(applied(None, run), None);
        assert_eq!(applied(Some(7), run), Some(7));
    }
}
