//! PURE. How well a recogniser understood: the word error rate between what was said and what was recognised, without
//! regard to case, punctuation, digits, contractions or British spelling.

use std::{fmt, ops::AddAssign};

/// The errors in a number of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// Words that are missing, added or replaced.
    pub errors: usize,
    /// Words that were said.
    pub words: usize,
}

const NUMBERS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
/// British spellings and the American ones that a recogniser writes.
const SPELLINGS: [(&str, &str); 9] = [
    ("colour", "color"),
    ("favourite", "favorite"),
    ("neighbour", "neighbor"),
    ("grey", "gray"),
    ("centre", "center"),
    ("theatre", "theater"),
    ("jewellery", "jewelry"),
    ("moustache", "mustache"),
    ("travell", "travel"),
];

/// As Whisper's normaliser for English writes them out; what follows the apostrophe of a genitive is the same on both sides.
const CONTRACTIONS: [(&str, &str); 6] =
    [("n't", " not"), ("'s", " is"), ("'re", " are"), ("'m", " am"), ("'ll", " will"), ("'ve", " have")];

impl WordErrors {
    /// Compares what was recognised with what was said.
    #[must_use]
    pub fn between(said: &str, recognised: &str) -> Self {
        let (said, recognised) = (words(said), words(recognised));
        // Levenshtein's distance of words, a row at a time.
        let mut row: Vec<usize> = (0..=recognised.len()).collect();
        for (at, word) in said.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], at + 1);
            for (column, other) in recognised.iter().enumerate() {
                let replaced = diagonal + usize::from(word != other);
                diagonal = row[column + 1];
                row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
            }
        }
        Self { errors: row.last().copied().unwrap_or_default(), words: said.len() }
    }

    /// Errors per hundred words.
    #[must_use]
    pub fn percent(self) -> f64 {
        100.0 * self.errors as f64 / self.words.max(1) as f64
    }
}

impl AddAssign for WordErrors {
    fn add_assign(&mut self, other: Self) {
        self.errors += other.errors;
        self.words += other.words;
    }
}

impl fmt::Display for WordErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % ({} of {} words)", self.percent(), self.errors, self.words)
    }
}

fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('’', "'");
    let written_out = CONTRACTIONS.iter().fold(text, |text, (short, long)| text.replace(short, long));
    written_out
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(spelled)
        .collect()
}

fn spelled(word: &str) -> String {
    if let Some(number) = word.parse().ok().and_then(|number: usize| NUMBERS.get(number)) {
        return (*number).to_owned();
    }
    SPELLINGS.iter().fold(word.to_owned(), |word, (british, american)| word.replace(british, american))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_missing_added_or_replaced_are_errors() {
        let errors = |said, recognised| WordErrors::between(said, recognised).errors;
        assert_eq!(errors("I see a dog.", "i see a dog"), 0);
        assert_eq!(errors("I see a dog.", "I see dog"), 1);
        assert_eq!(errors("I see a dog.", "I can see a dog"), 1);
        assert_eq!(errors("I see a dog.", "I see the fog"), 2);
        assert_eq!(errors("I see a dog.", ""), 4);
        assert_eq!(errors("", "thank you"), 2);
    }

    #[test]
    fn spelling_and_digits_are_no_errors() {
        let said = "Three colourful T-shirts, and it is grey.";
        let errors = WordErrors::between(said, "3 colorful t shirts and it's gray");
        assert_eq!(errors, WordErrors { errors: 0, words: 8 });
        assert_eq!(WordErrors { errors: 1, words: 8 }.to_string(), "12.5 % (1 of 8 words)");
    }
}
