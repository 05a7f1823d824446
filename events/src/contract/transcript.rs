//! PURE. The transcript document, stored compressed under `transcripts/{userId}/{conversationId}.json.gz`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConversationId, ConversationMetrics, EndReason, FeedbackLanguage, Level, Turn, Usage, UserId};

/// A conversation in words, with what was measured while it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// Version of this document's shape, `major.minor`.
    pub version: String,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture they talked about.
    pub image_id: String,
    /// The learner's level when the conversation began.
    pub level: Level,
    /// The language in which the learner reads the assessment; absent in version 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback_language: Option<FeedbackLanguage>,
    /// The learner's IANA time zone, which decides the day in UserProgress; absent in version 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// End.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub ended_at: Timestamp,
    /// Why it ended.
    pub reason: EndReason,
    /// Tokens used.
    pub usage: Usage,
    /// What was measured; absent where the process that measured was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ConversationMetrics>,
    /// The turns in order.
    pub turns: Vec<TranscriptTurn>,
}

/// A turn of the transcript: the journalled turn with the address of its audio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptTurn {
    /// The turn.
    pub turn: Turn,
    /// `s3://bucket/key` of the turn's audio, where there was an object when the transcript was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_uri: Option<String>,
    /// The turn was recorded and the recording was lost before it was stored: its key leads nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub audio_missing: bool,
}

/// Data of `transcript.stored`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptStored {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The transcript as compressed JSON.
    pub document: ObjectRef,
    /// The transcript as readable text.
    pub text: ObjectRef,
    /// Turns in it.
    pub turns: u32,
}

/// An object in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// SHA-256 of the stored bytes, in lower-case hex.
    pub sha256: String,
}
