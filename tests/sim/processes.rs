//! The worker processes of the simulation. They are killed, frozen, asked to stop or killed by a message, and restarted when
//! they end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::SdkConfig;
use events::{
    runtime::{
        consumer::{Delivery, Events, Handler, consume},
        failure::Failure,
    },
    workers::Worker,
};
use jiff::SignedDuration;
use tests::{
    deployment::{config, consumer},
    model::Cloud,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workers::{alerts, analysis, erasure, progress, transcript, watchdog};

use crate::{
    mutants,
    plan::{DEADLY, Variant},
};

/// The worker of each slot: one process of each, and a second one of analysis. Without `deletions` there is no erasure
/// worker, because no account is deleted.
pub(crate) fn slots(deletions: bool) -> Vec<Worker> {
    let copies = |worker| if worker == Worker::Analysis { 2 } else { 1 };
    let workers = Worker::ALL.into_iter().filter(|worker| deletions || *worker != Worker::Erasure);
    workers.flat_map(|worker| std::iter::repeat_n(worker, copies(worker))).collect()
}

/// The longest time from the request to stop to the end of the process: the stop timeout of an orchestrator, less its own
/// time.
const STOP_MAX: Duration = Duration::from_secs(115);

/// The wait before a process that ended is restarted.
const BOOT_WAIT_MIN: Duration = Duration::from_secs(2);

/// The longest wait before a process that does not start is restarted.
const BOOT_WAIT_MAX: Duration = Duration::from_secs(60);

/// Longer than any conversation that started before the deletion request can take.
const SETTLE_SECONDS: &str = "600";

/// The oracle checks each alert separately, so no alerts are batched; `alert_batching` tests batches.
const NO_STORM: &str = "1000";

/// The model of the analysis and its prices.
const MODEL: [(&str, &str); 1] = [("NOVA_ANALYSIS_MODEL_ID", "model")];

/// The running process of each slot.
pub(crate) type Running = Arc<Mutex<BTreeMap<usize, (String, CancellationToken)>>>;

/// Starts a process of each of `workers` and restarts it when it ends, until `over` is cancelled.
pub(crate) fn start(
    cloud: &Cloud,
    variant: Variant,
    workers: &[Worker],
    skew_max_seconds: f64,
    over: &CancellationToken,
) -> Running {
    let running = Running::default();
    for (slot, worker) in workers.iter().copied().enumerate() {
        let (cloud, running) = (cloud.clone(), Arc::clone(&running));
        let keeper = Keeper { cloud, variant, slot, worker, skew_max_seconds, running };
        tokio::spawn(over.clone().run_until_cancelled_owned(keeper.keep()));
    }
    running
}

/// Kills, freezes and stops random processes until `end`.
pub(crate) async fn disturb(
    cloud: &Cloud,
    running: &Running,
    (variant, skew_max_seconds): (Variant, f64),
    end: Instant,
) {
    let count = running.lock().unwrap_or_else(PoisonError::into_inner).len();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    loop {
        // This mutant fails only if it is killed at the right moment.
        let is_frequent = variant == Variant::DeleteFirst;
        let pause =
            if is_frequent { cloud.state().seconds(1.0, 8.0) } else { cloud.state().seconds(5.0, 60.0) };
        if Instant::now() + pause >= end {
            tokio::time::sleep_until(end).await;
            return;
        }
        tokio::time::sleep(pause).await;
        let (slot, action, duration) = {
            let mut state = cloud.state();
            (state.below(count), state.below(5), state.seconds(20.0, 200.0))
        };
        let (slot, action) = if is_frequent { (0, 1) } else { (slot, action) };
        let slot = usize::try_from(slot).unwrap_or(0);
        let Some((name, shutdown)) =
            running.lock().unwrap_or_else(PoisonError::into_inner).get(&slot).cloned()
        else {
            continue;
        };
        match action {
            _ if variant == Variant::Calm => shutdown.cancel(),
            0 => cloud.kill(&name),
            1 | 2 => cloud.doom(&name),
            3 => {
                cloud.freeze(&name, duration);
                // Another process takes over while this one is frozen, and both continue after that.
                let worker = slots(true)[slot];
                let other = Keeper {
                    cloud: cloud.clone(),
                    variant,
                    slot: slot + 100,
                    worker,
                    skew_max_seconds,
                    running: Arc::clone(running),
                };
                tokio::spawn(tokio::time::timeout_at(end + Duration::from_secs(600), other.keep()));
            }
            _ => shutdown.cancel(),
        }
    }
}

/// The error of the clock of a process that starts now.
pub(crate) fn skew(cloud: &Cloud, max_seconds: f64) -> SignedDuration {
    let ahead = cloud.state().seconds(0.0, 2.0 * max_seconds).as_secs_f64() - max_seconds;
    SignedDuration::from_secs_f64(ahead)
}

/// Asks one process after the other to stop until `end`, each several times within the lease of an effect.
pub(crate) async fn stop_repeatedly(cloud: &Cloud, running: &Running, end: Instant) {
    let slots = running.lock().unwrap_or_else(PoisonError::into_inner).len();
    for slot in (0..slots).cycle() {
        let pause = cloud.state().seconds(0.2, 2.0);
        if Instant::now() + pause >= end {
            return;
        }
        tokio::time::sleep(pause).await;
        if let Some((_, shutdown)) = running.lock().unwrap_or_else(PoisonError::into_inner).get(&slot) {
            shutdown.cancel();
        }
    }
}

struct Keeper {
    cloud: Cloud,
    variant: Variant,
    slot: usize,
    worker: Worker,
    skew_max_seconds: f64,
    running: Running,
}

impl Keeper {
    async fn keep(self) {
        let mut wait = BOOT_WAIT_MIN;
        for start in 0.. {
            let name = format!("{}-{}.{start}", self.worker, self.slot);
            let shutdown = CancellationToken::new();
            let entry = (name.clone(), shutdown.clone());
            self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(self.slot, entry);
            let process = self.cloud.process(&name, skew(&self.cloud, self.skew_max_seconds));
            let death = self.cloud.death_of(&name);
            let sdk = self.cloud.sdk_config(&name);
            let killer = Killer { cloud: self.cloud.clone(), name: name.clone() };
            let mut running = process.spawn(run(self.worker, self.variant, sdk, killer, shutdown.clone()));
            let mut stop_requested = None;
            let ended = loop {
                tokio::select! {
                    biased;
                    () = death.cancelled() => break None,
                    ended = &mut running => break Some(ended),
                    () = shutdown.cancelled(), if stop_requested.is_none() => stop_requested = Some(Instant::now()),
                }
            };
            if let Some(ended) = &ended {
                self.check_end(&name, stop_requested, ended);
            }
            let failed = matches!(&ended, Some(Ok(Err(_))));
            wait = if failed { (wait * 2).min(BOOT_WAIT_MAX) } else { BOOT_WAIT_MIN };
            tokio::time::sleep(wait).await;
        }
    }

    /// I8: a process that was asked to stop has stopped in time and, without faults, keeps no message.
    fn check_end(
        &self,
        name: &str,
        stop_requested: Option<Instant>,
        ended: &Result<anyhow::Result<()>, tokio::task::JoinError>,
    ) {
        let mut state = self.cloud.state();
        if let Err(crashed) = ended {
            state.violations.push(format!("{name} crashed: {crashed}"));
        }
        let took = stop_requested.map(|at| at.elapsed()).unwrap_or_default();
        if took > STOP_MAX && state.freezes(name) == 0 {
            state.violations.push(format!("I8: {name} took {took:?} to stop"));
        }
        if self.variant != Variant::Calm {
            return;
        }
        let now = state.now();
        let held: Vec<_> = state
            .sqs
            .queues
            .values()
            .flat_map(|queue| &queue.messages)
            .filter(|message| message.holder.as_deref() == Some(name) && message.visible_at > now)
            .map(|message| format!("I8: {name} ended and keeps {}", message.id))
            .collect();
        state.violations.extend(held);
    }
}

/// Kills a process.
#[derive(Clone)]
struct Killer {
    cloud: Cloud,
    name: String,
}

/// A handler whose process is killed by one message. It handles all others.
struct Mortal<H>(H, Killer);

impl<H: Handler> Handler for Mortal<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        if delivery.body == DEADLY.1 {
            self.1.cloud.kill(&self.1.name);
            std::future::pending::<()>().await;
        }
        self.0.handle(delivery).await
    }
}

/// Runs a worker until `shutdown`: the production handler, or the mutant of `variant` in its place.
async fn run(
    worker: Worker,
    variant: Variant,
    sdk: SdkConfig,
    killer: Killer,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let process = Process { worker, sdk: sdk.clone(), shutdown };
    let sdk = &sdk;
    match worker {
        Worker::Transcript => {
            let handler = transcript::Transcripts::start(&config(worker, &[]), sdk).await?;
            if variant == Variant::DeleteFirst {
                return process.consume(Events(mutants::DeleteFirst(Arc::new(handler)))).await;
            }
            process.consume(Mortal(Events(handler), killer)).await
        }
        Worker::Analysis if variant == Variant::UnfencedAnalysis => {
            process.consume(Events(mutants::Unfenced::new(sdk))).await
        }
        Worker::Analysis => {
            let config = config(worker, &MODEL);
            process.consume(Events(analysis::Analyses::start(&config, sdk).await?)).await
        }
        Worker::Progress if variant == Variant::Unmarked => {
            process.consume(Events(mutants::Unmarked::new(sdk))).await
        }
        Worker::Progress => {
            process.consume(Events(progress::Progress::start(&config(worker, &[]), sdk).await?)).await
        }
        Worker::Alerts => {
            let mut config: alerts::Config = config(worker, &[("NOVA_ALERTS_STORM_AFTER", NO_STORM)]);
            config.watched_queue_urls.clear();
            process.consume(Events(alerts::Alerts::start(&config, sdk).await?)).await
        }
        Worker::Watchdog => {
            process.consume(watchdog::Watchdog::start(&config(worker, &[]), sdk).await?).await
        }
        Worker::Erasure => {
            let is_forgetful = variant == Variant::ForgetfulErasure;
            let mut config: erasure::Config =
                config(worker, &[("NOVA_ERASURE_SETTLE_SECONDS", SETTLE_SECONDS)]);
            if is_forgetful {
                config.erasure_settle_seconds = 0;
            }
            let handler = erasure::Erasure::start(&config, sdk).await?;
            if is_forgetful {
                return process.consume(Events(mutants::Forgetful::new(sdk, handler))).await;
            }
            process.consume(Events(handler)).await
        }
    }
}

/// One process of a worker.
struct Process {
    worker: Worker,
    sdk: SdkConfig,
    shutdown: CancellationToken,
}

impl Process {
    async fn consume(self, handler: impl Handler) -> anyhow::Result<()> {
        let consumer = consumer(self.worker);
        consume(self.worker.name(), &consumer, &self.sdk, self.shutdown, handler).await
    }
}
