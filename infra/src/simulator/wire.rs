//! PURE. The event-stream messages of a bidirectional stream (`application/vnd.amazon.eventstream`).
//!
//! A client's message is `{"bytes":"<base64 of the event>"}` with the headers `:message-type` event and `:event-type`
//! chunk, wrapped in a signed message with `:date` and `:chunk-signature`; an empty signed message ends the stream.
//! Messages of the service are not signed.

use std::borrow::Cow;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, read_message_from, write_message_to};
use aws_smithy_types::DateTime;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// A message of the client.
#[derive(Debug)]
pub(crate) struct InboundMessage {
    /// The event's JSON; `None` for the message that ends the stream.
    pub(crate) event: Option<Vec<u8>>,
    pub(crate) signed: Option<Signed>,
}

/// The signed message around an event.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) date: DateTime,
    pub(crate) signature: Bytes,
    pub(crate) payload: Bytes,
}

/// The bytes are not a message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event-stream message of a client")]
pub(crate) struct MalformedMessageError;

/// Splits the bytes of a request into messages.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: BytesMut,
    frames: MessageFrameDecoder,
}

impl Reader {
    /// Appends received bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub(crate) fn read(&mut self) -> Result<Option<InboundMessage>, MalformedMessageError> {
        match self.frames.decode_frame(&mut self.buffer) {
            Ok(DecodedFrame::Complete(message)) => arrived(&message).map(Some),
            Ok(DecodedFrame::Incomplete) if self.buffer.len() > MESSAGE_BYTES_MAX => {
                Err(MalformedMessageError)
            }
            Ok(DecodedFrame::Incomplete) => Ok(None),
            Err(_) => Err(MalformedMessageError),
        }
    }
}

/// An output event as a message.
pub(crate) fn event(event: &Value) -> Bytes {
    let payload = json!({ "bytes": STANDARD.encode(event.to_string()) });
    message(
        [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")],
        &payload,
    )
}

/// An exception as a message: `modelStreamErrorException` also says what the model's own error was.
pub(crate) fn exception(exception_type: &'static str, text: &str) -> Bytes {
    let payload = if exception_type == "modelStreamErrorException" {
        json!({ "message": text, "originalMessage": text, "originalStatusCode": 500 })
    } else {
        json!({ "message": text })
    };
    let headers = [
        (":exception-type", exception_type),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(headers, &payload)
}

fn message(headers: [(&'static str, &'static str); 3], payload: &Value) -> Bytes {
    let headers = headers.map(|(name, value)| Header::new(name, HeaderValue::String(value.into()))).to_vec();
    let message = Message::new_from_parts(headers, payload.to_string());
    let mut bytes = Vec::with_capacity(message.payload().len() + 128);
    write_message_to(&message, &mut bytes)
        .expect("three short headers and a payload below 4 GiB fit a message");
    bytes.into()
}

fn arrived(message: &Message) -> Result<InboundMessage, MalformedMessageError> {
    let header = |name: &str| {
        message.headers().iter().find(|header| header.name().as_str() == name).map(Header::value)
    };
    let Some(signature) = header(":chunk-signature") else {
        return Ok(InboundMessage { event: Some(chunk(message)?), signed: None });
    };
    let signed = Signed {
        date: header(":date").and_then(|date| date.as_timestamp().ok()).ok_or(MalformedMessageError)?,
        signature: signature.as_byte_array().map_err(|_| MalformedMessageError)?.clone(),
        payload: message.payload().clone(),
    };
    let event = if signed.payload.is_empty() {
        None
    } else {
        let inner = read_message_from(&mut signed.payload.clone()).map_err(|_| MalformedMessageError)?;
        Some(chunk(&inner)?)
    };
    Ok(InboundMessage { event, signed: Some(signed) })
}

fn chunk(message: &Message) -> Result<Vec<u8>, MalformedMessageError> {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        bytes: Cow<'a, str>,
    }
    let is = |name: &str, value: &str| {
        message.headers().iter().any(|header| {
            header.name().as_str() == name
                && header.value().as_string().is_ok_and(|text| text.as_str() == value)
        })
    };
    if !is(":message-type", "event") || !is(":event-type", "chunk") {
        return Err(MalformedMessageError);
    }
    let chunk: Chunk<'_> = serde_json::from_slice(message.payload()).map_err(|_| MalformedMessageError)?;
    STANDARD.decode(chunk.bytes.as_bytes()).map_err(|_| MalformedMessageError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(event: &Value) -> Bytes {
        super::event(event)
    }

    fn outer(payload: Bytes) -> Vec<u8> {
        let message = Message::new(payload)
            .add_header(Header::new(":date", HeaderValue::Timestamp(DateTime::from_secs(1))))
            .add_header(Header::new(":chunk-signature", HeaderValue::ByteArray(vec![7; 32].into())));
        let mut bytes = Vec::new();
        write_message_to(&message, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn signed_and_bare_messages_are_read_in_any_pieces() {
        let event = json!({ "event": { "sessionEnd": {} } });
        let mut stream = outer(inner(&event));
        stream.extend_from_slice(&inner(&event));
        stream.extend(outer(Bytes::new()));
        let mut reader = Reader::default();
        let mut arrived = Vec::new();
        for byte in stream {
            reader.push(&[byte]);
            arrived.extend(reader.read().unwrap());
        }
        let events: Vec<_> = arrived.iter().map(|arrived| arrived.event.clone()).collect();
        let expected = Some(event.to_string().into_bytes());
        assert_eq!(events, [expected.clone(), expected, None]);
        let signed: Vec<_> = arrived.iter().map(|arrived| arrived.signed.is_some()).collect();
        assert_eq!(signed, [true, false, true]);
    }

    #[test]
    fn damaged_and_foreign_messages_are_refused() {
        let good = outer(inner(&json!({})));
        for (at, value) in [(good.len() - 1, 0xFFu8), (good.len() / 2, 0xFF), (9, 0xFF)] {
            let mut damaged = good.clone();
            damaged[at] ^= value;
            let mut reader = Reader::default();
            reader.push(&damaged);
            assert_eq!(reader.read().unwrap_err(), MalformedMessageError, "byte {at}");
        }
        let mut reader = Reader::default();
        reader.push(&exception("validationException", "no"));
        assert_eq!(reader.read().unwrap_err(), MalformedMessageError);
    }

    #[test]
    fn a_message_above_the_limit_is_refused_before_it_is_complete() {
        let mut reader = Reader::default();
        reader.push(&u32::MAX.to_be_bytes());
        reader.push(&vec![0; MESSAGE_BYTES_MAX + 32]);
        assert_eq!(reader.read().unwrap_err(), MalformedMessageError);
    }
}
