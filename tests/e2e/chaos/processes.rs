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

/// How often each action was carried out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) killed: u32,
    pub(crate) stopped: u32,
    pub(crate) frozen: u32,
    /// Starts that failed because of a fault.
    pub(crate) failed_starts: u32,
    /// The longest time from SIGTERM to the end.
    pub(crate) longest_stop: Duration,
}

impl Counts {
    /// The number of all actions.
    pub(crate) fn disturbances(self) -> u32 {
        self.killed + self.stopped + self.frozen
    }

    fn add(self, other: Self) -> Self {
        Self {
            killed: self.killed + other.killed,
            stopped: self.stopped + other.stopped,
            frozen: self.frozen + other.frozen,
            failed_starts: self.failed_starts + other.failed_starts,
            longest_stop: self.longest_stop.max(other.longest_stop),
        }
    }
}

/// Carries out `plan` until `end`. A disturbance that is due during an earlier one of its process is skipped. All processes
/// run when this returns.
///
/// # Errors
/// A stopped process did not exit with success, or a process does not start.
pub(crate) async fn disturb(
    stack: &Stack,
    plan: &[Disturbance],
    end: Instant,
) -> anyhow::Result<Vec<(Instance, Counts)>> {
    let began = Instant::now();
    let all = stack.instances().map(async |instance| {
        let mut counts = Counts::default();
        for disturbance in plan.iter().filter(|disturbance| disturbance.instance == instance) {
            let at = began + disturbance.at;
            if Instant::now() > at {
                continue;
            }
            // Not a wait for a condition: the planned time.
            sleep_until(at).await;
            let done = carry_out(stack, disturbance, end).await.with_context(|| instance.to_string())?;
            counts = counts.add(done);
        }
        anyhow::Ok((instance, counts))
    });
    try_join_all(all).await
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

/// The sum over processes.
pub(crate) fn sum(all: &[(Instance, Counts)]) -> Counts {
    all.iter().fold(Counts::default(), |sum, (_, done)| sum.add(*done))
}

async fn carry_out(stack: &Stack, disturbance: &Disturbance, end: Instant) -> anyhow::Result<Counts> {
    let instance = disturbance.instance;
    match disturbance.action {
        Action::Kill => {
            stack.kill(instance).await?;
            let failed_starts = start(stack, instance).await?;
            Ok(Counts { killed: 1, failed_starts, ..Counts::default() })
        }
        Action::Stop => {
            let longest_stop = stop(stack, instance).await?;
            let failed_starts = start(stack, instance).await?;
            Ok(Counts { stopped: 1, failed_starts, longest_stop, ..Counts::default() })
        }
        Action::Freeze(duration) => {
            stack.signal(instance, Signal::SIGSTOP).await?;
            sleep_until(end.min(Instant::now() + duration)).await;
            stack.signal(instance, Signal::SIGCONT).await?;
            Ok(Counts { frozen: 1, ..Counts::default() })
        }
    }
}

async fn stop(stack: &Stack, instance: Instance) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    let status = stack.terminate(instance).await?;
    ensure!(status.success(), "I8: {instance} exited with {status} after SIGTERM");
    Ok(asked.elapsed())
}

/// Starts a process until it runs, as an orchestrator does. Returns the number of failed starts.
async fn start(stack: &Stack, instance: Instance) -> anyhow::Result<u32> {
    let deadline = Instant::now() + RUNS_WITHIN;
    let mut failed = 0;
    loop {
        match timeout_at(deadline, stack.restart(instance)).await.context("the process does not start")? {
            Ok(()) => return Ok(failed),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => failed += 1,
        }
    }
}
