//! PURE. The settings and the inputs of a conversation.

use bytes::Bytes;
use events::contract::ConversationId;

use super::failure::StreamError;
use crate::live::conversation::model_event::ModelEvent;

/// Most nudges in one silence of the learner.
pub const NUDGES_MAX: usize = 2;

/// A stream, numbered from 0 within its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// Settings of a conversation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its id.
    pub conversation_id: ConversationId,
    /// Prefix of the keys of the recordings.
    pub audio_prefix: String,
    /// The pause after which the model ends a turn, in milliseconds.
    pub pause_ms: u64,
    /// Stage directions for a model that accepts text; `None` for the first generation.
    pub texts: Option<Texts>,
    /// A spoken greeting, PCM s16le, that prompts a model without text input to begin. It is played in place of the learner
    /// and is not a turn. Without it the learner begins.
    pub opening_clip: Option<Bytes>,
    /// The objectives of the picture, which the model can report as met.
    pub objectives: Vec<String>,
    /// Limits.
    pub limits: Limits,
    /// A random number below 1000, so that conversations do not renew and retry together.
    pub jitter_permille: u16,
}

/// Stage directions, sent to the model as if the learner had typed them. Never part of the transcript.
#[derive(Clone, Debug)]
pub struct Texts {
    /// Makes the tutor begin.
    pub opening: String,
    /// Makes the tutor continue after a lost stream has cut it short.
    pub go_on: String,
    /// Make the tutor address a silent learner, one after the other.
    pub nudges: [String; NUDGES_MAX],
    /// Makes the tutor finish because the time is nearly over.
    pub wrap_up: String,
}

/// Limits of a conversation, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest conversation.
    pub conversation_ms_max: u64,
    /// Longest silence of both sides.
    pub silence_ms_max: u64,
    /// Silence before the first nudge. Doubles with each nudge.
    pub nudge_after_ms: u64,
    /// How long before the time limit the client is notified and the tutor is prompted to finish.
    pub wrap_up_ms: u64,
    /// Grace time for a client to reconnect.
    pub grace_ms_max: u64,
    /// Age from which a stream is renewed at a quiet moment.
    pub renew_after_ms: u64,
    /// Age at which a stream is renewed in any case.
    pub renew_by_ms: u64,
    /// Longest silence of an open stream while the learner waits for an answer.
    pub stall_ms_max: u64,
}

/// A limit that ends live conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// The learner has talked as long as a day allows.
    Day,
    /// The models have cost as much as operators allow.
    Spending,
}

/// An event of the outside world.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client has connected, for the first time or again.
    Attached,
    /// The client has disconnected.
    Detached,
    /// Audio of the microphone, PCM s16le.
    Audio(Bytes),
    /// A whole uploaded turn, PCM s16le. While it is played to the model, the microphone is ignored.
    Uploaded(Bytes),
    /// A typed turn.
    Typed(String),
    /// The client has played a part of a generation.
    Played {
        /// The generation.
        generation: u32,
        /// Milliseconds since the generation began.
        ms: u64,
    },
    /// The client has detected that the learner speaks over the tutor.
    Interrupted,
    /// The learner has requested the end.
    EndRequested,
    /// The stream is open and accepts audio.
    StreamOpened(StreamId),
    /// The stream could not be opened, or failed.
    StreamFailed(StreamId, StreamError),
    /// The stream ended without an error.
    StreamEnded(StreamId),
    /// Whether the model is simulated.
    Simulated(bool),
    /// An event of the model.
    Model(StreamId, ModelEvent),
    /// This task shuts down: hand the conversation over at the next quiet moment, at once if no client is connected, or at
    /// a deadline in any case.
    HandOver,
    /// Another task has requested the conversation, because the learner is connected there: hand it over at once.
    TakeoverRequested,
    /// A limit of the day is reached: the conversation ends.
    LimitReached(LimitReached),
    /// The journal or another internal part has failed permanently.
    Broken,
    /// Time has passed.
    Tick,
}
