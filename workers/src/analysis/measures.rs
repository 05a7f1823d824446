//! PURE. The computed measures of a conversation, without a model.
//!
//! | measure | definition | unit |
//! |---|---|---|
//! | `learnerTurns` | turns of the learner, spoken and typed | turns |
//! | `words` | segments between word boundaries (UAX #29) of the learner's turns, with a letter or a digit each | words |
//! | `distinctWords` | different ones of them, without regard to case, curl of apostrophes, invisible characters and canonical form | words |
//! | `speechMs` | speaking time: speech of the learner's turns as the ingress measured it, without silence | ms |
//! | `wordsPerMinute` | words of turns with speech, by the minute of that speech; 0 without speech | words/min |
//! | `meanTurnWords` | words by turn of the learner; 0 without turns | words |
//! | `answerRatio` | tutor turns that the next turn answers with a word, as a share of all tutor turns | 0 to 1 |
//! | `pauses` | spoken turns of the learner that come right after a tutor turn | pauses |
//! | `meanPauseMs`, `longestPauseMs` | from the end of that tutor turn to the start of the learner's speech; speaking over the tutor is 0 | ms |
//!
//! Typed turns have words but no speech: they count for words, turns and answers, not for the rate and not for pauses.
//! Quotients are rounded to hundredths.

use std::collections::HashSet;

use events::{
    contract::{Measures, Speaker, Turn},
    text::{caseless, is_invisible, nfc, straight},
};
use unicode_segmentation::UnicodeSegmentation as _;

/// The measures of the learner's side of `turns`.
pub(super) fn measures(turns: &[Turn]) -> Measures {
    let learner: Vec<&Turn> = turns.iter().filter(|turn| turn.speaker == Speaker::Learner).collect();
    let word_count = |turn: &Turn| nfc(&turn.text).unicode_words().count();
    let total: usize = learner.iter().map(|turn| word_count(turn)).sum();
    let mut distinct = HashSet::new();
    for turn in &learner {
        distinct.extend(nfc(&turn.text).unicode_words().map(compared));
    }
    let speech_ms: u64 = learner.iter().map(|turn| turn.speech_ms).fold(0, u64::saturating_add);
    let spoken: usize = learner.iter().filter(|turn| turn.speech_ms > 0).map(|turn| word_count(turn)).sum();
    let pauses = pauses(turns);
    Measures {
        learner_turns: saturated(learner.len()),
        words: saturated(total),
        distinct_words: saturated(distinct.len()),
        speech_ms,
        words_per_minute: ratio(spoken as f64 * 60_000.0, speech_ms as f64),
        mean_turn_words: ratio(total as f64, learner.len() as f64),
        answer_ratio: answer_ratio(turns),
        mean_pause_ms: ratio(pauses.iter().map(|pause| *pause as f64).sum(), pauses.len() as f64),
        pauses: saturated(pauses.len()),
        longest_pause_ms: pauses.into_iter().max().unwrap_or(0),
    }
}

/// The form of a word in which it is compared with others.
fn compared(word: &str) -> String {
    let visible: String = word.chars().filter(|char| !is_invisible(*char)).map(straight).collect();
    caseless(&visible)
}

/// Tutor turns that are followed by words of the learner, as a share of all tutor turns.
fn answer_ratio(turns: &[Turn]) -> f64 {
    let is_tutor = |turn: &Turn| turn.speaker == Speaker::Tutor;
    let asked = turns.iter().filter(|turn| is_tutor(turn)).count();
    let answered = turns
        .windows(2)
        .filter(|pair| {
            is_tutor(&pair[0]) && !is_tutor(&pair[1]) && pair[1].text.unicode_words().next().is_some()
        })
        .count();
    ratio(answered as f64, asked as f64)
}

/// Pauses between the end of a tutor turn and the next spoken learner turn, in milliseconds; 0 where the learner speaks over
/// the tutor.
fn pauses(turns: &[Turn]) -> Vec<u64> {
    turns
        .windows(2)
        .filter(|pair| pair[0].speaker == Speaker::Tutor && pair[1].speaker == Speaker::Learner)
        .filter(|pair| pair[1].speech_ms > 0)
        .map(|pair| pair[1].start_ms.saturating_sub(pair[0].end_ms))
        .collect()
}

/// The quotient rounded to hundredths; 0 for the denominator 0.
fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator > 0.0 { (numerator / denominator * 100.0).round() / 100.0 } else { 0.0 }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::turn;
    use proptest::prelude::*;

    #[test]
    fn nothing_said_measures_nothing() {
        assert_eq!(measures(&[]), Measures::default());
        let silent = [turn(0, Speaker::Tutor, "Hello?"), turn(1, Speaker::Learner, " … !")];
        let measured = measures(&silent);
        assert_eq!((measured.words, measured.learner_turns), (0, 1));
        assert!(measured.answer_ratio.abs() < f64::EPSILON);
    }

    #[test]
    fn words_rates_pauses_and_answers_of_a_small_conversation() {
        let mut first = turn(1, Speaker::Learner, "I see a cat, a well-known cat.");
        first.speech_ms = 3_000;
        let mut typed = turn(3, Speaker::Learner, "It's the cat");
        (typed.speech_ms, typed.typed) = (0, true);
        let turns = [
            turn(0, Speaker::Tutor, "What do you see in the picture?"),
            first,
            turn(2, Speaker::Tutor, "Lovely."),
            typed,
            turn(4, Speaker::Tutor, "Goodbye."),
        ];
        let expected = Measures {
            learner_turns: 2,
            words: 11,
            distinct_words: 8,
            speech_ms: 3_000,
            words_per_minute: 160.0,
            mean_turn_words: 5.5,
            answer_ratio: 0.67,
            mean_pause_ms: 200.0,
            pauses: 1,
            longest_pause_ms: 200,
        };
        assert_eq!(measures(&turns), expected);
    }

    #[test]
    fn speaking_over_the_tutor_is_no_pause() {
        let mut tutor = turn(0, Speaker::Tutor, "And then");
        tutor.end_ms = 9_000;
        let measured = measures(&[tutor, turn(1, Speaker::Learner, "Wait")]);
        assert!(measured.mean_pause_ms.abs() < f64::EPSILON);
        assert_eq!((measured.pauses, measured.longest_pause_ms), (1, 0));
    }

    #[test]
    fn pauses_are_those_between_the_tutor_and_a_spoken_answer() {
        let at = |index: u32, speaker, start_ms: u64, end_ms: u64| Turn {
            start_ms,
            end_ms,
            ..turn(index, speaker, "words")
        };
        let turns = [
            at(0, Speaker::Tutor, 0, 1_000),
            at(1, Speaker::Learner, 4_000, 5_000),
            // After the learner's own turn: not an answer.
            at(2, Speaker::Learner, 9_000, 9_500),
            at(3, Speaker::Tutor, 10_000, 11_000),
            at(4, Speaker::Learner, 12_000, 13_000),
        ];
        let measured = measures(&turns);
        assert_eq!((measured.pauses, measured.longest_pause_ms), (2, 3_000));
        assert!((measured.mean_pause_ms - 2_000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn words_are_counted_in_any_script_and_punctuation_is_none() {
        let count = |text: &str| measures(&[turn(0, Speaker::Learner, text)]).words;
        assert_eq!(count("It's a well-known café, isn’t it?"), 7);
        assert_eq!(count("3.5 km at 10:30, e.g. U.S.A."), 7);
        assert_eq!(count("고양이 한 마리"), 3);
        assert_eq!(count("… — ' - !"), 0);
        assert_eq!(count("I have 2 dogs"), 4);
    }

    #[test]
    fn words_that_differ_in_what_does_not_matter_are_one() {
        let distinct = |text: &str| measures(&[turn(0, Speaker::Learner, text)]).distinct_words;
        assert_eq!(distinct("It's it’s IT\u{ad}'S"), 1);
        assert_eq!(distinct("café CAFE\u{301} cafe"), 2);
    }

    prop_compose! {
        fn any_turn()(
            learner: bool,
            text in "[ a-cA-C'.-]{0,20}",
            start_ms: u64,
            end_ms: u64,
            speech_ms: u64,
        ) -> Turn {
            let speaker = if learner { Speaker::Learner } else { Speaker::Tutor };
            Turn { start_ms, end_ms, speech_ms, ..turn(0, speaker, &text) }
        }
    }

    proptest! {
        #[test]
        fn measures_are_finite_and_consistent(turns in prop::collection::vec(any_turn(), 0..12)) {
            let measured = measures(&turns);
            prop_assert!(measured.distinct_words <= measured.words);
            prop_assert!((0.0..=1.0).contains(&measured.answer_ratio));
            for value in [measured.words_per_minute, measured.mean_turn_words, measured.mean_pause_ms] {
                prop_assert!(value.is_finite() && value >= 0.0);
            }
        }
    }
}
