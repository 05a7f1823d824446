//! A process group that dies with the process that made it, even when that one is killed.
//!
//! The group's leader is a shell that waits for the end of its standard input, a pipe that only we hold. When we
//! are gone, however that came, the kernel closes the pipe, and the leader kills its whole group. This needs no
//! code between fork and exec, and the group id cannot be reused while the leader lives. It also keeps the
//! terminal's Ctrl-C away from the children: stopping them in order is our business.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// Waits for the end of input, then kills everything in its own process group, itself included.
const LEADER: &str = "trap '' HUP INT TERM; while read -r _; do :; done; kill -9 0";

/// A process group; dropping it kills every process in it.
#[derive(Debug)]
pub struct ProcessGroup {
    leader: Child,
    id: Pid,
    _lifeline: ChildStdin,
}

impl ProcessGroup {
    /// Makes an empty group.
    ///
    /// # Errors
    /// When `sh` cannot be started.
    pub fn new() -> anyhow::Result<Self> {
        let mut leader = Command::new("sh")
            .args(["-c", LEADER])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh, which ends our processes when this one is killed")?;
        let id = i32::try_from(leader.id()).context("a process id is an i32 on every system with sh")?;
        let lifeline = leader.stdin.take().context("the leader of a process group has no standard input")?;
        Ok(Self { leader, id: Pid::from_raw(id), _lifeline: lifeline })
    }

    /// Makes `command` start its process in this group.
    pub fn adopt(&self, command: &mut tokio::process::Command) {
        command.process_group(self.id.as_raw());
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The only possible error is that no process is left, which is what we want.
        let _ = killpg(self.id, Signal::SIGKILL);
        let _ = self.leader.wait();
    }
}
