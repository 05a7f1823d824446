//! PURE. The steps of a sign-in: the next challenge in a response of the user pool, and the session that connects the steps.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::types::{AuthenticationResultType, ChallengeNameType};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::PoolError;

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

/// An incomplete sign-in: the pool's session and the user name to which the pool has bound it.
#[derive(Clone, Debug)]
pub struct Session {
    username: SecretString,
    pub(super) session: SecretString,
}

/// The tokens of a completed sign-in.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    /// The refresh token; `None` if these tokens came from a refresh.
    pub refresh: Option<SecretString>,
    /// Lifetime of the access token, in seconds.
    pub expires_in: u32,
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

impl Session {
    /// The text form for the client.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(self.username.expose_secret()),
            self.session.expose_secret()
        )
    }

    /// Parses the text form.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (username, session) = text.split_once('.')?;
        let username = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(username).ok()?).ok()?;
        let is_one = !username.is_empty() && !session.is_empty();
        is_one.then(|| Self {
            username: SecretString::from(username),
            session: SecretString::from(session.to_owned()),
        })
    }

    /// The user name, for counting attempts.
    #[must_use]
    pub fn username(&self) -> &str {
        self.username.expose_secret()
    }
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

pub(super) fn tokens_of(result: AuthenticationResultType) -> anyhow::Result<Tokens> {
    Ok(Tokens {
        access: SecretString::from(result.access_token.context("the pool returned no access token")?),
        refresh: result.refresh_token.map(SecretString::from),
        expires_in: u32::try_from(result.expires_in).context("the token's lifetime is negative")?,
    })
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_session_is_read_as_it_was_given_and_what_is_none_is_not() {
        let username = SecretString::from("mina@school.kr".to_owned());
        let session = Session { username, session: SecretString::from("AYABe.x+/=".to_owned()) };
        let read = Session::read(&session.to_text()).unwrap();
        assert_eq!((read.username(), read.session.expose_secret()), ("mina@school.kr", "AYABe.x+/="));
        assert!(!format!("{session:?}").contains("mina"));
        for text in ["", ".", "AYABe", "!!.AYABe", ".AYABe", "bWluYQ."] {
            assert!(Session::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let result = AuthenticationResultType::builder()
            .access_token("tangerine")
            .refresh_token("tangerine")
            .expires_in(900)
            .build();
        let tokens = step("", Some(result), None, None, None).unwrap();
        assert!(matches!(&tokens, SignedIn::Tokens(tokens) if tokens.expires_in == 900));
        assert!(!format!("{tokens:?}").contains("tangerine"));
    }
}
