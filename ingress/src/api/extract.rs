//! Extractors for the path, the query and the body of a request. An invalid value is rejected with a problem document that names
//! it.

use std::{convert::Infallible, fmt};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{
    operation::OperationBuilder,
    problem::{ApiError, Code, Reason},
    route::HandlerInput,
};

/// Maximum length of a parser's message in a problem document, in characters: messages quote the input.
const MESSAGE_CHARS_MAX: usize = 300;

#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

/// The header `Range`, as the caller sent it.
#[derive(Clone, Debug)]
pub struct ByteRange(pub Option<String>);

/// The parameters of the path. A value that cannot be one identifies nothing: 404.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            let detail = "Content-Type must be application/json";
            return Err(ApiError::refused(Code::ContentTypeUnsupported, detail));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| incomplete(&rejection))?;
        decode(&body).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let decoder = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(decoder).map(Self).map_err(|error| {
            let message = short(error.inner());
            let (field, reason) = field(&error.path().to_string(), &message);
            ApiError::query(field, reason, message)
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| ApiError::NotFound("resource"))
    }
}

impl<S: Sync> FromRequestParts<S> for ByteRange {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        Ok(Self(value.map(str::to_owned)))
    }
}

impl HandlerInput for ByteRange {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.header("Range", "One range of bytes, e.g. `bytes=0-499`. Any other value is ignored.");
        operation.response(206, "The range.", None);
        operation.response_header(206, "Content-Range", "Which bytes these are, and how many there are.");
        operation.problem(Code::RangeInvalid);
    }
}

impl<T: JsonSchema> HandlerInput for Body<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.body::<T>("application/json");
        [Code::BodyInvalid, Code::BodyTooLarge, Code::ContentTypeUnsupported, Code::FieldInvalid]
            .into_iter()
            .for_each(|code| operation.problem(code));
    }
}

impl<T: JsonSchema> HandlerInput for Query<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.query::<T>();
        operation.problem(Code::QueryInvalid);
    }
}

impl<T: JsonSchema> HandlerInput for Path<T> {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.path::<T>();
        operation.problem(Code::NotFound);
    }
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut decoder = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut decoder).map_err(|error| {
        let message = short(error.inner());
        match error.inner().classify() {
            Category::Data => {
                let (field, reason) = field(&error.path().to_string(), &message);
                ApiError::field(field, reason, message)
            }
            Category::Syntax | Category::Eof | Category::Io => ApiError::refused(Code::BodyInvalid, message),
        }
    })?;
    decoder.end().map_err(|error| ApiError::refused(Code::BodyInvalid, short(&error)))?;
    Ok(value)
}

/// The media type of a body without its parameters, in lower case.
pub(super) fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn is_json(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| {
        essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")
    })
}

pub(super) fn incomplete(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::refused(Code::BodyTooLarge, "the body is larger than this endpoint allows")
    } else {
        ApiError::refused(Code::BodyInvalid, "the body is incomplete")
    }
}

/// The invalid field and why. The path of a missing, unknown or duplicate field is that of the object around it; only the message
/// names the field.
fn field(path: &str, message: &str) -> (String, Reason) {
    let starts = [
        ("missing field `", Reason::Missing),
        ("unknown field `", Reason::UnknownName),
        ("duplicate field `", Reason::Duplicate),
    ];
    let named = starts.iter().find_map(|(start, reason)| {
        message.strip_prefix(start)?.split_once('`').map(|(name, _)| (name, *reason))
    });
    let Some((name, reason)) = named else {
        let path = if matches!(path, "." | "") { "body" } else { path };
        return (path.to_owned(), Reason::Malformed);
    };
    let field = match path {
        "." | "" => name.to_owned(),
        path if path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
        path => path.to_owned(),
    };
    (field, reason)
}

fn short(message: &impl fmt::Display) -> String {
    message.to_string().chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Wish {
        #[serde(default)]
        colours: Vec<Colour>,
        how_many: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Colour {
        name: String,
    }

    fn wrong(error: &ApiError) -> (Code, Option<&str>) {
        if let ApiError::Query { field, .. } | ApiError::Unprocessable { field, .. } = error {
            return (error.code(), Some(field));
        }
        (error.code(), None)
    }

    #[test]
    fn what_is_wrong_with_a_body_is_named() {
        for (body, code, field) in [
            ("{", Code::BodyInvalid, None),
            ("", Code::BodyInvalid, None),
            (r#"{"howMany":1} x"#, Code::BodyInvalid, None),
            ("7", Code::FieldInvalid, Some("body")),
            ("{}", Code::FieldInvalid, Some("howMany")),
            (r#"{"howMany":300}"#, Code::FieldInvalid, Some("howMany")),
            (r#"{"howMany":1,"howMany":2}"#, Code::FieldInvalid, Some("howMany")),
            (r#"{"howMany":1,"colour":2}"#, Code::FieldInvalid, Some("colour")),
            (
                r#"{"howMany":1,"colours":[{"name":"red"},{"name":7}]}"#,
                Code::FieldInvalid,
                Some("colours[1].name"),
            ),
            (r#"{"howMany":1,"colours":[{}]}"#, Code::FieldInvalid, Some("colours[0].name")),
        ] {
            let error = decode::<Wish>(body.as_bytes()).unwrap_err();
            assert_eq!(wrong(&error), (code, field), "{body}: {error}");
        }
        let missing = decode::<Wish>(b"{}").unwrap_err();
        let ApiError::Unprocessable { rule, .. } = missing else { panic!("{missing:?}") };
        assert_eq!(rule.reason, Reason::Missing);
        let wish: Wish = decode(br#"{"howMany":2,"colours":[{"name":"red"}]}"#).unwrap();
        assert_eq!((wish.how_many, wish.colours[0].name.as_str()), (2, "red"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_query_is_named() {
        let query = async |query: &str| {
            let request = http::Request::get(format!("http://x/?{query}")).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            Query::<Colours>::from_request_parts(&mut parts, &()).await
        };
        assert_eq!(
            query("howMany=3&name=a%20b").await.unwrap().0,
            Colours { how_many: Some(3), name: "a b".into() }
        );
        for (text, field) in [("", "name"), ("name=a&howMany=x", "howMany"), ("name=a&size=1", "size")] {
            let error = query(text).await.unwrap_err();
            assert_eq!(wrong(&error), (Code::QueryInvalid, Some(field)), "{text}: {error}");
        }
    }

    #[derive(Debug, Deserialize, PartialEq, Eq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Colours {
        how_many: Option<u8>,
        name: String,
    }

    #[tokio::test]
    async fn a_body_has_a_type_and_a_longest_length() {
        let take = async |content_type: &str, length: usize| {
            let mut request = Request::new(axum::body::Body::from(format!("{:>length$}", 7)));
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            let limit = axum::extract::DefaultBodyLimit::max(100);
            let router = axum::Router::new().fallback(async |body: Result<Body<u8>, ApiError>| match body {
                Ok(Body(number)) => number.to_string().into_response(),
                Err(error) => error.into_response(),
            });
            let answer = tower::ServiceExt::oneshot(router.layer(limit), request).await.unwrap();
            answer.status().as_u16()
        };
        for content_type in
            ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
        {
            assert_eq!(take(content_type, 100).await, 200, "{content_type}");
        }
        assert_eq!(take("application/json", 101).await, 413);
        assert_eq!(take("text/json", 1).await, 415);
    }

    #[test]
    fn long_messages_are_cut() {
        let body = format!(r#"{{"howMany":"{}"}}"#, "x".repeat(5_000));
        let error = decode::<Wish>(body.as_bytes()).unwrap_err();
        assert!(error.to_string().chars().count() < MESSAGE_CHARS_MAX + 20, "{error}");
    }
}
