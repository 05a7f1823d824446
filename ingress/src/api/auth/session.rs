//! The session of a browser: the request that carries its cookie, and the responses that set or end the cookie.

use std::sync::Arc;

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use secrecy::SecretString;
use serde::Serialize;

use super::cookie;
use crate::{
    api::operation::OperationBuilder,
    api::problem::{ApiError, Code},
    api::route::HandlerInput,
    app::AppState,
};

/// The header that proves that the page may send the request.
const CSRF_HEADER: &str = "x-nova-csrf";

/// A request with the CSRF header, and the refresh token in its cookie, if any.
pub(super) struct RefreshCookie(pub(super) Option<SecretString>);

impl FromRequestParts<Arc<AppState>> for RefreshCookie {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, ApiError> {
        if parts.headers.get(CSRF_HEADER).is_none_or(|value| value != "1") {
            let detail = format!("the header {CSRF_HEADER}: 1 is missing");
            return Err(ApiError::refused(Code::CsrfHeaderMissing, detail));
        }
        Ok(Self(cookie::read(&parts.headers).map(SecretString::from)))
    }
}

impl HandlerInput for RefreshCookie {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.header(CSRF_HEADER, "Always `1`. It proves that the page may send the request.");
        operation.problem(Code::CsrfHeaderMissing);
    }
}

/// A response that no cache stores, with a cookie.
pub(super) fn private(response: Response, cookie: Option<HeaderValue>) -> Response {
    let mut response = response;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) fn private_json(body: &impl Serialize, cookie: Option<HeaderValue>) -> Response {
    private(Json(body).into_response(), cookie)
}

pub(super) fn end_cookie(app: &AppState, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie::end(cookie::is_secure(headers, app.localhost_cookies))
}
