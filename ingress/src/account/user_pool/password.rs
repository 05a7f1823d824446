//! PURE. The rules of a new password, which are those of the user pool. They are checked before the pool is called, so a weak
//! password is rejected in the same way for known and unknown e-mail addresses.

pub const CHARS_MIN: usize = 8;

/// Maximum number of characters, the limit of the pool.
pub const CHARS_MAX: usize = 256;

/// The rules, for learners.
pub const RULES: &str = "A password has 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit \
                         (A-Z, a-z, 0-9), and does not begin or end with a space.";

/// Whether `password` follows the rules.
#[must_use]
pub fn is_acceptable(password: &str) -> bool {
    let has = |kind: fn(&char) -> bool| password.chars().any(|letter| kind(&letter));
    (CHARS_MIN..=CHARS_MAX).contains(&password.chars().count())
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
        && password.trim() == password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_keeps_every_rule() {
        for good in
            ["Speak-English-1", "aB3 5678", "비밀번호aB1x", &format!("aB3{}", "x".repeat(CHARS_MAX - 3))]
        {
            assert!(is_acceptable(good), "{good}");
        }
        let long = format!("aB3{}", "x".repeat(CHARS_MAX - 2));
        for weak in ["", "aB34567", "ab345678", "AB345678", "aBcdefgh", " aB345678", "aB345678 ", &long] {
            assert!(!is_acceptable(weak), "{weak}");
        }
        assert!(RULES.contains(&format!("{CHARS_MIN} to {CHARS_MAX}")));
    }
}
