//! The service's binaries: where they are and how they are built.

use std::{
    collections::VecDeque,
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::Progress;

/// How many of cargo's last lines explain a failed build.
const LINES_SHOWN: usize = 40;

/// How the variables begin in which cargo tells a program about its package.
const OF_A_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// The folder that the binaries are in.
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

    /// The binaries of `folder`.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where the binary `name` is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn is_release(&self) -> bool {
        self.0.file_name().is_some_and(|name| name == "release")
    }
}

/// The root of the workspace that this program was built from.
#[must_use]
pub fn workspace() -> &'static Path {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR"));
    infra.parent().unwrap_or(infra)
}

/// Builds every binary of the workspace with the profile of the running program. Quick when nothing changed.
///
/// # Errors
/// When the build fails: with cargo's own last lines.
pub async fn build(progress: &Progress) -> anyhow::Result<Binaries> {
    let binaries = Binaries::beside_this_one()?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The whole workspace, as `cargo run` selects it: another selection could mean other features of shared
    // dependencies, and so building all of them twice.
    command.args(["build", "--workspace", "--bins", "--color", "never"]);
    if binaries.is_release() {
        command.arg("--release");
    }
    // Cargo sets them for the programs that it runs. A build script looks at some of them, so other values mean building
    // the TLS stack and all that needs it again.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| OF_A_PACKAGE.iter().any(|start| name.starts_with(start))) {
            command.env_remove(name);
        }
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
