//! The session of an incomplete sign-in, which connects its steps. The client holds it encrypted, so that it can neither make one
//! up nor learn the user name in it: attempts count against the account only if its password was right.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::account::keyring::Keyring;

const PURPOSE: &str = "challenge";

/// An incomplete sign-in: the pool's session and the user name to which the pool has bound it.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) username: SecretString,
    pub(super) session: SecretString,
}

#[derive(Serialize, Deserialize)]
struct Plain {
    account: String,
    username: String,
    session: String,
}

impl Session {
    /// The text form for the client, of a sign-in to `account`.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn seal(&self, account: &str, keyring: &Keyring) -> anyhow::Result<String> {
        let plain = Plain {
            account: account.to_owned(),
            username: self.username.expose_secret().to_owned(),
            session: self.session.expose_secret().to_owned(),
        };
        let sealed = keyring.seal(PURPOSE, "", &serde_json::to_vec(&plain)?)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The session in a text form, and its account. `None` if this service did not seal the text.
    #[must_use]
    pub fn open(text: &str, keyring: &Keyring) -> Option<(Self, String)> {
        let plain = keyring.open(PURPOSE, "", &BASE64_URL_SAFE_NO_PAD.decode(text).ok()?)?;
        let Plain { account, username, session } = serde_json::from_slice(&plain).ok()?;
        Some((Self { username: username.into(), session: session.into() }, account))
    }

    /// The user name of which the pool knows this session.
    pub(super) fn username(&self) -> &str {
        self.username.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_is_read_as_it_was_sealed_and_a_made_up_one_is_not() {
        let keyring: Keyring = "a secret of tests with thirty-two bytes".parse().unwrap();
        let session = Session { username: "8f1d".into(), session: "AYABe.x+/=".into() };
        let text = session.seal("mina@school.kr", &keyring).unwrap();
        let (read, account) = Session::open(&text, &keyring).unwrap();
        assert_eq!((read.username(), read.session.expose_secret()), ("8f1d", "AYABe.x+/="));
        assert_eq!(account, "mina@school.kr");
        assert!(!format!("{session:?}").contains("8f1d") && !text.contains("AYAB"));
        let changed = format!("{}A", &text[..text.len() - 1]);
        for made_up in ["", ".", "bWluYQ.AYABe", &text[..text.len() - 4], &changed] {
            assert!(Session::open(made_up, &keyring).is_none() || made_up == text, "{made_up}");
        }
        let other: Keyring = "another secret of tests with 32 bytes".parse().unwrap();
        assert!(Session::open(&text, &other).is_none());
    }
}
