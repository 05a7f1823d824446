//! PURE. What a conversation is told: its settings at the start, then what happens.

use bytes::Bytes;
use events::contract::ConversationId;

use super::failure::StreamError;
use crate::live::conversation::model_event::ModelEvent;

/// How often a silent learner is spoken to before the learner speaks again.
pub const NUDGES_MAX: usize = 2;

/// A stream, numbered from 0 within its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// What a conversation is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its id.
    pub conversation_id: ConversationId,
    /// Keys of the recordings begin with this.
    pub audio_prefix: String,
    /// The pause that the model takes as the end of a turn, in milliseconds.
    pub pause_ms: u64,
    /// Texts for a model that can be typed to; `None` for the first generation.
    pub texts: Option<Texts>,
    /// A greeting, PCM s16le, that makes a model begin that cannot be typed to: it is spoken in the learner's place and is
    /// no turn. Without it the learner begins.
    pub opening_clip: Option<Bytes>,
    /// Limits.
    pub limits: Limits,
    /// A random number below 1000, so that conversations do not renew and retry together.
    pub jitter_permille: u16,
}

/// What the model is told in the learner's place. Never part of the transcript.
#[derive(Clone, Debug)]
pub struct Texts {
    /// Makes the tutor begin.
    pub opening: String,
    /// Makes the tutor go on after it was cut short by a lost stream.
    pub go_on: String,
    /// Makes the tutor say something to a learner who is silent, one after the other.
    pub nudges: [String; NUDGES_MAX],
    /// Makes the tutor come to an end because the time is nearly over.
    pub wrap_up: String,
}

/// Limits of a conversation, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest conversation.
    pub conversation_ms_max: u64,
    /// Longest time in which nobody speaks.
    pub silence_ms_max: u64,
    /// Silence after which the tutor speaks to the learner; the next time, twice as long.
    pub nudge_after_ms: u64,
    /// How long before the end of the longest conversation the tutor is asked to come to an end.
    pub wrap_up_ms: u64,
    /// How long a dropped socket may take to come back.
    pub grace_ms_max: u64,
    /// Age of a stream at which a quiet moment for its renewal is looked for.
    pub renew_after_ms: u64,
    /// Age of a stream at which it is renewed in any case.
    pub renew_by_ms: u64,
    /// How long an open stream may give no sign of life while the learner waits for an answer.
    pub stall_ms_max: u64,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Input {
    /// A socket of the learner is there, the first or another one.
    Attached,
    /// The socket is gone.
    Detached,
    /// Samples from the microphone, PCM s16le.
    Audio(Bytes),
    /// A whole turn that was uploaded, PCM s16le. While it is being spoken, the microphone is not heard.
    Uploaded(Bytes),
    /// A typed turn.
    Typed(String),
    /// The page has played so much of a generation.
    Played {
        /// The generation.
        generation: u32,
        /// Milliseconds since the generation began.
        ms: u64,
    },
    /// The page hears the learner speak over the tutor.
    Interrupted,
    /// The learner wants to end.
    EndRequested,
    /// The stream is open and takes audio.
    StreamOpened(StreamId),
    /// The stream could not be opened, or failed.
    StreamFailed(StreamId, StreamError),
    /// The stream ended in good order, as far as it can tell.
    StreamEnded(StreamId),
    /// The first sign of whose model it is.
    Simulated(bool),
    /// The model says something.
    Model(StreamId, ModelEvent),
    /// The service is stopping and another task can go on: the conversation is released at the next quiet moment,
    /// without a page at once, or after a while in any case.
    HandOver,
    /// Another task wants the conversation, because the learner is there now: it is released at once.
    TakeoverRequested,
    /// The journal or another part of ours has failed for good.
    Broken,
    /// Time has passed.
    Tick,
}
