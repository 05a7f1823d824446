//! The export of all data about a learner, as one JSON document that is streamed: its pieces are produced one conversation
//! at a time and wait for the reader, so memory stays bounded however much there is.
//!
//! A failure cuts the response: what arrived is then invalid JSON and cannot be mistaken for the whole document.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use events::{
    contract::{
        ConversationId, ConversationMetrics, EndReason, FeedbackLanguage, Level, StoredAnalysis, Transcript,
        Turn, Usage, UserId,
    },
    journal::Conversation,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    coordination::{Claim, Coordination},
    store::users::User,
};

mod owned_data;

pub use owned_data::OwnedData;

/// The version of the document's schema. A later minor version only adds fields.
pub const VERSION: &str = "1.0";

/// Maximum number of concurrent exports of a task.
pub const EXPORTS_MAX: usize = 4;

/// Timeout of an export, including the time that it waits for its reader.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(600);

/// Pieces that wait for the reader; a piece is at most one conversation.
const PIECES_WAITING: usize = 2;

#[derive(Clone, Debug)]
pub struct Exports {
    data: OwnedData,
    permits: Arc<Semaphore>,
    /// The learners with a running export.
    learners: Arc<Mutex<HashSet<UserId>>>,
    coordination: Arc<Coordination>,
}

/// All data about a learner. This type only gives the schema: the document is written piece by piece.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// The version of the schema, `major.minor`.
    version: String,
    /// Start of the export.
    #[schemars(with = "String", extend("format" = "date-time"))]
    exported_at: Timestamp,
    /// The record of the account. Only the user pool holds the e-mail address and the password.
    account: User,
    /// Progress by day (`YYYY-MM-DD`) and over all days (`total`), as stored.
    progress: BTreeMap<String, BTreeMap<String, Value>>,
    /// The conversations, oldest first.
    conversations: Vec<ExportedConversation>,
}

/// A conversation with all its data.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedConversation {
    /// The id.
    conversation_id: ConversationId,
    /// The learner.
    user_id: UserId,
    /// The id of the picture.
    image_id: String,
    /// The level of the conversation.
    level: Level,
    /// The language of the assessment.
    feedback_language: FeedbackLanguage,
    /// The IANA time zone of the conversation.
    time_zone: String,
    /// The voice of the tutor.
    voice: Option<String>,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// End; absent while it is live.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    ended_at: Option<Timestamp>,
    /// Reason of the end.
    end_reason: Option<EndReason>,
    /// Tokens used.
    usage: Option<Usage>,
    /// Technical metrics.
    metrics: Option<ConversationMetrics>,
    /// The turns, as recorded in the journal.
    turns: Vec<Turn>,
    /// The stored transcript.
    #[schemars(with = "Option<Transcript>")]
    transcript: Option<Value>,
    /// The stored assessment.
    #[schemars(with = "Option<StoredAnalysis>")]
    assessment: Option<Value>,
    /// The stored recordings.
    recordings: Vec<RecordingLink>,
}

/// A recording.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordingLink {
    /// The storage key, which turns refer to.
    key: String,
    /// URL of the WAV file, valid for 45 to 60 minutes, or less if the service's credentials expire earlier.
    url: String,
}

/// Why an export does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportBusyError {
    /// [`EXPORTS_MAX`] exports are running.
    #[error("too many exports are running at the moment")]
    All,
    /// The learner has one export at a time.
    #[error("an export of your data is running already")]
    Own,
}

/// An export that is running; dropping it ends it.
#[derive(Debug)]
struct Running {
    learners: Arc<Mutex<HashSet<UserId>>>,
    user_id: UserId,
    coordination: Arc<Coordination>,
    /// The owner of the claim that keeps other tasks from another export.
    owner: String,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.learners.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.user_id);
        // A claim that is not released expires.
        if let Ok(runtime) = Handle::try_current() {
            let coordination = Arc::clone(&self.coordination);
            let (key, owner) = (claim_key(&self.user_id), std::mem::take(&mut self.owner));
            runtime.spawn(async move { coordination.release(&key, &owner).await });
        }
    }
}

fn claim_key(user_id: &UserId) -> String {
    format!("export/{user_id}")
}

impl Exports {
    #[must_use]
    pub fn new(data: OwnedData, coordination: Arc<Coordination>) -> Self {
        let permits = Arc::new(Semaphore::new(EXPORTS_MAX));
        Self { data, permits, learners: Arc::default(), coordination }
    }

    /// Starts the export of `user` and returns the pieces of the document.
    ///
    /// # Errors
    /// See [`ExportBusyError`].
    pub async fn begin(&self, user: User) -> Result<ReceiverStream<io::Result<Bytes>>, ExportBusyError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| ExportBusyError::All)?;
        let (learners, user_id) = (Arc::clone(&self.learners), user.user_id.clone());
        if !learners.lock().unwrap_or_else(PoisonError::into_inner).insert(user_id.clone()) {
            return Err(ExportBusyError::Own);
        }
        let (coordination, owner) = (Arc::clone(&self.coordination), uuid::Uuid::new_v4().to_string());
        let key = claim_key(&user_id);
        let running = Running { learners, user_id, coordination, owner: owner.clone(), _permit: permit };
        // Without Redis each task knows its own exports.
        if let Ok(Claim::Held(_)) = self.coordination.claim(&key, &owner, EXPORT_TIMEOUT).await {
            return Err(ExportBusyError::Own);
        }
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        tokio::spawn(run(self.data.clone(), user, sender, running));
        Ok(ReceiverStream::new(receiver))
    }
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// Writes the document until its end, a failure, or the loss of its reader.
async fn run(data: OwnedData, user: User, pieces: Pieces, _running: Running) {
    let written = tokio::time::timeout(EXPORT_TIMEOUT, Box::pin(write(&data, user, &pieces))).await;
    let written = written.unwrap_or_else(|_| Err(anyhow!("it took longer than {EXPORT_TIMEOUT:?}")));
    if let Err(error) = written
        && !pieces.is_closed()
    {
        tracing::error!(error = format!("{error:#}"), "an export failed");
        // If there is no room for it, the response is cut all the same when the sender is dropped: the document has no end.
        let _ = pieces.try_send(Err(io::Error::other("the export failed")));
    }
}

async fn write(data: &OwnedData, user: User, pieces: &Pieces) -> anyhow::Result<()> {
    let user_id = user.user_id.clone();
    let head = Head { version: VERSION, exported_at: Timestamp::now(), account: user };
    send(pieces, open(&head)?).await?;
    send(pieces, ",\"progress\":".to_owned() + &serde_json::to_string(&data.progress(&user_id).await?)?)
        .await?;
    send(pieces, ",\"conversations\":[".to_owned()).await?;
    let (mut after, mut separator) = (None, "");
    loop {
        let page = data.journal.ids_of_learner(&user_id, after).await?;
        for id in page.conversations {
            let Some(conversation) = Box::pin(exported(data, id)).await? else { continue };
            send(pieces, separator.to_owned() + &serde_json::to_string(&conversation)?).await?;
            separator = ",";
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    send(pieces, "]}".to_owned()).await
}

/// The beginning of the document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    version: &'static str,
    exported_at: Timestamp,
    account: User,
}

/// The JSON of an object without its closing brace.
fn open(object: &impl Serialize) -> anyhow::Result<String> {
    let mut json = serde_json::to_string(object)?;
    anyhow::ensure!(json.pop() == Some('}'), "only an object is left open");
    Ok(json)
}

/// Sends a piece once the reader has room.
async fn send(pieces: &Pieces, piece: String) -> anyhow::Result<()> {
    pieces.send(Ok(piece.into())).await.ok().context("the reader of the export is gone")
}

/// Reads a conversation with all its data. `None` if it was deleted after the index was read.
async fn exported(data: &OwnedData, id: ConversationId) -> anyhow::Result<Option<ExportedConversation>> {
    let Some(conversation) = data.journal.load(id).await? else { return Ok(None) };
    let user_id = conversation.header.start.user_id.clone();
    let (transcript, assessment, recordings) = tokio::try_join!(
        data.transcript(&user_id, id),
        data.assessment(&user_id, id),
        data.recordings(&user_id, id),
    )?;
    Ok(Some(assembled(conversation, transcript, assessment, recordings)))
}

fn assembled(
    conversation: Conversation,
    transcript: Option<Value>,
    assessment: Option<Value>,
    recordings: Vec<RecordingLink>,
) -> ExportedConversation {
    let Conversation { header, turns } = conversation;
    let (start, ended) = (header.start, header.ended);
    ExportedConversation {
        conversation_id: start.conversation_id,
        user_id: start.user_id,
        image_id: start.image_id,
        level: start.level,
        feedback_language: start.feedback_language,
        time_zone: start.time_zone,
        voice: start.voice,
        started_at: start.conversation_id.started_at(),
        ended_at: ended.map(|ended| ended.at),
        end_reason: ended.map(|ended| ended.end.reason),
        usage: ended.map(|ended| ended.end.usage),
        metrics: ended.and_then(|ended| ended.end.metrics),
        turns,
        transcript,
        assessment,
        recordings,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
    use events::journal::Journal;

    use super::*;
    use crate::account::profile::Profile;

    /// Exports from stores that do not exist: the connection is refused at once.
    fn exports(coordination: Arc<Coordination>) -> Exports {
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url("http://127.0.0.1:1")
            .build();
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let data = OwnedData {
            journal: Journal::reader(dynamodb.clone(), "c"),
            dynamodb,
            progress_table: "p".to_owned(),
            s3: aws_sdk_s3::Client::new(&sdk),
            signer: crate::store::signed::Signer::new(&sdk),
            logs_bucket: "l".to_owned(),
            audio_bucket: "a".to_owned(),
        };
        Exports::new(data, coordination)
    }

    fn user() -> User {
        learner("7c9e6679-7425-40de-944b-e07fc1f90ae7")
    }

    fn learner(user_id: &str) -> User {
        let user_id = user_id.parse().unwrap();
        User::new(user_id, Profile::new("Mina Kim".to_owned()), "2026-11-25T08:15:30Z".parse().unwrap())
    }

    #[tokio::test]
    async fn exports_at_one_time_are_bounded() {
        let exports = exports(Arc::new(Coordination::in_process()));
        let mut running = Vec::new();
        for n in 0..EXPORTS_MAX {
            running.push(exports.begin(learner(&format!("learner-{n}"))).await.unwrap());
        }
        assert_eq!(exports.begin(user()).await.unwrap_err(), ExportBusyError::All);
        // A reader that is dropped frees its permit.
        drop(running);
        let _permit = exports.permits.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn learner_has_one_export_at_a_time() {
        let coordination = Arc::new(Coordination::in_process());
        let [exports, other_task] = [(); 2].map(|()| exports(Arc::clone(&coordination)));
        let first = exports.begin(user()).await.unwrap();
        for task in [&exports, &other_task] {
            assert_eq!(task.begin(user()).await.unwrap_err(), ExportBusyError::Own);
        }
        assert!(exports.begin(learner("another")).await.is_ok());
        drop(first);
        let _all = exports.permits.acquire_many(u32::try_from(EXPORTS_MAX).unwrap()).await.unwrap();
        assert!(exports.learners.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_export_that_fails_breaks_off() {
        use tokio_stream::StreamExt as _;
        let pieces: Vec<io::Result<Bytes>> =
            exports(Arc::new(Coordination::in_process())).begin(user()).await.unwrap().collect().await;
        let whole: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
        assert!(whole.starts_with(b"{\"version\":\"1.0\""), "{pieces:?}");
        assert!(serde_json::from_slice::<Value>(&whole).is_err(), "half a document is read as a whole one");
    }

    #[test]
    fn the_pieces_of_a_document_are_one_that_its_schema_accepts() {
        let account = user();
        let (user_id, now) = (account.user_id.clone(), account.created_at);
        let head = Head { version: VERSION, exported_at: now, account };
        let conversation = ExportedConversation {
            conversation_id: ConversationId::new(now, [7; 10]),
            user_id,
            image_id: "street-market".to_owned(),
            level: Level::B1,
            feedback_language: FeedbackLanguage::English,
            time_zone: "UTC".to_owned(),
            voice: None,
            started_at: now,
            ended_at: Some(now),
            end_reason: Some(EndReason::Learner),
            usage: Some(Usage::default()),
            metrics: None,
            turns: Vec::new(),
            transcript: None,
            assessment: None,
            recordings: vec![RecordingLink {
                key: "audio/a/b/0.wav".to_owned(),
                url: "https://s3/".to_owned(),
            }],
        };
        let conversation = serde_json::to_string(&conversation).unwrap();
        let progress = serde_json::json!({ "total": { "conversations": 1, "level": "B1" } });
        let text = format!(
            "{},\"progress\":{progress},\"conversations\":[{conversation},{conversation}]}}",
            open(&head).unwrap()
        );
        let document: Value = serde_json::from_str(&text).unwrap();
        let schema = schemars::schema_for!(Export).to_value();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.validate(&document).is_ok(), "{:?}", validator.validate(&document));
        let mut invalid = document.clone();
        invalid["conversations"][0]["startedAt"] = Value::Null;
        assert!(!validator.is_valid(&invalid));
        assert!(open(&1).is_err());
    }
}
