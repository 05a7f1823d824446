//! PURE. The text messages of the live protocol `nova.live.v1` and the layout of its binary messages. The JSON
//! Schemas under `schemas/live` are generated from these types.
//!
//! Binary up: PCM s16le mono at 16 kHz, whole samples. Binary down: the generation as a little-endian u32, then
//! PCM of the same kind. While an uploaded turn is being spoken, with the pause after it, binary messages up are
//! dropped.

use events::contract::{ConversationId, EndReason, Speaker, Turn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The WebSocket sub-protocol.
pub const PROTOCOL: &str = "nova.live.v1";

/// Longest binary message of a learner, in bytes: about two seconds of audio.
pub const AUDIO_BYTES_MAX: usize = 64 * 1024;

/// Longest text message of a learner, in bytes.
pub const TEXT_MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Longest typed turn, in characters.
pub const TYPED_CHARS_MAX: usize = 2_000;

/// What a learner's page sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// End the conversation. What was said before this message is still transcribed.
    End,
    /// A typed turn.
    Text {
        /// The words, at most 2000 characters.
        #[schemars(length(min = 1, max = 2000))]
        text: String,
    },
    /// How much of a generation's audio the learner has heard. A page that sends this has its tutor turns
    /// recorded when they were heard, and not already when they were produced.
    Played {
        /// The generation.
        generation: u32,
        /// Milliseconds played since the generation began.
        ms: u64,
    },
    /// The learner began to speak over the tutor, as the page hears it.
    Interrupt,
}

/// What the service sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    /// The first message on every socket.
    Ready {
        /// The conversation.
        conversation_id: ConversationId,
        /// The generation of the audio that follows.
        generation: u32,
        /// Samples of the learner's audio that were taken in, over all sockets of the conversation. A page that comes
        /// back goes on with the sample after them. Absent when the task that counted them was lost: what is in no
        /// turn is to be said again, and the count begins anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heard_samples: Option<u64>,
        /// Whether the model is simulated, once that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        simulated: Option<bool>,
        /// Whether the tutor has the first word: nothing was said yet, and the tutor will begin. Otherwise it is the
        /// learner's turn, or the conversation goes on.
        #[serde(default)]
        tutor_begins: bool,
    },
    /// The model has answered for the first time.
    Model {
        /// Whether it is simulated.
        simulated: bool,
    },
    /// Words to show.
    Caption {
        /// Who says them.
        speaker: Speaker,
        /// Planned or said.
        stage: CaptionStage,
        /// The words.
        text: String,
        /// The generation they belong to.
        generation: u32,
    },
    /// A turn is over and in the journal.
    Turn {
        /// The turn.
        turn: Turn,
    },
    /// Throw away all audio of older generations, played or not.
    Flush {
        /// The generation of the audio that follows.
        generation: u32,
    },
    /// The model does not hear the learner at the moment; what is said now reaches it later.
    Reconnecting,
    /// The model hears the learner again.
    Resumed,
    /// The conversation goes on elsewhere: what was said is in the journal, and this socket closes. The page asks for
    /// another ticket and comes back. The last message on this socket.
    Reconnect {
        /// Why.
        reason: ReconnectReason,
    },
    /// The conversation is over and in the journal. The last message.
    Ended {
        /// Why.
        reason: EndReason,
        /// Turns in the journal.
        turns: u32,
    },
    /// Something went wrong with a message, or with the conversation; the latter is followed by the end.
    Error {
        /// What, for programs.
        code: ErrorCode,
        /// What, for people.
        message: String,
    },
}

/// Why a page is asked to come back on another socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectReason {
    /// The task that holds the conversation is stopping; another one goes on with it.
    Shutdown,
}

/// Whether words are planned or were said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CaptionStage {
    /// About to be said; replaced by the final words.
    Speculative,
    /// Said.
    Final,
}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The text message is not one of the protocol.
    UnknownMessage,
    /// The binary message is not whole samples, or too long.
    InvalidAudio,
    /// The typed turn is empty or too long.
    InvalidText,
    /// The model cannot be typed to.
    TextNotSupported,
    /// Typed turns come too fast, or the model cannot take one at the moment.
    TooManyMessages,
    /// The model has failed again and again.
    ModelFailed,
    /// The model cannot be used as it is configured: it is unknown, at the end of its life, or denied to us. Trying again
    /// does not help.
    ModelRefused,
    /// The service cannot begin or go on.
    Unavailable,
    /// The conversation is open on another socket now.
    Replaced,
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[track_caller]
    fn check_schema(file: &str, id: &str, schema: schemars::Schema) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/live").join(file);
        let mut schema = schema;
        schema.insert("$id".to_owned(), format!("urn:nova:live:{id}:v1").into());
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        if std::env::var_os("NOVA_BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(published, text, "{file} differs from the types: run the test with NOVA_BLESS=1");
    }

    #[test]
    fn the_published_schemas_are_those_of_the_types() {
        check_schema("client.v1.json", "client", schemars::schema_for!(ClientMessage));
        check_schema("server.v1.json", "server", schemars::schema_for!(ServerMessage));
    }

    #[test]
    fn messages_are_tagged_objects() {
        let played: ClientMessage =
            serde_json::from_str(r#"{"type":"played","generation":2,"ms":350,"new":true}"#).unwrap();
        assert_eq!(played, ClientMessage::Played { generation: 2, ms: 350 });
        assert_eq!(
            serde_json::to_string(&ServerMessage::Flush { generation: 3 }).unwrap(),
            r#"{"type":"flush","generation":3}"#
        );
        let ended = ServerMessage::Ended { reason: EndReason::TimeLimit, turns: 4 };
        assert_eq!(
            serde_json::to_string(&ended).unwrap(),
            r#"{"type":"ended","reason":"time_limit","turns":4}"#
        );
    }

    #[test]
    fn what_is_sent_fits_the_published_schema() {
        let schema = serde_json::to_value(schemars::schema_for!(ServerMessage)).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let caption = ServerMessage::Caption {
            speaker: Speaker::Tutor,
            stage: CaptionStage::Speculative,
            text: "Hello.".to_owned(),
            generation: 0,
        };
        assert!(validator.is_valid(&serde_json::to_value(caption).unwrap()));
        assert!(!validator.is_valid(&serde_json::json!({ "type": "nothing" })));
    }
}
