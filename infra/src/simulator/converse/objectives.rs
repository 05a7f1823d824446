//! PURE. Verdicts on the picture's objectives. The simulator understands nothing, so it counts words, by the rule of the simulated
//! tutor: a turn of several words meets the next objective. A shorter turn after that meets the next one in part. The comments
//! say so.

use events::contract::{ObjectiveResult, ObjectiveVerdict};

use super::{
    super::tutor::{OBJECTIVE_WORDS_MIN, QUOTE_WORDS_MAX},
    Language,
};

/// Judges `objectives` by the learner's `turns`, each of which has a word.
pub(super) fn judge(objectives: &[String], turns: &[&str], language: Language) -> Vec<ObjectiveResult> {
    let mut rest = turns.iter();
    objectives
        .iter()
        .map(|objective| {
            let (long, short) = next_attempt(&mut rest);
            let (verdict, quote) = match (long, short) {
                (Some(turn), _) => (ObjectiveVerdict::Met, Some(turn)),
                (None, Some(turn)) => (ObjectiveVerdict::PartlyMet, Some(turn)),
                (None, None) => (ObjectiveVerdict::NotMet, None),
            };
            ObjectiveResult {
                objective: objective.clone(),
                verdict,
                quote: quote.map(beginning),
                comment: comment(verdict, language),
                place: None,
            }
        })
        .collect()
}

/// The next long turn, and the first short turn before it. Takes all turns until then.
fn next_attempt<'a>(turns: &mut std::slice::Iter<'_, &'a str>) -> (Option<&'a str>, Option<&'a str>) {
    let mut short = None;
    for turn in turns {
        if turn.split_whitespace().count() >= OBJECTIVE_WORDS_MIN {
            return (Some(turn), short);
        }
        short = short.or(Some(*turn));
    }
    (None, short)
}

/// The beginning of a turn. It ends where the white space of the turn does not matter to a quote.
fn beginning(turn: &str) -> String {
    turn.split_whitespace().take(QUOTE_WORDS_MAX).collect::<Vec<_>>().join(" ")
}

fn comment(verdict: ObjectiveVerdict, language: Language) -> String {
    let min = OBJECTIVE_WORDS_MIN;
    match verdict {
        ObjectiveVerdict::Met => language.choose(
            format!("Simulated: this turn has at least {min} words."),
            format!("시뮬레이션: 이 차례에는 단어가 {min}개 이상 있습니다."),
        ),
        ObjectiveVerdict::PartlyMet => language.choose(
            format!("Simulated: this turn has fewer than {min} words."),
            format!("시뮬레이션: 이 차례에는 단어가 {min}개보다 적습니다."),
        ),
        ObjectiveVerdict::NotMet => language.choose(
            "Simulated: no turn was left for this objective.".to_owned(),
            "시뮬레이션: 이 목표에 해당하는 차례가 없습니다.".to_owned(),
        ),
    }
}
