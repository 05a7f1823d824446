//! The keys of accounts, all derived from the secret that the tasks share (`NOVA_ACCOUNT_SECRET`): those that sign access
//! tokens, one for each day; the one that authenticates session cookies; and the one that encrypts the pool's refresh tokens.
//!
//! While the secret is replaced, the variable holds the new and the old one: the first signs and encrypts, both verify and
//! decrypt. A task that knows only the old secret rejects what the new one signed, so the new secret is first added in the
//! second place on all tasks.

use std::str::FromStr;

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use sha2::{Digest as _, Sha256};

/// Shortest secret, in bytes.
pub const SECRET_BYTES_MIN: usize = 32;

/// Secrets that are valid at one time: the current one and the one before or after it.
pub const SECRETS_MAX: usize = 2;

/// Length of a derived key, in bytes.
const KEY_BYTES: usize = 32;

/// Length of the name of a secret, in hexadecimal digits.
const NAME_DIGITS: usize = 8;

/// The secrets.
#[derive(Clone)]
pub struct Keyring(Vec<Secret>);

#[derive(Clone)]
struct Secret {
    /// Names the secret without revealing it.
    name: String,
    root: hkdf::Prk,
}

/// Why secrets are not accepted. No text quotes a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There are too many or none.
    #[error("it must have one secret or {SECRETS_MAX}, separated by a comma")]
    Count,
    /// One is too short.
    #[error("each secret must have at least {SECRET_BYTES_MIN} bytes")]
    Short,
}

impl FromStr for Keyring {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, KeyringError> {
        let secrets: Vec<&str> = text.split(',').map(str::trim).collect();
        if secrets.len() > SECRETS_MAX {
            return Err(KeyringError::Count);
        }
        if secrets.iter().any(|secret| secret.len() < SECRET_BYTES_MIN) {
            return Err(KeyringError::Short);
        }
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"nova.account");
        let secret = |secret: &&str| Secret {
            name: hex::encode(Sha256::digest(format!("nova.account.name {secret}")))[..NAME_DIGITS]
                .to_owned(),
            root: salt.extract(secret.as_bytes()),
        };
        Ok(Self(secrets.iter().map(secret).collect()))
    }
}

impl Keyring {
    /// The name of the secret that signs, and its key for `purpose`.
    pub(super) fn signing(&self, purpose: &str) -> (&str, [u8; KEY_BYTES]) {
        let secret = &self.0[0];
        (&secret.name, secret.key(purpose))
    }

    /// The key for `purpose` of the secret with this name.
    pub(super) fn verifying(&self, name: &str, purpose: &str) -> Option<[u8; KEY_BYTES]> {
        self.0.iter().find(|secret| secret.name == name).map(|secret| secret.key(purpose))
    }

    /// The authentication code of `message` for `purpose`.
    pub(super) fn authenticate(&self, purpose: &str, message: &[u8]) -> Vec<u8> {
        let (_, key) = self.signing(purpose);
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), message).as_ref().to_vec()
    }

    /// Whether `code` is an authentication code of `message` for `purpose`. Takes the same time for every wrong code.
    pub(super) fn is_authentic(&self, purpose: &str, message: &[u8], code: &[u8]) -> bool {
        self.0.iter().any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.key(purpose));
            hmac::verify(&key, message, code).is_ok()
        })
    }

    /// Encrypts `plain` for `purpose`, bound to `context`: nonce and ciphertext.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn seal(&self, purpose: &str, context: &str, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let failed = |_| anyhow::anyhow!("encryption failed");
        let (_, key) = self.signing(purpose);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(failed)?;
        let mut sealed = plain.to_vec();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(failed)?);
        let random = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(random, Aad::from(context), &mut sealed).map_err(failed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] returned for the same purpose and context. `None` if it is anything else.
    pub(super) fn open(&self, purpose: &str, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        self.0.iter().find_map(|secret| {
            let key = UnboundKey::new(&AES_256_GCM, &secret.key(purpose)).ok()?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut plain = sealed.to_vec();
            let length =
                LessSafeKey::new(key).open_in_place(nonce, Aad::from(context), &mut plain).ok()?.len();
            plain.truncate(length);
            Some(plain)
        })
    }
}

impl Secret {
    fn key(&self, purpose: &str) -> [u8; KEY_BYTES] {
        let mut key = [0; KEY_BYTES];
        let info = [purpose.as_bytes()];
        let derived = self.root.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        derived.expect("HKDF-SHA256 gives up to 8160 bytes, and this is as long as its output");
        key
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|secret| &secret.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret of tests with 32 bytes";
    const NEW: &str = "a new secret of tests with 32 bytes";

    fn keyring(text: &str) -> Keyring {
        text.parse().unwrap()
    }

    #[test]
    fn secrets_too_short_or_too_many_are_errors() {
        for (text, error) in [
            (String::new(), KeyringError::Short),
            ("x".repeat(SECRET_BYTES_MIN - 1), KeyringError::Short),
            (format!("{OLD},short"), KeyringError::Short),
            ([OLD; SECRETS_MAX + 1].join(","), KeyringError::Count),
        ] {
            assert_eq!(text.parse::<Keyring>().unwrap_err(), error);
        }
        assert!(!format!("{:?}", keyring(OLD)).contains("secret"));
    }

    #[test]
    fn replaced_secret_still_verifies_and_decrypts_and_a_removed_one_does_not() {
        let (old, both, new) = (keyring(OLD), keyring(&format!("{NEW}, {OLD}")), keyring(NEW));
        let sealed = old.seal("a", "context", b"tangerine").unwrap();
        let code = old.authenticate("a", b"message");
        let (name, key) = old.signing("a");
        assert_eq!(both.open("a", "context", &sealed).as_deref(), Some(b"tangerine".as_slice()));
        assert!(both.is_authentic("a", b"message", &code));
        assert_eq!(both.verifying(name, "a"), Some(key));
        assert_eq!(both.signing("a"), new.signing("a"), "the first one signs");
        assert_eq!(new.open("a", "context", &sealed), None);
        assert!(!new.is_authentic("a", b"message", &code));
        assert_eq!(new.verifying(name, "a"), None);
    }

    #[test]
    fn changed_text_context_or_purpose_is_rejected() {
        let keyring = keyring(OLD);
        let sealed = keyring.seal("a", "context", b"tangerine").unwrap();
        assert_ne!(sealed, keyring.seal("a", "context", b"tangerine").unwrap(), "a nonce is used twice");
        assert_eq!(keyring.open("b", "context", &sealed), None);
        assert_eq!(keyring.open("a", "other", &sealed), None);
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(keyring.open("a", "context", &changed), None, "{position}");
            assert_eq!(keyring.open("a", "context", &sealed[..position]), None, "{position}");
        }
        let code = keyring.authenticate("a", b"message");
        assert!(!keyring.is_authentic("b", b"message", &code));
        assert!(!keyring.is_authentic("a", b"massage", &code));
        assert_ne!(keyring.signing("a").1, keyring.signing("b").1);
    }
}
