//! The folder of what is running in this workspace, `.nova`, with the run file and the state of all processes.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use infra::local::RunFile;

/// The workspace's folder for what runs in it. One run at a time holds it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    folder: PathBuf,
    run_file: PathBuf,
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
        let this = Self { run_file: RunFile::path(workspace), folder, _lock: lock };
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

    /// Writes the run file.
    pub(crate) fn publish(&self, run: &RunFile) -> anyhow::Result<()> {
        run.write(&self.run_file)
    }

    fn forget(&self) {
        // It may not be there; and if it stays, readers find out that nothing answers.
        let _ = fs::remove_file(&self.run_file);
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use events::workers::Worker;
    use infra::local::{CredentialSource, Outputs, Queue, SimulatorAccess};

    use super::*;

    fn run_file() -> RunFile {
        let text = |name: &str| name.to_owned();
        let queue = || Queue { url: text("url"), arn: text("arn"), dead_letter_url: text("dlq") };
        RunFile {
            url: text("http://127.0.0.1:3000"),
            cloud_endpoint: text("http://127.0.0.1:4566"),
            simulator: Some(SimulatorAccess {
                endpoint: text("https://127.0.0.1:4567"),
                ca_bundle: PathBuf::from("/ca.pem"),
            }),
            state_dir: PathBuf::from("/state"),
            operator: CredentialSource { uri: text("uri"), token: text("token") },
            outputs: Outputs {
                users_table: text("users"),
                sessions_table: text("sessions"),
                conversations_table: text("conversations"),
                images_table: text("images"),
                user_progress_table: text("progress"),
                effects_table: text("effects"),
                logs_bucket: text("logs"),
                audio_bucket: text("audio"),
                images_bucket: text("pictures"),
                bus_name: text("nova"),
                queues: Worker::ALL.map(|worker| (worker, queue())).into(),
                events_dead_letter_url: text("events"),
                critical_topic: text("critical"),
                warning_topic: text("warning"),
                info_topic: text("info"),
                user_pool_id: text("pool"),
                client_id: text("client"),
                sign_up_function: text("function"),
                identity_pool_id: text("identities"),
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
}
