//! The workers as processes: started again when they end, killed, frozen, asked to stop, and killed by a message.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use events::runtime::{
    consumer::{Delivery, Events, Handler, consume},
    failure::Failure,
};
use tests::model::{Cloud, queue_url};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workers::{alerts, analysis, erasure, progress, transcript, watchdog};

use crate::{
    plan::DEADLY,
    world::{self, AUDIO, BUS, CONVERSATIONS, EFFECTS, IMAGES, LOGS, PROGRESS, TOPICS, USERS, Variant},
    wrong,
};

/// Workers by the names of their binaries; analysis has two replicas. The last one has nothing to do where no learner
/// leaves.
pub(crate) const WORKERS: &[&str] =
    &["transcript", "analysis", "analysis", "progress", "alerts", "watchdog", "erasure"];

/// The longest time from the wish that a process stops until it has: its stop timeout, less what an orchestrator needs.
const STOP_MAX: Duration = Duration::from_secs(115);

/// The wait until a process that ended is started again.
const BOOT_WAIT_MIN: Duration = Duration::from_secs(2);

/// The longest wait until a process that does not boot is started again.
const BOOT_WAIT_MAX: Duration = Duration::from_secs(60);

/// Longer than anything that a learner began before the account was to be deleted can take to come to its end.
const SETTLE_SECONDS: i32 = 600;

/// The process that runs in each slot now.
pub(crate) type Running = Arc<Mutex<BTreeMap<usize, (String, CancellationToken)>>>;

/// Starts everybody, each kept alive until `over`.
pub(crate) fn start(
    cloud: &Cloud,
    (variant, workers): (Variant, &'static [&'static str]),
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

/// Does things to processes until `end`.
pub(crate) async fn trouble(
    cloud: &Cloud,
    running: &Running,
    (variant, skew_max_seconds): (Variant, f64),
    end: Instant,
) {
    let slots = running.lock().unwrap_or_else(PoisonError::into_inner).len();
    let slots = u32::try_from(slots).unwrap_or(u32::MAX);
    loop {
        // What is wrong with that one shows where it dies at the right moment.
        let often = variant == Variant::DeleteFirst;
        let pause = if often { cloud.state().seconds(1.0, 8.0) } else { cloud.state().seconds(5.0, 60.0) };
        if Instant::now() + pause >= end {
            tokio::time::sleep_until(end).await;
            return;
        }
        tokio::time::sleep(pause).await;
        let (slot, what, how_long) = {
            let mut state = cloud.state();
            (state.below(slots), state.below(5), state.seconds(20.0, 200.0))
        };
        let (slot, what) = if often { (0, 1) } else { (slot, what) };
        let slot = usize::try_from(slot).unwrap_or(0);
        let Some((name, shutdown)) =
            running.lock().unwrap_or_else(PoisonError::into_inner).get(&slot).cloned()
        else {
            continue;
        };
        match what {
            _ if variant == Variant::Calm => shutdown.cancel(),
            0 => cloud.kill(&name),
            1 | 2 => cloud.doom(&name),
            3 => {
                cloud.freeze(&name, how_long);
                // Somebody else takes over while it is frozen, and both go on after that.
                let worker = WORKERS[slot];
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

/// Asks one process after the other to stop until `end`, each several times within the lease of an effect.
pub(crate) async fn stops(cloud: &Cloud, running: &Running, end: Instant) {
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
    worker: &'static str,
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
            let process = self.cloud.process(&name, world::skew(&self.cloud, self.skew_max_seconds));
            let death = self.cloud.death_of(&name);
            let sdk = self.cloud.sdk_config(&name);
            let deadly = Deadly { cloud: self.cloud.clone(), name: name.clone() };
            let mut running = process.spawn(run(self.worker, self.variant, (sdk, deadly), shutdown.clone()));
            let mut asked = None;
            let ended = loop {
                tokio::select! {
                    biased;
                    () = death.cancelled() => break None,
                    ended = &mut running => break Some(ended),
                    () = shutdown.cancelled(), if asked.is_none() => asked = Some(Instant::now()),
                }
            };
            if let Some(ended) = &ended {
                self.look_back(&name, asked, ended);
            }
            let failed = matches!(&ended, Some(Ok(Err(_))));
            wait = if failed { (wait * 2).min(BOOT_WAIT_MAX) } else { BOOT_WAIT_MIN };
            tokio::time::sleep(wait).await;
        }
    }

    /// I8: a process that was asked to stop has stopped in time, and in calm weather leaves nothing behind.
    fn look_back(
        &self,
        name: &str,
        asked: Option<Instant>,
        ended: &Result<anyhow::Result<()>, tokio::task::JoinError>,
    ) {
        let mut state = self.cloud.state();
        if let Err(crashed) = ended {
            state.violations.push(format!("{name} crashed: {crashed}"));
        }
        let took = asked.map(|asked| asked.elapsed()).unwrap_or_default();
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

/// Who dies of a message.
#[derive(Clone)]
struct Deadly {
    cloud: Cloud,
    name: String,
}

/// A handler that dies of a message, and handles all others.
struct Mortal<H>(H, Deadly);

impl<H: Handler> Handler for Mortal<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        if delivery.body == DEADLY.1 {
            self.1.cloud.kill(&self.1.name);
            std::future::pending::<()>().await;
        }
        self.0.handle(delivery).await
    }
}

async fn run(
    worker: &'static str,
    variant: Variant,
    (sdk, deadly): (aws_config::SdkConfig, Deadly),
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let consumer = world::consumer(&format!("nova-{worker}"));
    match (worker, variant) {
        ("transcript", variant) => {
            let config = transcript::Config {
                consumer: consumer.clone(),
                conversations_table: CONVERSATIONS.into(),
                effects_table: EFFECTS.into(),
                logs_bucket: LOGS.into(),
                audio_bucket: AUDIO.into(),
                event_bus: BUS.into(),
            };
            let handler = transcript::Transcripts::start(&config, &sdk).await?;
            if variant == Variant::DeleteFirst {
                let handler = Events(wrong::DeleteFirst(Arc::new(handler)));
                return consume(worker, &consumer, &sdk, shutdown, handler).await;
            }
            consume(worker, &consumer, &sdk, shutdown, Mortal(Events(handler), deadly)).await
        }
        ("analysis", Variant::UnfencedAnalysis) => {
            consume(worker, &consumer, &sdk, shutdown, Events(wrong::Unfenced::new(&sdk))).await
        }
        ("analysis", _) => {
            let config = analysis::Config {
                consumer: consumer.clone(),
                conversations_table: CONVERSATIONS.into(),
                images_table: IMAGES.into(),
                effects_table: EFFECTS.into(),
                logs_bucket: LOGS.into(),
                event_bus: BUS.into(),
                analysis_model_id: "model".into(),
                analysis_max_tokens: 4096,
                analysis_price_input_usd_micros: 1_100_000,
                analysis_price_output_usd_micros: 5_500_000,
            };
            let handler = analysis::Analyses::start(&config, &sdk).await?;
            consume(worker, &consumer, &sdk, shutdown, Events(handler)).await
        }
        ("progress", Variant::Unmarked) => {
            consume(worker, &consumer, &sdk, shutdown, Events(wrong::Unmarked::new(&sdk))).await
        }
        ("progress", _) => {
            let config = progress::Config {
                consumer: consumer.clone(),
                progress_table: PROGRESS.into(),
                effects_table: EFFECTS.into(),
                event_bus: BUS.into(),
            };
            let handler = progress::Progress::start(&config, &sdk).await?;
            consume(worker, &consumer, &sdk, shutdown, Events(handler)).await
        }
        ("erasure", variant) => run_erasure(variant, sdk, shutdown).await,
        (other, _) => run_quiet(other, sdk, shutdown).await,
    }
}

async fn run_erasure(
    variant: Variant,
    sdk: aws_config::SdkConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let consumer = world::consumer("nova-erasure");
    let is_forgetful = variant == Variant::ForgetfulErasure;
    let config = erasure::Config {
        consumer: consumer.clone(),
        users_table: USERS.into(),
        conversations_table: CONVERSATIONS.into(),
        progress_table: PROGRESS.into(),
        effects_table: EFFECTS.into(),
        logs_bucket: LOGS.into(),
        audio_bucket: AUDIO.into(),
        user_pool_id: "pool".into(),
        erasure_settle_seconds: if is_forgetful { 0 } else { SETTLE_SECONDS },
    };
    let handler = erasure::Erasure::start(&config, &sdk).await?;
    if is_forgetful {
        let handler = Events(wrong::Forgetful::new(&sdk, handler));
        return consume("erasure", &consumer, &sdk, shutdown, handler).await;
    }
    consume("erasure", &consumer, &sdk, shutdown, Events(handler)).await
}

/// The workers of which there is no wrong variant.
async fn run_quiet(
    worker: &'static str,
    sdk: aws_config::SdkConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let consumer = world::consumer(&format!("nova-{worker}"));
    if worker == "alerts" {
        let [critical, warning, info] = TOPICS.map(str::to_owned);
        let config = alerts::Config {
            consumer: consumer.clone(),
            effects_table: EFFECTS.into(),
            topic_critical_arn: critical,
            topic_warning_arn: warning,
            topic_info_arn: info,
            watched_queue_urls: Vec::new(),
            // The oracle looks for every alert by itself; storms are `telling`.
            alerts_storm_after: 1000,
            alerts_storm_seconds: 300,
            alerts_quiet_hours: None,
            alerts_quiet_zone: "UTC".into(),
        };
        let handler = alerts::Alerts::start(&config, &sdk).await?;
        return consume(worker, &consumer, &sdk, shutdown, Events(handler)).await;
    }
    let config = watchdog::Config {
        consumer: consumer.clone(),
        conversations_table: CONVERSATIONS.into(),
        watchdog_queue_url: queue_url("nova-watchdog"),
        watch_delay_seconds: events::journal::WATCH_DELAY_SECONDS,
        audit: watchdog::AuditConfig {
            effects_table: EFFECTS.into(),
            logs_bucket: LOGS.into(),
            audit_complete_seconds: 600,
            audit_stage_seconds: 60,
            audit_late_delay_seconds: 900,
            audit_end_seconds: 86_400,
        },
        event_bus: BUS.into(),
    };
    let handler = watchdog::Watchdog::start(&config, &sdk).await?;
    consume(worker, &consumer, &sdk, shutdown, handler).await
}
