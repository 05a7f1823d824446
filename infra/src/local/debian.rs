//! Programs of Debian's packages that only the tests need. They are installed if this process may do it: as root, with
//! `apt-get`. Otherwise the error names the package.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::Progress;
use crate::cache_folder::{cache_folder, unusable_cache};

/// Time for one run of `apt-get`.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);

/// A program and what brings it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    /// The program on the PATH. It accepts `--version`.
    pub(super) program: &'static str,
    /// The packages of Debian and Ubuntu.
    pub(super) packages: &'static [&'static str],
    /// What other systems must have, for the error.
    pub(super) requirement: &'static str,
}

/// The browser of the tests of the web page, with a font for Korean.
const CHROMIUM: Package = Package {
    program: "chromium",
    packages: &["chromium", "fonts-noto-cjk"],
    requirement: "Chromium, as `chromium` on the PATH",
};

/// Installs Chromium unless it is there.
///
/// # Errors
/// It is not there and cannot be installed.
pub async fn install_chromium(progress: &Progress) -> anyhow::Result<()> {
    install(&CHROMIUM, progress).await
}

/// Installs `package` unless its program is there. Safe to call from several processes at once.
pub(super) async fn install(package: &Package, progress: &Progress) -> anyhow::Result<()> {
    let Package { program, packages, requirement } = *package;
    if is_installed(program).await {
        return Ok(());
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root || !is_installed("apt-get").await {
        let packages = packages.join(" ");
        bail!(
            "{program} is not on the PATH; install {requirement} (Debian and Ubuntu: apt-get install {packages})"
        );
    }
    let cache = cache_folder()?;
    fs::create_dir_all(&cache).with_context(|| unusable_cache(&cache))?;
    // One lock for all packages: dpkg has one, too.
    let lock = File::create(cache.join("apt.lock")).with_context(|| unusable_cache(&cache))?;
    progress.detail("waiting for another installation to finish");
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let _lock = lock.await.context("the wait for a file lock failed")??;
    if is_installed(program).await {
        return Ok(());
    }
    progress.detail(&format!("installing Debian's {}", packages.join(" and ")));
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    // The list of packages may be too old, or not there at all.
    if apt(&install).await.is_err() {
        apt(&["update"]).await?;
        apt(&install).await.with_context(|| format!("cannot install {program}; install {requirement}"))?;
    }
    if is_installed(program).await { Ok(()) } else { bail!("the packages brought no program {program}") }
}

/// Whether `program` is on the PATH and runs.
pub(super) async fn is_installed(program: &str) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.kill_on_drop(true).status().await.is_ok_and(|status| status.success())
}

async fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let mut apt = Command::new("apt-get");
    // The installation must not ask questions, nor start the services of the packages.
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    let output = apt.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(INSTALL_TIMEOUT, output).await;
    let output =
        output.with_context(|| format!("apt-get needs more than {} s", INSTALL_TIMEOUT.as_secs()))?;
    let output = output.context("cannot run apt-get")?;
    if !output.status.success() {
        bail!("apt-get {}: {}", arguments.join(" "), super::tool::last_line(&output));
    }
    Ok(())
}
