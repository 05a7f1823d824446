//! PURE. Text that people enter: its normal form, and what of it cannot be seen.
//!
//! Canonically equal text (UAX #15) is equal for people, so text is brought to NFC once, where it enters, and also where it
//! is compared with text that was stored before. What one person enters and another sees must be visible and must not
//! reorder the text around it (UTR #36, section 2.10; UTS #39): [`check_shown`].

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        CanonicalCombiningClass, DefaultIgnorableCodePoint, Emoji, EmojiModifier, ExtendedPictographic,
        GeneralCategory, GeneralCategoryGroup, Ideographic, IndicSyllabicCategory, JoiningType, Script,
    },
};

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// What an emoji tag sequence begins and ends with, and how many tags are between: the codes of a region and of a part of it
/// (UTS #51, ED-14a, and Annex C).
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
const FLAG_TAGS: std::ops::RangeInclusive<usize> = 4..=6;

/// The rule of [`check_shown`], for people.
pub const SHOWN_RULE: &str = "at least one visible character, and no direction controls or other invisible characters; \
                              joiners are allowed inside emoji and in scripts that need them";

/// Why a text cannot be shown to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShownTextError {
    /// Nothing of it can be seen.
    #[error("it has no visible character")]
    Invisible,
    /// It has a character that hides something or reorders the text around it.
    #[error("it has the invisible character U+{:04X}", u32::from(*.0))]
    Hidden(char),
}

/// The text in Normalization Form C.
#[must_use]
pub fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

/// The form of a text in which case does not matter: lower case in Normalization Form C.
#[must_use]
pub fn caseless(text: &str) -> String {
    nfc(&nfc(text).to_lowercase())
}

/// The characters of the lower-case form of `char`, canonically decomposed. A text in this form is compared after its combining
/// marks are in the order of their [`combining_class`].
pub fn caseless_parts(char: char) -> impl Iterator<Item = char> {
    let decompose = |text: &str| DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned();
    let lower = decompose(char.encode_utf8(&mut [0; 4])).to_lowercase();
    decompose(&lower).chars().collect::<Vec<_>>().into_iter()
}

/// The apostrophe or quotation mark without its curl; any other character as it is.
#[must_use]
pub fn straight(char: char) -> char {
    match char {
        '’' | '‘' => '\'',
        '“' | '”' => '"',
        _ => char,
    }
}

/// The canonical combining class; 0 for what is not a combining mark.
#[must_use]
pub fn combining_class(char: char) -> u8 {
    CodePointMapData::<CanonicalCombiningClass>::new().get(char).0
}

/// The form of a password in which it is compared (RFC 8265, section 4.2.2, `OpaqueString`): each space is U+0020, and the
/// text is in NFC. The kept crates for PRECIS carry Unicode tables of their own, years older than ICU's; the two mappings
/// are all that is needed of them.
#[must_use]
pub fn opaque(password: &str) -> String {
    let spaces = |char| if category(char) == GeneralCategory::SpaceSeparator { ' ' } else { char };
    nfc(&password.chars().map(spaces).collect::<String>())
}

/// Checks a text that one person enters and another sees.
///
/// # Errors
/// See [`ShownTextError`].
pub fn check_shown(text: &str) -> Result<(), ShownTextError> {
    if let Some(hidden) = hidden(text) {
        return Err(ShownTextError::Hidden(hidden));
    }
    if has_visible(text) { Ok(()) } else { Err(ShownTextError::Invisible) }
}

/// The text without the characters that [`check_shown`] refuses: for text that was stored before there was a rule.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    // What one removal leaves can be the half of a sequence, so there may be another one; each makes the text shorter.
    while let Some(place) = (0..chars.len()).find(|place| is_hidden(&chars, *place)) {
        chars.remove(place);
    }
    chars.into_iter().collect()
}

/// Whether the text has a letter, digit, punctuation mark or symbol that can be seen. Characters that are reserved for emoji
/// of newer versions of Unicode count as such.
#[must_use]
pub fn has_visible(text: &str) -> bool {
    let seen = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    // U+2800 is the Braille pattern without a dot, U+1D159 the note head that is not drawn.
    let is_blank = |char| is_invisible(char) || matches!(char, '\u{2800}' | '\u{1d159}');
    let is_seen = |char| seen.contains(category(char)) || is_pictographic(&char);
    text.chars().any(|char| is_seen(char) && !is_blank(char))
}

/// The first character that hides something or reorders the text around it.
#[must_use]
pub fn hidden(text: &str) -> Option<char> {
    if text.is_ascii() {
        return None;
    }
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).find(|place| is_hidden(&chars, *place)).map(|place| chars[place])
}

/// Whether `char` has no shape of its own: default-ignorable characters, among them direction controls, joiners, soft
/// hyphens, fillers, tags and variation selectors; separators of lines and paragraphs; marks of annotations.
#[must_use]
pub fn is_invisible(char: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
}

fn is_hidden(chars: &[char], place: usize) -> bool {
    let char = chars[place];
    if !is_invisible(char) {
        return false;
    }
    let (before, after) = (&chars[..place], &chars[place + 1..]);
    !match char {
        ZERO_WIDTH_JOINER => joins_emoji(before, after) || joins_letters(before, after),
        ZERO_WIDTH_NON_JOINER => joins_letters(before, after),
        '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            selects_variation(char, before, after)
        }
        '\u{e0020}'..='\u{e007e}' | CANCEL_TAG => is_in_flag(before, &chars[place..]),
        _ => false,
    }
}

/// Whether a joiner stands between the parts of an emoji (UTS #51, ED-16).
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let is_modifier =
        |char: &char| *char == '\u{fe0f}' || CodePointSetData::new::<EmojiModifier>().contains(*char);
    let base = before.iter().rev().find(|char| !is_modifier(char));
    base.is_some_and(is_pictographic) && after.first().is_some_and(is_pictographic)
}

fn is_pictographic(char: &char) -> bool {
    CodePointSetData::new::<ExtendedPictographic>().contains(*char)
}

/// Whether a joiner stands where a script needs it: after a virama, or between letters or signs of scripts that join their
/// letters (RFC 5892, appendix A.1 and A.2, and the sequences of Indic scripts in which the joiner precedes the virama).
fn joins_letters(before: &[char], after: &[char]) -> bool {
    let class = |char: &char| CodePointMapData::<CanonicalCombiningClass>::new().get(*char);
    if before.last().is_some_and(|char| class(char) == CanonicalCombiningClass::Virama) {
        return true;
    }
    before.iter().rev().find(|char| !is_plain_mark(**char)).is_some_and(|char| joins(*char))
        && after.iter().find(|char| !is_plain_mark(**char)).is_some_and(|char| joins(*char))
}

/// Whether `char` is a letter or sign of a script that joins its letters.
fn joins(char: char) -> bool {
    let is_cursive = CodePointMapData::<JoiningType>::new().get(char) != JoiningType::NonJoining;
    let is_letter = GeneralCategoryGroup::Letter.contains(category(char));
    (is_letter && is_cursive) || is_indic(char)
}

fn is_indic(char: char) -> bool {
    let group = GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Mark);
    group.contains(category(char))
        && CodePointMapData::<IndicSyllabicCategory>::new().get(char) != IndicSyllabicCategory::Other
}

/// A mark that belongs to any script, as the vowel signs of Arabic.
fn is_plain_mark(char: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(char)) && !is_indic(char) && !is_invisible(char)
}

/// Whether a variation selector follows a character that has variations (UTS #37, UTS #51 ED-8a to ED-9a, and
/// StandardizedVariants.txt for the scripts named here).
fn selects_variation(selector: char, before: &[char], after: &[char]) -> bool {
    let Some(base) = before.last() else { return false };
    let script = CodePointMapData::<Script>::new().get(*base);
    match selector {
        '\u{180b}'..='\u{180f}' => script == Script::Mongolian,
        // An emoji, or the first part of a keycap.
        '\u{fe0e}' | '\u{fe0f}' if base.is_ascii() => after.first() == Some(&'\u{20e3}'),
        '\u{fe0e}' | '\u{fe0f}' => CodePointSetData::new::<Emoji>().contains(*base),
        '\u{fe00}'..='\u{fe0d}' if script == Script::Myanmar || script == Script::PhagsPa => true,
        _ => CodePointSetData::new::<Ideographic>().contains(*base),
    }
}

/// Whether the tag at the beginning of `rest` is in the flag of a part of a region.
fn is_in_flag(before: &[char], rest: &[char]) -> bool {
    let is_code = |char: &&char| matches!(**char, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    let tags = before.iter().rev().take_while(is_code).count();
    let more = rest.iter().take_while(is_code).count();
    before.iter().rev().nth(tags) == Some(&BLACK_FLAG)
        && FLAG_TAGS.contains(&(tags + more))
        && rest.get(more) == Some(&CANCEL_TAG)
}

fn category(char: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(char)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonically_equal_texts_have_one_form() {
        for (decomposed, composed) in
            [("Zoe\u{308}", "Zoë"), ("\u{1112}\u{1161}\u{11ab}", "한"), ("\u{212b}", "Å"), ("a", "a")]
        {
            assert_eq!(nfc(decomposed), composed);
            assert_eq!(caseless(&decomposed.to_uppercase()), caseless(composed));
        }
    }

    #[test]
    fn password_has_one_form_for_each_way_to_type_it() {
        assert_eq!(opaque("Pa\u{308}ss\u{a0}wort\u{3000}1"), "Päss wort 1");
        assert_eq!(opaque("Ｆｕｌｌ　ＷＩＤＴＨ"), "Ｆｕｌｌ ＷＩＤＴＨ", "neither width nor case is mapped");
    }

    #[test]
    fn text_that_people_write_can_be_shown() {
        for text in [
            "Mina Kim",
            "김민아",
            "Zoe\u{308} O’Brien-Łukasz 3rd",
            // Persian and Urdu with a non-joiner; Sinhala, Bengali, Kannada and Malayalam with joiners.
            "علی\u{200c}رضا",
            "مُحَمَّد\u{200c}ی",
            "ශ්\u{200d}රී ලංකා",
            "র\u{200d}্যাব",
            "ನ\u{cb0}\u{ccd}\u{200d}ಕ",
            "അവന്\u{200d}",
            "नमस्\u{200c}ते",
            // Emoji: a family, a flag, a skin tone, a keycap, a heart, a runner to the right, Scotland.
            "👩\u{200d}👩\u{200d}👧",
            "🏳\u{fe0f}\u{200d}🌈",
            "👩🏽\u{200d}🚀",
            "1\u{fe0f}\u{20e3}",
            "❤\u{fe0f}",
            "🏃🏽\u{200d}➡\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            // A form of a character in Japanese names, and a letter of Mongolian.
            "葛\u{e0100}飾",
            "ᠭ\u{180b}ᠠ",
            "\u{600}١٢",
        ] {
            assert_eq!(check_shown(text), Ok(()), "{text:?}");
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn text_without_anything_visible_is_refused() {
        for text in ["", " ", "\u{3000}", "\u{2800}", "\u{1d159}", "\u{301}", " \u{a0}"] {
            assert_eq!(check_shown(text), Err(ShownTextError::Invisible), "{text:?}");
        }
    }

    #[test]
    fn hidden_characters_are_refused_by_their_names() {
        for hidden in [
            "\u{ad}",
            "\u{34f}",
            "\u{61c}",
            "\u{115f}",
            "\u{1160}",
            "\u{17b4}",
            "\u{180e}",
            "\u{200b}",
            "\u{200e}",
            "\u{200f}",
            "\u{2028}",
            "\u{202a}",
            "\u{202d}",
            "\u{202e}",
            "\u{2060}",
            "\u{2066}",
            "\u{2069}",
            "\u{206f}",
            "\u{3164}",
            "\u{feff}",
            "\u{ffa0}",
            "\u{fff9}",
            "\u{1d173}",
            "\u{e0001}",
            "\u{e0041}",
            "\u{200c}",
            "\u{200d}",
            "\u{fe0f}",
            "\u{e0100}",
        ] {
            let char = hidden.chars().next().unwrap();
            for text in
                [hidden.to_owned(), format!("Mi{hidden}na"), format!("Mina{hidden}"), format!("{hidden}1")]
            {
                assert_eq!(check_shown(&text), Err(ShownTextError::Hidden(char)), "{text:?}");
                assert!(!shown(&text).contains(hidden));
            }
            let error = check_shown(hidden).unwrap_err().to_string();
            assert!(error.ends_with(&format!("U+{:04X}", u32::from(char))), "{error}");
        }
        for text in [
            "👩\u{200d}",
            "👩\u{200d}a",
            "\u{200d}👩",
            "❤\u{fe0f}\u{fe0f}",
            "1\u{fe0f}2",
            "علی\u{200c}",
            "علی\u{200c}\u{200c}رضا",
            "🏴\u{e0067}\u{e0062}",
            "🏴\u{e0067}\u{e007f}",
            "👩\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e0074}\u{e0074}\u{e007f}",
        ] {
            assert!(matches!(check_shown(text), Err(ShownTextError::Hidden(_))), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn forms_are_stable(text in any::<String>()) {
            for form in [nfc, caseless, opaque] {
                let once = form(&text);
                prop_assert_eq!(form(&once), once);
            }
        }

        #[test]
        fn shown_text_has_nothing_hidden(text in "[a🏴👩❤1한ر\u{200b}-\u{200f}\u{202e}\u{fe0f}\u{e0067}\u{e007f}]{0,12}") {
            let text = shown(&text);
            prop_assert_eq!(hidden(&text), None);
        }

        #[test]
        fn direction_controls_never_pass(before in any::<String>(), after in any::<String>(), control in "[\u{202a}-\u{202e}\u{2066}-\u{2069}]") {
            let text = format!("{before}{control}{after}");
            prop_assert!(check_shown(&text).is_err());
            prop_assert!(!shown(&text).contains(&control));
        }
    }
}
