//! Where a conversation is in the pipeline.

use std::process::ExitCode;

use anyhow::Context as _;
use events::{
    contract::{ConversationId, Turn},
    journal::{Header, State},
    pipeline::{LIMITS, Stall, Status, Trail},
};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Shown, dead_letters,
    table::table,
    target::{QueueName, Target},
};
use crate::command::results::turn_line;

/// How many dead letters of each queue are searched for those of the conversation.
const LETTERS_MAX: u16 = 100;

#[derive(Debug, clap::Args)]
pub(super) struct ConversationOptions {
    /// The conversation.
    #[arg(value_name = "ID")]
    id: ConversationId,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    conversation_id: ConversationId,
    user_id: String,
    image_id: String,
    state: String,
    started_at: Timestamp,
    stages: Vec<StageState>,
    dead_letters: Vec<DeadLetter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turns: Option<Vec<Turn>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StageState {
    stage: &'static str,
    /// `passed`, `missing`, `waiting` (for a stage before it), `not needed`.
    status: &'static str,
    at: Option<Timestamp>,
    /// Milliseconds since everything that it needs had happened, where both times are known.
    took_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetter {
    queue: &'static str,
    message_id: String,
    reason: Option<String>,
}

pub(super) async fn run(
    options: &ConversationOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let id = options.id;
    let found = target.pipeline.find(id).await.context("cannot see where the conversation is")?;
    let found = found.with_context(|| {
        format!(
            "the journal does not know the conversation {id}; it forgets after 90 days, and then only \
             `nova ops replay {id} --user ID` finds its transcript"
        )
    })?;
    let trail = found.trail();
    let now = Timestamp::now();
    let what = if shown.with_words() { "ops conversation --show-words" } else { "ops conversation" };
    target.record_read(what, std::slice::from_ref(&trail.user_id)).await?;
    let turns = if shown.with_words() {
        target.journal.load(id).await.context("cannot read the turns")?.map(|conversation| conversation.turns)
    } else {
        None
    };
    let report = Report {
        conversation_id: id,
        user_id: trail.user_id.to_string(),
        image_id: found.header.start.image_id.clone(),
        state: state(&found.header, &trail, now),
        started_at: id.started_at(),
        stages: stages(&trail),
        dead_letters: dead_letters_about(target, id).await?,
        turns,
    };
    shown.result(&report, lines)
}

fn state(header: &Header, trail: &Trail, now: Timestamp) -> String {
    let stalls = trail.stalled_at(now, LIMITS);
    if !stalls.is_empty() {
        let stages: Vec<String> = stalls
            .iter()
            .map(|Stall { stage, since, .. }| format!("{} since {since}", stage.name()))
            .collect();
        format!("has stopped at: {}", stages.join(", "))
    } else if trail.is_complete() {
        "complete".to_owned()
    } else if header.state() == State::Active {
        format!("live: held by {} until {}", header.start.owner, header.lease_until)
    } else {
        "on its way, in time".to_owned()
    }
}

fn stages(trail: &Trail) -> Vec<StageState> {
    let stage = |step: &events::pipeline::Step| {
        let (status, at) = match step.status {
            Status::Passed(passed) => ("passed", passed.at),
            Status::NotNeeded => ("not needed", None),
            Status::Missing if step.ready_at.is_some() => ("missing", None),
            Status::Missing => ("waiting", None),
        };
        StageState { stage: step.stage.name(), status, at, took_ms: step.took_ms() }
    };
    trail.steps.iter().map(stage).collect()
}

/// The dead letters that are about it, in all queues.
async fn dead_letters_about(target: &Target, id: ConversationId) -> anyhow::Result<Vec<DeadLetter>> {
    let of_queue = async |queue: QueueName| {
        let letters = dead_letters::letters(target, queue, LETTERS_MAX).await?;
        let about = letters.into_iter().filter(|letter| letter.conversation_id(queue) == Some(id));
        anyhow::Ok(
            about
                .map(|letter| DeadLetter {
                    queue: queue.name(),
                    reason: letter.reason(),
                    message_id: letter.message_id,
                })
                .collect::<Vec<_>>(),
        )
    };
    Ok(try_join_all(QueueName::all().map(of_queue)).await?.into_iter().flatten().collect())
}

fn lines(report: &Report) -> Vec<String> {
    let rows: Vec<[String; 4]> = report
        .stages
        .iter()
        .map(|stage| {
            [
                stage.stage.to_owned(),
                stage.status.to_owned(),
                stage.at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                stage.took_ms.map_or_else(|| "-".to_owned(), |took| format!("{:.1} s", took as f64 / 1000.0)),
            ]
        })
        .collect();
    let mut lines = vec![
        format!("conversation {} of learner {}", report.conversation_id, report.user_id),
        format!("picture {}, started {}", report.image_id, report.started_at),
        format!("{}\n", report.state),
    ];
    lines.extend(table(["stage", "status", "at", "took"], &rows));
    lines.extend(report.dead_letters.iter().map(|letter| {
        let reason = letter.reason.as_deref().unwrap_or("no attempt came to an end");
        format!("\ndead letter in {}: message {}: {reason}", letter.queue, letter.message_id)
    }));
    lines.extend(report.turns.iter().flatten().map(turn_line));
    lines
}
