//! Addresses of private objects that are good for a while: pre-signed URLs of S3.
//!
//! An address is signed as of the beginning of its quarter of an hour, so that it stays the same that long and a browser
//! that asks twice loads the object once. It ends earlier where the credentials of the task do.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_sdk_s3::{Client, presigning::PresigningConfig};
use events::runtime::failure::describe;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// How long an address stays the same, in seconds.
const STEP_SECONDS: i64 = 15 * 60;

/// How long an address is good at the least, in seconds, unless the task's credentials end before.
pub const GOOD_SECONDS_MIN: i64 = 45 * 60;

/// Where an object can be read for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedUrl {
    /// Its address; whoever has it can read the object.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Until when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// Signs the address of the object `key` of `bucket`. Nothing is asked of S3: whether it is there is not known.
///
/// # Errors
/// There are no credentials to sign with.
pub async fn sign(s3: &Client, bucket: &str, key: &str, now: Timestamp) -> anyhow::Result<SignedUrl> {
    let (start, expires_at) = window(now);
    let lasts = Duration::from_secs((STEP_SECONDS + GOOD_SECONDS_MIN).unsigned_abs());
    let start = SystemTime::try_from(start).context("an address cannot be signed as of so early a time")?;
    let config = PresigningConfig::builder().start_time(start).expires_in(lasts).build();
    let config = config.context("an address cannot be signed for so long")?;
    let signed = s3.get_object().bucket(bucket).key(key).presigned(config).await;
    let signed = signed.map_err(|error| describe(&error)).context("failed to sign an address")?;
    Ok(SignedUrl { url: signed.uri().to_owned(), expires_at })
}

/// From when to when an address is good that is signed `now`.
fn window(now: Timestamp) -> (Timestamp, Timestamp) {
    let start = now.as_second().div_euclid(STEP_SECONDS) * STEP_SECONDS;
    let at = |second| Timestamp::from_second(second).unwrap_or(now);
    (at(start), at(start + STEP_SECONDS + GOOD_SECONDS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stays_the_same_for_a_quarter_of_an_hour_and_is_good_for_longer() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let first = window(at("2026-11-26T10:15:00Z"));
        assert_eq!(first, window(at("2026-11-26T10:29:59.999Z")));
        assert_eq!(first, (at("2026-11-26T10:15:00Z"), at("2026-11-26T11:15:00Z")));
        assert_ne!(first, window(at("2026-11-26T10:30:00Z")));
        // Even one that is handed out at the end of its quarter.
        let left = first.1.as_second() - at("2026-11-26T10:29:59Z").as_second();
        assert!(left >= GOOD_SECONDS_MIN, "{left}");
    }
}
