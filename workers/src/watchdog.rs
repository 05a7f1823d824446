//! Ends what a dead ingress left open, and publishes what it ended without telling.
//!
//! - Consumes the watchdog queue: one delayed message for each conversation, `{conversationId, version}`.
//! - Effect: a conversation whose owner's lease is over is taken over, ended with the reason `ingress_lost` and
//!   published; one that ended without being published is published; one that is held is watched again.
//! - Idempotent because a takeover is fenced by the epoch, the end is one conditional write, and the event has the
//!   same id whoever publishes it. Two messages about one conversation do the same twice.

use anyhow::anyhow;
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{ConversationId, EndReason, Envelope, Usage},
    journal::{
        End, Journal, JournalConfig, JournalError, WATCH_DELAY_SECONDS, WATCH_DELAY_SECONDS_MAX, Watch,
    },
    runtime::{
        consumer::{ConsumerConfig, Delivery, Handler},
        failure::Failure,
        world,
    },
};

use crate::boot;
use decision::{Decision, decide};

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
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
}

/// The handler.
#[derive(Debug)]
pub struct Watchdog {
    journal: Journal,
    bus: Bus,
    owner: String,
}

impl Watchdog {
    /// The handler on the stores that `config` names.
    ///
    /// # Errors
    /// The table is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let Config { conversations_table: table, watchdog_queue_url, event_bus, .. } = config;
        boot::table(&dynamodb, "NOVA_CONVERSATIONS_TABLE", table, boot::CONVERSATIONS).await?;
        let journal = JournalConfig {
            table: table.clone(),
            watchdog_queue_url: watchdog_queue_url.clone(),
            watch_delay_seconds: config.watch_delay_seconds,
        };
        Ok(Self {
            journal: Journal::new(dynamodb, aws_sdk_sqs::Client::new(aws), journal),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), event_bus, "nova.watchdog"),
            owner: format!("watchdog-{}", world::uuid()),
        })
    }

    async fn look_after(&self, id: ConversationId) -> Result<(), Failure> {
        let header = self.journal.header(id).await.map_err(JournalError::into_failure)?;
        let decision = decide(id, header.as_ref(), world::now());
        tracing::info!(conversation.id = %id, ?decision, "looked after a conversation");
        match decision {
            Decision::Wait => Err(Failure::retry_after(
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
                self.publish(id, completed).await
            }
            Decision::Publish => {
                let completed = header
                    .and_then(|header| header.completed())
                    .ok_or_else(|| Failure::retry(anyhow!("the conversation has not ended")))?;
                self.publish(id, completed).await
            }
            Decision::Done => Ok(()),
        }
    }

    /// Takes the conversation over and ends it. The turns are read after the takeover: from then on the former
    /// owner cannot add any.
    async fn end_lost(&self, id: ConversationId) -> Result<Envelope, Failure> {
        let own = self
            .journal
            .take_over(id, &self.owner, world::now())
            .await
            .map_err(JournalError::into_failure)?;
        let conversation = self
            .journal
            .load(id)
            .await
            .map_err(JournalError::into_failure)?
            .ok_or_else(|| Failure::retry(anyhow!("the conversation left the journal")))?;
        // The tokens of a lost stream are not known: its usage was in the memory of the lost process.
        let end = End::of_turns(EndReason::IngressLost, Usage::default(), &conversation.turns);
        let completed =
            self.journal.end(&own, &end, world::now()).await.map_err(JournalError::into_failure)?;
        Ok(completed.envelope)
    }

    async fn publish(&self, id: ConversationId, completed: Envelope) -> Result<(), Failure> {
        self.bus.publish(&[completed]).await.map_err(BusError::into_failure)?;
        self.journal.mark_published(id, world::now()).await.map_err(JournalError::into_failure)
    }
}

impl Handler for Watchdog {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let watch = Watch::decode(&delivery.body).map_err(|error| Failure::reject(error.to_string()))?;
        self.look_after(watch.conversation_id).await
    }
}
