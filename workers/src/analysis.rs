//! Has every conversation assessed by Claude.
//!
//! - Consumes `conversation.completed`.
//! - Effect: `analyses/{userId}/{conversationId}.json.gz` (a `StoredAnalysis`) in the logs bucket, then
//!   `conversation.analyzed`; or `analysis.failed`, if the learner said nothing, the model refused, or two responses
//!   failed the checks.
//! - Idempotent because a stored analysis is never replaced: a repetition publishes from it. During the analysis, the lease
//!   `analysis#<conversationId>` in the Effects table excludes other attempts, so tokens are not paid for twice. A failure
//!   is recorded in the finished lease and published again from there. An attempt that lost its lease publishes nothing,
//!   and stores its analysis only if there is none.
//!
//! The model also receives the numbers and objectives of at most three earlier assessments (see `earlier`). A comparison that it
//! makes is kept only if both values are stored ones; the log line of the assessment counts those that were dropped.
//!
//! For a conversation that its learner has deleted, and for a learner whose data is erased, the worker makes no request to
//! the model, keeps no document and publishes nothing. It checks for both after the write, too (see `tombstone`).
//!
//! When the limit of a run is reached, assessments wait in the queue until operators raise it. The limit of a day ends conversations
//! only: each of them is assessed, because the assessment costs less than the conversation.
//!
//! If a worker dies between the model's response and the write, the tokens are paid for again: Bedrock has no idempotent
//! request. There is still one accepted analysis.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use events::{
    bus::{Bus, BusError},
    contract::{
        AnalysisFailure, ConversationCompleted, Envelope, Event, Measures, ObjectRef, StoredAnalysis, Turn,
    },
    journal::{Conversation, Journal, JournalError, JournalReader},
    json,
    pipeline::names::{analysis_effect, analysis_key},
    price::Prices,
    runtime::{
        aws::s3_client,
        consumer::{Delivery, EventHandler},
        env,
        failure::Failure,
        metrics,
        model_lifecycle::{self, ANALYSIS_MODEL_DEFAULT},
    },
    spending::Spending,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    confirmed,
    effects::{Claim, Effects, Lease},
    startup_check,
    tombstone::Tombstones,
    write_once::{Document, WriteOnce, Written},
};
use assess::{Outcome, Question, assess};
use check::{Accepted, Facts};
use cost_metrics::CostMetrics;
use earlier::Earlier;
use model::Model;
use publication::{Publication, analyzed, failed};

mod assess;
mod check;
mod config;
mod cost_metrics;
mod earlier;
mod json_document;
mod language;
mod markup;
mod measures;
mod model;
mod picture;
mod prompt;
mod publication;
mod response_body;
mod wrapping;

pub use config::Config;

/// The time until an assessment that waits for a higher spending limit looks at it again.
const SPENDING_WAIT: Duration = Duration::from_secs(10);

/// Version of the stored document's shape.
const VERSION: &str = "1.3";

/// The handler.
#[derive(Debug)]
pub struct Analyses {
    journal: JournalReader,
    dynamodb: aws_sdk_dynamodb::Client,
    images_table: String,
    effects: Effects,
    tombstones: Tombstones,
    documents: WriteOnce,
    model: Model,
    prices: Prices,
    cost_metrics: Arc<CostMetrics>,
    spending: Spending,
    bus: Bus,
}

/// The outcome that a finished lease records.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
enum Finished {
    /// The analysis is stored in S3.
    Stored,
    /// There will be no analysis.
    Failed { failure: AnalysisFailure, at: Timestamp, model_id: Option<String> },
}

impl Analyses {
    /// The handler with the stores and the model that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape, or the model has reached its end of life.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let s3 = s3_client(aws);
        let Config { conversations_table, images_table, effects_table, logs_bucket, .. } = config;
        startup_check::table(&dynamodb, startup_check::CONVERSATIONS, conversations_table).await?;
        startup_check::table(&dynamodb, startup_check::IMAGES, images_table).await?;
        startup_check::table(&dynamodb, startup_check::EFFECTS, effects_table).await?;
        startup_check::bucket(&s3, "NOVA_LOGS_BUCKET", logs_bucket).await?;
        check_model(&config.analysis_model_id, env::now())?;
        let cost_metrics = Arc::new(CostMetrics::new());
        let model = Model::new(&config.bedrock.sdk_config(aws), config, Arc::clone(&cost_metrics))
            .context("failed to describe the assessment to the model")?;
        let effects = Effects::new(dynamodb.clone(), effects_table.clone());
        let journal = Journal::reader(dynamodb.clone(), conversations_table);
        Ok(Self {
            tombstones: Tombstones { journal: journal.clone(), effects: effects.clone() },
            journal,
            spending: Spending::new(dynamodb.clone(), effects_table.clone()),
            images_table: images_table.clone(),
            effects,
            dynamodb,
            documents: WriteOnce::new(s3, logs_bucket.clone()),
            model,
            prices: Prices {
                input_usd_micros: config.analysis_price_input_usd_micros,
                output_usd_micros: config.analysis_price_output_usd_micros,
            },
            cost_metrics,
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), &config.event_bus, "nova.analysis"),
        })
    }

    /// The cost of assessments since the last call, for `write_until`.
    pub fn metrics(&self) -> impl Fn() -> Vec<metrics::Document> + Send + 'static {
        let cost_metrics = Arc::clone(&self.cost_metrics);
        move || vec![cost_metrics.document()]
    }

    /// The event to publish for a conversation; `None` if its learner has deleted it.
    async fn analyze(
        &self,
        event: &Envelope,
        completed: &ConversationCompleted,
        receive_count: u32,
    ) -> Result<Option<Publication>, Failure> {
        let conversation = self.journal.load(completed.conversation_id).await;
        let conversation = conversation.map_err(JournalError::into_failure)?;
        if let Some(Conversation { header, .. }) = &conversation {
            if header.deleted_at.is_some() {
                return Ok(None);
            }
            confirmed::check(header, event)?;
        }
        if let Some((stored, document)) = self.stored(completed).await? {
            return Ok(Some(analyzed(completed, stored, document)));
        }
        let conversation =
            conversation.ok_or_else(|| Failure::reject("the journal does not hold the conversation"))?;
        let effect_id = analysis_effect(completed.conversation_id);
        match self.effects.claim(&effect_id, receive_count, env::now()).await? {
            Claim::Finished(outcome) => self.finished(completed, &outcome).await.map(Some),
            Claim::Mine(lease) => {
                let work = self.run(&lease, completed, &conversation.turns);
                let ran = Box::pin(lease.hold(work)).await;
                if ran.is_err() {
                    lease.release().await;
                }
                ran.map(Some)
            }
        }
    }

    /// Requests an assessment, stores it and finishes the lease.
    async fn run(
        &self,
        lease: &Lease,
        completed: &ConversationCompleted,
        turns: &[Turn],
    ) -> Result<Publication, Failure> {
        let measures = measures::measures(turns);
        if measures.words == 0 {
            let (failure, at) = (AnalysisFailure::NothingSaid, completed.ended_at);
            return finish_failed(lease, completed, failure, at, None).await;
        }
        self.check_spending(completed).await?;
        let picture = picture::load(&self.dynamodb, &self.images_table, &completed.image_id).await?;
        if picture.is_none() {
            tracing::warn!(image.id = completed.image_id, "the picture has no description");
        }
        let earlier = self.earlier(completed).await?;
        let data = prompt::data(picture.as_ref(), &measures, &earlier, turns);
        let facts = Facts {
            language: completed.feedback_language,
            turns,
            measures: &measures,
            objectives: picture.as_ref().map_or(&[], |picture| &picture.objectives),
            earlier: &earlier,
        };
        let outcome = Box::pin(assess(&self.model, Question { data: &data, facts })).await?;
        let now = env::now();
        let cost = self.prices.cost(outcome.input_tokens, outcome.output_tokens);
        self.cost_metrics.add(outcome.input_tokens, outcome.output_tokens, cost);
        if let Err(error) = self.spending.add(cost.usd_micros, now).await {
            // The assessment is worth more than the sum of the day.
            tracing::warn!(error = format!("{error:#}"), "the spending of an assessment was not added");
        }
        tracing::info!(
            conversation.id = %completed.conversation_id,
            model.id = self.model.id,
            input_tokens = outcome.input_tokens,
            output_tokens = outcome.output_tokens,
            cost_usd_micros = cost.usd_micros,
            simulated = outcome.simulated,
            accepted = outcome.verdict.is_ok(),
            earlier = earlier.len(),
            dropped_comparisons = outcome.verdict.as_ref().map_or(0, |accepted| accepted.dropped_comparisons),
            "the model assessed a conversation"
        );
        if let Err(failure) = outcome.verdict {
            let model_id = Some(self.model.id.clone());
            return finish_failed(lease, completed, failure, now, model_id).await;
        }
        let analysis = self.document(completed, measures, outcome, now)?;
        let (stored, document) = self.store(analysis).await?;
        lease.finish(&written(&Finished::Stored)?).await?;
        Ok(analyzed(completed, stored, document))
    }

    /// Whether the limit of the run leaves something for an assessment.
    async fn check_spending(&self, completed: &ConversationCompleted) -> Result<(), Failure> {
        if self.spending.is_run_spent(env::now()).await.map_err(Failure::unavailable)? {
            tracing::info!(conversation.id = %completed.conversation_id, "the assessment waits for a higher spending limit");
            let reason = anyhow!("the models have cost as much as this run may");
            return Err(Failure::busy(reason, SPENDING_WAIT));
        }
        Ok(())
    }

    /// The learner's latest assessments before this conversation. One that a newer build wrote differently is left out.
    async fn earlier(&self, completed: &ConversationCompleted) -> Result<Vec<Earlier>, Failure> {
        let listed = earlier::candidates(&self.journal, completed).await?;
        let mut found = Vec::new();
        for id in listed {
            let stored = self.documents.get(&analysis_key(&completed.user_id, id)).await?;
            found.extend(stored.and_then(|(content, _)| Earlier::read(&content)));
            if found.len() == earlier::EARLIER_MAX {
                break;
            }
        }
        Ok(found)
    }

    fn document(
        &self,
        completed: &ConversationCompleted,
        measures: Measures,
        outcome: Outcome,
        analyzed_at: Timestamp,
    ) -> Result<StoredAnalysis, Failure> {
        let accepted = outcome.verdict;
        let Accepted { assessment, .. } =
            accepted.map_err(|_| Failure::retry(anyhow!("there is no assessment to store")))?;
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
            cost: Some(self.prices.cost(outcome.input_tokens, outcome.output_tokens)),
            measures,
            assessment,
        })
    }

    /// Stores the analysis unless there is one already. Returns the stored one.
    async fn store(&self, analysis: StoredAnalysis) -> Result<(StoredAnalysis, ObjectRef), Failure> {
        let key = analysis_key(&analysis.user_id, analysis.conversation_id);
        let json = serde_json::to_vec(&analysis)
            .context("failed to write the analysis as JSON")
            .map_err(Failure::retry)?;
        let format = format!("stored-analysis/{VERSION}");
        let document =
            Document { key: &key, content: &json, content_type: "application/json", format: &format };
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
        self.read(&analysis_key(&completed.user_id, completed.conversation_id)).await
    }

    async fn read(&self, key: &str) -> Result<Option<(StoredAnalysis, ObjectRef)>, Failure> {
        let Some((content, reference)) = self.documents.get(key).await? else { return Ok(None) };
        let analysis = json::from_slice(&content)
            .map_err(|_| Failure::reject(format!("the object {key} is not an analysis")))?;
        Ok(Some((analysis, reference)))
    }

    /// The event for the outcome that a finished lease records.
    async fn finished(
        &self,
        completed: &ConversationCompleted,
        outcome: &str,
    ) -> Result<Publication, Failure> {
        let finished: Finished = serde_json::from_str(outcome)
            .map_err(|_| Failure::reject("the outcome in the finished lease is unreadable"))?;
        match finished {
            Finished::Failed { failure, at, model_id } => Ok(failed(completed, failure, at, model_id)),
            // It was stored after this attempt looked for it.
            Finished::Stored => match self.stored(completed).await? {
                Some((stored, document)) => Ok(analyzed(completed, stored, document)),
                None => Err(Failure::reject("the analysis was stored, but does not exist any more")),
            },
        }
    }

    async fn remove(&self, completed: &ConversationCompleted) -> Result<(), Failure> {
        self.documents.remove(&analysis_key(&completed.user_id, completed.conversation_id)).await
    }

    async fn publish(&self, cause: &Envelope, publication: Publication) -> Result<(), Failure> {
        let Publication { event, occurred_at } = publication;
        let envelope = Envelope::new(event, occurred_at, cause.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)
    }
}

impl EventHandler for Analyses {
    async fn handle(&self, event: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        let Event::ConversationCompleted(completed) = &event.event else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        if self.effects.is_erased(&completed.user_id).await? {
            tracing::info!(event.id = %event.id, "the learner's data is erased: no assessment is made");
            return self.remove(completed).await;
        }
        let publication = Box::pin(self.analyze(event, completed, delivery.receive_count)).await;
        // Also after a failure: a deletion in progress may be the cause.
        if self.tombstones.exist_for(completed).await? {
            tracing::info!(event.id = %event.id, "the learner deleted the conversation: no assessment is kept");
            return self.remove(completed).await;
        }
        let Some(publication) = publication? else { return Ok(()) };
        self.publish(event, publication).await
    }
}

fn check_model(model_id: &str, now: Timestamp) -> anyhow::Result<()> {
    model_lifecycle::check("NOVA_ANALYSIS_MODEL_ID", model_id, ANALYSIS_MODEL_DEFAULT, now)
}

fn written(finished: &Finished) -> Result<String, Failure> {
    serde_json::to_string(finished).context("failed to write the outcome as JSON").map_err(Failure::retry)
}

/// Finishes the lease with the reason why there will be no analysis.
async fn finish_failed(
    lease: &Lease,
    completed: &ConversationCompleted,
    failure: AnalysisFailure,
    at: Timestamp,
    model_id: Option<String>,
) -> Result<Publication, Failure> {
    lease.finish(&written(&Finished::Failed { failure, at, model_id: model_id.clone() })?).await?;
    Ok(failed(completed, failure, at, model_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_in_a_lease_survives() {
        let failure = AnalysisFailure::Refused;
        let at = "2026-11-23T15:34:05.123Z".parse().unwrap();
        for finished in
            [Finished::Stored, Finished::Failed { failure, at, model_id: Some("model".to_owned()) }]
        {
            let text = written(&finished).unwrap();
            assert_eq!(serde_json::from_str::<Finished>(&text).unwrap(), finished, "{text}");
        }
    }

    #[test]
    fn model_that_no_longer_answers_is_refused_at_the_start() {
        let now = "2026-11-24T00:00:00Z".parse().unwrap();
        let gone = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
        let refused = check_model(gone, now).unwrap_err().to_string();
        for part in ["NOVA_ANALYSIS_MODEL_ID", gone, "2026-07-30", ANALYSIS_MODEL_DEFAULT] {
            assert!(refused.contains(part), "{refused}");
        }
        check_model(ANALYSIS_MODEL_DEFAULT, now).unwrap();
        assert!(check_model("", now).is_err());
    }
}
