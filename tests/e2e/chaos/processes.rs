//! The disturbances of the worker processes: kills, stops and freezes them as planned, and restarts them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use infra::local::{Instance, Stack};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::plan::{Action, Disturbance};

/// The longest time until a process runs again. Its start makes calls that may fail and end it.
const RUNS_WITHIN: Duration = Duration::from_secs(120);

/// Carries out `plan` until `end`, and returns what was carried out. A disturbance that is due during an earlier one of its
/// process is skipped. All processes run when this returns.
///
/// # Errors
/// A stopped process did not exit with success, or a process does not start.
pub(crate) async fn disturb(
    stack: &Stack,
    plan: &[Disturbance],
    end: Instant,
) -> anyhow::Result<Vec<Disturbance>> {
    let began = Instant::now();
    let all = stack.instances().map(async |instance| {
        let mut done = Vec::new();
        for disturbance in plan.iter().filter(|disturbance| disturbance.instance == instance) {
            let at = began + disturbance.at;
            if Instant::now() > at {
                continue;
            }
            // Not a wait for a condition: the planned time.
            sleep_until(at).await;
            carry_out(stack, disturbance, end).await.with_context(|| instance.to_string())?;
            done.push(*disturbance);
        }
        anyhow::Ok(done)
    });
    Ok(try_join_all(all).await?.concat())
}

/// Stops all processes together, and returns how long the last of them took.
///
/// # Errors
/// A process did not exit with success.
pub(crate) async fn stop_all(stack: &Stack) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    try_join_all(stack.instances().map(|instance| stop(stack, instance))).await?;
    Ok(asked.elapsed())
}

/// Kills all processes.
///
/// # Errors
/// A process has already exited.
pub(crate) async fn kill_all(stack: &Stack) -> anyhow::Result<()> {
    try_join_all(stack.instances().map(|instance| stack.kill(instance))).await.map(|_| ())
}

/// Starts all processes.
///
/// # Errors
/// A process does not start.
pub(crate) async fn start_all(stack: &Stack) -> anyhow::Result<()> {
    try_join_all(stack.instances().map(|instance| stack.restart(instance))).await.map(|_| ())
}

async fn carry_out(stack: &Stack, disturbance: &Disturbance, end: Instant) -> anyhow::Result<()> {
    let instance = disturbance.instance;
    match disturbance.action {
        Action::Kill => {
            stack.kill(instance).await?;
            start(stack, instance).await
        }
        Action::Stop => {
            stop(stack, instance).await?;
            start(stack, instance).await
        }
        Action::Freeze(duration) => {
            stack.signal(instance, Signal::SIGSTOP).await?;
            sleep_until(end.min(Instant::now() + duration)).await;
            stack.signal(instance, Signal::SIGCONT).await
        }
    }
}

async fn stop(stack: &Stack, instance: Instance) -> anyhow::Result<()> {
    let status = stack.terminate(instance).await?;
    ensure!(status.success(), "I8: {instance} exited with {status} after SIGTERM");
    Ok(())
}

/// Starts a process until it runs, as an orchestrator does.
async fn start(stack: &Stack, instance: Instance) -> anyhow::Result<()> {
    let deadline = Instant::now() + RUNS_WITHIN;
    loop {
        match timeout_at(deadline, stack.restart(instance)).await.context("the process does not start")? {
            Err(_) if Instant::now() <= deadline => {}
            result => return result,
        }
    }
}
