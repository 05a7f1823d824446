//! PURE. Builders of the input events. Field names and values are those of the Amazon Nova 2 user guide,
//! "sonic-input-events"; each event has a golden test.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use events::contract::live::SAMPLE_RATE_HZ;
use serde_json::{Value, json};

/// Longest text of one `textInput`, in bytes: longer texts are sent as several `textInput` events of one block.
/// Sources differ on the limit (1 KB or 50 KB); the smaller one is safe.
pub const TEXT_INPUT_BYTES_MAX: usize = 1024;

/// The ids that this service chooses for one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// `promptName`: one for the whole stream.
    pub prompt: String,
    /// `contentName` of the one audio block.
    pub audio: String,
}

/// The endpointing sensitivity (Nova 2 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// After 1.5 s.
    High,
    /// After 1.75 s.
    Medium,
    /// After 2 s.
    Low,
}

impl Sensitivity {
    /// The pause that ends a turn, in milliseconds (user guide, "sonic-turn-taking").
    #[must_use]
    pub fn pause_ms(self) -> u64 {
        match self {
            Self::High => 1_500,
            Self::Medium => 1_750,
            Self::Low => 2_000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// The role of a text block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRole {
    /// The system prompt.
    System,
    /// The learner.
    User,
    /// The tutor.
    Assistant,
}

impl TextRole {
    fn name(self) -> &'static str {
        match self {
            Self::System => "SYSTEM",
            Self::User => "USER",
            Self::Assistant => "ASSISTANT",
        }
    }
}

/// A tool that the model can call (user guide, "sonic-tool-configuration").
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: &'static str,
    /// When and how the model calls it.
    pub description: &'static str,
    /// JSON Schema of its arguments.
    pub schema: Value,
}

/// A block of text to send.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// `contentName`, fresh for each block.
    pub content_name: &'a str,
    /// Whose words they are.
    pub role: TextRole,
    /// Whether the model answers it at once (Nova 2, role USER). Otherwise it is history or an instruction.
    pub interactive: bool,
    /// The words.
    pub text: &'a str,
}

/// `sessionStart`. `sensitivity` is `None` for a first-generation model, which rejects the field.
#[must_use]
pub fn session_start(sensitivity: Option<Sensitivity>) -> Vec<u8> {
    let mut body = json!({
        "inferenceConfiguration": { "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 }
    });
    if let Some(sensitivity) = sensitivity {
        body["turnDetectionConfiguration"] = json!({ "endpointingSensitivity": sensitivity.name() });
    }
    event("sessionStart", body)
}

/// `promptStart`, with speech by `voice`.
#[must_use]
pub fn prompt_start(ids: &Ids, voice: &str, tool: Option<&Tool>) -> Vec<u8> {
    let mut body = json!({
        "promptName": ids.prompt,
        "textOutputConfiguration": { "mediaType": "text/plain" },
        "audioOutputConfiguration": {
            "mediaType": "audio/lpcm",
            "sampleRateHertz": SAMPLE_RATE_HZ,
            "sampleSizeBits": 16,
            "channelCount": 1,
            "voiceId": voice,
            "encoding": "base64",
            "audioType": "SPEECH"
        }
    });
    if let Some(tool) = tool {
        body["toolUseOutputConfiguration"] = json!({ "mediaType": "application/json" });
        body["toolConfiguration"] = json!({
            "tools": [{ "toolSpec": {
                "name": tool.name,
                "description": tool.description,
                "inputSchema": { "json": tool.schema.to_string() }
            } }],
            "toolChoice": { "auto": {} }
        });
    }
    event("promptStart", body)
}

/// A whole text block: `contentStart`, one `textInput` for each 1 KB of text, `contentEnd`. The events must
/// reach the stream without an `audioInput` between them.
#[must_use]
pub fn text_block(ids: &Ids, block: Block<'_>) -> Vec<Vec<u8>> {
    let start = event(
        "contentStart",
        json!({
            "promptName": ids.prompt,
            "contentName": block.content_name,
            "type": "TEXT",
            "interactive": block.interactive,
            "role": block.role.name(),
            "textInputConfiguration": { "mediaType": "text/plain" }
        }),
    );
    let mut events = vec![start];
    for content in pieces(block.text) {
        let body = json!({ "promptName": ids.prompt, "contentName": block.content_name, "content": content });
        events.push(event("textInput", body));
    }
    events.push(content_end(ids, block.content_name));
    events
}

/// `contentStart` of the one audio block, which stays open for the whole stream. Without `role` the service never
/// responds.
#[must_use]
pub fn audio_start(ids: &Ids) -> Vec<u8> {
    event(
        "contentStart",
        json!({
            "promptName": ids.prompt,
            "contentName": ids.audio,
            "type": "AUDIO",
            "interactive": true,
            "role": "USER",
            "audioInputConfiguration": {
                "mediaType": "audio/lpcm",
                "sampleRateHertz": SAMPLE_RATE_HZ,
                "sampleSizeBits": 16,
                "channelCount": 1,
                "audioType": "SPEECH",
                "encoding": "base64"
            }
        }),
    )
}

/// Builds `audioInput` events. The text around the samples is built once for a stream.
#[derive(Clone, Debug)]
pub struct AudioInput {
    head: Vec<u8>,
}

impl AudioInput {
    const TAIL: &'static [u8] = b"\"}}}";

    /// For the audio block of the stream with `ids`.
    #[must_use]
    pub fn new(ids: &Ids) -> Self {
        let names = json!({ "promptName": ids.prompt, "contentName": ids.audio }).to_string();
        let names = names.trim_end_matches('}');
        Self { head: format!("{{\"event\":{{\"audioInput\":{names},\"content\":\"").into_bytes() }
    }

    /// Appends the event that carries `pcm`.
    pub fn write(&self, pcm: &[u8], json: &mut Vec<u8>) {
        let encoded = base64_bytes(pcm.len());
        json.reserve(self.head.len() + encoded + Self::TAIL.len());
        json.extend_from_slice(&self.head);
        let at = json.len();
        json.resize(at + encoded, 0);
        let written = STANDARD.encode_slice(pcm, &mut json[at..]);
        written.expect("the buffer has the length of padded base64 by construction");
        json.extend_from_slice(Self::TAIL);
    }
}

/// Length of padded base64, in bytes.
pub(in crate::live::sonic) fn base64_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// The answer to a `toolUse`: `contentStart`, `toolResult`, `contentEnd`.
#[must_use]
pub fn tool_result(ids: &Ids, content_name: &str, tool_use_id: &str, result: &Value) -> Vec<Vec<u8>> {
    let start = event(
        "contentStart",
        json!({
            "promptName": ids.prompt,
            "contentName": content_name,
            "interactive": false,
            "type": "TOOL",
            "role": "TOOL",
            "toolResultInputConfiguration": {
                "toolUseId": tool_use_id,
                "type": "TEXT",
                "textInputConfiguration": { "mediaType": "text/plain" }
            }
        }),
    );
    let body =
        json!({ "promptName": ids.prompt, "contentName": content_name, "content": result.to_string() });
    vec![start, event("toolResult", body), content_end(ids, content_name)]
}

/// `contentEnd` of the block `content_name`.
#[must_use]
pub fn content_end(ids: &Ids, content_name: &str) -> Vec<u8> {
    event("contentEnd", json!({ "promptName": ids.prompt, "contentName": content_name }))
}

/// `promptEnd`.
#[must_use]
pub fn prompt_end(ids: &Ids) -> Vec<u8> {
    event("promptEnd", json!({ "promptName": ids.prompt }))
}

/// `sessionEnd`, the last event of a stream.
#[must_use]
pub fn session_end() -> Vec<u8> {
    event("sessionEnd", json!({}))
}

fn event(name: &str, body: Value) -> Vec<u8> {
    let mut events = serde_json::Map::new();
    events.insert(name.to_owned(), body);
    json!({ "event": events }).to_string().into_bytes()
}

/// Cuts `text` into pieces of at most [`TEXT_INPUT_BYTES_MAX`] bytes at character boundaries, at least one.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > TEXT_INPUT_BYTES_MAX {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(TEXT_INPUT_BYTES_MAX));
        pieces.push(piece);
        rest = tail;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids { prompt: "p".to_owned(), audio: "a".to_owned() }
    }

    #[track_caller]
    fn check(actual: &[u8], expected: &str) {
        let actual: Value = serde_json::from_slice(actual).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(actual, expected);
    }

    #[test]
    fn session_start_nests_the_turn_detection_and_omits_it_for_the_first_generation() {
        check(
            &session_start(Some(Sensitivity::Low)),
            r#"{"event":{"sessionStart":{"inferenceConfiguration":{"maxTokens":1024,"topP":0.9,"temperature":0.7},
                "turnDetectionConfiguration":{"endpointingSensitivity":"LOW"}}}}"#,
        );
        check(
            &session_start(None),
            r#"{"event":{"sessionStart":{"inferenceConfiguration":{"maxTokens":1024,"topP":0.9,"temperature":0.7}}}}"#,
        );
    }

    #[test]
    fn prompt_start_asks_for_speech() {
        check(
            &prompt_start(&ids(), "tiffany", None),
            r#"{"event":{"promptStart":{"promptName":"p","textOutputConfiguration":{"mediaType":"text/plain"},
                "audioOutputConfiguration":{"mediaType":"audio/lpcm","sampleRateHertz":16000,"sampleSizeBits":16,
                "channelCount":1,"voiceId":"tiffany","encoding":"base64","audioType":"SPEECH"}}}}"#,
        );
    }

    #[test]
    fn prompt_start_offers_a_tool_whose_schema_is_a_text() {
        let schema = json!({ "type": "object" });
        let tool = Tool { name: "report", description: "Reports.", schema };
        let start: Value = serde_json::from_slice(&prompt_start(&ids(), "tiffany", Some(&tool))).unwrap();
        let start = &start["event"]["promptStart"];
        assert_eq!(start["toolUseOutputConfiguration"], json!({ "mediaType": "application/json" }));
        let expected = r#"{"tools":[{"toolSpec":{"name":"report","description":"Reports.",
            "inputSchema":{"json":"{\"type\":\"object\"}"}}}],"toolChoice":{"auto":{}}}"#;
        assert_eq!(start["toolConfiguration"], serde_json::from_str::<Value>(expected).unwrap());
    }

    #[test]
    fn a_text_block_is_a_triple() {
        let block = Block { content_name: "c", role: TextRole::System, interactive: false, text: "Be kind." };
        let events = text_block(&ids(), block);
        assert_eq!(events.len(), 3);
        check(
            &events[0],
            r#"{"event":{"contentStart":{"promptName":"p","contentName":"c","type":"TEXT","interactive":false,
                "role":"SYSTEM","textInputConfiguration":{"mediaType":"text/plain"}}}}"#,
        );
        check(
            &events[1],
            r#"{"event":{"textInput":{"promptName":"p","contentName":"c","content":"Be kind."}}}"#,
        );
        check(&events[2], r#"{"event":{"contentEnd":{"promptName":"p","contentName":"c"}}}"#);
    }

    #[test]
    fn a_long_text_is_cut_at_character_boundaries_and_nothing_is_lost() {
        let text = "가".repeat(TEXT_INPUT_BYTES_MAX);
        let cut = pieces(&text);
        assert!(cut.iter().all(|piece| piece.len() <= TEXT_INPUT_BYTES_MAX));
        assert_eq!(cut.concat(), text);
        assert_eq!(pieces(""), vec![""]);
    }

    #[test]
    fn the_audio_block_names_its_role() {
        check(
            &audio_start(&ids()),
            r#"{"event":{"contentStart":{"promptName":"p","contentName":"a","type":"AUDIO","interactive":true,
                "role":"USER","audioInputConfiguration":{"mediaType":"audio/lpcm","sampleRateHertz":16000,
                "sampleSizeBits":16,"channelCount":1,"audioType":"SPEECH","encoding":"base64"}}}}"#,
        );
    }

    #[test]
    fn audio_is_base64_of_any_length() {
        let audio = AudioInput::new(&ids());
        for length in 0..10_u8 {
            let pcm: Vec<u8> = (0..length).collect();
            let content = STANDARD.encode(&pcm);
            let json = format!(
                r#"{{"event":{{"audioInput":{{"promptName":"p","contentName":"a","content":"{content}"}}}}}}"#
            );
            let mut written = b"before".to_vec();
            audio.write(&pcm, &mut written);
            check(written.strip_prefix(b"before").unwrap(), &json);
        }
    }

    #[test]
    fn a_tool_result_is_an_object_as_text() {
        let events = tool_result(&ids(), "t", "use-1", &json!({ "error": "no tools" }));
        check(
            &events[0],
            r#"{"event":{"contentStart":{"promptName":"p","contentName":"t","interactive":false,"type":"TOOL",
                "role":"TOOL","toolResultInputConfiguration":{"toolUseId":"use-1","type":"TEXT",
                "textInputConfiguration":{"mediaType":"text/plain"}}}}}"#,
        );
        check(
            &events[1],
            r#"{"event":{"toolResult":{"promptName":"p","contentName":"t","content":"{\"error\":\"no tools\"}"}}}"#,
        );
        check(&events[2], r#"{"event":{"contentEnd":{"promptName":"p","contentName":"t"}}}"#);
    }

    #[test]
    fn the_closing_sequence() {
        check(&content_end(&ids(), "a"), r#"{"event":{"contentEnd":{"promptName":"p","contentName":"a"}}}"#);
        check(&prompt_end(&ids()), r#"{"event":{"promptEnd":{"promptName":"p"}}}"#);
        check(&session_end(), r#"{"event":{"sessionEnd":{}}}"#);
    }
}
