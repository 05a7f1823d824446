//! PURE. The rules of a new password, which are the user pool's. They are checked before the pool is asked, so that a weak
//! password is refused in the same way for an address that is known and for one that is not.

/// Fewest characters.
pub const CHARS_MIN: usize = 8;

/// Most characters, which is the pool's limit.
pub const CHARS_MAX: usize = 256;

/// The rules, for people.
pub const RULES: &str = "A password has 8 to 256 characters, among them a capital letter, a small letter and a digit (A-Z, a-z, \
                         0-9), and does not begin or end with a space.";

/// Whether `password` keeps the rules.
#[must_use]
pub fn is_good(password: &str) -> bool {
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
            assert!(is_good(good), "{good}");
        }
        let long = format!("aB3{}", "x".repeat(CHARS_MAX - 2));
        for weak in ["", "aB34567", "ab345678", "AB345678", "aBcdefgh", " aB345678", "aB345678 ", &long] {
            assert!(!is_good(weak), "{weak}");
        }
        assert!(RULES.contains(&format!("{CHARS_MIN} to {CHARS_MAX}")));
    }
}
