//! PURE. A sign-in step by step: what an answer of the user pool asks for next, and what the learner carries back.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::types::{AuthenticationResultType, ChallengeNameType};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Hidden, PoolError};

/// What follows a correct password, or a step after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// All that was needed.
    Tokens(Tokens),
    /// One more proof is needed.
    Challenge {
        /// Which one.
        kind: Challenge,
        /// What the answer carries back.
        session: Session,
        /// Where a code was sent, as the pool masks it.
        destination: Option<String>,
    },
}

/// A sign-in that waits for one more proof: the pool's own session, and the user name in the pool, to which the pool has
/// bound it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    username: Hidden,
    pub(super) session: Hidden,
}

/// The tokens of somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// For the API.
    pub access: Hidden,
    /// For new ones; none when it was itself used to get these.
    pub refresh: Option<Hidden>,
    /// How long the access token is good, in seconds.
    pub expires_in: u32,
}

/// A proof that the pool asks for beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A code of an authenticator app.
    Totp,
    /// A code that was sent by SMS.
    Sms,
    /// A new password in place of the one that an administrator set.
    NewPassword,
}

impl Session {
    /// As it is given to the learner.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(self.username.reveal()), self.session.reveal())
    }

    /// Reads what [`Self::to_text`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (username, session) = text.split_once('.')?;
        let username = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(username).ok()?).ok()?;
        let is_one = !username.is_empty() && !session.is_empty();
        is_one.then(|| Self { username: Hidden(username), session: Hidden(session.to_owned()) })
    }

    /// Who signs in, for counting attempts.
    #[must_use]
    pub fn username(&self) -> &str {
        self.username.reveal()
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

/// What follows from an answer of the pool to a password or to a challenge of `username`. The pool names the user as the
/// answer to a challenge has to, which need not be the e-mail address.
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
        .with_context(|| format!("the pool asks for something unknown: {challenge:?}"))
        .map_err(PoolError::Unavailable)?;
    let session = session.context("the pool gave no session").map_err(PoolError::Unavailable)?;
    let mut parameters = parameters.unwrap_or_default();
    let username = parameters.remove("USER_ID_FOR_SRP").unwrap_or_else(|| username.to_owned());
    let session = Session { username: Hidden(username), session: Hidden(session) };
    let destination = parameters.remove("CODE_DELIVERY_DESTINATION");
    Ok(SignedIn::Challenge { kind, session, destination })
}

pub(super) fn tokens_of(result: AuthenticationResultType) -> anyhow::Result<Tokens> {
    Ok(Tokens {
        access: Hidden(result.access_token.context("the pool gave no access token")?),
        refresh: result.refresh_token.map(Hidden),
        expires_in: u32::try_from(result.expires_in).context("the token's life is not one")?,
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
        let expected = SignedIn::Challenge {
            kind: Challenge::Sms,
            session: Session { username: Hidden("8f1d".to_owned()), session: Hidden("session".to_owned()) },
            destination: Some("+*******1234".to_owned()),
        };
        assert_eq!(found, expected);
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
        let username = Hidden("mina@school.kr".to_owned());
        let session = Session { username, session: Hidden("AYABe.x+/=".to_owned()) };
        assert_eq!(Session::read(&session.to_text()), Some(session.clone()));
        assert!(!format!("{session:?}").contains("mina"));
        for text in ["", ".", "AYABe", "!!.AYABe", ".AYABe", "bWluYQ."] {
            assert_eq!(Session::read(text), None, "{text}");
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
