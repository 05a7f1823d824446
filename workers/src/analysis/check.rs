//! PURE. Validates the model's answer, which is untrusted input: schema, ranges, lengths, texts, languages and quotes. The
//! violations are precise, because the model gets one chance to repair them.
//!
//! Violations may repeat words of the learner. They go to the model only, never into a log.

use std::sync::LazyLock;

use events::{
    contract::{
        Assessment, Comparison, FeedbackLanguage, Measures, ObjectiveResult, ObjectiveVerdict, Scores,
        SkillScore, Turn,
    },
    json::with_integers,
    quote::Said,
    text::has_visible,
};
use jsonschema::Validator;
use serde::Deserialize as _;
use serde_json::Value;

use super::{earlier::Earlier, language, wrapping::unwrapped};

/// Maximum number of listed violations.
pub(super) const VIOLATIONS_MAX: usize = 20;

/// Maximum length of a text in an answer, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 1_000;

/// Maximum length of a violation, in characters.
const VIOLATION_CHARS_MAX: usize = 400;

/// What an answer is checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The language of the feedback.
    pub(super) language: FeedbackLanguage,
    /// The turns from which quotes must come.
    pub(super) turns: &'a [Turn],
    /// The measures of the conversation.
    pub(super) measures: &'a Measures,
    /// The objectives of the picture.
    pub(super) objectives: &'a [String],
    /// The earlier assessments that the model received.
    pub(super) earlier: &'a [Earlier],
}

/// An answer that passed the checks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Accepted {
    pub(super) assessment: Assessment,
    /// Comparisons that were dropped because a value of theirs is not a stored one.
    pub(super) dropped_comparisons: usize,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::validator_for(&SCHEMA).expect("the schema generated from a Rust type is a valid schema")
});

/// The JSON Schema of an answer: one self-contained object, as Bedrock requires for a tool's input. Places of quotes are not
/// asked of the model.
pub(super) fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<Assessment>().to_value();
    remove_places(&mut schema);
    schema
}

fn remove_places(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.remove("place");
            }
            fields.values_mut().for_each(remove_places);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_places),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Parses and checks `answer` against `facts`. Known wrappings are undone before, and the places of its quotes are filled in.
/// Comparisons that are not with stored values are dropped.
///
/// # Errors
/// The violations, at most [`VIOLATIONS_MAX`], each with a JSON pointer.
pub(super) fn assessment(answer: &Value, facts: Facts<'_>) -> Result<Accepted, Vec<String>> {
    let mut answer = with_integers(unwrapped(answer.clone(), &SCHEMA));
    let offered = answer["comparisons"].as_array().map_or(0, Vec::len);
    if let Some(comparisons) = answer.get_mut("comparisons").and_then(Value::as_array_mut) {
        comparisons.retain(|item| Comparison::deserialize(item).is_ok());
    }
    let mut violations: Vec<String> = VALIDATOR
        .iter_errors(&answer)
        .take(VIOLATIONS_MAX)
        .map(|error| violation(&error.instance_path().to_string(), &error.to_string()))
        .collect();
    if !violations.is_empty() {
        return Err(violations);
    }
    let mut assessment: Assessment =
        serde_json::from_value(answer).map_err(|error| vec![violation("", &error.to_string())])?;
    drop_wrong_comparisons(&mut assessment, facts);
    violations.extend(bad_objectives(&assessment, facts.objectives));
    violations.extend(bad_texts(&assessment));
    violations.extend(place_quotes(&mut assessment, facts.turns));
    violations.extend(bad_language(&assessment, facts.language));
    violations.truncate(VIOLATIONS_MAX);
    if !violations.is_empty() {
        return Err(violations);
    }
    let dropped_comparisons = offered - assessment.comparisons.len();
    Ok(Accepted { assessment, dropped_comparisons })
}

/// Drops the comparisons with a value that is not stored, and repeated ones.
fn drop_wrong_comparisons(assessment: &mut Assessment, facts: Facts<'_>) {
    let mut kept: Vec<Comparison> = Vec::new();
    for comparison in std::mem::take(&mut assessment.comparisons) {
        let Comparison { conversation_id, value, .. } = comparison;
        let earlier = facts.earlier.iter().find(|earlier| earlier.conversation_id == conversation_id);
        let now = value.of(&Scores::of(assessment), facts.measures);
        let is_stored = earlier.is_some_and(|earlier| is_same(earlier.value(value), comparison.earlier))
            && is_same(now, comparison.now);
        let is_new = kept.iter().all(|kept| (kept.conversation_id, kept.value) != (conversation_id, value));
        if is_stored && is_new {
            kept.push(comparison);
        }
    }
    assessment.comparisons = kept;
}

/// Whether two values are the same. Measures are rounded to hundredths, scores are integers.
fn is_same(value: f64, other: f64) -> bool {
    (value - other).abs() < 0.005
}

/// Objectives that are not the picture's, or not in its order, and verdicts without a quote.
fn bad_objectives(assessment: &Assessment, objectives: &[String]) -> Vec<String> {
    let results = &assessment.objectives;
    if !results.iter().map(|result| &result.objective).eq(objectives) {
        let what =
            format!("judges not each of the picture's objectives once, in their order: {objectives:?}");
        return vec![violation("/objectives", &what)];
    }
    let needs_quote = |(_, result): &(usize, &_)| needs_quote(result);
    let without = results.iter().enumerate().filter(needs_quote);
    without.map(|(place, _)| violation(&format!("/objectives/{place}/quote"), "is missing")).collect()
}

fn needs_quote(result: &ObjectiveResult) -> bool {
    match result.verdict {
        ObjectiveVerdict::Met | ObjectiveVerdict::PartlyMet => result.quote.is_none(),
        ObjectiveVerdict::NotMet => false,
    }
}

fn violation(place: &str, what: &str) -> String {
    let place = if place.is_empty() { "the answer" } else { place };
    let mut text = format!("{place}: {what}");
    if let Some((end, _)) = text.char_indices().nth(VIOLATION_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Texts that are empty or too long.
fn bad_texts(assessment: &Assessment) -> impl Iterator<Item = String> {
    feedback(assessment).into_iter().chain(better(assessment)).filter_map(|(place, text)| {
        let chars = text.chars().count();
        if !has_visible(text) {
            Some(violation(&place, "is empty"))
        } else if chars > TEXT_CHARS_MAX {
            Some(violation(&place, &format!("has {chars} characters, at most {TEXT_CHARS_MAX} are allowed")))
        } else {
            None
        }
    })
}

/// Feedback that is not in the feedback language, and corrections that are not in English.
fn bad_language(assessment: &Assessment, language: FeedbackLanguage) -> impl Iterator<Item = String> {
    let feedback = language::violations(language, feedback(assessment).into_iter());
    let better = better(assessment)
        .into_iter()
        .filter(|(_, text)| !text.chars().any(|char| char.is_ascii_alphabetic()));
    let better = better.map(|(place, _)| (place, "is not in English".to_owned()));
    feedback.into_iter().chain(better.collect::<Vec<_>>()).map(|(place, what)| violation(&place, &what))
}

/// The texts in the feedback language with their JSON pointers.
fn feedback(assessment: &Assessment) -> Vec<(String, &str)> {
    let Assessment {
        strengths, recommendations, next_objective, corrections, objectives, comparisons, ..
    } = assessment;
    let mut texts = Vec::new();
    for (name, list) in [("strengths", strengths), ("recommendations", recommendations)] {
        texts
            .extend(list.iter().enumerate().map(|(place, text)| (format!("/{name}/{place}"), text.as_str())));
    }
    texts.push(("/nextObjective".to_owned(), next_objective));
    for (name, skill) in skills(assessment) {
        texts.extend(skill.evidence.iter().enumerate().map(|(place, evidence)| {
            (format!("/skills/{name}/evidence/{place}/comment"), evidence.comment.as_str())
        }));
    }
    texts.extend(
        corrections
            .iter()
            .enumerate()
            .map(|(place, correction)| (format!("/corrections/{place}/why"), correction.why.as_str())),
    );
    let comments = objectives.iter().map(|result| result.comment.as_str()).enumerate();
    texts.extend(comments.map(|(place, comment)| (format!("/objectives/{place}/comment"), comment)));
    let comments = comparisons.iter().map(|comparison| comparison.comment.as_str()).enumerate();
    texts.extend(comments.map(|(place, comment)| (format!("/comparisons/{place}/comment"), comment)));
    texts
}

/// The corrected sentences in English with their JSON pointers.
fn better(assessment: &Assessment) -> Vec<(String, &str)> {
    let corrections = assessment.corrections.iter().enumerate();
    corrections
        .map(|(place, correction)| (format!("/corrections/{place}/better"), correction.better.as_str()))
        .collect()
}

/// Fills in the places of the quotes. Returns a violation for each that the learner did not say.
fn place_quotes(assessment: &mut Assessment, turns: &[Turn]) -> Vec<String> {
    let said = Said::new(turns);
    let mut violations = Vec::new();
    let mut place = |pointer: String, quote: &str| {
        let place = said.find(quote);
        if place.is_none() {
            let what = format!("{quote:?} does not occur in a single turn of the learner");
            violations.push(violation(&pointer, &what));
        }
        place
    };
    let Assessment { skills, corrections, objectives, .. } = assessment;
    for (name, skill) in [
        ("fluency", &mut skills.fluency),
        ("vocabulary", &mut skills.vocabulary),
        ("grammar", &mut skills.grammar),
        ("relevance", &mut skills.relevance),
    ] {
        for (index, evidence) in skill.evidence.iter_mut().enumerate() {
            evidence.place = place(format!("/skills/{name}/evidence/{index}/quote"), &evidence.quote);
        }
    }
    for (index, correction) in corrections.iter_mut().enumerate() {
        correction.place = place(format!("/corrections/{index}/quote"), &correction.quote);
    }
    for (index, result) in objectives.iter_mut().enumerate() {
        let quote = result.quote.as_ref();
        result.place = quote.and_then(|quote| place(format!("/objectives/{index}/quote"), quote));
    }
    violations
}

fn skills(assessment: &Assessment) -> [(&'static str, &SkillScore); 4] {
    let skills = &assessment.skills;
    [
        ("fluency", &skills.fluency),
        ("vocabulary", &skills.vocabulary),
        ("grammar", &skills.grammar),
        ("relevance", &skills.relevance),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::{self, turn};
    use events::contract::{Correction, QuotePlace, Skills, Speaker};
    use proptest::prelude::*;
    use serde_json::json;

    fn conversation() -> [Turn; 3] {
        [
            turn(0, Speaker::Tutor, "Tell me about the weather."),
            turn(1, Speaker::Learner, "It’s   raining, and the MAN has\nan umbrella."),
            turn(2, Speaker::Learner, "He go home."),
        ]
    }

    fn answer(edit: impl FnOnce(&mut Value)) -> Result<Assessment, Vec<String>> {
        let mut answer =
            serde_json::to_value(test_samples::assessment(70, "the man has an umbrella")).unwrap();
        edit(&mut answer);
        checked(&answer, FeedbackLanguage::English).map(|accepted| accepted.assessment)
    }

    fn checked(answer: &Value, language: FeedbackLanguage) -> Result<Accepted, Vec<String>> {
        let (turns, measures) = (conversation(), Measures::default());
        assessment(
            answer,
            Facts { language, turns: &turns, measures: &measures, objectives: &[], earlier: &[] },
        )
    }

    /// The answer with `objectives` and `comparisons` about a picture with two objectives, after an assessment with the overall
    /// score 60.
    fn compared(objectives: Value, comparisons: Value) -> Result<Accepted, Vec<String>> {
        let sample = test_samples::assessment(60, "the man has an umbrella");
        let mut answer = serde_json::to_value(Assessment { overall: 70, ..sample.clone() }).unwrap();
        (answer["objectives"], answer["comparisons"]) = (objectives, comparisons);
        let (turns, measures) = (conversation(), Measures { words: 12, ..Measures::default() });
        let earlier = [Earlier::sample(EARLIER.parse().unwrap(), &sample, &Measures::default())];
        let facts = Facts {
            language: FeedbackLanguage::English,
            turns: &turns,
            measures: &measures,
            objectives: &["Describe people".to_owned(), "Name the weather".to_owned()],
            earlier: &earlier,
        };
        assessment(&answer, facts)
    }

    const EARLIER: &str = "01a20ace-c800-7c7a-b47c-ea47bd68d012";

    fn judged() -> Value {
        json!([
            { "objective": "Describe people", "verdict": "met", "quote": "the man", "comment": "A man." },
            { "objective": "Name the weather", "verdict": "not_met", "comment": "You did not." },
        ])
    }

    #[test]
    fn each_objective_of_the_picture_is_judged_with_a_quote_of_the_learner() {
        let accepted = compared(judged(), json!([])).unwrap().assessment;
        assert_eq!(accepted.objectives[0].place, Some(QuotePlace { turn: 1, start: 20, end: 27 }));
        assert_eq!((accepted.objectives[1].quote.as_ref(), accepted.objectives[1].place), (None, None));
        let refused = |edit: &dyn Fn(&mut Value), expected: &str| {
            let mut objectives = judged();
            edit(&mut objectives);
            let violations = compared(objectives, json!([])).unwrap_err();
            assert!(violations.iter().any(|violation| violation.starts_with(expected)), "{violations:?}");
        };
        refused(&|objectives| *objectives = json!([]), "/objectives: judges not each");
        refused(&|objectives| objectives.as_array_mut().unwrap().reverse(), "/objectives: judges not each");
        refused(&|objectives| objectives[0]["objective"] = json!("Describe cats"), "/objectives: judges not");
        refused(
            &|objectives| objectives[0]["quote"] = json!("the woman"),
            "/objectives/0/quote: \"the woman\"",
        );
        refused(
            &|objectives| objectives[1]["verdict"] = json!("partly_met"),
            "/objectives/1/quote: is missing",
        );
        refused(&|objectives| objectives[1]["verdict"] = json!("perhaps"), "/objectives/1/verdict: ");
        refused(&|objectives| objectives[1]["comment"] = json!(""), "/objectives/1/comment: is empty");
        assert!(answer(|answer| answer["objectives"] = judged()).is_err(), "the picture has no objectives");
    }

    #[test]
    fn comparison_with_a_value_that_is_not_stored_is_dropped() {
        let comparison = |edit: &dyn Fn(&mut Value)| {
            let mut comparison = json!({
                "conversationId": EARLIER, "value": "overall", "earlier": 60, "now": 70.0, "comment": "Better.",
            });
            edit(&mut comparison);
            comparison
        };
        let good = comparison(&|_| ());
        let words =
            comparison(&|it| (it["value"], it["earlier"], it["now"]) = (json!("words"), json!(0), json!(12)));
        let wrong = [
            comparison(&|it| it["earlier"] = json!(59)),
            comparison(&|it| it["now"] = json!(71)),
            comparison(&|it| it["value"] = json!("grammar")),
            comparison(&|it| it["value"] = json!("charm")),
            comparison(&|it| it["conversationId"] = json!("01a20ace-c800-7c7a-b47c-ea47bd68d013")),
            comparison(&|it| it["conversationId"] = json!("last week")),
            json!("better than before"),
            good.clone(),
        ];
        let accepted = compared(judged(), json!([good.clone(), words])).unwrap();
        assert_eq!((accepted.assessment.comparisons.len(), accepted.dropped_comparisons), (2, 0));
        for wrong in wrong {
            let accepted = compared(judged(), json!([good.clone(), wrong])).unwrap();
            assert_eq!(
                (accepted.assessment.comparisons.len(), accepted.dropped_comparisons),
                (1, 1),
                "{wrong}"
            );
        }
        let silent = comparison(&|it| it["comment"] = json!(" "));
        let violations = compared(judged(), json!([silent])).unwrap_err();
        assert_eq!(violations[0], "/comparisons/0/comment: is empty");
    }

    #[track_caller]
    fn refused(edit: impl FnOnce(&mut Value), expected: &str) {
        let violations = answer(edit).unwrap_err();
        assert!(violations.iter().any(|violation| violation.contains(expected)), "{violations:?}");
    }

    #[test]
    fn good_answer_is_accepted_whatever_the_case_and_white_space_of_its_quotes() {
        let accepted = answer(|_| ()).unwrap();
        let mut expected = test_samples::assessment(70, "the man has an umbrella");
        let place = QuotePlace { turn: 1, start: 20, end: 43 };
        let Skills { fluency, vocabulary, grammar, relevance } = &mut expected.skills;
        for skill in [fluency, vocabulary, grammar, relevance] {
            skill.evidence[0].place = Some(place);
        }
        assert_eq!(accepted, expected);
        let corrected = answer(|answer| {
            answer["corrections"] =
                json!([{ "quote": "HE GO", "better": "He goes.", "why": "Third person." }]);
        });
        assert_eq!(corrected.unwrap().corrections[0].place, Some(QuotePlace { turn: 2, start: 0, end: 5 }));
        answer(|answer| answer["skills"]["grammar"]["evidence"][0]["quote"] = json!("it's raining, and"))
            .unwrap();
    }

    #[test]
    fn every_integer_may_have_a_zero_fraction() {
        answer(|answer| {
            answer["overall"] = json!(64.0);
            for skill in ["fluency", "vocabulary", "grammar", "relevance"] {
                answer["skills"][skill]["score"] = json!(61.0);
            }
        })
        .unwrap();
        refused(|answer| answer["overall"] = json!(64.5), "/overall: ");
        refused(|answer| answer["overall"] = json!(101.0), "/overall: ");
    }

    #[test]
    fn wrapped_answer_is_unwrapped_before_it_is_checked() {
        for name in ["output", "$PARAMETER_NAME"] {
            answer(|answer| *answer = json!({ name: answer })).unwrap();
        }
        answer(|answer| answer["strengths"] = json!(answer["strengths"].to_string())).unwrap();
        answer(|answer| answer["skills"] = json!(answer["skills"].to_string())).unwrap();
        refused(|answer| *answer = json!({ "output": { "overall": 64 } }), "skills");
    }

    #[test]
    fn place_is_filled_in_and_not_asked_of_the_model() {
        assert!(!schema().to_string().contains("place\""), "{}", schema());
        let place = json!({ "turn": 9, "start": 1, "end": 2 });
        refused(|answer| answer["skills"]["fluency"]["evidence"][0]["place"] = place, "place");
    }

    #[test]
    fn schema_violations_name_their_place() {
        refused(|answer| answer["overall"] = json!(101), "/overall: ");
        refused(|answer| answer["overall"] = json!("70"), "/overall: ");
        refused(|answer| answer["skills"]["fluency"]["score"] = json!(-1), "/skills/fluency/score: ");
        refused(|answer| answer["cefr"] = json!("B3"), "/cefr: ");
        refused(|answer| answer["strengths"] = json!([]), "/strengths: ");
        refused(|answer| answer["recommendations"] = json!(vec!["x"; 6]), "/recommendations: ");
        refused(|answer| answer["skills"]["fluency"]["evidence"] = json!([]), "/skills/fluency/evidence: ");
        refused(|answer| answer["extra"] = json!(1), "extra");
        refused(|answer| *answer = json!({}), "overall");
        refused(|answer| *answer = json!("well done"), "the answer: ");
    }

    #[test]
    fn every_violation_is_listed_up_to_the_limit() {
        let violations = answer(|answer| {
            answer["overall"] = json!(300);
            answer["cefr"] = json!("Z9");
        })
        .unwrap_err();
        assert_eq!(violations.len(), 2, "{violations:?}");

        let flood = answer(|answer| answer["strengths"] = json!(vec![7; VIOLATIONS_MAX * 3])).unwrap_err();
        assert_eq!(flood.len(), VIOLATIONS_MAX);

        let words = "word ".repeat(VIOLATION_CHARS_MAX);
        let long = answer(|answer| answer["cefr"] = json!(words)).unwrap_err();
        assert!(long.iter().all(|violation| violation.chars().count() <= VIOLATION_CHARS_MAX + 1));
    }

    #[test]
    fn quote_that_the_learner_did_not_say_is_refused() {
        for invented in ["the weather", "umbrella he go", "it is raining", "…", "", "rain"] {
            refused(
                |answer| answer["skills"]["grammar"]["evidence"][0]["quote"] = json!(invented),
                "/skills/grammar/evidence/0/quote: ",
            );
        }
        let correction = Correction {
            quote: "he goes".into(),
            better: "He goes home.".into(),
            why: "Third person.".into(),
            place: None,
        };
        refused(|answer| answer["corrections"] = json!([correction]), "/corrections/0/quote: ");
    }

    #[test]
    fn text_is_neither_empty_nor_longer_than_the_limit() {
        refused(|answer| answer["nextObjective"] = json!(" "), "/nextObjective: is empty");
        answer(|answer| answer["strengths"] = json!(["x".repeat(TEXT_CHARS_MAX)])).unwrap();
        refused(
            |answer| answer["strengths"] = json!(["x".repeat(TEXT_CHARS_MAX + 1)]),
            "/strengths/0: has 1001",
        );
    }

    #[test]
    fn feedback_is_in_the_language_of_the_learner() {
        let in_korean = |text: &str| {
            let mut answer =
                serde_json::to_value(test_samples::assessment(70, "the man has an umbrella")).unwrap();
            for pointer in ["/strengths/0", "/recommendations/0", "/nextObjective"] {
                *answer.pointer_mut(pointer).unwrap() = json!("그림을 잘 설명했습니다.");
            }
            for skill in ["fluency", "vocabulary", "grammar", "relevance"] {
                answer["skills"][skill]["evidence"][0]["comment"] = json!("문장이 자연스럽습니다.");
            }
            answer["corrections"] = json!([{ "quote": "He go home", "better": text, "why": "3인칭입니다." }]);
            answer
        };
        let korean = in_korean("He goes home.");
        assert!(checked(&korean, FeedbackLanguage::Korean).is_ok());
        let places = |violations: Vec<String>| -> Vec<String> {
            let place = |text: String| text.split(':').next().unwrap_or_default().to_owned();
            violations.into_iter().map(place).collect()
        };
        assert_eq!(places(checked(&korean, FeedbackLanguage::English).unwrap_err()).len(), 8);

        let english = serde_json::to_value(test_samples::assessment(70, "the man has an umbrella")).unwrap();
        assert!(checked(&english, FeedbackLanguage::English).is_ok());
        let violations = places(checked(&english, FeedbackLanguage::Korean).unwrap_err());
        assert_eq!(violations.len(), 7, "{violations:?}");
        assert!(violations.contains(&"/strengths/0".to_owned()), "{violations:?}");

        let better = in_korean("그는 집에 갑니다.");
        let violations = places(checked(&better, FeedbackLanguage::Korean).unwrap_err());
        assert_eq!(violations, ["/corrections/0/better"]);
    }

    #[test]
    fn what_cannot_be_seen_does_not_matter_to_a_quote() {
        let said = [turn(0, Speaker::Learner, "A m\u{200b}an with\u{e0041} an um\u{ad}brella")];
        let quoting = test_samples::assessment(50, "a man with an umbrella");
        assert_eq!(place_quotes(&mut quoting.clone(), &said), Vec::<String>::new());
        let hidden = test_samples::assessment(50, "\u{200b}\u{e0041}");
        assert_eq!(place_quotes(&mut hidden.clone(), &said).len(), 4);
    }

    #[test]
    fn schema_is_one_self_contained_object() {
        let schema = schema();
        assert_eq!(schema["type"], "object");
        let text = schema.to_string();
        assert!(!text.contains("$ref") && !text.contains("$schema"), "{text}");
    }

    proptest! {
        #[test]
        fn any_run_of_whole_words_of_one_turn_is_a_quote(
            words in prop::collection::vec("[a-zA-Z']{0,5}[a-z]", 1..12),
            from in 0usize..12,
            length in 1usize..12,
        ) {
            let from = from % words.len();
            let quote = words[from..words.len().min(from + length)].join("  ").to_uppercase();
            let said = [turn(0, Speaker::Learner, &words.join(" "))];
            let mut assessment = test_samples::assessment(50, &quote);
            prop_assert_eq!(place_quotes(&mut assessment, &said), Vec::<String>::new());
            let by_tutor = [turn(0, Speaker::Tutor, &words.join(" "))];
            prop_assert_eq!(place_quotes(&mut assessment, &by_tutor).len(), 4);
        }

        #[test]
        fn anything_is_checked_without_panic(text in ".{0,60}", number: f64) {
            let answer = json!({ "overall": number, "cefr": text });
            let _ = checked(&answer, FeedbackLanguage::Korean);
        }
    }
}
