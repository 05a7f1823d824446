//! PURE. The closed list of events on the bus, the envelope they travel in, and the documents they point to.
//!
//! An event states a fact in the past tense. Its envelope is the whole `detail` of an EventBridge entry:
//! `{schema, version, id, occurredAt, traceparent, data}`. Events carry keys into the Conversations table and
//! into S3, never the words of a conversation.
//!
//! Compatibility: an unknown minor version is accepted (unknown fields are ignored, new fields are optional);
//! an unknown major version is [`DecodeError::UnknownMajor`], which a consumer parks, because in a rolling
//! deploy it is the older worker that does not understand.

mod account;
mod assessment;
mod conversation;
mod envelope;
mod id;
mod metrics;
mod progress;
#[cfg(test)]
pub(crate) mod samples;
mod schema;
mod stage;
mod trace;
mod transcript;

pub use account::AccountDeletionRequested;
pub use assessment::{
    Assessment, Correction, Cost, Evidence, Flag, Measures, Skill, SkillScore, Skills, StoredAnalysis,
};
pub use conversation::{EndReason, FeedbackLanguage, Level, Speaker, StreamUsage, Turn, Usage};
pub use envelope::{
    AnalysisFailed, AnalysisFailure, ConversationAnalyzed, ConversationCompleted, DecodeError, Envelope,
    Event, ObjectRef, Scores, TranscriptStored,
};
pub use id::{ConversationId, EventId, UserId};
pub use metrics::{AnswerLatency, ConversationMetrics, Latencies};
pub use progress::{Direction, Milestone, ProgressUpdated, Standing, Streak, Totals, Trend};
pub use schema::{DOCUMENT_NAMES, EVENT_NAMES, document_schema_of, schema_of};
pub use stage::{ConversationStalled, Stage};
pub use trace::{InvalidTraceParent, RANDOM_BYTES, TraceParent};
pub use transcript::{Transcript, TranscriptTurn};
