//! Access tokens of the user pool, verified offline: RS256 against the pool's key set, issuer, client, use and
//! expiry (Amazon Cognito developer guide, "Verifying JSON Web Tokens"). Groups of the pool become [`Roles`]; a handler
//! says with its argument who may call it: [`Learner`], [`Analyst`], [`Operator`], or [`Caller`] for a learner of whom
//! it needs the roles or the token. The first three are refused where the deletion of their account was asked for: the
//! token says nothing of that and is good for a while.

mod keys;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use events::contract::UserId;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;
use std::{fmt, sync::Arc};

use crate::{
    api::problem::{ApiError, Code},
    api::route::{Input, Role, Sketch},
    app::AppState,
};
pub use keys::Keys;

/// The group of those who see everyone's progress.
pub const ANALYSTS: &str = "analysts";

/// The group of those who operate the service.
pub const OPERATORS: &str = "ops";

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// How far our clock and the pool's may differ, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 30;

/// Verifies access tokens.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    client_id: String,
    keys: Keys,
}

/// Whoever makes a request with a good access token: a learner, who may have more [`Roles`]. Whether the account can still
/// be used, its handler has to see ([`crate::account::accounts::Accounts`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub user_id: UserId,
    /// What else the caller may do.
    pub roles: Roles,
    /// What the caller proved it with.
    pub token: AccessToken,
}

/// A caller who asks for what is the caller's own: everyone with a good access token and an account that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learner(pub UserId);

/// A caller of the pool's group [`ANALYSTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analyst(pub UserId);

/// A caller of the pool's group [`OPERATORS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator(pub UserId);

/// What a caller may do beside being a learner, from the groups of the user pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// See everyone's progress.
    pub analyst: bool,
    /// Operate the service.
    pub operator: bool,
}

/// An access token, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

/// Why a request has no learner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// No token.
    #[error("an access token is missing: Authorization: Bearer <token>")]
    Missing,
    /// The token was good.
    #[error("the access token has expired")]
    Expired,
    /// The token is not good.
    #[error("the access token is not valid: {0}")]
    Invalid(&'static str),
    /// The key set cannot be read at the moment.
    #[error("access tokens cannot be verified at the moment")]
    KeysUnavailable,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(rename = "cognito:groups")]
    groups: Option<Vec<String>>,
    client_id: Option<String>,
    token_use: Option<String>,
}

impl Verifier {
    /// Tokens of `issuer` for `client_id`, signed with one of `keys`.
    #[must_use]
    pub fn new(issuer: String, client_id: String, keys: Keys) -> Self {
        Self { issuer, client_id, keys }
    }

    /// The caller with `token`.
    ///
    /// # Errors
    /// See [`Unauthorized`].
    pub async fn verify(&self, token: &str) -> Result<Caller, Unauthorized> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Unauthorized::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| Unauthorized::Invalid("it is not a JWT"))?;
        if header.alg != Algorithm::RS256 {
            return Err(Unauthorized::Invalid("it is not signed with RS256"));
        }
        let kid = header.kid.ok_or(Unauthorized::Invalid("it names no key"))?;
        let key = self.keys.get(&kid).await?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = CLOCK_SKEW_SECONDS;
        // Access tokens of a user pool have no audience; the client stands in `client_id`.
        validation.validate_aud = false;
        let claims = decode::<Claims>(token, &key, &validation).map_err(|error| refused(&error))?.claims;
        if claims.token_use.as_deref() != Some("access") {
            return Err(Unauthorized::Invalid("it is not an access token"));
        }
        if claims.client_id.as_deref() != Some(self.client_id.as_str()) {
            return Err(Unauthorized::Invalid("it is for another client"));
        }
        let user_id = claims.sub.parse();
        let user_id = user_id.map_err(|_| Unauthorized::Invalid("its subject is not a learner"))?;
        let roles = Roles::of_groups(&claims.groups.unwrap_or_default());
        Ok(Caller { user_id, roles, token: AccessToken(token.to_owned()) })
    }
}

impl Roles {
    fn of_groups(groups: &[String]) -> Self {
        let is_in = |group: &str| groups.iter().any(|name| name == group);
        Self { analyst: is_in(ANALYSTS), operator: is_in(OPERATORS) }
    }
}

impl AccessToken {
    /// The token.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken")
    }
}

impl FromRequestParts<Arc<AppState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let value = parts.headers.get(header::AUTHORIZATION).ok_or(Unauthorized::Missing)?;
        let value = value.to_str().map_err(|_| Unauthorized::Missing)?;
        let (scheme, token) = value.split_once(' ').ok_or(Unauthorized::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Unauthorized::Missing.into());
        }
        Ok(app.verifier.verify(token.trim()).await?)
    }
}

impl FromRequestParts<Arc<AppState>> for Learner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        app.accounts.usable(&caller.user_id).await?;
        Ok(Self(caller.user_id))
    }
}

impl FromRequestParts<Arc<AppState>> for Analyst {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if !caller.roles.analyst {
            return Err(ApiError::Forbidden(Role::Analyst));
        }
        app.accounts.usable(&caller.user_id).await?;
        Ok(Self(caller.user_id))
    }
}

impl FromRequestParts<Arc<AppState>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if !caller.roles.operator {
            return Err(ApiError::Forbidden(Role::Operator));
        }
        app.accounts.usable(&caller.user_id).await?;
        Ok(Self(caller.user_id))
    }
}

impl Input for Caller {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.role(Role::Learner);
    }
}

impl Input for Learner {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.role(Role::Learner);
        sketch.problem(Code::AccountDeleted);
    }
}

impl Input for Analyst {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.role(Role::Analyst);
        sketch.problem(Code::AccountDeleted);
    }
}

impl Input for Operator {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.role(Role::Operator);
        sketch.problem(Code::AccountDeleted);
    }
}

fn refused(error: &jsonwebtoken::errors::Error) -> Unauthorized {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and non-exhaustive")]
    match error.kind() {
        ErrorKind::ExpiredSignature => Unauthorized::Expired,
        ErrorKind::InvalidIssuer => Unauthorized::Invalid("it is from another issuer"),
        ErrorKind::InvalidSignature => Unauthorized::Invalid("its signature is wrong"),
        ErrorKind::MissingRequiredClaim(_) => Unauthorized::Invalid("a claim is missing"),
        _ => Unauthorized::Invalid("it cannot be read"),
    }
}
