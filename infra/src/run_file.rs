//! What is running in this workspace, written by `nova up` for `nova demo`: `.nova/run.json`, readable by its owner
//! only.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use infra::local::Outputs;
use serde::{Deserialize, Serialize};

/// What somebody needs to know to use the running service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunFile {
    /// Where the ingress answers.
    pub(crate) url: String,
    /// Where the local cloud answers.
    pub(crate) cloud_endpoint: String,
    /// Where the Bedrock simulator answers.
    pub(crate) bedrock_endpoint: String,
    /// The simulator's certificate authority.
    pub(crate) ca_bundle: PathBuf,
    /// Where the logs are.
    pub(crate) state_dir: PathBuf,
    /// What is deployed.
    pub(crate) outputs: Outputs,
}

/// The workspace's folder for what runs in it. One run at a time holds it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    folder: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Takes the folder for this run and empties it of the run before.
    pub(crate) fn take(workspace: &Path) -> anyhow::Result<Self> {
        let folder = workspace.join(".nova");
        let unusable = || format!("cannot use the folder {}", folder.display());
        fs::create_dir_all(&folder).with_context(unusable)?;
        let lock = File::create(folder.join("lock")).with_context(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "the service already runs in this workspace{}; stop it with Ctrl-C in its terminal first",
                RunFile::read(workspace).map(|run| format!(" at {}", run.url)).unwrap_or_default(),
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(unusable),
        }
        let this = Self { folder, _lock: lock };
        this.forget();
        match fs::remove_dir_all(this.state_dir()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).context("cannot remove the old state")
            }
            _ => Ok(this),
        }
    }

    /// Where the state and the logs of the run go.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Tells others what runs.
    pub(crate) fn publish(&self, run: &RunFile) -> anyhow::Result<()> {
        let path = path(&self.folder);
        let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        let mut file = open.with_context(|| format!("cannot write {}", path.display()))?;
        let text = serde_json::to_string_pretty(run).context("a run file is JSON")?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn forget(&self) {
        // It may not be there; and if it stays, readers find out that nothing answers.
        let _ = fs::remove_file(path(&self.folder));
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        self.forget();
    }
}

impl RunFile {
    /// Reads what runs in `workspace`.
    pub(crate) fn read(workspace: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path(&workspace.join(".nova")));
        match text {
            Ok(text) => Self::parse(&text),
            Err(_) => bail!("nothing is running here; start it with `cargo run` in another terminal"),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text)
            .context("what runs here was started by another version; start it again with `cargo run`")
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("run.json")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use infra::local::Queue;

    use super::*;

    fn run_file() -> RunFile {
        let text = |name: &str| name.to_owned();
        let queue = || Queue { url: text("url"), arn: text("arn"), dead_letter_url: text("dlq") };
        RunFile {
            url: text("http://127.0.0.1:3000"),
            cloud_endpoint: text("http://127.0.0.1:4566"),
            bedrock_endpoint: text("https://127.0.0.1:4567"),
            ca_bundle: PathBuf::from("/ca.pem"),
            state_dir: PathBuf::from("/state"),
            outputs: Outputs {
                users_table: text("users"),
                conversations_table: text("conversations"),
                images_table: text("images"),
                user_progress_table: text("progress"),
                effects_table: text("effects"),
                logs_bucket: text("logs"),
                audio_bucket: text("audio"),
                images_bucket: text("pictures"),
                bus_name: text("nova"),
                transcript_queue: queue(),
                analysis_queue: queue(),
                progress_queue: queue(),
                alerts_queue: queue(),
                watchdog_queue: queue(),
                events_dead_letter_url: text("events"),
                critical_topic: text("critical"),
                warning_topic: text("warning"),
                info_topic: text("info"),
                user_pool_id: text("pool"),
                client_id: text("client"),
                issuer: text("issuer"),
                jwks_url: text("jwks"),
                roles: BTreeMap::from([(text("ingress"), text("arn"))]),
            },
        }
    }

    #[test]
    fn what_is_published_is_read_until_the_run_is_over() {
        let workspace = tempfile::tempdir().unwrap();
        let folder = RunFolder::take(workspace.path()).unwrap();
        folder.publish(&run_file()).unwrap();
        assert_eq!(RunFile::read(workspace.path()).unwrap(), run_file());
        drop(folder);
        let error = RunFile::read(workspace.path()).unwrap_err();
        assert!(error.to_string().starts_with("nothing is running here"), "{error}");
    }

    #[test]
    fn a_second_run_is_told_where_the_first_one_is() {
        let workspace = tempfile::tempdir().unwrap();
        let folder = RunFolder::take(workspace.path()).unwrap();
        folder.publish(&run_file()).unwrap();
        let error = RunFolder::take(workspace.path()).unwrap_err();
        assert!(error.to_string().contains("already runs"), "{error}");
        assert!(error.to_string().contains("http://127.0.0.1:3000"), "{error}");
    }

    #[test]
    fn a_run_file_of_another_version_says_so() {
        let error = RunFile::parse(r#"{"url": "http://127.0.0.1:3000"}"#).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
    }
}
