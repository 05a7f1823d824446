//! The local cloud: a MiniStack process of our own.
//!
//! `AUTH=true` makes it enforce policies, codes and signatures instead of accepting everything. It listens on
//! loopback only and keeps its state in a folder of its own, so several can run side by side. Its state ends with
//! the process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use tokio::process::Command;

use super::{
    Process, ProcessExitError, ProcessGroup, Progress, free_port, ministack, net, root_sdk_config, sdk,
};

/// How long it may take to answer; idle it takes 0.3 s, beside a build 5 s were seen.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to end when asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts with another free port when another process took the one before.
const PORT_ATTEMPTS_MAX: u32 = 5;

/// How a local cloud is started.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// A folder for its state and its log; made if it is not there.
    pub state_dir: PathBuf,
    /// Its port; a free one if `None`.
    pub port: Option<u16>,
    /// Receives the steps of an installation.
    pub progress: Progress,
}

/// A running local cloud. Dropping it kills the process.
#[derive(Debug)]
pub struct Cloud {
    endpoint: String,
    process: Process,
    group: Arc<ProcessGroup>,
}

impl Cloud {
    /// Installs MiniStack if need be, starts it and waits until it answers.
    ///
    /// # Errors
    /// No fitting Python, no reachable package index, a taken port, or a process that did not become healthy.
    pub async fn start(options: &CloudOptions) -> anyhow::Result<Self> {
        let group = Arc::new(ProcessGroup::new()?);
        for _ in 0..PORT_ATTEMPTS_MAX {
            let port = match options.port {
                Some(port) => port,
                None => free_port()?,
            };
            match Self::start_on(port, options, &group).await {
                // Another process took the port after it was found free.
                Err(error)
                    if options.port.is_none() && error.is::<ProcessExitError>() && !net::is_free(port) => {}
                result => return result,
            }
        }
        bail!("another process took each free port before the local cloud could use it; start again")
    }

    async fn start_on(port: u16, options: &CloudOptions, group: &Arc<ProcessGroup>) -> anyhow::Result<Self> {
        let mut command = ministack().command(&options.progress).await?;
        environment(&mut command, port, &options.state_dir)?;
        let log = options.state_dir.join("cloud.log");
        let process = Process::spawn("the local cloud", command, &log, group)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let health = format!("{endpoint}/_ministack/health");
        net::await_healthy(&net::http_client()?, &health, &process, START_TIMEOUT).await?;
        Ok(Self { endpoint, process, group: group.clone() })
    }

    /// Where every AWS service of it answers: the value of `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A configuration with its root key, for the operator's side: deploying and looking at results.
    #[must_use]
    pub fn root(&self) -> SdkConfig {
        root_sdk_config(&self.endpoint)
    }

    /// An S3 client with its root key, with buckets in the path.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        sdk::s3_client(&self.root())
    }

    /// Messages in the queue at `url`: waiting, delayed and in flight.
    ///
    /// # Errors
    /// The queue is not readable.
    pub async fn queue_depth(&self, url: &str) -> anyhow::Result<u64> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let read = aws_sdk_sqs::Client::new(&self.root()).get_queue_attributes().queue_url(url);
        let attributes = read.set_attribute_names(Some(names.to_vec())).send().await?.attributes;
        let attributes = attributes.unwrap_or_default();
        let depth = |name| Ok(attributes.get(name).context("a queue without a depth")?.parse::<u64>()?);
        names.iter().map(depth).sum()
    }

    /// Its process, for measurements and faults.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The group that its process lives in, for others that shall die with it.
    #[must_use]
    pub fn group(&self) -> &Arc<ProcessGroup> {
        &self.group
    }

    /// Ends it in order.
    pub async fn stop(&self) {
        self.process.stop(STOP_TIMEOUT).await;
    }
}

/// Sets the whole environment: what a developer has set for AWS must not reach an emulator.
fn environment(command: &mut Command, port: u16, state_dir: &Path) -> anyhow::Result<()> {
    let state = state_dir.join("cloud");
    let objects = state_dir.join("objects");
    // It unpacks the programs of functions there, and leaves them when it is killed.
    let scratch = state_dir.join("scratch");
    for folder in [&state, &objects, &scratch] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    command.env_clear().stdin(Stdio::null());
    for name in ["PATH", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("AUTH", "true")
        .env("BIND_HOST", "127.0.0.1")
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("MINISTACK_REGION", sdk::REGION)
        .env("MINISTACK_ACCOUNT_ID", sdk::ACCOUNT)
        // Its MQTT listener would bind all interfaces.
        .env("IOT_MTLS_ENABLED", "0")
        .env("TMPDIR", scratch)
        .env("STATE_DIR", state)
        .env("S3_DATA_DIR", objects);
    Ok(())
}
