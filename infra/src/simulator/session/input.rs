//! PURE. The input events of a bidirectional stream, as a client sends them: `{"event":{"<name>":{…}}}`.
//!
//! Only their shape is here; [`super::order`] has the rules of their order. Unknown fields are rejected, as the service does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::ProtocolError;

/// The kind of an input event, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// Audio, with its length in bytes.
    Audio(usize),
    Other,
}

/// One input event. Text and audio may borrow from the message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum InputEvent<'a> {
    SessionStart(SessionStart),
    PromptStart(PromptStart),
    ContentStart(ContentStart),
    #[serde(borrow)]
    TextInput(Payload<'a>),
    #[serde(borrow)]
    AudioInput(Payload<'a>),
    #[serde(borrow)]
    ToolResult(Payload<'a>),
    ContentEnd(ContentEnd),
    PromptEnd(PromptEnd),
    SessionEnd(SessionEnd),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SessionStart {
    pub(crate) inference_configuration: InferenceConfiguration,
    pub(crate) turn_detection_configuration: Option<TurnDetection>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InferenceConfiguration {
    pub(crate) max_tokens: Option<u32>,
    pub(crate) top_p: Option<f64>,
    pub(crate) temperature: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TurnDetection {
    pub(crate) endpointing_sensitivity: Sensitivity,
}

/// The sensitivity of the end of a turn: how short a pause ends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Sensitivity {
    High,
    #[default]
    Medium,
    Low,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PromptStart {
    pub(crate) prompt_name: String,
    pub(crate) text_output_configuration: MediaType,
    pub(crate) audio_output_configuration: AudioConfiguration,
    pub(crate) tool_use_output_configuration: Option<MediaType>,
    pub(crate) tool_configuration: Option<ToolConfiguration>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MediaType {
    pub(crate) media_type: String,
}

/// Audio in either direction; a voice belongs to output only.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AudioConfiguration {
    pub(crate) media_type: String,
    pub(crate) sample_rate_hertz: u32,
    pub(crate) sample_size_bits: u32,
    pub(crate) channel_count: u32,
    pub(crate) voice_id: Option<String>,
    pub(crate) encoding: String,
    pub(crate) audio_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ToolConfiguration {
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) tool_spec: ToolSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ToolSpec {
    pub(crate) name: String,
    #[expect(dead_code, reason = "accepted; the simulated model knows a tool by its arguments")]
    description: Option<String>,
    pub(crate) input_schema: InputSchema,
}

/// The schema of a tool's arguments: JSON in a string.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputSchema {
    pub(crate) json: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContentStart {
    pub(crate) prompt_name: String,
    pub(crate) content_name: String,
    #[serde(rename = "type")]
    pub(crate) kind: ContentKind,
    #[serde(default)]
    pub(crate) interactive: bool,
    pub(crate) role: Option<Role>,
    pub(crate) text_input_configuration: Option<MediaType>,
    pub(crate) audio_input_configuration: Option<AudioConfiguration>,
    pub(crate) tool_result_input_configuration: Option<ToolResultConfiguration>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ToolResultConfiguration {
    pub(crate) tool_use_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: ContentKind,
    pub(crate) text_input_configuration: MediaType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ContentKind {
    Text,
    Audio,
    Tool,
}

/// Who speaks a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Role {
    System,
    SystemSpeech,
    User,
    Assistant,
    Tool,
}

/// A piece of a content block. `role` belongs in `contentStart`; AWS's samples repeat it here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Payload<'a> {
    pub(crate) prompt_name: String,
    pub(crate) content_name: String,
    #[serde(borrow)]
    pub(crate) content: Cow<'a, str>,
    #[expect(dead_code, reason = "accepted and without effect")]
    role: Option<Role>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContentEnd {
    pub(crate) prompt_name: String,
    pub(crate) content_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PromptEnd {
    pub(crate) prompt_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionEnd {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: InputEvent<'a>,
}

/// Parses one message. Text that is not JSON is unparsable; JSON of another shape is invalid input.
pub(crate) fn parse(message: &[u8]) -> Result<InputEvent<'_>, ProtocolError> {
    match serde_json::from_slice::<Envelope<'_>>(message) {
        Ok(envelope) => Ok(envelope.event),
        Err(error) if error.is_data() => Err(ProtocolError::InvalidInput),
        Err(_) => Err(ProtocolError::UnparsableChunk),
    }
}
