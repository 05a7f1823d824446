//! PURE. What an owner leaves behind when it lets go of a conversation, and what the next one takes up.

use serde::{Deserialize, Serialize};

use super::Ownership;
use crate::contract::{ConversationMetrics, EndReason, Usage};

/// What an owner knows beside the turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Tokens used so far.
    pub usage: Usage,
    /// What was measured so far.
    pub metrics: Option<ConversationMetrics>,
    /// Samples of the learner's audio that were taken in, over all sockets; `None` where a part of them is lost.
    pub heard_samples: Option<u64>,
    /// Key of the audio of the learner's turn that is not over, where there is any. It is part of the samples that
    /// were taken in.
    pub unfinished_audio_key: Option<String>,
}

/// An owner lets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// What the conversation ends with if nobody takes it up.
    pub reason: EndReason,
    /// What the next owner goes on with.
    pub progress: Progress,
}

/// A conversation that was seized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seized {
    /// The right to write it.
    pub own: Ownership,
    /// What the last owner that let go left behind; the default if none ever did. Without the audio, if that was not
    /// the owner before this one: who does not let go takes along what it heard and did not journal.
    pub progress: Progress,
}
