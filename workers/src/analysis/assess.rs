//! The dialogue with the model: ask, check, and once more with what was wrong.

use anyhow::Context;
use aws_sdk_bedrockruntime::{
    error::BuildError,
    types::{
        ContentBlock, ConversationRole, Message, ToolResultBlock, ToolResultContentBlock, ToolResultStatus,
    },
};
use events::{
    contract::{AnalysisFailure, Assessment, FeedbackLanguage, Turn},
    runtime::failure::Failure,
};

use super::{
    check,
    model::{Answer, Model, Stop},
    prompt,
};

/// Answers that are asked for: the first and one repair.
const ANSWERS_MAX: usize = 2;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The language of comments.
    pub(super) language: FeedbackLanguage,
    /// The user text.
    pub(super) data: &'a str,
    /// The turns that quotes must come from.
    pub(super) turns: &'a [Turn],
}

/// How the dialogue ended, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// The assessment, or why there is none.
    pub(super) verdict: Result<Assessment, AnalysisFailure>,
    /// Tokens given to the model, over all answers.
    pub(super) input_tokens: u64,
    /// Tokens produced by the model, over all answers.
    pub(super) output_tokens: u64,
    /// Whether the model was simulated.
    pub(super) simulated: bool,
}

/// Asks `model` for an assessment that passes the checks.
///
/// # Errors
/// Those of the calls. What the model says is an [`Outcome`], never an error.
pub(super) async fn assess(model: &Model, question: Question<'_>) -> Result<Outcome, Failure> {
    let system = prompt::system(question.language);
    let first = vec![ContentBlock::Text(question.data.to_owned())];
    let mut messages = vec![message(ConversationRole::User, first).map_err(Failure::retry)?];
    let mut outcome = Outcome {
        verdict: Err(AnalysisFailure::InvalidOutput),
        input_tokens: 0,
        output_tokens: 0,
        simulated: false,
    };
    for _ in 0..ANSWERS_MAX {
        let answer = model.ask(&system, &messages).await?;
        outcome.input_tokens += answer.input_tokens;
        outcome.output_tokens += answer.output_tokens;
        outcome.simulated |= answer.simulated;
        match judge(&answer, question) {
            Judgement::Accepted(assessment) => {
                outcome.verdict = Ok(*assessment);
                return Ok(outcome);
            }
            Judgement::Refused => {
                outcome.verdict = Err(AnalysisFailure::Refused);
                return Ok(outcome);
            }
            Judgement::Wrong(violations) => {
                // The violations may repeat words of the learner, so only their number is logged.
                tracing::warn!(violations = violations.len(), "the model's answer did not pass the checks");
                messages = repair(question.data, &answer, &violations)
                    .context("failed to build the repair request")
                    .map_err(Failure::retry)?;
            }
        }
    }
    Ok(outcome)
}

/// What an answer is worth.
#[derive(Debug)]
enum Judgement {
    Accepted(Box<Assessment>),
    Refused,
    Wrong(Vec<String>),
}

fn judge(answer: &Answer, question: Question<'_>) -> Judgement {
    match (answer.stop, &answer.call) {
        (Stop::Refused, _) => Judgement::Refused,
        (Stop::Cut, _) => {
            Judgement::Wrong(vec!["the answer: was cut off because it is too long; be brief".to_owned()])
        }
        (Stop::Complete, None) => {
            Judgement::Wrong(vec![format!("the answer: does not call the tool {}", prompt::TOOL)])
        }
        (Stop::Complete, Some(call)) => {
            match check::assessment(&call.input, question.turns, question.language) {
                Ok(assessment) => Judgement::Accepted(Box::new(assessment)),
                Err(violations) => Judgement::Wrong(violations),
            }
        }
    }
}

/// The messages of the repair: the first question, the answer, and what is wrong with it as the tool's result. An
/// answer without a complete call is not repeated; the question then carries the complaint.
fn repair(data: &str, answer: &Answer, violations: &[String]) -> Result<Vec<Message>, BuildError> {
    let question = ContentBlock::Text(data.to_owned());
    let complaint = prompt::repair(violations);
    let (Stop::Complete, Some(call), Some(said)) = (answer.stop, &answer.call, &answer.message) else {
        return Ok(vec![message(ConversationRole::User, vec![question, ContentBlock::Text(complaint)])?]);
    };
    let result = ToolResultBlock::builder()
        .tool_use_id(&call.id)
        .status(ToolResultStatus::Error)
        .content(ToolResultContentBlock::Text(complaint))
        .build()?;
    Ok(vec![
        message(ConversationRole::User, vec![question])?,
        said.clone(),
        message(ConversationRole::User, vec![ContentBlock::ToolResult(result)])?,
    ])
}

fn message(role: ConversationRole, content: Vec<ContentBlock>) -> Result<Message, BuildError> {
    Message::builder().role(role).set_content(Some(content)).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::model::Call,
        samples::{self, turn},
    };
    use aws_sdk_bedrockruntime::types::ToolUseBlock;
    use aws_smithy_types::Document;
    use events::contract::Speaker;
    use serde_json::{Value, json};

    fn answer(stop: Stop, input: Option<Value>) -> Answer {
        let call = ToolUseBlock::builder().tool_use_id("call-1").name(prompt::TOOL).input(Document::Null);
        let said = ContentBlock::ToolUse(call.build().unwrap());
        Answer {
            stop,
            call: input.map(|input| Call { id: "call-1".to_owned(), input }),
            message: Some(message(ConversationRole::Assistant, vec![said]).unwrap()),
            input_tokens: 1,
            output_tokens: 1,
            simulated: false,
        }
    }

    #[test]
    fn answers_are_judged_by_their_end_their_call_and_the_checks() {
        let turns = [turn(0, Speaker::Learner, "A man with an umbrella")];
        let good = serde_json::to_value(samples::assessment(70, "an umbrella")).unwrap();
        let question = |language| Question { language, data: "data", turns: &turns };
        let english = question(FeedbackLanguage::English);
        let judged = |stop, input: Option<Value>| judge(&answer(stop, input), english);
        assert!(matches!(judged(Stop::Complete, Some(good.clone())), Judgement::Accepted(_)));
        assert!(matches!(judged(Stop::Complete, Some(json!({}))), Judgement::Wrong(_)));
        assert!(matches!(judged(Stop::Complete, None), Judgement::Wrong(_)));
        assert!(matches!(judged(Stop::Cut, Some(good.clone())), Judgement::Wrong(_)));
        let korean = question(FeedbackLanguage::Korean);
        let in_english = judge(&answer(Stop::Complete, Some(good.clone())), korean);
        assert!(
            matches!(in_english, Judgement::Wrong(_)),
            "English feedback is repaired for a Korean reader"
        );
        assert!(matches!(judged(Stop::Refused, Some(good)), Judgement::Refused));
    }

    #[test]
    fn repair_answers_the_call_with_what_is_wrong() {
        let complaint = ["/overall: 300 is greater than 100".to_owned()];
        let messages = repair("data", &answer(Stop::Complete, Some(json!({}))), &complaint).unwrap();
        assert_eq!(messages.len(), 3);
        let ContentBlock::ToolResult(result) = &messages[2].content()[0] else { panic!("no tool result") };
        assert_eq!((result.tool_use_id(), result.status()), ("call-1", Some(&ToolResultStatus::Error)));
        let ToolResultContentBlock::Text(text) = &result.content()[0] else { panic!("no text") };
        assert!(text.contains("/overall: 300"), "{text}");
    }

    #[test]
    fn answer_without_a_complete_call_is_not_repeated_to_the_model() {
        for answer in [answer(Stop::Complete, None), answer(Stop::Cut, Some(json!({})))] {
            let messages = repair("data", &answer, &["too long".to_owned()]).unwrap();
            assert_eq!((messages.len(), messages[0].content().len()), (1, 2));
        }
    }
}
