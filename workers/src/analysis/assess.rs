//! The dialogue with the model: a request, the checks of the response, and one repair request with the violations.

use anyhow::Context;
use aws_sdk_bedrockruntime::{
    error::BuildError,
    types::{
        ContentBlock, ConversationRole, Message, ToolResultBlock, ToolResultContentBlock, ToolResultStatus,
    },
};
use events::{contract::AnalysisFailure, runtime::failure::Failure};

use super::{
    check::{self, Accepted, Facts},
    model::{Model, Response, Stop},
    prompt,
};

/// Maximum number of requests: the first one and one repair.
const REQUESTS_MAX: usize = 2;

/// The input of an assessment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The user text of the prompt.
    pub(super) data: &'a str,
    /// What the response is checked against.
    pub(super) facts: Facts<'a>,
}

/// The result of the dialogue with its token counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// The assessment, or the reason why there is none.
    pub(super) verdict: Result<Accepted, AnalysisFailure>,
    /// Input tokens of all requests.
    pub(super) input_tokens: u64,
    /// Output tokens of all responses.
    pub(super) output_tokens: u64,
    /// Whether the model was simulated.
    pub(super) simulated: bool,
}

/// Requests an assessment from `model` that passes the checks.
///
/// # Errors
/// Those of the calls. The content of a response is an [`Outcome`], never an error.
pub(super) async fn assess(model: &Model, question: Question<'_>) -> Result<Outcome, Failure> {
    let system = prompt::system(question.facts.language);
    let first = vec![ContentBlock::Text(question.data.to_owned())];
    let mut messages = vec![message(ConversationRole::User, first).map_err(Failure::retry)?];
    let mut outcome = Outcome {
        verdict: Err(AnalysisFailure::InvalidOutput),
        input_tokens: 0,
        output_tokens: 0,
        simulated: false,
    };
    for _ in 0..REQUESTS_MAX {
        let response = model.converse(&system, &messages).await?;
        outcome.input_tokens += response.input_tokens;
        outcome.output_tokens += response.output_tokens;
        outcome.simulated |= response.simulated;
        match judge(&response, question) {
            Judgement::Accepted(accepted) => {
                outcome.verdict = Ok(*accepted);
                return Ok(outcome);
            }
            Judgement::Refused => {
                outcome.verdict = Err(AnalysisFailure::Refused);
                return Ok(outcome);
            }
            Judgement::Invalid(violations) => {
                // The violations may repeat words of the learner, so only their number is logged.
                tracing::warn!(violations = violations.len(), "the model's response failed the checks");
                messages = repair(question.data, &response, &violations)
                    .context("failed to build the repair request")
                    .map_err(Failure::retry)?;
            }
        }
    }
    Ok(outcome)
}

/// The verdict on one response.
#[derive(Debug)]
enum Judgement {
    Accepted(Box<Accepted>),
    Refused,
    /// The violations.
    Invalid(Vec<String>),
}

fn judge(response: &Response, question: Question<'_>) -> Judgement {
    match (response.stop, &response.call) {
        (Stop::Refused, _) => Judgement::Refused,
        (Stop::Cut, _) => {
            Judgement::Invalid(vec!["the answer: was cut off because it is too long; be brief".to_owned()])
        }
        (Stop::Complete, None) => {
            Judgement::Invalid(vec![format!("the answer: does not call the tool {}", prompt::TOOL)])
        }
        (Stop::Complete, Some(call)) => match check::assessment(&call.input, question.facts) {
            Ok(accepted) => Judgement::Accepted(Box::new(accepted)),
            Err(violations) => Judgement::Invalid(violations),
        },
    }
}

/// The messages of the repair request: the first question, the response, and the violations as the tool's result. A
/// response without a complete tool call is left out; the violations are then part of the question.
fn repair(data: &str, response: &Response, violations: &[String]) -> Result<Vec<Message>, BuildError> {
    let question = ContentBlock::Text(data.to_owned());
    let complaint = prompt::repair(violations);
    let (Stop::Complete, Some(call), Some(said)) = (response.stop, &response.call, &response.message) else {
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
        test_samples::{self, turn},
    };
    use aws_sdk_bedrockruntime::types::ToolUseBlock;
    use aws_smithy_types::Document;
    use events::contract::{FeedbackLanguage, Measures, Speaker};
    use serde_json::{Value, json};

    fn answer(stop: Stop, input: Option<Value>) -> Response {
        let call = ToolUseBlock::builder().tool_use_id("call-1").name(prompt::TOOL).input(Document::Null);
        let said = ContentBlock::ToolUse(call.build().unwrap());
        Response {
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
        let good = serde_json::to_value(test_samples::assessment(70, "an umbrella")).unwrap();
        let measures = Measures::default();
        let facts =
            |language| Facts { language, turns: &turns, measures: &measures, objectives: &[], earlier: &[] };
        let question = |language| Question { data: "data", facts: facts(language) };
        let english = question(FeedbackLanguage::English);
        let judged = |stop, input: Option<Value>| judge(&answer(stop, input), english);
        assert!(matches!(judged(Stop::Complete, Some(good.clone())), Judgement::Accepted(_)));
        assert!(matches!(judged(Stop::Complete, Some(json!({}))), Judgement::Invalid(_)));
        assert!(matches!(judged(Stop::Complete, None), Judgement::Invalid(_)));
        assert!(matches!(judged(Stop::Cut, Some(good.clone())), Judgement::Invalid(_)));
        let korean = question(FeedbackLanguage::Korean);
        let in_english = judge(&answer(Stop::Complete, Some(good.clone())), korean);
        assert!(
            matches!(in_english, Judgement::Invalid(_)),
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
