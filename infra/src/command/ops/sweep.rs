//! Finds every conversation that has stopped, in the whole journal, and sends what is missing.
//!
//! Whether a conversation has stopped, and since when, is the rule of the watchdog's audit. What has no published end gets
//! the watchdog's message, a missing stage gets the conversation's event again. Both may be repeated: the receivers
//! recognise what they did.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use events::{
    contract::{ConversationId, Stage},
    journal::{Header, Journal, JournalConfig, WATCH_DELAY_SECONDS, Watch},
    pipeline::{Found, LIMITS, Limits, Stall},
    workers::Worker,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::{Shown, table::table, target::Target};

/// Exit code when something is missing and was not sent, because `--apply` was not given.
const EXIT_MISSING: u8 = 3;

/// Conversations whose stages are read at once.
const AT_ONCE: usize = 8;

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

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    applied: bool,
    /// Conversations that were looked at.
    conversations: usize,
    /// Items of the journal that are no header of this version.
    unreadable: usize,
    /// Whether the limit was reached before the end of the journal.
    truncated: bool,
    gaps: Vec<Gap>,
}

/// A conversation that has stopped.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gap {
    conversation_id: ConversationId,
    missing: Vec<&'static str>,
    since: Timestamp,
    /// What is sent: `watch` or `replay`.
    send: Mending,
    #[serde(skip)]
    header: Header,
}

/// What brings a conversation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mending {
    /// The watchdog's message: it ends and publishes the conversation.
    Watch,
    /// The conversation's event.
    Replay,
}

impl Mending {
    fn text(self) -> &'static str {
        match self {
            Self::Watch => "the watchdog's message",
            Self::Replay => "conversation.completed",
        }
    }
}

pub(super) async fn run(
    options: &SweepOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let report = look(options, target, shown).await?;
    if options.apply {
        for (sent, gap) in report.gaps.iter().enumerate() {
            send(gap, target)
                .await
                .with_context(|| format!("stopped after {sent} of {} conversations", report.gaps.len()))?;
        }
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

/// Reads the journal page by page.
async fn look(options: &SweepOptions, target: &Target, shown: Shown<'_>) -> anyhow::Result<Report> {
    let limits = Limits { complete_seconds: options.complete_seconds, stage_seconds: options.stage_seconds };
    let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let mut report = Report { applied: options.apply, ..Report::default() };
    let mut after = None;
    loop {
        let mut page = target.journal.scan(after).await.context("cannot read the journal")?;
        let left = limit - report.conversations;
        report.truncated = page.headers.len() > left || (page.headers.len() == left && page.next.is_some());
        page.headers.truncate(left);
        report.conversations += page.headers.len();
        report.unreadable += page.unreadable;
        let looked = stream::iter(page.headers.into_iter().map(|header| async move {
            // The list is from an index that may be behind.
            let found = target.pipeline.find(header.start.conversation_id).await;
            anyhow::Ok(found?.and_then(|found| gap(found, Timestamp::now(), limits)))
        }));
        let gaps: Vec<Option<Gap>> = looked
            .buffered(AT_ONCE)
            .try_collect()
            .await
            .context("cannot read the stages of a conversation")?;
        report.gaps.extend(gaps.into_iter().flatten());
        shown.console.note(&format!(
            "looked at {} conversations, {} have stopped",
            report.conversations,
            report.gaps.len()
        ));
        after = page.next;
        if after.is_none() || report.truncated {
            return Ok(report);
        }
    }
}

/// Where the conversation has stopped, and what brings it on; `None` if it is complete or on its way in time.
fn gap(found: Found, now: Timestamp, limits: Limits) -> Option<Gap> {
    let trail = found.trail();
    let stalls = trail.stalled_at(now, limits);
    let since = stalls.iter().map(|stall| stall.since).min()?;
    let is_unpublished = |stall: &Stall| matches!(stall.stage, Stage::Ended | Stage::Published);
    let send = if stalls.iter().any(is_unpublished) { Mending::Watch } else { Mending::Replay };
    Some(Gap {
        conversation_id: trail.conversation_id,
        missing: stalls.iter().map(|stall| stall.stage.name()).collect(),
        since,
        send,
        header: found.header,
    })
}

async fn send(gap: &Gap, target: &Target) -> anyhow::Result<()> {
    match gap.send {
        Mending::Watch => {
            let config = JournalConfig {
                table: target.outputs.conversations_table.clone(),
                effects_table: target.outputs.effects_table.clone(),
                watchdog_queue_url: target.outputs.queue(Worker::Watchdog)?.url.clone(),
                watch_delay_seconds: WATCH_DELAY_SECONDS,
            };
            let journal = Journal::new(target.dynamodb.clone(), target.sqs.clone(), config);
            let watch = Watch::new(gap.conversation_id);
            journal.watch(&watch, 0).await.context("cannot send the watchdog's message")
        }
        Mending::Replay => {
            let completed = gap.header.completed().context("a published conversation has ended")?;
            target.bus.publish(&[completed]).await.context("cannot publish the event")
        }
    }
}

fn lines(report: &Report) -> Vec<String> {
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
