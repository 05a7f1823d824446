//! A learner in a real browser, with the page that the service serves: `ingress/web/e2e` drives Chromium, this gives it a
//! running system and a microphone that plays audible text.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use infra::{
    local::{Progress, Service, build_page, install_chromium, workspace},
    simulator::audible,
};
use tests::system::{Delivery, System};
use tokio::process::Command;

use crate::beside_others;

/// What the learner says.
const WORDS: &str = "a man is selling red apples";

/// Silence before the words, in seconds: the tutor's greeting takes less.
const LEAD_SECONDS: u32 = 10;

/// Silence after the words, in seconds: the browser's microphone ends with the file.
const TRAIL_SECONDS: u32 = 120;

/// The rate at which Chromium plays the file with the least damage.
const RATE_HZ: u32 = 48_000;

/// Time for both learners: about 70 s on two idle processors.
const TIMEOUT: Duration = Duration::from_secs(400);

#[tokio::test(flavor = "multi_thread")]
async fn learner_in_a_browser_talks_and_sees_the_result() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let page = page().await?;
    let system =
        System::start_with("browser", Delivery::Once, |options| options.environment.push(page)).await?;
    let folder = tempfile::tempdir()?;
    let wav = folder.path().join("microphone.wav");
    write_wav(&wav)?;
    let mut browser = script("learner.mjs");
    browser.arg(system.stack.url()).arg(&wav).arg(WORDS);
    let output =
        tokio::time::timeout(TIMEOUT, browser.output()).await.context("the browser did not finish")??;
    let printed =
        [output.stdout, output.stderr].map(|printed| String::from_utf8_lossy(&printed).into_owned());
    ensure!(output.status.success(), "{}", printed.concat());
    system.stop().await
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

fn write_wav(path: &Path) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    let silence = |seconds: u32| std::iter::repeat_n(0_i16, (seconds * RATE_HZ) as usize);
    for sample in silence(LEAD_SECONDS).chain(audible::encode(WORDS, RATE_HZ)).chain(silence(TRAIL_SECONDS)) {
        writer.write_sample(sample)?;
    }
    Ok(writer.finalize()?)
}
