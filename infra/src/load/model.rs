//! The AWS of the ingress under load: the model of the tests, as a separate process (`aws-model`). The local cloud needs
//! more processor time than the ingress for the same calls and falls behind by seconds, so it would distort the figures.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use tokio::process::Command;

use crate::local::{Binaries, Outputs, Process, ProcessGroup, await_listening, free_port, root_sdk_config};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The running model. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Model {
    process: Process,
    endpoint: String,
}

impl Model {
    /// Starts it with the tables, buckets and queues of `outputs`, all empty.
    pub(super) async fn start(
        binaries: &Binaries,
        state_dir: &Path,
        outputs: &Outputs,
        group: &Arc<ProcessGroup>,
    ) -> anyhow::Result<Self> {
        let deployed = state_dir.join("deployed.json");
        fs::write(&deployed, serde_json::to_vec(outputs)?)
            .with_context(|| format!("cannot write {}", deployed.display()))?;
        let port = free_port()?;
        let mut command = Command::new(binaries.path("aws-model"));
        command.args(["--port", &port.to_string(), "--deployed"]).arg(&deployed);
        let process = Process::spawn("the model of AWS", command, &state_dir.join("aws-model.log"), group)?;
        await_listening(port, &process, START_TIMEOUT).await?;
        Ok(Self { process, endpoint: format!("http://127.0.0.1:{port}") })
    }

    /// The value of `AWS_ENDPOINT_URL`.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The configuration of an operator's client.
    pub(super) fn operator(&self) -> SdkConfig {
        root_sdk_config(&self.endpoint)
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it received a call that it does not support: then the figures are invalid.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let status = self.process.stop(STOP_TIMEOUT).await;
        if !status.success() {
            bail!(self.process.died(status));
        }
        Ok(())
    }
}
