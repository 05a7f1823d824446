//! A conversation with the simulator through the Rust SDK, event by event.

use std::path::Path;
use std::time::Duration;

use aws_sdk_bedrockruntime::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_bedrockruntime::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::primitives::event_stream::EventReceiver;
use aws_sdk_bedrockruntime::types::error::{
    InvokeModelWithBidirectionalStreamInputError, InvokeModelWithBidirectionalStreamOutputError,
};
use aws_sdk_bedrockruntime::types::{
    BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Input,
    InvokeModelWithBidirectionalStreamOutput as Output,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use infra::simulator::audible::{self, Decoder, Heard};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub(crate) const SONIC: &str = "amazon.nova-2-sonic-v1:0";
pub(crate) const PROMPT: &str = "p1";
/// No single step of a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const AUDIO: &str = "microphone";
const RATE: u32 = 16_000;

/// Bedrock at `endpoint`, with the access key `AKIDTEST`.
pub(crate) fn bedrock(endpoint: &str, ca_file: &Path, secret: &str) -> aws_sdk_bedrockruntime::Client {
    let http_client = events::runtime::aws::http_client(Some(ca_file)).unwrap();
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDTEST", secret, None, None, "test"))
        .retry_config(aws_sdk_bedrockruntime::config::retry::RetryConfig::disabled())
        .endpoint_url(endpoint)
        .http_client(http_client)
        .build();
    aws_sdk_bedrockruntime::Client::from_conf(config)
}

pub(crate) struct Conversation {
    input: Option<mpsc::Sender<Result<Input, InvokeModelWithBidirectionalStreamInputError>>>,
    output: EventReceiver<Output, InvokeModelWithBidirectionalStreamOutputError>,
    blocks: u32,
}

/// What a failed stream says: error code, if the service gave one, and everything in words.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Option<String>,
    pub(crate) text: String,
}

impl<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug + 'static> From<SdkError<E, R>>
    for Failure
{
    fn from(error: SdkError<E, R>) -> Self {
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
        Self { code, text: DisplayErrorContext(&error).to_string() }
    }
}

impl Conversation {
    /// Opens a stream and sends everything up to the open audio block.
    pub(crate) async fn open(bedrock: &aws_sdk_bedrockruntime::Client, model: &str) -> Result<Self, Failure> {
        let opening = [
            session_start(),
            prompt_start(),
            text_start("system", "SYSTEM", false),
            text_input(
                "system",
                "Picture: The park\nQuestions:\n- What is the dog doing?\n- What is the weather like?",
            ),
            content_end("system"),
            audio_start(),
        ];
        Self::open_with(bedrock, model, &opening).await
    }

    /// Opens a stream with other events.
    pub(crate) async fn open_with(
        bedrock: &aws_sdk_bedrockruntime::Client,
        model: &str,
        opening: &[Value],
    ) -> Result<Self, Failure> {
        let (input, receiver) = mpsc::channel(64);
        for event in opening {
            input.send(Ok(chunk(event))).await.unwrap();
        }
        let send = bedrock
            .invoke_model_with_bidirectional_stream()
            .model_id(model)
            .body(ReceiverStream::new(receiver).into())
            .send();
        let response = tokio::time::timeout(PATIENCE, send).await.expect("the response begins in time")?;
        Ok(Self { input: Some(input), output: response.body, blocks: 0 })
    }

    pub(crate) async fn send(&self, event: &Value) {
        let input = self.input.as_ref().expect("the input is open");
        // A stream that failed no longer reads; the test then looks at its output.
        let _closed = input.send(Ok(chunk(event))).await;
    }

    /// Types a turn.
    pub(crate) async fn type_text(&mut self, text: &str) {
        self.blocks += 1;
        let name = format!("typed-{}", self.blocks);
        self.send(&text_start(&name, "USER", true)).await;
        self.send(&text_input(&name, text)).await;
        self.send(&content_end(&name)).await;
    }

    /// Says `text` without the silence that ends a turn.
    pub(crate) async fn say(&self, text: &str) {
        self.sound(&audible::encode(text, RATE)).await;
    }

    pub(crate) async fn silence(&self, ms: usize) {
        self.sound(&vec![0; ms * 16]).await;
    }

    pub(crate) async fn sound(&self, samples: &[i16]) {
        for frame in samples.chunks(512) {
            let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.send(&audio_input(&STANDARD.encode(bytes))).await;
        }
    }

    /// The next event's name and fields; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<(String, Value)>, Failure> {
        let received =
            tokio::time::timeout(PATIENCE, self.output.recv()).await.expect("an event comes in time")?;
        let Some(Output::Chunk(part)) = received else {
            return Ok(None);
        };
        let event: Value = serde_json::from_slice(part.bytes.unwrap().as_ref()).unwrap();
        let (name, fields) = event["event"].as_object().unwrap().iter().next().unwrap();
        Ok(Some((name.clone(), fields.clone())))
    }

    /// Everything up to the end of an answer: its last FINAL text, as [`Answer`].
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = Answer::default();
        while !answer.is_over() {
            let (name, fields) = self.next().await.unwrap().expect("the stream goes on");
            answer.take(&name, &fields);
        }
        answer
    }

    /// Ends the conversation as AWS asks, and returns what still comes.
    pub(crate) async fn close(mut self) -> Vec<(String, Value)> {
        self.send(&content_end(AUDIO)).await;
        self.send(&json!({ "event": { "promptEnd": { "promptName": PROMPT } } })).await;
        self.send(&json!({ "event": { "sessionEnd": {} } })).await;
        self.input = None;
        let mut rest = Vec::new();
        while let Some(event) = self.next().await.unwrap() {
            rest.push(event);
        }
        rest
    }

    /// Reads until the stream fails.
    pub(crate) async fn failure(&mut self) -> Failure {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without an error"),
                Err(failure) => return failure,
            }
        }
    }
}

/// What one answer was made of, and in which order.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) order: Vec<String>,
    pub(crate) user: Vec<String>,
    pub(crate) planned: Vec<String>,
    pub(crate) said: Vec<String>,
    pub(crate) audio: Vec<i16>,
    pub(crate) interrupted: bool,
    pub(crate) usage: Vec<Value>,
    pub(crate) session_id: String,
    audio_over: bool,
    block: String,
}

impl Answer {
    pub(crate) fn take(&mut self, name: &str, fields: &Value) {
        self.session_id = fields["sessionId"].as_str().unwrap().to_owned();
        match name {
            "contentStart" => self.block = block(fields),
            "textOutput" => {
                let text = fields["content"].as_str().unwrap().to_owned();
                match self.block.as_str() {
                    "USER FINAL" => self.user.push(text),
                    "ASSISTANT SPECULATIVE" => self.planned.push(text),
                    "ASSISTANT FINAL" => self.said.push(text),
                    other => panic!("text in a block {other}"),
                }
            }
            "audioOutput" => {
                let bytes = STANDARD.decode(fields["content"].as_str().unwrap()).unwrap();
                self.audio.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
            "contentEnd" => {
                let stop = fields["stopReason"].as_str().unwrap();
                self.order.push(format!("{} {stop}", self.block));
                self.interrupted |= stop == "INTERRUPTED";
                self.audio_over |= self.block == "AUDIO" && stop == "END_TURN";
                self.block.clear();
            }
            "usageEvent" => self.usage.push(fields.clone()),
            "completionStart" | "completionEnd" => self.order.push(name.to_owned()),
            other => panic!("an event {other}"),
        }
    }

    /// What a listener heard.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let mut decoder = Decoder::new(RATE);
        let mut heard = decoder.push(&self.audio);
        heard.extend(decoder.finish());
        heard
    }

    fn is_over(&self) -> bool {
        self.audio_over && self.said.len() == self.planned.len() && self.block.is_empty()
    }
}

pub(crate) fn session_start() -> Value {
    json!({ "event": { "sessionStart": {
        "inferenceConfiguration": { "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 },
        "turnDetectionConfiguration": { "endpointingSensitivity": "HIGH" },
    } } })
}

pub(crate) fn prompt_start() -> Value {
    json!({ "event": { "promptStart": {
        "promptName": PROMPT,
        "textOutputConfiguration": { "mediaType": "text/plain" },
        "audioOutputConfiguration": {
            "mediaType": "audio/lpcm", "sampleRateHertz": RATE, "sampleSizeBits": 16, "channelCount": 1,
            "voiceId": "tiffany", "encoding": "base64", "audioType": "SPEECH",
        },
    } } })
}

pub(crate) fn text_start(name: &str, role: &str, interactive: bool) -> Value {
    json!({ "event": { "contentStart": {
        "promptName": PROMPT, "contentName": name, "type": "TEXT", "interactive": interactive, "role": role,
        "textInputConfiguration": { "mediaType": "text/plain" },
    } } })
}

pub(crate) fn text_input(name: &str, text: &str) -> Value {
    json!({ "event": { "textInput": { "promptName": PROMPT, "contentName": name, "content": text } } })
}

pub(crate) fn audio_start() -> Value {
    json!({ "event": { "contentStart": {
        "promptName": PROMPT, "contentName": AUDIO, "type": "AUDIO", "interactive": true, "role": "USER",
        "audioInputConfiguration": {
            "mediaType": "audio/lpcm", "sampleRateHertz": RATE, "sampleSizeBits": 16, "channelCount": 1,
            "audioType": "SPEECH", "encoding": "base64",
        },
    } } })
}

pub(crate) fn audio_input(content: &str) -> Value {
    json!({ "event": { "audioInput": { "promptName": PROMPT, "contentName": AUDIO, "content": content } } })
}

pub(crate) fn content_end(name: &str) -> Value {
    json!({ "event": { "contentEnd": { "promptName": PROMPT, "contentName": name } } })
}

fn chunk(event: &Value) -> Input {
    let part = BidirectionalInputPayloadPart::builder().bytes(Blob::new(event.to_string())).build();
    Input::Chunk(part)
}

/// "USER FINAL", "ASSISTANT SPECULATIVE", "ASSISTANT FINAL" or "AUDIO".
fn block(fields: &Value) -> String {
    if fields["type"] == "AUDIO" {
        return "AUDIO".to_owned();
    }
    let more: Value = serde_json::from_str(fields["additionalModelFields"].as_str().unwrap()).unwrap();
    format!("{} {}", fields["role"].as_str().unwrap(), more["generationStage"].as_str().unwrap())
}
