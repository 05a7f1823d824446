//! PURE. The one comparison of a model's quotes with the learner's words, which also says where a quote stands. What it
//! disregards is written at [`QuotePlace`], in the published schema.
//!
//! Both sides are brought to canonically decomposed lower case, so that each character of the compared form comes from one
//! character of the text. `places` keeps from which.

use std::ops::Range;

use crate::{
    contract::{QuotePlace, Speaker, Turn},
    text::{caseless_parts, combining_class, is_invisible, straight},
};

/// The turns of the learner, ready for a comparison.
#[derive(Debug)]
pub struct Said(Vec<(u32, Comparable)>);

impl Said {
    /// The learner's turns of `turns`.
    #[must_use]
    pub fn new(turns: &[Turn]) -> Self {
        let learner = turns.iter().filter(|turn| turn.speaker == Speaker::Learner);
        Self::of_texts(learner.map(|turn| (turn.index, turn.text.as_str())))
    }

    /// The learner's turns by index and text.
    pub fn of_texts<'a>(turns: impl Iterator<Item = (u32, &'a str)>) -> Self {
        Self(turns.map(|(index, text)| (index, Comparable::new(text))).collect())
    }

    /// The first place of `quote`; `None` if the learner did not say it, or if it has no letter or digit: that proves nothing.
    #[must_use]
    pub fn find(&self, quote: &str) -> Option<QuotePlace> {
        let quote = Comparable::new(quote).text;
        if !quote.chars().any(char::is_alphanumeric) {
            return None;
        }
        self.0.iter().find_map(|(turn, said)| {
            let place = said.find(&quote)?;
            Some(QuotePlace { turn: *turn, start: place.start, end: place.end })
        })
    }
}

/// A text in the form of the comparison.
#[derive(Debug)]
struct Comparable {
    text: String,
    /// For each byte of `text`, the UTF-16 code units of the original from which it comes.
    places: Vec<(u32, u32)>,
}

impl Comparable {
    fn new(original: &str) -> Self {
        let mut comparable = Self { text: String::with_capacity(original.len()), places: Vec::new() };
        for (char, place) in ordered(parts(original)) {
            let is_repeated_space =
                char == ' ' && (comparable.text.is_empty() || comparable.text.ends_with(' '));
            if !is_repeated_space {
                comparable.text.push(char);
                comparable.places.resize(comparable.text.len(), place);
            }
        }
        let length = comparable.text.trim_end_matches(' ').len();
        comparable.text.truncate(length);
        comparable.places.truncate(length);
        comparable
    }

    /// The place of `quote`, which is in the form of the comparison and not empty, at word boundaries.
    fn find(&self, quote: &str) -> Option<Range<u32>> {
        let mut from = 0;
        while let Some(start) = self.text[from..].find(quote).map(|offset| from + offset) {
            let found = start..start + quote.len();
            if !self.is_inside_word(found.start) && !self.is_inside_word(found.end) {
                let places = &self.places[found];
                let start = places.iter().map(|(start, _)| *start).min()?;
                let end = places.iter().map(|(_, end)| *end).max()?;
                return Some(start..end);
            }
            from = start + self.text[start..].chars().next().map_or(1, char::len_utf8);
        }
        None
    }

    /// Whether the byte `at` divides a word or a character of the original.
    fn is_inside_word(&self, at: usize) -> bool {
        let is_of_word = |char: char| char.is_alphanumeric() || combining_class(char) != 0;
        let (before, after) = self.text.split_at(at);
        let (Some(left), Some(right)) = (before.chars().next_back(), after.chars().next()) else {
            return false;
        };
        (is_of_word(left) && is_of_word(right)) || self.places[at - 1] == self.places[at]
    }
}

/// The characters of the comparison with their places, in the order of `original`: white space is a space each.
fn parts(original: &str) -> Vec<(char, (u32, u32))> {
    let mut parts = Vec::with_capacity(original.len());
    let mut at: u32 = 0;
    for char in original.chars() {
        let place = (at, at.saturating_add(if char.len_utf16() == 2 { 2 } else { 1 }));
        at = place.1;
        if char.is_whitespace() {
            parts.push((' ', place));
        } else if !is_invisible(char) {
            parts.extend(caseless_parts(char).map(|part| (straight(part), place)));
        }
    }
    parts
}

/// `parts` with combining marks in canonical order (Unicode, section 3.11, "Canonical Ordering Algorithm").
fn ordered(mut parts: Vec<(char, (u32, u32))>) -> Vec<(char, (u32, u32))> {
    for marks in parts.chunk_by_mut(|(_, _), (next, _)| combining_class(*next) != 0) {
        marks.sort_by_key(|(char, _)| combining_class(*char));
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turn(index: u32, speaker: Speaker, text: &str) -> Turn {
        Turn::spoken(index, speaker, text, 0, 0)
    }

    /// What stands at the place of `quote` in a conversation in which the learner says `text` after the tutor's turn.
    fn quoted(text: &str, quote: &str) -> Option<String> {
        let turns = [turn(0, Speaker::Tutor, text), turn(1, Speaker::Learner, text)];
        let place = Said::new(&turns).find(quote)?;
        assert_eq!(place.turn, 1);
        let units: Vec<u16> = text.encode_utf16().collect();
        Some(String::from_utf16(&units[place.start as usize..place.end as usize]).unwrap())
    }

    #[test]
    fn quote_in_nfc_is_found_in_words_in_nfd_and_the_reverse() {
        let (composed, decomposed) = ("We drank caf\u{e9} au lait.", "We drank cafe\u{301} au lait.");
        assert_eq!(quoted(decomposed, "caf\u{e9} au").unwrap(), "cafe\u{301} au");
        assert_eq!(quoted(composed, "cafe\u{301} AU").unwrap(), "caf\u{e9} au");
        assert_eq!(quoted("\u{1112}\u{1161}\u{11ab} yes", "한").unwrap(), "\u{1112}\u{1161}\u{11ab}");
        assert_eq!(quoted("여기는 한국", "\u{1112}\u{1161}\u{11ab}국").unwrap(), "한국");
        // Two marks, whose order does not matter.
        assert_eq!(quoted("a\u{323}\u{301} b", "a\u{301}\u{323}").unwrap(), "a\u{323}\u{301}");
        assert_eq!(quoted("a\u{301}\u{323} b", "\u{1ea1}\u{301}").unwrap(), "a\u{301}\u{323}");
    }

    #[test]
    fn place_counts_utf_16_code_units_of_the_text_as_it_is() {
        let text = " 😀 It’s   a\u{200b}\nsmall“dog” ";
        let place = Said::new(&[turn(7, Speaker::Learner, text)]).find("it's a small").unwrap();
        assert_eq!(place, QuotePlace { turn: 7, start: 4, end: 19 });
        assert_eq!(quoted(text, "IT'S A SMALL").unwrap(), "It’s   a\u{200b}\nsmall");
        assert_eq!(quoted(text, "\"dog\"").unwrap(), "“dog”");
    }

    #[test]
    fn part_of_a_word_or_of_a_character_is_no_quote() {
        for (text, quote) in [
            ("It is raining", "rain"),
            ("cafe\u{301}", "cafe"),
            ("caf\u{e9}", "cafe"),
            ("한국", "하"),
            ("\u{1112}\u{1161}\u{11ab}", "하"),
            ("a 1 \u{2260} 2", "1 ="),
        ] {
            assert_eq!(quoted(text, quote), None, "{quote:?} in {text:?}");
        }
        assert_eq!(
            quoted("xa b a b a", "a b a").unwrap(),
            "a b a",
            "a later place counts where the first is in a word"
        );
    }

    #[test]
    fn first_turn_with_the_quote_is_its_place() {
        let turns =
            [1, 3, 5].map(|index| turn(index, Speaker::Learner, if index == 1 { "no" } else { "a cat" }));
        assert_eq!(Said::new(&turns).find("cat"), Some(QuotePlace { turn: 3, start: 2, end: 5 }));
    }

    proptest! {
        #[test]
        fn what_is_found_is_equal_to_the_quote(text in r"([a-cA-Cé한😀’' \n\u{200b}]|e\u{301}|\u{1112}\u{1161}){0,20}", quote in r"([a-cé한’ ]|e\u{301}){1,4}") {
            if let Some(found) = quoted(&text, &quote) {
                prop_assert_eq!(Comparable::new(&found).text, Comparable::new(&quote).text);
            }
        }

        #[test]
        fn whole_text_is_its_own_quote(text in any::<String>()) {
            let has_words = Comparable::new(&text).text.chars().any(char::is_alphanumeric);
            prop_assert_eq!(quoted(&text, &text).is_some(), has_words);
        }
    }
}
