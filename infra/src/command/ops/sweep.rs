//! Shows every conversation that has stopped, and sends what is missing: `infra::sweep`.

use std::process::ExitCode;

use anyhow::bail;
use events::pipeline::{LIMITS, Limits};
use infra::sweep::{Sweep, SweepReport, SweepScope};

use super::{Shown, table::table, target::Target};

/// Exit code when something is missing and was not sent, because `--apply` was not given.
const EXIT_MISSING: u8 = 3;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  nothing is missing, or everything that was missing is sent
  1  it failed, an item of the journal is unreadable, or the limit was reached before the end of the journal
  3  something is missing; --apply sends it")]
pub(super) struct SweepOptions {
    /// Send what is missing. Without it the command lists what it would send.
    #[arg(long)]
    apply: bool,
    /// The most conversations that are looked at.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Seconds after its end within which a conversation must have passed the whole pipeline.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMITS.complete_seconds)]
    complete_seconds: u32,
    /// Minimum seconds for each stage, from when it becomes possible.
    #[arg(long, value_name = "SECONDS", default_value_t = LIMITS.stage_seconds)]
    stage_seconds: u32,
}

pub(super) async fn run(
    options: &SweepOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let limits = Limits { complete_seconds: options.complete_seconds, stage_seconds: options.stage_seconds };
    let most = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let sweep = Sweep::new(&target.sdk, target.s3.clone(), &target.outputs)?;
    let note = |looked_at, stopped| {
        shown.console.note(&format!("looked at {looked_at} conversations, {stopped} have stopped"));
    };
    let mut report = sweep.look(SweepScope::Overdue(limits), most, note).await?;
    if options.apply {
        sweep.send(&mut report).await?;
        shown.console.note(&format!("sent for {} conversations", report.gaps.len()));
    }
    shown.result(&report, lines)?;
    if report.truncated {
        bail!("the limit of {} conversations was reached; --limit sets another one", options.limit);
    }
    if report.unreadable > 0 {
        bail!("{} items of the journal are no headers of this version", report.unreadable);
    }
    let is_missing = !report.gaps.is_empty() && !options.apply;
    Ok(if is_missing { ExitCode::from(EXIT_MISSING) } else { ExitCode::SUCCESS })
}

fn lines(report: &SweepReport) -> Vec<String> {
    if report.gaps.is_empty() {
        return vec![format!("{} conversations, nothing is missing.", report.conversations)];
    }
    let rows: Vec<[String; 4]> = report
        .gaps
        .iter()
        .map(|gap| {
            [
                gap.conversation_id.to_string(),
                gap.missing.join(", "),
                gap.since.to_string(),
                gap.send.text().to_owned(),
            ]
        })
        .collect();
    let send = if report.applied { "sent" } else { "would send" };
    let mut lines = table(["conversation", "missing", "since", send], &rows);
    let verb = if report.applied { "is sent" } else { "would be sent; --apply does it" };
    lines.push(format!(
        "\n{} of {} conversations have stopped; what is missing {verb}.",
        report.gaps.len(),
        report.conversations
    ));
    lines
}
