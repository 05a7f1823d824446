//! Cacheable responses: their lifetime, and conditional requests to read ([`IfNoneMatch`]) or to change ([`IfMatch`]) a resource.
//! Other responses are not cacheable.

use std::{convert::Infallible, fmt, marker::PhantomData, time::Duration};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    operation::OperationBuilder,
    problem::{ApiError, Code},
    route::{HandlerInput, HandlerOutput},
};

/// Length of the hash in an entity tag, in bytes.
const TAG_BYTES: usize = 16;

/// How long what never changes is kept, in seconds: a year.
const IMMUTABLE_SECONDS: u64 = 31_536_000;

/// How long a response is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Caches revalidate it with each use; 304 while it is unchanged.
    Revalidated,
    /// Fresh for this time, for this caller only.
    Private(Duration),
    /// Fresh for this time, for all callers.
    Public(Duration),
    /// It never changes, for all callers.
    Immutable,
}

/// A strong entity tag (RFC 9110, section 8.8.3), a hash of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

/// The header `If-None-Match`: an argument of handlers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfNoneMatch(Option<String>);

/// The header `If-Match`: an argument of handlers that must not overwrite a concurrent change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(String);

/// `T` as JSON with an entity tag, or 304 if the caller has it.
#[derive(Debug)]
pub struct Cached<T> {
    response: Response,
    of: PhantomData<T>,
}

impl EntityTag {
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        let hash = Sha256::digest(content);
        let hex: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("\"{hex}\""))
    }

    /// The tag of content with this hash, in hexadecimal digits.
    #[must_use]
    pub fn of_hash(hash: &str) -> Self {
        Self(format!("\"{hash}\""))
    }

    /// The tag of `value` as JSON, which is that of [`IfNoneMatch::json`].
    ///
    /// # Errors
    /// The value cannot be serialized.
    pub fn of_json(value: &impl Serialize) -> Result<Self, ApiError> {
        encoded(value).map(|content| Self::of(&content))
    }

    /// Whether the value of `If-Match` or `If-None-Match` includes this tag. The comparison is weak (RFC 9110, section 8.8.3.2),
    /// because a proxy that compresses a response weakens its tag.
    #[must_use]
    pub fn is_in(&self, header: &str) -> bool {
        let mut tags = header.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }

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
    /// The value of the header `Cache-Control`.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        let text = match self {
            Self::Revalidated => "private, no-cache".to_owned(),
            Self::Private(age) => format!("private, max-age={}", age.as_secs()),
            Self::Public(age) => format!("public, max-age={}", age.as_secs()),
            Self::Immutable => format!("public, max-age={IMMUTABLE_SECONDS}, immutable"),
        };
        HeaderValue::from_str(&text).expect("numbers and words are valid in a header")
    }
}

impl IfNoneMatch {
    /// `content` with its media type, or 304 if the caller has it.
    #[must_use]
    pub fn respond(&self, freshness: Freshness, media_type: &'static str, content: Vec<u8>) -> Response {
        let tag = EntityTag::of(&content);
        let kept = [(header::ETAG, tag.header()), (header::CACHE_CONTROL, freshness.header())];
        if self.includes(&tag) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        (kept, [(header::CONTENT_TYPE, media_type)], content).into_response()
    }

    /// Whether the caller has the content with this tag.
    #[must_use]
    pub fn includes(&self, tag: &EntityTag) -> bool {
        self.0.as_deref().is_some_and(|header| tag.is_in(header))
    }

    /// `value` as JSON, or 304 if the caller has it.
    ///
    /// # Errors
    /// The value cannot be serialized.
    pub fn json<T: Serialize>(&self, freshness: Freshness, value: &T) -> Result<Cached<T>, ApiError> {
        let content = encoded(value)?;
        Ok(Cached { response: self.respond(freshness, "application/json", content), of: PhantomData })
    }
}

impl IfMatch {
    /// Whether the change is based on the content with this tag.
    #[must_use]
    pub fn includes(&self, tag: &EntityTag) -> bool {
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
            let detail =
                "If-Match is missing: send the ETag of the version that the change is based on, or *";
            ApiError::refused(Code::IfMatchMissing, detail)
        };
        let value = parts.headers.get(header::IF_MATCH).ok_or_else(missing)?;
        // A value that is not text matches no tag.
        Ok(Self(value.to_str().unwrap_or_default().to_owned()))
    }
}

impl HandlerInput for IfMatch {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.header(
            "If-Match",
            "The ETag of the version that the change is based on, or `*` for any version.",
        );
        operation.problem(Code::IfMatchMissing);
    }
}

impl HandlerInput for IfNoneMatch {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.header("If-None-Match", "The ETag of the response that the caller has.");
        for status in [200, 304] {
            operation.response_header(status, "ETag", "Entity tag of the content.");
            operation.response_header(status, "Cache-Control", "How long the response is fresh.");
        }
        operation.response(304, "Unchanged: the caller has the current content.", None);
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

impl<T: JsonSchema> HandlerOutput for Cached<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        let schema = operation.schema::<T>();
        operation.response(200, "Success.", Some(("application/json", schema)));
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
        assert!(seen.includes(&tag("a")) && !seen.includes(&tag("b")));
        let any = change(Some("*")).await.unwrap();
        assert!(any.includes(&tag("a")) && any.includes(&tag("b")));
        for other in ["", "\"\"", "\"7\"", "a"] {
            assert!(!change(Some(other)).await.unwrap().includes(&tag("a")), "{other}");
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
        assert_eq!(Freshness::Immutable.header(), "public, max-age=31536000, immutable");
    }
}
