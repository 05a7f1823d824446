//! Reads the state of a conversation from the stores. It writes nothing.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::DateTime;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Analysis, Found, Passed,
    names::{
        OVERVIEW_COUNTED, alerts_effect, analysis_effect, analysis_key, progress_effect,
        readable_transcript_key, transcript_key,
    },
};
use crate::{
    contract::{ConversationId, EventId},
    dynamo::Item,
    journal::{self, Header, Journal, JournalError},
    runtime::failure::{ErrorClass, Failure, classify, describe},
};

/// Clients and names of the stores.
#[derive(Clone, Debug)]
pub struct PipelineStores {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub s3: aws_sdk_s3::Client,
    pub conversations_table: String,
    pub effects_table: String,
    /// Name of the bucket of transcripts and assessments.
    pub logs_bucket: String,
}

/// Reads the progress of conversations.
#[derive(Clone, Debug)]
pub struct PipelineReader {
    stores: PipelineStores,
    journal: journal::JournalReader,
}

/// Why the stores could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{source:#}")]
    Service { class: ErrorClass, source: anyhow::Error },
}

impl PipelineReader {
    #[must_use]
    pub fn new(stores: PipelineStores) -> Self {
        let journal = Journal::reader(stores.dynamodb.clone(), &stores.conversations_table);
        Self { stores, journal }
    }

    /// The state of a conversation; `None` if it is not in the journal.
    pub async fn find(&self, id: ConversationId) -> Result<Option<Found>, PipelineError> {
        match self.journal.header(id).await? {
            Some(header) => self.read(header).await.map(Some),
            None => Ok(None),
        }
    }

    /// The state of the conversation with this `header`.
    ///
    /// # Errors
    /// [`PipelineError::Service`].
    pub async fn read(&self, header: Header) -> Result<Found, PipelineError> {
        let (id, user_id) = (header.start.conversation_id, &header.start.user_id);
        let marker = |cause: &str| progress_effect(EventId::derive(id, cause));
        let (transcript, readable) = (transcript_key(user_id, id), readable_transcript_key(user_id, id));
        let (analysis, lease) = (analysis_key(user_id, id), analysis_effect(id));
        let (activity, scores) = (marker("conversation.completed"), marker("conversation.analyzed"));
        let alerts = alerts_effect(id);
        let read = async {
            tokio::try_join!(
                self.object(&transcript),
                self.object(&readable),
                self.object(&analysis),
                self.effect(&lease),
                self.effect(&activity),
                self.effect(&scores),
                self.effect(&alerts),
            )
        };
        // Boxed because the future of seven concurrent calls is large.
        let (transcript, readable, analysis, lease, activity, scores, alerts) = Box::pin(read).await?;
        let failed = lease.as_ref().and_then(failed_analysis);
        Ok(Found {
            header,
            transcript: transcript.zip(readable).map(|(json, text)| Passed { at: json.at.max(text.at) }),
            analysis: analysis.map(Analysis::Stored).or(failed),
            activity: activity.as_ref().map(counted),
            scores: scores.as_ref().map(counted),
            considered: alerts.as_ref().map(considered).unwrap_or_default(),
        })
    }

    /// Whether the event `cause` is counted in a learner's progress.
    ///
    /// # Errors
    /// [`PipelineError::Service`].
    pub async fn is_counted(&self, cause: EventId) -> Result<bool, PipelineError> {
        Ok(self.effect(&progress_effect(cause)).await?.is_some())
    }

    /// Whether all counted events of a conversation are counted in the items about all learners, too.
    ///
    /// # Errors
    /// [`PipelineError::Service`].
    pub async fn is_in_overview(&self, id: ConversationId) -> Result<bool, PipelineError> {
        for cause in ["conversation.completed", "conversation.analyzed"] {
            let marker = self.effect(&progress_effect(EventId::derive(id, cause))).await?;
            if marker.is_some_and(|marker| !marker.contains_key(OVERVIEW_COUNTED)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The object at `key`, if it exists.
    async fn object(&self, key: &str) -> Result<Option<Passed>, PipelineError> {
        match self.stores.s3.head_object().bucket(&self.stores.logs_bucket).key(key).send().await {
            Ok(head) => Ok(Some(Passed { at: head.last_modified().and_then(timestamp) })),
            // The response to HEAD has no body with an error code.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
                Ok(None)
            }
            Err(error) => Err(PipelineError::Service { class: classify(&error), source: describe(&error) }),
        }
    }

    async fn effect(&self, effect_id: &str) -> Result<Option<Item>, PipelineError> {
        self.stores
            .dynamodb
            .get_item()
            .table_name(&self.stores.effects_table)
            .key("effectId", AttributeValue::S(effect_id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map(|output| output.item)
            .map_err(|error| PipelineError::Service { class: classify(&error), source: describe(&error) })
    }
}

impl PipelineError {
    /// The failure of a message handler for this error.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Journal(error) => error.into_failure(),
            Self::Service { class, source } => Failure::of_class(class, source),
        }
    }
}

/// The failure recorded in the finished lease of an analysis, if it failed.
fn failed_analysis(lease: &Item) -> Option<Analysis> {
    let outcome = lease.get("outcome")?.as_s().ok()?;
    let outcome: serde_json::Value = serde_json::from_str(outcome).ok()?;
    let at = outcome["at"].as_str().and_then(|at| at.parse().ok());
    (outcome["outcome"] == "failed").then_some(Analysis::Failed(Passed { at }))
}

/// When a marker of progress was written.
fn counted(marker: &Item) -> Passed {
    Passed { at: marker.get("countedAt").and_then(millis) }
}

/// The events in the item of considered events: the names of its attributes are their ids.
fn considered(item: &Item) -> BTreeMap<EventId, Timestamp> {
    let event = |(name, at): (&String, &AttributeValue)| {
        Some((EventId::from(name.parse::<Uuid>().ok()?), millis(at)?))
    };
    item.iter().filter_map(event).collect()
}

fn millis(value: &AttributeValue) -> Option<Timestamp> {
    Timestamp::from_millisecond(value.as_n().ok()?.parse().ok()?).ok()
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.to_millis().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> Item {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    #[test]
    fn only_a_finished_failure_is_one() {
        let lease = |outcome: &str| item(&[("outcome", text(outcome)), ("epoch", text("1"))]);
        let failed = lease(r#"{"outcome":"failed","failure":"refused","at":"2026-11-24T01:02:03Z"}"#);
        let at = "2026-11-24T01:02:03Z".parse().ok();
        assert_eq!(failed_analysis(&failed), Some(Analysis::Failed(Passed { at })));
        assert_eq!(failed_analysis(&lease(r#"{"outcome":"stored"}"#)), None);
        assert_eq!(failed_analysis(&lease("")), None);
        assert_eq!(failed_analysis(&item(&[("state", text("running"))])), None);
    }

    #[test]
    fn events_that_were_looked_at_are_read_by_their_ids() {
        let event =
            EventId::derive(crate::contract::test_samples::conversation_id(), "conversation.completed");
        let at = AttributeValue::N("1795485600123".to_owned());
        let found = considered(&item(&[
            (&event.to_string(), at.clone()),
            ("effectId", text("alerts#1")),
            ("expiresAt", at),
        ]));
        let at = Timestamp::from_millisecond(1_795_485_600_123).unwrap();
        assert_eq!(found, BTreeMap::from([(event, at)]));
    }
}
