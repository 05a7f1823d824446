//! Access tokens of the user pool, verified offline: RS256 signature against the pool's key set, issuer, client, use and
//! expiry (Amazon Cognito developer guide, "Verifying JSON Web Tokens"). Groups of the pool become [`Roles`].
//!
//! A valid token says nothing of the account: [`super::accounts`] knows whether its deletion was requested.

mod keys;

use events::contract::UserId;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use secrecy::SecretString;
use serde::Deserialize;

pub use keys::Keys;

/// The group whose members see the progress of all learners.
pub const ANALYSTS: &str = "analysts";

/// The group whose members operate the service.
pub const OPERATORS: &str = "ops";

const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Tolerated difference between the clocks of the pool and of this task, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 30;

/// Verifies access tokens.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    client_id: String,
    keys: Keys,
}

/// The owner of a valid access token: a learner, who may have more [`Roles`]. The account may have been deleted since
/// ([`super::accounts::Accounts::require_usable`]).
#[derive(Clone, Debug)]
pub struct Caller {
    pub user_id: UserId,
    /// The roles besides that of a learner.
    pub roles: Roles,
    /// The access token, with which the user pool is called on the caller's behalf.
    pub token: SecretString,
}

/// Roles that the groups of the user pool grant, besides that of a learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// May see the progress of all learners.
    pub analyst: bool,
    /// May operate the service.
    pub operator: bool,
}

/// Why a request is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("an access token is missing: Authorization: Bearer <token>")]
    Missing,
    #[error("the access token has expired")]
    Expired,
    #[error("the access token is not valid: {0}")]
    Invalid(&'static str),
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
    /// Accepts tokens of `issuer` for `client_id` that are signed with one of `keys`.
    #[must_use]
    pub fn new(issuer: String, client_id: String, keys: Keys) -> Self {
        Self { issuer, client_id, keys }
    }

    /// Verifies `token` and returns its owner.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid("it is not a JWT"))?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenError::Invalid("it is not signed with RS256"));
        }
        let kid = header.kid.ok_or(TokenError::Invalid("it names no key"))?;
        let key = self.keys.get(&kid).await?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = CLOCK_SKEW_SECONDS;
        // Access tokens of a user pool have no audience; `client_id` names the client.
        validation.validate_aud = false;
        let claims = decode::<Claims>(token, &key, &validation).map_err(|error| token_error(&error))?.claims;
        if claims.token_use.as_deref() != Some("access") {
            return Err(TokenError::Invalid("it is not an access token"));
        }
        if claims.client_id.as_deref() != Some(self.client_id.as_str()) {
            return Err(TokenError::Invalid("it is for another client"));
        }
        let user_id = claims.sub.parse();
        let user_id = user_id.map_err(|_| TokenError::Invalid("its subject is not a learner"))?;
        let roles = Roles::of_groups(&claims.groups.unwrap_or_default());
        Ok(Caller { user_id, roles, token: token.into() })
    }
}

impl Roles {
    fn of_groups(groups: &[String]) -> Self {
        let is_in = |group: &str| groups.iter().any(|name| name == group);
        Self { analyst: is_in(ANALYSTS), operator: is_in(OPERATORS) }
    }
}

fn token_error(error: &jsonwebtoken::errors::Error) -> TokenError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and non-exhaustive")]
    match error.kind() {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::InvalidIssuer => TokenError::Invalid("it is from another issuer"),
        ErrorKind::InvalidSignature => TokenError::Invalid("its signature is wrong"),
        ErrorKind::MissingRequiredClaim(_) => TokenError::Invalid("a claim is missing"),
        _ => TokenError::Invalid("it cannot be read"),
    }
}
