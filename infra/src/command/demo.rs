//! One complete spoken conversation, and what comes of it.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use events::contract::{Speaker, Turn};
use infra::{
    learner::{Conversation, Learner, Line, Moment, Script, read_wav},
    local::{Picture, RunFile, catalogue, http_client, workspace},
};
use uuid::Uuid;

use super::results::{self, AlertTap};
use crate::{console::Console, signals::StopSignals};

/// How much faster than a person the impatient talk.
const FAST: f64 = 8.0;

/// How long the service may take to respond: the restart of an ingress.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct DemoOptions {
    /// Talk several times faster than a person.
    #[arg(long)]
    fast: bool,
    /// Say this recording (WAV, at most 30 s) instead of the prepared sentences. The simulated tutor cannot
    /// understand human speech and says so; Amazon Nova Sonic can.
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// The picture to talk about.
    #[arg(long, value_name = "ID", default_value = "street-market")]
    picture: String,
}

pub(super) async fn run(arguments: DemoOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let script = script(&arguments)?;
    let run = RunFile::read(workspace())?;
    let mut stop = StopSignals::listen()?;
    let tap = AlertTap::open(&run).await?;
    let shown = tokio::select! {
        shown = show(&run, &script, &tap, console) => shown,
        () = stop.next() => Err(anyhow::anyhow!("stopped")),
    };
    let closed = tap.close().await;
    let code = shown?;
    closed?;
    Ok(code)
}

async fn show(run: &RunFile, script: &Script, tap: &AlertTap, console: &Console) -> anyhow::Result<ExitCode> {
    let progress = console.progress();
    progress.begin("Signing a learner up");
    await_service(run).await?;
    let email = format!("learner-{}@nova.example", Uuid::new_v4().simple());
    let learner = Learner::sign_up(&run.cloud_endpoint, &run.outputs.client_id, &run.url, &email).await?;
    progress.end(&email);
    console.line(&format!("\nThe conversation, about the picture {:?}", script.image_id));
    let conversation =
        Box::pin(learner.converse_observed(script, |moment| print_moment(moment, console))).await?;
    summarise(&conversation, script, console);
    console.line("\nWhat comes of it");
    let spoken = results::Spoken { user_id: learner.user_id(), conversation: &conversation, script };
    let arrived = results::show(run, &spoken, tap, console).await;
    Ok(if arrived { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until the service of the run file is healthy: an ingress that died is started again.
async fn await_service(run: &RunFile) -> anyhow::Result<()> {
    let http = http_client()?;
    let healthy = async {
        loop {
            let health = http.get(format!("{}/health", run.url)).send().await;
            if health.is_ok_and(|health| health.status().is_success()) {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let waited = tokio::time::timeout(SERVICE_TIMEOUT, healthy).await;
    waited.with_context(|| {
        format!("the service at {} does not respond; start it again with `cargo run`", run.url)
    })
}

fn script(arguments: &DemoOptions) -> anyhow::Result<Script> {
    let pictures = catalogue()?;
    let picture = pictures.iter().find(|picture| picture.image_id == arguments.picture);
    let Some(picture) = picture else {
        let ids: Vec<&str> = pictures.iter().map(|picture| picture.image_id.as_str()).collect();
        bail!("there is no picture {:?}; choose one of {}", arguments.picture, ids.join(", "));
    };
    let mut script = Script::new(&picture.image_id, sentences(picture));
    if let Some(wav) = &arguments.wav {
        script.lines = vec![Line::Recording(recording(wav)?)];
    }
    Ok(if arguments.fast { script.at_pace(FAST) } else { script })
}

fn recording(wav: &Path) -> anyhow::Result<Vec<i16>> {
    let file = File::open(wav).with_context(|| format!("cannot open {}", wav.display()))?;
    read_wav(BufReader::new(file)).with_context(|| format!("cannot use {}", wav.display()))
}

/// What somebody could say of any picture, in the words of this one. It has the slips of a learner.
fn sentences(picture: &Picture) -> Vec<String> {
    let word = |n: usize| picture.vocabulary.get(n).map_or("many things", String::as_str);
    vec![
        format!("Hello! I want to talk about the picture \"{}\".", picture.title),
        format!("I can see the {} and the {} in the middle.", word(0), word(1)),
        format!("There is also a {}. I think the people is very busy today.", word(2)),
        "Yesterday I go to a place like this with my sister, and we had a good time.".to_owned(),
    ]
}

fn print_moment(moment: &Moment, console: &Console) {
    match moment {
        Moment::Model { simulated: true } => console.line("  (the tutor is simulated)"),
        Moment::Turn(turn) => console.line(&format!("  {}", line(turn))),
        Moment::Flush => console.line("  (the tutor was interrupted)"),
        Moment::Reconnecting => console.line("  (the model was lost for a moment)"),
        Moment::Resumed => console.line("  (and is back)"),
        Moment::Moving => console.line("  (the connection was lost)"),
        Moment::Back => console.line("  (and is there again)"),
        Moment::Ready { .. } | Moment::Model { .. } | Moment::Speaking(_) | Moment::Caption { .. } => {}
    }
}

/// A turn as one line: when, who, what.
pub(super) fn line(turn: &Turn) -> String {
    let who = match turn.speaker {
        Speaker::Learner => "learner",
        Speaker::Tutor => "tutor  ",
    };
    format!("{:6.1} s  {who}  {}", turn.start_ms as f64 / 1000.0, turn.text)
}

fn summarise(conversation: &Conversation, script: &Script, console: &Console) {
    let latencies = &conversation.answer_latencies;
    let slowest = latencies.iter().max().map_or(0.0, |slowest| slowest.as_secs_f64() * script.pace);
    console.line(&format!(
        "  {} turns; the slowest answer began {slowest:.1} s after the end of the learner's turn",
        conversation.turn_count
    ));
}
