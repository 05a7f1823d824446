//! PURE. The vocabulary of a conversation: who speaks, at which level, what a turn is, how it can end.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConversationId, ConversationMetrics, UserId};

/// A learner's level on the Common European Framework of Reference (CEFR).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Level {
    /// Beginner.
    A1,
    /// Elementary.
    A2,
    /// Intermediate.
    #[default]
    B1,
    /// Upper intermediate.
    B2,
    /// Advanced.
    C1,
    /// Proficient.
    C2,
}

/// The language in which a learner reads the assessment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FeedbackLanguage {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
}

/// Who spoke a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Speaker {
    /// The learner.
    Learner,
    /// The speaking partner.
    Tutor,
}

/// One turn of a conversation, as it is journalled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// Position in the conversation, from 0, without gaps.
    pub index: u32,
    /// Who spoke.
    pub speaker: Speaker,
    /// What was said: final text only.
    pub text: String,
    /// Start, in milliseconds since the start of the conversation.
    pub start_ms: u64,
    /// End, in milliseconds since the start of the conversation.
    pub end_ms: u64,
    /// Speech in this turn, in milliseconds of audio.
    pub speech_ms: u64,
    /// For a tutor turn, the milliseconds from the end of the learner's speech to the first answer audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_latency_ms: Option<u64>,
    /// Whether the other side cut the turn short.
    pub interrupted: bool,
    /// For an interrupted tutor turn, the milliseconds of it that the learner heard, as the client reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub played_ms: Option<u64>,
    /// Whether the turn was typed and not spoken.
    #[serde(default)]
    pub typed: bool,
    /// Recognition confidence from 0 to 1, where the model gives one. The events of Nova Sonic carry none (Amazon Nova
    /// user guides, "output events"), so turns of either generation have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Key of the turn's audio in the audio bucket, where there is audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_key: Option<String>,
}

impl Turn {
    /// A turn that was spoken without a pause from `start_ms` on, for `speech_ms`. It was not interrupted, and has no
    /// latency and no audio.
    #[must_use]
    pub fn spoken(
        index: u32,
        speaker: Speaker,
        text: impl Into<String>,
        start_ms: u64,
        speech_ms: u64,
    ) -> Self {
        Self {
            index,
            speaker,
            text: text.into(),
            start_ms,
            end_ms: start_ms.saturating_add(speech_ms),
            speech_ms,
            answer_latency_ms: None,
            interrupted: false,
            played_ms: None,
            typed: false,
            confidence: None,
            audio_key: None,
        }
    }
}

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The learner ended it.
    Learner,
    /// It reached the longest duration of a conversation.
    TimeLimit,
    /// Nobody spoke for too long.
    Silence,
    /// The learner's connection did not come back within the grace time.
    Disconnected,
    /// The service was stopping.
    Shutdown,
    /// The model refused or failed for good.
    ModelFailed,
    /// An error of ours.
    InternalError,
    /// The ingress task that held it died; the watchdog closed it.
    IngressLost,
}

impl EndReason {
    /// Whether a conversation that ended like this raises an alert.
    #[must_use]
    pub fn is_abnormal(self) -> bool {
        match self {
            Self::ModelFailed | Self::InternalError | Self::IngressLost => true,
            Self::Learner | Self::TimeLimit | Self::Silence | Self::Disconnected | Self::Shutdown => false,
        }
    }
}

/// Tokens used by a conversation, summed over its Sonic streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Speech and text given to the model.
    pub input: StreamUsage,
    /// Speech and text produced by the model.
    pub output: StreamUsage,
}

/// Tokens in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamUsage {
    /// Speech tokens.
    pub speech_tokens: u64,
    /// Text tokens.
    pub text_tokens: u64,
}

/// Data of `conversation.completed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationCompleted {
    /// The conversation; its turns are in the Conversations table under this id.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture they talked about.
    pub image_id: String,
    /// The learner's level when the conversation began.
    pub level: Level,
    /// The language in which the learner reads the assessment.
    pub feedback_language: FeedbackLanguage,
    /// The learner's IANA time zone, which decides the day in UserProgress.
    pub time_zone: String,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// End.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub ended_at: Timestamp,
    /// Why it ended.
    pub reason: EndReason,
    /// Turns in the journal.
    pub turns: u32,
    /// Turns of the learner among them, spoken and typed; absent before version 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner_turns: Option<u32>,
    /// The learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// Tokens used.
    pub usage: Usage,
    /// What was measured; absent where the process that measured was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ConversationMetrics>,
}
