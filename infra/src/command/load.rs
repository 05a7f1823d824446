//! `nova load`: builds the service, runs a load test on this machine, and shows the report.

use std::{fs, process::ExitCode};

use anyhow::Context as _;
use infra::{
    load::{self, CONVERSATIONS_MAX, Comparison, LoadOptions, ROUNDS_MAX, Report, SECONDS_MAX, STEPS_MAX},
    local::{build, ministack, workspace},
};

use crate::{console::Console, signals::StopSignals};

#[derive(Debug, clap::Args)]
#[command(after_long_help = FIGURES)]
pub(super) struct Options {
    /// Number of concurrent conversations.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=CONVERSATIONS_MAX as u64))]
    conversations: u64,
    /// Several numbers of concurrent conversations, one after the other, for example 10,50,100,200
    #[arg(long, value_name = "N,N", value_delimiter = ',', num_args = 1..=STEPS_MAX, conflicts_with = "conversations", value_parser = clap::value_parser!(u64).range(1..=CONVERSATIONS_MAX as u64))]
    steps: Vec<u64>,
    /// Measure the reference relay in turns with the service, and print the ratio of their costs.
    #[arg(long)]
    compare: bool,
    /// How often everything is measured [default: 1, with --compare 3]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX as u64))]
    rounds: Option<u64>,
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

/// Rounds of a comparison: fewer say nothing about the spread.
const COMPARED_ROUNDS: u64 = 3;

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

Comparison: the reference relay copies audio between the client and the model, on the AWS SDK and its own signer, \
without accounts, state, journal or recordings. With --compare it is measured in turns with the service, each time with a \
fresh process and with the same learners. The table has medians, and the range of the rounds; the ratio is that of each \
round. Compare ratios, not figures of different hours.";

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
    let steps = if options.steps.is_empty() { vec![options.conversations] } else { options.steps };
    let count = |number| usize::try_from(number).context("the number is below the limit");
    let load = LoadOptions {
        steps: steps.into_iter().map(count).collect::<anyhow::Result<_>>()?,
        rounds: count(options.rounds.unwrap_or(if options.compare { COMPARED_ROUNDS } else { 1 }))?,
        compare: options.compare,
        seconds: options.seconds,
        opens_per_second: options.opens_per_second,
        pinned: !options.no_pin && processors > 1,
        state_dir: state_dir.clone(),
        binaries,
        progress,
    };
    let reports = tokio::select! {
        reports = load::run(&load) => reports.with_context(|| format!("logs: {}", state_dir.display()))?,
        () = stop.next() => anyhow::bail!("stopped"),
    };
    for report in &reports {
        show(report, console);
    }
    let comparisons = Comparison::of(&reports);
    if !comparisons.is_empty() {
        console.line("");
        for line in Comparison::table(&comparisons) {
            console.line(&line);
        }
        let json = serde_json::to_string(&comparisons).context("a comparison is JSON")?;
        console.line(&json);
    }
    if reports.iter().all(Report::is_clean) {
        fs::remove_dir_all(&state_dir).context("cannot remove the logs")?;
        return Ok(ExitCode::SUCCESS);
    }
    console.line(&format!("Logs: {}", state_dir.display()));
    Ok(ExitCode::FAILURE)
}

fn show(report: &Report, console: &Console) {
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
}
