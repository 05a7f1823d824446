//! The consumer: polls one queue and runs a handler for each message, as many at once as it has permits.
//!
//! It is the shell around [`super::delivery`], the breaker and the limit, which decide. What it guarantees: a permit
//! comes before a poll, so nothing waits in memory; a lease is kept from the receive on, and its handler is cancelled
//! when it is lost; a message is deleted only after its handler succeeded (or its copy is in the dead-letter queue); a
//! panic is the failure of one message, and so is what kills the process; what is not the message's fault is not
//! counted against it; on shutdown every message that is not finished in time is given back at once.
//!
//! Delivery is at least once: handlers are idempotent.
//!
//! How to read it: [`consume`] starts and ends everything, [`poll`] takes permits and messages, `task.rs` is the life of
//! one message. Beside them: `permits.rs` (how many run), `gate.rs` (whether any may), `lease.rs` (whose a message is),
//! `ledger.rs` (what kills workers), `acks.rs` (deletes), `queue.rs` (the calls), `line.rs` and `metrics.rs` (what is
//! told).

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use jiff::Timestamp;
use lru::LruCache;
use tokio::{sync::RwLock, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    delivery::{FAILURES_MAX, FAILURES_MAX_LIMIT},
    env,
    failure::{Failure, describe},
    health::{self, Health, Pulse},
    jitter::full_jitter,
    metrics::write_until,
};
use crate::contract::{DecodeError, Envelope, TraceParent};

mod acks;
mod gate;
mod lease;
mod ledger;
mod line;
mod metrics;
mod permits;
mod queue;
mod task;
#[cfg(test)]
mod tests;

use gate::{Gate, Polling};
use lease::Leases;
use ledger::Ledger;
use metrics::{Measured, Now};
use permits::{Permit, Permits};
use queue::{BATCH_MAX, POLL_SECONDS_MAX, Queue};
use task::Work;

/// The most handlers one process runs at once.
pub const CONCURRENCY_MAX: u32 = 256;

/// Finished messages that are remembered, so that a redelivery is deleted without running its handler again.
pub const FINISHED_MAX: usize = 4096;

/// Silence after which the poll loop or the heartbeat counts as stuck. A poll takes up to 30 seconds.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// The longest wait after a failed poll.
const POLL_BACKOFF_CAP: Duration = Duration::from_secs(30);

/// The longest first wait after a failed poll.
const POLL_BACKOFF_BASE: Duration = Duration::from_secs(1);

/// The longest time that giving back and deleting may take after the drain.
const FLUSH_MAX: Duration = Duration::from_secs(25);

/// The configuration of a consumer, to be flattened into the configuration of a worker.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ConsumerConfig {
    /// The queue to consume.
    #[arg(long, env = "NOVA_QUEUE_URL", value_name = "NOVA_QUEUE_URL")]
    pub queue_url: String,
    /// The queue for messages that cannot be handled: the target of the queue's redrive policy.
    #[arg(long, env = "NOVA_DEAD_LETTER_QUEUE_URL", value_name = "NOVA_DEAD_LETTER_QUEUE_URL")]
    pub dead_letter_queue_url: String,
    /// The table in which attempts at messages are noted: the Effects table.
    #[arg(long, env = "NOVA_ATTEMPTS_TABLE", value_name = "NOVA_ATTEMPTS_TABLE")]
    pub attempts_table: String,
    /// How many messages are handled at once, at the most.
    #[arg(long, env = "NOVA_CONCURRENCY", value_name = "NOVA_CONCURRENCY", default_value = "8",
        value_parser = parse_concurrency)]
    pub concurrency: NonZeroU32,
    /// Failures of a message itself after which it is dead-lettered with the reason. The queue has to allow ten receives for
    /// each.
    #[arg(long, env = "NOVA_FAILURES_MAX", value_name = "NOVA_FAILURES_MAX", default_value_t = FAILURES_MAX,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(FAILURES_MAX_LIMIT)))]
    pub failures_max: u32,
    /// Seconds that a poll waits for a message. A stopping worker waits for its running poll; shorter polls are more
    /// requests.
    #[arg(long, env = "NOVA_POLL_SECONDS", value_name = "NOVA_POLL_SECONDS", default_value_t = POLL_SECONDS_MAX,
        value_parser = clap::value_parser!(u64).range(1..=POLL_SECONDS_MAX))]
    pub poll_seconds: u64,
    /// Where `GET /health` answers, for example 0.0.0.0:8080; nowhere when unset.
    #[arg(long, env = "NOVA_HEALTH_ADDR", value_name = "NOVA_HEALTH_ADDR")]
    pub health_addr: Option<SocketAddr>,
    /// Seconds that running handlers get to finish after SIGTERM.
    #[arg(long, env = "NOVA_DRAIN_SECONDS", value_name = "NOVA_DRAIN_SECONDS", default_value = "80",
        value_parser = clap::value_parser!(u64).range(..=900))]
    pub drain_seconds: u64,
}

/// One message for one run of a handler.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its text.
    pub body: String,
    /// SQS's id, the same for every delivery of the message.
    pub message_id: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The span of this worker at the event in it; `None` for what is not an event. The same for every delivery.
    pub trace: Option<TraceParent>,
    /// Cancelled when somebody else may have the message. The handler is dropped then; what it spawned must watch
    /// this itself.
    pub lease_lost: CancellationToken,
}

/// What a worker does with a message. It is run again for the same message, by this process or another, possibly at
/// the same time.
pub trait Handler: Send + Sync + 'static {
    /// Handles one message. It is deleted after `Ok`.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What a worker does with an event of the bus.
pub trait EventHandler: Send + Sync + 'static {
    /// Handles one event. Its message is deleted after `Ok`.
    fn handle(
        &self,
        event: &Envelope,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Makes a [`Handler`] of an [`EventHandler`]: what is not an event is rejected, what only a newer build understands is
/// parked. The event that the handler sees carries the worker's own span, so that what it publishes is a child of it.
#[derive(Clone, Debug)]
pub struct Events<H>(pub H);

impl<H: EventHandler> Handler for Events<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let mut event = Envelope::decode_message(&delivery.body).map_err(|error| match error {
            DecodeError::Malformed(_) | DecodeError::UnknownSchema(_) => Failure::reject(error.to_string()),
            DecodeError::UnknownMajor { .. } => Failure::park(error),
        })?;
        event.traceparent = delivery.trace.map(|trace| trace.to_string());
        self.0.handle(&event, delivery).await
    }
}

/// Consumes the queue until `shutdown`, then drains: the running poll returns and its messages are given back, running
/// handlers get the configured time, what is left is given back, and every delete is flushed.
///
/// # Errors
/// The queue or the table is not what a worker needs, or the health address cannot be bound. Nothing that happens later
/// ends it.
pub async fn consume<H: Handler>(
    service: &'static str,
    config: &ConsumerConfig,
    aws: &aws_config::SdkConfig,
    shutdown: CancellationToken,
    handler: H,
) -> anyhow::Result<()> {
    let health = Health::new(service);
    let ended = CancellationToken::new();
    let _end_background = ended.clone().drop_guard();
    let queue = Queue::open(&aws_sdk_sqs::Client::new(aws), config).await?;
    let ledger = Ledger::open(service, &aws_sdk_dynamodb::Client::new(aws), config).await?;
    if let Some(addr) = config.health_addr {
        health::serve(addr, health.clone(), ended.clone()).await?;
    }
    run(config, Opened { service, queue, ledger, health, ended, shutdown }, handler).await;
    Ok(())
}

/// What [`run`] runs on.
struct Opened {
    service: &'static str,
    queue: Queue,
    ledger: Ledger,
    health: Health,
    /// Cancelled when everything is over.
    ended: CancellationToken,
    shutdown: CancellationToken,
}

async fn run<H: Handler>(config: &ConsumerConfig, opened: Opened, handler: H) {
    let Opened { service, queue, ledger, health, ended, shutdown } = opened;
    let (polling, beating) = (health.part("poll", SILENT_MAX), health.part("heartbeat", SILENT_MAX));
    let queue = Arc::new(queue);
    let measured = Arc::new(Measured::new(service, &config.queue_url));
    let leases = Arc::new(Leases::new(Arc::clone(&queue), Arc::clone(&measured)));
    let heartbeat = env::spawn({
        let (leases, ended) = (Arc::clone(&leases), ended.clone());
        async move { leases.keep(&beating, &ended).await }
    });
    let (acks, flushing) = acks::start(Arc::clone(&queue));
    let stop = CancellationToken::new();
    let work = Arc::new(Work {
        service,
        handler,
        queue,
        leases,
        ledger,
        permits: Arc::new(Permits::new(config.concurrency.get())),
        gate: Gate::new(),
        company: RwLock::new(()),
        acks,
        finished: Mutex::new(LruCache::new(FINISHED_MAX.try_into().expect("it is not zero"))),
        measured: Arc::clone(&measured),
        shutdown: shutdown.clone(),
        stop: stop.clone(),
    });
    let telling = env::spawn(tell(Arc::downgrade(&work), Arc::clone(&measured), ended.clone()));

    let tasks = TaskTracker::new();
    let drain = Duration::from_secs(config.drain_seconds);
    env::spawn(stop_after(shutdown.clone(), drain, stop, ended.clone()));
    tracing::info!(service, concurrency = config.concurrency.get(), "consuming");
    poll(&work, &tasks, &polling).await;

    let drained = Instant::now();
    tasks.close();
    tracing::info!(service, running = tasks.len(), "draining");
    if tokio::time::timeout(drain + FLUSH_MAX, tasks.wait()).await.is_err() {
        tracing::error!(service, running = tasks.len(), "handlers did not end");
    }
    drop(work);
    if tokio::time::timeout(FLUSH_MAX, flushing).await.is_err() {
        tracing::error!(service, "finished messages were not deleted in time");
    }
    measured.drained(drained.elapsed());
    ended.cancel();
    if heartbeat.await.is_err() || telling.await.is_err() {
        tracing::error!(service, "the heartbeat or the metrics failed");
    }
}

/// Writes the metrics, once a minute and at the end.
async fn tell<H: Handler>(work: Weak<Work<H>>, measured: Arc<Measured>, ended: CancellationToken) {
    let documents = || {
        let now = match work.upgrade() {
            Some(work) => Now {
                in_flight: work.permits.running(),
                limit: work.permits.limit(),
                breaker_is_open: !work.gate.is_closed(),
            },
            None => Now::OVER,
        };
        measured.documents(now)
    };
    write_until(ended, documents).await;
}

/// Polls until shutdown. Permits come first, so that a message that is received can run.
async fn poll<H: Handler>(work: &Arc<Work<H>>, tasks: &TaskTracker, pulse: &Pulse) {
    let mut failures = 0;
    loop {
        let turn = pulse.while_waiting(take_turn(&work.gate, &work.permits));
        let Some(mut permits) = work.shutdown.run_until_cancelled(turn).await else { return };
        // Not cancelled by the shutdown: SQS may be handing over messages at this moment.
        let received = work.queue.receive(permits.len()).await;
        pulse.tick();
        let messages = match received {
            Ok(messages) => messages,
            Err(error) => {
                failures += 1;
                work.measured.failed_polls.increment();
                let wait = full_jitter(POLL_BACKOFF_BASE, POLL_BACKOFF_CAP, failures, env::random_fraction());
                tracing::warn!(service = work.service, error = %describe(&error), failures, "failed to poll");
                drop(permits);
                if work.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return;
                }
                continue;
            }
        };
        failures = 0;
        if work.shutdown.is_cancelled() {
            work.give_back(messages).await;
            return;
        }
        for message in messages {
            let Some(permit) = permits.pop() else {
                // More than was asked for: the lease times out and the message comes again.
                tracing::error!(service = work.service, "a poll returned more messages than it asked for");
                break;
            };
            let delivery = work.take(message);
            let work = Arc::clone(work);
            env::spawn(tasks.track_future(async move {
                if let Some((delivery, lease)) = delivery {
                    work.deliver(&delivery, lease).await;
                }
                drop(permit);
            }));
        }
    }
}

/// Waits until the environment lets poll and a permit is free, and takes as many as one poll can use.
async fn take_turn(gate: &Gate, permits: &Arc<Permits>) -> Vec<Permit> {
    loop {
        permits.some().await;
        let most = match gate.polling().await {
            Polling::Freely => BATCH_MAX,
            Polling::One => 1,
        };
        let taken = permits.take(most);
        // None where the limit was cut meanwhile.
        if !taken.is_empty() {
            return taken;
        }
    }
}

/// Cancels `stop` once the drain that `shutdown` begins is over.
async fn stop_after(
    shutdown: CancellationToken,
    drain: Duration,
    stop: CancellationToken,
    ended: CancellationToken,
) {
    let over = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain).await;
        stop.cancel();
    };
    ended.run_until_cancelled(over).await;
}

fn parse_concurrency(text: &str) -> Result<NonZeroU32, String> {
    let allowed = || format!("a number from 1 to {CONCURRENCY_MAX} is expected");
    let concurrency: NonZeroU32 = text.parse().map_err(|_| allowed())?;
    if concurrency.get() <= CONCURRENCY_MAX { Ok(concurrency) } else { Err(allowed()) }
}
