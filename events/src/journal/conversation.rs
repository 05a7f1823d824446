//! PURE. What the journal knows of a conversation: its header, its end, its turns, and the event that follows
//! from them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Progress;
use crate::contract::{
    ConversationCompleted, ConversationId, ConversationMetrics, EndReason, Envelope, Event, FeedbackLanguage,
    Level, Speaker, Stage, Turn, Usage, UserId,
};

/// What is known of a conversation before its first word. Its start is inside its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture they talk about.
    pub image_id: String,
    /// The learner's level.
    pub level: Level,
    /// The language in which the learner reads the assessment.
    pub feedback_language: FeedbackLanguage,
    /// The learner's IANA time zone.
    pub time_zone: String,
    /// W3C trace context of the request that started the conversation.
    pub traceparent: Option<String>,
    /// The process that holds the conversation, for the people who look at the table.
    pub owner: String,
    /// Who the tutor sounds like, for whoever takes the conversation up.
    pub voice: Option<String>,
}

/// The right to write a conversation. It ends when somebody takes over, which raises the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Counts the owners, from 1. Every write carries it.
    pub epoch: u64,
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Why it ended.
    pub reason: EndReason,
    /// Tokens used.
    pub usage: Usage,
    /// Turns in the journal.
    pub turns: u32,
    /// The learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// What was measured; `None` where the process that measured was lost.
    pub metrics: Option<ConversationMetrics>,
}

/// A conversation that ended, with the event that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The `conversation.completed` to publish: the same whoever publishes it and however often.
    pub envelope: Envelope,
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody holds it, or held it and was lost.
    Active,
    /// Nothing will be added to it.
    Ended,
}

/// The end as it is journalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When, to the millisecond.
    pub at: Timestamp,
    /// The rest.
    pub end: End,
}

/// The header item of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What was known at the start; `owner` is the present owner.
    pub start: Start,
    /// A random text of the start or takeover that made the present owner one.
    pub claim: String,
    /// The present epoch.
    pub epoch: u64,
    /// Until when the owner is trusted to be alive, to the millisecond; of a conversation that was let go, until when
    /// somebody may take it up.
    pub lease_until: Timestamp,
    /// Who asks the owner to let go.
    pub handover_requested_by: Option<String>,
    /// What the conversation ends with if nobody takes it up, while its owner has let go.
    pub handed_over_as: Option<EndReason>,
    /// What the last owner that let go left behind.
    pub progress: Option<Progress>,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
    /// When its `conversation.completed` was known to be on the bus.
    pub published_at: Option<Timestamp>,
    /// When its learner deleted it: what was said is gone, and nobody stores anything of it again.
    pub deleted_at: Option<Timestamp>,
}

/// A conversation as it stands in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The header.
    pub header: Header,
    /// The turns, in order.
    pub turns: Vec<Turn>,
}

/// The body of a watchdog message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// The conversation to look after.
    pub conversation_id: ConversationId,
    /// Version of this shape, `major.minor`.
    pub version: String,
    /// Stages of the pipeline at which it is known to have stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stalled: Vec<Stage>,
}

impl End {
    /// The end of a conversation of these `turns`, whose owner was lost with what it had measured.
    #[must_use]
    pub fn of_turns(reason: EndReason, usage: Usage, turns: &[Turn]) -> Self {
        let learner_speech_ms = turns
            .iter()
            .filter(|turn| turn.speaker == Speaker::Learner)
            .fold(0, |sum: u64, turn| sum.saturating_add(turn.speech_ms));
        Self {
            reason,
            usage,
            turns: u32::try_from(turns.len()).unwrap_or(u32::MAX),
            learner_speech_ms,
            metrics: None,
        }
    }
}

impl Header {
    /// Where the conversation stands.
    #[must_use]
    pub fn state(&self) -> State {
        if self.ended.is_some() { State::Ended } else { State::Active }
    }

    /// Whether the owner's lease is over at `now`.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.lease_until <= now
    }

    /// The event that says that the conversation ended, once it has.
    #[must_use]
    pub fn completed(&self) -> Option<Envelope> {
        let Ended { at, end } = self.ended?;
        let start = &self.start;
        let event = Event::ConversationCompleted(ConversationCompleted {
            conversation_id: start.conversation_id,
            user_id: start.user_id.clone(),
            image_id: start.image_id.clone(),
            level: start.level,
            feedback_language: start.feedback_language,
            time_zone: start.time_zone.clone(),
            started_at: start.conversation_id.started_at(),
            ended_at: at,
            reason: end.reason,
            turns: end.turns,
            learner_speech_ms: end.learner_speech_ms,
            usage: end.usage,
            metrics: end.metrics,
        });
        Some(Envelope::new(event, at, start.traceparent.clone()))
    }
}

impl Conversation {
    /// The event that says that the conversation ended, once it has.
    #[must_use]
    pub fn completed(&self) -> Option<Envelope> {
        self.header.completed()
    }
}

impl Watch {
    /// The message that asks to look after `conversation_id`.
    #[must_use]
    pub fn new(conversation_id: ConversationId) -> Self {
        Self { conversation_id, version: "1.1".to_owned(), stalled: Vec::new() }
    }

    /// The message's body.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("a watch consists of strings")
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// The body is not a watch, or of another major version.
    pub fn decode(body: &str) -> Result<Self, WatchError> {
        let watch: Self = serde_json::from_str(body).map_err(|error| WatchError(error.to_string()))?;
        if watch.version.split('.').next() == Some("1") {
            Ok(watch)
        } else {
            Err(WatchError(format!("version {:?} is unknown", watch.version)))
        }
    }
}

/// The text is not a watchdog message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a watchdog message: {0}")]
pub struct WatchError(String);
