//! `/auth/*`: how a learner signs up, in and out.
//!
//! The access token stands in the answer and is good for minutes; the refresh token stands in a cookie that no script can
//! read ([`cookie`]). Whoever has the cookie alone must not be able to use it from another site: the cookie is
//! `SameSite=Strict`, and what it proves needs the header `x-nova-csrf: 1` beside it, which a page of another origin can
//! only send after CORS has allowed it.
//!
//! Nobody learns here whether an address is known: signing a known address up, asking for codes and signing in look the same
//! for both. Attempts are counted ([`visitor`]).

mod cookie;
mod mfa;
mod password;
mod sign_in;
mod sign_up;
mod visitor;

use std::sync::Arc;

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::{Input, Route, Sketch};
use crate::{
    account::email::Email,
    account::user_pool::{Hidden, password as rules},
    api::problem::{ApiError, Code},
    app::AppState,
};

/// The header that shows that a request comes from a page which may send it.
pub const CSRF_HEADER: &str = "x-nova-csrf";

/// Longest code, in digits.
const CODE_DIGITS_MAX: usize = 10;

/// Signing up, in and out.
pub fn routes() -> Vec<Route> {
    [sign_up::routes(), sign_in::routes(), password::routes(), mfa::routes()].concat()
}

/// An e-mail address.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Address {
    /// The e-mail address, in any case.
    #[schemars(length(max = 254))]
    email: String,
}

/// A request whose session the cookie keeps: the header is there, and the refresh token where there is one.
struct RefreshCookie(Option<Hidden>);

impl FromRequestParts<Arc<AppState>> for RefreshCookie {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<AppState>) -> Result<Self, ApiError> {
        if parts.headers.get(CSRF_HEADER).is_none_or(|value| value != "1") {
            let detail = format!("the header {CSRF_HEADER}: 1 is missing");
            return Err(ApiError::refused(Code::CsrfHeaderMissing, detail));
        }
        Ok(Self(cookie::read(&parts.headers).map(Hidden::from)))
    }
}

impl Input for RefreshCookie {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.header(CSRF_HEADER, "Always 1: it shows that the page may send the request.");
        sketch.problem(Code::CsrfHeaderMissing);
    }
}

/// The address, if it is one.
fn email(text: &str) -> Result<Email, ApiError> {
    text.parse()
        .map_err(|refused: crate::account::email::EmailRefused| ApiError::field("email", refused.to_string()))
}

/// A new password that keeps the rules.
fn new_password(text: String) -> Result<Hidden, ApiError> {
    if rules::is_good(&text) {
        Ok(Hidden::from(text))
    } else {
        Err(ApiError::refused(Code::PasswordWeak, rules::RULES))
    }
}

/// A password that was chosen before, under whatever rules.
fn known_password(field: &'static str, text: String) -> Result<Hidden, ApiError> {
    if (1..=rules::CHARS_MAX).contains(&text.chars().count()) {
        Ok(Hidden::from(text))
    } else {
        Err(ApiError::field(field, format!("1 to {} characters", rules::CHARS_MAX)))
    }
}

/// A code, with spaces as people write them.
fn code(text: &str) -> Result<Hidden, ApiError> {
    let digits: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let is_code = digits.len() <= CODE_DIGITS_MAX
        && text.len() <= 2 * CODE_DIGITS_MAX
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_code {
        Ok(Hidden::from(digits))
    } else {
        Err(ApiError::field("code", format!("1 to {CODE_DIGITS_MAX} digits")))
    }
}

/// An answer that is kept nowhere, with a cookie.
fn private(answer: Response, cookie: Option<HeaderValue>) -> Response {
    let mut answer = answer;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
    answer
}

fn private_json(body: &impl Serialize, cookie: Option<HeaderValue>) -> Response {
    private(Json(body).into_response(), cookie)
}

/// The cookie's end, as this caller's browser takes it.
fn end_cookie(app: &AppState, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie::end(cookie::is_secure(headers, app.localhost_cookies))
}

#[cfg(test)]
mod tests;
