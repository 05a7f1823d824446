//! The alerts that the alerts worker has sent in the last 30 days, newest first, from an index of the Effects table.

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use events::{
    alert::{AlertRecord, BY_TIME, LISTED_DAYS, month},
    dynamo::{Item, text},
    pipeline::names::sortable,
    runtime::failure::describe,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};

/// A sent alert. It has no words of a learner, and no scores.
pub type AlertView = AlertRecord;

/// Lists sent alerts.
#[derive(Clone, Debug)]
pub struct AlertStore {
    dynamodb: Client,
    table: String,
}

/// The position of an alert in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertPosition {
    at: Timestamp,
    id: String,
}

impl AlertStore {
    pub(super) fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// At most `limit` alerts after `after`, newest first, and the position of the last one if there may be more.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn page(
        &self,
        after: Option<&AlertPosition>,
        limit: usize,
        now: Timestamp,
    ) -> anyhow::Result<(Vec<AlertRecord>, Option<AlertPosition>)> {
        let since = now - SignedDuration::from_hours(24 * LISTED_DAYS);
        let mut found = Vec::new();
        let mut after = after.cloned();
        let mut at = after.as_ref().map_or(now, |after| after.at);
        // 30 days are in at most three months.
        while at >= since {
            let wanted = limit - found.len();
            let (records, more) = self.of_month(at, since, after.take(), wanted).await?;
            found.extend(records);
            if more.is_some() {
                return Ok((found, more));
            }
            let Some(before) = last_of_previous_month(at) else { break };
            at = before;
            if found.len() == limit && at >= since {
                let last = found.last().map(AlertPosition::of);
                return Ok((found, last));
            }
        }
        Ok((found, None))
    }

    /// The alerts of the month of `at`.
    async fn of_month(
        &self,
        at: Timestamp,
        since: Timestamp,
        after: Option<AlertPosition>,
        limit: usize,
    ) -> anyhow::Result<(Vec<AlertRecord>, Option<AlertPosition>)> {
        let start = after.map(|AlertPosition { at, id }| {
            Item::from([
                ("effectId".to_owned(), text(&format!("alert#{id}"))),
                ("alertMonth".to_owned(), text(&month(at))),
                ("alertAt".to_owned(), text(&sortable(at))),
            ])
        });
        let query = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .index_name(BY_TIME)
            .key_condition_expression("alertMonth = :month AND alertAt >= :since")
            .expression_attribute_values(":month", text(&month(at)))
            .expression_attribute_values(":since", text(&sortable(since)))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let page =
            query.send().await.map_err(|error| describe(&error)).context("failed to list the alerts")?;
        let records: Vec<AlertRecord> =
            page.items.unwrap_or_default().into_iter().filter_map(AlertRecord::read).collect();
        let more = page.last_evaluated_key.as_ref().and(records.last()).map(AlertPosition::of);
        Ok((records, more))
    }
}

impl AlertPosition {
    fn of(record: &AlertRecord) -> Self {
        Self { at: record.at, id: record.alert_id.clone() }
    }
}

/// The end of the month before that of `at`, in UTC.
fn last_of_previous_month(at: Timestamp) -> Option<Timestamp> {
    let date: Date = at.strftime("%Y-%m-%d").to_string().parse().ok()?;
    let before = date.first_of_month().checked_sub(1.day()).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(before.at(23, 59, 59, 999_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_before_january_is_december() {
        let at = "2026-01-31T12:00:00Z".parse().unwrap();
        let before = last_of_previous_month(at).unwrap();
        assert_eq!(before.to_string(), "2025-12-31T23:59:59.999Z");
        assert_eq!(month(before), "2025-12");
    }
}
