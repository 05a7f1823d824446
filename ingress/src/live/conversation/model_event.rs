//! PURE. The events of the model, independent of how they are encoded (`sonic/wire` decodes them).

use bytes::Bytes;
use events::contract::{Speaker, Usage};

/// An event of the model, as far as a conversation needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// A text block begins.
    TextStart {
        /// Whose words they are.
        speaker: Speaker,
        /// Planned or spoken.
        stage: Stage,
    },
    /// Words of a text block.
    Text {
        /// Whose words they are.
        speaker: Speaker,
        /// Planned or spoken.
        stage: Stage,
        /// The words.
        content: String,
    },
    /// The barge-in marker that the model sends in place of a text: `{ "interrupted" : true }`.
    InterruptedMarker,
    /// A text block ends.
    TextEnd {
        /// Whose words they are.
        speaker: Speaker,
        /// Planned or spoken.
        stage: Stage,
        /// Why it ended.
        stop: StopReason,
    },
    /// A tool block begins.
    ToolStart,
    /// The model calls a tool.
    ToolUse(ToolCall),
    /// An audio block begins.
    AudioStart,
    /// Samples of an audio block.
    Audio(AudioFrame),
    /// An audio block ends.
    AudioEnd {
        /// Why it ended.
        stop: StopReason,
    },
    /// Tokens used by this stream so far.
    Usage(Usage),
    /// The model has finished; comes only after our closing sequence.
    CompletionEnd,
    /// An event without a meaning here: `completionStart`, `contentEnd` of a tool, an unknown event.
    Other,
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The id that the tool result must carry.
    pub id: String,
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
}

/// Whether a text of the tutor is planned or was spoken. A text of the learner is always final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// About to be said.
    Speculative,
    /// Was said.
    Final,
}

/// Why a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// More of this turn follows.
    PartialTurn,
    /// The turn is over.
    EndTurn,
    /// The learner spoke over it.
    Interrupted,
    /// Another reason, or none.
    Other,
}

/// PCM of the tutor with room in front for the generation, so that it is sent to the client without a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFrame {
    bytes: Vec<u8>,
}

impl AudioFrame {
    /// Bytes of the generation in front of the samples.
    pub const HEADER_BYTES: usize = 4;

    /// A frame from `bytes`: room for the generation, then the samples.
    #[must_use]
    pub(in crate::live) fn from_bytes(bytes: Vec<u8>) -> Self {
        debug_assert!(bytes.len() >= Self::HEADER_BYTES, "a frame has room for its generation");
        Self { bytes }
    }

    /// A frame of `pcm`.
    #[must_use]
    pub fn new(pcm: &[u8]) -> Self {
        let mut bytes = vec![0; Self::HEADER_BYTES];
        bytes.extend_from_slice(pcm);
        Self { bytes }
    }

    /// The samples, PCM s16le.
    #[must_use]
    pub fn pcm(&self) -> &[u8] {
        &self.bytes[Self::HEADER_BYTES..]
    }

    /// The frame as the client receives it: `generation` as a little-endian u32, then the samples.
    #[must_use]
    pub fn into_message(mut self, generation: u32) -> Bytes {
        self.bytes[..Self::HEADER_BYTES].copy_from_slice(&generation.to_le_bytes());
        self.bytes.into()
    }
}
