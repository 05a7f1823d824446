//! PURE. The steps of a sign-in: the next challenge in a response of the user pool, or its tokens.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::types::{AuthenticationResultType, ChallengeNameType};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::contract::UserId;
use secrecy::SecretString;
use serde::Deserialize;

use super::{error::PoolError, session::Session};
use crate::account::auth::Roles;

/// The result of a correct password or of a correct response to a challenge.
#[derive(Clone, Debug)]
pub enum SignedIn {
    /// The sign-in is complete.
    Tokens(Tokens),
    /// Another factor is required.
    Challenge {
        kind: Challenge,
        /// Must be sent with the response.
        session: Session,
        /// Where the code was sent, masked by the pool.
        destination: Option<String>,
    },
}

/// The pool's tokens of a completed sign-in, and what they say of their owner. They must not leave the service: the access
/// token allows everything that the pool lets its users do.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The owner.
    pub user_id: UserId,
    /// The owner's user name in the pool.
    pub username: String,
    /// The roles that the owner's groups grant.
    pub roles: Roles,
    /// The access token.
    pub access: SecretString,
    /// The identity token.
    pub id: Option<SecretString>,
    /// The refresh token; `None` if these tokens came from a refresh.
    pub refresh: Option<SecretString>,
}

/// The claims of an access token of the pool.
#[derive(Deserialize)]
struct Claims {
    sub: UserId,
    username: String,
    #[serde(default, rename = "cognito:groups")]
    groups: Vec<String>,
}

/// A factor that the pool requires besides the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A code of an authenticator app.
    Totp,
    /// A code that was sent by SMS.
    Sms,
    /// A new password that replaces the one an administrator set.
    NewPassword,
}

impl Challenge {
    pub(super) fn name(self) -> ChallengeNameType {
        match self {
            Self::Totp => ChallengeNameType::SoftwareTokenMfa,
            Self::Sms => ChallengeNameType::SmsMfa,
            Self::NewPassword => ChallengeNameType::NewPasswordRequired,
        }
    }

    pub(super) fn answer(self) -> &'static str {
        match self {
            Self::Totp => "SOFTWARE_TOKEN_MFA_CODE",
            Self::Sms => "SMS_MFA_CODE",
            Self::NewPassword => "NEW_PASSWORD",
        }
    }
}

/// Interprets a response of the pool to the password or a challenge of `username`. The user name that the next response must
/// carry is `USER_ID_FOR_SRP`, which can differ from the e-mail address.
pub(super) fn step(
    username: &str,
    result: Option<AuthenticationResultType>,
    challenge: Option<&ChallengeNameType>,
    session: Option<String>,
    parameters: Option<HashMap<String, String>>,
) -> Result<SignedIn, PoolError> {
    if let Some(result) = result {
        return tokens_of(result).map(SignedIn::Tokens).map_err(PoolError::Unavailable);
    }
    let kind = [Challenge::Totp, Challenge::Sms, Challenge::NewPassword]
        .into_iter()
        .find(|known| challenge == Some(&known.name()))
        .with_context(|| format!("the pool requires an unknown challenge: {challenge:?}"))
        .map_err(PoolError::Unavailable)?;
    let session = session.context("the pool returned no session").map_err(PoolError::Unavailable)?;
    let mut parameters = parameters.unwrap_or_default();
    let username = parameters.remove("USER_ID_FOR_SRP").unwrap_or_else(|| username.to_owned());
    let session = Session { username: SecretString::from(username), session: SecretString::from(session) };
    let destination = parameters.remove("CODE_DELIVERY_DESTINATION");
    Ok(SignedIn::Challenge { kind, session, destination })
}

/// Reads a result. The signature of the access token is not verified, because it comes from the pool itself over TLS (`OpenID`
/// Connect Core 1.0, section 3.1.3.7, rule 6).
pub(super) fn tokens_of(result: AuthenticationResultType) -> anyhow::Result<Tokens> {
    let access = result.access_token.context("the pool returned no access token")?;
    let claims = access.split('.').nth(1).context("the pool's access token is not a JWT")?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok();
    let claims = claims.and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
    let claims = claims.context("the pool's access token cannot be read")?;
    Ok(Tokens {
        user_id: claims.sub,
        username: claims.username,
        roles: Roles::of_groups(&claims.groups),
        access: access.into(),
        id: result.id_token.map(SecretString::from),
        refresh: result.refresh_token.map(SecretString::from),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn each_challenge_of_the_pool_is_known_and_another_is_a_failure() {
        let session = || Some("session".to_owned());
        let parameters = [("CODE_DELIVERY_DESTINATION", "+*******1234"), ("USER_ID_FOR_SRP", "8f1d")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sms = Some(&ChallengeNameType::SmsMfa);
        let found = step("mina@school.kr", None, sms, session(), Some(HashMap::from(parameters))).unwrap();
        let SignedIn::Challenge { kind, session: given, destination } = found else { panic!("a challenge") };
        assert_eq!((kind, destination.as_deref()), (Challenge::Sms, Some("+*******1234")));
        assert_eq!((given.username(), given.session.expose_secret()), ("8f1d", "session"));
        for (name, kind) in [
            (ChallengeNameType::SoftwareTokenMfa, Challenge::Totp),
            (ChallengeNameType::NewPasswordRequired, Challenge::NewPassword),
        ] {
            let found = step("mina@school.kr", None, Some(&name), session(), None).unwrap();
            let SignedIn::Challenge { kind: found, session, .. } = found else {
                panic!("{name} is a challenge");
            };
            assert_eq!((found, session.username()), (kind, "mina@school.kr"));
        }
        for name in [Some(&ChallengeNameType::CustomChallenge), None] {
            assert!(matches!(step("", None, name, session(), None), Err(PoolError::Unavailable(_))));
        }
        let without = step("", None, Some(&ChallengeNameType::SmsMfa), None, None);
        assert!(matches!(without, Err(PoolError::Unavailable(_))));
    }

    fn result(claims: &str) -> AuthenticationResultType {
        let token = format!("e30.{}.tangerine", BASE64_URL_SAFE_NO_PAD.encode(claims));
        AuthenticationResultType::builder().access_token(token).refresh_token("tangerine").build()
    }

    #[test]
    fn tokens_name_their_owner_and_are_not_shown() {
        let claims = r#"{"sub":"8f1d","username":"8f1d-name","cognito:groups":["ops","Analysts"]}"#;
        let SignedIn::Tokens(tokens) = step("", Some(result(claims)), None, None, None).unwrap() else {
            panic!("the sign-in is complete")
        };
        assert_eq!((tokens.user_id.as_str(), tokens.username.as_str()), ("8f1d", "8f1d-name"));
        assert_eq!(tokens.roles, Roles { analyst: false, operator: true });
        assert!(!format!("{tokens:?}").contains("tangerine"));
        let of_learner = tokens_of(result(r#"{"sub":"8f1d","username":"8f1d"}"#)).unwrap();
        assert_eq!(of_learner.roles, Roles::default());
    }

    #[test]
    fn access_token_without_an_owner_is_a_failure_of_the_pool() {
        for claims in ["{}", "no claims", r#"{"sub":"a b","username":"x"}"#] {
            let failed = step("", Some(result(claims)), None, None, None);
            assert!(matches!(failed, Err(PoolError::Unavailable(_))), "{claims}");
        }
    }
}
