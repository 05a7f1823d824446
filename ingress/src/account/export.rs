//! Everything that is held about a learner, as one JSON document that is written while it is read: its pieces are made
//! one conversation at a time and wait for whoever reads them, so memory stays bounded whatever the learner's past.
//!
//! A failure breaks the answer off: what arrived is no JSON then, and cannot be taken for the whole.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    api::problem::{ApiError, Code},
    store::users::User,
};

mod held;

pub use held::Held;

/// The version of the document's shape. A later minor version has more fields.
pub const VERSION: &str = "1.0";

/// Exports at one time on a task.
pub const EXPORTS_MAX: usize = 4;

/// Longest time that an export may take, with all waiting for its reader.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(600);

/// Pieces that wait for the reader; a piece is one conversation at most.
const PIECES_WAITING: usize = 2;

/// Makes exports.
#[derive(Clone, Debug)]
pub struct Exports {
    held: Held,
    permits: Arc<Semaphore>,
}

/// Everything that is held about a learner. The document is written piece by piece and not from this type, which says
/// what it looks like.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// The version of the document's shape, major.minor.
    version: String,
    /// When it was begun.
    #[schemars(with = "String", extend("format" = "date-time"))]
    exported_at: Timestamp,
    /// The record of the account. E-mail address and password are in the user pool alone.
    account: User,
    /// Progress by day, `YYYY-MM-DD`, and over all days, as `total`: sums, and texts as they are stored.
    progress: BTreeMap<String, BTreeMap<String, Value>>,
    /// Conversations, the oldest first.
    conversations: Vec<Exported>,
}

/// A conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// Its id.
    conversation_id: ConversationId,
    /// The learner.
    user_id: UserId,
    /// The picture.
    image_id: String,
    /// The learner's level when it began.
    level: Level,
    /// The language of the assessment.
    feedback_language: FeedbackLanguage,
    /// The learner's time zone when it began.
    time_zone: String,
    /// Who the tutor sounded like.
    voice: Option<String>,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// When it ended, once it has.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    ended_at: Option<Timestamp>,
    /// Why it ended.
    end_reason: Option<EndReason>,
    /// Tokens used.
    usage: Option<Usage>,
    /// What was measured.
    metrics: Option<ConversationMetrics>,
    /// What was said, as the journal holds it.
    turns: Vec<Turn>,
    /// The stored transcript.
    #[schemars(with = "Option<Transcript>")]
    transcript: Option<Value>,
    /// The stored assessment.
    #[schemars(with = "Option<StoredAnalysis>")]
    assessment: Option<Value>,
    /// The recordings that are kept.
    recordings: Vec<Recording>,
}

/// A recording.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// Its name in the store, to which the turns refer.
    key: String,
    /// Where the WAV file can be fetched for an hour.
    url: String,
}

impl Exports {
    /// Exports of what is `held`.
    #[must_use]
    pub fn new(held: Held) -> Self {
        Self { held, permits: Arc::new(Semaphore::new(EXPORTS_MAX)) }
    }

    /// Begins the export of the learner of `user`: the pieces of the document.
    ///
    /// # Errors
    /// 503 while as many exports as may run are running.
    pub fn begin(&self, user: User) -> Result<ReceiverStream<io::Result<Bytes>>, ApiError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| ApiError::refused(Code::Busy, "too many exports at the moment"))?;
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        tokio::spawn(run(self.held.clone(), user, sender, permit));
        Ok(ReceiverStream::new(receiver))
    }
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// Writes the document to its end, to a failure, or until nobody reads it.
async fn run(held: Held, user: User, pieces: Pieces, _permit: OwnedSemaphorePermit) {
    let written = tokio::time::timeout(EXPORT_TIMEOUT, Box::pin(write(&held, user, &pieces))).await;
    let written = written.unwrap_or_else(|_| Err(anyhow!("it took longer than {EXPORT_TIMEOUT:?}")));
    if let Err(error) = written
        && !pieces.is_closed()
    {
        tracing::error!(error = format!("{error:#}"), "an export broke off");
        // Without room for it the answer breaks off all the same, when the sender goes: the document has no end.
        let _ = pieces.try_send(Err(io::Error::other("the export broke off")));
    }
}

async fn write(held: &Held, user: User, pieces: &Pieces) -> anyhow::Result<()> {
    let user_id = user.user_id.clone();
    let head = Head { version: VERSION, exported_at: Timestamp::now(), account: user };
    send(pieces, open(&head)?).await?;
    send(pieces, ",\"progress\":".to_owned() + &serde_json::to_string(&held.progress(&user_id).await?)?)
        .await?;
    send(pieces, ",\"conversations\":[".to_owned()).await?;
    let (mut after, mut separator) = (None, "");
    loop {
        let page = held.journal.ids_of_learner(&user_id, after).await?;
        for id in page.conversations {
            let Some(conversation) = Box::pin(exported(held, id)).await? else { continue };
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

/// What the document begins with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    version: &'static str,
    exported_at: Timestamp,
    account: User,
}

/// The JSON of an object without its last brace.
fn open(object: &impl Serialize) -> anyhow::Result<String> {
    let mut json = serde_json::to_string(object)?;
    anyhow::ensure!(json.pop() == Some('}'), "only an object is left open");
    Ok(json)
}

/// Waits until the reader has room.
async fn send(pieces: &Pieces, piece: String) -> anyhow::Result<()> {
    pieces.send(Ok(piece.into())).await.ok().context("nobody reads the export any more")
}

/// A conversation with everything that belongs to it. `None` where the index was late and it is gone.
async fn exported(held: &Held, id: ConversationId) -> anyhow::Result<Option<Exported>> {
    let Some(conversation) = held.journal.load(id).await? else { return Ok(None) };
    let user_id = conversation.header.start.user_id.clone();
    let (transcript, assessment, recordings) = tokio::try_join!(
        held.transcript(&user_id, id),
        held.assessment(&user_id, id),
        held.recordings(&user_id, id),
    )?;
    Ok(Some(assembled(conversation, transcript, assessment, recordings)))
}

fn assembled(
    conversation: Conversation,
    transcript: Option<Value>,
    assessment: Option<Value>,
    recordings: Vec<Recording>,
) -> Exported {
    let Conversation { header, turns } = conversation;
    let (start, ended) = (header.start, header.ended);
    Exported {
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

    /// Exports from stores that are nowhere: the connection is refused at once.
    fn exports() -> Exports {
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url("http://127.0.0.1:1")
            .build();
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        Exports::new(Held {
            journal: Journal::reader(dynamodb.clone(), "c"),
            dynamodb,
            progress_table: "p".to_owned(),
            s3: aws_sdk_s3::Client::new(&sdk),
            logs_bucket: "l".to_owned(),
            audio_bucket: "a".to_owned(),
        })
    }

    fn user() -> User {
        let user_id = "7c9e6679-7425-40de-944b-e07fc1f90ae7".parse().unwrap();
        User::new(user_id, Profile::new("Mina Kim".to_owned()), "2026-11-25T08:15:30Z".parse().unwrap())
    }

    #[tokio::test]
    async fn exports_at_one_time_are_bounded() {
        let exports = exports();
        let running: Vec<_> = (0..EXPORTS_MAX).map(|_| exports.begin(user()).unwrap()).collect();
        assert_eq!(exports.begin(user()).unwrap_err().code(), Code::Busy);
        // Whoever stops reading gives the place back.
        drop(running);
        let _place = exports.permits.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn an_export_that_fails_breaks_off() {
        use tokio_stream::StreamExt as _;
        let pieces: Vec<io::Result<Bytes>> = exports().begin(user()).unwrap().collect().await;
        let whole: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
        assert!(whole.starts_with(b"{\"version\":\"1.0\""), "{pieces:?}");
        assert!(serde_json::from_slice::<Value>(&whole).is_err(), "half a document is read as a whole one");
    }

    #[test]
    fn the_pieces_of_a_document_are_one_that_its_schema_accepts() {
        let account = user();
        let (user_id, now) = (account.user_id.clone(), account.created_at);
        let head = Head { version: VERSION, exported_at: now, account };
        let conversation = Exported {
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
            recordings: vec![Recording { key: "audio/a/b/0.wav".to_owned(), url: "https://s3/".to_owned() }],
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
        let mut spoilt = document.clone();
        spoilt["conversations"][0]["startedAt"] = Value::Null;
        assert!(!validator.is_valid(&spoilt));
        assert!(open(&1).is_err());
    }
}
