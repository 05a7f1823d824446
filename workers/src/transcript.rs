//! Stores the transcript of every conversation.
//!
//! - Consumes `conversation.completed`.
//! - Effect: `transcripts/{userId}/{conversationId}.json.gz` (a `Transcript`) and `….txt.gz` (the same to read) in
//!   the logs bucket, then `transcript.stored`.
//! - Idempotent because both objects depend on the event and the journal alone, stand at a key that depends on
//!   the conversation alone, and are written only where nothing stands. A repetition finds its own content and
//!   publishes the same event again. Other content at the key is never overwritten: the message is rejected.

use anyhow::Context;
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{ConversationCompleted, Envelope, Event, ObjectRef, TranscriptStored},
    journal::{Journal, JournalError, Reader},
    runtime::{
        consumer::{ConsumerConfig, Delivery, EventHandler},
        failure::Failure,
    },
};

use crate::{
    boot,
    write_once::{Document, WriteOnce, Written},
};

mod document;

/// The transcript worker's configuration.
#[derive(Clone, Debug, Parser)]
#[command(name = "transcript", about = "Stores the transcript of every conversation")]
pub struct Config {
    /// The queue.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The bucket of transcripts.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// The bucket of turn audio, to which transcripts point.
    #[arg(long, env = "NOVA_AUDIO_BUCKET", value_name = "NOVA_AUDIO_BUCKET")]
    pub audio_bucket: String,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
}

/// The handler.
#[derive(Debug)]
pub struct Transcripts {
    journal: Reader,
    documents: WriteOnce,
    audio_bucket: String,
    bus: Bus,
}

impl Transcripts {
    /// The handler on the stores that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let s3 = boot::s3(aws);
        let table = &config.conversations_table;
        boot::table(&dynamodb, "NOVA_CONVERSATIONS_TABLE", table, boot::CONVERSATIONS).await?;
        boot::bucket(&s3, "NOVA_LOGS_BUCKET", &config.logs_bucket).await?;
        Ok(Self {
            journal: Journal::reader(dynamodb, table),
            documents: WriteOnce::new(s3, config.logs_bucket.clone()),
            audio_bucket: config.audio_bucket.clone(),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), &config.event_bus, "nova.transcript"),
        })
    }

    async fn store(&self, completed: &ConversationCompleted) -> Result<TranscriptStored, Failure> {
        let id = completed.conversation_id;
        let conversation = self
            .journal
            .load(id)
            .await
            .map_err(JournalError::into_failure)?
            .ok_or_else(|| Failure::reject("the journal does not hold the conversation"))?;
        let transcript = document::transcript(completed, &conversation.turns, &self.audio_bucket)
            .map_err(|error| Failure::reject(error.to_string()))?;
        let json = serde_json::to_vec(&transcript)
            .context("failed to write the transcript as JSON")
            .map_err(Failure::retry)?;
        let text = document::readable(&transcript);
        let key = |suffix| format!("transcripts/{}/{id}.{suffix}", completed.user_id);
        Ok(TranscriptStored {
            conversation_id: id,
            user_id: completed.user_id.clone(),
            document: self.put(&key("json.gz"), &json, "application/json").await?,
            text: self.put(&key("txt.gz"), text.as_bytes(), "text/plain; charset=utf-8").await?,
            turns: completed.turns,
        })
    }

    async fn put(&self, key: &str, content: &[u8], content_type: &str) -> Result<ObjectRef, Failure> {
        match self.documents.put(Document { key, content, content_type }).await? {
            Written::Ours(reference) => Ok(reference),
            Written::Other => Err(Failure::reject(format!("another document stands at {key}"))),
        }
    }
}

impl EventHandler for Transcripts {
    async fn handle(&self, event: &Envelope, _delivery: &Delivery) -> Result<(), Failure> {
        let Event::ConversationCompleted(completed) = &event.event else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        let stored = self.store(completed).await?;
        // The time of the cause, so that a repetition is the same event to the byte.
        let published = Event::TranscriptStored(stored);
        let envelope = Envelope::new(published, event.occurred_at, event.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)
    }
}
