//! `nova demo`: one spoken conversation with the running service, and its results.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use events::contract::{Speaker, live::SAMPLE_RATE_HZ};
use infra::{
    client::{Accounts, Conversation, Line, Script, SessionEvent, WordErrors, read_wav},
    local::{Picture, RunFile, SpeechModelOptions, catalogue, http_client, workspace},
    simulator::Speech,
};
use uuid::Uuid;

use super::results::{self, AlertTap, Spoken, turn_line};
use crate::{console::Console, signals::StopSignals};

/// The pace of `--fast`.
const FAST_PACE: f64 = 8.0;

/// How long the service may take to respond: the restart of an ingress.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct DemoOptions {
    /// Speak and listen 8 times faster than real time.
    #[arg(long)]
    fast: bool,
    /// Send this recording (WAV, at most 30 s) instead of the prepared sentences, and print what was recognised. The
    /// simulated tutor understands it unless the service runs with `--speech off`.
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// Say the prepared sentences with a voice instead of tones, and print the word error rate. The program for it is
    /// installed once, 119 MB.
    #[arg(long, conflicts_with = "wav")]
    voice: bool,
    /// The picture of the conversation.
    #[arg(long, value_name = "ID", default_value = "street-market")]
    picture: String,
}

pub(super) async fn run(arguments: DemoOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let mut script = script(&arguments)?;
    let sentences = if arguments.voice { Some(speak(&mut script, console).await?) } else { None };
    let run = RunFile::read(workspace())?;
    if run.simulator.is_none() && script.lines.iter().any(|line| line.text().is_some()) {
        bail!("the service runs with the real models, which understand no tones; give --voice or --wav FILE");
    }
    let mut stop = StopSignals::listen()?;
    let tap = AlertTap::open(&run).await?;
    let shown = tokio::select! {
        shown = show(&run, &script, sentences.as_deref(), &tap, console) => shown,
        () = stop.next() => Err(anyhow::anyhow!("stopped")),
    };
    let closed = tap.close().await;
    let code = shown?;
    closed?;
    Ok(code)
}

async fn show(
    run: &RunFile,
    script: &Script,
    sentences: Option<&str>,
    tap: &AlertTap,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    let progress = console.progress();
    progress.begin("Signing a learner up");
    await_service(run).await?;
    let email = format!("learner-{}@nova.example", Uuid::new_v4().simple());
    let accounts = Accounts::new(&run.url)?;
    let learner = accounts.sign_up(&email).await?;
    progress.end(&email);
    let image_id = &script.image_id;
    let pace = if script.pace > 1.0 {
        format!(", {} times faster than real time", script.pace)
    } else {
        String::new()
    };
    console.line(&format!("\nThe conversation about the picture {image_id:?}{pace}"));
    let conversation =
        Box::pin(learner.converse_observed(script, |event| print_event(event, console))).await?;
    print_summary(&conversation, script, console);
    print_recognised(&conversation, script, sentences, console);
    console.line("\nThe results");
    let spoken = Spoken { learner: &learner, id: conversation.conversation_id, script };
    let arrived = results::show(run, spoken, tap, console).await;
    Ok(if arrived { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Turns the sentences of a script into a voice, and returns them.
async fn speak(script: &mut Script, console: &Console) -> anyhow::Result<String> {
    let progress = console.progress();
    progress.begin("Preparing the voice");
    let speech = Speech::start(&SpeechModelOptions::default(), &progress).await?;
    let mut sentences = String::new();
    for line in &mut script.lines {
        let Some(text) = line.text() else { continue };
        let samples = speech.speak(SAMPLE_RATE_HZ, text).await?;
        sentences.push_str(text);
        sentences.push(' ');
        *line = Line::Recording(samples);
    }
    progress.end("");
    Ok(sentences)
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
    Ok(if arguments.fast { script.at_pace(FAST_PACE) } else { script })
}

fn recording(wav: &Path) -> anyhow::Result<Vec<i16>> {
    let file = File::open(wav).with_context(|| format!("cannot open {}", wav.display()))?;
    read_wav(BufReader::new(file)).with_context(|| format!("cannot use {}", wav.display()))
}

/// Sentences that suit any picture, with the vocabulary of this one and with mistakes of a learner.
fn sentences(picture: &Picture) -> Vec<String> {
    let word = |n: usize| picture.vocabulary.get(n).map_or("many things", String::as_str);
    vec![
        format!("Hello! I want to talk about the picture \"{}\".", picture.title),
        format!("I can see the {} and the {} in the middle.", word(0), word(1)),
        format!("There is also a {}. I think the people is very busy today.", word(2)),
        "Yesterday I go to a place like this with my sister, and we had a good time.".to_owned(),
    ]
}

fn print_event(event: &SessionEvent, console: &Console) {
    match event {
        SessionEvent::Model { simulated: true } => console.line("  (the tutor is simulated)"),
        SessionEvent::Turn(turn) => console.line(&format!("  {}", turn_line(turn))),
        SessionEvent::Flush => console.line("  (the tutor was interrupted)"),
        SessionEvent::ModelLost => console.line("  (the service has lost the model)"),
        SessionEvent::ModelRestored => console.line("  (the model is available again)"),
        SessionEvent::ConnectionLost => console.line("  (the connection is lost)"),
        SessionEvent::Reconnected => console.line("  (the client has reconnected)"),
        SessionEvent::Ready
        | SessionEvent::Model { .. }
        | SessionEvent::Speaking(_)
        | SessionEvent::Caption { .. } => {}
    }
}

fn print_summary(conversation: &Conversation, script: &Script, console: &Console) {
    let latencies = &conversation.answer_latencies;
    let slowest = latencies.iter().max().map_or(0.0, |slowest| slowest.as_secs_f64() * script.pace);
    console.line(&format!(
        "  {} turns; the slowest response began {slowest:.1} s after the end of the learner's turn, at real-time pace",
        conversation.turn_count
    ));
}

/// What was recognised of a recording, or how well a voice was understood that said `sentences`.
fn print_recognised(
    conversation: &Conversation,
    script: &Script,
    sentences: Option<&str>,
    console: &Console,
) {
    if script.lines.iter().all(|line| line.text().is_some()) {
        return;
    }
    let turns = conversation.turns.iter().filter(|turn| turn.speaker == Speaker::Learner);
    let recognised = turns.map(|turn| turn.text.as_str()).collect::<Vec<_>>().join(" ");
    console.line(&match sentences {
        Some(sentences) => {
            format!("  word error rate {}", WordErrors::between(sentences, &recognised))
        }
        None => format!("  recognised: {recognised}"),
    });
}
