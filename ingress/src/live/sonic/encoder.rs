//! PURE. Encodes the input of a stream. An event is JSON; the JSON is base64 in the payload of an event-stream message, and that
//! message is the payload of a signed one. The bytes are those of the SDK, written into one buffer.
//!
//! A message is `length of all, length of headers, CRC of the two, headers, payload, CRC of all before`, integers in 32 bits
//! big-endian (smithy.io, "Amazon Event Stream"; CRC-32 of IEEE 802.3).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    signature::{MessageSigner, SIGNATURE_BYTES, SigningError},
    wire::{AudioInput, base64_bytes},
};

/// The headers of a chunk, in the order of the SDK.
const CHUNK_HEADERS: [(&str, &str); 3] =
    [(":message-type", "event"), (":event-type", "chunk"), (":content-type", "application/json")];

/// The payload of a chunk around the base64.
const PAYLOAD_HEAD: &[u8] = b"{\"bytes\":\"";
const PAYLOAD_TAIL: &[u8] = b"\"}";

/// Lengths and CRC at the start of a message, in bytes.
const PRELUDE_BYTES: usize = 12;

/// The CRC at the end of a message, in bytes.
const CRC_BYTES: usize = 4;

/// Types of header values.
const TYPE_BYTES: u8 = 6;
const TYPE_STRING: u8 = 7;
const TYPE_TIMESTAMP: u8 = 8;

const SIGNATURE_NAME: &str = ":chunk-signature";
const DATE_NAME: &str = ":date";

/// Position of the signature in a signed message.
const SIGNATURE_START: usize = PRELUDE_BYTES + 1 + SIGNATURE_NAME.len() + 1 + 2;

/// Length of the headers of a signed message, in bytes: names and values with their lengths and types.
const SIGNED_HEADERS_BYTES: usize =
    (1 + SIGNATURE_NAME.len() + 1 + 2 + SIGNATURE_BYTES) + (1 + DATE_NAME.len() + 1 + 8);

/// Where the payload of a signed message begins.
const SIGNED_PAYLOAD_START: usize = PRELUDE_BYTES + SIGNED_HEADERS_BYTES;

/// Room for some frames of audio, so that the buffer is seldom replaced.
const BUFFER_BYTES: usize = 8 * 1024;

/// An event of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    /// `audioInput` with these samples, PCM s16le.
    Audio(Bytes),
    /// Any other event, as JSON.
    Json(Vec<u8>),
}

/// See the module.
#[derive(Debug)]
pub struct InputEncoder {
    audio: AudioInput,
    signer: MessageSigner,
    chunk_headers: Vec<u8>,
    /// The JSON of the event at hand.
    json: Vec<u8>,
    buffer: BytesMut,
}

impl InputEncoder {
    #[must_use]
    pub fn new(audio: AudioInput, signer: MessageSigner) -> Self {
        let mut chunk_headers = Vec::new();
        for (name, value) in CHUNK_HEADERS {
            put_header(&mut chunk_headers, name, TYPE_STRING, value.as_bytes());
        }
        Self { audio, signer, chunk_headers, json: Vec::new(), buffer: BytesMut::new() }
    }

    /// The signed message of `event`, at `seconds` since 1970.
    ///
    /// # Errors
    /// [`SigningError::Time`].
    pub fn encode(&mut self, event: &InputEvent, seconds: u64) -> Result<Bytes, SigningError> {
        let json = match event {
            InputEvent::Audio(pcm) => {
                self.json.clear();
                self.audio.write(pcm, &mut self.json);
                &self.json
            }
            InputEvent::Json(json) => json,
        };
        let encoded = base64_bytes(json.len());
        let payload = PAYLOAD_HEAD.len() + encoded + PAYLOAD_TAIL.len();
        let chunk = PRELUDE_BYTES + self.chunk_headers.len() + payload + CRC_BYTES;
        begin_signed(&mut self.buffer, chunk, seconds)?;
        let start = self.buffer.len();
        put_prelude(&mut self.buffer, chunk, self.chunk_headers.len());
        self.buffer.put_slice(&self.chunk_headers);
        self.buffer.put_slice(PAYLOAD_HEAD);
        let at = self.buffer.len();
        self.buffer.put_bytes(0, encoded);
        let written = STANDARD.encode_slice(json, &mut self.buffer[at..]);
        written.expect("the buffer has the length of padded base64 by construction");
        self.buffer.put_slice(PAYLOAD_TAIL);
        let crc = crc32fast::hash(&self.buffer[start..]);
        self.buffer.put_u32(crc);
        self.sign(seconds)
    }

    /// The message that ends the stream: signed and empty.
    ///
    /// # Errors
    /// [`SigningError::Time`].
    pub fn end(&mut self, seconds: u64) -> Result<Bytes, SigningError> {
        begin_signed(&mut self.buffer, 0, seconds)?;
        self.sign(seconds)
    }

    /// Signs the message in the buffer and takes it out.
    fn sign(&mut self, seconds: u64) -> Result<Bytes, SigningError> {
        let signature = self.signer.sign(&self.buffer[SIGNED_PAYLOAD_START..], seconds)?;
        self.buffer[SIGNATURE_START..][..SIGNATURE_BYTES].copy_from_slice(&signature);
        let crc = crc32fast::hash(&self.buffer);
        self.buffer.put_u32(crc);
        Ok(self.buffer.split().freeze())
    }
}

/// Writes a signed message up to its payload of this length. The signature follows.
fn begin_signed(buffer: &mut BytesMut, payload: usize, seconds: u64) -> Result<(), SigningError> {
    let date_ms =
        seconds.checked_mul(1_000).and_then(|ms| i64::try_from(ms).ok()).ok_or(SigningError::Time)?;
    // What an error has left.
    buffer.clear();
    let length = SIGNED_PAYLOAD_START + payload + CRC_BYTES;
    if buffer.capacity() < length {
        buffer.reserve(length.max(BUFFER_BYTES));
    }
    put_prelude(buffer, length, SIGNED_HEADERS_BYTES);
    put_header(buffer, SIGNATURE_NAME, TYPE_BYTES, &[0; SIGNATURE_BYTES]);
    buffer.put_u8(length_byte(DATE_NAME));
    buffer.put_slice(DATE_NAME.as_bytes());
    buffer.put_u8(TYPE_TIMESTAMP);
    buffer.put_i64(date_ms);
    Ok(())
}

/// The first 12 bytes of a message, at the end of `buffer`.
fn put_prelude(buffer: &mut BytesMut, length: usize, headers: usize) {
    let start = buffer.len();
    let number = |bytes: usize| u32::try_from(bytes).expect("an event has some KB at most");
    buffer.put_u32(number(length));
    buffer.put_u32(number(headers));
    let crc = crc32fast::hash(&buffer[start..]);
    buffer.put_u32(crc);
}

/// A header whose value has a length.
fn put_header(buffer: &mut impl bytes::BufMut, name: &str, kind: u8, value: &[u8]) {
    buffer.put_u8(length_byte(name));
    buffer.put_slice(name.as_bytes());
    buffer.put_u8(kind);
    buffer.put_u16(u16::try_from(value.len()).expect("the values of this module are short"));
    buffer.put_slice(value);
}

fn length_byte(name: &str) -> u8 {
    u8::try_from(name.len()).expect("the names of this module are short")
}

#[cfg(test)]
mod tests;
