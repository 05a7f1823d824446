//! Starts the processes of a stack with their environment and waits until they are healthy.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use tokio::process::Command;
use uuid::Uuid;

use super::{Instance, Part, StackOptions};
use crate::cache_folder::cache_folder;
use crate::local::{
    AwsBedrock, Cloud, CredentialServer, CredentialSource, Outputs, Process, ProcessGroup, Progress, Service,
    SimulatorAccess, free_port, net, redis, sdk,
};

/// How long a process may take to become healthy; it includes its checks of what it depends on.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a running process may take to say how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// What a process is allowed to take from our own environment. Everything else is said explicitly: a developer's
/// AWS profile or proxy must not reach the service.
const INHERITED: [&str; 6] = ["PATH", "LANG", "TMPDIR", "NOVA_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// Starts each part, and starts it again with the same ports and keys.
#[derive(Debug)]
pub(super) struct Launcher {
    options: StackOptions,
    outputs: Outputs,
    cloud_endpoint: String,
    models: Models,
    /// `None` without Redis.
    redis_port: Option<u16>,
    credentials: CredentialServer,
    group: Arc<ProcessGroup>,
    /// Of each ingress.
    urls: Vec<String>,
    ticket_key: String,
    account_secret: String,
    client_secret: String,
    http: reqwest::Client,
}

/// Where the models are.
#[derive(Debug)]
enum Models {
    Simulator { port: u16, access: SimulatorAccess },
    Account(AwsBedrock),
}

impl Launcher {
    /// Where the credentials of the operator's role are.
    pub(super) fn operator(&self) -> anyhow::Result<CredentialSource> {
        self.credentials.operator()
    }

    pub(super) async fn new(cloud: &Cloud, outputs: &Outputs, options: StackOptions) -> anyhow::Result<Self> {
        let ports = (0..options.ingress_copies.get()).map(|copy| match options.ingress_port {
            Some(port) if copy == 0 => Ok(port),
            Some(_) | None => free_port(),
        });
        let urls = ports.map(|port| Ok(format!("http://127.0.0.1:{}", port?)));
        let urls = urls.collect::<anyhow::Result<Vec<String>>>()?;
        let models = match options.bedrock.clone() {
            Some(bedrock) => Models::Account(bedrock),
            None => simulator(&options.state_dir)?,
        };
        Ok(Self {
            credentials: CredentialServer::start(&cloud.root(), outputs, options.bedrock.clone()).await?,
            outputs: outputs.clone(),
            cloud_endpoint: cloud.endpoint().to_owned(),
            models,
            redis_port: if options.redis && redis::is_installed().await { Some(free_port()?) } else { None },
            group: cloud.group().clone(),
            urls,
            ticket_key: secret(),
            account_secret: secret(),
            client_secret: client_secret(cloud, outputs).await?,
            http: net::http_client()?,
            options,
        })
    }

    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The simulator, if the models are simulated.
    pub(super) fn simulator(&self) -> Option<&SimulatorAccess> {
        match &self.models {
            Models::Simulator { access, .. } => Some(access),
            Models::Account(_) => None,
        }
    }

    pub(super) fn has_redis(&self) -> bool {
        self.redis_port.is_some()
    }

    /// Starts `part` and waits until it is healthy.
    pub(super) async fn launch(&self, part: Part, progress: &Progress) -> anyhow::Result<Launched> {
        match part {
            Part::Service(instance) => self.launch_service(instance, progress).await,
            Part::Simulator => self.launch_simulator().await,
            Part::Redis => {
                let port = self.redis_port.context("the stack has no Redis")?;
                let process = redis::spawn(port, None, &self.options.state_dir, &self.group).await?;
                Ok(Launched { process, health: None })
            }
        }
    }

    async fn launch_service(&self, instance: Instance, progress: &Progress) -> anyhow::Result<Launched> {
        let service = instance.service;
        let program = self.options.binaries.path(service.name());
        if !program.is_file() {
            bail!("{} is not there; build it with `cargo build --workspace --bins`", program.display());
        }
        let mut command = Command::new(program);
        self.environment(&mut command, service)?;
        let address = match service {
            Service::Ingress => {
                let address = self.urls[instance.copy].trim_start_matches("http://").to_owned();
                command.env("NOVA_LISTEN", &address).env("NOVA_TICKET_KEY", &self.ticket_key);
                if let Some(port) = self.redis_port {
                    command.env("NOVA_REDIS_URL", format!("redis://127.0.0.1:{port}"));
                }
                command.env("NOVA_CLIENT_SECRET", &self.client_secret);
                command.env("NOVA_ACCOUNT_SECRET", &self.account_secret);
                address
            }
            Service::Worker(_) => {
                let address = format!("127.0.0.1:{}", free_port()?);
                command.env("NOVA_HEALTH_ADDR", &address);
                address
            }
        };
        for (of, name, value) in &self.options.environment {
            if *of == service {
                command.env(name, value);
            }
        }
        let name = instance.to_string();
        let log = instance.log(&self.options.state_dir);
        let process = Process::spawn(name, command, &log, &self.group)?;
        let health = format!("http://{address}/health");
        net::await_healthy(&self.http, &health, &process, START_TIMEOUT).await?;
        progress.detail(process.name());
        Ok(Launched { process, health: Some(health) })
    }

    /// Starts `nova simulator` and waits until it accepts connections.
    async fn launch_simulator(&self) -> anyhow::Result<Launched> {
        let Models::Simulator { port, access } = &self.models else { bail!("the stack has no simulator") };
        let mut command = Command::new(self.options.binaries.path("nova"));
        clean(&mut command);
        command.args(["simulator", "--port", &port.to_string(), "--ca-file"]).arg(&access.ca_bundle);
        command.args(&self.options.simulator_arguments);
        // Where its speech program is installed, and the Python that it was installed for.
        command.env("NOVA_CACHE_DIR", cache_folder()?);
        if let Some(python) = std::env::var_os("NOVA_PYTHON") {
            command.env("NOVA_PYTHON", python);
        }
        let log = self.options.state_dir.join("simulator.log");
        let process = Process::spawn("the Bedrock simulator", command, &log, &self.group)?;
        // Its authority is written before it listens.
        net::await_listening(*port, &process, START_TIMEOUT).await?;
        Ok(Launched { process, health: None })
    }

    /// Whether the process behind this address says it is healthy.
    pub(super) async fn is_healthy(&self, health: &str) -> bool {
        let answer = self.http.get(health).timeout(HEALTH_TIMEOUT).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    fn environment(&self, command: &mut Command, service: Service) -> anyhow::Result<()> {
        let endpoint = self.options.endpoints.get(&service).unwrap_or(&self.cloud_endpoint);
        clean(command);
        command
            .env("AWS_REGION", sdk::REGION)
            .env("AWS_ENDPOINT_URL", endpoint)
            // The SDK would prefer a developer's profile to the role's credentials.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.credentials.environment(service)?)
            .envs(service.environment(&self.outputs)?)
            .envs(self.models.environment(service));
        // A process reports once in what stands for a minute.
        if let Some(period) = self.options.alarm_period {
            command.env("NOVA_METRICS_SECONDS", period.as_secs().clamp(1, 60).to_string());
        }
        if let Some(CredentialSource { uri, token }) = self.credentials.bedrock(service) {
            command.env("NOVA_BEDROCK_CREDENTIALS_URI", uri).env("NOVA_BEDROCK_CREDENTIALS_TOKEN", token);
        }
        Ok(())
    }
}

impl Models {
    /// The variables that name the models for `service`.
    fn environment(&self, service: Service) -> Vec<(&'static str, String)> {
        match self {
            Self::Account(bedrock) => bedrock.environment(service),
            Self::Simulator { access, .. } => {
                let mut environment = vec![
                    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", access.endpoint.clone()),
                    ("AWS_CA_BUNDLE", access.ca_bundle.display().to_string()),
                ];
                if service == Service::Ingress {
                    environment.push(("NOVA_MODELS_SIMULATED", "true".to_owned()));
                }
                environment
            }
        }
    }
}

/// A simulator at a free port. It makes its authority at its first start and keeps it.
fn simulator(state_dir: &Path) -> anyhow::Result<Models> {
    let port = free_port()?;
    let endpoint = format!("https://127.0.0.1:{port}");
    let access = SimulatorAccess { endpoint, ca_bundle: state_dir.join("bedrock-ca.pem") };
    Ok(Models::Simulator { port, access })
}

/// A process that was started and is healthy.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) process: Process,
    /// URL of its health, if it has one.
    pub(super) health: Option<String>,
}

fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The secret of the user pool's client. On AWS the task definition takes it from Secrets Manager.
async fn client_secret(cloud: &Cloud, outputs: &Outputs) -> anyhow::Result<String> {
    let describe = aws_sdk_cognitoidentityprovider::Client::new(&cloud.root()).describe_user_pool_client();
    let described = describe.user_pool_id(&outputs.user_pool_id).client_id(&outputs.client_id).send().await;
    let described = described.context("the client of the user pool cannot be described")?;
    let client = described.user_pool_client.and_then(|client| client.client_secret);
    client.context("the client of the user pool has no secret")
}

fn clean(command: &mut Command) {
    command.env_clear();
    for name in INHERITED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}
