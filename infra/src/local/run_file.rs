//! The running service of a workspace: `.nova/run.json`, written by `nova up`, read by `nova demo` and `nova ops`.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use serde::{Deserialize, Serialize};

use super::{Outputs, http_client, sdk};

/// The URLs, files and resources of the running service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFile {
    /// URL of the ingress.
    pub url: String,
    /// URL of the local cloud.
    pub cloud_endpoint: String,
    /// The Bedrock simulator; `None` if the models are those of an account, whose credentials are in no file.
    pub simulator: Option<SimulatorAccess>,
    pub state_dir: PathBuf,
    pub operator: CredentialSource,
    pub outputs: Outputs,
}

/// The way to the Bedrock simulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SimulatorAccess {
    /// `https://127.0.0.1:port`, the value of `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`.
    pub endpoint: String,
    /// Its certificate authority, a PEM file: the value of `AWS_CA_BUNDLE`.
    pub ca_bundle: PathBuf,
}

/// The source of the credentials of a role: an endpoint like that of ECS, and its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialSource {
    /// The value of `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub uri: String,
    /// The value of `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    pub token: String,
}

/// The response of the endpoint.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Session {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

impl RunFile {
    /// Reads the file of `workspace`.
    ///
    /// # Errors
    /// Nothing runs there, or it was started by another version.
    pub fn read(workspace: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(Self::path(workspace)) {
            Ok(text) => Self::parse(&text),
            Err(_) => bail!("nothing is running here; start it with `cargo run` in another terminal"),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file is not there, or it was written by another version.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path);
        Self::parse(&text.with_context(|| format!("cannot read the run file {}", path.display()))?)
    }

    /// Writes the file at `path`, readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let open = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
        let mut file = open.with_context(|| format!("cannot write {}", path.display()))?;
        let text = serde_json::to_string_pretty(self).context("a run file is JSON")?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    #[must_use]
    pub fn path(workspace: &Path) -> PathBuf {
        workspace.join(".nova/run.json")
    }

    /// An SDK configuration for the local cloud on the operator's role.
    ///
    /// # Errors
    /// The service does not run any more.
    pub async fn operator_sdk_config(&self) -> anyhow::Result<SdkConfig> {
        let CredentialSource { uri, token } = &self.operator;
        let asked = http_client()?.get(uri).header("authorization", token).send().await;
        let answer = asked.and_then(reqwest::Response::error_for_status);
        let not_running =
            || format!("the service at {} does not answer; start it again with `cargo run`", self.url);
        let session: Session = answer.with_context(not_running)?.json().await.with_context(not_running)?;
        let credentials = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.token),
            None,
            "operator",
        );
        Ok(sdk::sdk_config(&self.cloud_endpoint, credentials))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text)
            .context("what runs here was started by another version; start it again with `cargo run`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_file_of_another_version_says_so() {
        let error = RunFile::parse(r#"{"url": "http://127.0.0.1:3000"}"#).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
    }

    #[test]
    fn a_workspace_in_which_nothing_runs_says_so() {
        let error = RunFile::read(tempfile::tempdir().unwrap().path()).unwrap_err();
        assert!(error.to_string().starts_with("nothing is running here"), "{error}");
    }
}
