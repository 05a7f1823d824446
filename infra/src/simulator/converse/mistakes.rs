//! PURE. Common mistakes of learners that a word list can find; it is not a grammar.

const SENTENCE_BYTES_MAX: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct Mistake {
    /// The sentence, word for word.
    pub(in crate::simulator) quote: String,
    /// The sentence without this mistake.
    pub(in crate::simulator) better: String,
    pub(in crate::simulator) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum Kind {
    /// "he go"
    ThirdPerson,
    /// "a apple"
    Article,
    /// "more better"
    Comparison,
    /// "peoples", "informations"
    Plural,
    /// "I am agree", "there is many"
    Phrase,
}

const SUBJECTS: [&str; 3] = ["he", "she", "it"];
const VERBS: [(&str, &str); 22] = [
    ("go", "goes"),
    ("have", "has"),
    ("do", "does"),
    ("like", "likes"),
    ("want", "wants"),
    ("eat", "eats"),
    ("play", "plays"),
    ("look", "looks"),
    ("walk", "walks"),
    ("run", "runs"),
    ("sit", "sits"),
    ("hold", "holds"),
    ("wear", "wears"),
    ("drink", "drinks"),
    ("read", "reads"),
    ("make", "makes"),
    ("buy", "buys"),
    ("sell", "sells"),
    ("wait", "waits"),
    ("talk", "talks"),
    ("work", "works"),
    ("don't", "doesn't"),
];
const PHRASES: [(&[&str], &str, Kind); 13] = [
    (&["more", "better"], "better", Kind::Comparison),
    (&["more", "bigger"], "bigger", Kind::Comparison),
    (&["more", "smaller"], "smaller", Kind::Comparison),
    (&["more", "easier"], "easier", Kind::Comparison),
    (&["peoples"], "people", Kind::Plural),
    (&["childs"], "children", Kind::Plural),
    (&["informations"], "information", Kind::Plural),
    (&["mans"], "men", Kind::Plural),
    (&["i", "am", "agree"], "I agree", Kind::Phrase),
    (&["there", "is", "many"], "there are many", Kind::Phrase),
    (&["there", "is", "two"], "there are two", Kind::Phrase),
    (&["there", "is", "three"], "there are three", Kind::Phrase),
    (&["people", "is"], "people are", Kind::Phrase),
];
/// Words that begin with the letter of a vowel and the sound of a consonant.
const CONSONANT_SOUNDS: [&str; 5] = ["one", "uni", "use", "usu", "eur"];

/// The mistakes in `text`, the first one of each sentence.
pub(in crate::simulator) fn find(text: &str) -> Vec<Mistake> {
    text.split_inclusive(['.', '!', '?'])
        .map(str::trim)
        .filter(|sentence| sentence.len() <= SENTENCE_BYTES_MAX)
        .filter_map(first_mistake)
        .collect()
}

fn first_mistake(sentence: &str) -> Option<Mistake> {
    let words = words(sentence);
    (0..words.len()).find_map(|at| {
        let (length, replacement, kind) = mistake_at(&words[at..])?;
        let (start, end) = (words[at].start, words[at + length - 1].end);
        let capital = sentence[start..].starts_with(char::is_uppercase);
        let replacement = if capital { capitalized(&replacement) } else { replacement };
        let better = format!("{}{replacement}{}", &sentence[..start], &sentence[end..]);
        Some(Mistake { quote: sentence.to_owned(), better, kind })
    })
}

/// A mistake at the first words: their number and the correction.
fn mistake_at(words: &[Word]) -> Option<(usize, String, Kind)> {
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word.text == text);
    for (wrong, right, kind) in PHRASES {
        if wrong.iter().enumerate().all(|(at, text)| is(at, text)) {
            return Some((wrong.len(), right.to_owned(), kind));
        }
    }
    let [first, second, ..] = words else {
        return None;
    };
    if SUBJECTS.contains(&first.text.as_str())
        && let Some((_, right)) = VERBS.iter().find(|(wrong, _)| *wrong == second.text)
    {
        return Some((2, format!("{} {right}", first.text), Kind::ThirdPerson));
    }
    let vowel = second.text.starts_with(['a', 'e', 'i', 'o', 'u']);
    let sounds_vowel = vowel && !CONSONANT_SOUNDS.iter().any(|start| second.text.starts_with(start));
    // "a" before a lone letter or "a" as the name of one is left alone.
    let is_noun = second.text.len() > 2 && second.text != "and";
    (first.text == "a" && sounds_vowel && is_noun).then(|| (2, format!("an {}", second.text), Kind::Article))
}

struct Word {
    text: String,
    start: usize,
    end: usize,
}

fn words(sentence: &str) -> Vec<Word> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '\'';
    let mut words: Vec<Word> = Vec::new();
    let mut open = false;
    for (at, letter) in sentence.char_indices() {
        if is_part(letter) {
            if !open {
                words.push(Word { text: String::new(), start: at, end: at });
            }
            if let Some(word) = words.last_mut() {
                word.text.extend(letter.to_lowercase());
                word.end = at + letter.len_utf8();
            }
        }
        open = is_part(letter);
    }
    words
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_found_and_put_right() {
        for (wrong, right) in [
            ("He go home.", "He goes home."),
            ("I see a apple!", "I see an apple!"),
            ("this is more better", "this is better"),
            ("The peoples wait", "The people wait"),
            ("I am agree.", "I agree."),
            ("She don't like it", "She doesn't like it"),
        ] {
            let found = find(wrong);
            assert_eq!(found.len(), 1, "{wrong}");
            assert_eq!((found[0].quote.as_str(), found[0].better.as_str()), (wrong, right));
        }
    }

    #[test]
    fn good_sentences_are_left_alone() {
        for good in
            ["He goes home.", "A university is big.", "an apple and a pear", "A and B", "여기 사과가 있다"]
        {
            assert_eq!(find(good), [], "{good}");
        }
    }
}
