//! The form of a password, the rules of a new one, which are those of the user pool, and random passwords. The rules are checked
//! before the pool is called, so a weak password is rejected in the same way for known and unknown e-mail addresses.

use events::{
    runtime::env,
    text::{hidden, opaque},
};
use secrecy::SecretString;

pub const CHARS_MIN: usize = 8;

/// Maximum number of characters, the limit of the pool.
pub const CHARS_MAX: usize = 256;

/// The rules, for learners.
pub const RULES: &str = "A password has 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit \
                         (A-Z, a-z, 0-9), and does not begin or end with a space. It has no control characters and no \
                         invisible ones.";

/// The new password `text` in the form that the pool stores; `None` if that form breaks a rule.
#[must_use]
pub fn new(text: &str) -> Option<SecretString> {
    let password = opaque(text);
    is_acceptable(&password).then(|| SecretString::from(password))
}

/// The existing password `text`, which may predate the rules, in the form that the pool stores; `None` if it is empty or
/// longer than [`CHARS_MAX`].
#[must_use]
pub fn known(text: &str) -> Option<SecretString> {
    let password = opaque(text);
    (1..=CHARS_MAX).contains(&password.chars().count()).then(|| SecretString::from(password))
}

fn is_acceptable(password: &str) -> bool {
    let has = |kind: fn(&char) -> bool| password.chars().any(|letter| kind(&letter));
    (CHARS_MIN..=CHARS_MAX).contains(&password.chars().count())
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
        && password.trim() == password
        // `FreeformClass` has neither (RFC 8264, section 4.3); a joiner is allowed in its context.
        && !password.chars().any(char::is_control)
        && hidden(password).is_none()
}

/// A password that follows the rules and that nothing knows: of 244 random bits.
pub(super) fn random() -> SecretString {
    format!("aA1-{}{}", env::random_uuid().simple(), env::random_uuid().simple()).into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn random_password_follows_the_rules_and_is_a_new_one() {
        let (one, other) = (random(), random());
        assert!(is_acceptable(one.expose_secret()));
        assert_ne!(one.expose_secret(), other.expose_secret());
    }

    #[test]
    fn a_password_keeps_every_rule() {
        for good in
            ["Speak-English-1", "aB3 5678", "비밀번호aB1x", &format!("aB3{}", "x".repeat(CHARS_MAX - 3))]
        {
            assert!(new(good).is_some(), "{good}");
        }
        let long = format!("aB3{}", "x".repeat(CHARS_MAX - 2));
        let hidden = ["aB34567\u{0}8", "aB34567\u{200b}8", "aB345678\u{202e}", "aB345678\u{3000}"];
        let short = ["", "aB34567", "ab345678", "AB345678", "aBcdefgh", " aB345678", "aB345678 ", &long];
        for weak in short.into_iter().chain(hidden) {
            assert!(new(weak).is_none(), "{weak:?}");
        }
        assert!(RULES.contains(&format!("{CHARS_MIN} to {CHARS_MAX}")));
    }

    #[test]
    fn password_reaches_the_pool_in_one_form_however_it_was_typed() {
        for typed in ["Pa\u{308}sswort\u{a0}1", "P\u{e4}sswort 1", "P\u{e4}sswort\u{3000}1"] {
            for password in [new(typed), known(typed)] {
                assert_eq!(password.unwrap().expose_secret(), "P\u{e4}sswort 1", "{typed:?}");
            }
        }
        // Its length is that of the stored form: 256 syllables of three letters each.
        let syllables = format!("aB3{}", "\u{1112}\u{1161}\u{11ab}".repeat(CHARS_MAX - 3));
        assert!(new(&syllables).is_some() && known(&syllables).is_some());
        assert!(new(&format!("{syllables}x")).is_none() && known(&format!("{syllables}x")).is_none());
    }
}
