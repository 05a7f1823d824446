//! What the models cost today over the whole service, the limit of a day, and that of a run with the real models behind a local stack.

use std::process::ExitCode;

use anyhow::bail;
use events::{
    price::{exact_usd, parse_limit},
    spending::Spending,
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
    /// The new limit of this run in US dollars, for a service that was started with `--bedrock aws`.
    #[arg(long, value_name = "USD", value_parser = parse_limit)]
    set_run: Option<u64>,
    /// Do it. Without it only what would be done is said.
    #[arg(long)]
    apply: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    applied: bool,
    /// What the models have cost since midnight UTC, in millionths of a US dollar.
    spent_usd_micros: u64,
    /// The limit of a day, after the change if it was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_usd_micros: Option<u64>,
    /// Whether operators have set the limit.
    is_set: bool,
    /// What the models have cost since the start of the run, and its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    spent_usd_micros: u64,
    limit_usd_micros: u64,
}

pub(super) async fn run(
    options: &LimitOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    if options.apply && options.set.is_none() && options.set_run.is_none() {
        bail!("--apply needs a limit: --set USD or --set-run USD");
    }
    let spending = Spending::new(target.dynamodb.clone(), &target.outputs.effects_table);
    let now = Timestamp::now();
    if options.set_run.is_some() && spending.limits().await?.run.is_none() {
        bail!("this run has no limit: only a service that was started with `--bedrock aws` has one");
    }
    if options.apply {
        if let Some(limit) = options.set {
            spending.set_limit(limit).await?;
        }
        if let Some(limit) = options.set_run {
            spending.set_run_limit(limit, now).await?;
        }
    }
    let (spent, limits) = (spending.of_day(now).await?, spending.limits().await?);
    let run = match limits.run {
        Some(run) => Some(Run {
            spent_usd_micros: spending.since(run.since, now).await?,
            limit_usd_micros: run.usd_micros,
        }),
        None => None,
    };
    let report = Report {
        applied: options.apply,
        spent_usd_micros: spent,
        limit_usd_micros: limits.applied_to_day(),
        is_set: limits.day.is_some(),
        run,
    };
    shown.result(&report, |report| lines(report, options))
}

fn lines(report: &Report, options: &LimitOptions) -> Vec<String> {
    let origin = if report.is_set { "set by operators" } else { "the default" };
    let spent = format!("Today (UTC) the models have cost {}", dollars(report.spent_usd_micros));
    let today = match report.limit_usd_micros {
        Some(limit) => format!("{spent} of {} ({origin}).", dollars(limit)),
        None => format!("{spent}; the day has no limit."),
    };
    let mut lines = vec![today];
    if let Some(Run { spent_usd_micros, limit_usd_micros }) = &report.run {
        // A limit of cents is usual.
        let [spent, limit] = [spent_usd_micros, limit_usd_micros].map(|amount| exact_usd(*amount));
        lines.push(format!("In this run they have cost {spent} of {limit}."));
    }
    for (what, limit) in [("of a day", options.set), ("of this run", options.set_run)] {
        if let Some(limit) = limit.filter(|_| !options.apply) {
            lines.push(format!("The limit {what} would be {}; --apply sets it.", dollars(limit)));
        }
    }
    lines
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
