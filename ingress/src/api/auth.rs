//! `/auth/*`: how learners sign up, in and out.
//!
//! A response has the access token, which is valid for minutes; the session is in a cookie that no script can read
//! ([`session`]). The cookie must be useless to other sites: it is `SameSite=Strict`, and requests that use it also need the
//! header `x-nova-csrf: 1`, which a page of another origin can send only if CORS allows it.
//!
//! No response reveals whether an e-mail address is known: signing up, requesting codes and signing in look the same for known
//! and unknown addresses, and take the same time ([`response_time`]). Attempts are limited ([`rate_limit`]).

mod aws_credentials;
mod cookie;
mod email;
mod fields;
mod mfa;
mod password;
pub(super) mod rate_limit;
pub mod response_time;
mod session;
mod sign_in;
mod sign_up;
mod step_up;

use super::route::Route;

/// The paths of these routes begin with it.
pub const PREFIX: &str = "/auth/";

/// Signing up, in and out.
pub fn routes() -> Vec<Route> {
    [
        sign_up::routes(),
        sign_in::routes(),
        step_up::routes(),
        password::routes(),
        email::routes(),
        mfa::routes(),
        aws_credentials::routes(),
    ]
    .concat()
}
