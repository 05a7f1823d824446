//! One request to Claude through Bedrock's `Converse`.
//!
//! The request forces a call of the tool `record_assessment`, whose input schema is that of the assessment; every current
//! Claude supports this. The newer `outputConfig.textFormat` of `Converse` takes a schema too, but only for some models and
//! regions. The result is checked against the schema in any case (`check`). A simulated model sets
//! `additionalModelResponseFields.simulated`.

use std::{sync::Arc, time::Duration};

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
    config::Config,
    cost_metrics::CostMetrics,
    json_document::{from_document, to_document},
    prompt::TOOL,
    response_body::repairing,
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
    inference: InferenceConfiguration,
    tools: ToolConfiguration,
    cost_metrics: Arc<CostMetrics>,
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
    /// The model of `config`, with the settings that are configured and no others: newer models refuse some.
    ///
    /// # Errors
    /// The SDK does not accept the tool: a bug of this build.
    pub(super) fn new(
        aws: &SdkConfig,
        config: &Config,
        cost_metrics: Arc<CostMetrics>,
    ) -> Result<Self, BuildError> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let mut sdk = aws_sdk_bedrockruntime::config::Builder::from(aws).timeout_config(timeouts);
        sdk.set_http_client(aws.http_client().map(repairing));
        let bedrock = aws_sdk_bedrockruntime::Client::from_conf(sdk.build());
        let specification = ToolSpecification::builder()
            .name(TOOL)
            .description("Records the assessment of the learner.")
            .input_schema(ToolInputSchema::Json(to_document(&check::schema())))
            .build()?;
        let tools = ToolConfiguration::builder()
            .tools(Tool::ToolSpec(specification))
            .tool_choice(ToolChoice::Tool(SpecificToolChoice::builder().name(TOOL).build()?))
            .build()?;
        let (id, inference) = (config.analysis_model_id.clone(), inference(config));
        Ok(Self { bedrock, id, inference, tools, cost_metrics })
    }

    /// The model's response to `messages` with the instructions `system`.
    ///
    /// # Errors
    /// By the class of the failed call. A wrong configuration of the model is an environment error.
    pub(super) async fn converse(&self, system: &str, messages: &[Message]) -> Result<Response, Failure> {
        let attempt = || async {
            self.bedrock
                .converse()
                .model_id(&self.id)
                .system(SystemContentBlock::Text(system.to_owned()))
                .set_messages(Some(messages.to_vec()))
                .inference_config(self.inference.clone())
                .tool_config(self.tools.clone())
                .send()
                .await
                .map_err(failure)
        };
        let output = retry(MODEL_POLICY, Instant::now() + OPERATION_TIMEOUT, attempt).await?;
        if output.usage().is_none() {
            self.cost_metrics.add_unreadable_usage();
        }
        Ok(response(&output))
    }
}

fn inference(config: &Config) -> InferenceConfiguration {
    InferenceConfiguration::builder()
        .max_tokens(config.analysis_max_tokens)
        .set_temperature(config.analysis_temperature)
        .build()
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
        Some(service) => {
            let is_validation = matches!(service, ConverseError::ValidationException(_));
            Retry::Permanent(match cause(is_validation, error.message().unwrap_or_default()) {
                Cause::Model => Failure::environment(anyhow!(
                    "NOVA_ANALYSIS_MODEL_ID names an unusable model: {}",
                    code(&error)
                )),
                Cause::Parameters => Failure::environment(anyhow!(
                    "the model of NOVA_ANALYSIS_MODEL_ID refuses a parameter of the request, such as those of \
                     NOVA_ANALYSIS_TEMPERATURE and NOVA_ANALYSIS_MAX_TOKENS: {}",
                    code(&error)
                )),
                Cause::Unknown => {
                    Failure::unavailable(anyhow!("the model refused a request: {}", code(&error)))
                }
                Cause::Other => Failure::aws(error).context("failed to call the model"),
            })
        }
        None => Retry::Permanent(Failure::aws(error).context("failed to call the model")),
    }
}

fn code(error: &SdkError<ConverseError>) -> String {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    format!("{}: {}", text(error.code()), text(error.message()))
}

/// What an error of the service is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The configured model: the same for every message.
    Model,
    /// A parameter that every request has: the same for every message.
    Parameters,
    /// A refused request, for a reason that this build does not know. It counts against the message only if the model accepts
    /// others meanwhile.
    Unknown,
    /// The content of this request, or another error.
    Other,
}

/// What an error with this `message` is about. Bedrock has one code, `ValidationException`, for a wrong model, for wrong
/// parameters and for wrong content. Source: messages of Bedrock and of Claude, as public bug reports quote them.
fn cause(is_validation: bool, message: &str) -> Cause {
    let message = message.to_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if any(&["model identifier", "on-demand throughput", "end of its life"]) {
        Cause::Model
    } else if !is_validation || any(CONTENT) {
        Cause::Other
    } else if any(PARAMETERS) {
        Cause::Parameters
    } else {
        Cause::Unknown
    }
}

/// Parts of messages about the content of a request, in lower case.
const CONTENT: &[&str] =
    &["messages.", "input is too long", "prompt is too long", "input tokens", "text content"];

/// Parts of messages about parameters, in lower case.
const PARAMETERS: &[&str] = &[
    "temperature",
    "top_p",
    "topp",
    "top_k",
    "max_tokens",
    "maxtokens",
    "maximum tokens",
    "stop_sequences",
    "stopsequences",
    "thinking",
    "tool_choice",
    "toolchoice",
    "toolconfig",
    "tools.",
    "inferenceconfig",
    "extraneous key",
    "deprecated for this model",
    "not supported for this model",
    "support tool use",
    "n't support",
    "does not support",
];

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_bedrockruntime::types::{
        ContentBlock, ConversationRole, ToolUseBlock, error::ValidationException,
    };
    use aws_smithy_types::Document;
    use clap::Parser as _;
    use events::runtime::failure::FailureKind;
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
    fn temperature_is_sent_only_if_it_is_configured() {
        let config = |more: &[&str]| {
            let url = "https://sqs.us-east-1.amazonaws.com/1/q";
            let mut arguments = vec!["analysis", "--queue-url", url, "--dead-letter-queue-url", url];
            let names = [
                "attempts-table",
                "conversations-table",
                "images-table",
                "effects-table",
                "logs-bucket",
                "event-bus",
            ];
            let names: Vec<String> = names.iter().map(|name| format!("--{name}=x")).collect();
            arguments.extend(names.iter().map(String::as_str).chain(more.iter().copied()));
            inference(&Config::parse_from(arguments))
        };
        assert_eq!((config(&[]).max_tokens(), config(&[]).temperature()), (Some(4096), None));
        assert_eq!(config(&["--analysis-temperature", "0"]).temperature(), Some(0.0));
    }

    #[test]
    fn error_is_about_the_model_its_parameters_or_the_content() {
        for (message, expected) in [
            ("The provided model identifier is invalid.", Cause::Model),
            ("This model version has reached the end of its life. Please refer to the docs.", Cause::Model),
            (
                "The model returned the following errors: `temperature` is deprecated for this model.",
                Cause::Parameters,
            ),
            (
                "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
                Cause::Parameters,
            ),
            ("The maximum tokens you requested exceeds the model limit of 4096.", Cause::Parameters),
            ("This model doesn't support tool use.", Cause::Parameters),
            ("tool_choice: Thinking may not be enabled when tool_choice forces tool use.", Cause::Parameters),
            ("messages.0.content: Input is too long for requested model.", Cause::Other),
            ("messages: text content blocks must be non-empty", Cause::Other),
            ("prompt is too long: 210000 tokens > 200000 maximum", Cause::Other),
            ("Something new.", Cause::Unknown),
            ("", Cause::Unknown),
        ] {
            assert_eq!(cause(true, message), expected, "{message}");
        }
        assert_eq!(cause(false, "temperature"), Cause::Other);
        assert_eq!(cause(false, "This model version has reached the end of its life."), Cause::Model);
    }

    fn refused(message: &str) -> FailureKind {
        use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
        use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

        let meta = ErrorMetadata::builder().code("ValidationException").message(message).build();
        let error = ValidationException::builder().message(message).meta(meta).build();
        let raw = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
        match failure(SdkError::service_error(ConverseError::ValidationException(error), raw)) {
            Retry::Permanent(failure) => failure.kind().clone(),
            Retry::Transient { .. } => panic!("it is not retried"),
        }
    }

    #[test]
    fn refused_parameter_is_an_environment_error_and_refused_content_is_not() {
        assert_eq!(refused("`temperature` is deprecated for this model."), FailureKind::Environment);
        assert_eq!(refused("The provided model identifier is invalid."), FailureKind::Environment);
        assert_eq!(refused("Something new."), FailureKind::Unavailable { after: None });
        assert!(matches!(refused("Input is too long for requested model."), FailureKind::Reject { .. }));
    }
}
