//! PURE. The state that an owner hands over with a conversation and the next owner continues from.

use serde::{Deserialize, Serialize};

use super::Ownership;
use crate::contract::{ConversationMetrics, EndReason, Usage};

/// The owner's state beside the journalled turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Tokens used so far.
    pub usage: Usage,
    /// Measurements so far.
    pub metrics: Option<ConversationMetrics>,
    /// Samples of the learner's audio received over all connections; `None` if a part of them is lost.
    pub heard_samples: Option<u64>,
    /// Key of the audio of the learner's unfinished turn, if there is one. The received samples include it.
    pub unfinished_audio_key: Option<String>,
}

/// What an owner records when it hands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// End reason of the conversation if no process takes over.
    pub reason: EndReason,
    /// State for the next owner.
    pub progress: Progress,
}

/// A seized conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seized {
    /// Right to write it.
    pub own: Ownership,
    /// State left by the last owner that handed over, or the default. Without audio and sample count if the previous owner
    /// did not hand over: the audio it received and did not journal is lost.
    pub progress: Progress,
}
