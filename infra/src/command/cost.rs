//! `nova cost`: what a month of the service costs on AWS, by service, beside the estimate of the architecture document.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use infra::cost::{
    Bill, BillLine, Consumption, DOCUMENT_USD, Demand, Deployed, Period, PriceList, Saving, bill,
    plumbing_usd, savings,
};
use serde_json::json;

use crate::console::Console;

/// The most learners, and the most minutes of each.
const LEARNERS_MAX: i64 = 100_000_000;
const MINUTES_MAX: f64 = 44_640.0;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nova cost
  nova cost --learners 500 --minutes 5 --per day
  nova cost --learners 10000 --minutes 43 --standby --json

No account is asked. Prices are in infra/cost/prices.json and events/src/price.rs, what a conversation consumes is in
infra/cost/conversation.json, the size of the deployment is that of infra/templates. infra/COST.md explains the bill.")]
pub(super) struct CostOptions {
    /// Active learners of a month.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=LEARNERS_MAX))]
    learners: u32,
    /// Minutes that each learner talks in a day or a month.
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// Whether `--minutes` are those of a day or of a month.
    #[arg(long, value_enum, default_value_t = Per::Month)]
    per: Per,
    /// Include the standby region.
    #[arg(long)]
    standby: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Per {
    Day,
    Month,
}

pub(super) fn run(options: &CostOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let list = PriceList::checked_in().context("infra/cost/prices.json")?;
    let consumption = Consumption::checked_in().context("infra/cost/conversation.json")?;
    let deployed = Deployed::from_templates()?;
    let period = match options.per {
        Per::Day => Period::Day,
        Per::Month => Period::Month,
    };
    let demand = Demand::new(options.learners, options.minutes, period, options.standby);
    let bill = bill(&list, &consumption, &deployed, demand).map_err(|error| anyhow!(error))?;
    let savings = savings(&consumption, &list.prices);
    if options.json {
        let all = json!({ "asOf": list.as_of, "region": list.region, "bill": bill, "documentUsd": DOCUMENT_USD,
            "plumbing": { "nowUsd": plumbing_usd(&consumption, &list.prices), "savings": savings } });
        console.line(&serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    lines(&bill, &list, &savings).iter().for_each(|line| console.line(line));
    Ok(ExitCode::SUCCESS)
}

fn lines(bill: &Bill, list: &PriceList, savings: &[Saving]) -> Vec<String> {
    let Demand { learners, minutes, .. } = bill.demand;
    let mut lines = vec![
        format!(
            "A month with {learners:.0} learners and {minutes:.0} minutes in {:.0} conversations; {}, prices of {}, US dollars",
            bill.conversations, list.region, list.as_of
        ),
        String::new(),
        format!("  {:18} {:>10} {:>10}  why it differs", "service", "this bill", "document"),
    ];
    for BillLine { share, usd, document_usd, why } in &bill.lines {
        let document = document_usd.map_or_else(|| "-".to_owned(), |usd| format!("{usd:.0}"));
        lines.push(format!("  {:18} {usd:>10.2} {document:>10}  {why}", share.name()));
    }
    lines.push(format!("  {:18} {:>10.2} {DOCUMENT_USD:>10.0}", "sum", bill.sum_usd));
    lines.push(String::new());
    if let Some(most) = bill.lines.iter().max_by(|one, other| one.usd.total_cmp(&other.usd)) {
        let percent = 100.0 * most.usd / bill.sum_usd;
        lines.push(format!("{} dominates with {percent:.0} %.", most.share.name()));
    }
    lines.push(format!(
        "The document's 80 dollars buy {:.0} minutes of speech: {:.0} seconds a month for each of its 10,000 learners.",
        bill.document_minutes,
        bill.document_minutes * 60.0 / 10_000.0
    ));
    lines.push(format!(
        "One conversation: speech {:.4}, assessment {:.4}, plumbing {:.6}.",
        bill.speech_usd, bill.assessment_usd, bill.plumbing_usd
    ));
    lines.push(String::new());
    lines.push("Plumbing of a conversation, if it were made cheaper (none of this is done)".to_owned());
    for Saving { change, saved_usd, remaining_usd, price } in savings {
        lines.push(format!("  -{saved_usd:.6} -> {remaining_usd:.6}  {change}; {price}"));
    }
    lines
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse::<f64>().ok().filter(|minutes| (0.0..=MINUTES_MAX).contains(minutes));
    minutes.ok_or_else(|| format!("minutes from 0 to {MINUTES_MAX:.0} are expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_outside_of_a_month_are_refused_with_what_is_allowed() {
        assert_eq!(minutes("0.5"), Ok(0.5));
        for wrong in ["-1", "NaN", "44641", "ten"] {
            assert_eq!(minutes(wrong), Err("minutes from 0 to 44640 are expected".to_owned()));
        }
    }
}
