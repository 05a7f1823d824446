//! Has every conversation assessed by Claude.
//!
//! - Consumes `conversation.completed`.
//! - Effect: `analyses/{userId}/{conversationId}.json.gz` (a `StoredAnalysis`) in the logs bucket, then
//!   `conversation.analyzed`; or `analysis.failed`, when the learner said nothing, the model refused, or its answer
//!   did not pass the checks twice.
//! - Idempotent because a stored analysis is never made again: a repetition publishes from it. While it is being
//!   made, the lease `analysis#<conversationId>` in the Effects table keeps other attempts away, so tokens are not
//!   paid twice; a failure stands in the finished lease and is published again from there. An attempt that lost
//!   its lease publishes nothing, and its analysis is stored only where none stands.
//!
//! A worker that dies between the model's answer and the store leaves tokens that are paid again: Bedrock knows no
//! idempotent request. The analysis that is accepted is still one.

use anyhow::{Context, anyhow, ensure};
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{
        AnalysisFailed, AnalysisFailure, ConversationAnalyzed, ConversationCompleted, Envelope, Event,
        Measures, ObjectRef, Scores, StoredAnalysis, Turn,
    },
    journal::{Journal, JournalError, Reader},
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        failure::Failure,
        world,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    boot,
    effects::{Claim, Effects, Lease},
    write_once::{Document, WriteOnce, Written},
};
use assess::{Outcome, Question, assess};
use model::Model;

mod assess;
mod check;
mod json;
mod measures;
mod model;
mod picture;
mod prompt;

/// Version of the stored document's shape.
const VERSION: &str = "1.0";

/// The analysis worker's configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "analysis", about = "Has every conversation assessed by Claude")]
pub struct Config {
    /// The queue.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The Images table.
    #[arg(long, env = "NOVA_IMAGES_TABLE", value_name = "NOVA_IMAGES_TABLE")]
    pub images_table: String,
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The bucket of analyses.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
    /// The model: an id or an inference profile of Bedrock.
    #[arg(
        long,
        env = "NOVA_ANALYSIS_MODEL_ID",
        value_name = "NOVA_ANALYSIS_MODEL_ID",
        default_value = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    )]
    pub analysis_model_id: String,
    /// The longest answer, in tokens.
    #[arg(
        long,
        env = "NOVA_ANALYSIS_MAX_TOKENS", value_name = "NOVA_ANALYSIS_MAX_TOKENS",
        default_value_t = 4096,
        value_parser = clap::value_parser!(i32).range(256..=64_000)
    )]
    pub analysis_max_tokens: i32,
}

/// The handler.
#[derive(Debug)]
pub struct Analyses {
    journal: Reader,
    dynamodb: aws_sdk_dynamodb::Client,
    images_table: String,
    effects: Effects,
    documents: WriteOnce,
    model: Model,
    bus: Bus,
}

/// The outcome in a finished lease.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
enum Finished {
    /// The analysis is in S3.
    Stored,
    /// There will be none.
    Failed { failure: AnalysisFailure, at: Timestamp, model_id: String },
}

impl Analyses {
    /// The handler on the stores and the model that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let s3 = boot::s3(aws);
        let Config { conversations_table, images_table, effects_table, logs_bucket, .. } = config;
        boot::table(&dynamodb, "NOVA_CONVERSATIONS_TABLE", conversations_table, boot::CONVERSATIONS).await?;
        boot::table(&dynamodb, "NOVA_IMAGES_TABLE", images_table, boot::IMAGES).await?;
        boot::table(&dynamodb, "NOVA_EFFECTS_TABLE", effects_table, boot::EFFECTS).await?;
        boot::bucket(&s3, "NOVA_LOGS_BUCKET", logs_bucket).await?;
        ensure!(
            !config.analysis_model_id.is_empty(),
            "NOVA_ANALYSIS_MODEL_ID is empty: name a model of Bedrock"
        );
        let model = Model::new(aws, config.analysis_model_id.clone(), config.analysis_max_tokens)
            .context("failed to describe the assessment to the model")?;
        Ok(Self {
            journal: Journal::reader(dynamodb.clone(), conversations_table),
            images_table: images_table.clone(),
            effects: Effects::new(dynamodb.clone(), effects_table.clone()),
            dynamodb,
            documents: WriteOnce::new(s3, logs_bucket.clone()),
            model,
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), &config.event_bus, "nova.analysis"),
        })
    }

    async fn analyze(
        &self,
        cause: &Envelope,
        completed: &ConversationCompleted,
        receive_count: u32,
    ) -> Result<(), Failure> {
        if let Some((stored, document)) = self.stored(completed).await? {
            return self.publish(cause, analyzed(completed, stored, document)).await;
        }
        let conversation = self
            .journal
            .load(completed.conversation_id)
            .await
            .map_err(JournalError::into_failure)?
            .ok_or_else(|| Failure::reject("the journal does not hold the conversation"))?;
        let measures = measures::measures(&conversation.turns);
        if measures.words == 0 {
            let nothing = failed(completed, AnalysisFailure::NothingSaid, None);
            return self.publish(cause, (nothing, completed.ended_at)).await;
        }
        let effect_id = format!("analysis#{}", completed.conversation_id);
        match self.effects.claim(&effect_id, receive_count, world::now()).await? {
            Claim::Finished(outcome) => self.publish_finished(cause, completed, &outcome).await,
            Claim::Mine(lease) => {
                let work = self.run(&lease, completed, (&measures, &conversation.turns));
                match Box::pin(lease.hold(work)).await {
                    Ok(event) => self.publish(cause, event).await,
                    Err(failure) => {
                        lease.release().await;
                        Err(failure)
                    }
                }
            }
        }
    }

    /// Asks the model, stores what it says, finishes the lease. Returns the event to publish and its time.
    async fn run(
        &self,
        lease: &Lease,
        completed: &ConversationCompleted,
        (measures, turns): (&Measures, &[Turn]),
    ) -> Result<(Event, Timestamp), Failure> {
        let picture = picture::load(&self.dynamodb, &self.images_table, &completed.image_id).await?;
        if picture.is_none() {
            tracing::warn!(image.id = completed.image_id, "the picture has no description");
        }
        let data = prompt::data(picture.as_ref(), measures, turns);
        let question = Question { language: completed.feedback_language, data: &data, turns };
        let outcome = Box::pin(assess(&self.model, question)).await?;
        let now = world::now();
        tracing::info!(
            conversation.id = %completed.conversation_id,
            model.id = self.model.id,
            input_tokens = outcome.input_tokens,
            output_tokens = outcome.output_tokens,
            accepted = outcome.verdict.is_ok(),
            "the model assessed a conversation"
        );
        if let Err(failure) = outcome.verdict {
            let model_id = self.model.id.clone();
            lease
                .finish(&written(&Finished::Failed { failure, at: now, model_id: model_id.clone() })?)
                .await?;
            return Ok((failed(completed, failure, Some(model_id)), now));
        }
        let (stored, document) = self.store(self.document(completed, (measures, outcome), now)?).await?;
        lease.finish(&written(&Finished::Stored)?).await?;
        Ok(analyzed(completed, stored, document))
    }

    fn document(
        &self,
        completed: &ConversationCompleted,
        (measures, outcome): (&Measures, Outcome),
        analyzed_at: Timestamp,
    ) -> Result<StoredAnalysis, Failure> {
        let assessment =
            outcome.verdict.map_err(|_| Failure::retry(anyhow!("there is no assessment to store")))?;
        Ok(StoredAnalysis {
            version: VERSION.to_owned(),
            conversation_id: completed.conversation_id,
            user_id: completed.user_id.clone(),
            image_id: completed.image_id.clone(),
            feedback_language: completed.feedback_language,
            analyzed_at,
            model_id: self.model.id.clone(),
            simulated: outcome.simulated,
            input_tokens: outcome.input_tokens,
            output_tokens: outcome.output_tokens,
            measures: *measures,
            assessment,
        })
    }

    /// Stores the analysis, unless one stands there: then that one is the analysis.
    async fn store(&self, analysis: StoredAnalysis) -> Result<(StoredAnalysis, ObjectRef), Failure> {
        let key = key(&analysis.user_id, analysis.conversation_id);
        let json = serde_json::to_vec(&analysis)
            .context("failed to write the analysis as JSON")
            .map_err(Failure::retry)?;
        let document = Document { key: &key, content: &json, content_type: "application/json" };
        match self.documents.put(document).await? {
            Written::Ours(reference) => Ok((analysis, reference)),
            Written::Other => self
                .read(&key)
                .await?
                .ok_or_else(|| Failure::retry(anyhow!("the stored analysis disappeared"))),
        }
    }

    async fn stored(
        &self,
        completed: &ConversationCompleted,
    ) -> Result<Option<(StoredAnalysis, ObjectRef)>, Failure> {
        self.read(&key(&completed.user_id, completed.conversation_id)).await
    }

    async fn read(&self, key: &str) -> Result<Option<(StoredAnalysis, ObjectRef)>, Failure> {
        let Some((content, reference)) = self.documents.get(key).await? else { return Ok(None) };
        let analysis = serde_json::from_slice(&content)
            .map_err(|_| Failure::reject(format!("the object {key} is not an analysis")))?;
        Ok(Some((analysis, reference)))
    }

    async fn publish_finished(
        &self,
        cause: &Envelope,
        completed: &ConversationCompleted,
        outcome: &str,
    ) -> Result<(), Failure> {
        let finished: Finished = serde_json::from_str(outcome)
            .map_err(|_| Failure::reject("the outcome in the finished lease is unreadable"))?;
        match finished {
            Finished::Failed { failure, at, model_id } => {
                self.publish(cause, (failed(completed, failure, Some(model_id)), at)).await
            }
            // It was stored after this attempt looked for it.
            Finished::Stored => match self.stored(completed).await? {
                Some((stored, document)) => self.publish(cause, analyzed(completed, stored, document)).await,
                None => Err(Failure::reject("the analysis was stored once and is gone")),
            },
        }
    }

    async fn publish(&self, cause: &Envelope, (event, at): (Event, Timestamp)) -> Result<(), Failure> {
        let envelope = Envelope::new(event, at, cause.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)
    }
}

impl EventHandler for Analyses {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        let Event::ConversationCompleted(completed) = &event.event else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        Box::pin(self.analyze(event, completed, delivery.receive_count)).await
    }
}

fn key(user_id: &events::contract::UserId, id: events::contract::ConversationId) -> String {
    format!("analyses/{user_id}/{id}.json.gz")
}

fn written(finished: &Finished) -> Result<String, Failure> {
    serde_json::to_string(finished).context("failed to write the outcome as JSON").map_err(Failure::retry)
}

/// The event for a stored analysis: the same for each reading of it.
fn analyzed(
    completed: &ConversationCompleted,
    stored: StoredAnalysis,
    document: ObjectRef,
) -> (Event, Timestamp) {
    let StoredAnalysis { assessment, analyzed_at, .. } = stored;
    let skills = &assessment.skills;
    let event = Event::ConversationAnalyzed(ConversationAnalyzed {
        conversation_id: stored.conversation_id,
        user_id: stored.user_id,
        image_id: stored.image_id,
        time_zone: completed.time_zone.clone(),
        started_at: completed.started_at,
        document,
        scores: Scores {
            overall: assessment.overall,
            fluency: skills.fluency.score,
            vocabulary: skills.vocabulary.score,
            grammar: skills.grammar.score,
            relevance: skills.relevance.score,
        },
        cefr: assessment.cefr,
        flags: assessment.flags,
        model_id: stored.model_id,
        simulated: stored.simulated,
    });
    (event, analyzed_at)
}

fn failed(completed: &ConversationCompleted, failure: AnalysisFailure, model_id: Option<String>) -> Event {
    Event::AnalysisFailed(AnalysisFailed {
        conversation_id: completed.conversation_id,
        user_id: completed.user_id.clone(),
        failure,
        model_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn outcome_in_a_lease_survives() {
        let failure = AnalysisFailure::Refused;
        let at = "2026-11-23T15:34:05.123Z".parse().unwrap();
        for finished in [Finished::Stored, Finished::Failed { failure, at, model_id: "model".to_owned() }] {
            let text = written(&finished).unwrap();
            assert_eq!(serde_json::from_str::<Finished>(&text).unwrap(), finished, "{text}");
        }
    }

    #[test]
    fn event_repeats_the_stored_analysis_and_its_time() {
        let completed = samples::completed(2);
        let analyzed_at = "2026-11-23T15:40:00Z".parse().unwrap();
        let stored = StoredAnalysis {
            version: VERSION.to_owned(),
            conversation_id: completed.conversation_id,
            user_id: completed.user_id.clone(),
            image_id: completed.image_id.clone(),
            feedback_language: completed.feedback_language,
            analyzed_at,
            model_id: "model".to_owned(),
            simulated: true,
            input_tokens: 1,
            output_tokens: 2,
            measures: Measures::default(),
            assessment: samples::assessment(70, "a quote"),
        };
        let expected = samples::analyzed(70, events::contract::Level::B1);
        let document = expected.document.clone();
        assert_eq!(document.key, key(&completed.user_id, completed.conversation_id));
        assert_eq!(
            analyzed(&completed, stored, document),
            (Event::ConversationAnalyzed(expected), analyzed_at)
        );
    }
}
