//! The consumer: polls one SQS queue and runs a handler for each message, as many at once as it has permits. Delivery is
//! at least once: handlers must be idempotent.
//!
//! # Guarantees
//! - A poll asks for no more messages than there are free permits, so no message waits in memory.
//! - A lease is extended from the receive on. When it is lost, its handler is cancelled before another consumer can
//!   receive the message.
//! - A message is deleted only after its handler succeeded or its copy is in the dead-letter queue.
//! - A panic is a failure of one message; a crash of the process is attributed to the message that caused it.
//! - Outages, throttling and restarts do not count as failures of a message.
//! - At shutdown every message that does not finish in time returns to the queue at once.
//!
//! # The life of a message
//! [`consume`] opens the queue and the ledger, starts the heartbeat, the deletes and the metrics, and runs [`poll`] until the
//! shutdown. `poll` takes permits, receives messages and spawns one task for each. The task (`task.rs`) repeats:
//! 1. It waits for a run permit: the hold time of an earlier run, the run mode (shared or exclusive) and the breaker.
//! 2. It records the attempt in the ledger, from the second receive on, and runs the handler.
//! 3. It attributes a service failure to the message or to the environment, and reports it to breaker and limit.
//! 4. [`decide`](super::delivery::decide) returns the action. `Hold` leads back to 1; delete, dead-letter, release and
//!    forget end the delivery with one log line.
//!
//! # Who decides what
//! | file | question | kind |
//! |---|---|---|
//! | `runtime/failure.rs` | what an error means | pure |
//! | `runtime/delivery.rs` | what to do with the message, how it may run, when to extend its lease | pure |
//! | `runtime/breaker.rs` | whether the environment works | pure |
//! | `runtime/limit.rs` | how many handlers may run | pure |
//! | `task.rs` | the life of one message | |
//! | `shared_breaker.rs` | which waiting message runs as the probe of the breaker | waits |
//! | `permits.rs` | when a handler may start under the limit | waits |
//! | `lease.rs` | which messages this worker still holds | heartbeat task |
//! | `ledger.rs` | which message crashes workers, and how often a message failed | DynamoDB |
//! | `acks.rs`, `queue.rs` | batched deletes; all SQS calls | SQS |
//! | `log_line.rs`, `metrics.rs` | what is logged and measured | |

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
use crate::{
    contract::{DecodeError, Envelope, TraceParent},
    journal::{Watch, WatchError},
};

mod acks;
mod lease;
mod ledger;
mod log_line;
mod metrics;
mod permits;
mod queue;
mod shared_breaker;
mod task;
#[cfg(test)]
mod tests;

use lease::Leases;
use ledger::Ledger;
use metrics::{ConsumerMetrics, Gauges};
use permits::{Permit, Permits};
use queue::{BATCH_MAX, POLL_SECONDS_MAX, Queue};
use shared_breaker::{PollSize, SharedBreaker};
use task::Runner;

/// The most handlers one process runs at once.
pub const CONCURRENCY_MAX: u32 = 256;

/// Finished messages that a worker remembers, to delete a redelivery without running its handler.
pub const FINISHED_MAX: usize = 4096;

/// Time without a tick after which the poll loop or the heartbeat counts as stuck. A poll takes up to 30 seconds.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// The longest wait after any failed poll.
const POLL_BACKOFF_CAP: Duration = Duration::from_secs(30);

/// The longest wait after the first failed poll.
const POLL_BACKOFF_BASE: Duration = Duration::from_secs(1);

/// The longest time for releasing and deleting messages after the drain.
const FLUSH_MAX: Duration = Duration::from_secs(25);

/// The configuration of a consumer, flattened into the configuration of a worker.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ConsumerConfig {
    /// The queue to consume.
    #[arg(long, env = "NOVA_QUEUE_URL", value_name = "NOVA_QUEUE_URL")]
    pub queue_url: String,
    /// The queue for messages that cannot be handled: the target of the queue's redrive policy.
    #[arg(long, env = "NOVA_DEAD_LETTER_QUEUE_URL", value_name = "NOVA_DEAD_LETTER_QUEUE_URL")]
    pub dead_letter_queue_url: String,
    /// The table in which attempts at messages are recorded: the Effects table.
    #[arg(long, env = "NOVA_ATTEMPTS_TABLE", value_name = "NOVA_ATTEMPTS_TABLE")]
    pub attempts_table: String,
    /// The most messages handled at once.
    #[arg(long, env = "NOVA_CONCURRENCY", value_name = "NOVA_CONCURRENCY", default_value = "8",
        value_parser = parse_concurrency)]
    pub concurrency: NonZeroU32,
    /// Failures of a message after which it is dead-lettered with the reason. The queue must allow ten receives for each.
    #[arg(long, env = "NOVA_FAILURES_MAX", value_name = "NOVA_FAILURES_MAX", default_value_t = FAILURES_MAX,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(FAILURES_MAX_LIMIT)))]
    pub failures_max: u32,
    /// Seconds that a poll waits for a message. A stopping worker waits for its running poll; shorter polls mean more
    /// requests.
    #[arg(long, env = "NOVA_POLL_SECONDS", value_name = "NOVA_POLL_SECONDS", default_value_t = POLL_SECONDS_MAX,
        value_parser = clap::value_parser!(u64).range(1..=POLL_SECONDS_MAX))]
    pub poll_seconds: u64,
    /// Listen address of `GET /health`, for example 0.0.0.0:8080; no server if unset.
    #[arg(long, env = "NOVA_HEALTH_ADDR", value_name = "NOVA_HEALTH_ADDR")]
    pub health_addr: Option<SocketAddr>,
    /// Seconds that running handlers have to finish after SIGTERM.
    #[arg(long, env = "NOVA_DRAIN_SECONDS", value_name = "NOVA_DRAIN_SECONDS", default_value = "80",
        value_parser = clap::value_parser!(u64).range(..=900))]
    pub drain_seconds: u64,
}

/// One delivery of a message, for every run of its handler during one receive.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub body: String,
    /// The event in the body, decoded once. Its trace context is [`Delivery::trace`].
    pub event: Result<Envelope, DecodeError>,
    /// The watchdog message in the body, decoded once.
    pub watch: Result<Watch, WatchError>,
    /// The id given by SQS, the same for every delivery of the message.
    pub message_id: String,
    /// Receives of the message, this one included.
    pub receive_count: u32,
    /// When the message was sent.
    pub sent_at: Timestamp,
    /// The span of this worker for the event, the same for every delivery; `None` if the body is not an event.
    pub trace: Option<TraceParent>,
    /// Cancelled when another consumer may receive the message. The handler is dropped then; tasks that it spawned must
    /// watch this token.
    pub lease_lost: CancellationToken,
}

/// Handles messages. It may run several times for one message, in this process or another, possibly at the same time.
pub trait Handler: Send + Sync + 'static {
    /// Handles one message, which is deleted after `Ok`.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Result<(), Failure>> + Send;
}

pub trait EventHandler: Send + Sync + 'static {
    /// Handles one event, whose message is deleted after `Ok`. The event carries the span of this worker, so events
    /// published with its trace context are children of that span.
    fn handle(
        &self,
        event: &Envelope,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A [`Handler`] for an [`EventHandler`]: it rejects messages that are not events and parks events of an unknown major
/// version.
#[derive(Clone, Debug)]
pub struct Events<H>(pub H);

impl<H: EventHandler> Handler for Events<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        match &delivery.event {
            Ok(event) => self.0.handle(event, delivery).await,
            Err(error @ DecodeError::UnknownMajor { .. }) => Err(Failure::park(error.clone())),
            Err(error @ (DecodeError::Malformed(_) | DecodeError::UnknownSchema(_))) => {
                Err(Failure::reject(error.to_string()))
            }
        }
    }
}

/// Consumes the queue until `shutdown`, then drains: the messages of the running poll return to the queue, running handlers
/// have the configured time to finish, unfinished messages return to the queue, and all deletes are flushed.
///
/// # Errors
/// The queue or the table fails its check, or the health address cannot be bound. Later errors do not end the consumer.
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
    run(config, Resources { service, queue, ledger, health, ended, shutdown }, handler).await;
    Ok(())
}

/// The checked resources of a consumer.
struct Resources {
    service: &'static str,
    queue: Queue,
    ledger: Ledger,
    health: Health,
    /// Cancelled when the consumer has ended.
    ended: CancellationToken,
    shutdown: CancellationToken,
}

async fn run<H: Handler>(config: &ConsumerConfig, resources: Resources, handler: H) {
    let Resources { service, queue, ledger, health, ended, shutdown } = resources;
    let (polling, heartbeat) = (health.part("poll", SILENT_MAX), health.part("heartbeat", SILENT_MAX));
    let queue = Arc::new(queue);
    let metrics = Arc::new(ConsumerMetrics::new(service, &config.queue_url));
    let leases = Arc::new(Leases::new(Arc::clone(&queue), Arc::clone(&metrics)));
    let heartbeat = env::spawn({
        let (leases, ended) = (Arc::clone(&leases), ended.clone());
        async move { leases.run_heartbeat(&heartbeat, &ended).await }
    });
    let (acks, flushing) = acks::start(Arc::clone(&queue));
    let stop = CancellationToken::new();
    let runner = Arc::new(Runner {
        service,
        handler,
        queue,
        leases,
        ledger,
        permits: Arc::new(Permits::new(config.concurrency.get())),
        breaker: SharedBreaker::new(),
        exclusivity: RwLock::new(()),
        acks,
        finished: Mutex::new(LruCache::new(FINISHED_MAX.try_into().expect("it is not zero"))),
        metrics: Arc::clone(&metrics),
        shutdown: shutdown.clone(),
        stop: stop.clone(),
    });
    let writing = env::spawn(write_metrics(Arc::downgrade(&runner), Arc::clone(&metrics), ended.clone()));

    let tasks = TaskTracker::new();
    let drain = Duration::from_secs(config.drain_seconds);
    env::spawn(stop_after(shutdown.clone(), drain, stop, ended.clone()));
    tracing::info!(service, concurrency = config.concurrency.get(), "consuming");
    poll(&runner, &tasks, &polling).await;

    let drained = Instant::now();
    tasks.close();
    tracing::info!(service, running = tasks.len(), "draining");
    if tokio::time::timeout(drain + FLUSH_MAX, tasks.wait()).await.is_err() {
        tracing::error!(service, running = tasks.len(), "handlers did not end in time");
    }
    drop(runner);
    if tokio::time::timeout(FLUSH_MAX, flushing).await.is_err() {
        tracing::error!(service, "failed to delete finished messages in time");
    }
    metrics.drain.record_duration(drained.elapsed());
    ended.cancel();
    if heartbeat.await.is_err() || writing.await.is_err() {
        tracing::error!(service, "the heartbeat or the metrics task panicked");
    }
}

/// Writes the metrics at the start, once a minute and at the end.
async fn write_metrics<H: Handler>(
    runner: Weak<Runner<H>>,
    metrics: Arc<ConsumerMetrics>,
    ended: CancellationToken,
) {
    let documents = || {
        let gauges = match runner.upgrade() {
            Some(runner) => Gauges {
                in_flight: runner.permits.holding(),
                limit: runner.permits.limit(),
                breaker_is_open: !runner.breaker.is_closed(),
            },
            None => Gauges::ENDED,
        };
        vec![metrics.document(gauges)]
    };
    write_until(ended, documents).await;
}

/// Polls until shutdown. It takes permits first, so that every received message can run.
async fn poll<H: Handler>(runner: &Arc<Runner<H>>, tasks: &TaskTracker, pulse: &Pulse) {
    let mut failures = 0;
    loop {
        let taking = pulse.while_waiting(take_permits(&runner.breaker, &runner.permits));
        let Some(mut permits) = runner.shutdown.run_until_cancelled(taking).await else { return };
        // Not cancelled by the shutdown: SQS may be delivering messages at this moment.
        let received = runner.queue.receive(permits.len()).await;
        pulse.tick();
        let messages = match received {
            Ok(messages) => messages,
            Err(error) => {
                failures += 1;
                runner.metrics.failed_polls.increment();
                let wait = full_jitter(POLL_BACKOFF_BASE, POLL_BACKOFF_CAP, failures, env::random_fraction());
                tracing::warn!(service = runner.service, error = %describe(&error), failures, "failed to poll");
                drop(permits);
                if runner.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return;
                }
                continue;
            }
        };
        failures = 0;
        if runner.shutdown.is_cancelled() {
            runner.give_back(messages).await;
            return;
        }
        for message in messages {
            let Some(permit) = permits.pop() else {
                // The visibility of the message times out and it is received again.
                tracing::error!(service = runner.service, "a poll returned more messages than requested");
                break;
            };
            let permit = permit.hold();
            let delivery = runner.accept(message);
            let runner = Arc::clone(runner);
            env::spawn(tasks.track_future(async move {
                if let Some((delivery, lease)) = delivery {
                    runner.deliver(&delivery, lease).await;
                }
                drop(permit);
            }));
        }
    }
}

/// Waits until the breaker allows a poll and a permit is free. Takes as many permits as one poll can use.
async fn take_permits(breaker: &SharedBreaker, permits: &Arc<Permits>) -> Vec<Permit> {
    loop {
        permits.available().await;
        let most = match breaker.poll_size().await {
            PollSize::Full => BATCH_MAX,
            PollSize::Probe => 1,
        };
        let taken = permits.take(most);
        // Empty if the limit was reduced meanwhile.
        if !taken.is_empty() {
            return taken;
        }
    }
}

/// Cancels `stop` when the drain time after `shutdown` is over.
async fn stop_after(
    shutdown: CancellationToken,
    drain: Duration,
    stop: CancellationToken,
    ended: CancellationToken,
) {
    let stopping = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain).await;
        stop.cancel();
    };
    ended.run_until_cancelled(stopping).await;
}

fn parse_concurrency(text: &str) -> Result<NonZeroU32, String> {
    let allowed = || format!("expected a number from 1 to {CONCURRENCY_MAX}");
    let concurrency: NonZeroU32 = text.parse().map_err(|_| allowed())?;
    if concurrency.get() <= CONCURRENCY_MAX { Ok(concurrency) } else { Err(allowed()) }
}
