//! Stores the transcript of every conversation.
//!
//! - Consumes `conversation.completed`.
//! - Effect: `transcripts/{userId}/{conversationId}.json.gz` (a `Transcript`) and `….txt.gz` (the readable text) in the
//!   logs bucket, then `transcript.stored`.
//! - Idempotent because both keys depend on the conversation alone and an existing object is never overwritten. A
//!   repetition takes the stored transcript if it has the same words, and publishes the same event again. If it has other
//!   words, the message is rejected.
//!
//! The key has no version: the bucket keeps versions, the object names its format in its metadata and its first field, and
//! an older build's transcript of the same words is accepted.
//!
//! For a conversation that its learner has deleted, and for a learner whose data is erased, the worker keeps no document and
//! publishes nothing. It checks for both after the write (see `tombstone`).
//!
//! The transcript links to a recording only if the object exists. The ingress publishes after its recordings are stored or
//! given up, so one check is enough; a turn whose recording was lost is marked `audioMissing`.

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use clap::Parser;
use events::{
    bus::{Bus, BusError},
    contract::{ConversationCompleted, Envelope, Event, ObjectRef, Transcript, TranscriptStored},
    journal::{Journal, JournalError, JournalReader},
    json,
    pipeline::names::{readable_transcript_key, transcript_key},
    runtime::{
        aws::s3_client,
        consumer::{ConsumerConfig, Delivery, EventHandler},
        failure::Failure,
    },
};

use crate::{
    confirmed,
    effects::Effects,
    startup_check,
    tombstone::Tombstones,
    write_once::{Document, WriteOnce, Written},
};

use document::Audio;
use recordings::Recordings;

mod document;
mod recordings;

/// The configuration of the transcript worker.
#[derive(Clone, Debug, Parser)]
#[command(name = "transcript", about = "Stores the transcript of every conversation")]
pub struct Config {
    /// The queue and the limits of its consumer.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The Effects table, with the erasure leases.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The bucket of transcripts.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// The bucket of the recordings to which transcripts link.
    #[arg(long, env = "NOVA_AUDIO_BUCKET", value_name = "NOVA_AUDIO_BUCKET")]
    pub audio_bucket: String,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
}

/// The handler.
#[derive(Debug)]
pub struct Transcripts {
    journal: JournalReader,
    tombstones: Tombstones,
    documents: WriteOnce,
    recordings: Recordings,
    bus: Bus,
}

impl Transcripts {
    /// The handler with the stores that `config` names.
    ///
    /// # Errors
    /// A store is missing, not accessible or of another shape.
    pub async fn start(config: &Config, aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let s3 = s3_client(aws);
        let table = &config.conversations_table;
        startup_check::table(&dynamodb, startup_check::CONVERSATIONS, table).await?;
        startup_check::table(&dynamodb, startup_check::EFFECTS, &config.effects_table).await?;
        startup_check::bucket(&s3, "NOVA_LOGS_BUCKET", &config.logs_bucket).await?;
        startup_check::bucket(&s3, "NOVA_AUDIO_BUCKET", &config.audio_bucket).await?;
        let effects = Effects::new(dynamodb.clone(), config.effects_table.clone());
        let journal = Journal::reader(dynamodb, table);
        Ok(Self {
            tombstones: Tombstones { journal: journal.clone(), effects },
            journal,
            documents: WriteOnce::new(s3.clone(), config.logs_bucket.clone()),
            recordings: Recordings::new(s3, config.audio_bucket.clone()),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(aws), &config.event_bus, "nova.transcript"),
        })
    }

    /// Stores both forms of the transcript; `None` if the learner has deleted the conversation.
    async fn store(
        &self,
        event: &Envelope,
        completed: &ConversationCompleted,
    ) -> Result<Option<TranscriptStored>, Failure> {
        let id = completed.conversation_id;
        let conversation = self.journal.load(id).await.map_err(JournalError::into_failure)?;
        let Some(conversation) = conversation else { return self.stored_earlier(completed).await.map(Some) };
        if conversation.header.deleted_at.is_some() {
            return Ok(None);
        }
        confirmed::check(&conversation.header, event)?;
        let turns = &conversation.turns;
        let audio = Audio { bucket: &self.recordings.bucket, stored: self.recordings.stored(turns).await? };
        let transcript = document::transcript(completed, turns, &audio)
            .map_err(|error| Failure::reject(error.to_string()))?;
        let missing = transcript.turns.iter().filter(|turn| turn.audio_missing).count();
        if missing > 0 {
            tracing::warn!(conversation.id = %id, missing, "recordings of a conversation were lost");
        }
        let user_id = &completed.user_id;
        let (transcript, document) = self.put_document(&transcript_key(user_id, id), transcript).await?;
        let text =
            self.put_text(&readable_transcript_key(user_id, id), &document::readable(&transcript)).await?;
        Ok(Some(TranscriptStored {
            conversation_id: id,
            user_id: completed.user_id.clone(),
            document,
            text,
            turns: completed.turns,
        }))
    }

    async fn remove(&self, completed: &ConversationCompleted) -> Result<(), Failure> {
        let (user_id, id) = (&completed.user_id, completed.conversation_id);
        self.documents.remove(&transcript_key(user_id, id)).await?;
        self.documents.remove(&readable_transcript_key(user_id, id)).await
    }

    /// The stored transcript of a conversation that is no longer in the journal.
    async fn stored_earlier(&self, completed: &ConversationCompleted) -> Result<TranscriptStored, Failure> {
        let (user_id, id) = (&completed.user_id, completed.conversation_id);
        let document = self.documents.get(&transcript_key(user_id, id)).await?;
        let text = self.documents.get(&readable_transcript_key(user_id, id)).await?;
        let Some(((_, document), (_, text))) = document.zip(text) else {
            return Err(Failure::reject("the journal does not hold the conversation"));
        };
        let (user_id, turns) = (user_id.clone(), completed.turns);
        Ok(TranscriptStored { conversation_id: id, user_id, document, text, turns })
    }

    /// Writes the transcript. Returns the stored one: ours, or an earlier one with the same words.
    async fn put_document(
        &self,
        key: &str,
        transcript: Transcript,
    ) -> Result<(Transcript, ObjectRef), Failure> {
        let json = serde_json::to_vec(&transcript)
            .context("failed to write the transcript as JSON")
            .map_err(Failure::retry)?;
        let format = format!("transcript/{}", transcript.version);
        let document = Document { key, content: &json, content_type: "application/json", format: &format };
        if let Written::Ours(reference) = self.documents.put(document).await? {
            return Ok((transcript, reference));
        }
        let (content, reference) = self.existing(key).await?;
        let found: Option<Transcript> = json::from_slice(&content).ok();
        match found.filter(|found| document::same_words(found, &transcript)) {
            Some(found) => Ok((found, reference)),
            None => Err(other_document(key)),
        }
    }

    /// Writes the readable text of the stored transcript. An older build may have formatted it differently.
    async fn put_text(&self, key: &str, text: &str) -> Result<ObjectRef, Failure> {
        let document = Document {
            key,
            content: text.as_bytes(),
            content_type: "text/plain; charset=utf-8",
            format: document::TEXT_FORMAT,
        };
        if let Written::Ours(reference) = self.documents.put(document).await? {
            return Ok(reference);
        }
        let (content, reference) = self.existing(key).await?;
        let heading = text.lines().next().unwrap_or_default();
        if content.starts_with(heading.as_bytes()) { Ok(reference) } else { Err(other_document(key)) }
    }

    async fn existing(&self, key: &str) -> Result<(Vec<u8>, ObjectRef), Failure> {
        let found = self.documents.get(key).await?;
        found.ok_or_else(|| Failure::retry(anyhow!("the stored transcript disappeared")))
    }
}

fn other_document(key: &str) -> Failure {
    Failure::reject(format!("there is another document at {key}"))
}

impl EventHandler for Transcripts {
    async fn handle(&self, event: &Envelope, _delivery: &Delivery) -> Result<(), Failure> {
        let Event::ConversationCompleted(completed) = &event.event else {
            return Err(Failure::reject(format!("{} is not for this worker", event.event.schema())));
        };
        let stored = self.store(event, completed).await;
        // Also after a failure: a deletion in progress may be the cause.
        if self.tombstones.exist_for(completed).await? {
            tracing::info!(event.id = %event.id, "the learner deleted the conversation: no transcript is kept");
            return self.remove(completed).await;
        }
        let Some(stored) = stored? else { return Ok(()) };
        // The time of the cause, so that a repetition publishes an identical event.
        let published = Event::TranscriptStored(stored);
        let envelope = Envelope::new(published, event.occurred_at, event.traceparent.clone());
        self.bus.publish(&[envelope]).await.map_err(BusError::into_failure)
    }
}
