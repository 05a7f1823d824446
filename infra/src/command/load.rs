//! `nova load`: builds the service, runs a load test on this machine, and shows the report.

use std::{fs, process::ExitCode};

use anyhow::Context as _;
use infra::{
    load::{self, CONVERSATIONS_MAX, LoadOptions, SECONDS_MAX},
    local::{build, ministack, workspace},
};

use crate::{console::Console, signals::StopSignals};

#[derive(Debug, clap::Args)]
#[command(after_long_help = FIGURES)]
pub(super) struct Options {
    /// Number of concurrent conversations.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=CONVERSATIONS_MAX as u64))]
    conversations: u64,
    /// Length of the measured window.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// Conversations opened per second.
    #[arg(long, default_value_t = 25.0)]
    opens_per_second: f64,
    /// Let the system choose the processor of the server. Otherwise the first processor is reserved for the server,
    /// which has one worker thread, and everything else shares the others.
    #[arg(long)]
    no_pin: bool,
}

const FIGURES: &str = "\
Procedure: the command starts the local cloud, a model of AWS in memory, the Bedrock simulator and the ingress \
as separate processes. Only the workers do not run; they never communicate with the ingress. The local cloud has \
the user pool and the roles; journal, recordings and events go to the model, which does not fall behind. One \
conversation warms the processes up. Then all conversations open at an even rate; three seconds after the last \
one the window begins. Each learner speaks for about two seconds, waits, hears the response in real time, and \
speaks again; the microphone never stops. At the end each conversation completes its exchange and ends in order.

Completed / failed / wrong transcripts: conversations that ended in order; conversations that were refused or \
broke off; conversations with a journalled turn that is not word for word what was said or heard. The audio is \
audible text, so one lost, doubled or exchanged sample changes a word.

Server CPU: processor time of the ingress, user and system, by its own process clock, divided by the sum of the \
seconds in which conversations were open in the window. It falls with the number of conversations: quote it only \
with that number.

Server wake-ups: how often a thread of the ingress slept and woke up again.

Server memory: the highest resident memory in the window, minus that of the ingress after the warm-up, divided \
by the number of conversations. With few conversations it varies by chance.

Added latency up and down: for each frame of the window, from the learner's send until the simulator has read \
it, and from the simulator's send until the learner has read it. The audio carries stamps of the machine's \
monotonic clock, which the receivers remove. The latency contains the receivers' own delays, so it is an upper \
bound of what the ingress adds.

Opening: from the request for a conversation until the client receives `ready`.

Generator late: how late the generator sent its frames. A timer of the runtime is 1 ms late by itself.

Cores: processors used by the load generator, by the simulator, by the model of AWS with the local cloud, and by \
other work on the machine.

Reference: processor time of the SHA-256 of 2119 bytes during the load, the median of the window. It shows the \
speed of the machine: on a shared machine it differs from hour to hour, and the server's processor time with it.

Warnings: a dev build, a fully used processor, a late generator or other work on the machine distorts the \
figures. The last line is the report as JSON. The command fails if a conversation failed or a word is wrong.

On 2 processors a bare relay on the AWS SDK, without state, journal or recordings, needs 1.67 ms and 150 KB at \
200 conversations, with a reference of 1217 ns. The limits for this server are 2.5 ms, 300 KB and 10 ms at p99.";

pub(super) async fn run(options: Options, console: &Console) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::listen()?;
    let progress = console.progress();
    progress.begin("Installing the local cloud");
    ministack().command(&progress).await?;
    progress.end("");
    progress.begin("Building the service");
    let binaries = build(&progress).await?;
    progress.end("");
    let state_dir = workspace().join(format!(".nova/load-{}", std::process::id()));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let load = LoadOptions {
        conversations: usize::try_from(options.conversations).context("the number is below the limit")?,
        seconds: options.seconds,
        opens_per_second: options.opens_per_second,
        pinned: !options.no_pin && processors > 1,
        state_dir: state_dir.clone(),
        binaries,
        progress,
    };
    let report = tokio::select! {
        report = load::run(&load) => report.with_context(|| format!("logs: {}", state_dir.display()))?,
        () = stop.next() => anyhow::bail!("stopped"),
    };
    console.line("");
    for line in report.table() {
        console.line(&line);
    }
    for warning in &report.warnings {
        console.line(&format!("! {warning}"));
    }
    for problem in &report.troubles {
        console.line(&format!("✗ {problem}"));
    }
    console.line(&report.json());
    if report.is_clean() {
        fs::remove_dir_all(&state_dir).context("cannot remove the logs")?;
        return Ok(ExitCode::SUCCESS);
    }
    console.line(&format!("Logs: {}", state_dir.display()));
    Ok(ExitCode::FAILURE)
}
