//! PURE. The events of Nova Sonic as the reference relay writes and reads them (Amazon Nova 2 user guide, "sonic-input-events"
//! and "sonic-output-events").

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use events::contract::{Speaker, live::SAMPLE_RATE_HZ};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Length of the generation before the samples of a binary message of the service, in bytes.
const GENERATION_BYTES: usize = 4;

/// One stream.
#[derive(Debug)]
pub(super) struct Session {
    prompt: String,
    audio: String,
    /// The speaker of the open text block, if its text is final.
    speaker: Option<Speaker>,
    turns: u32,
}

/// What an event means to a client.
#[derive(Debug, PartialEq)]
pub(super) enum Output {
    /// A binary message: generation 0, then samples.
    Audio(Vec<u8>),
    /// Final text.
    Turn(Speaker, String),
    Other,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Body<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    audio_output: Option<Audio<'a>>,
    text_output: Option<Text>,
    content_start: Option<Start>,
}

#[derive(Deserialize)]
struct Audio<'a> {
    content: &'a str,
}

#[derive(Deserialize)]
struct Text {
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    #[serde(default)]
    role: String,
    #[serde(default)]
    additional_model_fields: String,
}

impl Session {
    /// A stream with these names of its prompt and of its audio.
    pub(super) fn new(prompt: Uuid, audio: Uuid) -> Self {
        Self { prompt: prompt.to_string(), audio: audio.to_string(), speaker: None, turns: 0 }
    }

    /// The events up to the start of the audio.
    pub(super) fn opening(&self) -> Vec<Vec<u8>> {
        let (prompt, system) = (&self.prompt, "system");
        let audio = json!({
            "mediaType": "audio/lpcm", "sampleRateHertz": SAMPLE_RATE_HZ, "sampleSizeBits": 16, "channelCount": 1,
            "audioType": "SPEECH", "encoding": "base64",
        });
        let mut output = audio.clone();
        output["voiceId"] = "matthew".into();
        vec![
            event(
                "sessionStart",
                json!({
                    "inferenceConfiguration": { "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 },
                    "turnDetectionConfiguration": { "endpointingSensitivity": "HIGH" },
                }),
            ),
            event(
                "promptStart",
                json!({
                    "promptName": prompt, "textOutputConfiguration": { "mediaType": "text/plain" },
                    "audioOutputConfiguration": output,
                }),
            ),
            event(
                "contentStart",
                json!({
                    "promptName": prompt, "contentName": system, "type": "TEXT", "interactive": false, "role": "SYSTEM",
                    "textInputConfiguration": { "mediaType": "text/plain" },
                }),
            ),
            event(
                "textInput",
                json!({
                    "promptName": prompt, "contentName": system, "content": "You are a tutor of English.",
                }),
            ),
            event("contentEnd", json!({ "promptName": prompt, "contentName": system })),
            event(
                "contentStart",
                json!({
                    "promptName": prompt, "contentName": self.audio, "type": "AUDIO", "interactive": true, "role": "USER",
                    "audioInputConfiguration": audio,
                }),
            ),
        ]
    }

    /// The event that carries `pcm`.
    pub(super) fn audio(&self, pcm: &[u8]) -> Vec<u8> {
        let Self { prompt, audio, .. } = self;
        let content = STANDARD.encode(pcm);
        format!(r#"{{"event":{{"audioInput":{{"promptName":"{prompt}","contentName":"{audio}","content":"{content}"}}}}}}"#)
            .into_bytes()
    }

    /// The events that end the stream.
    pub(super) fn closing(&self) -> Vec<Vec<u8>> {
        let Self { prompt, audio, .. } = self;
        vec![
            event("contentEnd", json!({ "promptName": prompt, "contentName": audio })),
            event("promptEnd", json!({ "promptName": prompt })),
            event("sessionEnd", json!({})),
        ]
    }

    /// Reads an event.
    ///
    /// # Errors
    /// It is no event of the model.
    pub(super) fn read(&mut self, json: &[u8]) -> anyhow::Result<Output> {
        let Message { event } = serde_json::from_slice(json).context("the model sent no event")?;
        if let Some(Audio { content }) = event.audio_output {
            let mut frame = vec![0; GENERATION_BYTES + base64::decoded_len_estimate(content.len())];
            let read = STANDARD.decode_slice(content, &mut frame[GENERATION_BYTES..]);
            frame.truncate(GENERATION_BYTES + read.context("the audio of the model is no base64")?);
            ensure!(frame.len().is_multiple_of(2), "the audio of the model is not whole samples");
            return Ok(Output::Audio(frame));
        }
        if let Some(start) = event.content_start {
            self.speaker = match start.role.as_str() {
                "USER" => Some(Speaker::Learner),
                "ASSISTANT" if start.additional_model_fields.contains("FINAL") => Some(Speaker::Tutor),
                _ => None,
            };
        }
        Ok(match (self.speaker, event.text_output) {
            (Some(speaker), Some(Text { content })) => Output::Turn(speaker, content),
            _ => Output::Other,
        })
    }

    /// The index of the next turn.
    pub(super) fn next_turn(&mut self) -> u32 {
        self.turns += 1;
        self.turns - 1
    }
}

fn event(name: &str, body: Value) -> Vec<u8> {
    let event = serde_json::Map::from_iter([(name.to_owned(), body)]);
    json!({ "event": event }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(session: &mut Session, name: &str, body: Value) -> Output {
        session.read(&event(name, body)).unwrap()
    }

    #[test]
    fn audio_is_copied_in_both_directions() {
        let mut session = Session::new(Uuid::nil(), Uuid::nil());
        let sent: Value = serde_json::from_slice(&session.audio(&[1, 2, 3, 4])).unwrap();
        assert_eq!(sent["event"]["audioInput"]["content"], "AQIDBA==");
        let received = read(&mut session, "audioOutput", json!({ "content": "AQIDBA==" }));
        assert_eq!(received, Output::Audio(vec![0, 0, 0, 0, 1, 2, 3, 4]));
        assert!(session.read(&event("audioOutput", json!({ "content": "AQID" }))).is_err());
    }

    #[test]
    fn text_that_is_final_is_a_turn() {
        let mut session = Session::new(Uuid::nil(), Uuid::nil());
        let start = |role, stage| json!({ "type": "TEXT", "role": role, "additionalModelFields": stage });
        for (role, stage, turn) in [
            ("USER", r#"{"generationStage":"FINAL"}"#, Some(Speaker::Learner)),
            ("ASSISTANT", r#"{"generationStage":"SPECULATIVE"}"#, None),
            ("ASSISTANT", r#"{"generationStage":"FINAL"}"#, Some(Speaker::Tutor)),
        ] {
            assert_eq!(read(&mut session, "contentStart", start(role, stage)), Output::Other);
            let text = read(&mut session, "textOutput", json!({ "content": "Hello." }));
            assert_eq!(text, turn.map_or(Output::Other, |speaker| Output::Turn(speaker, "Hello.".into())));
        }
        assert_eq!((session.next_turn(), session.next_turn()), (0, 1));
    }
}
