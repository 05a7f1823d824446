//! The whole system as processes: the local cloud, the Bedrock simulator, the ingress and the workers.
//!
//! A test that needs a fault proxy in front of the cloud starts the parts itself: [`Cloud::start`],
//! [`super::deploy()`], its proxy, then [`Stack::on`] with [`StackOptions::endpoints`].

mod launch;

use std::{
    collections::BTreeMap,
    fmt, fs,
    num::NonZeroUsize,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use futures_util::future::{join_all, try_join_all};
use nix::sys::signal::Signal;
use tokio::sync::{Mutex, mpsc};

use super::{
    Binaries, Cloud, CloudOptions, Outputs, Process, ProcessExitError, Progress, RunFile, Service, deploy,
};
use crate::pictures::{Gallery, catalogue, publish, publish_pictures};
use launch::{Launched, Launcher, Simulator};

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
    /// More arguments for the simulator.
    pub simulator_arguments: Vec<String>,
    /// Whether the pictures are published with their images; their texts always are.
    pub images: bool,
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
            simulator_arguments: Vec::new(),
            images: true,
            progress: Progress::silent(),
        }
    }
}

/// One process of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    pub service: Service,
    /// Which of its copies, from 0.
    pub copy: usize,
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.copy {
            0 => write!(f, "{}", self.service),
            copy => write!(f, "{}-{copy}", self.service),
        }
    }
}

/// The running system. Dropping it kills everything; [`Stack::stop`] ends it in order.
#[derive(Debug)]
pub struct Stack {
    // Fields are dropped in order: what uses the cloud before the cloud.
    instances: BTreeMap<Instance, Mutex<Running>>,
    launcher: Launcher,
    simulator: Simulator,
    cloud: Cloud,
    outputs: Outputs,
    deaths: Mutex<mpsc::Receiver<ProcessExitError>>,
    report_death: mpsc::Sender<ProcessExitError>,
}

/// A process, and whether its end was requested.
#[derive(Clone, Debug)]
struct Running {
    process: Arc<Process>,
    health: String,
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
    /// healthy.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn on(cloud: Cloud, outputs: Outputs, options: StackOptions) -> anyhow::Result<Self> {
        let progress = options.progress.clone();
        fs::create_dir_all(&options.state_dir)
            .with_context(|| format!("cannot make the folder {}", options.state_dir.display()))?;
        progress.begin("Starting the Bedrock simulator");
        let simulator = Simulator::start(&options, cloud.group()).await?;
        progress.end(simulator.endpoint());
        progress.begin("Starting the service");
        let all: Vec<Instance> = options
            .services
            .iter()
            .copied()
            .flat_map(|service| {
                let ingress = service == Service::Ingress;
                let copies = if ingress { options.ingress_copies } else { options.copies };
                (0..copies.get()).map(move |copy| Instance { service, copy })
            })
            .collect();
        let launcher = Launcher::new(&cloud, &outputs, &simulator, options).await?;
        let processes =
            try_join_all(all.iter().map(|instance| launcher.launch(*instance, &progress))).await?;
        progress.end(&format!("{} processes", all.len()));
        let (report_death, deaths) = mpsc::channel(DEATHS_REMEMBERED);
        let running = processes.into_iter().map(|process| watched(process, &report_death));
        let instances = all.into_iter().zip(running.map(Mutex::new)).collect();
        let deaths = Mutex::new(deaths);
        Ok(Self { instances, launcher, simulator, cloud, outputs, deaths, report_death })
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

    /// URL of the simulator, `https://127.0.0.1:port`: the value of `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`.
    #[must_use]
    pub fn bedrock_endpoint(&self) -> &str {
        self.simulator.endpoint()
    }

    /// The certificate authority of the simulator, a PEM file: the value of `AWS_CA_BUNDLE`.
    #[must_use]
    pub fn ca_bundle(&self) -> &Path {
        self.simulator.ca_bundle()
    }

    #[must_use]
    pub fn simulator(&self) -> &Process {
        self.simulator.process()
    }

    /// The run file. The logs are in `state_dir`.
    ///
    /// # Errors
    /// When the operator's role was not deployed.
    pub fn run_file(&self, state_dir: PathBuf) -> anyhow::Result<RunFile> {
        Ok(RunFile {
            url: self.url().to_owned(),
            cloud_endpoint: self.cloud.endpoint().to_owned(),
            bedrock_endpoint: self.bedrock_endpoint().to_owned(),
            ca_bundle: self.ca_bundle().to_owned(),
            state_dir,
            operator: self.launcher.operator()?,
            outputs: self.outputs.clone(),
        })
    }

    /// Every process of the service.
    pub fn instances(&self) -> impl Iterator<Item = Instance> + '_ {
        self.instances.keys().copied()
    }

    /// The processes of the service, and whether each is healthy.
    pub async fn health(&self) -> Vec<(Instance, bool)> {
        let all = self.instances.iter().map(async |(instance, running)| {
            let health = running.lock().await.health.clone();
            (*instance, self.launcher.is_healthy(&health).await)
        });
        join_all(all).await
    }

    /// The process of an instance as it is now: for its id, its log, its status.
    ///
    /// # Errors
    /// When there is no such instance.
    pub async fn process(&self, instance: Instance) -> anyhow::Result<Arc<Process>> {
        Ok(self.slot(instance)?.lock().await.process.clone())
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
    /// When there is no such instance, or the new process does not become healthy.
    pub async fn restart(&self, instance: Instance) -> anyhow::Result<()> {
        let mut running = self.slot(instance)?.lock().await;
        running.ending.store(true, Ordering::SeqCst);
        if running.process.status().is_none() {
            let _ = running.process.signal(Signal::SIGKILL).await;
            running.process.wait().await;
        }
        let process = self.launcher.launch(instance, &Progress::silent()).await?;
        *running = watched(process, &self.report_death);
        Ok(())
    }

    /// Waits for the next process that ends without a request: one of the service's, the simulator or
    /// the cloud.
    pub async fn died(&self) -> ProcessExitError {
        let mut deaths = self.deaths.lock().await;
        tokio::select! {
            // The sender lives as long as the stack, so the channel is never closed.
            Some(died) = deaths.recv() => died,
            status = self.simulator.process().wait() => self.simulator.process().died(status),
            status = self.cloud.process().wait() => self.cloud.process().died(status),
        }
    }

    /// Ends everything in order: the ingress, so that nothing new begins, then the workers, then the simulator and
    /// the cloud. What has not ended `grace` after it was asked to is killed, and returned. A worker that finishes
    /// what it holds needs up to 100 s.
    pub async fn stop(self, grace: Duration) -> Vec<Instance> {
        let (ingress, workers): (Vec<Instance>, Vec<Instance>) =
            self.instances().partition(|instance| instance.service == Service::Ingress);
        let mut killed = self.end_all(&ingress, grace).await;
        killed.extend(self.end_all(&workers, grace).await);
        self.simulator.process().stop(grace).await;
        self.cloud.stop().await;
        killed
    }

    async fn end_all(&self, instances: &[Instance], grace: Duration) -> Vec<Instance> {
        let ends = instances.iter().map(async |instance| {
            let running = self.slot(*instance).ok()?.lock().await.clone();
            running.ending.store(true, Ordering::SeqCst);
            let had_ended = running.process.status().is_some();
            let status = running.process.stop(grace).await;
            (!had_ended && status.signal() == Some(Signal::SIGKILL as i32)).then_some(*instance)
        });
        join_all(ends).await.into_iter().flatten().collect()
    }

    fn slot(&self, instance: Instance) -> anyhow::Result<&Mutex<Running>> {
        self.instances.get(&instance).with_context(|| format!("the stack has no {instance}"))
    }
}

/// Reports the process's end unless it is ours.
fn watched(launched: Launched, report: &mpsc::Sender<ProcessExitError>) -> Running {
    let Launched { process, health } = launched;
    let process = Arc::new(process);
    let ending = Arc::new(AtomicBool::new(false));
    let exit = process.exit();
    let (weak, ours, report) = (Arc::downgrade(&process), ending.clone(), report.clone());
    tokio::spawn(async move {
        let Some(status) = exit.await else { return };
        if let Some(process) = weak.upgrade().filter(|_| !ours.load(Ordering::SeqCst)) {
            // A full channel has enough of them: one more adds nothing.
            let _ = report.try_send(process.died(status));
        }
    });
    Running { process, health, ending }
}
