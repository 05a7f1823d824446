//! PURE. The messages of `nova.live.v1` as a client sees them, and how its audio frames are cut.

use events::contract::{ConversationId, EndReason, Turn};
use serde::{Deserialize, Serialize};

/// What the client sends as text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Up {
    /// The conversation is over.
    End,
    /// So much of a generation's audio was played to the learner.
    Played {
        /// The generation.
        generation: u32,
        /// Milliseconds of it.
        ms: u64,
    },
}

/// What the service sends as text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Down {
    Ready {
        conversation_id: ConversationId,
        generation: u32,
        heard_samples: Option<u64>,
        #[serde(default)]
        tutor_begins: bool,
    },
    Model {
        simulated: bool,
    },
    Caption {
        speaker: Speaker,
        stage: Stage,
        text: String,
    },
    Turn {
        turn: Turn,
    },
    Flush {
        generation: u32,
    },
    Reconnecting,
    Resumed,
    Reconnect,
    Ended {
        reason: EndReason,
        turns: u32,
    },
    Error {
        code: String,
        message: String,
    },
    /// A message of a later version.
    #[serde(other)]
    Unknown,
}

/// Who speaks.
pub use events::contract::Speaker;

/// Whether the words of a caption can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// What the tutor is about to say.
    Speculative,
    /// What was said.
    Final,
}

/// PCM samples as the bytes of a frame, little-endian.
pub(crate) fn frame(samples: impl Iterator<Item = i16>) -> Vec<u8> {
    samples.flat_map(i16::to_le_bytes).collect()
}

/// The generation and the samples of an audio frame; `None` if it is none.
pub(crate) fn audio(frame: &[u8]) -> Option<(u32, Vec<i16>)> {
    let (generation, pcm) = frame.split_first_chunk::<4>()?;
    let (samples, rest) = pcm.as_chunks::<2>();
    let samples = samples.iter().copied().map(i16::from_le_bytes).collect();
    rest.is_empty().then_some((u32::from_le_bytes(*generation), samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audio_frame_is_a_generation_and_samples() {
        assert_eq!(audio(&[1, 0, 0, 0, 0xff, 0xff, 2, 0]), Some((1, vec![-1, 2])));
        assert_eq!(audio(&[1, 0, 0, 0]), Some((1, vec![])));
        assert_eq!(audio(&[1, 0, 0, 0, 7]), None);
        assert_eq!(audio(&[1, 0]), None);
    }

    #[test]
    fn samples_are_little_endian() {
        assert_eq!(frame([1, -2].into_iter()), [1, 0, 0xfe, 0xff]);
    }

    #[test]
    fn messages_of_a_later_version_are_passed_over() {
        let message: Down = serde_json::from_str(r#"{"type":"applause","volume":11}"#).unwrap();
        assert_eq!(message, Down::Unknown);
    }

    #[test]
    fn the_end_is_one_word() {
        assert_eq!(serde_json::to_string(&Up::End).unwrap(), r#"{"type":"end"}"#);
    }
}
