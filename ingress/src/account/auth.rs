//! Access tokens: JWTs that a task signs and every task verifies, valid for [`TOKEN_SECONDS`]. A token names the learner, the
//! session and the roles. The key changes every day, and tokens of the day before are valid.
//!
//! A valid token says nothing of the session or the account: [`super::sessions`] knows whether the session was ended,
//! [`super::accounts`] whether the deletion of the account was requested.

use events::contract::UserId;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keyring::Keyring;

/// The group whose members see the progress of all learners.
pub const ANALYSTS: &str = "analysts";

/// The group whose members operate the service.
pub const OPERATORS: &str = "ops";

/// Lifetime of an access token, in seconds. A change in the user pool takes effect at the latest then.
pub const TOKEN_SECONDS: u32 = 300;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Tolerated difference between the clocks of tasks, in seconds.
const CLOCK_SKEW_SECONDS: u32 = 30;

/// How long a key signs, in seconds. It verifies for as long again.
const KEY_SECONDS: i64 = 24 * 60 * 60;

const ISSUER: &str = "nova-english";
const AUDIENCE: &str = "nova-api";

/// Signs and verifies access tokens.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    keyring: Keyring,
}

/// The owner of a valid access token: a learner, who may have more [`Roles`]. The account may have been deleted since
/// ([`super::accounts::Accounts::require_usable`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    /// The roles besides that of a learner.
    pub roles: Roles,
    /// The session to which the token belongs.
    pub session_id: Uuid,
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
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: Uuid,
    roles: Vec<String>,
    exp: i64,
}

impl AccessTokens {
    /// Tokens signed with keys of `keyring`.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }

    /// A token of `caller` that is valid from `now` on for [`TOKEN_SECONDS`].
    #[must_use]
    pub fn issue(&self, caller: &Caller, now: Timestamp) -> SecretString {
        let roles = [(ANALYSTS, caller.roles.analyst), (OPERATORS, caller.roles.operator)];
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: caller.user_id.to_string(),
            sid: caller.session_id,
            roles: roles.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned()).collect(),
            exp: now.as_second() + i64::from(TOKEN_SECONDS),
        };
        let day = day(now);
        let (name, key) = self.keyring.signing(&purpose(day));
        let header = Header { kid: Some(format!("{name}.{day}")), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims, &EncodingKey::from_secret(&key));
        token.expect("claims have string keys and HS256 takes a key of any length").into()
    }

    /// Verifies `token` at `now` and returns its owner.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid("it is not a JWT"))?;
        if header.alg != Algorithm::HS256 {
            return Err(TokenError::Invalid("it is not signed with HS256"));
        }
        let key = header.kid.as_deref().and_then(|kid| self.key(kid, now));
        let key = key.ok_or(TokenError::Invalid("its key is unknown"))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        // The expiry is compared with `now` below.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &DecodingKey::from_secret(&key), &validation);
        let claims = claims.map_err(|error| token_error(&error))?.claims;
        if claims.exp.saturating_add(i64::from(CLOCK_SKEW_SECONDS)) <= now.as_second() {
            return Err(TokenError::Expired);
        }
        let user_id = claims.sub.parse();
        let user_id = user_id.map_err(|_| TokenError::Invalid("its subject is not a learner"))?;
        Ok(Caller { user_id, roles: Roles::of_groups(&claims.roles), session_id: claims.sid })
    }

    /// The key with this id, if it is that of the day of `now` or of the day before.
    fn key(&self, kid: &str, now: Timestamp) -> Option<[u8; 32]> {
        let (name, of) = kid.split_once('.')?;
        let of: i64 = of.parse().ok()?;
        let newest = day(now + SignedDuration::from_secs(i64::from(CLOCK_SKEW_SECONDS)));
        (newest - 1..=newest).contains(&of).then(|| self.keyring.verifying(name, &purpose(of))).flatten()
    }
}

impl Roles {
    /// The roles of a member of `groups`.
    pub(super) fn of_groups(groups: &[String]) -> Self {
        let is_in = |group: &str| groups.iter().any(|name| name == group);
        Self { analyst: is_in(ANALYSTS), operator: is_in(OPERATORS) }
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(KEY_SECONDS)
}

fn purpose(day: i64) -> String {
    format!("access-token {day}")
}

fn token_error(error: &jsonwebtoken::errors::Error) -> TokenError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and non-exhaustive")]
    match error.kind() {
        ErrorKind::InvalidIssuer => TokenError::Invalid("it is from another issuer"),
        ErrorKind::InvalidAudience => TokenError::Invalid("it is for another service"),
        ErrorKind::InvalidSignature => TokenError::Invalid("its signature is wrong"),
        ErrorKind::MissingRequiredClaim(_) => TokenError::Invalid("a claim is missing"),
        _ => TokenError::Invalid("it cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn tokens_of(secret: &str) -> AccessTokens {
        AccessTokens::new(secret.parse().unwrap())
    }

    fn caller() -> Caller {
        let roles = Roles { analyst: true, operator: false };
        Caller { user_id: "learner-1".parse().unwrap(), roles, session_id: Uuid::from_u128(7) }
    }

    #[test]
    fn token_names_learner_session_and_roles_until_it_expires() {
        let tokens = tokens_of("a secret of tests with thirty-two bytes");
        let now: Timestamp = "2026-11-28T23:59:50Z".parse().unwrap();
        let token = tokens.issue(&caller(), now);
        let at = |seconds: i64| now + SignedDuration::from_secs(seconds);
        let verified = |seconds| tokens.verify(token.expose_secret(), at(seconds));
        assert_eq!(verified(0), Ok(caller()));
        let last = i64::from(TOKEN_SECONDS + CLOCK_SKEW_SECONDS) - 1;
        assert_eq!(verified(last), Ok(caller()), "the key of the day before verifies");
        assert_eq!(verified(last + 1), Err(TokenError::Expired));
        assert_eq!(verified(2 * KEY_SECONDS), Err(TokenError::Invalid("its key is unknown")));
    }

    #[test]
    fn key_of_tomorrow_verifies_only_within_the_difference_of_clocks() {
        let tokens = tokens_of("a secret of tests with thirty-two bytes");
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let tomorrow = tokens.issue(&caller(), "2026-11-29T00:00:05Z".parse().unwrap());
        let verify = |at: Timestamp| tokens.verify(tomorrow.expose_secret(), at);
        assert!(verify("2026-11-28T23:59:50Z".parse().unwrap()).is_ok());
        assert_eq!(verify(now), Err(TokenError::Invalid("its key is unknown")));
    }

    #[test]
    fn token_of_another_secret_or_changed_is_rejected() {
        let now = Timestamp::UNIX_EPOCH;
        let tokens = tokens_of("a secret of tests with thirty-two bytes");
        let other = tokens_of("another secret of tests with 32 bytes");
        let token = tokens.issue(&caller(), now).expose_secret().to_owned();
        assert_eq!(other.verify(&token, now), Err(TokenError::Invalid("its key is unknown")));
        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let verified = tokens.verify(&changed, now);
            // The last letter has bits that carry nothing.
            assert!(verified.is_err() || position + 1 == token.len(), "{position}: {verified:?}");
        }
    }
}
