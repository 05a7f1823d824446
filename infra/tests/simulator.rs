//! The Bedrock simulator against AWS clients that are not ours: the Rust SDK and the JavaScript SDK.

#![cfg(test)]

#[path = "simulator/account.rs"]
mod account;
#[path = "simulator/client.rs"]
mod client;
#[path = "simulator/faults.rs"]
mod faults;
#[path = "simulator/images.rs"]
mod images;
#[path = "simulator/javascript.rs"]
mod javascript;
#[path = "simulator/sounds.rs"]
mod sounds;
#[path = "simulator/speech.rs"]
mod speech;

use std::path::Path;

use client::{Conversation, SONIC, bedrock};
use infra::simulator::audible::Heard;
use infra::simulator::{Simulator, SimulatorOptions, Tuning};
use serde_json::Value;
use tempfile::TempDir;

const SECRET: &str = "an+example/secret";

struct Setup {
    simulator: Simulator,
    folder: TempDir,
}

impl Setup {
    /// A simulator whose time runs 20 times as fast as ours.
    async fn start(change: impl FnOnce(&mut SimulatorOptions, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = SimulatorOptions {
            ca_file: Some(folder.path().join("ca.pem")),
            tuning: Tuning { clock_scale: 20.0, ..Tuning::default() },
            ..SimulatorOptions::default()
        };
        change(&mut options, folder.path());
        let simulator = Simulator::start(options).await.unwrap();
        Self { simulator, folder }
    }

    fn bedrock(&self) -> aws_sdk_bedrockruntime::Client {
        self.bedrock_with(SECRET)
    }

    fn bedrock_with(&self, secret: &str) -> aws_sdk_bedrockruntime::Client {
        bedrock(&self.simulator.endpoint(), self.simulator.ca_file(), secret)
    }

    /// A client that trusts the simulator.
    fn http(&self) -> reqwest::Client {
        let ca = std::fs::read(self.simulator.ca_file()).unwrap();
        let roots = [reqwest::Certificate::from_pem(&ca).unwrap()];
        // Already installed when another test was faster.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().tls_certs_only(roots).build().unwrap()
    }

    /// A request to the control endpoint.
    async fn control(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let http = self.http();
        let url = format!("{}/simulator/control{path}", self.simulator.endpoint());
        let request = match body {
            Some(body) => http.post(url).json(&body),
            None => http.get(url),
        };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }
}

/// Makes the simulator verify every signature.
fn verify(options: &mut SimulatorOptions, folder: &Path) {
    let file = folder.join("keys");
    std::fs::write(&file, format!("# the test's key\nAKIDTEST={SECRET}\n")).unwrap();
    options.verify_signatures = Some(file);
}

fn text(words: &str) -> Heard {
    Heard::Text(words.to_owned())
}

#[tokio::test]
async fn a_conversation_by_voice_with_every_signature_verified() {
    let setup = Setup::start(verify).await;
    let mut conversation = Conversation::open(&setup.bedrock(), SONIC).await.unwrap();

    conversation.type_text("(The learner is here. Greet them.)").await;
    let greeting = conversation.answer().await;
    assert_eq!(
        greeting.planned,
        ["Hello! Let us talk about the picture: The park.", "What is the dog doing?"]
    );
    assert_eq!(greeting.user, [""; 0], "typed text is not echoed");
    assert_eq!(
        greeting.order,
        [
            "completionStart",
            "ASSISTANT SPECULATIVE PARTIAL_TURN",
            "AUDIO PARTIAL_TURN",
            "ASSISTANT SPECULATIVE PARTIAL_TURN",
            "AUDIO END_TURN",
            "ASSISTANT FINAL PARTIAL_TURN",
            "ASSISTANT FINAL END_TURN",
        ]
    );
    assert!(greeting.session_id.starts_with("simulated-"));

    let words =
        "There is a brown dog, and it is running after a red ball because somebody threw it over the bench.";
    conversation.say(words).await;
    conversation.silence(1_600).await;
    let answer = conversation.answer().await;
    assert_eq!(answer.user.join(" "), words);
    assert!(answer.user.len() > 1, "a long text comes in several blocks");
    assert_eq!(answer.said, answer.planned);
    assert_eq!(answer.heard(), answer.said.iter().map(|words| text(words)).collect::<Vec<_>>());
    assert_eq!(answer.said[1], "What is the weather like?");
    let usage = answer.usage.last().unwrap();
    assert!(usage["details"]["total"]["input"]["speechTokens"].as_u64() > Some(50), "{usage}");

    let rest = conversation.close().await;
    assert_eq!(rest.last().unwrap().0, "completionEnd");
    let (_, record) = setup.control(&format!("/streams/{}", answer.session_id), None).await;
    assert_eq!(record["end"], "over");
    let spoken = infra::simulator::audible::encode(words, 16_000).len();
    assert_eq!(record["audioBytes"], 2 * (spoken + 1_600 * 16));
    assert!(setup.folder.path().join("ca.pem").exists());
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_refused() {
    let setup = Setup::start(verify).await;
    let failure = Conversation::open(&setup.bedrock_with("wrong"), SONIC).await.err().unwrap();
    assert_eq!(failure.code.as_deref(), Some("InvalidSignatureException"), "{failure:?}");
    std::fs::write(setup.folder.path().join("keys"), "AKIDOTHER=secret").unwrap();
    let failure = Conversation::open(&setup.bedrock(), SONIC).await.err().unwrap();
    assert_eq!(failure.code.as_deref(), Some("UnrecognizedClientException"), "{failure:?}");
}
