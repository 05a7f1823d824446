//! The session of a browser: the request that carries its cookie, and the responses that set or end the cookie.

use std::sync::Arc;

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::cookie::{self, Found};
use crate::{
    account::device::Device,
    account::sessions::OpenSession,
    account::user_pool::Tokens,
    api::operation::OperationBuilder,
    api::problem::{ApiError, Code},
    api::route::HandlerInput,
    app::AppState,
};

/// The header that proves that the page may send the request.
const CSRF_HEADER: &str = "x-nova-csrf";

/// A request with the CSRF header, and the value of its session cookie, if it has one.
pub(super) struct SessionCookie(pub(super) Option<SecretString>);

impl FromRequestParts<Arc<AppState>> for SessionCookie {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        if parts.headers.get(CSRF_HEADER).is_none_or(|value| value != "1") {
            let detail = format!("the header {CSRF_HEADER}: 1 is missing");
            return Err(ApiError::refused(Code::CsrfHeaderMissing, detail));
        }
        let secure = cookie::is_secure(&parts.headers, app.localhost_cookies);
        match cookie::read(&parts.headers, secure) {
            Found::One(value) => Ok(Self(Some(value.into()))),
            Found::Nothing => Ok(Self(None)),
            Found::Several => Err(ApiError::refused(
                Code::CookieAmbiguous,
                "there are several session cookies; delete the cookies of this site and sign in again",
            )),
        }
    }
}

impl HandlerInput for SessionCookie {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.header(CSRF_HEADER, "Always `1`. It proves that the page may send the request.");
        operation.problem(Code::CsrfHeaderMissing);
        operation.problem(Code::CookieAmbiguous);
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

/// The cookie of an open session.
pub(super) fn keep_cookie(
    app: &AppState,
    headers: &HeaderMap,
    session: &OpenSession,
) -> Result<HeaderValue, ApiError> {
    let secure = cookie::is_secure(headers, app.localhost_cookies);
    let cookie = cookie::keep(session.cookie.expose_secret(), session.seconds_left, secure);
    cookie.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("the value of the session is none for a cookie")))
}

/// The cookie of a device on which an account was signed in.
pub(super) fn keep_device(app: &AppState, headers: &HeaderMap, device: &Device) -> Option<HeaderValue> {
    cookie::keep_device(&device.to_text(), cookie::is_secure(headers, app.localhost_cookies))
}

/// Ends the session of the pool that came of a sign-in whose tokens are not used. A failure leaves a session whose tokens no client knows.
pub(super) async fn discard(app: &AppState, tokens: &Tokens) {
    if let Some(refresh) = &tokens.refresh
        && let Err(error) = app.user_pool.revoke(refresh).await
    {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(error, "failed to end an unused session of the user pool");
    }
}

/// The cookie that ends the session.
pub(super) fn end_cookie(app: &AppState, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie::end(cookie::is_secure(headers, app.localhost_cookies))
}
