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
//! Of a conversation that its learner has deleted, or of a learner whose data is erased, nothing is asked, nothing stays
//! and nothing is published: both are looked for after the write as well (see `withdrawal`).
//!
//! A worker that dies between the model's answer and the store leaves tokens that are paid again: Bedrock knows no
//! idempotent request. The analysis that is accepted is still one.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{
        AnalysisFailed, AnalysisFailure, ConversationAnalyzed, ConversationCompleted, Envelope, Event,
        Measures, ObjectRef, Scores, StoredAnalysis, Turn,
    },
    journal::{Journal, JournalError, JournalReader},
    pipeline::names::{analysis_effect, analysis_key},
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        env,
        failure::Failure,
        metrics,
    },
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    boot,
    effects::{Claim, Effects, Lease},
    withdrawal::Withdrawals,
    write_once::{Document, WriteOnce, Written},
};
use assess::{Outcome, Question, assess};
use lifecycle::{Life, life};
use model::Model;
use price::Prices;
use spent::Spent;

mod assess;
mod check;
mod hidden;
mod json;
mod language;
mod lifecycle;
mod measures;
mod model;
mod picture;
mod price;
mod prompt;
mod spent;

/// Version of the stored document's shape.
const VERSION: &str = "1.1";

/// The model, unless it is configured.
const MODEL_ID_DEFAULT: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

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
        default_value = MODEL_ID_DEFAULT
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
    /// The price of a million input tokens of the model, in US dollars. [kept in millionths of a dollar]
    #[arg(
        long = "analysis-price-input-usd-per-mtok",
        env = "NOVA_ANALYSIS_PRICE_INPUT_USD_PER_MTOK",
        value_name = "NOVA_ANALYSIS_PRICE_INPUT_USD_PER_MTOK",
        default_value = price::INPUT_USD_PER_MTOK_DEFAULT,
        value_parser = price::parse_usd
    )]
    pub analysis_price_input_usd_micros: u64,
    /// The price of a million output tokens of the model, in US dollars. [kept in millionths of a dollar]
    #[arg(
        long = "analysis-price-output-usd-per-mtok",
        env = "NOVA_ANALYSIS_PRICE_OUTPUT_USD_PER_MTOK",
        value_name = "NOVA_ANALYSIS_PRICE_OUTPUT_USD_PER_MTOK",
        default_value = price::OUTPUT_USD_PER_MTOK_DEFAULT,
        value_parser = price::parse_usd
    )]
    pub analysis_price_output_usd_micros: u64,
}

/// The handler.
#[derive(Debug)]
pub struct Analyses {
    journal: JournalReader,
    dynamodb: aws_sdk_dynamodb::Client,
    images_table: String,
    effects: Effects,
    withdrawals: Withdrawals,
    documents: WriteOnce,
    model: Model,
    prices: Prices,
    spent: Arc<Spent>,
    bus: Bus,
}

/// The outcome in a finished lease.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
enum Finished {
    /// The analysis is in S3.
    Stored,
    /// There will be none.
    Failed { failure: AnalysisFailure, at: Timestamp, model_id: Option<String> },
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
        check_model(&config.analysis_model_id, env::now())?;
        let model = Model::new(aws, config.analysis_model_id.clone(), config.analysis_max_tokens)
            .context("failed to describe the assessment to the model")?;
        let effects = Effects::new(dynamodb.clone(), effects_table.clone());
        let journal = Journal::reader(dynamodb.clone(), conversations_table);
        Ok(Self {
            withdrawals: Withdrawals { journal: journal.clone(), effects: effects.clone() },
            journal,
            images_table: images_table.clone(),
            effects,
            dynamodb,
            documents: WriteOnce::new(s3, logs_bucket.clone()),
            model,
            prices: Prices {
                input_usd_micros: config.analysis_price_input_usd_micros,
                output_usd_micros: config.analysis_price_output_usd_micros,
            },
            spent: Arc::new(Spent::new()),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), &config.event_bus, "nova.analysis"),
        })
    }

    /// What assessments cost since the last call, for `write_until`.
    pub fn metrics(&self) -> impl Fn() -> Vec<metrics::Document> + Send + 'static {
        let spent = Arc::clone(&self.spent);
        move || vec![spent.document()]
    }

    /// What is to be published of a conversation; nothing where its learner has deleted it.
    async fn analyze(
        &self,
        completed: &ConversationCompleted,
        receive_count: u32,
    ) -> Result<Option<(Event, Timestamp)>, Failure> {
        if let Some((stored, document)) = self.stored(completed).await? {
            return Ok(Some(analyzed(completed, stored, document)));
        }
        let conversation = self
            .journal
            .load(completed.conversation_id)
            .await
            .map_err(JournalError::into_failure)?
            .ok_or_else(|| Failure::reject("the journal does not hold the conversation"))?;
        if conversation.header.deleted_at.is_some() {
            return Ok(None);
        }
        let measures = measures::measures(&conversation.turns);
        let effect_id = analysis_effect(completed.conversation_id);
        match self.effects.claim(&effect_id, receive_count, env::now()).await? {
            Claim::Finished(outcome) => self.finished(completed, &outcome).await.map(Some),
            Claim::Mine(lease) => {
                let work = self.run(&lease, completed, (&measures, &conversation.turns));
                let ran = Box::pin(lease.hold(work)).await;
                if ran.is_err() {
                    lease.release().await;
                }
                ran.map(Some)
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
        if measures.words == 0 {
            let failure = (AnalysisFailure::NothingSaid, completed.ended_at, None);
            return self.fail(lease, completed, failure).await;
        }
        let picture = picture::load(&self.dynamodb, &self.images_table, &completed.image_id).await?;
        if picture.is_none() {
            tracing::warn!(image.id = completed.image_id, "the picture has no description");
        }
        let data = prompt::data(picture.as_ref(), measures, turns);
        let question = Question { language: completed.feedback_language, data: &data, turns };
        let outcome = Box::pin(assess(&self.model, question)).await?;
        let now = env::now();
        let cost = self.prices.cost(outcome.input_tokens, outcome.output_tokens);
        self.spent.add(outcome.input_tokens, outcome.output_tokens, cost);
        tracing::info!(
            conversation.id = %completed.conversation_id,
            model.id = self.model.id,
            input_tokens = outcome.input_tokens,
            output_tokens = outcome.output_tokens,
            cost_usd_micros = cost.usd_micros,
            simulated = outcome.simulated,
            accepted = outcome.verdict.is_ok(),
            "the model assessed a conversation"
        );
        if let Err(failure) = outcome.verdict {
            let failure = (failure, now, Some(self.model.id.clone()));
            return self.fail(lease, completed, failure).await;
        }
        let (stored, document) = self.store(self.document(completed, (measures, outcome), now)?).await?;
        lease.finish(&written(&Finished::Stored)?).await?;
        Ok(analyzed(completed, stored, document))
    }

    /// Finishes the lease with the reason why there will be no analysis.
    async fn fail(
        &self,
        lease: &Lease,
        completed: &ConversationCompleted,
        (failure, at, model_id): (AnalysisFailure, Timestamp, Option<String>),
    ) -> Result<(Event, Timestamp), Failure> {
        lease.finish(&written(&Finished::Failed { failure, at, model_id: model_id.clone() })?).await?;
        Ok((failed(completed, failure, model_id), at))
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
            cost: Some(self.prices.cost(outcome.input_tokens, outcome.output_tokens)),
            measures: *measures,
            assessment,
        })
    }

    /// Stores the analysis, unless one stands there: then that one is the analysis.
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
        let analysis = serde_json::from_slice(&content)
            .map_err(|_| Failure::reject(format!("the object {key} is not an analysis")))?;
        Ok(Some((analysis, reference)))
    }

    /// What a finished lease says is to be published.
    async fn finished(
        &self,
        completed: &ConversationCompleted,
        outcome: &str,
    ) -> Result<(Event, Timestamp), Failure> {
        let finished: Finished = serde_json::from_str(outcome)
            .map_err(|_| Failure::reject("the outcome in the finished lease is unreadable"))?;
        match finished {
            Finished::Failed { failure, at, model_id } => Ok((failed(completed, failure, model_id), at)),
            // It was stored after this attempt looked for it.
            Finished::Stored => match self.stored(completed).await? {
                Some((stored, document)) => Ok(analyzed(completed, stored, document)),
                None => Err(Failure::reject("the analysis was stored once and is gone")),
            },
        }
    }

    async fn remove(&self, completed: &ConversationCompleted) -> Result<(), Failure> {
        self.documents.remove(&analysis_key(&completed.user_id, completed.conversation_id)).await
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
        if self.effects.is_erased(&completed.user_id).await? {
            tracing::info!(event.id = %event.id, "the learner's data is erased: nothing is assessed");
            return self.remove(completed).await;
        }
        let found = Box::pin(self.analyze(completed, delivery.receive_count)).await;
        // Also where that failed: what it missed may be what the learner is deleting.
        if self.withdrawals.has(completed).await? {
            tracing::info!(event.id = %event.id, "the learner took the conversation back: nothing is stored");
            return self.remove(completed).await;
        }
        let Some(found) = found? else { return Ok(()) };
        self.publish(event, found).await
    }
}

/// Refuses a model that no longer answers.
fn check_model(model_id: &str, now: Timestamp) -> anyhow::Result<()> {
    ensure!(!model_id.is_empty(), "NOVA_ANALYSIS_MODEL_ID is empty: name a model of Bedrock");
    match life(model_id, TimeZone::UTC.to_datetime(now).date()) {
        Life::Active => {}
        Life::Ending(end) => tracing::warn!(model.id = model_id, %end, "the model reaches its end of life"),
        Life::Ended(end) => bail!(
            "NOVA_ANALYSIS_MODEL_ID: {model_id:?} reached its end of life on {end} and no longer answers; name a \
             current model, for example {MODEL_ID_DEFAULT}"
        ),
    }
    Ok(())
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
        for part in ["NOVA_ANALYSIS_MODEL_ID", gone, "2026-07-30", MODEL_ID_DEFAULT] {
            assert!(refused.contains(part), "{refused}");
        }
        check_model(MODEL_ID_DEFAULT, now).unwrap();
        assert!(check_model("", now).is_err());
    }

    #[test]
    fn prices_are_dollars_and_their_defaults_are_those_of_the_default_model() {
        let url = "https://sqs.us-east-1.amazonaws.com/1/q";
        let arguments = [
            "analysis",
            "--attempts-table",
            "e",
            "--queue-url",
            url,
            "--dead-letter-queue-url",
            url,
            "--conversations-table",
            "c",
            "--images-table",
            "i",
            "--effects-table",
            "e",
            "--logs-bucket",
            "l",
            "--event-bus",
            "b",
        ];
        let config = Config::parse_from(arguments);
        let prices = (config.analysis_price_input_usd_micros, config.analysis_price_output_usd_micros);
        assert_eq!(prices, (1_100_000, 5_500_000));
        let dear = [&arguments[..], &["--analysis-price-output-usd-per-mtok", "15"]].concat();
        assert_eq!(Config::parse_from(dear).analysis_price_output_usd_micros, 15_000_000);
        let wrong = [&arguments[..], &["--analysis-price-input-usd-per-mtok", "cheap"]].concat();
        let refused = Config::try_parse_from(wrong).unwrap_err().to_string();
        assert!(refused.contains("cheap") && refused.contains("US dollars"), "{refused}");
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
            cost: None,
            measures: Measures::default(),
            assessment: samples::assessment(70, "a quote"),
        };
        let expected = samples::analyzed(70, events::contract::Level::B1);
        let document = expected.document.clone();
        assert_eq!(document.key, analysis_key(&completed.user_id, completed.conversation_id));
        assert_eq!(
            analyzed(&completed, stored, document),
            (Event::ConversationAnalyzed(expected), analyzed_at)
        );
    }
}
