//! What is stored encrypted in the item of a session: what refreshes the session in the user pool.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::keyring::Keyring;

const PURPOSE: &str = "refresh-token";

/// The secrets of a session.
pub(super) struct Secrets {
    /// The user name in the pool.
    pub(super) username: String,
    /// The pool's refresh token.
    pub(super) refresh: SecretString,
}

#[derive(Serialize, Deserialize)]
struct Plain {
    username: String,
    refresh: String,
}

impl Secrets {
    /// Encrypts the secrets of the session `session_id`, in base 64.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn seal(&self, keyring: &Keyring, session_id: Uuid) -> anyhow::Result<String> {
        let plain =
            Plain { username: self.username.clone(), refresh: self.refresh.expose_secret().to_owned() };
        let plain = serde_json::to_vec(&plain)?;
        Ok(BASE64_STANDARD.encode(keyring.seal(PURPOSE, &session_id.to_string(), &plain)?))
    }

    /// Decrypts what [`Self::seal`] returned for this session. `None` if it was encrypted with a key that is gone, or moved from
    /// another session.
    pub(super) fn open(keyring: &Keyring, session_id: Uuid, sealed: &str) -> Option<Self> {
        let sealed = BASE64_STANDARD.decode(sealed).ok()?;
        let plain = keyring.open(PURPOSE, &session_id.to_string(), &sealed)?;
        let Plain { username, refresh } = serde_json::from_slice(&plain).ok()?;
        Some(Self { username, refresh: refresh.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_open_in_their_own_session_alone() {
        let keyring: Keyring = "a secret of tests with thirty-two bytes".parse().unwrap();
        let secrets = Secrets { username: "mina".to_owned(), refresh: "tangerine".into() };
        let sealed = secrets.seal(&keyring, Uuid::from_u128(1)).unwrap();
        let opened = Secrets::open(&keyring, Uuid::from_u128(1), &sealed).unwrap();
        assert_eq!((opened.username.as_str(), opened.refresh.expose_secret()), ("mina", "tangerine"));
        assert!(Secrets::open(&keyring, Uuid::from_u128(2), &sealed).is_none());
        assert!(Secrets::open(&keyring, Uuid::from_u128(1), "tangerine").is_none());
    }
}
