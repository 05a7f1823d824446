//! Fills the items about all learners (rankings, sums, lists of scores) for conversations that a build without them counted.
//!
//! The progress worker writes those items, and only it: the command publishes `conversation.completed` of such a conversation
//! again, the analysis worker publishes its stored assessment again, and the worker adds what is missing, once. The marker of
//! an event says whether it is there.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use events::{contract::Envelope, journal::Header};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::{Shown, target::Target};

/// Exit code when something is missing and was not sent, because `--apply` was not given.
const EXIT_MISSING: u8 = 3;

/// Conversations whose markers are read at once.
const AT_ONCE: usize = 8;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes:
  0  nothing is missing, or the events of everything that was missing are sent
  1  it failed, or the limit was reached before the end of the journal
  3  something is missing; --apply sends it

It looks at the conversations of the journal (90 days). A learner without one is ranked again with the next conversation.")]
pub(super) struct RebuildOptions {
    /// Send the events. Without it the command counts what it would send.
    #[arg(long)]
    apply: bool,
    /// The most conversations that are looked at. A further run continues, because what is there is not sent again.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    applied: bool,
    /// Conversations that were looked at.
    conversations: usize,
    /// Conversations that a build without the items counted.
    missing: usize,
    /// Whether the limit was reached before the end of the journal.
    truncated: bool,
}

pub(super) async fn run(
    options: &RebuildOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let mut report = Report { applied: options.apply, ..Report::default() };
    let mut after = None;
    loop {
        let mut page = target.journal.scan(after).await.context("cannot read the journal")?;
        let left = limit - report.conversations;
        report.truncated = page.headers.len() > left || (page.headers.len() == left && page.next.is_some());
        page.headers.truncate(left);
        report.conversations += page.headers.len();
        let missing = missing(page.headers, target).await.context("cannot read the markers")?;
        if options.apply && !missing.is_empty() {
            target.bus.publish(&missing).await.with_context(|| {
                format!("stopped after the events of {} conversations; run it again", report.missing)
            })?;
        }
        report.missing += missing.len();
        shown.console.note(&format!(
            "looked at {} conversations, {} are missing",
            report.conversations, report.missing
        ));
        after = page.next;
        if after.is_none() || report.truncated {
            break;
        }
    }
    shown.result(&report, |report| vec![line(report)])?;
    if report.truncated {
        bail!("the limit of {} conversations was reached; --limit sets another one", options.limit);
    }
    let is_missing = report.missing > 0 && !options.apply;
    Ok(if is_missing { ExitCode::from(EXIT_MISSING) } else { ExitCode::SUCCESS })
}

/// The events of the conversations that are counted, and not in the items about all learners.
async fn missing(headers: Vec<Header>, target: &Target) -> anyhow::Result<Vec<Envelope>> {
    let ended = headers.into_iter().filter(|header| header.deleted_at.is_none());
    let events: Vec<Envelope> = ended.filter_map(|header| header.completed()).collect();
    let looked = stream::iter(events.into_iter().map(|event| async move {
        let id = event.event.conversation_id().context("the event is about a conversation")?;
        let is_missing = !target.pipeline.is_in_overview(id).await?;
        anyhow::Ok(is_missing.then_some(event))
    }));
    let missing: Vec<Option<Envelope>> = looked.buffered(AT_ONCE).try_collect().await?;
    Ok(missing.into_iter().flatten().collect())
}

fn line(report: &Report) -> String {
    let Report { applied, conversations, missing, .. } = report;
    let verb = if *applied { "are sent" } else { "would be sent; --apply does it" };
    match missing {
        0 => format!("{conversations} conversations, nothing is missing."),
        _ => format!("The events of {missing} of {conversations} conversations {verb}."),
    }
}
