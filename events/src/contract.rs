//! PURE. The events on the bus, their envelope, and the documents that they point to.
//!
//! An event states a fact in the past tense. Its envelope is the `detail` of an EventBridge entry:
//! `{schema, version, id, occurredAt, traceparent, data}`. Events carry keys into the Conversations table and
//! into S3, never the words of a conversation.
//!
//! Compatibility: an unknown minor version is accepted (unknown fields are ignored, new fields are optional). An
//! unknown major version is [`DecodeError::UnknownMajor`]. A consumer parks such a message, because in a rolling
//! deployment the reader is the older side.

mod account;
mod assessment;
mod conversation;
mod envelope;
mod event;
mod id;
pub mod live;
mod measures;
mod metrics;
mod progress;
mod schema;
mod stage;
#[cfg(test)]
pub(crate) mod test_samples;
mod trace;
mod transcript;

pub use account::AccountDeletionRequested;
pub use assessment::{
    AnalysisFailed, AnalysisFailure, Assessment, ComparedValue, Comparison, ConversationAnalyzed, Correction,
    Cost, Evidence, Flag, ObjectiveResult, ObjectiveVerdict, QuotePlace, Scores, Skill, SkillScore, Skills,
    StoredAnalysis,
};
pub use conversation::{
    ConversationCompleted, EndReason, FeedbackLanguage, Level, Speaker, StreamUsage, Turn, Usage,
};
pub use envelope::{DecodeError, Envelope};
pub use event::{EVENT_NAMES, Event, schema_of};
pub use id::{ConversationId, ConversationIdError, EventId, UserId, UserIdError};
pub use measures::Measures;
pub use metrics::{AnswerLatency, ConversationMetrics, Latencies};
pub use progress::{Direction, Milestone, ProgressUpdated, Standing, Streak, Totals, Trend};
pub use schema::{DOCUMENT_NAMES, document_schema_of};
pub use stage::{ConversationStalled, Stage};
pub use trace::{RANDOM_BYTES, TraceParent, TraceParentError};
pub use transcript::{ObjectRef, Transcript, TranscriptStored, TranscriptTurn};
