//! The results of one conversation as the workers stored them, for the streams of results: documents in S3, markers and
//! leases in the Effects table. It reads only the results that the caller does not know yet.

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use events::{
    contract::{AnalysisFailure, ConversationId, EventId, Milestone, Standing},
    dynamo::{Item, text},
    journal::{Header, JournalReader},
    pipeline::names::{analysis_effect, progress_effect},
    runtime::failure::describe,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::documents::Documents;
use crate::results::snapshot::{
    AssessmentFailed, AssessmentReady, Counted, ProgressCounted, Snapshot, TranscriptReady,
};

#[derive(Clone, Debug)]
pub struct ResultReader {
    journal: JournalReader,
    documents: Documents,
    dynamodb: Client,
    effects_table: String,
}

/// The state of a conversation with its new results.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The conversation does not exist or was deleted: there will be no results.
    Gone,
    /// The conversation has not ended.
    Live,
    /// The results that were not known before.
    New(Box<Snapshot>),
}

impl ResultReader {
    /// Reads from these stores.
    #[must_use]
    pub fn new(
        journal: JournalReader,
        documents: Documents,
        dynamodb: Client,
        effects_table: String,
    ) -> Self {
        Self { journal, documents, dynamodb, effects_table }
    }

    /// The results of a conversation that are not in `known`.
    ///
    /// # Errors
    /// A store cannot be read.
    pub async fn look(&self, id: ConversationId, known: &Snapshot) -> anyhow::Result<Found> {
        let Some(header) = self.journal.header(id).await? else { return Ok(Found::Gone) };
        if header.deleted_at.is_some() {
            return Ok(Found::Gone);
        }
        if header.ended.is_none() {
            return Ok(Found::Live);
        }
        let assessed = known.assessment.is_some() || known.failed.is_some();
        let read = async {
            tokio::try_join!(
                unless(known.transcript.is_some(), self.transcript(&header)),
                unless(assessed, self.assessment(&header)),
                unless(assessed, self.failure(id)),
                unless(known.activity.is_some(), self.counted(id, Counted::Activity)),
                unless(known.scores.is_some() || known.failed.is_some(), self.counted(id, Counted::Scores)),
            )
        };
        // Five concurrent calls are a large future.
        let (transcript, assessment, failed, activity, scores) = Box::pin(read).await?;
        Ok(Found::New(Box::new(Snapshot { transcript, assessment, failed, activity, scores })))
    }

    async fn transcript(&self, header: &Header) -> anyhow::Result<Option<TranscriptReady>> {
        let id = header.start.conversation_id;
        let Some(ended) = header.ended else { return Ok(None) };
        let stored = self.documents.has_transcript(&header.start.user_id, id).await?;
        Ok(stored.then(|| TranscriptReady {
            conversation_id: id,
            turns: ended.end.turns,
            reason: ended.end.reason,
            href: format!("/api/conversations/{id}/transcript"),
        }))
    }

    async fn assessment(&self, header: &Header) -> anyhow::Result<Option<AssessmentReady>> {
        let id = header.start.conversation_id;
        let stored = self.documents.assessment(&header.start.user_id, id).await?;
        Ok(stored.map(|stored| AssessmentReady::new(&stored, format!("/api/conversations/{id}/assessment"))))
    }

    /// The failure in the finished lease of the analysis; `None` unless the analysis failed.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn failure(&self, id: ConversationId) -> anyhow::Result<Option<AssessmentFailed>> {
        let lease = self.effect(&analysis_effect(id)).await?;
        let failure = lease.as_ref().and_then(failure);
        Ok(failure.map(|failure| AssessmentFailed { conversation_id: id, failure }))
    }

    async fn counted(&self, id: ConversationId, what: Counted) -> anyhow::Result<Option<ProgressCounted>> {
        let cause = match what {
            Counted::Activity => "conversation.completed",
            Counted::Scores => "conversation.analyzed",
        };
        let marker = self.effect(&progress_effect(EventId::derive(id, cause))).await?;
        Ok(marker.map(|marker| {
            let milestones: Vec<serde_json::Value> = json(&marker, "milestones").unwrap_or_default();
            // A newer build of the worker may write milestones that this build does not know.
            let known = |name| serde_json::from_value::<Milestone>(name).ok();
            let milestones = milestones.into_iter().filter_map(known).collect();
            let date = string(&marker, "date").unwrap_or_default().to_owned();
            let standing: Option<Standing> = json(&marker, "standing");
            ProgressCounted::new(id, what, date, milestones, standing.as_ref())
        }))
    }

    async fn effect(&self, effect_id: &str) -> anyhow::Result<Option<Item>> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.effects_table)
            .key("effectId", text(effect_id))
            .consistent_read(true)
            .send()
            .await;
        got.map(|got| got.item).map_err(|error| describe(&error)).context("failed to read an effect")
    }
}

async fn unless<T>(
    known: bool,
    read: impl Future<Output = anyhow::Result<Option<T>>>,
) -> anyhow::Result<Option<T>> {
    if known { Ok(None) } else { read.await }
}

fn failure(lease: &Item) -> Option<AnalysisFailure> {
    #[derive(Deserialize)]
    struct Outcome {
        outcome: String,
        failure: Option<AnalysisFailure>,
    }
    let Outcome { outcome, failure } = json(lease, "outcome")?;
    failure.filter(|_| outcome == "failed")
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn json<T: DeserializeOwned>(item: &Item, name: &str) -> Option<T> {
    serde_json::from_str(string(item, name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finished_failure_is_one() {
        let lease = |outcome: &str| Item::from([("outcome".to_owned(), text(outcome))]);
        let failed =
            r#"{"outcome":"failed","failure":"nothing_said","at":"2026-11-24T01:02:03Z","model_id":null}"#;
        assert_eq!(failure(&lease(failed)), Some(AnalysisFailure::NothingSaid));
        assert_eq!(failure(&lease(r#"{"outcome":"stored"}"#)), None);
        assert_eq!(failure(&lease("")), None);
        assert_eq!(failure(&Item::new()), None);
    }
}
