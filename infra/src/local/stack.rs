//! The whole system as processes: the local cloud, the Bedrock simulator, the ingress and the workers.
//!
//! A test that needs a fault proxy in front of the cloud starts the parts itself: [`Cloud::start`],
//! [`super::deploy()`], its proxy, then [`Stack::on`] with [`StackOptions::endpoints`].

mod launch;
mod part;
mod supervise;

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroUsize,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use events::spending::Spending;
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use super::{
    AwsBedrock, Binaries, Cloud, CloudOptions, Outputs, Process, ProcessExitError, Progress, RunFile,
    Service, SimulatorAccess, alarms::AlarmEvaluator, deploy,
};
use crate::pictures::{Gallery, catalogue, publish, publish_pictures};
pub use part::{Instance, Part};
pub use supervise::{Change, SupervisionError};

use launch::{Launched, Launcher};
use supervise::Death;

/// Time that a process has to end after SIGTERM before it is killed: more than the drain time of a worker.
const STOP_TIMEOUT: Duration = Duration::from_secs(100);

/// Unexpected exits that wait for [`Stack::died`].
const DEATHS_REMEMBERED: usize = 64;

/// How a stack is started. [`StackOptions::new`] has the usual values.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// A folder for the state and the logs of all processes; made if it is not there.
    pub state_dir: PathBuf,
    /// The binaries, see [`super::build`].
    pub binaries: Binaries,
    /// The port of the first ingress; a free one if `None`. The others have free ones.
    pub ingress_port: Option<u16>,
    /// Which of the service's binaries run; all of them by default.
    pub services: Vec<Service>,
    /// Processes of each worker.
    pub copies: NonZeroUsize,
    /// Processes of the ingress, each on its own port, without a load balancer.
    pub ingress_copies: NonZeroUsize,
    /// More environment for every process of a service, after and over the stack's own.
    pub environment: Vec<(Service, String, String)>,
    /// Another way to the cloud for a service, for example through a fault proxy: its `AWS_ENDPOINT_URL`.
    pub endpoints: BTreeMap<Service, String>,
    /// The models of an AWS account instead of the simulator, and what they may cost.
    pub bedrock: Option<AwsBedrock>,
    /// More arguments for the simulator.
    pub simulator_arguments: Vec<String>,
    /// Whether the ingress has a Redis, where one is installed.
    pub redis: bool,
    /// Whether the pictures are published with their images; their texts always are.
    pub images: bool,
    /// The time that stands for a minute of CloudWatch. No alarm is evaluated if `None`.
    pub alarm_period: Option<Duration>,
    /// Receives the steps.
    pub progress: Progress,
}

impl StackOptions {
    /// One process of each binary, free ports, no reports.
    #[must_use]
    pub fn new(state_dir: PathBuf, binaries: Binaries) -> Self {
        Self {
            state_dir,
            binaries,
            ingress_port: None,
            services: Service::all().collect(),
            copies: NonZeroUsize::MIN,
            ingress_copies: NonZeroUsize::MIN,
            environment: Vec::new(),
            endpoints: BTreeMap::new(),
            bedrock: None,
            simulator_arguments: Vec::new(),
            redis: false,
            images: true,
            alarm_period: None,
            progress: Progress::silent(),
        }
    }
}

/// The running system. Dropping it kills everything; [`Stack::stop`] ends it in order.
#[derive(Debug)]
pub struct Stack {
    // Fields are dropped in order: what uses the cloud before the cloud.
    _alarms: Option<AlarmEvaluator>,
    parts: BTreeMap<Part, Mutex<Running>>,
    launcher: Launcher,
    cloud: Cloud,
    outputs: Outputs,
    spending: Spending,
    deaths: Mutex<mpsc::Receiver<Death>>,
    report_death: mpsc::Sender<Death>,
}

/// A process, and whether its end was requested.
#[derive(Clone, Debug)]
struct Running {
    process: Arc<Process>,
    health: Option<String>,
    ending: Arc<AtomicBool>,
}

impl Stack {
    /// Starts everything: cloud, deployment, pictures, simulator, ingress, workers, and waits until all are
    /// healthy.
    ///
    /// # Errors
    /// The first thing that went wrong, with the way out or the last lines of the log. Nothing is left running.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        let progress = &options.progress;
        progress.begin("Starting the local cloud");
        let cloud =
            CloudOptions { state_dir: options.state_dir.clone(), port: None, progress: progress.clone() };
        let cloud = Cloud::start(&cloud).await?;
        progress.end(cloud.endpoint());
        progress.begin("Deploying the infrastructure");
        let outputs = deploy(&cloud.root(), cloud.endpoint(), &options.binaries, progress).await?;
        progress.end("5 stacks");
        progress.begin("Publishing the pictures");
        let pictures = if options.images {
            let gallery = Gallery::new(&cloud.root(), &outputs.images_table, &outputs.images_bucket, true);
            publish(&gallery, catalogue()?, false, progress).await?.pictures
        } else {
            publish_pictures(&cloud.root(), &outputs.images_table, progress).await?
        };
        progress.end(&format!("{pictures} pictures"));
        Self::on(cloud, outputs, options).await
    }

    /// Starts the simulator, the ingress and the workers on a cloud that is deployed to, and waits until all are
    /// healthy. With [`StackOptions::bedrock`] there is no simulator, and the run has a spending limit.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn on(cloud: Cloud, outputs: Outputs, options: StackOptions) -> anyhow::Result<Self> {
        let progress = options.progress.clone();
        fs::create_dir_all(&options.state_dir)
            .with_context(|| format!("cannot make the folder {}", options.state_dir.display()))?;
        let all = options.services.iter().copied().flat_map(|service| {
            let ingress = service == Service::Ingress;
            let copies = if ingress { options.ingress_copies } else { options.copies };
            (0..copies.get()).map(move |copy| Instance { service, copy })
        });
        let all: Vec<Instance> = all.collect();
        let spending = Spending::new(aws_sdk_dynamodb::Client::new(&cloud.root()), &outputs.effects_table);
        if let Some(bedrock) = &options.bedrock {
            // Before anything can call a model.
            spending.set_run_limit(bedrock.limit_usd_micros, Timestamp::now()).await?;
        }
        let alarm_period = options.alarm_period;
        let logs = all.iter().map(|instance| instance.log(&options.state_dir)).collect();
        let launcher = Launcher::new(&cloud, &outputs, options).await?;
        let mut parts = Vec::new();
        if let Some(simulator) = launcher.simulator() {
            progress.begin("Starting the Bedrock simulator");
            parts.push((Part::Simulator, launcher.launch(Part::Simulator, &progress).await?));
            progress.end(&simulator.endpoint);
        }
        progress.begin("Starting the service");
        if launcher.has_redis() {
            parts.push((Part::Redis, launcher.launch(Part::Redis, &progress).await?));
        }
        let services = all.iter().map(async |instance| {
            let part = Part::from(*instance);
            anyhow::Ok((part, launcher.launch(part, &progress).await?))
        });
        parts.extend(try_join_all(services).await?);
        progress.end(&format!("{} processes", all.len()));
        // The first reports of the processes are in their logs.
        let alarms = AlarmEvaluator::start_with(&cloud, alarm_period, logs).await;
        let (report_death, deaths) = mpsc::channel(DEATHS_REMEMBERED);
        let parts = parts.into_iter().map(|(part, launched)| {
            let running = watched(part, launched, &report_death);
            (part, Mutex::new(running))
        });
        let (parts, deaths) = (parts.collect(), Mutex::new(deaths));
        Ok(Self { _alarms: alarms, parts, launcher, cloud, outputs, spending, deaths, report_death })
    }

    /// URL of the first ingress, `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.launcher.urls()[0]
    }

    /// URL of each ingress, by copy.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        self.launcher.urls()
    }

    #[must_use]
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The simulator, if the models are simulated.
    #[must_use]
    pub fn simulator(&self) -> Option<&SimulatorAccess> {
        self.launcher.simulator()
    }

    /// What the models have cost, and the limits.
    #[must_use]
    pub fn spending(&self) -> &Spending {
        &self.spending
    }

    /// The run file. The logs are in `state_dir`.
    ///
    /// # Errors
    /// When the operator's role was not deployed.
    pub fn run_file(&self, state_dir: PathBuf) -> anyhow::Result<RunFile> {
        Ok(RunFile {
            url: self.url().to_owned(),
            cloud_endpoint: self.cloud.endpoint().to_owned(),
            simulator: self.simulator().cloned(),
            state_dir,
            operator: self.launcher.operator()?,
            outputs: self.outputs.clone(),
        })
    }

    /// Every process of the service.
    pub fn instances(&self) -> impl Iterator<Item = Instance> + '_ {
        self.parts().filter_map(|part| match part {
            Part::Service(instance) => Some(instance),
            Part::Simulator | Part::Redis => None,
        })
    }

    /// Every process but the local cloud.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.parts.keys().copied()
    }

    /// The processes of the service, and whether each is healthy.
    pub async fn health(&self) -> Vec<(Instance, bool)> {
        let all = self.parts.iter().map(async |(part, running)| {
            let Part::Service(instance) = *part else { return None };
            let health = running.lock().await.health.clone()?;
            Some((instance, self.launcher.is_healthy(&health).await))
        });
        join_all(all).await.into_iter().flatten().collect()
    }

    /// The present process of a part: for its id, its log, its status.
    ///
    /// # Errors
    /// When there is no such part.
    pub async fn process(&self, part: impl Into<Part>) -> anyhow::Result<Arc<Process>> {
        Ok(self.slot(part)?.lock().await.process.clone())
    }

    /// Sends `signal` without waiting for what it does; an end that comes of it is expected.
    ///
    /// # Errors
    /// When there is no such instance, or it has ended.
    pub async fn signal(&self, instance: Instance, signal: Signal) -> anyhow::Result<()> {
        let running = self.slot(instance)?.lock().await;
        if matches!(signal, Signal::SIGKILL | Signal::SIGTERM | Signal::SIGINT) {
            running.ending.store(true, Ordering::SeqCst);
        }
        running.process.signal(signal).await
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When there is no such instance, or it has ended.
    pub async fn kill(&self, instance: Instance) -> anyhow::Result<()> {
        self.signal(instance, Signal::SIGKILL).await?;
        self.process(instance).await?.wait().await;
        Ok(())
    }

    /// Asks it to end (SIGTERM), waits until it has, and returns how it ended.
    ///
    /// # Errors
    /// When there is no such instance, it has ended, or it does not end within 100 s: then it was killed.
    pub async fn terminate(&self, instance: Instance) -> anyhow::Result<ExitStatus> {
        self.signal(instance, Signal::SIGTERM).await?;
        let process = self.process(instance).await?;
        let Ok(status) = tokio::time::timeout(STOP_TIMEOUT, process.wait()).await else {
            process.signal(Signal::SIGKILL).await?;
            bail!("{instance} did not end within {} s of SIGTERM", STOP_TIMEOUT.as_secs());
        };
        Ok(status)
    }

    /// Starts it anew and waits until it is healthy; kills it before if it still runs.
    ///
    /// # Errors
    /// When there is no such part, or the new process does not become healthy.
    pub async fn restart(&self, part: impl Into<Part>) -> anyhow::Result<()> {
        let part = part.into();
        let mut running = self.slot(part)?.lock().await;
        running.ending.store(true, Ordering::SeqCst);
        if running.process.status().is_none() {
            let _ = running.process.signal(Signal::SIGKILL).await;
            running.process.wait().await;
        }
        let launched = self.launcher.launch(part, &Progress::silent()).await?;
        *running = watched(part, launched, &self.report_death);
        Ok(())
    }

    /// Waits for the next process that ends without a request: one of the service's, the simulator or
    /// the cloud.
    pub async fn died(&self) -> ProcessExitError {
        self.next_death().await.error
    }

    /// Ends everything in order: the ingress, so that nothing new begins, then the workers, then the simulator and
    /// the cloud. What has not ended `grace` after it was asked to is killed, and returned. A worker that finishes
    /// what it holds needs up to 100 s.
    pub async fn stop(self, grace: Duration) -> Vec<Instance> {
        let (ingress, workers): (Vec<Instance>, Vec<Instance>) =
            self.instances().partition(|instance| instance.service == Service::Ingress);
        let mut killed = self.end_all(&ingress, grace).await;
        killed.extend(self.end_all(&workers, grace).await);
        join_all([Part::Simulator, Part::Redis].map(|part| self.end(part, grace))).await;
        self.cloud.stop().await;
        killed
    }

    async fn end_all(&self, instances: &[Instance], grace: Duration) -> Vec<Instance> {
        let ends = instances
            .iter()
            .map(async |instance| self.end((*instance).into(), grace).await.then_some(*instance));
        join_all(ends).await.into_iter().flatten().collect()
    }

    /// Returns whether it had to be killed.
    async fn end(&self, part: Part, grace: Duration) -> bool {
        let Ok(running) = self.slot(part) else { return false };
        let running = running.lock().await.clone();
        running.ending.store(true, Ordering::SeqCst);
        let had_ended = running.process.status().is_some();
        let status = running.process.stop(grace).await;
        !had_ended && status.signal() == Some(Signal::SIGKILL as i32)
    }

    fn slot(&self, part: impl Into<Part>) -> anyhow::Result<&Mutex<Running>> {
        let part = part.into();
        self.parts.get(&part).with_context(|| format!("the stack has no {part}"))
    }
}

/// Reports the process's end unless this stack ordered it.
fn watched(part: Part, launched: Launched, report: &mpsc::Sender<Death>) -> Running {
    let Launched { process, health } = launched;
    let process = Arc::new(process);
    let ending = Arc::new(AtomicBool::new(false));
    let exit = process.exit();
    let (weak, ours, report) = (Arc::downgrade(&process), ending.clone(), report.clone());
    let since = Instant::now();
    tokio::spawn(async move {
        let Some(status) = exit.await else { return };
        if let Some(process) = weak.upgrade().filter(|_| !ours.load(Ordering::SeqCst)) {
            let death = Death { part: Some(part), lived: since.elapsed(), error: process.died(status) };
            // A full channel has enough of them: one more adds nothing.
            let _ = report.try_send(death);
        }
    });
    Running { process, health, ending }
}
