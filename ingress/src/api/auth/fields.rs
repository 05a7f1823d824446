//! PURE. The fields of requests: e-mail addresses, passwords and codes.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    account::email::{EMAIL_BYTES_MAX, Email, EmailError},
    account::recovery_codes,
    account::user_pool::password as rules,
    api::problem::{ApiError, Code, Limit, Rule, Unit},
};

const CODE_DIGITS_MAX: usize = 10;

/// Digits of a phone number with its country code.
const PHONE_DIGITS_MIN: usize = 7;
const PHONE_DIGITS_MAX: usize = 15;

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

/// Parses a recovery code.
pub(super) fn recovery_code(text: &str) -> Result<SecretString, ApiError> {
    let wrong = || {
        ApiError::field("recoveryCode", Rule::default(), "six groups of four letters or digits".to_owned())
    };
    recovery_codes::read(text).ok_or_else(wrong)
}

/// Parses a phone number: `+`, the country and the number, up to 15 digits (ITU-T E.164, section 6); spaces and hyphens are ignored.
pub(super) fn phone(text: &str) -> Result<String, ApiError> {
    let number: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    let is_number = text.len() <= 2 * PHONE_DIGITS_MAX
        && (PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if is_number {
        return Ok(number);
    }
    let limit = Limit::between(PHONE_DIGITS_MIN, PHONE_DIGITS_MAX, Unit::Digits);
    let detail = format!(
        "a plus sign, the country code and the number, {PHONE_DIGITS_MIN} to {PHONE_DIGITS_MAX} digits, e.g. +821012345678"
    );
    Err(ApiError::field("phone", limit, detail))
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
    fn phone_number_is_international_and_has_its_length() {
        assert_eq!(phone(" +82 10-1234-5678 ").unwrap(), "+821012345678");
        assert_eq!(phone("+123456789012345").unwrap(), "+123456789012345");
        for wrong in [
            "",
            "+",
            "010-1234-5678",
            "+012345678",
            "+123456",
            "+1234567890123456",
            "+82x012345678",
            "++8210123456",
        ] {
            let refused = phone(wrong).unwrap_err();
            assert_eq!(code_of(&refused), "field_invalid", "{wrong}");
        }
        assert!(phone(&format!("+82{}", " ".repeat(100))).is_err());
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
