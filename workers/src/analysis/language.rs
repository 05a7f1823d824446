//! PURE. Whether texts are in the requested language, by their letters. It distinguishes Korean from English, not good Korean
//! from bad.
//!
//! Every text must have at least one letter of the language's script, and of all letters together at least three in ten
//! must be of it: a comment may quote English at length, but an answer in the other language has none.

use events::contract::FeedbackLanguage;

/// Minimum share of the language's own letters among all letters, in percent.
const OWN_PERCENT_MIN: usize = 30;

/// The violations in `texts`, pairs of a JSON pointer and a text, as pairs of a pointer and a reason.
pub(super) fn violations<'a>(
    language: FeedbackLanguage,
    texts: impl Iterator<Item = (String, &'a str)>,
) -> Vec<(String, String)> {
    let (name, is_own): (&str, fn(char) -> bool) = match language {
        FeedbackLanguage::English => ("English", |letter| letter.is_ascii_alphabetic()),
        FeedbackLanguage::Korean => ("Korean", is_hangul),
    };
    let (mut own, mut all) = (0, 0);
    let mut wrong = Vec::new();
    for (place, text) in texts {
        let own_here = text.chars().filter(|letter| is_own(*letter)).count();
        own += own_here;
        all += text.chars().filter(|letter| letter.is_alphabetic()).count();
        if own_here == 0 {
            wrong.push((place, format!("is not in {name}")));
        }
    }
    if wrong.is_empty() && own * 100 < all * OWN_PERCENT_MIN {
        wrong.push((String::new(), format!("has hardly any {name} in its texts")));
    }
    wrong
}

/// Whether `letter` is a complete Hangul syllable. Source: Unicode, block Hangul Syllables, U+AC00 to U+D7A3.
fn is_hangul(letter: char) -> bool {
    ('가'..='힣').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FeedbackLanguage::{English, Korean};

    fn places(language: FeedbackLanguage, texts: &[&str]) -> Vec<String> {
        let placed = texts.iter().enumerate().map(|(place, text)| (format!("/{place}"), *text));
        violations(language, placed).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn each_text_is_in_its_language() {
        assert_eq!(places(Korean, &["잘했어요.", "\"I see a cat\"라고 말했습니다."]), [] as [&str; 0]);
        assert_eq!(places(Korean, &["잘했어요.", "Well done."]), ["/1"]);
        assert_eq!(places(English, &["Well done.", "You said 김치, a Korean dish."]), [] as [&str; 0]);
        assert_eq!(places(English, &["잘했어요.", "Well done."]), ["/0"]);
        assert_eq!(places(Korean, &["123 !", "ㅋㅋㅋ"]), ["/0", "/1"]);
    }

    #[test]
    fn one_letter_of_a_language_does_not_make_a_text() {
        let english = "You described the picture very well and with many words";
        assert_eq!(places(Korean, &[&format!("{english} 네")]), [""]);
        assert_eq!(places(English, &["그림을 아주 잘 설명했고 많은 단어를 썼습니다 ok"]), [""]);
    }

    #[test]
    fn share_is_enough_from_three_in_ten() {
        assert_eq!(places(Korean, &["가나다abcdefg"]), [] as [&str; 0]);
        assert_eq!(places(Korean, &["가나다abcdefgh"]), [""]);
    }
}
