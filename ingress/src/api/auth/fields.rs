//! PURE. The fields of requests: e-mail addresses, passwords and codes.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    account::email::{EMAIL_BYTES_MAX, Email, EmailError},
    account::user_pool::password as rules,
    api::problem::{ApiError, Code, Limit, Rule, Unit},
};

const CODE_DIGITS_MAX: usize = 10;

/// An e-mail address.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EmailAddress {
    /// The e-mail address, case insensitive.
    #[schemars(length(max = 254))]
    pub(super) email: String,
}

/// The next step for the learner.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodeRequested {
    /// A message for the learner.
    pub(super) detail: &'static str,
}

impl CodeRequested {
    pub(super) const CODE: Self = Self { detail: "if the e-mail address is eligible, a code was sent to it" };
    pub(super) const SIGN_UP: Self = Self {
        detail: "a code was sent to the e-mail address, unless it has signed up before: then sign in, or reset the password",
    };
}

/// Parses an e-mail address.
pub(super) fn email(text: &str) -> Result<Email, ApiError> {
    text.parse().map_err(|error: EmailError| ApiError::field("email", email_rule(&error), error.to_string()))
}

/// What an address has to be.
pub(super) fn email_rule(error: &EmailError) -> Rule {
    match error {
        EmailError::TooLong => Limit::at_most(EMAIL_BYTES_MAX, Unit::Bytes).into(),
        EmailError::Malformed | EmailError::NotAscii | EmailError::Domain => Rule::default(),
    }
}

/// Checks a new password against the rules.
pub(super) fn new_password(text: &str) -> Result<SecretString, ApiError> {
    rules::new(text).ok_or_else(|| ApiError::refused(Code::PasswordWeak, rules::RULES))
}

/// Checks an existing password, which may predate the rules.
pub(super) fn known_password(field: &'static str, text: &str) -> Result<SecretString, ApiError> {
    let limit = Limit::between(1_u64, rules::CHARS_MAX, Unit::Characters);
    rules::known(text)
        .ok_or_else(|| ApiError::field(field, limit, format!("1 to {} characters", rules::CHARS_MAX)))
}

/// Parses a code; white space is ignored.
pub(super) fn code(text: &str) -> Result<SecretString, ApiError> {
    let digits: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let is_code = digits.len() <= CODE_DIGITS_MAX
        && text.len() <= 2 * CODE_DIGITS_MAX
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_code {
        Ok(SecretString::from(digits))
    } else {
        let limit = Limit::between(1_u64, CODE_DIGITS_MAX, Unit::Digits);
        Err(ApiError::field("code", limit, format!("1 to {CODE_DIGITS_MAX} digits")))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn code_of(error: &ApiError) -> &'static str {
        error.code().name()
    }

    #[test]
    fn a_code_is_digits_as_people_write_them() {
        assert_eq!(code(" 123 456 ").unwrap().expose_secret(), "123456");
        let longest = "1".repeat(CODE_DIGITS_MAX);
        assert_eq!(code(&longest).unwrap().expose_secret(), longest);
        for wrong in ["", " ", "12a456", "１２３４５６", &format!("{longest}1"), &" ".repeat(100)] {
            let refused = code(wrong).unwrap_err();
            assert_eq!(code_of(&refused), "field_invalid", "{wrong}");
            assert!(refused.to_string().contains("10 digits"), "{refused}");
        }
    }

    #[test]
    fn passwords_have_their_lengths() {
        assert_eq!(code_of(&known_password("oldPassword", "").unwrap_err()), "field_invalid");
        assert!(known_password("oldPassword", &"x".repeat(rules::CHARS_MAX)).is_ok());
        let long = known_password("oldPassword", &"x".repeat(rules::CHARS_MAX + 1)).unwrap_err();
        assert!(long.to_string().starts_with("oldPassword: 1 to 256"), "{long}");
        let weak = new_password("weak").unwrap_err();
        assert_eq!((code_of(&weak), weak.to_string().as_str()), ("password_weak", rules::RULES));
    }
}
