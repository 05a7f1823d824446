//! The cloud that the ingress works on under load: the model of AWS that the tests run on, as a process of its own
//! (`aws-model`). The local cloud needs more of a processor than the ingress for the same calls, and falls behind by
//! seconds, so that what is measured would be its own.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use tokio::process::Command;

use crate::local::{Binaries, Outputs, Process, ProcessGroup, await_listening, free_port, root_sdk_config};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to end when asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The running model. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Model {
    process: Process,
    endpoint: String,
}

impl Model {
    /// Starts it with the tables, buckets and queues of `outputs`, all of them empty.
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

    /// A configuration to put something into it.
    pub(super) fn operator(&self) -> SdkConfig {
        root_sdk_config(&self.endpoint)
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it was asked for something that it does not know: then what was measured is worth nothing.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let status = self.process.stop(STOP_TIMEOUT).await;
        if !status.success() {
            bail!(self.process.died(status));
        }
        Ok(())
    }
}
