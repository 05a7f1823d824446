//! Ends what a dead ingress left open, publishes what it ended without telling, and looks whether what is published
//! passes the whole pipeline.
//!
//! - Consumes the watchdog queue: one delayed message for each conversation, `{conversationId, version, stalled}`.
//! - Effect: a conversation whose owner's lease is over is taken over, ended with the reason `ingress_lost`, or the one with which its owner let it go, and
//!   published; one that ended without being published is published; one that is held is watched again. One that is
//!   published is looked at until every stage of the pipeline is passed; where it has stopped for too long,
//!   `conversation.stalled` is published, once for each stage.
//! - Idempotent because a takeover is fenced by the epoch, the end is one conditional write, and the event has the
//!   same id whoever publishes it. Two messages about one conversation do the same twice: a stall is the same event
//!   whenever it is found, and whoever acts on it knows it by its id.

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
        consumer::{ConsumerConfig, Delivery, Handler},
        env,
        failure::Failure,
        metrics,
    },
};

use crate::boot;
use audit::{Judgement, Next, Schedule, judge};
use audited::Audited;
use decision::{Decision, decide};

mod audit;
mod audited;
mod decision;

/// The watchdog's configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "watchdog", about = "Ends what a dead ingress left open and publishes what it did not")]
pub struct Config {
    /// The queue.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The queue to which the watchdog sends itself again: its own.
    #[arg(long, env = "NOVA_WATCHDOG_QUEUE_URL", value_name = "NOVA_WATCHDOG_QUEUE_URL")]
    pub watchdog_queue_url: String,
    /// Seconds between two looks at a conversation.
    #[arg(
        long,
        env = "NOVA_WATCH_DELAY_SECONDS",
        value_name = "NOVA_WATCH_DELAY_SECONDS",
        default_value_t = WATCH_DELAY_SECONDS,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(WATCH_DELAY_SECONDS_MAX))
    )]
    pub watch_delay_seconds: i32,
    /// What is looked at once a conversation is published.
    #[command(flatten)]
    pub audit: AuditConfig,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
}

/// How a published conversation is looked after.
#[derive(Clone, Debug, clap::Args)]
pub struct AuditConfig {
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The bucket of transcripts and assessments.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// Seconds from its end within which a conversation has passed the whole pipeline.
    #[arg(
        long,
        env = "NOVA_AUDIT_COMPLETE_SECONDS",
        value_name = "NOVA_AUDIT_COMPLETE_SECONDS",
        default_value_t = LIMITS.complete_seconds,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub audit_complete_seconds: u32,
    /// Seconds that each stage has at least, from when it could happen.
    #[arg(
        long,
        env = "NOVA_AUDIT_STAGE_SECONDS",
        value_name = "NOVA_AUDIT_STAGE_SECONDS",
        default_value_t = LIMITS.stage_seconds,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub audit_stage_seconds: u32,
    /// Seconds between two looks at a conversation that has stopped.
    #[arg(
        long,
        env = "NOVA_AUDIT_LATE_DELAY_SECONDS",
        value_name = "NOVA_AUDIT_LATE_DELAY_SECONDS",
        default_value_t = WATCH_DELAY_SECONDS_MAX,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(WATCH_DELAY_SECONDS_MAX))
    )]
    pub audit_late_delay_seconds: i32,
    /// Seconds from its end after which a conversation is not looked at any more.
    #[arg(
        long,
        env = "NOVA_AUDIT_END_SECONDS",
        value_name = "NOVA_AUDIT_END_SECONDS",
        default_value_t = 86_400,
        value_parser = clap::value_parser!(u32).range(1..=1_209_600)
    )]
    pub audit_end_seconds: u32,
}

/// The handler.
#[derive(Debug)]
pub struct Watchdog {
    journal: Journal,
    pipeline: pipeline::PipelineReader,
    schedule: Schedule,
    audited: Arc<Audited>,
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
    /// The handler on the stores that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let Config { conversations_table: table, watchdog_queue_url, event_bus, .. } = config;
        let AuditConfig { effects_table, logs_bucket, .. } = &config.audit;
        let s3 = boot::s3(aws);
        boot::table(&dynamodb, "NOVA_CONVERSATIONS_TABLE", table, boot::CONVERSATIONS).await?;
        boot::table(&dynamodb, "NOVA_EFFECTS_TABLE", effects_table, boot::EFFECTS).await?;
        boot::bucket(&s3, "NOVA_LOGS_BUCKET", logs_bucket).await?;
        let stores = PipelineStores {
            dynamodb: dynamodb.clone(),
            s3,
            conversations_table: table.clone(),
            effects_table: effects_table.clone(),
            logs_bucket: logs_bucket.clone(),
        };
        let journal = JournalConfig {
            table: table.clone(),
            watchdog_queue_url: watchdog_queue_url.clone(),
            watch_delay_seconds: config.watch_delay_seconds,
        };
        Ok(Self {
            journal: Journal::new(dynamodb, aws_sdk_sqs::Client::new(aws), journal),
            pipeline: pipeline::PipelineReader::new(stores),
            schedule: config.schedule(),
            audited: Arc::new(Audited::new()),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), event_bus, "nova.watchdog"),
            owner: format!("watchdog-{}", env::random_uuid()),
        })
    }

    /// What was found since the last call, for `write_until`.
    pub fn metrics(&self) -> impl Fn() -> Vec<metrics::Document> + Send + 'static {
        let audited = Arc::clone(&self.audited);
        move || vec![audited.document()]
    }

    async fn look_after(&self, watch: &Watch) -> Result<(), Failure> {
        let id = watch.conversation_id;
        let header = self.journal.header(id).await.map_err(JournalError::into_failure)?;
        let decision = decide(id, header.as_ref(), env::now());
        tracing::info!(conversation.id = %id, ?decision, "looked after a conversation");
        match decision {
            Decision::Wait => Err(Failure::busy(
                anyhow!("the journal does not hold the conversation yet"),
                decision::UNKNOWN_RETRY,
            )),
            // It never began: its ingress died before the header, and nobody has heard of it.
            Decision::GiveUp => {
                tracing::warn!(conversation.id = %id, "a watched conversation never began");
                Ok(())
            }
            Decision::WatchAgain => self.journal.watch_again(id).await.map_err(JournalError::into_failure),
            Decision::TakeOver => {
                let completed = self.end_lost(id).await?;
                self.publish(watch, completed).await
            }
            Decision::Publish => {
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

    /// Takes the conversation over and ends it. The turns are read after the takeover: from then on the former
    /// owner cannot add any.
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

    /// Publishes what the ingress did not. Whether it passes the pipeline is for the next look.
    async fn publish(&self, watch: &Watch, completed: Envelope) -> Result<(), Failure> {
        let id = watch.conversation_id;
        self.bus.publish(&[completed]).await.map_err(BusError::into_failure)?;
        self.journal.mark_published(id, env::now()).await.map_err(JournalError::into_failure)?;
        self.journal.watch(watch, self.schedule.delay_seconds).await.map_err(JournalError::into_failure)
    }

    /// Looks whether the published conversation of `header` has passed the pipeline, and says so when it has stopped.
    async fn audit(&self, watch: &Watch, header: Header) -> Result<(), Failure> {
        let found = self.pipeline.read(header).await.map_err(PipelineError::into_failure)?;
        let trail = found.trail();
        let Judgement { tell, recovered, next } = judge(&trail, &watch.stalled, env::now(), self.schedule);
        self.tell(&trail, &tell).await?;
        let id = watch.conversation_id;
        for stage in recovered {
            self.audited.recovered.increment();
            tracing::warn!(conversation.id = %id, stage = stage.name(), "a conversation that had stopped went on");
        }
        match next {
            Next::Complete => {
                self.audited.complete.increment();
                tracing::info!(conversation.id = %id, "a conversation has passed the pipeline");
                Ok(())
            }
            Next::GiveUp => {
                self.audited.given_up.increment();
                tracing::error!(conversation.id = %id, "a conversation that has stopped is looked at no more");
                Ok(())
            }
            Next::LookAgain { after_seconds, stalled } => {
                let watch = Watch { stalled, ..Watch::new(id) };
                self.journal.watch(&watch, after_seconds).await.map_err(JournalError::into_failure)
            }
        }
    }

    /// Publishes where a conversation has stopped. Before the message is sent again, so that a crash in between tells
    /// it again, under the same event id.
    async fn tell(&self, trail: &Trail, stalls: &[Stall]) -> Result<(), Failure> {
        let events: Vec<Envelope> = stalls.iter().map(|stall| trail.stalled(*stall)).collect();
        self.bus.publish(&events).await.map_err(BusError::into_failure)?;
        for stall in stalls {
            self.audited.stalled.increment();
            tracing::error!(
                conversation.id = %trail.conversation_id,
                stage = stall.stage.name(),
                since = %stall.since,
                "a conversation has stopped in the pipeline"
            );
        }
        Ok(())
    }
}

impl Handler for Watchdog {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let watch = Watch::decode(&delivery.body).map_err(|error| Failure::reject(error.to_string()))?;
        self.look_after(&watch).await
    }
}
