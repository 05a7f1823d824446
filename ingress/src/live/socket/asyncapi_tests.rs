//! Generates the AsyncAPI document of the live protocol from the types of the messages, the error codes and the close codes,
//! and compares it with `schemas/live/asyncapi.v1.json`. A test checks that `schemas/live/README.md` names every message
//! and code.

use std::{fs, path::PathBuf};

use events::contract::live::{
    AUDIO_BYTES_MAX, ClientMessage, CloseReason, PROTOCOL, ServerMessage, TEXT_MESSAGE_BYTES_MAX,
    TICKET_PROTOCOL, TYPED_CHARS_MAX, offered_protocols,
};
use serde_json::{Map, Value, json};

use super::{
    BURST_MS_MAX, IDLE_TIMEOUT, MESSAGE_BYTES_MAX, PACE_MAX, PING_INTERVAL, QUEUE_BYTES_MAX,
    QUEUE_MESSAGES_MAX, TYPED_BURST_MAX, TYPED_INTERVAL, WRITE_TIMEOUT,
};
use crate::live::ticket::TICKET_SECONDS;

/// The format of the published schemas of the messages.
const SCHEMA_FORMAT: &str = "application/schema+json;version=draft-2020-12";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/live")
}

/// The messages of one side.
struct Side {
    prefix: &'static str,
    file: &'static str,
    schema: Value,
    audio: Value,
}

impl Side {
    fn learner() -> Self {
        let audio = json!({
            "name": "audio",
            "title": "The learner's audio",
            "summary": "A binary message: PCM s16le mono at 16 kHz, whole samples; 1024 bytes (32 ms) are a suitable size.",
            "contentType": "application/octet-stream",
            "payload": { "type": "string", "format": "binary", "maxLength": AUDIO_BYTES_MAX },
        });
        Self {
            prefix: "learner",
            file: "client.v1.json",
            schema: schemars::schema_for!(ClientMessage).into(),
            audio,
        }
    }

    fn service() -> Self {
        let audio = json!({
            "name": "audio",
            "title": "The tutor's audio",
            "summary": "A binary message: the generation as a little-endian u32, then PCM s16le mono at 16 kHz.",
            "contentType": "application/octet-stream",
            "payload": { "type": "string", "format": "binary" },
        });
        Self {
            prefix: "service",
            file: "server.v1.json",
            schema: schemars::schema_for!(ServerMessage).into(),
            audio,
        }
    }

    /// The types and the descriptions of the text messages, in the order of the schema.
    fn types(&self) -> Vec<(String, String)> {
        variants(&self.schema["oneOf"], |variant| &variant["properties"]["type"])
    }

    /// The messages by their names in the channel.
    fn messages(&self) -> Map<String, Value> {
        let mut messages = Map::new();
        for (index, (name, meaning)) in self.types().into_iter().enumerate() {
            let message = json!({
                "name": name,
                "title": name,
                "summary": meaning,
                "contentType": "application/json",
                "payload": {
                    "schemaFormat": SCHEMA_FORMAT,
                    "schema": { "$ref": format!("./{}#/oneOf/{index}", self.file) },
                },
            });
            messages.insert(format!("{}.{name}", self.prefix), message);
        }
        messages.insert(format!("{}.audio", self.prefix), self.audio.clone());
        messages
    }

    fn references(&self) -> Vec<Value> {
        let names = self.messages();
        names.keys().map(|name| json!({ "$ref": format!("#/channels/live/messages/{name}") })).collect()
    }
}

/// The constants of a `oneOf` and their descriptions.
fn variants(one_of: &Value, constant: impl Fn(&Value) -> &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a variant has a name and a description").to_owned();
    let variants = one_of.as_array().expect("an enum is a oneOf").iter();
    variants.map(|variant| (text(&constant(variant)["const"]), text(&variant["description"]))).collect()
}

/// The codes of `error` with their descriptions.
fn error_codes() -> Vec<(String, String)> {
    variants(&Side::service().schema["$defs"]["ErrorCode"]["oneOf"], |variant| variant)
}

fn document() -> Value {
    let (learner, service) = (Side::learner(), Side::service());
    let mut messages = learner.messages();
    messages.extend(service.messages());
    json!({
        "asyncapi": "3.0.0",
        "id": "urn:nova:live:v1",
        "info": {
            "title": "Nova English Learning: the live conversation",
            "version": "1.0.0",
            "description": "One WebSocket between a client and the service for a live conversation. Clients ignore \
                message types and fields that they do not know: a minor version may add some. README.md beside this \
                document shows the course of a conversation.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:3000",
                "protocol": "ws",
                "description": "The ingress that `cargo run` starts. Elsewhere it is wss.",
                "security": [{ "$ref": "#/components/securitySchemes/ticket" }],
            },
        },
        "channels": { "live": channel(&messages) },
        "operations": {
            "hear": {
                "action": "receive",
                "channel": { "$ref": "#/channels/live" },
                "summary": "Messages of the client. For any other message the service sends `error`; the \
                    conversation continues.",
                "messages": learner.references(),
            },
            "speak": {
                "action": "send",
                "channel": { "$ref": "#/channels/live" },
                "summary": "Messages of the service. `ready` is the first message on every socket, `ended` the last.",
                "messages": service.references(),
            },
        },
        "components": {
            "securitySchemes": {
                "ticket": {
                    "type": "httpApiKey",
                    "name": "Sec-WebSocket-Protocol",
                    "in": "header",
                    "description": format!(
                        "Offered as a sub-protocol, `{TICKET_PROTOCOL}` and the ticket, beside `{PROTOCOL}`, which is the one that \
                        the service selects. From POST /api/conversations, or POST /api/conversations/{{conversationId}}/ticket to \
                        return. Valid for {TICKET_SECONDS} s, one use and one conversation."
                    ),
                },
            },
        },
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    let list = |codes: Vec<(String, String)>| -> Vec<Value> {
        codes.into_iter().map(|(code, meaning)| json!({ "code": code, "meaning": meaning })).collect()
    };
    let closes: Vec<Value> =
        CloseReason::ALL.map(|why| json!({ "code": why.code(), "reason": why.reason() })).into();
    json!({
        "address": "/api/conversations/{conversationId}/live",
        "title": "A live conversation",
        "description": "Rejected before the upgrade with a problem document (RFC 9457): 400 for anything but a WebSocket \
            that offers the sub-protocol, 401 for an invalid ticket, 404 for a conversation whose picture no longer exists, \
            409 for a learner in another conversation, 503 with Retry-After when no slot is free or the task is shutting down.",
        "servers": [{ "$ref": "#/servers/local" }],
        "parameters": { "conversationId": { "description": "The id that POST /api/conversations returned." } },
        "messages": messages,
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {
                    "type": "object",
                    "properties": {
                        "turns": {
                            "type": "integer",
                            "minimum": 0,
                            "description": "Number of turns that a reconnecting client has received; the service sends those after them again.",
                        },
                    },
                },
                "headers": {
                    "type": "object",
                    "required": ["Sec-WebSocket-Protocol"],
                    "properties": {
                        "Sec-WebSocket-Protocol": {
                            "type": "string",
                            "examples": [offered_protocols("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")],
                        },
                    },
                },
                "bindingVersion": "0.1.0",
            },
        },
        "x-error-codes": list(error_codes()),
        "x-close-codes": closes,
        "x-limits": {
            "audioBytesMax": AUDIO_BYTES_MAX,
            "textMessageBytesMax": TEXT_MESSAGE_BYTES_MAX,
            "typedCharsMax": TYPED_CHARS_MAX,
            "messageBytesMax": MESSAGE_BYTES_MAX,
            "typedBurstMax": TYPED_BURST_MAX,
            "typedIntervalSeconds": TYPED_INTERVAL.as_secs(),
            "paceMax": PACE_MAX,
            "burstMsMax": BURST_MS_MAX,
            "queueMessagesMax": QUEUE_MESSAGES_MAX,
            "queueBytesMax": QUEUE_BYTES_MAX,
            "writeTimeoutSeconds": WRITE_TIMEOUT.as_secs(),
            "pingIntervalSeconds": PING_INTERVAL.as_secs(),
            "idleTimeoutSeconds": IDLE_TIMEOUT.as_secs(),
            "ticketSeconds": TICKET_SECONDS,
        },
    })
}

#[test]
fn the_published_asyncapi_document_is_that_of_the_types() {
    let path = folder().join("asyncapi.v1.json");
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("NOVA_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(published, text, "asyncapi.v1.json differs from the types: run the test with NOVA_BLESS=1");
}

#[test]
fn every_reference_of_the_asyncapi_document_leads_to_its_message() {
    let document = document();
    let messages = document["channels"]["live"]["messages"].as_object().unwrap();
    let mut by_reference = 0;
    for (key, message) in messages {
        let Some(reference) = message["payload"]["schema"]["$ref"].as_str() else {
            assert!(key.ends_with(".audio"), "{key}");
            continue;
        };
        let (file, pointer) = reference.split_once('#').unwrap();
        let schema: Value = serde_json::from_str(&fs::read_to_string(folder().join(file)).unwrap()).unwrap();
        let target = schema.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        assert_eq!(target["properties"]["type"]["const"], message["name"], "{key}");
        by_reference += 1;
    }
    assert_eq!(by_reference, Side::learner().types().len() + Side::service().types().len());
    for operation in ["hear", "speak"] {
        for reference in document["operations"][operation]["messages"].as_array().unwrap() {
            let pointer = reference["$ref"].as_str().unwrap().trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
}

#[test]
fn the_page_of_the_protocol_names_every_message_and_code() {
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    let types = [Side::learner(), Side::service()].into_iter().flat_map(|side| side.types());
    let codes = CloseReason::ALL.map(|why| (why.code().to_string(), String::new()));
    for (name, _) in types.chain(error_codes()).chain(codes) {
        assert!(page.contains(&format!("| `{name}` |")), "schemas/live/README.md has no row for {name}");
    }
}

#[test]
fn every_reason_to_close_has_a_code_of_its_own() {
    let mut codes = CloseReason::ALL.map(CloseReason::code);
    codes.sort_unstable();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    // RFC 6455: a close frame has at most 125 bytes, two of which are the code.
    assert!(CloseReason::ALL.iter().all(|why| why.reason().len() <= 123));
}
