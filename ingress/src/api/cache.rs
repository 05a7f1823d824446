//! Answers that are kept: how long, and whether what the caller has is still good, to be read again ([`IfNoneMatch`]) or
//! to be changed ([`IfMatch`]). An answer that says nothing of it is not kept at all.

use std::{convert::Infallible, fmt, marker::PhantomData, time::Duration};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::route::{Input, Output, Sketch};
use crate::api::problem::{ApiError, Code};

/// Bytes of the hash that an entity tag shows.
const TAG_BYTES: usize = 16;

/// How long an answer is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is asked for again each time, and answered with 304 while it is the same.
    Revalidated,
    /// So long, for this caller alone.
    Private(Duration),
    /// So long, for everybody.
    Public(Duration),
}

/// An entity tag (RFC 9110, section 8.8.3): equal content has an equal tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

/// What the caller has already: an argument of a handler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfNoneMatch(Option<String>);

/// The content on which a change was made: an argument of a handler that must not overwrite another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(String);

/// `T` as JSON with an entity tag, or 304 for a caller who has it.
#[derive(Debug)]
pub struct Cached<T> {
    response: Response,
    of: PhantomData<T>,
}

impl EntityTag {
    /// The tag of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        let hash = Sha256::digest(content);
        let hex: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("\"{hex}\""))
    }

    /// The tag of `value` as JSON, which is that of [`IfNoneMatch::json`].
    ///
    /// # Errors
    /// The value is none of JSON.
    pub fn of_json(value: &impl Serialize) -> Result<Self, ApiError> {
        encoded(value).map(|content| Self::of(&content))
    }

    /// Whether a header If-Match or If-None-Match names this tag. Tags are compared weakly (RFC 9110, section 8.8.3.2):
    /// a proxy that compresses an answer makes its tag a weak one.
    #[must_use]
    pub fn is_in(&self, header: &str) -> bool {
        let mut tags = header.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }

    /// The value of the header ETag.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a tag is hexadecimal digits between quotes")
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Freshness {
    /// The value of the header Cache-Control.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        let text = match self {
            Self::Revalidated => "private, no-cache".to_owned(),
            Self::Private(age) => format!("private, max-age={}", age.as_secs()),
            Self::Public(age) => format!("public, max-age={}", age.as_secs()),
        };
        HeaderValue::from_str(&text).expect("numbers and words are plain")
    }
}

impl IfNoneMatch {
    /// `content` of a media type, or 304 for a caller who has it.
    #[must_use]
    pub fn answer(&self, freshness: Freshness, media_type: &'static str, content: Vec<u8>) -> Response {
        let tag = EntityTag::of(&content);
        let kept = [(header::ETAG, tag.header()), (header::CACHE_CONTROL, freshness.header())];
        if self.0.as_deref().is_some_and(|header| tag.is_in(header)) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        (kept, [(header::CONTENT_TYPE, media_type)], content).into_response()
    }

    /// `value` as JSON, or 304 for a caller who has it.
    ///
    /// # Errors
    /// The value is none of JSON.
    pub fn json<T: Serialize>(&self, freshness: Freshness, value: &T) -> Result<Cached<T>, ApiError> {
        let content = encoded(value)?;
        Ok(Cached { response: self.answer(freshness, "application/json", content), of: PhantomData })
    }
}

impl IfMatch {
    /// Whether the change was made on the content with this tag.
    #[must_use]
    pub fn is_on(&self, tag: &EntityTag) -> bool {
        tag.is_in(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        Ok(Self(value.map(str::to_owned)))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || {
            let detail = "If-Match is missing: it has to be the ETag of what is changed, or *";
            ApiError::refused(Code::IfMatchMissing, detail)
        };
        let value = parts.headers.get(header::IF_MATCH).ok_or_else(missing)?;
        // What is no text is no tag of ours.
        Ok(Self(value.to_str().unwrap_or_default().to_owned()))
    }
}

impl Input for IfMatch {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.header("If-Match", "The ETag of the answer that is changed, or * for whatever stands.");
        sketch.problem(Code::IfMatchMissing);
    }
}

impl Input for IfNoneMatch {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.header("If-None-Match", "The ETag of the answer that the caller has.");
        for status in [200, 304] {
            sketch.answer_header(status, "ETag", "Equal content has an equal tag.");
            sketch.answer_header(status, "Cache-Control", "How long the answer is good.");
        }
        sketch.answer(304, "The caller has it.", None);
    }
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|error| ApiError::Internal(error.into()))
}

impl<T> IntoResponse for Cached<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: JsonSchema> Output for Cached<T> {
    fn describe(sketch: &mut Sketch<'_>) {
        let schema = sketch.schema::<T>();
        sketch.answer(200, "What was asked for.", Some(("application/json", schema)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn ask(header: Option<&str>) -> IfNoneMatch {
        let mut request = http::Request::get("http://x/");
        if let Some(header) = header {
            request = request.header("if-none-match", header);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        IfNoneMatch::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn what_the_caller_has_is_not_sent_again() {
        let freshness = Freshness::Private(Duration::from_secs(60));
        let first = ask(None).await.json(freshness, &["a"]).unwrap().into_response();
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(
            (first.status(), &first.headers()[header::CONTENT_TYPE]),
            (StatusCode::OK, &"application/json".parse().unwrap())
        );
        for (header, known) in [
            (tag.clone(), true),
            (format!("W/{tag}"), true),
            (format!("\"x\", {tag}"), true),
            ("*".to_owned(), true),
            ("\"x\"".to_owned(), false),
            (tag.trim_matches('"').to_owned(), false),
        ] {
            let again = ask(Some(&header)).await.json(freshness, &["a"]).unwrap().into_response();
            assert_eq!(again.status() == StatusCode::NOT_MODIFIED, known, "{header}");
            assert_eq!(again.headers()[header::ETAG], tag);
            assert_eq!(again.headers()[header::CACHE_CONTROL], "private, max-age=60");
            let body = axum::body::to_bytes(again.into_body(), 100).await.unwrap();
            assert_eq!(body.is_empty(), known, "{header}");
        }
        let other = ask(Some(&tag)).await.json(freshness, &["b"]).unwrap().into_response();
        assert_eq!(other.status(), StatusCode::OK);
    }

    async fn change(header: Option<&str>) -> Result<IfMatch, ApiError> {
        let mut request = http::Request::patch("http://x/");
        if let Some(header) = header {
            request = request.header("if-match", header);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_change_says_on_which_version_it_was_made() {
        assert_eq!(change(None).await.unwrap_err().code(), Code::IfMatchMissing);
        let seen = ask(None).await.json(Freshness::Revalidated, &["a"]).unwrap().into_response();
        let seen = change(Some(seen.headers()[header::ETAG].to_str().unwrap())).await.unwrap();
        let tag = |value: &str| EntityTag::of_json(&[value]).unwrap();
        assert!(seen.is_on(&tag("a")) && !seen.is_on(&tag("b")));
        let any = change(Some("*")).await.unwrap();
        assert!(any.is_on(&tag("a")) && any.is_on(&tag("b")));
        for other in ["", "\"\"", "\"7\"", "a"] {
            assert!(!change(Some(other)).await.unwrap().is_on(&tag("a")), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(value in "[ -~]{0,60}") {
            let tag = EntityTag::of(b"a");
            let named = tag.is_in(&value);
            prop_assert!(!named || value.contains('*') || value.contains(&tag.to_string()), "{value}");
        }
    }

    #[test]
    fn an_answer_says_how_long_it_is_good() {
        assert_eq!(Freshness::Revalidated.header(), "private, no-cache");
        assert_eq!(Freshness::Public(Duration::from_secs(300)).header(), "public, max-age=300");
    }
}
