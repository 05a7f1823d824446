//! The reference relay as a process beside a stack.

use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use super::LoadOptions;
use crate::local::{Process, REGION, Stack, await_listening, free_port};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The running relay. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct RelayProcess {
    process: Process,
    url: String,
}

impl RelayProcess {
    /// Starts it against the simulator of `stack`, with as many threads as the ingress.
    pub(super) async fn start(
        stack: &Stack,
        options: &LoadOptions,
        conversations: usize,
    ) -> anyhow::Result<Self> {
        let simulator = stack.simulator().context("the models are not simulated")?;
        let port = free_port()?;
        let mut command = Command::new(options.binaries.path("nova"));
        command
            .args(["relay", "--port", &port.to_string(), "--conversations", &conversations.to_string()])
            .env_clear()
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &simulator.endpoint)
            .env("AWS_CA_BUNDLE", &simulator.ca_bundle)
            // The simulator of a load test checks the form of signatures and not their keys.
            .env("AWS_ACCESS_KEY_ID", "relay")
            .env("AWS_SECRET_ACCESS_KEY", "relay");
        if options.pinned {
            command.env("TOKIO_WORKER_THREADS", "1");
        }
        let log = options.state_dir.join("relay.log");
        let process = Process::spawn("the reference relay", command, &log, stack.cloud().group())?;
        await_listening(port, &process, START_TIMEOUT).await.context("the reference relay does not start")?;
        Ok(Self { process, url: format!("http://127.0.0.1:{port}") })
    }

    /// The base URL of its API.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) async fn stop(self) {
        self.process.stop(STOP_TIMEOUT).await;
    }
}
