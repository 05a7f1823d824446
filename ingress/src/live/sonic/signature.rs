//! PURE. The signatures of the messages of a stream. The parts that stay the same for a day or a second are cached: the SDK's signer
//! derives and formats them for each of 31 messages a second. The signatures are equal, bit for bit, to those of
//! `aws_sigv4::event_stream`.
//!
//! Each message carries the signature of itself and of the one before it (Amazon Transcribe developer guide, "Setting up
//! an HTTP/2 stream", "signing").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::generate_signing_key;
use aws_smithy_eventstream::frame::write_headers_to;
use aws_smithy_types::event_stream::{Header, HeaderValue};
use jiff::Timestamp;
use ring::hmac;
use sha2::{Digest as _, Sha256};

/// Length of a signature and of a hash, in bytes.
pub const SIGNATURE_BYTES: usize = 32;

/// A hash or a signature in lower-case hexadecimal digits.
type Hex = [u8; 2 * SIGNATURE_BYTES];

/// The start of the signature chain: the signature of the HTTP request and its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub signature: String,
    pub region: String,
    pub service: String,
}

impl Start {
    /// `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, SignedHeaders=<names>, Signature=<hex>`
    #[must_use]
    pub fn parse(authorization: &str) -> Option<Self> {
        let (_, credential) = authorization.split_once("Credential=")?;
        let (scope, _) = credential.split_once(',')?;
        let mut scope = scope.rsplit('/').skip(1);
        let (service, region) = (scope.next()?.to_owned(), scope.next()?.to_owned());
        let (_, signature) = authorization.split_once("Signature=")?;
        Some(Self { signature: signature.to_owned(), region, service })
    }
}

/// Why a message cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The HTTP request was not signed by [`super::StreamAuthScheme`] before its body was read.
    #[error("the request of the stream was not signed before its messages")]
    RequestUnsigned,
    /// The clock shows a time before 1970 or after 9999.
    #[error("the clock shows a time that a signature cannot have")]
    Time,
}

/// Signs the messages of one stream, one after the other.
#[derive(Debug)]
pub struct MessageSigner {
    credentials: Credentials,
    start: Start,
    /// The signature of the message before, first that of the request.
    last: Vec<u8>,
    day: Option<Day>,
    second: Option<Second>,
    to_sign: Vec<u8>,
}

/// The part of a signature that stays the same for a day.
#[derive(Debug)]
struct Day {
    number: u64,
    key: hmac::Key,
}

/// The part of a signature that stays the same for a second.
#[derive(Debug)]
struct Second {
    number: u64,
    /// The string to sign up to the last signature.
    head: String,
    date_hash: Hex,
}

impl MessageSigner {
    #[must_use]
    pub fn new(credentials: Credentials, start: Start) -> Self {
        let last = start.signature.as_bytes().to_vec();
        Self { credentials, start, last, day: None, second: None, to_sign: Vec::new() }
    }

    /// The signature of a message with this payload at `seconds` since 1970, which is also its date.
    ///
    /// # Errors
    /// [`SigningError::Time`].
    pub fn sign(&mut self, payload: &[u8], seconds: u64) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
        let second = Second::of(&mut self.second, seconds, &self.start)?;
        let day = Day::of(&mut self.day, seconds, &self.credentials, &self.start);
        let payload_hash = hash(payload);
        self.to_sign.clear();
        for part in [second.head.as_bytes(), &self.last, b"\n", &second.date_hash, b"\n", &payload_hash] {
            self.to_sign.extend_from_slice(part);
        }
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(hmac::sign(&day.key, &self.to_sign).as_ref());
        self.last.clear();
        self.last.extend_from_slice(&hex(&signature));
        Ok(signature)
    }
}

impl Day {
    /// The cached value, or a new one if it is out of date.
    fn of<'a>(
        cache: &'a mut Option<Self>,
        seconds: u64,
        credentials: &Credentials,
        start: &Start,
    ) -> &'a Self {
        let number = seconds / (24 * 60 * 60);
        if cache.as_ref().is_some_and(|day| day.number != number) {
            *cache = None;
        }
        cache.get_or_insert_with(|| {
            let secret = credentials.secret_access_key();
            let key = generate_signing_key(secret, at(seconds), &start.region, &start.service);
            Self { number, key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()) }
        })
    }
}

impl Second {
    /// The cached value, or a new one if it is out of date.
    fn of<'a>(cache: &'a mut Option<Self>, seconds: u64, start: &Start) -> Result<&'a Self, SigningError> {
        let current = match cache.take() {
            Some(second) if second.number == seconds => second,
            Some(_) | None => Self::new(seconds, start)?,
        };
        Ok(cache.insert(current))
    }

    fn new(seconds: u64, start: &Start) -> Result<Self, SigningError> {
        let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let time = time.ok_or(SigningError::Time)?;
        let Start { region, service, .. } = start;
        let head = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}/{region}/{service}/aws4_request\n",
            time.strftime("%Y%m%dT%H%M%SZ"),
            time.strftime("%Y%m%d"),
        );
        let date = Header::new(":date", HeaderValue::Timestamp(at(seconds).into()));
        let mut bytes = Vec::new();
        write_headers_to(std::slice::from_ref(&date), &mut bytes).map_err(|_| SigningError::Time)?;
        Ok(Self { number: seconds, head, date_hash: hash(&bytes) })
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn hash(bytes: &[u8]) -> Hex {
    hex(&Sha256::digest(bytes).into())
}

fn hex(bytes: &[u8; SIGNATURE_BYTES]) -> Hex {
    let mut digits = [0; 2 * SIGNATURE_BYTES];
    hex::encode_to_slice(bytes, &mut digits).expect("two digits for each byte, by the types");
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261126/us-east-1/bedrock/aws4_request, \
                                 SignedHeaders=host;x-amz-date, Signature=00ff";

    #[test]
    fn the_chain_begins_with_what_the_request_was_signed_for() {
        let start = Start::parse(AUTHORIZATION).unwrap();
        let (region, service) = ("us-east-1".to_owned(), "bedrock".to_owned());
        assert_eq!(start, Start { signature: "00ff".to_owned(), region, service });
        for other in ["", "Bearer token", "AWS4-HMAC-SHA256 Credential=AKID", "Credential=a/b,"] {
            assert_eq!(Start::parse(other), None, "{other}");
        }
    }

    #[test]
    fn time_that_no_signature_can_have_is_refused() {
        let start = Start::parse(AUTHORIZATION).unwrap();
        let mut signer = MessageSigner::new(Credentials::for_tests(), start);
        assert_eq!(signer.sign(b"", u64::MAX / 1_000_000), Err(SigningError::Time));
        assert!(signer.sign(b"", 0).is_ok());
    }
}
