//! PURE. The output events of a bidirectional stream: their shape, ids and token counts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Tokens a second of speech; an assumption, because the service publishes no number.
const SPEECH_TOKENS_PER_SECOND: u64 = 25;
/// Bytes of English text in a token, about.
const TEXT_BYTES_PER_TOKEN: u64 = 4;

/// Who speaks an output block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    User,
    Assistant,
}

/// Whether a text is planned or was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GenerationStage {
    Speculative,
    Final,
}

/// Why a block or a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    PartialTurn,
    EndTurn,
    Interrupted,
}

#[derive(Debug)]
pub(crate) struct AudioBlock {
    content_id: String,
}

/// Makes the events of one stream.
#[derive(Debug)]
pub(crate) struct Emitter {
    namespace: Uuid,
    count: u64,
    session_id: String,
    prompt: String,
    completion_id: String,
    usage: Usage,
}

impl Emitter {
    /// Ids are derived from `seed`; the session's says that it is simulated.
    pub(crate) fn new(seed: Uuid) -> Self {
        let mut emitter = Self {
            namespace: seed,
            count: 0,
            session_id: session_id(seed),
            prompt: String::new(),
            completion_id: String::new(),
            usage: Usage::default(),
        };
        emitter.completion_id = emitter.next_id();
        emitter
    }

    pub(crate) fn start_prompt(&mut self, prompt: String) {
        self.prompt = prompt;
    }

    pub(crate) fn usage(&mut self) -> &mut Usage {
        &mut self.usage
    }

    pub(crate) fn completion_start(&self) -> Value {
        self.event("completionStart", json!({}))
    }

    pub(crate) fn completion_end(&self) -> Value {
        self.event("completionEnd", json!({ "stopReason": Stop::EndTurn.name() }))
    }

    /// A whole text block; an empty text is a block without text.
    pub(crate) fn text(
        &mut self,
        speaker: Speaker,
        stage: GenerationStage,
        text: &str,
        stop: Stop,
    ) -> Vec<Value> {
        let content_id = self.next_id();
        let stage = match stage {
            GenerationStage::Speculative => "SPECULATIVE",
            GenerationStage::Final => "FINAL",
        };
        let mut events = vec![self.event(
            "contentStart",
            json!({
                "contentId": content_id, "type": "TEXT", "role": speaker.name(),
                "textOutputConfiguration": { "mediaType": "text/plain" },
                // A JSON document in a string, as the service sends it.
                "additionalModelFields": json!({ "generationStage": stage }).to_string(),
            }),
        )];
        if !text.is_empty() {
            let fields = json!({ "contentId": content_id, "role": speaker.name(), "content": text });
            events.push(self.event("textOutput", fields));
        }
        let fields = json!({ "contentId": content_id, "type": "TEXT", "stopReason": stop.name() });
        events.push(self.event("contentEnd", fields));
        events
    }

    /// A whole tool block. Returns the id of the call too.
    pub(crate) fn tool_use(&mut self, name: &str, arguments: &Value) -> (String, Vec<Value>) {
        let (content_id, tool_use_id) = (self.next_id(), self.next_id());
        let start = json!({
            "contentId": content_id, "type": "TOOL", "role": "TOOL",
            "toolUseOutputConfiguration": { "mediaType": "application/json" },
        });
        let call = json!({
            "contentId": content_id, "role": "TOOL", "toolName": name, "toolUseId": tool_use_id,
            // A JSON document in a string, as the service sends it.
            "content": arguments.to_string(),
        });
        let end = json!({ "contentId": content_id, "type": "TOOL", "stopReason": "TOOL_USE" });
        let events = [("contentStart", start), ("toolUse", call), ("contentEnd", end)];
        (tool_use_id, events.map(|(name, fields)| self.event(name, fields)).to_vec())
    }

    pub(crate) fn audio_start(&mut self, sample_rate: u32) -> (AudioBlock, Value) {
        let content_id = self.next_id();
        let event = self.event(
            "contentStart",
            json!({
                "contentId": content_id, "type": "AUDIO", "role": Speaker::Assistant.name(),
                "audioOutputConfiguration": {
                    "mediaType": "audio/lpcm", "sampleRateHertz": sample_rate, "sampleSizeBits": 16,
                    "encoding": "base64", "channelCount": 1,
                },
            }),
        );
        (AudioBlock { content_id }, event)
    }

    pub(crate) fn audio(&self, block: &AudioBlock, samples: &[i16]) -> Value {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.event(
            "audioOutput",
            json!({
                "contentId": block.content_id, "role": Speaker::Assistant.name(), "content": STANDARD.encode(bytes),
            }),
        )
    }

    pub(crate) fn audio_end(&self, block: &AudioBlock, stop: Stop) -> Value {
        let fields = json!({ "contentId": block.content_id, "type": "AUDIO", "stopReason": stop.name() });
        self.event("contentEnd", fields)
    }

    /// The usage since the last such event, and the total. `None` when nothing was used.
    pub(crate) fn usage_event(&mut self) -> Option<Value> {
        let total = self.usage.tokens();
        let delta = total.minus(&self.usage.reported);
        self.usage.reported = total;
        if delta == Tokens::default() {
            return None;
        }
        let (input, output) = (total.input(), total.output());
        Some(self.event(
            "usageEvent",
            json!({
                "details": { "delta": delta.to_json(), "total": total.to_json() },
                "totalInputTokens": input, "totalOutputTokens": output, "totalTokens": input + output,
            }),
        ))
    }

    fn event(&self, name: &str, fields: Value) -> Value {
        let mut all = Map::new();
        all.insert("sessionId".to_owned(), Value::from(self.session_id.as_str()));
        all.insert("promptName".to_owned(), Value::from(self.prompt.as_str()));
        all.insert("completionId".to_owned(), Value::from(self.completion_id.as_str()));
        if let Value::Object(fields) = fields {
            all.extend(fields);
        }
        json!({ "event": { name: all } })
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        Uuid::new_v5(&self.namespace, &self.count.to_be_bytes()).to_string()
    }
}

pub(crate) fn session_id(seed: Uuid) -> String {
    format!("simulated-{seed}")
}

/// The usage of a stream so far.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) heard: Duration,
    pub(crate) spoken: Duration,
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
    reported: Tokens,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let speech = |time: Duration| {
            let tokens = time.as_millis() * u128::from(SPEECH_TOKENS_PER_SECOND) / 1000;
            u64::try_from(tokens).unwrap_or(u64::MAX)
        };
        Tokens {
            input_speech: speech(self.heard),
            input_text: self.read_bytes.div_ceil(TEXT_BYTES_PER_TOKEN),
            output_speech: speech(self.spoken),
            output_text: self.written_bytes.div_ceil(TEXT_BYTES_PER_TOKEN),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tokens {
    input_speech: u64,
    input_text: u64,
    output_speech: u64,
    output_text: u64,
}

impl Tokens {
    fn minus(&self, other: &Self) -> Self {
        Self {
            input_speech: self.input_speech - other.input_speech,
            input_text: self.input_text - other.input_text,
            output_speech: self.output_speech - other.output_speech,
            output_text: self.output_text - other.output_text,
        }
    }

    fn input(&self) -> u64 {
        self.input_speech + self.input_text
    }

    fn output(&self) -> u64 {
        self.output_speech + self.output_text
    }

    fn to_json(self) -> Value {
        json!({
            "input": { "speechTokens": self.input_speech, "textTokens": self.input_text },
            "output": { "speechTokens": self.output_speech, "textTokens": self.output_text },
        })
    }
}

impl Speaker {
    fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Assistant => "ASSISTANT",
        }
    }
}

impl Stop {
    fn name(self) -> &'static str {
        match self {
            Self::PartialTurn => "PARTIAL_TURN",
            Self::EndTurn => "END_TURN",
            Self::Interrupted => "INTERRUPTED",
        }
    }
}
