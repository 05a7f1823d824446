//! A learner in a real browser, with the page that the service serves: `ingress/web/e2e` drives Chromium, this gives it a
//! running system and a microphone that plays audible text or a voice.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use infra::{
    client::PASSWORD,
    local::{Progress, Service, SpeechModelOptions, build_page, install_chromium, workspace},
    simulator::{Speech, audible},
};
use tests::system::{Delivery, System};
use tokio::process::Command;

use crate::beside_others;

/// What the learner says in tones.
const WORDS: &str = "a man is selling red apples";

/// What the learner says with a voice, one sentence after the tutor's reply to the other.
const SENTENCES: [&str; 2] = [
    "I can see a man who is selling red apples at the market.",
    "The woman is carrying a basket of vegetables.",
];

/// Silence before the words, in seconds: the tutor's greeting takes less.
const LEAD_SECONDS: u32 = 10;

/// Silence between two sentences, in seconds: the tutor's reply takes less.
const REPLY_SECONDS: u32 = 14;

/// Silence after the words, in seconds: the browser's microphone ends with the file.
const TRAIL_SECONDS: u32 = 120;

/// The rate at which Chromium plays the file with the least damage.
const RATE_HZ: u32 = 48_000;

/// Time for a script: less than a third of it on two idle processors.
const TIMEOUT: Duration = Duration::from_secs(400);

const ANALYST: &str = "analyst@nova.example";

#[tokio::test(flavor = "multi_thread")]
async fn learner_in_a_browser_talks_and_sees_the_result() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let page = page().await?;
    let speech = Speech::start(&SpeechModelOptions::default(), &Progress::silent()).await?;
    let system = System::start_with("browser", Delivery::Once, |options| {
        options.environment.push(page);
        options.simulator_arguments.extend(["--speech", "on"].map(str::to_owned));
    })
    .await?;
    system.sign_up_to_group(ANALYST, "analysts").await?;
    let folder = tempfile::tempdir()?;
    let wav = |name: &str| folder.path().join(name).display().to_string();
    let (once, endless, voice) = (wav("once.wav"), wav("endless.wav"), wav("voice.wav"));
    let words = audible::encode(WORDS, RATE_HZ);
    write_wav(&once, [silence(LEAD_SECONDS), words.clone(), silence(TRAIL_SECONDS)])?;
    write_wav(&endless, [words])?;
    let mut said = vec![silence(LEAD_SECONDS)];
    for sentence in SENTENCES {
        said.extend([speech.speak(RATE_HZ, sentence).await?, silence(REPLY_SECONDS)]);
    }
    drop(speech);
    write_wav(&voice, said.into_iter().chain([silence(TRAIL_SECONDS)]))?;

    let url = system.stack.url();
    run("learner.mjs", &[url, &once, WORDS, ANALYST, PASSWORD]).await?;
    run("barge-in.mjs", &[url, &endless]).await?;
    run("speech.mjs", &[url, &voice, SENTENCES[0], SENTENCES[1]]).await?;
    system.stop().await
}

/// Runs a script to its end.
async fn run(name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = tokio::time::timeout(TIMEOUT, script(name).args(arguments).output()).await;
    let output = output.with_context(|| format!("{name} did not finish"))??;
    let printed =
        [output.stdout, output.stderr].map(|printed| String::from_utf8_lossy(&printed).into_owned());
    ensure!(output.status.success(), "{name}: {}", printed.concat());
    Ok(())
}

/// Installs Chromium and builds the page; returns the setting with which the ingress serves it.
pub(crate) async fn page() -> anyhow::Result<(Service, String, String)> {
    let progress = Progress::silent();
    install_chromium(&progress).await?;
    let page = build_page(workspace(), &progress).await?;
    Ok((Service::Ingress, "NOVA_WEB_DIR".to_owned(), page.display().to_string()))
}

/// A script of `ingress/web/e2e`, without its arguments.
pub(crate) fn script(name: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("e2e/{name}")).current_dir(workspace().join("ingress/web")).kill_on_drop(true);
    node
}

fn silence(seconds: u32) -> Vec<i16> {
    vec![0; (seconds * RATE_HZ) as usize]
}

fn write_wav(path: &str, parts: impl IntoIterator<Item = Vec<i16>>) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in parts.into_iter().flatten() {
        writer.write_sample(sample)?;
    }
    Ok(writer.finalize()?)
}
