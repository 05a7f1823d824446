//! PURE. The live protocol `nova.live.v1`: its text messages, the layout of its binary messages, its limits and its
//! close codes. Both ends use these types. The JSON Schemas under `schemas/live` are generated from them.
//!
//! Client to server, binary: PCM s16le mono at 16 kHz, whole samples. Server to client, binary: the generation as a
//! little-endian u32, then PCM of the same format. While the service plays an uploaded turn into the conversation,
//! and during the pause after it, the service discards binary messages of the client.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConversationId, EndReason, Speaker, Turn};

/// The WebSocket sub-protocol.
pub const PROTOCOL: &str = "nova.live.v1";

/// Beginning of the sub-protocol that carries the ticket: `ticket.` and the ticket. A browser sends no header of its own with a
/// WebSocket, and a URL is in the access logs of every proxy.
pub const TICKET_PROTOCOL: &str = "ticket.";

/// The value of `Sec-WebSocket-Protocol` with which a client opens a conversation.
#[must_use]
pub fn offered_protocols(ticket: &str) -> String {
    format!("{PROTOCOL}, {TICKET_PROTOCOL}{ticket}")
}

/// Samples per second of all audio in a conversation, in both directions.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

pub const BYTES_PER_SAMPLE: u64 = 2;

/// Bytes of one millisecond of audio.
pub const BYTES_PER_MS: u64 = SAMPLE_RATE_HZ as u64 / 1_000 * BYTES_PER_SAMPLE;

/// Longest binary message of a client, in bytes: about two seconds of audio.
pub const AUDIO_BYTES_MAX: usize = 64 * 1024;

pub const TEXT_MESSAGE_BYTES_MAX: usize = 8 * 1024;

pub const TYPED_CHARS_MAX: usize = 2_000;

/// A text message of the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// End the conversation. Speech before this message is still transcribed.
    End,
    /// A typed turn.
    Text {
        /// The text, at most 2000 characters.
        #[schemars(length(min = 1, max = 2000))]
        text: String,
    },
    /// How much of a generation's audio the client has played. If a client sends this, the service records a tutor
    /// turn when the learner has heard it, not when the model has produced it.
    Played {
        /// The generation.
        generation: u32,
        /// Milliseconds of it that were played.
        ms: u64,
    },
    /// The client detected that the learner speaks over the tutor.
    Interrupt,
}

/// A text message of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    /// The first message on every socket.
    Ready {
        /// The conversation.
        conversation_id: ConversationId,
        /// The generation of the audio that follows.
        generation: u32,
        /// Samples of the learner's audio that the service has received, over all sockets of the conversation. A
        /// client that reconnects continues with the next sample. Absent when the task that counted them was lost:
        /// the learner repeats what is in no turn, and the count starts again at zero.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heard_samples: Option<u64>,
        /// Whether the model is simulated, once that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        simulated: Option<bool>,
        /// Nothing was said yet, and the tutor will begin. Otherwise it is the learner's turn, or the conversation
        /// continues.
        #[serde(default)]
        tutor_begins: bool,
        /// When the time limit ends the conversation.
        #[schemars(with = "String", extend("format" = "date-time"))]
        ends_at: Timestamp,
        /// Whether the model accepts typed turns.
        text_supported: bool,
        /// The objectives of the picture that the learner has met so far.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        objectives_met: Vec<MetObjective>,
    },
    /// The model has responded for the first time.
    Model {
        /// Whether the model is simulated.
        simulated: bool,
    },
    /// Text to show.
    Caption {
        /// The speaker.
        speaker: Speaker,
        /// Planned or spoken.
        stage: CaptionStage,
        /// The text.
        text: String,
        /// The generation that the text belongs to.
        generation: u32,
    },
    /// A turn is over and in the journal.
    Turn {
        /// The turn.
        turn: Turn,
    },
    /// The learner has met an objective of the picture. Sent once for each objective, after the learner's turn.
    ObjectiveMet {
        /// The objective, as the picture has it.
        objective: String,
        /// The learner's words that meet it, as the model quotes them; they are in the turn.
        quote: String,
        /// The index of the learner's turn.
        turn: u32,
    },
    /// The time limit is near, and the tutor is about to finish.
    EndingSoon {
        /// When the time limit ends the conversation.
        #[schemars(with = "String", extend("format" = "date-time"))]
        ends_at: Timestamp,
    },
    /// Discard all audio of older generations, played or not.
    Flush {
        /// The generation of the audio that follows.
        generation: u32,
    },
    /// The stream to the model is lost; audio that the client sends now reaches the model later.
    Reconnecting,
    /// The model receives the learner's audio again.
    Resumed,
    /// Another task continues the conversation: all turns are in the journal, and this socket closes. The client
    /// requests another ticket and reconnects. The last message on this socket.
    Reconnect {
        /// The reason.
        reason: ReconnectReason,
    },
    /// The conversation has ended and is in the journal. The last message.
    Ended {
        /// The reason.
        reason: EndReason,
        /// Turns in the journal.
        turns: u32,
    },
    /// A message was invalid, or the conversation failed; in the second case the conversation ends.
    Error {
        /// The code, for programs.
        code: ErrorCode,
        /// The description, for people.
        message: String,
    },
    /// A message type of a later minor version, which a client ignores. The service never sends it.
    #[serde(other, skip_serializing)]
    #[schemars(skip)]
    Unknown,
}

/// An objective of the picture that the learner has met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetObjective {
    /// The objective, as the picture has it.
    pub objective: String,
    /// The index of the learner's turn that meets it.
    pub turn: u32,
}

/// Why a client has to reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectReason {
    /// The task that runs the conversation is stopping; another task continues it.
    Shutdown,
}

/// Whether a text is planned or was spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CaptionStage {
    /// Planned; the final text replaces it.
    Speculative,
    /// Spoken.
    Final,
}

/// An error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The text message is not part of the protocol.
    UnknownMessage,
    /// The binary message has an incomplete sample or is too long.
    InvalidAudio,
    /// The typed turn is empty or too long.
    InvalidText,
    /// The model does not accept typed turns.
    TextNotSupported,
    /// Typed turns arrive too fast, or the model cannot accept one at the moment.
    TooManyMessages,
    /// The model has failed repeatedly.
    ModelFailed,
    /// The configured model cannot be used: it is unknown, at the end of its life, or the service has no access to it.
    /// A retry does not help.
    ModelRefused,
    /// The service cannot start or continue the conversation.
    Unavailable,
    /// The conversation is now open on another socket.
    Replaced,
    /// The learner has talked as long as one day allows.
    DailyLimit,
    /// The service has used what it may spend in one day.
    SpendingLimit,
}

/// Why the service closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Ended,
    /// The task is shutting down.
    Stopping,
    /// The client broke the WebSocket protocol.
    Broken,
    /// A text message, or the reason of a close frame, is not UTF-8.
    NotUtf8,
    /// A message was too long.
    TooLarge,
    /// An error of the service.
    Failed,
    /// The client does not read fast enough.
    TooSlow,
    /// The client was silent for too long.
    Idle,
    /// The conversation is open on another socket.
    Replaced,
    /// The session of the learner was signed out.
    SignedOut,
    /// A limit of the day ended the conversation; the last `error` says which.
    LimitReached,
}

impl CloseReason {
    pub const ALL: [Self; 11] = [
        Self::Ended,
        Self::Stopping,
        Self::Broken,
        Self::NotUtf8,
        Self::TooLarge,
        Self::Failed,
        Self::TooSlow,
        Self::Idle,
        Self::Replaced,
        Self::SignedOut,
        Self::LimitReached,
    ];

    /// The close code (RFC 6455, section 7.4, and its IANA registry; codes from 4000 on are private).
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Ended => 1000,
            Self::Stopping => 1012,
            Self::Broken => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::Failed => 1011,
            Self::TooSlow => 1013,
            Self::Idle => 4000,
            Self::Replaced => 4001,
            Self::SignedOut => 4002,
            Self::LimitReached => 4003,
        }
    }

    /// The text of the close frame.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ended => "the conversation has ended",
            Self::Stopping => "this task is shutting down, reconnect",
            Self::Broken => "the message is not a valid WebSocket message",
            Self::NotUtf8 => "the text is not valid UTF-8",
            Self::TooLarge => "the message is too large",
            Self::Failed => "something went wrong on our side, reconnect",
            Self::TooSlow => "the client reads too slowly, reconnect",
            Self::Idle => "the client was silent for too long, reconnect",
            Self::Replaced => "the conversation is open in another place",
            Self::SignedOut => "the session was signed out",
            Self::LimitReached => "a limit of the day is reached",
        }
    }
}

/// The binary message of a client that carries these samples.
#[must_use]
pub fn encode_audio(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// The generation and the samples of a binary message of the service; `None` if it has no generation or an incomplete
/// sample.
#[must_use]
pub fn decode_audio(message: &[u8]) -> Option<(u32, Vec<i16>)> {
    let (generation, pcm) = message.split_first_chunk::<4>()?;
    let (samples, rest) = pcm.as_chunks::<2>();
    let samples = samples.iter().copied().map(i16::from_le_bytes).collect();
    rest.is_empty().then_some((u32::from_le_bytes(*generation), samples))
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

    #[test]
    fn audio_of_the_service_is_a_generation_and_samples() {
        assert_eq!(decode_audio(&[1, 0, 0, 0, 0xff, 0xff, 2, 0]), Some((1, vec![-1, 2])));
        assert_eq!(decode_audio(&[1, 0, 0, 0]), Some((1, vec![])));
        assert_eq!(decode_audio(&[1, 0, 0, 0, 7]), None);
        assert_eq!(decode_audio(&[1, 0]), None);
    }

    #[test]
    fn samples_are_little_endian() {
        assert_eq!(encode_audio(&[1, -2]), [1, 0, 0xfe, 0xff]);
    }

    #[test]
    fn messages_of_a_later_version_are_ignored() {
        let message: ServerMessage = serde_json::from_str(r#"{"type":"applause","volume":11}"#).unwrap();
        assert_eq!(message, ServerMessage::Unknown);
        assert!(serde_json::to_string(&ServerMessage::Unknown).is_err());
    }

    #[test]
    fn the_end_has_no_fields() {
        assert_eq!(serde_json::to_string(&ClientMessage::End).unwrap(), r#"{"type":"end"}"#);
    }
}
