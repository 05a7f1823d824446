//! What the API reads and deletes, put together from the configuration.

use std::sync::Arc;

use aws_config::SdkConfig;
use events::{
    contract::{ConversationId, UserId},
    journal::{Journal, JournalConfig},
    pipeline::{Found, LIMITS, PipelineReader, PipelineStores},
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{
    audio::Recordings, documents::Documents, learners::Learners, pictures::Pictures, progress::Progress,
    results,
};
use crate::{
    config::Config,
    coordination::Coordination,
    metrics::Metrics,
    results::{Results, feed::Feed},
};

/// The stores of the API.
#[derive(Debug)]
pub struct Records {
    /// The journal.
    pub journal: Journal,
    /// Transcripts and assessments.
    pub documents: Documents,
    /// Recordings.
    pub recordings: Recordings,
    /// Where conversations are in the pipeline.
    pub pipeline: PipelineReader,
    /// The catalogue of pictures.
    pub pictures: Pictures,
    /// Progress of learners.
    pub progress: Progress,
    /// Everybody.
    pub learners: Learners,
    /// Who waits for results.
    pub results: Results,
    /// The results of everybody.
    pub feed: Feed,
}

/// Why a conversation is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum NotDeleted {
    /// It has not ended.
    #[error("the conversation goes on: it can be deleted once it has ended")]
    Live,
    /// Workers are at it.
    #[error("the conversation is still being assessed: it can be deleted once it is")]
    InPipeline,
    /// A store failed. What is left is deleted when it is asked for again.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl Records {
    /// The stores that `config` names. Whatever waits for something ends with `shutdown`.
    #[must_use]
    pub fn new(
        config: &Config,
        (sdk, s3): (&SdkConfig, &aws_sdk_s3::Client),
        (coordination, metrics): (&Arc<Coordination>, &Arc<Metrics>),
        shutdown: CancellationToken,
    ) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let journal = JournalConfig {
            table: config.conversations_table.clone(),
            watchdog_queue_url: config.watchdog_queue_url.clone(),
            watch_delay_seconds: config.watch_delay_seconds,
        };
        let stores = PipelineStores {
            dynamodb: dynamodb.clone(),
            s3: s3.clone(),
            conversations_table: config.conversations_table.clone(),
            effects_table: config.effects_table.clone(),
            logs_bucket: config.logs_bucket.clone(),
        };
        let documents = Documents::new(s3.clone(), config.logs_bucket.clone());
        let progress = Progress::new(dynamodb.clone(), config.progress_table.clone());
        let reader = Journal::reader(dynamodb.clone(), &config.conversations_table);
        let found =
            results::Results::new(reader, documents.clone(), dynamodb.clone(), config.effects_table.clone());
        Self {
            journal: Journal::new(dynamodb.clone(), aws_sdk_sqs::Client::new(sdk), journal),
            recordings: Recordings::new(s3.clone(), config.audio_bucket.clone()),
            pipeline: PipelineReader::new(stores),
            pictures: Pictures::new(
                dynamodb.clone(),
                config.images_table.clone(),
                s3.clone(),
                config.images_bucket.clone(),
                Arc::clone(metrics),
            ),
            learners: Learners::new(dynamodb, config.users_table.clone(), progress.clone()),
            results: Results::new(found, Arc::clone(coordination), Arc::clone(metrics), shutdown.clone()),
            feed: Feed::new(progress.clone(), shutdown),
            documents,
            progress,
        }
    }

    /// Deletes what was said in a conversation of `owner`: turns, transcript, assessment, recordings. What it added to
    /// the learner's progress stays: sums say how much was practised, and nothing of what was said.
    ///
    /// `false` where the owner has no such conversation. Deleting it again goes on where it was interrupted.
    ///
    /// # Errors
    /// See [`NotDeleted`].
    pub async fn delete(
        &self,
        owner: &UserId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<bool, NotDeleted> {
        let found = self.pipeline.find(id).await.map_err(anyhow::Error::from)?;
        let Some(found) = found.filter(|found| found.header.start.user_id == *owner) else {
            return Ok(false);
        };
        deletable(&found, now)?;
        self.journal.mark_deleted(id, now).await.map_err(anyhow::Error::from)?;
        self.documents.delete(owner, id).await?;
        self.recordings.delete(owner, id).await?;
        self.journal.delete_turns(id).await.map_err(anyhow::Error::from)?;
        tracing::info!(conversation.id = %id, "a learner deleted a conversation");
        Ok(true)
    }
}

/// Whether a conversation can be deleted `now`: while workers may be at it, they would store what was deleted. Where the
/// pipeline has stopped it is deleted nevertheless; whoever goes on with it later finds the mark.
fn deletable(found: &Found, now: Timestamp) -> Result<(), NotDeleted> {
    let Some(ended) = found.header.ended else { return Err(NotDeleted::Live) };
    let patience = SignedDuration::from_secs(i64::from(LIMITS.complete_seconds));
    let stopped = now.duration_since(ended.at) >= patience;
    if stopped || found.trail().is_complete() { Ok(()) } else { Err(NotDeleted::InPipeline) }
}
