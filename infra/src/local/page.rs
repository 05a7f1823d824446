//! The build of the web page, `ingress/web`: made with npm when a source has changed, and kept under `target/web`.
//!
//! The folder of a build is named after the hash of its sources, so what has the right name is the right page. It is built
//! under another name and then renamed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::Progress;

/// Time for npm to download the packages, or to build the page.
const NPM_TIMEOUT: Duration = Duration::from_secs(300);

/// What the page is built from, below the workspace. The types of the API are generated from the schemas.
const SOURCES: [&str; 4] =
    ["ingress/web", "schemas/api/openapi.json", "schemas/live/client.v1.json", "schemas/live/server.v1.json"];

/// Folders of `ingress/web` that are no sources.
const NO_SOURCES: [&str; 2] = ["node_modules", "dist"];

/// Builds the page unless its sources are unchanged, and returns the folder to serve.
///
/// # Errors
/// There is no npm, the packages cannot be downloaded, or the build failed; the message says the way out.
pub async fn build_page(workspace: &Path, progress: &Progress) -> anyhow::Result<PathBuf> {
    let web = workspace.join("ingress/web");
    let hash = hash_of_sources(workspace)?;
    let builds = workspace.join("target/web");
    let build = builds.join(&hash[..16]);
    if build.is_dir() {
        return Ok(build);
    }
    install_packages(&web, progress).await?;
    progress.detail("npm run build");
    fs::create_dir_all(&builds).with_context(|| format!("cannot write {}", builds.display()))?;
    let building = tempfile::Builder::new().prefix("building-").tempdir_in(&builds)?;
    let mut npm = npm(&web, &["run", "--silent", "build"]);
    npm.env("NOVA_WEB_OUT", building.path());
    run(npm, "the web page cannot be built").await?;
    match fs::rename(building.path(), &build) {
        // Another process finished the same build first.
        Err(_) if build.is_dir() => Ok(build),
        renamed => renamed.with_context(|| format!("cannot write {}", build.display())).map(|()| build),
    }
}

/// Downloads the packages of the lock file, unless they are there.
///
/// # Errors
/// There is no npm, or the packages cannot be downloaded.
pub async fn install_packages(web: &Path, progress: &Progress) -> anyhow::Result<()> {
    let lock = fs::read(web.join("package-lock.json")).context("ingress/web has no package-lock.json")?;
    let wanted = hex::encode(Sha256::digest(lock));
    let marker = web.join("node_modules/.nova-lock");
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    progress.detail("npm ci");
    run(npm(web, &["ci", "--no-audit", "--no-fund"]), "the packages of the web page cannot be installed")
        .await?;
    fs::write(&marker, wanted).with_context(|| format!("cannot write {}", marker.display()))
}

/// An npm command for the page in `web`, from any working directory.
#[must_use]
pub fn npm(web: &Path, arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.arg("--prefix").arg(web).args(arguments);
    npm
}

async fn run(mut npm: Command, failure: &str) -> anyhow::Result<()> {
    npm.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(NPM_TIMEOUT, npm.output());
    let output = output.await.with_context(|| format!("{failure}: npm took longer than {NPM_TIMEOUT:?}"))?;
    let output =
        output.with_context(|| format!("{failure}: npm (Node.js 20.19 or later) is not on the PATH"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{failure}: {}",
            said.trim()
                .lines()
                .rev()
                .take(8)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
    Ok(())
}

fn hash_of_sources(workspace: &Path) -> anyhow::Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&workspace.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(workspace).unwrap_or(&file).to_string_lossy().into_owned();
        hash.update(format!("{}:{name}{}:", name.len(), content.len()));
        hash.update(content);
    }
    Ok(hex::encode(hash.finalize()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry?;
        if !NO_SOURCES.iter().any(|folder| entry.file_name() == *folder) {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_changes_with_name_and_content_of_a_source_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        for source in SOURCES {
            write(if source.ends_with("json") { source } else { "ingress/web/a.ts" }, "1");
        }
        let first = hash_of_sources(folder.path()).unwrap();
        write("ingress/web/node_modules/x.js", "2");
        write("ingress/web/dist/index.html", "2");
        assert_eq!(hash_of_sources(folder.path()).unwrap(), first);
        write("ingress/web/a.ts", "2");
        let second = hash_of_sources(folder.path()).unwrap();
        assert_ne!(second, first);
        write("schemas/api/openapi.json", "2");
        assert_ne!(hash_of_sources(folder.path()).unwrap(), second);
    }
}
