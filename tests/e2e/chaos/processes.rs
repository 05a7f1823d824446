//! Carries out what is planned for the processes: kills, stops and freezes them, and starts them again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use infra::local::{Instance, Stack};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::plan::{Trouble, What};

/// How long a process may take until it runs again: calls of its start fail, too, and then it ends.
const RUNS_WITHIN: Duration = Duration::from_secs(120);

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) killed: u32,
    pub(crate) stopped: u32,
    pub(crate) frozen: u32,
    /// Processes that ended while they started, because of a fault.
    pub(crate) failed_starts: u32,
    /// The longest time from SIGTERM to the end.
    pub(crate) longest_stop: Duration,
}

impl Done {
    /// How often something was done.
    pub(crate) fn troubles(self) -> u32 {
        self.killed + self.stopped + self.frozen
    }

    fn and(self, other: Self) -> Self {
        Self {
            killed: self.killed + other.killed,
            stopped: self.stopped + other.stopped,
            frozen: self.frozen + other.frozen,
            failed_starts: self.failed_starts + other.failed_starts,
            longest_stop: self.longest_stop.max(other.longest_stop),
        }
    }
}

/// Does `plan` to the processes until `end`. What comes while its process is busy with an earlier trouble is left out.
/// All processes run when this returns.
///
/// # Errors
/// A process that was asked to stop did not end well, or one does not start any more.
pub(crate) async fn trouble(
    stack: &Stack,
    plan: &[Trouble],
    end: Instant,
) -> anyhow::Result<Vec<(Instance, Done)>> {
    let began = Instant::now();
    let all = stack.instances().map(async |instance| {
        let mut done = Done::default();
        for trouble in plan.iter().filter(|trouble| trouble.instance == instance) {
            let at = began + trouble.at;
            if Instant::now() > at {
                continue;
            }
            // Not a wait for a condition: the planned moment itself.
            sleep_until(at).await;
            done = done.and(carry_out(stack, trouble, end).await.with_context(|| instance.to_string())?);
        }
        anyhow::Ok((instance, done))
    });
    try_join_all(all).await
}

/// Asks all processes at once to stop, and returns how long the last of them took.
///
/// # Errors
/// One did not end well.
pub(crate) async fn stop_all(stack: &Stack) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    try_join_all(stack.instances().map(|instance| stop(stack, instance))).await?;
    Ok(asked.elapsed())
}

/// Kills all processes.
///
/// # Errors
/// One has ended by itself.
pub(crate) async fn kill_all(stack: &Stack) -> anyhow::Result<()> {
    try_join_all(stack.instances().map(|instance| stack.kill(instance))).await.map(|_| ())
}

/// Starts all processes.
///
/// # Errors
/// One does not start.
pub(crate) async fn start_all(stack: &Stack) -> anyhow::Result<()> {
    try_join_all(stack.instances().map(|instance| stack.restart(instance))).await.map(|_| ())
}

/// The sum of what was done.
pub(crate) fn sum(all: &[(Instance, Done)]) -> Done {
    all.iter().fold(Done::default(), |sum, (_, done)| sum.and(*done))
}

async fn carry_out(stack: &Stack, trouble: &Trouble, end: Instant) -> anyhow::Result<Done> {
    let instance = trouble.instance;
    match trouble.what {
        What::Killed => {
            stack.kill(instance).await?;
            let failed_starts = start(stack, instance).await?;
            Ok(Done { killed: 1, failed_starts, ..Done::default() })
        }
        What::Stopped => {
            let longest_stop = stop(stack, instance).await?;
            let failed_starts = start(stack, instance).await?;
            Ok(Done { stopped: 1, failed_starts, longest_stop, ..Done::default() })
        }
        What::Frozen(how_long) => {
            stack.signal(instance, Signal::SIGSTOP).await?;
            sleep_until(end.min(Instant::now() + how_long)).await;
            stack.signal(instance, Signal::SIGCONT).await?;
            Ok(Done { frozen: 1, ..Done::default() })
        }
    }
}

async fn stop(stack: &Stack, instance: Instance) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    let status = stack.terminate(instance).await?;
    ensure!(status.success(), "I8: {instance} ended with {status} when it was asked to stop");
    Ok(asked.elapsed())
}

/// Starts it until it runs, as its scheduler would, and returns how often it did not.
async fn start(stack: &Stack, instance: Instance) -> anyhow::Result<u32> {
    let deadline = Instant::now() + RUNS_WITHIN;
    let mut failed = 0;
    loop {
        match timeout_at(deadline, stack.restart(instance)).await.context("it does not start")? {
            Ok(()) => return Ok(failed),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => failed += 1,
        }
    }
}
