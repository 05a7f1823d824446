//! PURE. The order and the meaning of input events: the rules of AWS's guide ("Handling input events with the
//! bidirectional API") with the service's error messages. [`super`] produces the output.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::ProtocolError;
use super::input::{
    AudioConfiguration, ContentKind, ContentStart, InputEvent, MediaType, Payload, PromptStart, Role,
    Sensitivity, SessionStart, ToolConfiguration,
};
use crate::simulator::models::Generation;

/// Longest text of one message of the history or of one typed turn.
pub(crate) const MESSAGE_BYTES_MAX: usize = 50 * 1024;
/// Longest history in all.
pub(crate) const HISTORY_BYTES_MAX: usize = 200 * 1024;
/// Most content blocks of a stream.
pub(crate) const CONTENT_BLOCKS_MAX: usize = 10_000;

const SAMPLE_RATES_HZ: [u32; 3] = [8_000, 16_000, 24_000];
const MAX_TOKENS_MAX: u32 = 10_000;
const VOICES_FIRST: [&str; 11] = [
    "matthew", "tiffany", "amy", "lupe", "carlos", "ambre", "florian", "greta", "lennart", "beatrice",
    "lorenzo",
];
const VOICES_SECOND: [&str; 16] = [
    "tiffany", "matthew", "amy", "olivia", "kiara", "arjun", "ambre", "florian", "beatrice", "lorenzo",
    "tina", "lennart", "lupe", "carlos", "carolina", "leo",
];

/// The meaning of an accepted event.
#[derive(Debug, PartialEq)]
pub(crate) enum Accepted {
    /// A part of an incomplete block.
    Part,
    Started {
        sensitivity: Sensitivity,
    },
    Prompted {
        prompt: String,
        sample_rate: u32,
        /// Name of the tool that reports an objective, if the client has it.
        objective_tool: Option<String>,
    },
    System(String),
    History {
        role: Role,
        text: String,
    },
    Typed(String),
    /// The client has returned the result of the last tool call.
    ToolReturned,
    AudioOpened {
        sample_rate: u32,
    },
    /// An audio block without a role: the service never answers it.
    AudioIgnored,
    Audio(Vec<u8>),
    AudioClosed,
    PromptEnded,
    SessionEnded,
}

/// The position of a stream in its order of events.
#[derive(Debug)]
pub(crate) struct Order {
    generation: Generation,
    stage: Stage,
    prompt: String,
    names: HashSet<String>,
    /// The audio block, open from the first audio to the end.
    audio: Option<String>,
    audio_seen: bool,
    block: Option<Block>,
    system_seen: bool,
    last_history: Option<Role>,
    history_bytes: usize,
    /// The tool call whose result is due.
    tool_call: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Stage {
    New,
    Started,
    Prompted,
    PromptEnded,
    SessionEnded,
}

/// An open block of text or of a tool's result.
#[derive(Debug)]
struct Block {
    name: String,
    kind: BlockKind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    System,
    SystemSpeech,
    History(Role),
    Typed,
    ToolResult,
}

impl Order {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation,
            stage: Stage::New,
            prompt: String::new(),
            names: HashSet::new(),
            audio: None,
            audio_seen: false,
            block: None,
            system_seen: false,
            last_history: None,
            history_bytes: 0,
            tool_call: None,
        }
    }

    /// The model has called a tool; the result of an earlier call is no longer accepted.
    pub(crate) fn called(&mut self, tool_use_id: String) {
        self.tool_call = Some(tool_use_id);
    }

    /// Takes the next event. After an error the stream is over.
    pub(crate) fn accept(&mut self, event: &InputEvent<'_>) -> Result<Accepted, ProtocolError> {
        match event {
            InputEvent::SessionStart(start) => self.session_start(start),
            InputEvent::PromptStart(start) => self.prompt_start(start),
            InputEvent::ContentStart(start) => self.content_start(start),
            InputEvent::TextInput(payload) => self.text(payload),
            InputEvent::AudioInput(payload) => self.audio(payload),
            InputEvent::ToolResult(payload) => self.tool_result(payload),
            InputEvent::ContentEnd(end) => self.content_end(&end.prompt_name, &end.content_name),
            InputEvent::PromptEnd(end) => {
                self.in_prompt(&end.prompt_name)?;
                ensure(self.block.is_none() && self.audio.is_none())?;
                self.stage = Stage::PromptEnded;
                Ok(Accepted::PromptEnded)
            }
            InputEvent::SessionEnd(_) => {
                ensure(self.stage != Stage::New && self.stage != Stage::SessionEnded)?;
                self.stage = Stage::SessionEnded;
                Ok(Accepted::SessionEnded)
            }
        }
    }

    fn session_start(&mut self, start: &SessionStart) -> Result<Accepted, ProtocolError> {
        let inference = &start.inference_configuration;
        let share = |value: Option<f64>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
        ensure(self.stage == Stage::New)?;
        ensure(inference.max_tokens.is_none_or(|tokens| (1..=MAX_TOKENS_MAX).contains(&tokens)))?;
        ensure(share(inference.top_p) && share(inference.temperature))?;
        let turn_detection = start.turn_detection_configuration.as_ref();
        ensure(turn_detection.is_none() || self.generation == Generation::Second)?;
        self.stage = Stage::Started;
        let sensitivity =
            turn_detection.map(|detection| detection.endpointing_sensitivity).unwrap_or_default();
        Ok(Accepted::Started { sensitivity })
    }

    fn prompt_start(&mut self, start: &PromptStart) -> Result<Accepted, ProtocolError> {
        ensure(self.stage == Stage::Started && !start.prompt_name.is_empty())?;
        let audio = &start.audio_output_configuration;
        media_type(&start.text_output_configuration, "text/plain")?;
        audio_configuration(audio)?;
        if let Some(tool_use) = &start.tool_use_output_configuration {
            media_type(tool_use, "application/json")?;
        }
        if let Some(tools) = &start.tool_configuration {
            tool_configuration(tools)?;
        }
        let objective_tool = start.tool_configuration.as_ref().and_then(objective_tool);
        let voices: &[&str] = match self.generation {
            Generation::First => &VOICES_FIRST,
            Generation::Second => &VOICES_SECOND,
        };
        if !audio.voice_id.as_deref().is_some_and(|voice| voices.contains(&voice)) {
            return Err(ProtocolError::InvalidVoice);
        }
        self.stage = Stage::Prompted;
        self.prompt.clone_from(&start.prompt_name);
        let (prompt, sample_rate) = (start.prompt_name.clone(), audio.sample_rate_hertz);
        Ok(Accepted::Prompted { prompt, sample_rate, objective_tool })
    }

    fn content_start(&mut self, start: &ContentStart) -> Result<Accepted, ProtocolError> {
        self.in_prompt(&start.prompt_name)?;
        if !self.system_seen && start.role != Some(Role::System) {
            return Err(ProtocolError::FirstNotSystem);
        }
        ensure(self.block.is_none())?;
        ensure(!start.content_name.is_empty() && self.names.len() < CONTENT_BLOCKS_MAX)?;
        ensure(self.names.insert(start.content_name.clone()))?;
        match start.kind {
            ContentKind::Text => self.text_start(start),
            ContentKind::Audio => self.audio_start(start),
            ContentKind::Tool => self.tool_result_start(start),
        }
    }

    fn text_start(&mut self, start: &ContentStart) -> Result<Accepted, ProtocolError> {
        ensure(start.audio_input_configuration.is_none() && start.tool_result_input_configuration.is_none())?;
        media_type(
            start.text_input_configuration.as_ref().ok_or(ProtocolError::InvalidInput)?,
            "text/plain",
        )?;
        let kind = match start.role.ok_or(ProtocolError::InvalidInput)? {
            Role::System if self.system_seen => return Err(ProtocolError::DuplicateSystem),
            Role::System => BlockKind::System,
            Role::SystemSpeech => {
                ensure(self.generation == Generation::Second && !self.audio_seen)?;
                BlockKind::SystemSpeech
            }
            Role::User if start.interactive => {
                ensure(self.generation == Generation::Second)?;
                BlockKind::Typed
            }
            role @ (Role::User | Role::Assistant) => {
                if self.audio_seen {
                    return Err(ProtocolError::HistoryAfterAudio);
                }
                let expected =
                    if self.last_history == Some(Role::User) { Role::Assistant } else { Role::User };
                ensure(role == expected)?;
                self.last_history = Some(role);
                BlockKind::History(role)
            }
            Role::Tool => return Err(ProtocolError::InvalidInput),
        };
        self.system_seen = true;
        self.block = Some(Block { name: start.content_name.clone(), kind, text: String::new() });
        Ok(Accepted::Part)
    }

    /// A result belongs to a call of this stream.
    fn tool_result_start(&mut self, start: &ContentStart) -> Result<Accepted, ProtocolError> {
        let result = start.tool_result_input_configuration.as_ref().ok_or(ProtocolError::InvalidInput)?;
        ensure(start.role == Some(Role::Tool) && !start.interactive && result.kind == ContentKind::Text)?;
        ensure(start.text_input_configuration.is_none() && start.audio_input_configuration.is_none())?;
        media_type(&result.text_input_configuration, "text/plain")?;
        ensure(self.tool_call.take_if(|call| *call == result.tool_use_id).is_some())?;
        self.block = Some(Block {
            name: start.content_name.clone(),
            kind: BlockKind::ToolResult,
            text: String::new(),
        });
        Ok(Accepted::Part)
    }

    fn audio_start(&mut self, start: &ContentStart) -> Result<Accepted, ProtocolError> {
        ensure(!self.audio_seen && start.interactive)?;
        ensure(start.text_input_configuration.is_none() && start.tool_result_input_configuration.is_none())?;
        let audio = start.audio_input_configuration.as_ref().ok_or(ProtocolError::InvalidInput)?;
        audio_configuration(audio)?;
        self.audio_seen = true;
        self.audio = Some(start.content_name.clone());
        match start.role {
            Some(Role::User) => Ok(Accepted::AudioOpened { sample_rate: audio.sample_rate_hertz }),
            None => Ok(Accepted::AudioIgnored),
            Some(Role::System | Role::SystemSpeech | Role::Assistant | Role::Tool) => {
                Err(ProtocolError::InvalidInput)
            }
        }
    }

    fn text(&mut self, payload: &Payload<'_>) -> Result<Accepted, ProtocolError> {
        self.in_prompt(&payload.prompt_name)?;
        let block = self.block.as_mut().filter(|block| block.name == payload.content_name);
        let block = block.ok_or(ProtocolError::InvalidInput)?;
        ensure(block.kind != BlockKind::ToolResult)?;
        block.text.push_str(&payload.content);
        ensure(block.text.len() <= MESSAGE_BYTES_MAX)?;
        if matches!(block.kind, BlockKind::History(_)) {
            self.history_bytes += payload.content.len();
            ensure(self.history_bytes <= HISTORY_BYTES_MAX)?;
        }
        Ok(Accepted::Part)
    }

    fn audio(&mut self, payload: &Payload<'_>) -> Result<Accepted, ProtocolError> {
        self.in_prompt(&payload.prompt_name)?;
        if self.block.is_some() {
            return Err(ProtocolError::HistoryAfterAudio);
        }
        ensure(self.audio.as_deref() == Some(payload.content_name.as_str()))?;
        let pcm = STANDARD.decode(payload.content.as_bytes()).map_err(|_| ProtocolError::InvalidInput)?;
        Ok(Accepted::Audio(pcm))
    }

    fn tool_result(&self, payload: &Payload<'_>) -> Result<Accepted, ProtocolError> {
        self.in_prompt(&payload.prompt_name)?;
        let Ok(Value::Object(_)) = serde_json::from_str::<Value>(&payload.content) else {
            return Err(ProtocolError::ToolResponse);
        };
        let is_open =
            |block: &Block| block.kind == BlockKind::ToolResult && block.name == payload.content_name;
        ensure(self.block.as_ref().is_some_and(is_open) && payload.content.len() <= MESSAGE_BYTES_MAX)?;
        Ok(Accepted::Part)
    }

    fn content_end(&mut self, prompt: &str, content: &str) -> Result<Accepted, ProtocolError> {
        self.in_prompt(prompt)?;
        if self.audio.as_deref() == Some(content) {
            self.audio = None;
            return Ok(Accepted::AudioClosed);
        }
        let block = self.block.take_if(|block| block.name == content).ok_or(ProtocolError::InvalidInput)?;
        Ok(match block.kind {
            BlockKind::System => Accepted::System(block.text),
            BlockKind::SystemSpeech => Accepted::Part,
            BlockKind::History(role) => Accepted::History { role, text: block.text },
            BlockKind::Typed => Accepted::Typed(block.text),
            BlockKind::ToolResult => Accepted::ToolReturned,
        })
    }

    fn in_prompt(&self, name: &str) -> Result<(), ProtocolError> {
        ensure(self.stage == Stage::Prompted && self.prompt == name)
    }
}

fn ensure(condition: bool) -> Result<(), ProtocolError> {
    if condition { Ok(()) } else { Err(ProtocolError::InvalidInput) }
}

fn media_type(configuration: &MediaType, expected: &str) -> Result<(), ProtocolError> {
    ensure(configuration.media_type == expected)
}

fn audio_configuration(audio: &AudioConfiguration) -> Result<(), ProtocolError> {
    ensure(audio.media_type == "audio/lpcm" && audio.encoding == "base64" && audio.audio_type == "SPEECH")?;
    ensure(SAMPLE_RATES_HZ.contains(&audio.sample_rate_hertz))?;
    ensure(audio.sample_size_bits == 16 && audio.channel_count == 1)
}

fn tool_configuration(configuration: &ToolConfiguration) -> Result<(), ProtocolError> {
    for tool in &configuration.tools {
        let schema = serde_json::from_str::<Value>(&tool.tool_spec.input_schema.json);
        ensure(!tool.tool_spec.name.is_empty() && matches!(schema, Ok(Value::Object(_))))?;
    }
    let known = |choice: &str| ["auto", "any", "tool"].contains(&choice);
    ensure(configuration.tool_choice.as_ref().is_none_or(|choice| choice.keys().all(|key| known(key))))
}

/// The tool with an objective and a quote as its arguments.
fn objective_tool(configuration: &ToolConfiguration) -> Option<String> {
    let reports = |schema: &str| {
        let schema = serde_json::from_str::<Value>(schema).unwrap_or_default();
        ["objective", "quote"].iter().all(|argument| schema["properties"][argument]["type"] == "string")
    };
    let mut tools = configuration.tools.iter().map(|tool| &tool.tool_spec);
    tools.find(|tool| reports(&tool.input_schema.json)).map(|tool| tool.name.clone())
}
