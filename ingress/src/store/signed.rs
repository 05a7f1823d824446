//! Pre-signed S3 URLs of private objects, valid for a limited time.
//!
//! The signature dates from the start of the current quarter of an hour. The URL therefore stays the same for that long,
//! and a browser that requests it twice downloads the object once. It expires earlier if the task's credentials do.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_sdk_s3::{Client, presigning::PresigningConfig};
use events::runtime::failure::describe;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// How long a URL stays the same, in seconds.
const STEP_SECONDS: i64 = 15 * 60;

/// Minimum validity of a returned URL, in seconds, unless the task's credentials expire earlier.
pub const VALID_SECONDS_MIN: i64 = 45 * 60;

/// A pre-signed URL of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedUrl {
    /// The URL. It gives access without further authentication.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// When the URL expires.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// Signs a URL of the object `key` of `bucket`. It makes no request to S3: the object may not exist.
///
/// # Errors
/// There are no credentials to sign with.
pub async fn sign(s3: &Client, bucket: &str, key: &str, now: Timestamp) -> anyhow::Result<SignedUrl> {
    let (start, expires_at) = window(now);
    let lasts = Duration::from_secs((STEP_SECONDS + VALID_SECONDS_MIN).unsigned_abs());
    let start = SystemTime::try_from(start).context("the start of the signature is out of range")?;
    let config = PresigningConfig::builder().start_time(start).expires_in(lasts).build();
    let config = config.context("the validity of the signature is out of range")?;
    let signed = s3.get_object().bucket(bucket).key(key).presigned(config).await;
    let signed = signed.map_err(|error| describe(&error)).context("failed to sign a URL")?;
    Ok(SignedUrl { url: signed.uri().to_owned(), expires_at })
}

/// Start and end of the validity of a URL that is signed at `now`.
fn window(now: Timestamp) -> (Timestamp, Timestamp) {
    let start = now.as_second().div_euclid(STEP_SECONDS) * STEP_SECONDS;
    let at = |second| Timestamp::from_second(second).unwrap_or(now);
    (at(start), at(start + STEP_SECONDS + VALID_SECONDS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_stays_the_same_for_a_quarter_of_an_hour_and_is_valid_for_longer() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let first = window(at("2026-11-26T10:15:00Z"));
        assert_eq!(first, window(at("2026-11-26T10:29:59.999Z")));
        assert_eq!(first, (at("2026-11-26T10:15:00Z"), at("2026-11-26T11:15:00Z")));
        assert_ne!(first, window(at("2026-11-26T10:30:00Z")));
        // Even a URL that is returned at the end of its quarter.
        let left = first.1.as_second() - at("2026-11-26T10:29:59Z").as_second();
        assert!(left >= VALID_SECONDS_MIN, "{left}");
    }
}
