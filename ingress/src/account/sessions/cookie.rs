//! PURE. The value of a session cookie: the session, how often the cookie was replaced, and an authentication code. So a
//! made-up value is distinguished from one that was replaced without a look at the table.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::contract::UserId;
use secrecy::SecretString;
use uuid::Uuid;

use crate::account::keyring::Keyring;

const PURPOSE: &str = "session-cookie";

/// What a cookie names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionCookie {
    pub(super) user_id: UserId,
    pub(super) session_id: Uuid,
    /// How often the cookie was replaced.
    pub(super) generation: u64,
}

impl SessionCookie {
    /// The value of the cookie.
    pub(super) fn to_text(&self, keyring: &Keyring) -> SecretString {
        let content = self.content();
        let code = BASE64_URL_SAFE_NO_PAD.encode(keyring.authenticate(PURPOSE, content.as_bytes()));
        format!("{content}.{code}").into()
    }

    /// Reads a value that this service made.
    pub(super) fn read(text: &str, keyring: &Keyring) -> Option<Self> {
        let (content, code) = text.rsplit_once('.')?;
        let code = BASE64_URL_SAFE_NO_PAD.decode(code).ok()?;
        if !keyring.is_authentic(PURPOSE, content.as_bytes(), &code) {
            return None;
        }
        let mut parts = content.split('.');
        let cookie = Self {
            user_id: parts.next()?.parse().ok()?,
            session_id: parts.next()?.parse().ok()?,
            generation: parts.next()?.parse().ok()?,
        };
        (parts.next().is_none()).then_some(cookie)
    }

    fn content(&self) -> String {
        format!("{}.{}.{}", self.user_id, self.session_id.simple(), self.generation)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn cookie_is_read_as_it_was_made_and_a_changed_one_is_not() {
        let keyring: Keyring = "a secret of tests with thirty-two bytes".parse().unwrap();
        let session_id = Uuid::from_u128(7);
        let cookie = SessionCookie { user_id: "learner-1".parse().unwrap(), session_id, generation: 12 };
        let text = cookie.to_text(&keyring).expose_secret().to_owned();
        assert_eq!(SessionCookie::read(&text, &keyring), Some(cookie));
        for made_up in [
            text.replacen(".12.", ".13.", 1),
            text.replacen("learner-1", "learner-2", 1),
            text.replacen('7', "8", 1),
            text[..text.len() - 4].to_owned(),
            format!("{text}AAAA"),
            String::new(),
            ".".to_owned(),
        ] {
            assert_eq!(SessionCookie::read(&made_up, &keyring), None, "{made_up}");
        }
        let other: Keyring = "another secret of tests with 32 bytes".parse().unwrap();
        assert_eq!(SessionCookie::read(&text, &other), None);
    }
}
