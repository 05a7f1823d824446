//! All stores of the API, opened from the configuration, and the deletion of a conversation, which spans several.

use std::sync::Arc;

use aws_config::SdkConfig;
use events::{
    contract::{ConversationId, UserId},
    journal::Journal,
    pipeline::{Found, LIMITS, PipelineReader, PipelineStores},
    runtime::aws::s3_client,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{
    audio::Recordings, documents::Documents, learners::Learners, pictures::Pictures, progress::Progress,
    results::ResultReader, signed::Signer,
};
use crate::{
    config::Config,
    coordination::Coordination,
    metrics::Metrics,
    results::{ResultsWatcher, feed::Feed},
};

#[derive(Debug)]
pub struct Stores {
    pub journal: Journal,
    /// Transcripts and assessments.
    pub documents: Documents,
    pub recordings: Recordings,
    /// The stage of the pipeline that each conversation has reached.
    pub pipeline: PipelineReader,
    pub pictures: Pictures,
    /// Progress by day and in total.
    pub progress: Progress,
    /// Records of learners with their progress.
    pub learners: Learners,
    /// Streams of the results of one conversation.
    pub results: ResultsWatcher,
    /// Streams of the results of all learners.
    pub feed: Feed,
    /// Signs URLs of objects.
    pub signer: Signer,
}

/// Why a conversation was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("the conversation is live: it can be deleted after its end")]
    Live,
    #[error("the conversation is being assessed: it can be deleted after its assessment")]
    InPipeline,
    /// A store failed. A repetition of the request deletes the rest.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl Stores {
    /// Opens the stores that `config` names. Their background tasks end with `shutdown`.
    #[must_use]
    pub fn new(
        config: &Config,
        sdk: &SdkConfig,
        coordination: &Arc<Coordination>,
        metrics: &Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let s3 = s3_client(sdk);
        let signer = Signer::new(sdk);
        let pipeline = PipelineStores {
            dynamodb: dynamodb.clone(),
            s3: s3.clone(),
            conversations_table: config.conversations_table.clone(),
            effects_table: config.effects_table.clone(),
            logs_bucket: config.logs_bucket.clone(),
        };
        let documents = Documents::new(s3.clone(), config.logs_bucket.clone());
        let progress = Progress::new(dynamodb.clone(), config.progress_table.clone());
        let learners = Learners::new(dynamodb.clone(), config.users_table.clone(), progress.clone());
        let results = ResultReader::new(
            Journal::reader(dynamodb.clone(), &config.conversations_table),
            documents.clone(),
            dynamodb.clone(),
            config.effects_table.clone(),
        );
        let pictures = Pictures::new(
            dynamodb.clone(),
            config.images_table.clone(),
            s3.clone(),
            config.images_bucket.clone(),
            Arc::clone(metrics),
        );
        Self {
            journal: Journal::new(dynamodb.clone(), aws_sdk_sqs::Client::new(sdk), config.journal()),
            recordings: Recordings::new(s3, signer.clone(), config.audio_bucket.clone()),
            pipeline: PipelineReader::new(pipeline),
            pictures,
            learners: learners.clone(),
            results: ResultsWatcher::new(
                results,
                Arc::clone(coordination),
                Arc::clone(metrics),
                shutdown.clone(),
            ),
            feed: Feed::new(progress.clone(), learners, shutdown),
            documents,
            progress,
            signer,
        }
    }

    /// Deletes the content of a conversation of `owner`: turns, transcript, assessment and recordings. Its part in the
    /// learner's progress stays: sums contain nothing that was said.
    ///
    /// Returns `false` if the owner has no such conversation. A repetition continues an interrupted deletion.
    pub async fn delete(
        &self,
        owner: &UserId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<bool, DeleteError> {
        let found = self.pipeline.find(id).await.map_err(anyhow::Error::from)?;
        let Some(found) = found.filter(|found| found.header.start.user_id == *owner) else {
            return Ok(false);
        };
        check_deletable(&found, now)?;
        self.journal.mark_deleted(id, now).await.map_err(anyhow::Error::from)?;
        self.documents.delete(owner, id).await?;
        self.recordings.delete(owner, id).await?;
        self.journal.delete_turns(id).await.map_err(anyhow::Error::from)?;
        tracing::info!(conversation.id = %id, "a learner deleted a conversation");
        Ok(true)
    }
}

/// Whether a conversation can be deleted at `now`. While workers process it, they would store its content again. Where
/// the pipeline has stopped it can be deleted nevertheless: a worker that continues later finds the deletion mark.
fn check_deletable(found: &Found, now: Timestamp) -> Result<(), DeleteError> {
    let Some(ended) = found.header.ended else { return Err(DeleteError::Live) };
    let patience = SignedDuration::from_secs(i64::from(LIMITS.complete_seconds));
    let stopped = now.duration_since(ended.at) >= patience;
    if stopped || found.trail().is_complete() { Ok(()) } else { Err(DeleteError::InPipeline) }
}
