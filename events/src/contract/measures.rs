//! PURE. The computed measures of a conversation, which are part of the stored assessment and of its event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What we compute from the transcript, of the learner's turns only. Rates are over the learner's own speech.
///
/// A word is a segment between the default word boundaries of Unicode (UAX #29) that has a letter or a digit: an apostrophe
/// inside a word belongs to it, a hyphen divides two words. Two words are the same if they differ in nothing but case, curly
/// or straight apostrophes, invisible characters and the form of canonically equivalent characters. Documents before version
/// 1.3 counted a hyphenated compound as one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measures {
    /// Turns of the learner.
    pub learner_turns: u32,
    /// Words of the learner, spoken and typed.
    pub words: u32,
    /// Different words among them. Only of one conversation: the numbers of several cannot be added.
    pub distinct_words: u32,
    /// Speech of the learner, in milliseconds.
    pub speech_ms: u64,
    /// Words of the turns with speech, by minute of that speech; 0 without speech.
    pub words_per_minute: f64,
    /// Mean words in a turn; 0 without turns.
    pub mean_turn_words: f64,
    /// Tutor turns that the learner answered, from 0 to 1; 0 without tutor turns.
    pub answer_ratio: f64,
    /// Mean silence before the learner's turns, in milliseconds; 0 without turns.
    pub mean_pause_ms: f64,
    /// Silences of which that is the mean.
    #[serde(default)]
    pub pauses: u32,
    /// The longest of them, in milliseconds; 0 without any.
    #[serde(default)]
    pub longest_pause_ms: u64,
}

impl Measures {
    /// The words of the turns with speech, computed back from their rate. The rate is rounded to hundredths, so the result is
    /// exact for up to 99 minutes of speech, which is longer than a conversation.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a conversion from a float saturates, and a rate is not negative"
    )]
    pub fn spoken_words(&self) -> u64 {
        (self.words_per_minute * self.speech_ms as f64 / 60_000.0).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spoken_words_are_exact_for_an_hour_of_speech(words in 0u32..100_000, speech_ms in 1u64..=3_600_000) {
            let rate = f64::from(words) * 60_000.0 / speech_ms as f64;
            let measures = Measures { words_per_minute: (rate * 100.0).round() / 100.0, speech_ms, ..Measures::default() };
            prop_assert_eq!(measures.spoken_words(), u64::from(words));
        }
    }
}
