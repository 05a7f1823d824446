//! PURE. AWS Signature Version 4 on the service side: verifies the signature of a request and of each message of its
//! stream against the secret of the access key.
//!
//! The string to sign of a message is that of the "AWS4-HMAC-SHA256-PAYLOAD" algorithm: each message signs the
//! signature before it, the first one the signature of the request.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_eventstream::frame::write_headers_to;
use aws_smithy_types::event_stream::{Header, HeaderValue};
use http::HeaderMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use sha2::{Digest as _, Sha256};

use super::wire::Signed;

/// Largest difference between a request's date and the service's time.
pub(crate) const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const EVENT_STREAM_PAYLOAD: &str = "STREAMING-AWS4-HMAC-SHA256-EVENTS";

/// Secret keys by access key.
#[derive(Clone, Default)]
pub(crate) struct Secrets(HashMap<String, String>);

impl Secrets {
    /// Reads lines of `access key=secret key`; empty lines and lines that start with `#` are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        Self(
            pairs
                .filter_map(|line| line.split_once('='))
                .map(|(key, secret)| (key.into(), secret.into()))
                .collect(),
        )
    }
}

/// The parts of an HTTP request that its signature covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    /// The path as sent, percent-encoded.
    pub(crate) path: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// The whole body; empty for a stream.
    pub(crate) body: &'a [u8],
}

/// Why a request is rejected, with the service's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    #[error("Signature expired: the request's date is too far from the time of the service.")]
    Expired,
}

impl SignatureError {
    pub(crate) fn exception(self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::Mismatch | Self::Expired => "InvalidSignatureException",
        }
    }
}

/// The chain of signatures of a stream.
pub(crate) struct Chain {
    secret: String,
    region: String,
    service: String,
    last: String,
    key: Option<(civil::Date, Vec<u8>)>,
}

/// Checks a request and returns the start of its chain.
pub(crate) fn verify(
    request: &SignedRequest<'_>,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Chain, SignatureError> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization =
        header("authorization").and_then(Authorization::parse).ok_or(SignatureError::Missing)?;
    let date = header("x-amz-date").ok_or(SignatureError::Missing)?;
    let time = civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .and_then(|time| TimeZone::UTC.to_timestamp(time))
        .map_err(|_| SignatureError::Missing)?;
    let secret = secrets.0.get(authorization.access_key).ok_or(SignatureError::UnknownKey)?;
    if time.duration_since(now).abs() > CLOCK_SKEW_MAX {
        return Err(SignatureError::Expired);
    }
    let canonical = canonical_request(request, &authorization).ok_or(SignatureError::Mismatch)?;
    let string_to_sign =
        format!("{ALGORITHM}\n{date}\n{}\n{}", authorization.scope, sha256_hex(canonical.as_bytes()));
    let (region, service) = (authorization.region, authorization.service);
    let day = SystemTime::try_from(time).map_err(|_| SignatureError::Expired)?;
    let key = generate_signing_key(secret, day, region, service);
    if calculate_signature(key, string_to_sign.as_bytes()) != authorization.signature {
        return Err(SignatureError::Mismatch);
    }
    Ok(Chain {
        secret: secret.clone(),
        region: region.to_owned(),
        service: service.to_owned(),
        last: authorization.signature.to_owned(),
        key: None,
    })
}

impl Chain {
    /// Whether `signed` is the next message of the chain. After a wrong message every later one is wrong too.
    pub(crate) fn verify(&mut self, signed: &Signed) -> bool {
        let Ok(time) = Timestamp::new(signed.date.secs(), 0) else {
            return false;
        };
        let Ok(day) = SystemTime::try_from(time) else {
            return false;
        };
        let utc = TimeZone::UTC.to_datetime(time);
        let mut date_header = Vec::new();
        let header = Header::new(":date", HeaderValue::Timestamp(signed.date));
        if write_headers_to(&[header], &mut date_header).is_err() {
            return false;
        }
        let string_to_sign = format!(
            "{ALGORITHM}-PAYLOAD\n{}\n{}/{}/{}/aws4_request\n{}\n{}\n{}",
            utc.strftime("%Y%m%dT%H%M%SZ"),
            utc.strftime("%Y%m%d"),
            self.region,
            self.service,
            self.last,
            sha256_hex(&date_header),
            sha256_hex(&signed.payload),
        );
        let key = self.key(utc.date(), day);
        self.last = calculate_signature(key, string_to_sign.as_bytes());
        hex::encode(&signed.signature) == self.last
    }

    fn key(&mut self, date: civil::Date, time: SystemTime) -> Vec<u8> {
        match &self.key {
            Some((of, key)) if *of == date => key.clone(),
            _ => {
                let key =
                    generate_signing_key(&self.secret, time, &self.region, &self.service).as_ref().to_vec();
                self.key = Some((date, key.clone()));
                key
            }
        }
    }
}

struct Authorization<'a> {
    access_key: &'a str,
    scope: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let fields: HashMap<&str, &str> = header
            .strip_prefix(ALGORITHM)?
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .collect();
        let (access_key, scope) = fields.get("Credential")?.split_once('/')?;
        let mut parts = scope.split('/').skip(1);
        Some(Self {
            access_key,
            scope,
            region: parts.next()?,
            service: parts.next()?,
            signed_headers: fields.get("SignedHeaders")?,
            signature: fields.get("Signature")?,
        })
    }
}

fn canonical_request(request: &SignedRequest<'_>, authorization: &Authorization<'_>) -> Option<String> {
    let mut canonical = format!("{}\n{}\n\n", request.method, encode_path(request.path));
    for name in authorization.signed_headers.split(';') {
        let value = match name {
            // HTTP/2 carries the host as `:authority`; the JavaScript SDK signs it under that name.
            "host" | ":authority" => request.authority.to_owned(),
            _ => {
                let values: Option<Vec<&str>> =
                    request.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
                let values = values?.iter().map(|value| collapse(value)).collect::<Vec<_>>();
                values.join(",")
            }
        };
        writeln!(canonical, "{name}:{value}").ok()?;
    }
    let declared = request.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    let payload = match declared {
        Some(EVENT_STREAM_PAYLOAD) => EVENT_STREAM_PAYLOAD.to_owned(),
        Some(_) | None => sha256_hex(request.body),
    };
    write!(canonical, "\n{}\n{payload}", authorization.signed_headers).ok()?;
    Some(canonical)
}

/// SigV4 encodes the path once more than the request does.
fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String never fails");
        }
    }
    encoded
}

fn collapse(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
