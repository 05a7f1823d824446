//! The command that builds, starts, monitors and stops the whole service, and starts a process again when it dies. The
//! ingress uses Redis, as in production, if it is installed; a single task does not need it.

mod bedrock;

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use events::workers::Worker;
use infra::{
    local::{
        AwsBedrock, Change, Part, Progress, Service, SpeechModelOptions, Stack, StackOptions, build,
        build_page, is_free, ministack, workspace,
    },
    simulator::{Speech, SpeechMode},
};

use crate::{console::Console, run_file::RunFolder, signals::StopSignals};
use bedrock::{BedrockArguments, Chosen};

/// The interval of the health checks of the processes.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// The longest time for a process to stop. Workers could drain for longer, but the state of the local cloud is lost anyway.
const STOP_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct UpOptions {
    /// The port of the service.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// A worker that is not started; may be repeated. Its messages wait in its queue.
    #[arg(long, value_name = "NAME", value_parser = worker_name())]
    without: Vec<Worker>,
    /// Seconds that stand for a minute of CloudWatch: so often the queues are sampled and the alarms are evaluated.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    alarm_period: u64,
    /// Whether the simulated tutor understands a voice and answers with one. The program for it is installed once, 119 MB.
    #[arg(long, value_enum, default_value_t = SpeechMode::Auto)]
    speech: SpeechMode,
    #[command(flatten)]
    model: SpeechModelOptions,
    #[command(flatten)]
    bedrock: BedrockArguments,
}

/// Parses the name of a worker. The error lists all names.
fn worker_name() -> impl TypedValueParser<Value = Worker> {
    PossibleValuesParser::new(Worker::ALL.map(Worker::name)).map(|name| {
        let worker = Worker::ALL.into_iter().find(|worker| worker.name() == name);
        worker.expect("clap admits the names of the list only")
    })
}

pub(super) async fn run(arguments: UpOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let port = arguments.port;
    if !is_free(port) {
        bail!(
            "port {port} is in use; stop the process that uses it, or choose another port with `cargo run -- --port N`"
        );
    }
    let aws = match Box::pin(arguments.bedrock.choose(console)).await? {
        Chosen::Nothing(code) => return Ok(code),
        Chosen::Simulator => None,
        Chosen::Aws(aws, cost) => Some((*aws, cost)),
    };
    let mut stop = StopSignals::listen()?;
    let folder = RunFolder::take(workspace())?;
    // Dropping the start in the middle ends everything that it started.
    let stack = tokio::select! {
        started = Box::pin(start(&arguments, aws, &folder, console)) => started?,
        () = stop.next() => {
            console.line("Stopped.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let outcome = tokio::select! {
        gave_up = stack.supervise(|change| show(change, console)) => Err(gave_up),
        () = stop.next() => Ok(()),
        () = follow(&stack, console) => Ok(()),
        () = bedrock::follow_spending(&stack, console) => Ok(()),
    };
    if stack.simulator().is_none() {
        show_balance(&stack, console).await;
    }
    let progress = console.progress();
    progress.begin("Stopping");
    progress.detail("Ctrl-C again to stop at once");
    tokio::select! {
        _ = stack.stop(STOP_GRACE) => progress.end(""),
        () = stop.next() => progress.end("at once"),
    }
    outcome.context("everything was stopped; start again with `cargo run`")?;
    Ok(ExitCode::SUCCESS)
}

/// What the run has cost. The cloud may have died.
async fn show_balance(stack: &Stack, console: &Console) {
    match bedrock::balance(stack).await {
        Ok(lines) => lines.iter().for_each(|line| console.line(line)),
        Err(error) => console.line(&format!("! What the models have cost is not known: {error:#}")),
    }
}

async fn start(
    arguments: &UpOptions,
    aws: Option<(AwsBedrock, u64)>,
    folder: &RunFolder,
    console: &Console,
) -> anyhow::Result<Stack> {
    let progress = console.progress();
    // First what is most likely to be missing on a new machine.
    progress.begin("Installing the local cloud");
    ministack().command(&progress).await?;
    progress.end("");
    // The real models hear and speak by themselves.
    let mode = if aws.is_some() { SpeechMode::Off } else { arguments.speech };
    let speech = tokio::spawn(try_speech(mode, arguments.model.clone()));
    progress.begin("Building the service");
    let binaries = build(&progress).await?;
    progress.end("");
    let page = page(&progress).await;
    let speech = speech.await.context("the speech program was not tried")?;
    if let (SpeechMode::On, Err(error)) = (mode, &speech) {
        bail!("{error:#}");
    }
    let web_dir = |page: &PathBuf| (Service::Ingress, "NOVA_WEB_DIR".to_owned(), page.display().to_string());
    let options = StackOptions {
        ingress_port: Some(arguments.port),
        services: services(&arguments.without),
        redis: true,
        alarm_period: Some(Duration::from_secs(arguments.alarm_period)),
        environment: page.as_ref().ok().map(web_dir).into_iter().collect(),
        simulator_arguments: match speech {
            Ok(true) => {
                [vec!["--speech".to_owned(), "auto".to_owned()], arguments.model.arguments()].concat()
            }
            Ok(false) | Err(_) => Vec::new(),
        },
        bedrock: aws.as_ref().map(|(aws, _)| aws.clone()),
        progress: progress.clone(),
        ..StackOptions::new(folder.state_dir(), binaries)
    };
    let stack = Stack::start(options).await?;
    if let Some((_, cost)) = aws {
        stack.spending().add(cost, jiff::Timestamp::now()).await?;
    }
    folder.publish(&stack.run_file(folder.state_dir())?)?;
    console.line(&format!("\nNova English runs at {}", stack.url()));
    console.line(&format!("Logs: {}", folder.state_dir().display()));
    for worker in &arguments.without {
        console.line(&format!("Without {worker}: its messages wait"));
    }
    if let Err(error) = page {
        console.line(&format!("There is no web page, only the API: {error:#}"));
    }
    if let Err(error) = speech {
        console.line(&format!(
            "The simulated tutor understands no voice, only the demo and typed text: {error:#}"
        ));
    }
    if !stack.parts().any(|part| part == Part::Redis) {
        console.line(
            "There is no redis-server on the PATH: the ingress keeps in its process what tasks would share",
        );
    }
    let demo = if stack.simulator().is_some() { "demo" } else { "demo --voice" };
    console.line(&format!("Talk to it from another terminal: cargo run -- {demo}"));
    console.line("Ctrl-C stops everything.\n");
    Ok(stack)
}

/// All services but the workers `without`.
fn services(without: &[Worker]) -> Vec<Service> {
    let without: Vec<Service> = without.iter().copied().map(Service::from).collect();
    Service::all().filter(|service| !without.contains(service)).collect()
}

/// Installs the speech program beside the build and tries whether it loads. Returns whether the simulator has it.
async fn try_speech(mode: SpeechMode, model: SpeechModelOptions) -> anyhow::Result<bool> {
    if mode != SpeechMode::Off {
        Speech::start(&model, &Progress::silent()).await?;
    }
    Ok(mode != SpeechMode::Off)
}

/// Builds the page. The API starts without it, too.
async fn page(progress: &Progress) -> anyhow::Result<PathBuf> {
    progress.begin("Building the web page");
    let page = build_page(workspace(), progress).await;
    match &page {
        Ok(_) => progress.end(""),
        Err(_) => progress.fail("the API starts without it"),
    }
    page
}

fn show(change: &Change<'_>, console: &Console) {
    console.line(&match change {
        Change::Failed { part, error, restart_in } => {
            let seconds = restart_in.as_secs_f64();
            format!("! {part} died and starts again in {seconds:.1} s: {error:#}")
        }
        Change::Restarted { part } => format!("✓ {part} runs again"),
    });
}

/// Reports when a process becomes unhealthy, and when it is healthy again.
async fn follow(stack: &Stack, console: &Console) {
    let mut ill = BTreeSet::new();
    loop {
        tokio::time::sleep(HEALTH_INTERVAL).await;
        for (instance, healthy) in stack.health().await {
            if healthy && ill.remove(&instance) {
                console.line(&format!("✓ {instance} is healthy again"));
            } else if !healthy && ill.insert(instance) {
                console.line(&format!("! {instance} is not healthy"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_that_is_left_out_is_no_service_of_the_stack() {
        let all: BTreeSet<Service> = Service::all().collect();
        let left = BTreeSet::from_iter(services(&[Worker::Progress, Worker::Alerts]));
        let left_out: BTreeSet<Service> = all.difference(&left).copied().collect();
        assert_eq!(left_out, [Worker::Progress, Worker::Alerts].map(Service::from).into());
        assert_eq!(BTreeSet::from_iter(services(&[])), all);
    }
}
