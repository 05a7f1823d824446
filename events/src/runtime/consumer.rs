//! The consumer: polls one queue and runs a handler for each message, as many at once as it has permits.
//!
//! It is the shell around [`super::delivery`] and the breaker, which decide. What it guarantees: a permit comes
//! before a poll, so nothing waits in memory; a lease is kept from the receive on, and its handler is cancelled when it
//! is lost; a message is deleted only after its handler succeeded (or its copy is in the dead-letter queue); a panic is
//! the failure of one message; on shutdown every message that is not finished in time is given back at once.
//!
//! Delivery is at least once: handlers are idempotent.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use lru::LruCache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    failure::{Failure, describe},
    health::{self, Health, Pulse},
    jitter::full_jitter,
    world,
};
use crate::contract::{DecodeError, Envelope};

mod acks;
mod gate;
mod lease;
mod queue;
mod task;
#[cfg(test)]
mod tests;

use gate::{Gate, Polling};
use lease::Leases;
use queue::{BATCH_MAX, Queue};
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
    /// How many messages are handled at once.
    #[arg(long, env = "NOVA_CONCURRENCY", value_name = "NOVA_CONCURRENCY", default_value = "8",
        value_parser = parse_concurrency)]
    pub concurrency: NonZeroU32,
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
/// parked.
#[derive(Clone, Debug)]
pub struct Events<H>(pub H);

impl<H: EventHandler> Handler for Events<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let event = Envelope::decode_message(&delivery.body).map_err(|error| match error {
            DecodeError::Malformed(_) | DecodeError::UnknownSchema(_) => Failure::reject(error.to_string()),
            DecodeError::UnknownMajor { .. } => Failure::park(error),
        })?;
        self.0.handle(&event, delivery).await
    }
}

/// Consumes the queue until `shutdown`, then drains: the running poll returns and its messages are given back, running
/// handlers get the configured time, what is left is given back, and every delete is flushed.
///
/// # Errors
/// The queue is not what a worker needs, or the health address cannot be bound. Nothing that happens later ends it.
pub async fn consume<H: Handler>(
    service: &'static str,
    config: &ConsumerConfig,
    sqs: aws_sdk_sqs::Client,
    shutdown: CancellationToken,
    handler: H,
) -> anyhow::Result<()> {
    let queue = Arc::new(Queue::open(&sqs, config).await?);
    let health = Health::new(service);
    let (polling, beating) = (health.part("poll", SILENT_MAX), health.part("heartbeat", SILENT_MAX));
    let ended = CancellationToken::new();
    let _end_background = ended.clone().drop_guard();
    if let Some(addr) = config.health_addr {
        health::serve(addr, health, ended.clone()).await?;
    }

    let leases = Arc::new(Leases::new(Arc::clone(&queue)));
    let heartbeat = tokio::spawn({
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
        gate: Gate::new(),
        acks,
        finished: Mutex::new(LruCache::new(FINISHED_MAX.try_into().expect("it is not zero"))),
        shutdown: shutdown.clone(),
        stop: stop.clone(),
    });

    let tasks = TaskTracker::new();
    let drain = Duration::from_secs(config.drain_seconds);
    tokio::spawn(stop_after(shutdown.clone(), drain, stop, ended.clone()));
    tracing::info!(service, concurrency = config.concurrency.get(), "consuming");
    poll(&work, config.concurrency, &tasks, &polling).await;

    tasks.close();
    tracing::info!(service, running = tasks.len(), "draining");
    if tokio::time::timeout(drain + FLUSH_MAX, tasks.wait()).await.is_err() {
        tracing::error!(service, running = tasks.len(), "handlers did not end");
    }
    drop(work);
    if tokio::time::timeout(FLUSH_MAX, flushing).await.is_err() {
        tracing::error!(service, "finished messages were not deleted in time");
    }
    ended.cancel();
    if heartbeat.await.is_err() {
        tracing::error!(service, "the heartbeat failed");
    }
    Ok(())
}

/// Polls until shutdown. Permits come first, so that a message that is received can run.
async fn poll<H: Handler>(work: &Arc<Work<H>>, concurrency: NonZeroU32, tasks: &TaskTracker, pulse: &Pulse) {
    let concurrency = usize::try_from(concurrency.get()).expect("it is at most CONCURRENCY_MAX");
    let permits = Arc::new(Semaphore::new(concurrency));
    let mut failures = 0;
    loop {
        let turn = pulse.while_waiting(take_turn(&work.gate, &permits));
        let Some(mut turn) = work.shutdown.run_until_cancelled(turn).await else { return };
        // Not cancelled by the shutdown: SQS may be handing over messages at this moment.
        let received = work.queue.receive(turn.num_permits()).await;
        pulse.tick();
        let messages = match received {
            Ok(messages) => messages,
            Err(error) => {
                failures += 1;
                let wait = full_jitter(POLL_BACKOFF_BASE, POLL_BACKOFF_CAP, failures, world::fraction());
                tracing::warn!(service = work.service, error = %describe(&error), failures, "failed to poll");
                drop(turn);
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
            let Some(permit) = turn.split(1) else {
                // More than was asked for: the lease times out and the message comes again.
                tracing::error!(service = work.service, "a poll returned more messages than it asked for");
                break;
            };
            let delivery = work.take(message);
            let work = Arc::clone(work);
            tasks.spawn(async move {
                if let Some((delivery, lease)) = delivery {
                    work.deliver(&delivery, lease).await;
                }
                drop(permit);
            });
        }
    }
}

/// Waits until the environment lets poll and a permit is free, and takes as many as one poll can use.
async fn take_turn(gate: &Gate, permits: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let mut turn =
        Arc::clone(permits).acquire_owned().await.expect("the semaphore of the poll loop is never closed");
    if gate.polling().await == Polling::Freely {
        let more = permits.available_permits().min(BATCH_MAX - 1);
        if let Ok(more) = Arc::clone(permits).try_acquire_many_owned(u32::try_from(more).expect("nine fit")) {
            turn.merge(more);
        }
    }
    turn
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
