//! The service's binaries: their folder and their build.

use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::Progress;

/// Last lines of cargo's output that explain a failed build.
const LINES_SHOWN: usize = 40;

/// Prefixes of the variables that cargo sets for a program from its package.
const OF_A_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

#[derive(Clone, Debug)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// The folder that the running program was built into: beside it, or one up for a test or an example.
    ///
    /// # Errors
    /// When the system does not say which program is running.
    pub fn beside_this_one() -> anyhow::Result<Self> {
        let this = env::current_exe().context("cannot find the running program")?;
        let mut folder = this.parent().context("a program is in a folder")?;
        if folder.ends_with("deps") || folder.ends_with("examples") {
            folder = folder.parent().context("target/<profile>/deps is not the root")?;
        }
        Ok(Self(folder.to_owned()))
    }

    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn is_release(&self) -> bool {
        self.0.file_name().is_some_and(|name| name == "release")
    }
}

/// The root of the workspace that this program was built from.
#[must_use]
pub fn workspace() -> &'static Path {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR"));
    infra.parent().unwrap_or(infra)
}

/// Cargo as it runs in a shell, without the variables that cargo sets for the programs that it runs: the build script of the
/// TLS stack reads some of them, so with them all dependents would be built again.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let is_of_a_package = |name: &OsString| {
        name.to_str().is_some_and(|name| OF_A_PACKAGE.iter().any(|start| name.starts_with(start)))
    };
    for name in env::vars_os().map(|(name, _)| name).filter(is_of_a_package) {
        command.env_remove(name);
    }
    command
}

/// Builds every binary of the workspace with the profile of the running program. Quick when nothing changed.
///
/// # Errors
/// When the build fails: with cargo's own last lines.
pub async fn build(progress: &Progress) -> anyhow::Result<Binaries> {
    let binaries = Binaries::beside_this_one()?;
    let mut command = cargo();
    // The whole workspace, as `cargo run` selects it: another selection could mean other features of shared
    // dependencies, and so building all of them twice.
    command.args(["build", "--workspace", "--bins", "--color", "never"]);
    if binaries.is_release() {
        command.arg("--release");
    }
    command.current_dir(workspace()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().context("cannot run cargo; is it on the PATH?")?;
    let stderr = child.stderr.take().context("cargo's output was asked for")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut last = VecDeque::new();
    while let Some(line) = lines.next_line().await.context("cannot read cargo's output")? {
        progress.detail(line.trim());
        if last.len() == LINES_SHOWN {
            last.pop_front();
        }
        last.push_back(line);
    }
    let status = child.wait().await.context("cannot wait for cargo")?;
    if !status.success() {
        bail!("the service does not build; cargo says:\n{}", Vec::from(last).join("\n"));
    }
    Ok(binaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_builds_for_a_program_what_it_builds_in_a_shell() {
        // Cargo runs this test, too.
        for name in
            ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR", "CARGO_PKG_VERSION_PRE"]
        {
            assert!(env::var_os(name).is_some(), "{name}");
            let command = cargo();
            assert!(command.as_std().get_envs().any(|(key, value)| key == name && value.is_none()), "{name}");
        }
    }
}
