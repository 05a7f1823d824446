//! What the models cost today over the whole service, and the limit of a day.

use std::process::ExitCode;

use events::{
    price::parse_limit,
    spending::{Spending, USD_MICROS_PER_DAY_DEFAULT},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{Shown, target::Target};

#[derive(Debug, clap::Args)]
pub(super) struct LimitOptions {
    /// The new limit of a day in US dollars, for example 250 or 12.50. New conversations are refused and live ones end when it
    /// is reached; 0 stops all conversations.
    #[arg(long, value_name = "USD", value_parser = parse_limit)]
    set: Option<u64>,
    /// Do it. Without it only what would be done is said.
    #[arg(long, requires = "set")]
    apply: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    applied: bool,
    /// What the models have cost since midnight UTC, in millionths of a US dollar.
    spent_usd_micros: u64,
    /// The limit of a day, after the change if it was applied.
    limit_usd_micros: u64,
    /// Whether operators have set the limit.
    is_set: bool,
}

pub(super) async fn run(
    options: &LimitOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let spending = Spending::new(target.dynamodb.clone(), &target.outputs.effects_table);
    if let Some(limit) = options.set.filter(|_| options.apply) {
        spending.set_limit(limit).await?;
    }
    let (spent, limit) = (spending.of_day(Timestamp::now()).await?, spending.limit().await?);
    let report = Report {
        applied: options.apply,
        spent_usd_micros: spent,
        limit_usd_micros: limit.unwrap_or(USD_MICROS_PER_DAY_DEFAULT),
        is_set: limit.is_some(),
    };
    shown.result(&report, |report| {
        let origin = if report.is_set { "set by operators" } else { "the default" };
        let mut lines = vec![format!(
            "Today (UTC) the models have cost {} of {} ({origin}).",
            dollars(report.spent_usd_micros),
            dollars(report.limit_usd_micros)
        )];
        if let Some(limit) = options.set.filter(|_| !options.apply) {
            lines.push(format!("The limit would be {}; --apply sets it.", dollars(limit)));
        }
        lines
    })
}

/// An amount for people, to the cent.
fn dollars(usd_micros: u64) -> String {
    let cents = usd_micros / 10_000;
    format!("${}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amount_is_shown_to_the_cent() {
        let shown = [0, 9_999, 12_500_000, 100_000_000].map(dollars);
        assert_eq!(shown, ["$0.00", "$0.00", "$12.50", "$100.00"]);
    }
}
