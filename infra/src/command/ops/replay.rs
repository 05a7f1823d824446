//! Publishes a conversation's `conversation.completed` again: from the journal, or from the stored transcript when the
//! journal has forgotten the conversation.
//!
//! The event has the id that it always had, so the workers recognise what they did. That they do rests on their marks
//! in the Effects table, which are forgotten some time after the journal: without the mark of its activity a
//! conversation would be counted a second time, and is not replayed.

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use events::{
    contract::{
        ConversationCompleted, ConversationId, Envelope, Event, Speaker, TraceParent, Transcript, UserId,
    },
    document, json,
    pipeline::names::transcript_key,
};
use serde::Serialize;

use super::{Shown, target::Target};

#[derive(Debug, clap::Args)]
pub(super) struct ReplayOptions {
    /// The conversation.
    #[arg(value_name = "ID")]
    id: ConversationId,
    /// The learner: needed only where the journal has forgotten the conversation, to find its transcript.
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// Do it. Without it only what would be done is said.
    #[arg(long)]
    apply: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    applied: bool,
    conversation_id: ConversationId,
    event_id: String,
    /// `journal` or `transcript`.
    source: &'static str,
}

pub(super) async fn run(
    options: &ReplayOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let id = options.id;
    let header = target.journal.header(id).await.context("cannot read the journal")?;
    let (envelope, source) = match header {
        Some(header) => {
            let completed = header.completed();
            (completed.context("it has not ended: there is nothing to replay")?, "journal")
        }
        None => (from_transcript(options, target).await?, "transcript"),
    };
    if options.apply {
        target.bus.publish(std::slice::from_ref(&envelope)).await.context("cannot publish the event")?;
    }
    let event_id = envelope.id.to_string();
    let report = Report { applied: options.apply, conversation_id: id, event_id, source };
    shown.result(&report, |report| {
        let verb = if report.applied { "is published" } else { "would be published; --apply does it" };
        vec![format!("conversation.completed {} from the {} {verb}.", report.event_id, report.source)]
    })
}

/// The event from the stored transcript.
async fn from_transcript(options: &ReplayOptions, target: &Target) -> anyhow::Result<Envelope> {
    let id = options.id;
    let Some(user_id) = &options.user else {
        bail!(
            "the journal does not know the conversation {id}; --user names the learner whose transcript it is"
        );
    };
    let key = transcript_key(user_id, id);
    let stored = document::get(&target.s3, &target.outputs.logs_bucket, &key).await;
    let stored = stored
        .with_context(|| format!("cannot read the transcript {key}"))?
        .with_context(|| format!("neither the journal nor the transcript {key} is there"))?;
    let transcript: Transcript = json::from_slice(&stored.content)
        .map_err(|error| anyhow::anyhow!("at line {}", error.line()))
        .with_context(|| format!("the object {key} is not a transcript"))?;
    let envelope = completed(transcript)?;
    let is_counted = target.pipeline.is_counted(envelope.id).await.context("cannot read the marks")?;
    ensure!(
        is_counted,
        "the mark that the conversation {id} was counted is gone: it would be counted again, and is not replayed"
    );
    Ok(envelope)
}

fn completed(transcript: Transcript) -> anyhow::Result<Envelope> {
    let older = "the transcript is of an older version, which does not say";
    let speech = transcript.turns.iter().filter(|entry| entry.turn.speaker == Speaker::Learner);
    let learner_speech_ms =
        speech.clone().fold(0, |sum: u64, entry| sum.saturating_add(entry.turn.speech_ms));
    let learner_turns = u32::try_from(speech.clone().count()).context("more turns than can be counted")?;
    let ended_at = transcript.ended_at;
    let event = Event::ConversationCompleted(ConversationCompleted {
        conversation_id: transcript.conversation_id,
        user_id: transcript.user_id,
        image_id: transcript.image_id,
        level: transcript.level,
        feedback_language: transcript
            .feedback_language
            .with_context(|| format!("{older} the language of the feedback"))?,
        time_zone: transcript.time_zone.with_context(|| format!("{older} the learner's time zone"))?,
        started_at: transcript.started_at,
        ended_at,
        reason: transcript.reason,
        turns: u32::try_from(transcript.turns.len()).context("more turns than can be counted")?,
        learner_turns: Some(learner_turns),
        learner_speech_ms,
        usage: transcript.usage,
        metrics: transcript.metrics,
    });
    // The transcript does not hold the trace; what has none is put into this one by its consumers too.
    let trace = TraceParent::of(&event.subject());
    Ok(Envelope::new(event, ended_at, Some(trace.to_string())))
}
