//! PURE. The records of a conversation in the journal: its header, its end, its turns, and the event derived from them. The
//! serde attributes of [`Start`], [`Header`] and [`Ended`] are the attribute names of the header item.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::Progress;
use crate::{
    contract::{
        ConversationCompleted, ConversationId, ConversationMetrics, EndReason, Envelope, Event,
        FeedbackLanguage, Level, Speaker, Stage, Turn, Usage, UserId, live::MetObjective,
    },
    dynamo::json_text,
};

/// The properties of a conversation at its start. The time of the start is inside the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    #[serde(rename = "sessionId")]
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    /// Picture to talk about.
    pub image_id: String,
    pub level: Level,
    pub feedback_language: FeedbackLanguage,
    /// IANA time zone of the learner.
    pub time_zone: String,
    /// W3C trace context of the request that started the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Process that owns the conversation, for operators who read the table.
    pub owner: String,
    /// Voice of the tutor, for the next owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
}

/// The right to write a conversation. It ends when another process takes over, which raises the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    pub conversation_id: ConversationId,
    /// Number of the owner, from 1. Every write carries it.
    pub epoch: u64,
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    #[serde(rename = "endReason")]
    pub reason: EndReason,
    /// Tokens used.
    #[serde(with = "json_text")]
    pub usage: Usage,
    /// Number of turns in the journal.
    pub turns: u32,
    /// Number of turns of the learner among them; `None` in what an older build wrote.
    #[serde(default)]
    pub learner_turns: Option<u32>,
    /// Duration of the learner's speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// Measurements of the owner; `None` if the owner was lost.
    #[serde(default, with = "json_text")]
    pub metrics: Option<ConversationMetrics>,
}

/// A conversation that ended, with its event.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The `conversation.completed` to publish: identical for every publisher and every repetition.
    pub envelope: Envelope,
}

/// Whether a conversation has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has an owner, alive or lost, or waits for the next one.
    Active,
    /// No more turns follow.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// Time of the end, to the millisecond.
    #[serde(rename = "endedAt", with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Reason and totals.
    #[serde(flatten)]
    pub end: End,
}

/// The header item of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Properties of the start; `owner` is the present owner.
    #[serde(flatten)]
    pub start: Start,
    /// Random text that identifies the start or takeover by the present owner.
    pub claim: String,
    pub epoch: u64,
    /// Until when the owner counts as alive, to the millisecond; after a handover, until when another process may take
    /// over.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub lease_until: Timestamp,
    /// Process that requested a handover.
    #[serde(rename = "wantedBy")]
    pub handover_requested_by: Option<String>,
    /// After a handover: the end reason if no process takes over.
    #[serde(rename = "releasedAs")]
    pub handed_over_as: Option<EndReason>,
    /// State left by the last owner that handed over.
    #[serde(default, with = "json_text")]
    pub progress: Option<Progress>,
    /// The objectives of the picture that the learner has met.
    #[serde(default, with = "json_text")]
    pub objectives_met: Option<Vec<MetObjective>>,
    /// The end, once the conversation has ended.
    #[serde(flatten, deserialize_with = "ended")]
    pub ended: Option<Ended>,
    /// When its `conversation.completed` was known to be on the bus.
    #[serde(default, with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub published_at: Option<Timestamp>,
    /// When the learner deleted it: its content is deleted and must not be stored again.
    #[serde(default, with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub deleted_at: Option<Timestamp>,
}

/// A conversation as read from the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    pub header: Header,
    pub turns: Vec<Turn>,
}

/// The body of a watchdog message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    pub conversation_id: ConversationId,
    /// Version of this shape, `major.minor`.
    pub version: String,
    /// Stages of the pipeline at which it is known to have stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stalled: Vec<Stage>,
}

impl End {
    /// The end of a conversation with these `turns` whose owner was lost together with its measurements.
    #[must_use]
    pub fn of_turns(reason: EndReason, usage: Usage, turns: &[Turn]) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let learner = turns.iter().filter(|turn| turn.speaker == Speaker::Learner);
        Self {
            reason,
            usage,
            turns: count(turns.len()),
            learner_turns: Some(count(learner.clone().count())),
            learner_speech_ms: learner.fold(0, |sum: u64, turn| sum.saturating_add(turn.speech_ms)),
            metrics: None,
        }
    }
}

impl Header {
    /// Whether the conversation has ended.
    #[must_use]
    pub fn state(&self) -> State {
        if self.ended.is_some() { State::Ended } else { State::Active }
    }

    /// Whether the owner's lease is over at `now`.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.lease_until <= now
    }

    /// Whether `event` is the conversation's own `conversation.completed`, with its id, its time and all its data. Any other event
    /// was not published by an owner of the conversation: it could attribute words to another learner, or be counted again under
    /// another id.
    #[must_use]
    pub fn confirms(&self, event: &Envelope) -> bool {
        let Some(mut own) = self.completed() else { return false };
        if let (Event::ConversationCompleted(own), Some(given)) = (&mut own.event, event.event.as_completed())
        {
            // A publisher of an older build omits what it does not know.
            own.learner_turns = own.learner_turns.filter(|_| given.learner_turns.is_some());
            own.metrics = own.metrics.filter(|_| given.metrics.is_some());
        }
        (own.id, own.occurred_at, &own.event) == (event.id, event.occurred_at, &event.event)
    }

    /// The `conversation.completed`, once the conversation has ended.
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
            learner_turns: end.learner_turns,
            learner_speech_ms: end.learner_speech_ms,
            usage: end.usage,
            metrics: end.metrics,
        });
        Some(Envelope::new(event, at, start.traceparent.clone()))
    }
}

impl Conversation {
    /// The `conversation.completed`, once the conversation has ended.
    #[must_use]
    pub fn completed(&self) -> Option<Envelope> {
        self.header.completed()
    }
}

impl Watch {
    /// A request to check `conversation_id`.
    #[must_use]
    pub fn new(conversation_id: ConversationId) -> Self {
        Self { conversation_id, version: "1.1".to_owned(), stalled: Vec::new() }
    }

    /// The body of the message.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("a watch consists of strings")
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    /// The body is no watchdog message or has another major version.
    pub fn decode(body: &str) -> Result<Self, WatchError> {
        let watch: Self = serde_json::from_str(body).map_err(|error| WatchError(error.to_string().into()))?;
        if watch.version.split('.').next() == Some("1") {
            Ok(watch)
        } else {
            Err(WatchError(format!("version {:?} is unknown", watch.version).into()))
        }
    }
}

/// Why a text is no watchdog message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a watchdog message: {0}")]
pub struct WatchError(Cow<'static, str>);

impl WatchError {
    pub(crate) const EVENT: Self = Self(Cow::Borrowed("it is an event"));
}

/// Reads `state` and, of an ended conversation, the attributes of its end.
fn ended<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ended>, D::Error> {
    #[derive(Deserialize)]
    #[serde(tag = "state", rename_all = "UPPERCASE")]
    enum Stored {
        Active,
        Ended(Ended),
    }
    Ok(match Stored::deserialize(deserializer)? {
        Stored::Active => None,
        Stored::Ended(ended) => Some(ended),
    })
}
