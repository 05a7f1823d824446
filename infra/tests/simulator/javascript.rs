//! The JavaScript SDK as a client: `tests/js/client.mjs` in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};
use infra::simulator::audible;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::client::{Answer, SONIC};
use super::{SECRET, Setup, text, verify};

/// Installing from a registry, on a slow line.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);
const RUN_LIMIT: Duration = Duration::from_secs(60);

static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();

/// A copy of the client with its pinned packages, outside of the source tree.
async fn client() -> &'static Path {
    CLIENT.get_or_init(install).await
}

async fn install() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/js");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulator-js");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::read(source.join("package-lock.json")).unwrap();
    let installed = std::fs::read(folder.join("installed.json")).is_ok_and(|installed| installed == lock);
    for name in ["package.json", "package-lock.json", "client.mjs"] {
        std::fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    if !installed {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder)
            .kill_on_drop(true);
        let output =
            tokio::time::timeout(INSTALL_LIMIT, npm.output()).await.expect("npm ci ends in time").unwrap();
        assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(folder.join("installed.json"), lock).unwrap();
    }
    folder
}

/// Runs the client and returns its lines.
async fn run(setup: &Setup, secret: &str, arguments: &[&str], stdin: &[u8]) -> Vec<Value> {
    let mut child = Command::new("node")
        .arg("client.mjs")
        .args(arguments)
        .current_dir(client().await)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", setup.simulator.endpoint())
        .env("NODE_EXTRA_CA_CERTS", setup.simulator.ca_file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed");
    let mut input = child.stdin.take().unwrap();
    // A client that reads no input closes it.
    let _closed = input.write_all(stdin).await;
    drop(input);
    let output =
        tokio::time::timeout(RUN_LIMIT, child.wait_with_output()).await.expect("the client ends").unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn pcm(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[tokio::test]
async fn a_conversation_from_a_wav_file_with_every_signature_verified() {
    let setup = Setup::start(verify).await;
    let words = "I think the dog is chasing a small red ball.";
    let wav = setup.folder.path().join("words.wav");
    let spec =
        WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(&wav, spec).unwrap();
    for sample in audible::encode(words, 16_000) {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();

    let mut lines = run(&setup, SECRET, &["speak", SONIC, wav.to_str().unwrap()], &[]).await;
    assert_eq!(lines.pop().unwrap(), serde_json::json!({ "streamEnd": {} }));
    let mut answer = Answer::default();
    for line in &lines {
        let (name, fields) = line.as_object().unwrap().iter().next().unwrap();
        answer.take(name, fields);
    }
    assert_eq!(answer.user, [words]);
    assert_eq!(answer.said, ["Well said. So there is a small red ball.", "What is the dog doing?"]);
    assert_eq!(answer.heard(), answer.said.iter().map(|words| text(words)).collect::<Vec<_>>());
    assert_eq!(answer.order.last().unwrap(), "completionEnd");
}

#[tokio::test]
async fn a_lost_piece_of_audio_is_a_wrong_transcript() {
    let setup = Setup::start(|_, _| {}).await;
    let mut bytes = pcm(&audible::encode("every word of this counts", 16_000));
    bytes.drain(20_000..20_640);
    let lines = run(&setup, SECRET, &["speak", SONIC], &bytes).await;
    let said = lines.iter().find_map(|line| line.get("textOutput")).unwrap();
    assert_eq!(said["role"], "USER");
    assert_ne!(said["content"], "every word of this counts");
    let answer: Vec<&str> =
        lines.iter().filter_map(|line| line.get("textOutput")?.get("content")?.as_str()).skip(1).collect();
    assert!(answer.contains(&"Please say that again."), "{answer:?}");
}

#[tokio::test]
async fn errors_before_the_stream_have_their_names_and_status() {
    let setup = Setup::start(verify).await;
    for (secret, model, name, status) in [
        ("wrong", SONIC, "InvalidSignatureException", 403),
        (SECRET, "amazon.nova-sonic-v1:0", "ResourceNotFoundException", 404),
        (SECRET, "amazon.nova-9-sonic-v1:0", "ValidationException", 400),
    ] {
        let lines = run(&setup, secret, &["speak", model], &[]).await;
        assert_eq!(
            (lines[0]["error"].as_str(), lines[0]["status"].as_u64()),
            (Some(name), Some(status)),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn converse_answers_and_says_that_it_is_simulated() {
    let setup = Setup::start(verify).await;
    let model = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let lines = run(&setup, SECRET, &["converse", model, "Hello"], &[]).await;
    assert_eq!(lines[0]["stopReason"], "end_turn");
    assert_eq!(lines[0]["simulated"], true);
    assert!(lines[0]["text"].as_str().unwrap().contains("simulated"));
}
