//! One child process: its log, its signals, its end.
//!
//! A task owns the child and is the only one that reaps or signals it, so a signal can never reach another
//! process with the same id.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
};

use super::ProcessGroup;

/// Length of the end of a log that is read to explain an exit, in bytes.
const TAIL_BYTES: u64 = 16 * 1024;

/// Last lines of it that are shown.
const TAIL_LINES: usize = 15;

/// A running or ended child process. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: u32,
    log: PathBuf,
    signals: mpsc::Sender<Order>,
    exit: watch::Receiver<Option<ExitStatus>>,
    _group: Arc<ProcessGroup>,
}

/// A process that ended without a request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name} ended unexpectedly ({status}); its log is {log}; its last lines:\n{last_lines}", log = log.display())]
pub struct ProcessExitError {
    /// Which process.
    pub name: String,
    /// How it ended.
    pub status: ExitStatus,
    pub log: PathBuf,
    /// The end of its log.
    pub last_lines: String,
}

#[derive(Debug)]
struct Order {
    signal: Signal,
    done: oneshot::Sender<nix::Result<()>>,
}

impl Process {
    /// Starts `command` in `group`, its output appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn spawn(
        name: impl Into<String>,
        mut command: Command,
        log: &Path,
        group: &Arc<ProcessGroup>,
    ) -> anyhow::Result<Self> {
        let name = name.into();
        let out = OpenOptions::new().create(true).append(true).open(log);
        let out = out.with_context(|| format!("cannot write the log {}", log.display()))?;
        let err = out.try_clone().with_context(|| format!("cannot write the log {}", log.display()))?;
        group.adopt(&mut command);
        let child = command
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("cannot start {}", command.as_std().get_program().display()))?;
        let id = child.id().context("a child that was just started has a process id")?;
        let (signals, orders) = mpsc::channel(8);
        let (ended, exit) = watch::channel(None);
        tokio::spawn(supervise(child, orders, ended));
        Ok(Self { name, id, log: log.to_owned(), signals, exit, _group: group.clone() })
    }

    /// The name given at the start.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, for measurements.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process has already ended.
    pub async fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let (done, sent) = oneshot::channel();
        let gone = || format!("cannot send {signal} to {}: it has ended", self.name);
        self.signals.send(Order { signal, done }).await.with_context(gone)?;
        sent.await.with_context(gone)?.with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        let status = ended.ok().and_then(|status| *status);
        // The task that owns the child is gone only when the runtime is, and then the child was killed.
        status.unwrap_or_else(|| std::os::unix::process::ExitStatusExt::from_raw(Signal::SIGKILL as i32))
    }

    /// Its end, without keeping it alive; `None` when its owner is gone.
    pub(super) fn exit(&self) -> impl Future<Output = Option<ExitStatus>> + Send + 'static {
        let mut exit = self.exit.clone();
        async move { exit.wait_for(Option::is_some).await.ok().and_then(|status| *status) }
    }

    /// Asks it to end (SIGTERM) and kills it when it has not after `grace`.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        if self.signal(Signal::SIGTERM).await.is_ok()
            && tokio::time::timeout(grace, self.wait()).await.is_err()
        {
            let _ = self.signal(Signal::SIGKILL).await;
        }
        self.wait().await
    }

    /// The description of its exit, for a process that has ended.
    #[must_use]
    pub fn died(&self, status: ExitStatus) -> ProcessExitError {
        ProcessExitError {
            name: self.name.clone(),
            status,
            log: self.log.clone(),
            last_lines: tail(&self.log).unwrap_or_else(|error| format!("(cannot read the log: {error})")),
        }
    }
}

async fn supervise(
    mut child: Child,
    mut orders: mpsc::Receiver<Order>,
    ended: watch::Sender<Option<ExitStatus>>,
) {
    let status = loop {
        tokio::select! {
            biased;
            status = child.wait() => break status,
            order = orders.recv() => match order {
                Some(order) => {
                    let _ = order.done.send(send(&child, order.signal));
                }
                // The handle was dropped.
                None => {
                    let _ = child.start_kill();
                    break child.wait().await;
                }
            },
        }
    };
    if let Ok(status) = status {
        ended.send_replace(Some(status));
    }
}

fn send(child: &Child, signal: Signal) -> nix::Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).ok_or(nix::Error::ESRCH)?;
    kill(Pid::from_raw(id), signal)
}

fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}
