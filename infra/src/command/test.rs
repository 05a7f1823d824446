//! Everything that CI checks, with a summary at the end. A failed check does not keep the others from running.
//!
//! The checks follow one another; what the tests leave idle of the processors while they wait is used for the storms of
//! the simulation, which need nothing else. The templates are checked beside the compiler, because that waits for a
//! registry.

use std::{
    collections::VecDeque,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use infra::local::{ProcessGroup, Progress, cargo, cfn_lint, install_packages, npm, workspace};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
    sync::oneshot,
};

use crate::{console::Console, signals::StopSignals};

/// How much of a failed check is shown on a terminal, in lines. Elsewhere all of it is shown.
const LINES_SHOWN: usize = 60;

/// The tests of the simulation that run beside the others. They need processors and no particular time.
const BESIDE: &str = "storm::";

struct Outcome {
    title: &'static str,
    passed: bool,
    took: Duration,
}

pub(super) async fn run(console: &Console) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::listen()?;
    tokio::select! {
        code = checks(console) => code,
        // The running check is killed when its future is dropped.
        () = stop.next() => Ok(ExitCode::FAILURE),
    }
}

async fn checks(console: &Console) -> anyhow::Result<ExitCode> {
    let (built, is_built) = oneshot::channel();
    let (mut outcomes, beside) =
        tokio::try_join!(one_after_another(built, console), beside_them(is_built, console))?;
    outcomes.extend(beside);
    console.line("\nSummary");
    for Outcome { title, passed, took } in &outcomes {
        let mark = if *passed { "✓" } else { "✗" };
        console.line(&format!("  {mark} {title} ({:.0} s)", took.as_secs_f64()));
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    let failed = outcomes.len() - passed;
    console.line(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends to `built` when there are tests to run.
async fn one_after_another(built: oneshot::Sender<()>, console: &Console) -> anyhow::Result<Vec<Outcome>> {
    let mut rustdoc = with(cargo(), &["doc", "--workspace", "--no-deps", "--document-private-items"]);
    rustdoc.env("RUSTDOCFLAGS", "-D warnings");
    let clippy = with(cargo(), &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    // The end-to-end tests start the binaries.
    let build = with(cargo(), &["build", "--workspace", "--bins", "--tests", "--examples"]);
    let mut outcomes = vec![
        perform("format (rustfmt)", with(cargo(), &["fmt", "--all", "--check"]), Line::Moving, console)
            .await?,
        perform("lints (clippy)", clippy, Line::Moving, console).await?,
        perform("documentation (rustdoc)", rustdoc, Line::Moving, console).await?,
        perform("binaries and tests", build, Line::Moving, console).await?,
    ];
    if outcomes.last().is_some_and(|build| build.passed) {
        // The receiver is gone if a check beside this one ended in an error.
        let _ = built.send(());
    }
    // One failure does not hide the others.
    let tests = with(cargo(), &["test", "--workspace", "--no-fail-fast", "--", "--skip", BESIDE]);
    outcomes.push(perform("tests", tests, Line::Moving, console).await?);
    Ok(outcomes)
}

async fn beside_them(is_built: oneshot::Receiver<()>, console: &Console) -> anyhow::Result<Vec<Outcome>> {
    let templates = lint_templates(console).await?;
    let page = check_page(console).await?;
    let title = "simulation (storms)";
    let storms = if is_built.await.is_ok() {
        let storms = with(cargo(), &["test", "--workspace", "--test", "sim", BESIDE]);
        perform(title, yielding(&storms), Line::None, console).await?
    } else {
        console.line(&format!("✗ {title}: not run, because the tests could not be built"));
        Outcome { title, passed: false, took: Duration::ZERO }
    };
    Ok(vec![templates, page, storms])
}

async fn lint_templates(console: &Console) -> anyhow::Result<Outcome> {
    let title = "templates (cfn-lint)";
    let since = Instant::now();
    match cfn_lint().command(&Progress::silent()).await {
        Ok(command) => {
            // The informational rules too, such as what is kept when a stack goes.
            let command = with(command, &["infra/templates/*.yaml", "--include-checks", "I"]);
            let outcome = perform(title, command, Line::None, console).await?;
            Ok(Outcome { took: since.elapsed(), ..outcome })
        }
        Err(error) => {
            console.line(&format!("✗ {title}: {error:#}"));
            Ok(Outcome { title, passed: false, took: since.elapsed() })
        }
    }
}

/// Types, lints, format, schemas and unit tests of the web page. The end-to-end tests build it and open it in a browser.
async fn check_page(console: &Console) -> anyhow::Result<Outcome> {
    let title = "web page (tsc, oxlint, prettier, vitest)";
    let web = workspace().join("ingress/web");
    let since = Instant::now();
    if let Err(error) = install_packages(&web, &Progress::silent()).await {
        console.line(&format!("✗ {title}: {error:#}"));
        return Ok(Outcome { title, passed: false, took: since.elapsed() });
    }
    let verify = npm(&web, &["run", "--silent", "verify"]);
    let outcome = perform(title, verify, Line::None, console).await?;
    Ok(Outcome { took: since.elapsed(), ..outcome })
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

/// The same command, which takes only the time that others leave.
fn yielding(command: &Command) -> Command {
    let command = command.as_std();
    let mut yielding = Command::new("nice");
    yielding.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => yielding.env(name, value),
            None => yielding.env_remove(name),
        };
    }
    yielding
}

/// Whether a check has the moving line of a terminal. The output of a check without it is shown at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Moving,
    None,
}

async fn perform(
    title: &'static str,
    mut command: Command,
    line: Line,
    console: &Console,
) -> anyhow::Result<Outcome> {
    let progress = if line == Line::Moving { console.progress() } else { Progress::silent() };
    let since = Instant::now();
    progress.begin(title);
    let _group = prepare(&mut command)?;
    let (passed, output) = if line == Line::Moving && !console.is_interactive() {
        (
            command.status().await.with_context(|| format!("cannot run the check {title}"))?.success(),
            String::new(),
        )
    } else {
        let kept = if console.is_interactive() { LINES_SHOWN } else { usize::MAX };
        let run = quietly(&mut command, kept, |line| progress.detail(line)).await;
        run.with_context(|| format!("the check {title}"))?
    };
    let took = since.elapsed();
    if passed {
        progress.end("passed");
    } else {
        progress.fail("failed");
    }
    if !output.is_empty() && (!passed || !console.is_interactive()) {
        console.line(&output);
    }
    if line == Line::None {
        let (mark, result) = if passed { ("✓", "passed") } else { ("✗", "failed") };
        console.line(&format!("{mark} {title}: {result} ({:.1} s)", took.as_secs_f64()));
    }
    Ok(Outcome { title, passed, took })
}

/// A check that is stopped takes along what it started: cargo its tests, and they their processes. The group ends when
/// it is dropped.
fn prepare(command: &mut Command) -> anyhow::Result<ProcessGroup> {
    command.current_dir(workspace()).stdin(Stdio::null()).kill_on_drop(true);
    let group = ProcessGroup::new()?;
    group.adopt(command);
    Ok(group)
}

/// Runs a command and shows one line at a time. Returns whether it succeeded, and the last `kept` lines of its output.
async fn quietly(command: &mut Command, kept: usize, show: impl Fn(&str)) -> anyhow::Result<(bool, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run it")?;
    let stdout = child.stdout.take().context("the output was asked for")?;
    let stderr = child.stderr.take().context("the output was asked for")?;
    let (mut out, mut err) = (lines(stdout), lines(stderr));
    let mut last = VecDeque::new();
    let mut keep = |line: String| {
        show(line.trim());
        if last.len() == kept {
            last.pop_front();
        }
        last.push_back(line);
    };
    loop {
        tokio::select! {
            Ok(Some(line)) = out.next_line() => keep(line),
            Ok(Some(line)) = err.next_line() => keep(line),
            else => break,
        }
    }
    let status = child.wait().await.context("cannot wait for it")?;
    Ok((status.success(), Vec::from(last).join("\n")))
}

fn lines<R: AsyncRead + Unpin>(reader: R) -> tokio::io::Lines<BufReader<R>> {
    BufReader::new(reader).lines()
}
