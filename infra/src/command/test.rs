//! Everything that CI checks, with a summary at the end. A failed check does not keep the others from running.

use std::{
    collections::VecDeque,
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use infra::local::{ProcessGroup, cargo, cfn_lint, workspace};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
};

use crate::{console::Console, signals::StopSignals};

/// How much of a failed check is shown on a terminal, in lines. Elsewhere all of it is shown.
const LINES_SHOWN: usize = 60;

/// A check and how it is run.
struct Check {
    title: &'static str,
    command: Command,
}

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
    let mut outcomes = Vec::new();
    for check in rust_checks() {
        outcomes.push(perform(check, console).await?);
    }
    outcomes.push(lint_templates(console).await?);
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

async fn lint_templates(console: &Console) -> anyhow::Result<Outcome> {
    let title = "templates (cfn-lint)";
    let progress = console.progress();
    let since = Instant::now();
    progress.begin("Installing cfn-lint");
    match cfn_lint().command(&progress).await {
        Ok(mut command) => {
            progress.end("");
            command.args(templates()?);
            perform(Check { title, command }, console).await
        }
        Err(error) => {
            progress.fail(&format!("{error:#}"));
            Ok(Outcome { title, passed: false, took: since.elapsed() })
        }
    }
}

fn rust_checks() -> Vec<Check> {
    let command = |arguments: &[&str]| {
        let mut command = cargo();
        command.args(arguments);
        command
    };
    let check = |title, arguments: &[&str]| Check { title, command: command(arguments) };
    let mut rustdoc = command(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    rustdoc.env("RUSTDOCFLAGS", "-D warnings");
    vec![
        check("format (rustfmt)", &["fmt", "--all", "--check"]),
        check("lints (clippy)", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Check { title: "documentation (rustdoc)", command: rustdoc },
        // The end-to-end tests start the binaries.
        check("binaries", &["build", "--workspace", "--bins"]),
        // One failure does not hide the others.
        check("tests", &["test", "--workspace", "--no-fail-fast"]),
    ]
}

fn templates() -> anyhow::Result<Vec<PathBuf>> {
    let folder = workspace().join("infra").join("templates");
    let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    let mut templates = Vec::new();
    for entry in entries {
        let path = entry.context("cannot read the folder of templates")?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            templates.push(path);
        }
    }
    templates.sort();
    Ok(templates)
}

async fn perform(check: Check, console: &Console) -> anyhow::Result<Outcome> {
    let Check { title, mut command } = check;
    let progress = console.progress();
    let since = Instant::now();
    progress.begin(title);
    command.current_dir(workspace()).stdin(Stdio::null()).kill_on_drop(true);
    // A check that is stopped takes along what it started: cargo its tests, and they their processes.
    let group = ProcessGroup::new()?;
    group.adopt(&mut command);
    let (passed, output) = if console.is_interactive() {
        quietly(&mut command, |line| progress.detail(line)).await?
    } else {
        let status = command.status().await;
        (status.with_context(|| format!("cannot run the check {title}"))?.success(), String::new())
    };
    let took = since.elapsed();
    if passed {
        progress.end("passed");
    } else {
        progress.fail("failed");
    }
    if !output.is_empty() && !passed {
        console.line(&output);
    }
    Ok(Outcome { title, passed, took })
}

/// Runs a command showing one line at a time; returns whether it succeeded and the end of what it said.
async fn quietly(command: &mut Command, show: impl Fn(&str)) -> anyhow::Result<(bool, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run it")?;
    let stdout = child.stdout.take().context("the output was asked for")?;
    let stderr = child.stderr.take().context("the output was asked for")?;
    let (mut out, mut err) = (lines(stdout), lines(stderr));
    let mut last = VecDeque::new();
    let mut keep = |line: String| {
        show(line.trim());
        if last.len() == LINES_SHOWN {
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
