//! Objects of S3 as responses: streamed, whole or one range of them. An object under a key never changes.

use aws_sdk_s3::{Client, operation::get_object::GetObjectError, primitives::ByteStream};
use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use events::runtime::failure::describe;
use futures_util::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Longest value of `Range` that is passed on, in bytes.
pub const RANGE_BYTES_MAX: usize = 64;

/// Why an object is not returned.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("the object does not exist")]
    NotFound,
    /// No byte of the object is in the range.
    #[error("the range is outside of the object")]
    Range,
    #[error("the object cannot be read")]
    Failed(#[source] anyhow::Error),
}

/// The object `key`, or the part of it that `range` names (RFC 9110, section 14.2). A value that is not one range of bytes is
/// ignored, as the RFC allows.
///
/// # Errors
/// See [`ObjectError`].
pub async fn response(
    s3: &Client,
    bucket: &str,
    key: &str,
    media_type: &'static str,
    range: Option<&str>,
) -> Result<Response, ObjectError> {
    let range = range.filter(|range| is_one_range(range)).map(str::to_owned);
    let got = s3.get_object().bucket(bucket).key(key).set_range(range).send().await;
    let object = got.map_err(|error| match error.as_service_error() {
        Some(GetObjectError::NoSuchKey(_)) => ObjectError::NotFound,
        Some(_) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 416) => ObjectError::Range,
        Some(_) | None => ObjectError::Failed(describe(&error)),
    })?;
    let status = if object.content_range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let length = object.content_length.map(|length| length.to_string());
    let headers = [
        (header::CONTENT_LENGTH, length.as_deref()),
        (header::CONTENT_RANGE, object.content_range.as_deref()),
        (header::CONTENT_TYPE, Some(media_type)),
        (header::ACCEPT_RANGES, Some("bytes")),
    ];
    let mut response = (status, body(object.body)).into_response();
    response.headers_mut().extend(headers.into_iter().filter_map(value));
    Ok(response)
}

fn value((name, value): (HeaderName, Option<&str>)) -> Option<(HeaderName, HeaderValue)> {
    Some((name, HeaderValue::from_str(value?).ok()?))
}

/// A failure cuts the connection, so that an incomplete object does not look complete.
fn body(bytes: ByteStream) -> Body {
    Body::from_stream(stream::try_unfold(bytes, async |mut bytes| {
        Ok::<_, aws_sdk_s3::primitives::ByteStreamError>(bytes.try_next().await?.map(|chunk| (chunk, bytes)))
    }))
}

/// `bytes=0-499`, `bytes=500-` or `bytes=-500`.
fn is_one_range(value: &str) -> bool {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    value.len() <= RANGE_BYTES_MAX
        && value.strip_prefix("bytes=").and_then(|range| range.split_once('-')).is_some_and(
            |(first, last)| is_number(first) && is_number(last) && !(first.is_empty() && last.is_empty()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_passed_on_and_any_other_value_is_ignored() {
        for range in ["bytes=0-499", "bytes=500-", "bytes=-500"] {
            assert!(is_one_range(range), "{range}");
        }
        let long = format!("bytes=0-{}", "9".repeat(RANGE_BYTES_MAX));
        for other in ["", "bytes=", "bytes=-", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=1--2", &long]
        {
            assert!(!is_one_range(other), "{other}");
        }
    }
}
