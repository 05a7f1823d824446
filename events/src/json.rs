//! PURE. JSON that others write: models, producers of events, clients.
//!
//! JSON has one type of number, and in JSON Schema a number with a zero fraction is an integer (2020-12 validation, section
//! 6.1.1; core, section 4.2.3), so `64.0` is one wherever such JSON is read. It may also hold an escaped surrogate without its
//! partner, which is no character (RFC 8259, section 8.2).

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// Length of an escape `\uXXXX`, in bytes.
const ESCAPE_BYTES: usize = 6;

/// The escape of U+FFFD, the replacement character. It is as long as the escape that it replaces.
const REPLACEMENT: &[u8; ESCAPE_BYTES] = b"\\ufffd";

/// Reads a `T` from JSON text.
///
/// # Errors
/// Not JSON, or not a `T`.
pub fn from_str<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    from_slice(text.as_bytes())
}

/// Reads a `T` from JSON text in UTF-8.
///
/// # Errors
/// Not JSON, or not a `T`.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    from_value(serde_json::from_slice(text)?)
}

/// Reads a `T` from a JSON value.
///
/// # Errors
/// Not a `T`.
pub fn from_value<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    serde_json::from_value(with_integers(value))
}

/// `value` with every number that has a zero fraction as an integer. A type with fractions reads such an integer, too.
#[must_use]
pub fn with_integers(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(integer(&number).unwrap_or(number)),
        Value::Array(values) => values.into_iter().map(with_integers).collect(),
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(name, field)| (name, with_integers(field))).collect::<Map<_, _>>(),
        ),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// `json` as a text that a strict parser accepts: each escape of a lone surrogate, and each sequence that is not UTF-8, becomes
/// U+FFFD. Everything else stays as it is, errors of syntax too. One pass; without such a place nothing is copied.
#[must_use]
pub fn lossy(json: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(json);
    let first = if text.contains('\\') { next_lone_surrogate(text.as_bytes(), 0) } else { None };
    let Some(first) = first else { return text };
    let mut bytes = text.into_owned().into_bytes();
    let mut lone = Some(first);
    // Bounded: each place is behind the last one.
    while let Some(at) = lone {
        bytes[at..at + ESCAPE_BYTES].copy_from_slice(REPLACEMENT);
        lone = next_lone_surrogate(&bytes, at + ESCAPE_BYTES);
    }
    Cow::Owned(String::from_utf8(bytes).expect("an escape is ASCII, and so is what replaces it"))
}

/// The place of the first lone surrogate at or after `from`, which is not inside of an escape.
fn next_lone_surrogate(json: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(offset) = json.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += offset;
        at += match (unit(json, at), unit(json, at + ESCAPE_BYTES)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE_BYTES,
            (Some(0xd800..=0xdfff), _) => return Some(at),
            (Some(_), _) => ESCAPE_BYTES,
            // Another escape is a backslash and one character.
            (None, _) => 2,
        };
    }
    None
}

/// The UTF-16 code unit of the escape `\uXXXX` at `at`.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE_BYTES)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let value = u16::try_from(char::from(*digit).to_digit(16)?).ok()?;
        Some(unit << 4 | value)
    })
}

/// The integer that `number` is, if it is written with a fraction or an exponent and is one.
fn integer(number: &Number) -> Option<Number> {
    let float = if number.is_f64() { number.as_f64()? } else { return None };
    // Below 2^64 and from -2^63 on, a float with a zero fraction is exactly one integer.
    let text = (float.fract() == 0.0).then(|| format!("{float:.0}"))?;
    text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn number_with_a_zero_fraction_is_an_integer() {
        assert_eq!(from_str::<u8>("64.0").unwrap(), 64);
        assert_eq!(from_str::<i64>("-9.0e3").unwrap(), -9_000);
        assert_eq!(from_str::<u64>("-0.0").unwrap(), 0);
        assert_eq!(from_str::<u64>("9223372036854775808.0").unwrap(), 1 << 63);
        assert_eq!(from_str::<f64>("64.0").unwrap().to_string(), "64");
        assert_eq!(from_str::<Vec<u32>>("[1.0, 2]").unwrap(), [1, 2]);
    }

    #[test]
    fn other_numbers_stay_what_they_are() {
        for text in ["64.5", "-1.0", "256.0", "\"64.0\"", "null"] {
            assert!(from_str::<u8>(text).is_err(), "{text}");
        }
        for value in [json!(1e300), json!(-1e19), json!(0.1), json!(u64::MAX), json!(i64::MIN)] {
            assert_eq!(with_integers(value.clone()), value);
        }
    }

    fn parsed(json: &[u8]) -> String {
        serde_json::from_str(&lossy(json)).unwrap()
    }

    #[test]
    fn lone_surrogate_becomes_the_replacement_character() {
        for (json, expected) in [
            (r#""a \ud83d b""#, "a \u{fffd} b"),
            (r#""\uDE00""#, "\u{fffd}"),
            (r#""\ud83d\ud83d\ude00\ude00""#, "\u{fffd}\u{1f600}\u{fffd}"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
        ] {
            assert_eq!(parsed(json.as_bytes()), expected, "{json}");
        }
    }

    #[test]
    fn document_without_a_lone_surrogate_is_not_copied() {
        for json in
            [r#"{"a":"\ud83d\ude00"}"#, r#""\\ud83d""#, r#""\\\\ud83d \" \u00e9 é""#, r#""\ud8""#, "", "\\"]
        {
            assert!(matches!(lossy(json.as_bytes()), Cow::Borrowed(same) if same == json), "{json}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_the_replacement_character() {
        assert_eq!(parsed(b"\"a\xffb\""), "a\u{fffd}b");
        // A surrogate in three bytes, as some writers encode it.
        assert_eq!(parsed(b"\"\xed\xa0\xbd\\ud83d\""), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_string_of_code_units_is_parsed_as_its_lossy_text(
            units in prop::collection::vec(
                prop_oneof![any::<u16>(), 0xd7ff_u16..0xe001, Just(0x5c), Just(0x22)],
                0..20,
            ),
        ) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(parsed(format!("\"{escapes}\"").as_bytes()), String::from_utf16_lossy(&units));
        }

        #[test]
        fn any_document_is_the_same_after_it(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(parsed(json.as_bytes()), text);
        }

        #[test]
        fn any_bytes_are_text(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let text = lossy(&bytes);
            prop_assert_eq!(lossy(text.as_bytes()), text.clone());
        }
    }
}
