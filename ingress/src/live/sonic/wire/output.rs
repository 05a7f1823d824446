//! PURE. The tolerant decoder of output events. It accepts unknown events, fields and stop reasons. The `contentStart` of a
//! block says what the events of the block are.
//!
//! Essential fields are the kinds of events and blocks, roles, ids and contents: without them the event is an error. Every other
//! field is parsed on its own, and one that is unreadable counts as absent. Text that is no Unicode is mended first.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use events::{
    contract::{Speaker, StreamUsage, Usage},
    json,
    text::nfc,
};
use serde::{Deserialize, de::IgnoredAny};

use crate::live::conversation::model_event::{AudioFrame, ModelEvent, Stage, StopReason, ToolCall};

/// Most open blocks at a time. Sonic opens one after the other.
pub const OPEN_BLOCKS_MAX: usize = 16;

/// Prefix of the session ids of the Bedrock simulator.
const SIMULATED_PREFIX: &str = "simulated-";

/// A decoded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Whether the model is simulated; `Some` for the first event with a session id only.
    pub simulated: Option<bool>,
    /// The event.
    pub event: ModelEvent,
    /// The event reports the usage in a form that is unreadable. The next report has the total of the stream again.
    pub is_usage_unreadable: bool,
}

/// Why a message cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not the JSON of an event.
    #[error("the message is not an event of the model")]
    Malformed,
    /// The audio is not base64 of whole samples.
    #[error("the audio of the model is not base64 of 16-bit samples")]
    Audio,
    /// More than [`OPEN_BLOCKS_MAX`] blocks are open.
    #[error("the model has more than {OPEN_BLOCKS_MAX} blocks open at once")]
    TooManyBlocks,
}

/// Decodes the events of one stream, in order.
#[derive(Debug, Default)]
pub struct Decoder {
    named: bool,
    open: Vec<(String, Kind)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text(Speaker, Stage),
    Tool,
    Audio,
    Unknown,
}

impl Decoder {
    /// Decodes one message.
    ///
    /// # Errors
    /// See [`DecodeError`]. The next message can be decoded after it.
    pub fn decode(&mut self, json: &[u8]) -> Result<Decoded, DecodeError> {
        let json = json::lossy(json);
        let Message { event } = serde_json::from_str(&json).map_err(|_| DecodeError::Malformed)?;
        let simulated = if self.named { None } else { self.first_name(&json) };
        let reports_usage = event.usage_event.is_some();
        let event = self.event(event, &json)?;
        let is_usage_unreadable = reports_usage && event == ModelEvent::Other;
        Ok(Decoded { simulated, event, is_usage_unreadable })
    }

    fn first_name(&mut self, json: &str) -> Option<bool> {
        let Named::Event(Session { session_id }) = incidental(json)?;
        self.named = true;
        Some(session_id.starts_with(SIMULATED_PREFIX))
    }

    fn event(&mut self, body: Body<'_>, json: &str) -> Result<ModelEvent, DecodeError> {
        if let Some(audio) = body.audio_output {
            return Ok(ModelEvent::Audio(decode_audio(&audio.content)?));
        }
        if let Some(start) = body.content_start {
            return self.start(start, json);
        }
        if let Some(text) = body.text_output {
            return Ok(self.text(&text));
        }
        if let Some(end) = body.content_end {
            return Ok(self.end(&end, json));
        }
        if let Some(tool) = body.tool_use {
            let call = incidental(json).map(|ToolBody { tool_use }| tool_use).unwrap_or_default();
            return Ok(ModelEvent::ToolUse(ToolCall {
                id: tool.tool_use_id.into_owned(),
                name: call.tool_name.into_owned(),
                arguments: call.content.into_owned(),
            }));
        }
        if body.usage_event.is_some() {
            let usage = json::from_str(json).ok();
            let total =
                usage.map(|Incidental { event: UsageBody { usage_event } }| usage_event.details.total);
            return Ok(total.map_or(ModelEvent::Other, |total| ModelEvent::Usage(total.into())));
        }
        Ok(if body.completion_end.is_some() { ModelEvent::CompletionEnd } else { ModelEvent::Other })
    }

    fn start(&mut self, start: ContentStart<'_>, json: &str) -> Result<ModelEvent, DecodeError> {
        if self.open.len() >= OPEN_BLOCKS_MAX {
            return Err(DecodeError::TooManyBlocks);
        }
        let (kind, event) = match &*start.kind {
            "TEXT" => {
                let (speaker, stage) = (speaker(start.role.as_deref()), stage(json));
                (Kind::Text(speaker, stage), ModelEvent::TextStart { speaker, stage })
            }
            "TOOL" => (Kind::Tool, ModelEvent::ToolStart),
            "AUDIO" => (Kind::Audio, ModelEvent::AudioStart),
            _ => (Kind::Unknown, ModelEvent::Other),
        };
        self.open.push((start.content_id.into_owned(), kind));
        Ok(event)
    }

    fn text(&self, text: &TextOutput<'_>) -> ModelEvent {
        if is_interrupted_marker(&text.content) {
            return ModelEvent::InterruptedMarker;
        }
        let open = self.open.iter().rev().find(|(id, _)| *id == text.content_id);
        match open {
            Some((_, Kind::Text(speaker, stage))) => {
                ModelEvent::Text { speaker: *speaker, stage: *stage, content: nfc(&text.content) }
            }
            Some((_, Kind::Tool | Kind::Audio | Kind::Unknown)) | None => ModelEvent::Other,
        }
    }

    fn end(&mut self, end: &ContentEnd<'_>, json: &str) -> ModelEvent {
        let Some(position) = self.open.iter().rposition(|(id, _)| *id == end.content_id) else {
            return ModelEvent::Other;
        };
        let (_, kind) = self.open.remove(position);
        let reason = incidental(json).map(|StopBody { content_end }| content_end.stop_reason);
        let stop = match reason.as_deref() {
            Some("PARTIAL_TURN") => StopReason::PartialTurn,
            Some("END_TURN") => StopReason::EndTurn,
            Some("INTERRUPTED") => StopReason::Interrupted,
            _ => StopReason::Other,
        };
        match kind {
            Kind::Text(speaker, stage) => ModelEvent::TextEnd { speaker, stage, stop },
            Kind::Audio => ModelEvent::AudioEnd { stop },
            Kind::Tool | Kind::Unknown => ModelEvent::Other,
        }
    }
}

/// Decodes into a buffer with room for the generation, so that a frame costs one allocation.
fn decode_audio(base64: &str) -> Result<AudioFrame, DecodeError> {
    let mut bytes = Vec::with_capacity(AudioFrame::HEADER_BYTES + base64.len() / 4 * 3);
    bytes.resize(AudioFrame::HEADER_BYTES, 0);
    STANDARD.decode_vec(base64, &mut bytes).map_err(|_| DecodeError::Audio)?;
    if bytes.len() % 2 == 1 {
        return Err(DecodeError::Audio);
    }
    Ok(AudioFrame::from_bytes(bytes))
}

fn speaker(role: Option<&str>) -> Speaker {
    if role == Some("USER") { Speaker::Learner } else { Speaker::Tutor }
}

/// The generation stage of a `contentStart` is in a JSON document inside a string. An unknown stage counts as final, so that no
/// words are lost.
fn stage(json: &str) -> Stage {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(rename = "generationStage", borrow)]
        generation_stage: Cow<'a, str>,
    }
    let is_speculative = incidental(json).is_some_and(|StageBody { content_start }| {
        let fields = json::lossy(content_start.additional_model_fields.as_bytes());
        let fields = serde_json::from_str::<Fields<'_>>(&fields);
        fields.is_ok_and(|fields| fields.generation_stage == "SPECULATIVE")
    });
    if is_speculative { Stage::Speculative } else { Stage::Final }
}

/// Fields of an event that it can do without. `None` if one of them is absent or unreadable.
fn incidental<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok().map(|Incidental { event }| event)
}

fn is_interrupted_marker(content: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Marker {
        interrupted: bool,
    }
    content.trim_start().starts_with('{')
        && serde_json::from_str::<Marker>(content).is_ok_and(|marker| marker.interrupted)
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Body<'a>,
}

/// One of the fields is present; an unknown event has none of them. Essential fields only.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    audio_output: Option<AudioOutput<'a>>,
    #[serde(borrow)]
    content_start: Option<ContentStart<'a>>,
    #[serde(borrow)]
    text_output: Option<TextOutput<'a>>,
    #[serde(borrow)]
    content_end: Option<ContentEnd<'a>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    usage_event: Option<IgnoredAny>,
    completion_end: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AudioOutput<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContentStart<'a> {
    #[serde(borrow)]
    content_id: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TextOutput<'a> {
    #[serde(borrow)]
    content_id: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContentEnd<'a> {
    #[serde(borrow)]
    content_id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Incidental<T> {
    event: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolBody<'a> {
    #[serde(borrow)]
    tool_use: Called<'a>,
}

/// Name and arguments of a tool call: without them it still gets a result.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Called<'a> {
    #[serde(borrow)]
    tool_name: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// The events with a `sessionId` in which it is looked for.
#[derive(Deserialize)]
enum Named<'a> {
    #[serde(rename = "completionStart", alias = "usageEvent", alias = "contentStart", borrow)]
    Event(Session<'a>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    #[serde(borrow)]
    session_id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageBody<'a> {
    #[serde(borrow)]
    content_start: Staged<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Staged<'a> {
    #[serde(borrow)]
    additional_model_fields: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopBody<'a> {
    #[serde(borrow)]
    content_end: Stopped<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stopped<'a> {
    #[serde(borrow)]
    stop_reason: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageBody {
    usage_event: UsageEvent,
}

#[derive(Deserialize)]
struct UsageEvent {
    details: UsageDetails,
}

#[derive(Deserialize)]
struct UsageDetails {
    total: UsageTotal,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UsageTotal {
    input: UsageCounts,
    output: UsageCounts,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UsageCounts {
    speech_tokens: u64,
    text_tokens: u64,
}

impl From<UsageTotal> for Usage {
    fn from(total: UsageTotal) -> Self {
        let side = |counts: UsageCounts| StreamUsage {
            speech_tokens: counts.speech_tokens,
            text_tokens: counts.text_tokens,
        };
        Self { input: side(total.input), output: side(total.output) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_fuzz::cases;

    fn decode_all(messages: &[&str]) -> Vec<ModelEvent> {
        let mut decoder = Decoder::default();
        messages.iter().map(|json| decoder.decode(json.as_bytes()).unwrap().event).collect()
    }

    #[test]
    fn the_generation_stage_is_read_from_the_string_inside() {
        let events = decode_all(&[
            r#"{"event":{"contentStart":{"sessionId":"s","promptName":"p","completionId":"c","contentId":"1",
                "type":"TEXT","role":"ASSISTANT","textOutputConfiguration":{"mediaType":"text/plain"},
                "additionalModelFields":"{\"generationStage\":\"SPECULATIVE\"}"}}}"#,
            r#"{"event":{"textOutput":{"contentId":"1","content":"Hello.","role":"ASSISTANT"}}}"#,
            r#"{"event":{"contentEnd":{"contentId":"1","type":"TEXT","stopReason":"PARTIAL_TURN"}}}"#,
            r#"{"event":{"contentStart":{"contentId":"2","type":"TEXT","role":"USER",
                "additionalModelFields":"{\"generationStage\":\"FINAL\"}"}}}"#,
        ]);
        let (speaker, stage) = (Speaker::Tutor, Stage::Speculative);
        let expected = [
            ModelEvent::TextStart { speaker, stage },
            ModelEvent::Text { speaker, stage, content: "Hello.".to_owned() },
            ModelEvent::TextEnd { speaker, stage, stop: StopReason::PartialTurn },
            ModelEvent::TextStart { speaker: Speaker::Learner, stage: Stage::Final },
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn audio_leaves_room_for_the_generation() {
        let json = format!(
            r#"{{"event":{{"audioOutput":{{"contentId":"1","content":"{}"}}}}}}"#,
            STANDARD.encode([1, 2, 3, 4])
        );
        let mut decoder = Decoder::default();
        let ModelEvent::Audio(frame) = decoder.decode(json.as_bytes()).unwrap().event else {
            panic!("not audio")
        };
        assert_eq!(frame.pcm(), [1, 2, 3, 4]);
        assert_eq!(&frame.into_message(258)[..], [2, 1, 0, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn half_a_sample_is_an_error() {
        let json = r#"{"event":{"audioOutput":{"contentId":"1","content":"AQID"}}}"#;
        assert_eq!(Decoder::default().decode(json.as_bytes()), Err(DecodeError::Audio));
    }

    #[test]
    fn the_marker_is_a_signal_and_not_a_text() {
        let events = decode_all(&[
            r#"{"event":{"contentStart":{"contentId":"1","type":"TEXT","role":"ASSISTANT"}}}"#,
            r#"{"event":{"textOutput":{"contentId":"1","content":"{ \"interrupted\" : true }"}}}"#,
        ]);
        assert_eq!(events[1], ModelEvent::InterruptedMarker);
    }

    #[test]
    fn the_simulator_is_recognised_once() {
        let json = br#"{"event":{"completionStart":{"sessionId":"simulated-1","promptName":"p"}}}"#;
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(json).unwrap().simulated, Some(true));
        assert_eq!(decoder.decode(json).unwrap().simulated, None);
    }

    #[test]
    fn usage_is_the_total_of_the_stream() {
        let events = decode_all(&[r#"{"event":{"usageEvent":{"sessionId":"s","details":{
            "delta":{"input":{"speechTokens":1,"textTokens":2},"output":{"speechTokens":3,"textTokens":4}},
            "total":{"input":{"speechTokens":10,"textTokens":20},"output":{"speechTokens":30,"textTokens":40}}},
            "totalInputTokens":30,"totalOutputTokens":70,"totalTokens":100}}}"#]);
        let side = |speech_tokens, text_tokens| StreamUsage { speech_tokens, text_tokens };
        assert_eq!(events[0], ModelEvent::Usage(Usage { input: side(10, 20), output: side(30, 40) }));
    }

    #[test]
    fn usage_in_an_unreadable_form_is_reported_and_nothing_else_is_lost() {
        let usage = |total: &str| {
            let json =
                format!(r#"{{"event":{{"usageEvent":{{"sessionId":"simulated-1","details":{total}}}}}}}"#);
            Decoder::default().decode(json.as_bytes()).unwrap()
        };
        let whole = usage(r#"{"total":{"input":{"speechTokens":12.0,"textTokens":1e3}}}"#);
        let input = StreamUsage { speech_tokens: 12, text_tokens: 1_000 };
        assert_eq!(whole.event, ModelEvent::Usage(Usage { input, output: StreamUsage::default() }));
        assert!(!whole.is_usage_unreadable);
        let side = |tokens: &str| format!(r#"{{"total":{{"input":{{"speechTokens":{tokens}}}}}}}"#);
        let unreadable =
            ["12.5", "-1", "-1.0", "1e300", "1e999", "\"12\"", "null", "[]", "18446744073709551616"];
        for details in unreadable.map(side).iter().map(String::as_str).chain(["null", "7", "{}", "\"x\""]) {
            let decoded = usage(details);
            assert_eq!((decoded.event, decoded.is_usage_unreadable), (ModelEvent::Other, true), "{details}");
            assert_eq!(decoded.simulated, Some(true), "{details}");
        }
    }

    #[test]
    fn incidental_field_that_is_unreadable_counts_as_absent() {
        let events = decode_all(&[
            r#"{"event":{"completionStart":{"sessionId":5,"x":1e999}}}"#,
            r#"{"event":{"contentStart":{"sessionId":{},"contentId":"1","type":"TEXT","role":null,
                "additionalModelFields":{"generationStage":"SPECULATIVE"}}}}"#,
            r#"{"event":{"contentEnd":{"contentId":"1","stopReason":7}}}"#,
            r#"{"event":{"contentStart":{"contentId":"2","type":"TEXT","role":"USER","additionalModelFields":"{"}}}"#,
            r#"{"event":{"contentEnd":{"contentId":"2","stopReason":null}}}"#,
            r#"{"event":{"completionEnd":7}}"#,
        ]);
        let stage = Stage::Final;
        let stop = StopReason::Other;
        let expected = [
            ModelEvent::Other,
            ModelEvent::TextStart { speaker: Speaker::Tutor, stage },
            ModelEvent::TextEnd { speaker: Speaker::Tutor, stage, stop },
            ModelEvent::TextStart { speaker: Speaker::Learner, stage },
            ModelEvent::TextEnd { speaker: Speaker::Learner, stage, stop },
            ModelEvent::CompletionEnd,
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn essential_field_that_is_unreadable_is_an_error() {
        for json in [
            r#"{"event":{"contentStart":{"contentId":1,"type":"TEXT"}}}"#,
            r#"{"event":{"contentStart":{"contentId":"1","type":null}}}"#,
            r#"{"event":{"textOutput":{"contentId":"1","content":7}}}"#,
            r#"{"event":{"toolUse":{"toolUseId":7}}}"#,
            r#"{"event":{"audioOutput":{"content":7}}}"#,
            r#"{"event":7}"#,
        ] {
            assert_eq!(Decoder::default().decode(json.as_bytes()), Err(DecodeError::Malformed), "{json}");
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_replaced_in_every_text() {
        let events = decode_all(&[
            r#"{"event":{"contentStart":{"contentId":"\ud83d","type":"TEXT","role":"ASSISTANT",
                "additionalModelFields":"{\"x\":\"\\ud83d\",\"generationStage\":\"SPECULATIVE\"}"}}}"#,
            r#"{"event":{"textOutput":{"contentId":"\ud83d","content":"A dog \ud83d"}}}"#,
            r#"{"event":{"textOutput":{"contentId":"\ud83d","content":"\ude00 and \ud83d\ude00."}}}"#,
            r#"{"event":{"toolUse":{"toolUseId":"\ud83d"}}}"#,
        ]);
        let (speaker, stage) = (Speaker::Tutor, Stage::Speculative);
        let text = |content: &str| ModelEvent::Text { speaker, stage, content: content.to_owned() };
        let expected = [
            ModelEvent::TextStart { speaker, stage },
            text("A dog \u{fffd}"),
            text("\u{fffd} and \u{1f600}."),
            tool_use("\u{fffd}", "", ""),
        ];
        assert_eq!(events, expected);
    }

    fn tool_use(id: &str, name: &str, arguments: &str) -> ModelEvent {
        let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
        ModelEvent::ToolUse(ToolCall { id, name, arguments })
    }

    #[test]
    fn tool_call_has_its_name_and_arguments_where_they_are_readable() {
        let events = decode_all(&[
            r#"{"event":{"contentStart":{"contentId":"4","type":"TOOL","role":"TOOL"}}}"#,
            r#"{"event":{"toolUse":{"contentId":"4","toolName":"t","toolUseId":"u","content":"{\"a\":1}"}}}"#,
            r#"{"event":{"toolUse":{"toolUseId":"u","content":7}}}"#,
        ]);
        assert_eq!(events, [ModelEvent::ToolStart, tool_use("u", "t", "{\"a\":1}"), tool_use("u", "", "")]);
    }

    #[test]
    fn unknown_events_and_blocks_are_passed_over() {
        let events = decode_all(&[
            r#"{"event":{"thinkingEvent":{"x":1}}}"#,
            r#"{"event":{"contentStart":{"contentId":"9","type":"VIDEO","role":"ASSISTANT"}}}"#,
            r#"{"event":{"textOutput":{"contentId":"9","content":"x"}}}"#,
            r#"{"event":{"contentEnd":{"contentId":"9","type":"VIDEO"}}}"#,
            r#"{"event":{"contentEnd":{"contentId":"never opened"}}}"#,
            r#"{"event":{"completionEnd":{"stopReason":"END_TURN"}}}"#,
        ]);
        assert_eq!(events[..5], [const { ModelEvent::Other }; 5]);
        assert_eq!(events[5], ModelEvent::CompletionEnd);
    }

    #[test]
    fn open_blocks_are_bounded() {
        let mut decoder = Decoder::default();
        for id in 0..OPEN_BLOCKS_MAX {
            let json = format!(r#"{{"event":{{"contentStart":{{"contentId":"{id}","type":"AUDIO"}}}}}}"#);
            decoder.decode(json.as_bytes()).unwrap();
        }
        let one_more = br#"{"event":{"contentStart":{"contentId":"x","type":"AUDIO"}}}"#;
        assert_eq!(decoder.decode(one_more), Err(DecodeError::TooManyBlocks));
    }

    /// The events of a short conversation, as the service sends them.
    const REAL: [&str; 12] = [
        r#"{"event":{"completionStart":{"sessionId":"s","promptName":"p","completionId":"c"}}}"#,
        r#"{"event":{"contentStart":{"sessionId":"s","promptName":"p","completionId":"c","contentId":"1","type":"TEXT","role":"USER","textOutputConfiguration":{"mediaType":"text/plain"},"additionalModelFields":"{\"generationStage\":\"FINAL\"}"}}}"#,
        r#"{"event":{"textOutput":{"sessionId":"s","promptName":"p","contentId":"1","content":"I see a market.","role":"USER"}}}"#,
        r#"{"event":{"contentEnd":{"sessionId":"s","contentId":"1","type":"TEXT","stopReason":"PARTIAL_TURN"}}}"#,
        r#"{"event":{"contentStart":{"contentId":"2","type":"TEXT","role":"ASSISTANT","additionalModelFields":"{\"generationStage\":\"SPECULATIVE\"}"}}}"#,
        r#"{"event":{"contentStart":{"contentId":"3","type":"AUDIO","role":"ASSISTANT","audioOutputConfiguration":{"sampleRateHertz":16000}}}}"#,
        r#"{"event":{"audioOutput":{"contentId":"3","content":"AAECAwQFBgcICQ=="}}}"#,
        r#"{"event":{"textOutput":{"contentId":"2","content":"{ \"interrupted\" : true }","role":"ASSISTANT"}}}"#,
        r#"{"event":{"contentEnd":{"contentId":"3","type":"AUDIO","stopReason":"INTERRUPTED"}}}"#,
        r#"{"event":{"toolUse":{"contentId":"4","toolName":"t","toolUseId":"u","content":"{}"}}}"#,
        r#"{"event":{"usageEvent":{"sessionId":"s","details":{"total":{"input":{"speechTokens":1,"textTokens":2},"output":{"speechTokens":3,"textTokens":4}}}}}}"#,
        r#"{"event":{"completionEnd":{"sessionId":"s","stopReason":"END_TURN"}}}"#,
    ];

    /// Decodes, and checks what holds of whatever is decoded.
    fn check(decoder: &mut Decoder, json: &[u8]) -> Option<ModelEvent> {
        let decoded = decoder.decode(json);
        assert!(decoder.open.len() <= OPEN_BLOCKS_MAX);
        let event = decoded.ok()?.event;
        if let ModelEvent::Audio(frame) = &event {
            assert!(frame.pcm().len().is_multiple_of(2) && frame.pcm().len() <= json.len());
        }
        Some(event)
    }

    #[test]
    fn the_real_events_are_all_known() {
        let mut decoder = Decoder::default();
        let known: Vec<ModelEvent> =
            REAL.iter().map(|json| check(&mut decoder, json.as_bytes()).unwrap()).collect();
        assert_eq!(known.iter().filter(|event| **event == ModelEvent::Other).count(), 1, "{known:?}");
        assert_eq!(decoder.open.len(), 1, "the interrupted text was not closed");
    }

    /// Any JSON, not too deep.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "\\PC{0,20}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let key = "(event|contentStart|textOutput|audioOutput|contentEnd|toolUse|usageEvent|details|total|input|\
                contentId|content|type|role|stopReason|additionalModelFields|sessionId|toolUseId|x)";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(cases(2_000))]

        #[test]
        fn any_bytes_are_an_event_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            check(&mut Decoder::default(), &bytes);
        }

        #[test]
        fn any_json_is_an_event_or_an_error(body in any_json()) {
            check(&mut Decoder::default(), body.to_string().as_bytes());
            check(&mut Decoder::default(), serde_json::json!({ "event": body }).to_string().as_bytes());
        }

        #[test]
        fn real_events_damaged_and_in_any_order_keep_the_decoder_within_its_bounds(
            events in prop::collection::vec((prop::sample::select(REAL.to_vec()), any::<bool>()), 0..60),
            damage in any::<(prop::sample::Index, u8)>(),
        ) {
            let mut decoder = Decoder::default();
            for (json, damaged) in events {
                let mut json = json.as_bytes().to_vec();
                if damaged {
                    let place = damage.0.index(json.len());
                    json[place] = damage.1;
                }
                check(&mut decoder, &json);
            }
        }
    }
}
