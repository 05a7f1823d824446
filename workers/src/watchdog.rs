//! Ends the conversations of a lost ingress, publishes ends that were not published, and audits published conversations
//! through the whole pipeline.
//!
//! - Consumes the watchdog queue: one delayed message per conversation, `{conversationId, version, stalled}`.
//! - Effect: a conversation whose owner's lease has expired is taken over, ended and published; its end reason is that of
//!   its handover, or else `ingress_lost`. An ended conversation that is not published is published. A held one is watched
//!   again. A published one is audited until it has passed every stage of the pipeline; for each stage that is overdue,
//!   `conversation.stalled` is published once.
//! - Idempotent because a takeover is fenced by the epoch, the end is one conditional write, and an event has the same id
//!   for every publisher. Two messages about one conversation have the same effect twice: a stall is the same event
//!   whenever it is found, and its consumers recognise the id.

use std::sync::Arc;

use anyhow::anyhow;
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{ConversationId, Envelope},
    journal::{
        Header, Journal, JournalConfig, JournalError, WATCH_DELAY_SECONDS, WATCH_DELAY_SECONDS_MAX, Watch,
    },
    pipeline::{self, LIMITS, Limits, PipelineError, PipelineStores, Stall, Trail},
    runtime::{
        aws::s3_client,
        consumer::{ConsumerConfig, Delivery, Handler},
        env,
        failure::Failure,
        metrics,
    },
};

use crate::{effects::Effects, startup_check};
use audit::{Judgement, Next, Schedule, judge};
use audit_metrics::AuditMetrics;
use decision::{Decision, decide};

mod audit;
mod audit_metrics;
mod decision;

/// The configuration of the watchdog.
#[derive(Clone, Debug, Parser)]
#[command(name = "watchdog", about = "Ends the conversations of a lost ingress and audits the pipeline")]
pub struct Config {
    /// The queue and the limits of its consumer.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The URL of the watchdog's own queue, to which it sends its next messages.
    #[arg(long, env = "NOVA_WATCHDOG_QUEUE_URL", value_name = "NOVA_WATCHDOG_QUEUE_URL")]
    pub watchdog_queue_url: String,
    /// Seconds between two checks of a conversation.
    #[arg(
        long,
        env = "NOVA_WATCH_DELAY_SECONDS",
        value_name = "NOVA_WATCH_DELAY_SECONDS",
        default_value_t = WATCH_DELAY_SECONDS,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(WATCH_DELAY_SECONDS_MAX))
    )]
    pub watch_delay_seconds: i32,
    /// The audit of published conversations.
    #[command(flatten)]
    pub audit: AuditConfig,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
}

/// The configuration of the audit of published conversations.
#[derive(Clone, Debug, clap::Args)]
pub struct AuditConfig {
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The bucket of transcripts and assessments.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// Seconds after its end within which a conversation must have passed the whole pipeline.
    #[arg(
        long,
        env = "NOVA_AUDIT_COMPLETE_SECONDS",
        value_name = "NOVA_AUDIT_COMPLETE_SECONDS",
        default_value_t = LIMITS.complete_seconds,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub audit_complete_seconds: u32,
    /// Minimum seconds for each stage, from when it becomes possible.
    #[arg(
        long,
        env = "NOVA_AUDIT_STAGE_SECONDS",
        value_name = "NOVA_AUDIT_STAGE_SECONDS",
        default_value_t = LIMITS.stage_seconds,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub audit_stage_seconds: u32,
    /// Seconds between two checks of a stalled conversation.
    #[arg(
        long,
        env = "NOVA_AUDIT_LATE_DELAY_SECONDS",
        value_name = "NOVA_AUDIT_LATE_DELAY_SECONDS",
        default_value_t = WATCH_DELAY_SECONDS_MAX,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(WATCH_DELAY_SECONDS_MAX))
    )]
    pub audit_late_delay_seconds: i32,
    /// Seconds after its end at which the audit of a conversation is given up.
    #[arg(
        long,
        env = "NOVA_AUDIT_END_SECONDS",
        value_name = "NOVA_AUDIT_END_SECONDS",
        default_value_t = 86_400,
        value_parser = clap::value_parser!(u32).range(1..=1_209_600)
    )]
    pub audit_end_seconds: u32,
}

#[derive(Debug)]
pub struct Watchdog {
    journal: Journal,
    pipeline: pipeline::PipelineReader,
    effects: Effects,
    schedule: Schedule,
    audit_metrics: Arc<AuditMetrics>,
    bus: Bus,
    owner: String,
}

impl Config {
    fn schedule(&self) -> Schedule {
        Schedule {
            limits: Limits {
                complete_seconds: self.audit.audit_complete_seconds,
                stage_seconds: self.audit.audit_stage_seconds,
            },
            delay_seconds: self.watch_delay_seconds,
            late_delay_seconds: self.audit.audit_late_delay_seconds,
            end_seconds: self.audit.audit_end_seconds,
        }
    }
}

impl Watchdog {
    /// The handler with the stores that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let Config { conversations_table: table, watchdog_queue_url, event_bus, .. } = config;
        let AuditConfig { effects_table, logs_bucket, .. } = &config.audit;
        let s3 = s3_client(aws);
        startup_check::table(&dynamodb, startup_check::CONVERSATIONS, table).await?;
        startup_check::table(&dynamodb, startup_check::EFFECTS, effects_table).await?;
        startup_check::bucket(&s3, "NOVA_LOGS_BUCKET", logs_bucket).await?;
        let stores = PipelineStores {
            dynamodb: dynamodb.clone(),
            s3,
            conversations_table: table.clone(),
            effects_table: effects_table.clone(),
            logs_bucket: logs_bucket.clone(),
        };
        let journal = JournalConfig {
            table: table.clone(),
            effects_table: effects_table.clone(),
            watchdog_queue_url: watchdog_queue_url.clone(),
            watch_delay_seconds: config.watch_delay_seconds,
        };
        Ok(Self {
            effects: Effects::new(dynamodb.clone(), effects_table.clone()),
            journal: Journal::new(dynamodb, aws_sdk_sqs::Client::new(aws), journal),
            pipeline: pipeline::PipelineReader::new(stores),
            schedule: config.schedule(),
            audit_metrics: Arc::default(),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), event_bus, "nova.watchdog"),
            owner: format!("watchdog-{}", env::random_uuid()),
        })
    }

    /// The results of the audit since the last call, for `write_until`.
    pub fn metrics(&self) -> impl Fn() -> Vec<metrics::Document> + Send + 'static {
        let audit_metrics = Arc::clone(&self.audit_metrics);
        move || vec![audit_metrics.document()]
    }

    async fn check(&self, watch: &Watch) -> Result<(), Failure> {
        let id = watch.conversation_id;
        let header = self.journal.header(id).await.map_err(JournalError::into_failure)?;
        let decision = decide(id, header.as_ref(), env::now());
        tracing::info!(conversation.id = %id, ?decision, "checked a conversation");
        match decision {
            Decision::Wait => Err(Failure::busy(
                anyhow!("the journal does not hold the conversation yet"),
                decision::UNKNOWN_RETRY,
            )),
            // Its ingress died before it wrote the header: the conversation never started.
            Decision::GiveUp => {
                tracing::warn!(conversation.id = %id, "a watched conversation never started");
                Ok(())
            }
            Decision::WatchAgain => self.journal.watch_again(id).await.map_err(JournalError::into_failure),
            Decision::TakeOver => {
                let completed = self.end_lost(id).await?;
                self.publish(watch, completed).await
            }
            Decision::Publish => {
                let ended = header.as_ref().and_then(|header| header.ended.as_ref());
                let waited = ended.map_or(0, |ended| env::now().duration_since(ended.at).as_secs());
                self.audit_metrics.unpublished_seconds.record(waited.max(0).unsigned_abs());
                let completed = header
                    .and_then(|header| header.completed())
                    .ok_or_else(|| Failure::retry(anyhow!("the conversation has not ended")))?;
                self.publish(watch, completed).await
            }
            Decision::Audit => {
                let header =
                    header.ok_or_else(|| Failure::retry(anyhow!("the conversation left the journal")))?;
                Box::pin(self.audit(watch, header)).await
            }
        }
    }

    /// Takes the conversation over and ends it. The turns are read after the takeover, when the former owner cannot add any
    /// more.
    async fn end_lost(&self, id: ConversationId) -> Result<Envelope, Failure> {
        let own =
            self.journal.take_over(id, &self.owner, env::now()).await.map_err(JournalError::into_failure)?;
        let conversation = self
            .journal
            .load(id)
            .await
            .map_err(JournalError::into_failure)?
            .ok_or_else(|| Failure::retry(anyhow!("the conversation left the journal")))?;
        let end = decision::end(&conversation);
        let completed = self.journal.end(&own, &end, env::now()).await.map_err(JournalError::into_failure)?;
        Ok(completed.envelope)
    }

    /// Publishes the end of a conversation. The next message starts its audit.
    async fn publish(&self, watch: &Watch, completed: Envelope) -> Result<(), Failure> {
        let id = watch.conversation_id;
        self.bus.publish(&[completed]).await.map_err(BusError::into_failure)?;
        self.journal.mark_published(id, env::now()).await.map_err(JournalError::into_failure)?;
        self.journal.watch(watch, self.schedule.delay_seconds).await.map_err(JournalError::into_failure)
    }

    /// Checks the stages of the published conversation of `header` and reports stalls.
    async fn audit(&self, watch: &Watch, header: Header) -> Result<(), Failure> {
        let found = self.pipeline.read(header).await.map_err(PipelineError::into_failure)?;
        let trail = found.trail();
        let Judgement { stalls, recovered, next } = judge(&trail, &watch.stalled, env::now(), self.schedule);
        let id = watch.conversation_id;
        // The stages of an erased learner are gone, but did not stall. Asked after they were read: the tombstone is older than
        // every deletion.
        if !stalls.is_empty() && self.effects.is_erased(&found.header.start.user_id).await? {
            tracing::info!(conversation.id = %id, "the learner's data is erased: nothing is audited");
            return Ok(());
        }
        self.publish_stalls(&trail, &stalls).await?;
        for stage in recovered {
            self.audit_metrics.recovered.increment();
            tracing::warn!(conversation.id = %id, stage = stage.name(), "a stalled conversation has continued");
        }
        match next {
            Next::Complete => {
                self.audit_metrics.complete.increment();
                tracing::info!(conversation.id = %id, "a conversation has passed the pipeline");
                Ok(())
            }
            Next::GiveUp => {
                self.audit_metrics.given_up.increment();
                tracing::error!(conversation.id = %id, "the audit of a stalled conversation is given up");
                Ok(())
            }
            Next::CheckAgain { after_seconds, stalled } => {
                let watch = Watch { stalled, ..Watch::new(id) };
                self.journal.watch(&watch, after_seconds).await.map_err(JournalError::into_failure)
            }
        }
    }

    /// Publishes the stalls of a conversation. This happens before the next message is sent: after a crash in between they
    /// are published again with the same event ids.
    async fn publish_stalls(&self, trail: &Trail, stalls: &[Stall]) -> Result<(), Failure> {
        let events: Vec<Envelope> = stalls.iter().map(|stall| trail.stalled(*stall)).collect();
        self.bus.publish(&events).await.map_err(BusError::into_failure)?;
        for stall in stalls {
            self.audit_metrics.stalled.increment();
            tracing::error!(
                conversation.id = %trail.conversation_id,
                stage = stall.stage.name(),
                since = %stall.since,
                "a conversation has stalled in the pipeline"
            );
        }
        Ok(())
    }
}

impl Handler for Watchdog {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let watch = delivery.watch.as_ref().map_err(|error| Failure::reject(error.to_string()))?;
        self.check(watch).await
    }
}
