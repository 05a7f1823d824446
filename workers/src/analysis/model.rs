//! One request to Claude through Bedrock's `Converse`.
//!
//! The request forces a call of the tool `record_assessment`, whose input schema is that of the assessment; every current
//! Claude supports this. The newer `outputConfig.textFormat` of `Converse` takes a schema too, but only for some models and
//! regions. The result is checked against the schema in any case (`check`). A simulated model sets
//! `additionalModelResponseFields.simulated`.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_bedrockruntime::{
    error::{BuildError, ProvideErrorMetadata, SdkError},
    operation::converse::{ConverseError, ConverseOutput},
    types::{
        InferenceConfiguration, Message, SpecificToolChoice, StopReason, SystemContentBlock, TokenUsage,
        Tool, ToolChoice, ToolConfiguration, ToolInputSchema, ToolSpecification,
    },
};
use events::runtime::{
    aws::CONNECT_TIMEOUT,
    failure::Failure,
    retry::{Retry, RetryPolicy, retry},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    check,
    json::{from_document, to_document},
    prompt::TOOL,
};

/// Timeout of one attempt. The response arrives as a whole, after its last token.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);

/// Timeout of a request with the SDK's attempts.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(300);

/// The SDK does not retry model timeouts and model errors: they are retried once here.
const MODEL_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(500), cap: Duration::from_secs(2), attempts_max: 2 };

/// A model with its settings.
#[derive(Clone, Debug)]
pub(super) struct Model {
    bedrock: aws_sdk_bedrockruntime::Client,
    pub(super) id: String,
    tokens_max: i32,
    tools: ToolConfiguration,
}

/// A response of the model.
#[derive(Clone, Debug)]
pub(super) struct Response {
    /// Why generation stopped.
    pub(super) stop: Stop,
    /// The call of the tool, if there is one.
    pub(super) call: Option<Call>,
    /// The model's message, for the repair request.
    pub(super) message: Option<Message>,
    /// Input tokens.
    pub(super) input_tokens: u64,
    /// Output tokens.
    pub(super) output_tokens: u64,
    /// Whether the model was simulated.
    pub(super) simulated: bool,
}

/// A call of the tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// The id, which the tool's result has to name.
    pub(super) id: String,
    /// The input.
    pub(super) input: Value,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The answer is complete.
    Complete,
    /// The model, its filter or a guardrail refused.
    Refused,
    /// The answer was truncated at the maximum length.
    Cut,
}

impl Model {
    /// The model `id` with responses of at most `tokens_max` tokens.
    ///
    /// # Errors
    /// The SDK does not accept the tool: a bug of this build.
    pub(super) fn new(aws: &SdkConfig, id: String, tokens_max: i32) -> Result<Self, BuildError> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = aws_sdk_bedrockruntime::config::Builder::from(aws).timeout_config(timeouts).build();
        let bedrock = aws_sdk_bedrockruntime::Client::from_conf(config);
        let specification = ToolSpecification::builder()
            .name(TOOL)
            .description("Records the assessment of the learner.")
            .input_schema(ToolInputSchema::Json(to_document(&check::schema())))
            .build()?;
        let tools = ToolConfiguration::builder()
            .tools(Tool::ToolSpec(specification))
            .tool_choice(ToolChoice::Tool(SpecificToolChoice::builder().name(TOOL).build()?))
            .build()?;
        Ok(Self { bedrock, id, tokens_max, tools })
    }

    /// The model's response to `messages` with the instructions `system`.
    ///
    /// # Errors
    /// By the class of the failed call. A wrong configuration of the model is an environment error.
    pub(super) async fn converse(&self, system: &str, messages: &[Message]) -> Result<Response, Failure> {
        let inference =
            InferenceConfiguration::builder().max_tokens(self.tokens_max).temperature(0.0).build();
        let attempt = || async {
            self.bedrock
                .converse()
                .model_id(&self.id)
                .system(SystemContentBlock::Text(system.to_owned()))
                .set_messages(Some(messages.to_vec()))
                .inference_config(inference.clone())
                .tool_config(self.tools.clone())
                .send()
                .await
                .map_err(failure)
        };
        let output = retry(MODEL_POLICY, Instant::now() + OPERATION_TIMEOUT, attempt).await?;
        Ok(response(&output))
    }
}

fn response(output: &ConverseOutput) -> Response {
    let tokens = |count: fn(&TokenUsage) -> i32| {
        output.usage().map_or(0, |usage| u64::try_from(count(usage)).unwrap_or(0))
    };
    let simulated = output
        .additional_model_response_fields()
        .and_then(|fields| fields.as_object()?.get("simulated")?.as_bool())
        .unwrap_or(false);
    let message = output.output().and_then(|output| output.as_message().ok()).cloned();
    let call = message
        .iter()
        .flat_map(Message::content)
        .filter_map(|block| block.as_tool_use().ok())
        .find(|call| call.name() == TOOL)
        .map(|call| Call { id: call.tool_use_id().to_owned(), input: from_document(call.input()) });
    Response {
        stop: stop(output.stop_reason()),
        call,
        message,
        input_tokens: tokens(TokenUsage::input_tokens),
        output_tokens: tokens(TokenUsage::output_tokens),
        simulated,
    }
}

/// Source: Bedrock API reference, `StopReason`. `refusal` is Claude's own stop reason, newer than the enum.
fn stop(reason: &StopReason) -> Stop {
    match reason.as_str() {
        "content_filtered" | "guardrail_intervened" | "refusal" => Stop::Refused,
        "max_tokens" | "model_context_window_exceeded" => Stop::Cut,
        _ => Stop::Complete,
    }
}

fn failure(error: SdkError<ConverseError>) -> Retry<Failure> {
    match error.as_service_error() {
        Some(ConverseError::ModelTimeoutException(_) | ConverseError::ModelErrorException(_)) => {
            Retry::transient(Failure::retry(anyhow!("the model failed: {}", code(&error))))
        }
        Some(_) if names_model(error.message()) => Retry::Permanent(Failure::environment(anyhow!(
            "NOVA_ANALYSIS_MODEL_ID names an unusable model: {}",
            code(&error)
        ))),
        _ => Retry::Permanent(Failure::aws(error).context("failed to call the model")),
    }
}

fn code(error: &SdkError<ConverseError>) -> String {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    format!("{}: {}", text(error.code()), text(error.message()))
}

/// Whether an error is about the configured model and not about the request.
/// Source: the messages "The provided model identifier is invalid.", "… with on-demand throughput isn't
/// supported. Retry your request with the ID or ARN of an inference profile …" and "This model version has reached the
/// end of its life. …" of Bedrock.
fn names_model(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        ["model identifier", "on-demand throughput", "end of its life"]
            .iter()
            .any(|part| message.contains(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, ToolUseBlock};
    use aws_smithy_types::Document;
    use serde_json::json;
    use std::collections::HashMap;

    fn converse_output(tool: &str, simulated: Option<bool>) -> ConverseOutput {
        let call = ToolUseBlock::builder()
            .tool_use_id("call-1")
            .name(tool)
            .input(to_document(&json!({ "overall": 7 })))
            .build()
            .unwrap();
        let message = Message::builder()
            .role(ConversationRole::Assistant)
            .content(ContentBlock::Text("Here it is.".to_owned()))
            .content(ContentBlock::ToolUse(call))
            .build()
            .unwrap();
        let usage = TokenUsage::builder().input_tokens(11).output_tokens(5).total_tokens(16).build().unwrap();
        let fields = simulated.map(|simulated| {
            Document::Object(HashMap::from([("simulated".to_owned(), Document::Bool(simulated))]))
        });
        ConverseOutput::builder()
            .output(aws_sdk_bedrockruntime::types::ConverseOutput::Message(message))
            .stop_reason(StopReason::ToolUse)
            .usage(usage)
            .set_additional_model_response_fields(fields)
            .build()
            .unwrap()
    }

    #[test]
    fn call_tokens_and_simulation_are_read() {
        let response = response(&converse_output(TOOL, Some(true)));
        assert_eq!(response.call, Some(Call { id: "call-1".to_owned(), input: json!({ "overall": 7 }) }));
        assert_eq!((response.input_tokens, response.output_tokens), (11, 5));
        assert_eq!((response.stop, response.simulated), (Stop::Complete, true));
    }

    #[test]
    fn model_is_not_simulated_unless_it_says_so_and_another_tool_is_no_call() {
        let response = response(&converse_output("another", None));
        assert_eq!((response.call, response.simulated), (None, false));
    }

    #[test]
    fn refusals_and_cut_answers_are_told_apart() {
        for reason in ["content_filtered", "guardrail_intervened", "refusal"] {
            assert_eq!(stop(&StopReason::from(reason)), Stop::Refused, "{reason}");
        }
        assert_eq!(stop(&StopReason::MaxTokens), Stop::Cut);
        assert_eq!(stop(&StopReason::EndTurn), Stop::Complete);
    }

    #[test]
    fn invalid_model_id_is_told_from_an_invalid_request() {
        assert!(names_model(Some("The provided model identifier is invalid.")));
        assert!(names_model(Some(
            "This model version has reached the end of its life. Please refer to the docs."
        )));
        assert!(!names_model(Some("messages.0.content: Input is too long for requested model.")));
        assert!(!names_model(None));
    }
}
