//! The rules of a stream, without a network and with a clock of its own.

mod sample;
mod voice;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::transcript::chunks;
use super::*;
use crate::simulator::{
    audible::{self, Decoder, Heard},
    stamp,
};

const RATE: u32 = 16_000;

/// A stream, a clock, and everything that was sent.
struct Driver {
    session: Session,
    now: Duration,
    sent: Vec<Value>,
    exception: Option<ProtocolError>,
    /// What it asked a recogniser and a voice for.
    requests: Vec<Output>,
}

fn settings() -> Settings {
    Settings {
        endpointing_scale: 1.0,
        pace: 2.5,
        interruption: Interruption::Text,
        stream_limit: Duration::from_secs(480),
        idle_limit: Duration::from_secs(55),
        speech: false,
        words_limit: Duration::from_secs(3),
        samples_limit: Duration::from_secs(5),
    }
}

impl Driver {
    fn new(settings: Settings, generation: Generation) -> Self {
        let session = Session::new(settings, generation, Uuid::nil());
        Self { session, now: Duration::ZERO, sent: Vec::new(), exception: None, requests: Vec::new() }
    }

    /// A stream of the second generation with its audio block open.
    fn open(settings: Settings) -> Self {
        let mut driver = Self::new(settings, Generation::Second);
        for event in opening() {
            driver.input(&event);
        }
        driver
    }

    fn input(&mut self, event: &Value) {
        self.session.input(event.to_string().as_bytes(), self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll(self.now) {
            match output {
                Output::Event(event) => self.sent.push(event["event"].clone()),
                Output::Exception(rejection) => self.exception = Some(rejection),
                request @ (Output::Recognise { .. } | Output::Speak { .. }) => self.requests.push(request),
            }
        }
    }

    /// Lets time pass, at the moments the stream asked for.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.session.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.drain();
        }
        self.now = until;
        self.drain();
    }

    /// Sends audio at the pace it is spoken.
    fn hear(&mut self, samples: &[i16]) {
        for frame in samples.chunks(512) {
            let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.input(&payload("audioInput", "mic", &STANDARD.encode(bytes)));
            self.wait(Duration::from_millis(32));
        }
    }

    fn say(&mut self, text: &str) {
        self.hear(&audible::encode(text, RATE));
    }

    fn pause(&mut self, ms: usize) {
        self.hear(&vec![0; ms * 16]);
    }

    fn type_text(&mut self, name: &str, text: &str) {
        self.input(&text_start(name, "USER", true));
        self.input(&payload("textInput", name, text));
        self.input(&end(name));
    }

    /// The text blocks of one kind, with how each ended.
    fn texts(&self, role: &str, stage: &str) -> Vec<(String, String)> {
        let ids: Vec<(&str, &str)> = self
            .fields("contentStart")
            .filter_map(|start| {
                let more = start["additionalModelFields"].as_str()?;
                (start["role"] == role && more.contains(stage))
                    .then(|| (start["contentId"].as_str().unwrap(), role))
            })
            .collect();
        ids.iter()
            .map(|(id, _)| {
                let of = |name: &'static str| self.fields(name).find(|fields| fields["contentId"] == *id);
                let text = of("textOutput").map_or("", |text| text["content"].as_str().unwrap());
                (text.to_owned(), of("contentEnd").unwrap()["stopReason"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    fn said(&self) -> Vec<String> {
        self.texts("ASSISTANT", "FINAL").into_iter().map(|(text, _)| text).collect()
    }

    fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.sent.iter().filter_map(move |event| event.get(name))
    }

    fn audio(&self) -> Vec<i16> {
        self.fields("audioOutput")
            .flat_map(|fields| STANDARD.decode(fields["content"].as_str().unwrap()).unwrap())
            .collect::<Vec<u8>>()
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }
}

fn opening() -> Vec<Value> {
    vec![
        session_start(&json!({ "endpointingSensitivity": "HIGH" })),
        prompt_start("tiffany"),
        text_start("system", "SYSTEM", false),
        payload("textInput", "system", "Questions:\n- What is the dog doing?\n- What is the weather like?"),
        end("system"),
        audio_start(json!("USER")),
    ]
}

fn session_start(turn_detection: &Value) -> Value {
    json!({ "event": { "sessionStart": {
        "inferenceConfiguration": { "maxTokens": 1024 }, "turnDetectionConfiguration": turn_detection,
    } } })
}

fn prompt_start(voice: &str) -> Value {
    json!({ "event": { "promptStart": {
        "promptName": "p", "textOutputConfiguration": { "mediaType": "text/plain" },
        "audioOutputConfiguration": {
            "mediaType": "audio/lpcm", "sampleRateHertz": RATE, "sampleSizeBits": 16, "channelCount": 1,
            "voiceId": voice, "encoding": "base64", "audioType": "SPEECH",
        },
    } } })
}

fn text_start(name: &str, role: &str, interactive: bool) -> Value {
    json!({ "event": { "contentStart": {
        "promptName": "p", "contentName": name, "type": "TEXT", "interactive": interactive, "role": role,
        "textInputConfiguration": { "mediaType": "text/plain" },
    } } })
}

fn audio_start(role: Value) -> Value {
    let mut start = json!({
        "promptName": "p", "contentName": "mic", "type": "AUDIO", "interactive": true,
        "audioInputConfiguration": {
            "mediaType": "audio/lpcm", "sampleRateHertz": RATE, "sampleSizeBits": 16, "channelCount": 1,
            "audioType": "SPEECH", "encoding": "base64",
        },
    });
    if !role.is_null() {
        start["role"] = role;
    }
    json!({ "event": { "contentStart": start } })
}

fn payload(kind: &str, name: &str, content: &str) -> Value {
    json!({ "event": { kind: { "promptName": "p", "contentName": name, "content": content } } })
}

fn end(name: &str) -> Value {
    json!({ "event": { "contentEnd": { "promptName": "p", "contentName": name } } })
}

fn prompt_end() -> Value {
    json!({ "event": { "promptEnd": { "promptName": "p" } } })
}

#[test]
fn final_text_follows_play_out_and_audio_runs_ahead_of_it() {
    let mut driver = Driver::open(settings());
    driver.type_text("t", "hello");
    // The sentences take 1.8 and 1.2 seconds.
    driver.wait(Duration::from_secs(1));
    let audio_ms = driver.audio().len() / 16;
    assert!((2_400..=2_600).contains(&audio_ms), "{audio_ms} ms");
    assert_eq!(driver.said().len(), 0);
    driver.wait(Duration::from_secs(1));
    assert_eq!(driver.said().len(), 1, "the first sentence has been played");
    driver.wait(Duration::from_secs(10));
    assert_eq!(driver.said().len(), 2);
    assert_eq!(driver.texts("ASSISTANT", "FINAL")[1].1, "END_TURN");
}

#[test]
fn audio_after_the_answer_is_heard_and_tokens_add_up() {
    let mut driver = Driver::open(settings());
    driver.say("A dog runs in the park");
    driver.pause(20_000);
    assert_eq!(
        driver.texts("USER", "FINAL"),
        [("A dog runs in the park".to_owned(), "PARTIAL_TURN".to_owned())]
    );
    let mut decoder = Decoder::new(RATE);
    let heard = decoder.push(&driver.audio());
    let said: Vec<_> = driver.said().into_iter().map(Heard::Text).collect();
    assert_eq!(heard, said);
    let sum: u64 = driver
        .fields("usageEvent")
        .map(|usage| usage["details"]["delta"]["input"]["speechTokens"].as_u64().unwrap())
        .sum();
    let last = driver.fields("usageEvent").last().unwrap();
    assert_eq!(last["details"]["total"]["input"]["speechTokens"], sum);
    assert!(driver.fields("usageEvent").count() >= 3, "also in silence");
}

#[test]
fn stamps_tell_how_long_audio_took_and_leave_the_words_alone() {
    let (opened, delay) = (Duration::from_secs(1_000), Duration::from_millis(7));
    let mut driver = Driver::new(settings(), Generation::Second);
    driver.session.carry_stamps(opened);
    opening().iter().for_each(|event| driver.input(event));
    let mut samples = audible::encode("A dog runs in the park", RATE);
    samples.resize(samples.len() + 10 * 16_000, 0);
    let frames: Vec<&[i16]> = samples.chunks(496).collect();
    for frame in &frames {
        let sent = stamp::stamp(opened + driver.now - delay);
        driver.hear(&[&sent, *frame].concat());
    }
    assert_eq!(driver.texts("USER", "FINAL")[0].0, "A dog runs in the park");
    assert_eq!(driver.session.take_delays(), vec![delay; frames.len()]);
    let unstamped = stamp::Reader::default().read(&driver.audio());
    let heard = Decoder::new(RATE).push(&unstamped.samples);
    assert_eq!(heard, driver.said().into_iter().map(Heard::Text).collect::<Vec<_>>());
    assert_eq!(unstamped.times.len(), driver.fields("audioOutput").count());
    assert!(unstamped.times.is_sorted() && unstamped.times[0] > opened);
    assert!(unstamped.times.iter().all(|sent| *sent < opened + driver.now));
}

#[test]
fn a_barge_in_is_announced_in_each_style_and_cuts_what_was_said() {
    for (interruption, stops) in [
        (Interruption::Text, ("END_TURN", "INTERRUPTED")),
        (Interruption::Audio, ("INTERRUPTED", "END_TURN")),
        (Interruption::Marker, ("END_TURN", "END_TURN")),
    ] {
        let mut driver = Driver::open(Settings { interruption, pace: 1.0, ..settings() });
        driver.type_text("t", "hello");
        driver.wait(Duration::from_millis(1_200));
        driver.say("Wait");
        driver.pause(100);
        let last_audio_end = driver.fields("contentEnd").filter(|end| end["type"] == "AUDIO").last().unwrap();
        assert_eq!(last_audio_end["stopReason"], stops.0, "{interruption:?}");
        let mut texts = driver.texts("ASSISTANT", "FINAL");
        let (said, stop) = texts.pop().unwrap();
        assert_eq!((said.as_str(), stop.as_str()), ("Hello! Let us talk about", stops.1), "{interruption:?}");
        let marker = ("{ \"interrupted\" : true }".to_owned(), "PARTIAL_TURN".to_owned());
        assert_eq!(texts.contains(&marker), interruption == Interruption::Marker);
        let audio = driver.audio().len();
        driver.pause(1_000);
        assert_eq!(driver.audio().len(), audio, "{interruption:?}: it speaks on");
        driver.pause(1_000);
        assert_eq!(driver.texts("USER", "FINAL")[0].0, "Wait");
    }
}

#[test]
fn a_barge_in_after_all_audio_was_sent_is_announced_by_text() {
    let mut driver = Driver::open(Settings { interruption: Interruption::Audio, pace: 100.0, ..settings() });
    driver.type_text("t", "hello");
    driver.wait(Duration::from_millis(1_200));
    driver.say("Wait");
    let texts = driver.texts("ASSISTANT", "FINAL");
    assert_eq!(texts, [("Hello! Let us talk about".to_owned(), "INTERRUPTED".to_owned())]);
}

#[test]
fn more_typed_turns_than_can_wait_are_not_answered() {
    let mut driver = Driver::open(settings());
    for turn in 0..ANSWERS_MAX + 5 {
        driver.type_text(&format!("t{turn}"), "goodbye");
    }
    driver.wait(Duration::from_secs(50));
    // One is spoken while the others wait, and each has two sentences.
    assert_eq!(driver.said().len(), 2 * (ANSWERS_MAX + 1));
}

#[test]
fn a_human_voice_is_answered_with_the_truth() {
    let mut driver = Driver::open(settings());
    let voice: Vec<i16> = (0..32_000).map(|index| if index / 50 % 2 == 0 { 2_000 } else { -2_000 }).collect();
    driver.hear(&voice);
    driver.pause(12_000);
    assert_eq!(driver.texts("USER", "FINAL")[0].0, "[2.0 seconds of speech that the simulator cannot read]");
    assert!(
        driver.said().join(" ").contains("simulated partner and heard 2.0 seconds"),
        "{:?}",
        driver.said()
    );
}

#[test]
fn words_without_an_end_are_transcribed_when_the_learner_leaves() {
    let mut driver = Driver::open(settings());
    driver.say("I have to go");
    driver.input(&end("mic"));
    driver.input(&prompt_end());
    assert_eq!(driver.texts("USER", "FINAL")[0].0, "I have to go");
    assert!(driver.sent.last().unwrap().get("completionEnd").is_some());
    assert!(!driver.session.is_over());
    driver.input(&json!({ "event": { "sessionEnd": {} } }));
    assert!(driver.session.is_over());
    assert_eq!(driver.exception, None);
}

#[test]
fn a_client_that_only_stops_sending_gets_its_last_words_too() {
    let mut driver = Driver::open(settings());
    driver.say("Cut off");
    driver.session.input_closed(driver.now);
    driver.drain();
    assert_eq!(driver.texts("USER", "FINAL")[0].0, "Cut off");
    assert!(driver.sent.last().unwrap().get("completionEnd").is_some());
}

#[test]
fn limits_end_a_stream_in_the_words_of_the_service() {
    let mut driver = Driver::open(settings());
    driver.wait(Duration::from_millis(54_900));
    assert_eq!(driver.exception, None);
    driver.wait(Duration::from_millis(200));
    assert_eq!(driver.exception, Some(ProtocolError::Idle));

    let mut driver = Driver::open(settings());
    for _ in 0..10 {
        driver.wait(Duration::from_secs(47));
        driver.pause(32);
    }
    assert_eq!(driver.exception, None);
    driver.wait(Duration::from_secs(10));
    assert_eq!(driver.exception, Some(ProtocolError::StreamLimit));
    assert_eq!(ProtocolError::StreamLimit.exception_type(), "modelTimeoutException");
}

#[test]
fn audio_without_a_role_is_never_answered() {
    let mut driver = Driver::new(settings(), Generation::Second);
    for event in &opening()[..5] {
        driver.input(event);
    }
    driver.input(&audio_start(Value::Null));
    driver.say("Hello");
    driver.pause(3_000);
    driver.type_text("t", "Hello");
    driver.wait(Duration::from_secs(10));
    assert_eq!((driver.sent.len(), driver.exception), (0, None));
}

/// What a sequence of events is refused with.
fn refused(generation: Generation, events: &[Value]) -> Option<ProtocolError> {
    let mut driver = Driver::new(settings(), generation);
    for event in events {
        driver.input(event);
    }
    driver.exception
}

#[test]
fn the_order_of_events_is_checked() {
    let opening = opening();
    let with = |keep: usize, more: &[Value]| [&opening[..keep], more].concat();
    let history = |name: &str, role: &str| {
        vec![text_start(name, role, false), payload("textInput", name, "x"), end(name)]
    };
    let second = |events: &[Value]| refused(Generation::Second, events);

    assert_eq!(second(&opening), None);
    assert_eq!(second(&opening[1..]), Some(ProtocolError::InvalidInput));
    assert_eq!(second(&with(2, &[audio_start(json!("USER"))])), Some(ProtocolError::FirstNotSystem));
    assert_eq!(second(&with(2, &[text_start("u", "USER", false)])), Some(ProtocolError::FirstNotSystem));
    assert_eq!(second(&with(5, &[text_start("s2", "SYSTEM", false)])), Some(ProtocolError::DuplicateSystem));
    assert_eq!(
        second(&with(5, &[text_start("system", "USER", false)])),
        Some(ProtocolError::InvalidInput),
        "name used twice"
    );
    assert_eq!(second(&with(5, &[history("u", "USER"), history("a", "ASSISTANT")].concat())), None);
    assert_eq!(second(&with(5, &history("a", "ASSISTANT"))), Some(ProtocolError::InvalidInput));
    let twice = [history("u", "USER"), history("v", "USER")].concat();
    assert_eq!(second(&with(5, &twice)), Some(ProtocolError::InvalidInput));
    assert_eq!(second(&with(6, &history("u", "USER"))), Some(ProtocolError::HistoryAfterAudio));
    let audio_between = [text_start("t", "USER", true), payload("audioInput", "mic", "AAAA")];
    assert_eq!(second(&with(6, &audio_between)), Some(ProtocolError::HistoryAfterAudio));
    assert_eq!(second(&with(6, &[payload("audioInput", "mike", "AAAA")])), Some(ProtocolError::InvalidInput));
    assert_eq!(
        second(&with(6, &[payload("audioInput", "mic", "not base64")])),
        Some(ProtocolError::InvalidInput)
    );
    assert_eq!(second(&with(6, &[prompt_end()])), Some(ProtocolError::InvalidInput), "audio is open");
    assert_eq!(
        second(&with(6, &[payload("toolResult", "x", "no object")])),
        Some(ProtocolError::ToolResponse)
    );
    assert_eq!(second(&with(6, &[payload("toolResult", "x", "{}")])), Some(ProtocolError::InvalidInput));
    assert_eq!(second(&with(1, &[prompt_start("nobody")])), Some(ProtocolError::InvalidVoice));
}

#[test]
fn fields_are_checked() {
    let flat = json!({ "event": { "sessionStart": {
        "inferenceConfiguration": {}, "endpointingSensitivity": "HIGH",
    } } });
    assert_eq!(refused(Generation::Second, &[flat]), Some(ProtocolError::InvalidInput));
    let hot = json!({ "event": { "sessionStart": { "inferenceConfiguration": { "temperature": 1.5 } } } });
    assert_eq!(refused(Generation::Second, &[hot]), Some(ProtocolError::InvalidInput));
    let mut rate = prompt_start("tiffany");
    rate["event"]["promptStart"]["audioOutputConfiguration"]["sampleRateHertz"] = json!(44_100);
    assert_eq!(
        refused(Generation::Second, &[session_start(&Value::Null), rate]),
        Some(ProtocolError::InvalidInput)
    );
    assert_eq!(
        refused(Generation::Second, &[json!({ "event": { "hello": {} } })]),
        Some(ProtocolError::InvalidInput)
    );
    let mut driver = Driver::new(settings(), Generation::Second);
    driver.session.input(b"{\"event\":", driver.now);
    driver.drain();
    assert_eq!(driver.exception, Some(ProtocolError::UnparsableChunk));
}

#[test]
fn the_first_generation_knows_no_typed_turns_and_no_turn_detection() {
    let first = |events: &[Value]| refused(Generation::First, events);
    assert_eq!(first(&opening()[..1]), Some(ProtocolError::InvalidInput));
    let mut opening = opening();
    opening[0] = session_start(&Value::Null);
    assert_eq!(first(&opening), None);
    opening.push(text_start("t", "USER", true));
    assert_eq!(first(&opening), Some(ProtocolError::InvalidInput));
}

#[test]
fn messages_history_and_blocks_are_bounded() {
    let long = "x".repeat(order::MESSAGE_BYTES_MAX);
    let mut driver = Driver::open(settings());
    driver.input(&text_start("t", "USER", true));
    driver.input(&payload("textInput", "t", &long));
    assert_eq!(driver.exception, None);
    driver.input(&payload("textInput", "t", "x"));
    assert_eq!(driver.exception, Some(ProtocolError::InvalidInput));

    let mut driver = Driver::new(settings(), Generation::Second);
    for event in &opening()[..5] {
        driver.input(event);
    }
    for index in 0..=order::HISTORY_BYTES_MAX / order::MESSAGE_BYTES_MAX {
        assert_eq!(driver.exception, None, "message {index}");
        let name = index.to_string();
        driver.input(&text_start(&name, if index % 2 == 0 { "USER" } else { "ASSISTANT" }, false));
        driver.input(&payload("textInput", &name, &long));
        driver.input(&end(&name));
    }
    assert_eq!(driver.exception, Some(ProtocolError::InvalidInput));

    let mut driver = Driver::new(settings(), Generation::Second);
    for event in &opening()[..5] {
        driver.input(event);
    }
    for index in 1..=order::CONTENT_BLOCKS_MAX {
        assert_eq!(driver.exception, None, "block {index}");
        let name = index.to_string();
        driver.input(&text_start(&name, if index % 2 == 1 { "USER" } else { "ASSISTANT" }, false));
        driver.input(&end(&name));
    }
    assert_eq!(driver.exception, Some(ProtocolError::InvalidInput));
}

proptest! {
    #[test]
    fn a_transcript_in_pieces_is_the_whole(text in "[a-z가-힣]{1,90}( [a-z가-힣]{1,12}){0,60}") {
        let pieces = chunks(&text);
        prop_assert_eq!(pieces.join(" "), text);
    }

    #[test]
    fn any_bytes_end_in_an_exception_and_never_in_a_panic(messages in prop::collection::vec("\\PC{0,80}", 1..4)) {
        let mut driver = Driver::open(settings());
        for message in messages {
            driver.session.input(message.as_bytes(), driver.now);
            driver.drain();
        }
        prop_assert!(driver.exception.is_some());
    }
}

/// A stream whose client can record objectives.
fn with_objective_tool() -> Driver {
    let mut events = opening();
    let schema = json!({ "type": "object", "properties": {
        "objective": { "type": "string" }, "quote": { "type": "string" },
    } });
    let spec = json!({ "name": "report_objective", "inputSchema": { "json": schema.to_string() } });
    for event in &mut events {
        if let Some(start) = event["event"].get_mut("promptStart") {
            start["toolUseOutputConfiguration"] = json!({ "mediaType": "application/json" });
            start["toolConfiguration"] = json!({ "tools": [{ "toolSpec": spec }] });
        }
        if let Some(text) = event["event"].get_mut("textInput") {
            text["content"] = json!("Objectives:\n- Use colours\n");
        }
    }
    let mut driver = Driver::new(settings(), Generation::Second);
    for event in events {
        driver.input(&event);
    }
    driver
}

fn tool_result(driver: &mut Driver, tool_use_id: &str) {
    driver.input(&json!({ "event": { "contentStart": {
        "promptName": "p", "contentName": "result", "interactive": false, "type": "TOOL", "role": "TOOL",
        "toolResultInputConfiguration": {
            "toolUseId": tool_use_id, "type": "TEXT", "textInputConfiguration": { "mediaType": "text/plain" },
        },
    } } }));
    driver.input(&payload("toolResult", "result", r#"{"result":"recorded"}"#));
    driver.input(&end("result"));
}

#[test]
fn objective_is_reported_by_a_tool_call_and_the_answer_waits_for_its_result() {
    let mut driver = with_objective_tool();
    driver.type_text("typed", "I see a man with a red hat.");
    driver.wait(Duration::from_secs(5));
    let calls: Vec<Value> = driver.fields("toolUse").cloned().collect();
    assert_eq!((calls.len(), driver.said().len()), (1, 0));
    let arguments: Value = serde_json::from_str(calls[0]["content"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({ "objective": "Use colours", "quote": "I see a man with a red hat." }));
    tool_result(&mut driver, calls[0]["toolUseId"].as_str().unwrap());
    driver.wait(Duration::from_secs(15));
    assert_eq!((driver.exception, driver.said().is_empty()), (None, false));
    driver.type_text("again", "I see a man with a red hat.");
    driver.wait(Duration::from_secs(15));
    assert_eq!(driver.fields("toolUse").count(), 1);
}

#[test]
fn result_of_no_call_ends_the_stream() {
    let mut driver = with_objective_tool();
    tool_result(&mut driver, "unknown");
    assert_eq!(driver.exception, Some(ProtocolError::InvalidInput));
}
