//! What AWS's own sample clients send, event by event and field by field (amazon-nova-samples, speech-to-speech): order,
//! names and fields are theirs, also those without which it would work.

use super::*;

/// The events up to the open audio block. `turn_detection` is of the second generation.
fn beginning(turn_detection: bool) -> Vec<Value> {
    let mut session =
        json!({ "inferenceConfiguration": { "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 } });
    if turn_detection {
        session["turnDetectionConfiguration"] = json!({ "endpointingSensitivity": "MEDIUM" });
    }
    let schema = json!({ "type": "object", "properties": {}, "required": [] }).to_string();
    let tool = json!({ "toolSpec": {
        "name": "getDateTool", "description": "get information about the current date",
        "inputSchema": { "json": schema },
    } });
    let audio = |rate: u32| {
        json!({
            "mediaType": "audio/lpcm", "sampleRateHertz": rate, "sampleSizeBits": 16, "channelCount": 1,
            "encoding": "base64", "audioType": "SPEECH",
        })
    };
    let mut output = audio(24_000);
    output["voiceId"] = json!("tiffany");
    let events = [
        ("sessionStart", session),
        (
            "promptStart",
            json!({
                "promptName": "p", "textOutputConfiguration": { "mediaType": "text/plain" },
                "audioOutputConfiguration": output,
                "toolUseOutputConfiguration": { "mediaType": "application/json" },
                "toolConfiguration": { "tools": [tool], "toolChoice": { "auto": {} } },
            }),
        ),
        (
            "contentStart",
            json!({
                "promptName": "p", "contentName": "system", "type": "TEXT", "interactive": false, "role": "SYSTEM",
                "textInputConfiguration": { "mediaType": "text/plain" },
            }),
        ),
        (
            "textInput",
            json!({ "promptName": "p", "contentName": "system", "content": "You are a friend.", "role": "SYSTEM" }),
        ),
        ("contentEnd", json!({ "promptName": "p", "contentName": "system" })),
        (
            "contentStart",
            json!({
                "promptName": "p", "contentName": "mic", "type": "AUDIO", "interactive": true, "role": "USER",
                "audioInputConfiguration": audio(16_000),
            }),
        ),
    ];
    events.map(|(name, fields)| json!({ "event": { name: fields } })).to_vec()
}

fn names(driver: &Driver) -> Vec<&str> {
    let names = driver.sent.iter().filter_map(|event| event.as_object()?.keys().next());
    names.map(String::as_str).collect()
}

#[test]
fn the_sequence_of_awss_sample_clients_is_a_conversation_with_either_generation() {
    for generation in [Generation::First, Generation::Second] {
        let mut driver = Driver::new(settings(), generation);
        for event in beginning(generation == Generation::Second) {
            driver.input(&event);
        }
        driver.pause(500);
        driver.say("I see a dog.");
        driver.pause(2_000);
        driver.wait(Duration::from_secs(15));
        for event in [end("mic"), prompt_end(), json!({ "event": { "sessionEnd": {} } })] {
            driver.input(&event);
        }
        assert_eq!(driver.exception, None, "{generation:?}");
        assert_eq!(driver.texts("USER", "FINAL")[0].0, "I see a dog.");
        let planned = driver.texts("ASSISTANT", "SPECULATIVE");
        assert!(!planned.is_empty() && planned.len() == driver.said().len(), "{planned:?}");
        let names = names(&driver);
        assert_eq!((names.first(), names.last()), (Some(&"completionStart"), Some(&"completionEnd")));
        assert!(driver.session.is_over());
    }
}
