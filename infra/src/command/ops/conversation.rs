//! Where a conversation is in the pipeline.

use std::process::ExitCode;

use anyhow::Context as _;
use events::{
    contract::{ConversationId, Turn},
    pipeline::{ConversationPath, PathState},
    queues::QueueName,
};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::{Shown, dead_letters, table::table, target::Target};
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
    #[serde(flatten)]
    path: ConversationPath,
    dead_letters: Vec<DeadLetter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turns: Option<Vec<Turn>>,
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
    let what = if shown.with_words() { "ops conversation --show-words" } else { "ops conversation" };
    target.record_read(what, std::slice::from_ref(&found.header.start.user_id)).await?;
    let turns = if shown.with_words() {
        target.journal.load(id).await.context("cannot read the turns")?.map(|conversation| conversation.turns)
    } else {
        None
    };
    let report = Report {
        path: found.path(Timestamp::now()),
        dead_letters: dead_letters_about(target, id).await?,
        turns,
    };
    shown.result(&report, lines)
}

fn state(path: &ConversationPath) -> String {
    match path.state {
        PathState::Stalled => {
            let overdue = path.stages.iter().filter_map(|stage| {
                stage.overdue_since.map(|since| format!("{} since {since}", stage.stage.name()))
            });
            format!("has stopped at: {}", overdue.collect::<Vec<_>>().join(", "))
        }
        PathState::Complete => "complete".to_owned(),
        PathState::Live => {
            let owner = path.owner.as_deref().unwrap_or("no task");
            let until = path.lease_until.map(|until| format!(" until {until}"));
            format!("live: held by {owner}{}", until.unwrap_or_default())
        }
        PathState::InTime => "on its way, in time".to_owned(),
    }
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
    let path = &report.path;
    let rows: Vec<[String; 4]> = path
        .stages
        .iter()
        .map(|stage| {
            [
                stage.stage.name().to_owned(),
                stage.status.name().to_owned(),
                stage.at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                stage.took_ms.map_or_else(|| "-".to_owned(), |took| format!("{:.1} s", took as f64 / 1000.0)),
            ]
        })
        .collect();
    let mut lines = vec![
        format!("conversation {} of learner {}", path.conversation_id, path.user_id),
        format!("picture {}, started {}", path.image_id, path.started_at),
        format!("{}\n", state(path)),
    ];
    lines.extend(table(["stage", "status", "at", "took"], &rows));
    lines.extend(report.dead_letters.iter().map(|letter| {
        let reason = letter.reason.as_deref().unwrap_or("no attempt came to an end");
        format!("\ndead letter in {}: message {}: {reason}", letter.queue, letter.message_id)
    }));
    lines.extend(report.turns.iter().flatten().map(turn_line));
    lines
}
