//! What is answered, whatever the user pool says.

use super::*;

fn code_of(error: &ApiError) -> &'static str {
    error.code().name()
}

#[test]
fn a_code_is_digits_as_people_write_them() {
    assert_eq!(code(" 123 456 ").unwrap().reveal(), "123456");
    let longest = "1".repeat(CODE_DIGITS_MAX);
    assert_eq!(code(&longest).unwrap().reveal(), longest);
    for wrong in ["", " ", "12a456", "１２３４５６", &format!("{longest}1"), &" ".repeat(100)] {
        let refused = code(wrong).unwrap_err();
        assert_eq!(code_of(&refused), "field_invalid", "{wrong}");
        assert!(refused.to_string().contains("10 digits"), "{refused}");
    }
}

#[test]
fn passwords_have_their_lengths() {
    assert_eq!(code_of(&known_password("oldPassword", String::new()).unwrap_err()), "field_invalid");
    assert!(known_password("oldPassword", "x".repeat(rules::CHARS_MAX)).is_ok());
    let long = known_password("oldPassword", "x".repeat(rules::CHARS_MAX + 1)).unwrap_err();
    assert!(long.to_string().starts_with("oldPassword: 1 to 256"), "{long}");
    let weak = new_password("weak".to_owned()).unwrap_err();
    assert_eq!((code_of(&weak), weak.to_string().as_str()), ("password_weak", rules::RULES));
}
