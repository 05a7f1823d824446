//! PURE. JSON that a model wrote. A model cuts its text between tokens, so a string may hold half of a UTF-16 surrogate pair as an
//! escape, or bytes that are not UTF-8. Parsers refuse the whole document for it (RFC 8259, section 8.2, leaves this open).
//!
//! Not here: whether the document has the right fields.

use std::borrow::Cow;

/// Length of an escape `\uXXXX`, in bytes.
const ESCAPE_BYTES: usize = 6;

/// The escape of U+FFFD, the replacement character. It is as long as the escape that it replaces.
const REPLACEMENT: &[u8; ESCAPE_BYTES] = b"\\ufffd";

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
