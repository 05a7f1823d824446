//! PURE. The envelope and the events. Decoding is total: any text is an envelope or a [`DecodeError`].

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    AccountDeletionRequested, ConversationId, ConversationMetrics, ConversationStalled, EndReason, EventId,
    FeedbackLanguage, Flag, Level, ProgressUpdated, Usage, UserId, id::caused,
};

/// The version written by this build, for every event. 1.1 added optional fields: what was measured, and where a
/// learner stands.
const VERSION: &str = "1.1";

/// The major version understood by this build, for every event.
const MAJOR: u32 = 1;

/// An event with its identity, as it stands in the `detail` of an EventBridge entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// What identifies the fact, whoever publishes it.
    pub id: EventId,
    /// When the fact occurred.
    pub occurred_at: Timestamp,
    /// W3C trace context of the conversation, `00-<trace>-<span>-<flags>`.
    pub traceparent: Option<String>,
    /// The fact.
    pub event: Event,
}

/// Everything that can be published. `detail-type` on the bus is [`Event::schema`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A conversation ended and its turns are in the journal.
    ConversationCompleted(ConversationCompleted),
    /// The transcript of a conversation is in S3.
    TranscriptStored(TranscriptStored),
    /// The assessment of a conversation is in S3.
    ConversationAnalyzed(ConversationAnalyzed),
    /// The conversation will not be assessed.
    AnalysisFailed(AnalysisFailed),
    /// UserProgress of one learner's day changed.
    ProgressUpdated(ProgressUpdated),
    /// A conversation has stopped on its way through the pipeline.
    ConversationStalled(ConversationStalled),
    /// An account and all its data are to be deleted.
    AccountDeletionRequested(AccountDeletionRequested),
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
    /// The learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// Tokens used.
    pub usage: Usage,
    /// What was measured; absent where the process that measured was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<ConversationMetrics>,
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

/// Data of `conversation.analyzed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationAnalyzed {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture they talked about.
    pub image_id: String,
    /// The learner's IANA time zone, which decides the day in UserProgress.
    pub time_zone: String,
    /// Start of the conversation.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// The assessment as compressed JSON.
    pub document: ObjectRef,
    /// Its scores.
    pub scores: Scores,
    /// The level the conversation was at.
    pub cefr: Level,
    /// What a person should look at.
    pub flags: Vec<Flag>,
    /// The model that assessed.
    pub model_id: String,
    /// Whether the model was simulated.
    pub simulated: bool,
}

/// Scores of an assessment, each from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scores {
    /// The whole conversation.
    #[schemars(range(max = 100))]
    pub overall: u8,
    /// Fluency.
    #[schemars(range(max = 100))]
    pub fluency: u8,
    /// Vocabulary.
    #[schemars(range(max = 100))]
    pub vocabulary: u8,
    /// Grammar.
    #[schemars(range(max = 100))]
    pub grammar: u8,
    /// Relevance to the picture.
    #[schemars(range(max = 100))]
    pub relevance: u8,
}

/// Data of `analysis.failed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisFailed {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// Why.
    pub failure: AnalysisFailure,
    /// The model that was asked, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
}

/// Why a conversation has no assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisFailure {
    /// The learner said nothing that could be assessed.
    NothingSaid,
    /// The model's answer did not fit the schema, the ranges or the transcript, twice.
    InvalidOutput,
    /// The model refused to answer.
    Refused,
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

/// Why a text is not an event this build can handle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not an envelope, or its data does not fit its schema.
    #[error("the event is malformed: {0}")]
    Malformed(String),
    /// A schema outside the closed list.
    #[error("the event schema {0:?} is unknown")]
    UnknownSchema(String),
    /// A major version this build does not understand; a newer build may.
    #[error("version {version:?} of {schema} is unknown, this build understands {MAJOR}.x")]
    UnknownMajor {
        /// The event's schema.
        schema: String,
        /// The event's version.
        version: String,
    },
}

/// The envelope as it is written: the published shape.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema: String,
    version: String,
    id: EventId,
    occurred_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: serde_json::Value,
}

impl Event {
    /// The name of the event, for example `conversation.completed`.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        match self {
            Self::ConversationCompleted(_) => "conversation.completed",
            Self::TranscriptStored(_) => "transcript.stored",
            Self::ConversationAnalyzed(_) => "conversation.analyzed",
            Self::AnalysisFailed(_) => "analysis.failed",
            Self::ProgressUpdated(_) => "progress.updated",
            Self::ConversationStalled(_) => "conversation.stalled",
            Self::AccountDeletionRequested(_) => "account.deletion_requested",
        }
    }

    /// The conversation the event is about, if it is about one.
    #[must_use]
    pub fn conversation_id(&self) -> Option<ConversationId> {
        match self {
            Self::ConversationCompleted(data) => Some(data.conversation_id),
            Self::TranscriptStored(data) => Some(data.conversation_id),
            Self::ConversationAnalyzed(data) => Some(data.conversation_id),
            Self::AnalysisFailed(data) => Some(data.conversation_id),
            Self::ProgressUpdated(data) => Some(data.conversation_id),
            Self::ConversationStalled(data) => Some(data.conversation_id),
            Self::AccountDeletionRequested(_) => None,
        }
    }

    /// The learner the event is about.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        match self {
            Self::ConversationCompleted(data) => &data.user_id,
            Self::TranscriptStored(data) => &data.user_id,
            Self::ConversationAnalyzed(data) => &data.user_id,
            Self::AnalysisFailed(data) => &data.user_id,
            Self::ProgressUpdated(data) => &data.user_id,
            Self::ConversationStalled(data) => &data.user_id,
            Self::AccountDeletionRequested(data) => &data.user_id,
        }
    }

    /// The id of what the event is about, a conversation or a learner: events with the same subject belong to one
    /// trace.
    #[must_use]
    pub fn subject(&self) -> String {
        self.conversation_id().map_or_else(|| self.user_id().to_string(), |id| id.to_string())
    }

    /// The id of this fact; `qualified` is its schema, with what tells it from others of its kind.
    fn id(&self, qualified: &str) -> EventId {
        match self.conversation_id() {
            Some(id) => EventId::derive(id, qualified),
            None => EventId::derive_of_user(self.user_id(), qualified),
        }
    }

    fn data(&self) -> serde_json::Result<serde_json::Value> {
        match self {
            Self::ConversationCompleted(data) => serde_json::to_value(data),
            Self::TranscriptStored(data) => serde_json::to_value(data),
            Self::ConversationAnalyzed(data) => serde_json::to_value(data),
            Self::AnalysisFailed(data) => serde_json::to_value(data),
            Self::ProgressUpdated(data) => serde_json::to_value(data),
            Self::ConversationStalled(data) => serde_json::to_value(data),
            Self::AccountDeletionRequested(data) => serde_json::to_value(data),
        }
    }
}

impl Envelope {
    /// Wraps `event`, giving it the id that every publisher of the same fact gives it.
    ///
    /// A `progress.updated` is caused by two events of one conversation, so its id is derived by
    /// [`Envelope::caused_by`].
    #[must_use]
    pub fn new(event: Event, occurred_at: Timestamp, traceparent: Option<String>) -> Self {
        let id = event.id(event.schema());
        Self { id, occurred_at, traceparent, event }
    }

    /// Wraps an `event` of which there can be several about one conversation: `cause` tells them apart. It is the
    /// schema of the event that caused this one, or the stage at which a conversation stalled.
    #[must_use]
    pub fn caused_by(cause: &str, event: Event, occurred_at: Timestamp, traceparent: Option<String>) -> Self {
        let id = event.id(&caused(event.schema(), cause));
        Self { id, occurred_at, traceparent, event }
    }

    /// The envelope as the JSON text of an EventBridge `detail`.
    #[must_use]
    pub fn encode(&self) -> String {
        let wire = Wire {
            schema: self.event.schema().to_owned(),
            version: VERSION.to_owned(),
            id: self.id,
            occurred_at: self.occurred_at,
            traceparent: self.traceparent.clone(),
            data: self.event.data().expect("event data has string keys and finite numbers only"),
        };
        serde_json::to_string(&wire).expect("an envelope has string keys and finite numbers only")
    }

    /// Reads an envelope from the JSON text of a `detail`.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let wire: Wire = serde_json::from_str(text).map_err(malformed)?;
        Self::from_wire(wire)
    }

    /// Reads an envelope from the body of an SQS message: an EventBridge event whose `detail` is the envelope,
    /// or the bare envelope.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_message(body: &str) -> Result<Self, DecodeError> {
        let mut value: serde_json::Value = serde_json::from_str(body).map_err(malformed)?;
        if let Some(detail) = value.get_mut("detail") {
            value = detail.take();
        }
        let wire: Wire = serde_json::from_value(value).map_err(malformed)?;
        Self::from_wire(wire)
    }

    fn from_wire(wire: Wire) -> Result<Self, DecodeError> {
        let major = wire.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let Some(major) = major else {
            return Err(DecodeError::Malformed(format!("version {:?} is not major.minor", wire.version)));
        };
        if major != MAJOR {
            return Err(DecodeError::UnknownMajor { schema: wire.schema, version: wire.version });
        }
        let event = match wire.schema.as_str() {
            "conversation.completed" => Event::ConversationCompleted(data(wire.data)?),
            "transcript.stored" => Event::TranscriptStored(data(wire.data)?),
            "conversation.analyzed" => Event::ConversationAnalyzed(data(wire.data)?),
            "analysis.failed" => Event::AnalysisFailed(data(wire.data)?),
            "progress.updated" => Event::ProgressUpdated(data(wire.data)?),
            "conversation.stalled" => Event::ConversationStalled(data(wire.data)?),
            "account.deletion_requested" => Event::AccountDeletionRequested(data(wire.data)?),
            _ => return Err(DecodeError::UnknownSchema(wire.schema)),
        };
        Ok(Self { id: wire.id, occurred_at: wire.occurred_at, traceparent: wire.traceparent, event })
    }
}

fn data<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, DecodeError> {
    serde_json::from_value(value).map_err(malformed)
}

// serde_json's messages quote at most a field name or a scalar of the wrong type; events carry no spoken words.
#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn malformed(error: serde_json::Error) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::contract::samples::{any_envelope, conversation_id};

    proptest! {
        #[test]
        fn envelope_survives_the_wire(envelope in any_envelope()) {
            let text = envelope.encode();
            prop_assert_eq!(Envelope::decode(&text).unwrap(), envelope.clone());
            prop_assert_eq!(Envelope::decode_message(&text).unwrap(), envelope.clone());
            let wrapped = json!({"version": "0", "id": "other", "detail": serde_json::from_str::<Value>(&text).unwrap()});
            prop_assert_eq!(Envelope::decode_message(&wrapped.to_string()).unwrap(), envelope);
        }

        #[test]
        fn minor_version_and_unknown_fields_do_not_matter(envelope in any_envelope(), minor in any::<u32>()) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            event["version"] = json!(format!("1.{minor}"));
            event["new"] = json!("field");
            event["data"]["new"] = json!({"deep": [1]});
            prop_assert_eq!(Envelope::decode(&event.to_string()).unwrap(), envelope);
        }

        #[test]
        fn other_major_version_is_told_apart_whatever_its_data(
            envelope in any_envelope(), major in 2u32.., schema in "[a-z.]{1,20}",
        ) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            event["version"] = json!(format!("{major}.0"));
            event["schema"] = json!(schema.clone());
            event["data"] = json!([]);
            let version = format!("{major}.0");
            prop_assert_eq!(Envelope::decode(&event.to_string()), Err(DecodeError::UnknownMajor { schema, version }));
        }

        #[test]
        fn any_text_is_decoded_or_refused(text in any::<String>()) {
            prop_assert!(matches!(Envelope::decode(&text), Err(DecodeError::Malformed(_))));
            prop_assert!(matches!(Envelope::decode_message(&text), Err(DecodeError::Malformed(_))));
        }

        #[test]
        fn truncated_event_is_malformed(envelope in any_envelope(), at in any::<prop::sample::Index>()) {
            let text = envelope.encode();
            let cut: String = text.chars().take(at.index(text.chars().count())).collect();
            prop_assert!(matches!(Envelope::decode(&cut), Err(DecodeError::Malformed(_))));
        }

        #[test]
        fn event_without_one_of_its_required_fields_is_malformed(
            envelope in any_envelope(), at in any::<prop::sample::Index>(),
        ) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            let required = ["schema", "version", "id", "occurredAt", "data"];
            event.as_object_mut().unwrap().remove(required[at.index(required.len())]);
            prop_assert!(matches!(Envelope::decode(&event.to_string()), Err(DecodeError::Malformed(_))));
        }
    }

    #[test]
    fn unknown_schema_is_told_apart() {
        let event = json!({
            "schema": "conversation.forgotten", "version": "1.0", "id": "6a611583-3bd4-5207-9f93-8c04cea2a7e5",
            "occurredAt": "2026-11-23T23:49:04.829Z", "data": {},
        });
        let refused = Envelope::decode(&event.to_string());
        assert_eq!(refused, Err(DecodeError::UnknownSchema("conversation.forgotten".to_owned())));
    }

    #[test]
    fn version_without_a_number_is_malformed() {
        for version in ["", "one", "v1.0", "-1.0"] {
            let event = json!({
                "schema": "progress.updated", "version": version, "id": "6a611583-3bd4-5207-9f93-8c04cea2a7e5",
                "occurredAt": "2026-11-23T23:49:04.829Z", "data": {},
            });
            assert!(
                matches!(Envelope::decode(&event.to_string()), Err(DecodeError::Malformed(_))),
                "{version}"
            );
        }
    }

    #[test]
    fn cause_decides_the_id_where_there_can_be_several() {
        let conversation_id = conversation_id();
        let event = || {
            Event::ProgressUpdated(ProgressUpdated {
                conversation_id,
                user_id: "learner-1".parse().unwrap(),
                date: "2026-11-24".to_owned(),
                milestones: Vec::new(),
                standing: None,
            })
        };
        let by = |cause| Envelope::caused_by(cause, event(), Timestamp::UNIX_EPOCH, None).id;
        assert_eq!(by("conversation.completed"), by("conversation.completed"));
        assert_ne!(by("conversation.completed"), by("conversation.analyzed"));
        assert_ne!(by("conversation.completed"), Envelope::new(event(), Timestamp::UNIX_EPOCH, None).id);
    }
}
