//! The life of one message in a worker: its handler runs one or more times, the resulting action is carried out, and one
//! log line and the metrics record the end.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use futures_util::FutureExt;
use jiff::Timestamp;
use lru::LruCache;
use tokio::{
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Delivery, Handler,
    lease::{Lease, Leases},
    ledger::{Entry, Ledger},
    log_line::{DeliveryEnd, LogLine},
    metrics::ConsumerMetrics,
    permits::Permits,
    queue::{BATCH_MAX, Changed, Queue},
    shared_breaker::{BreakerPermit, SharedBreaker},
};
use crate::{
    contract::{Envelope, TraceParent},
    journal::{Watch, WatchError},
    runtime::{
        breaker::Verdict,
        dead_letter_kind::kind,
        delivery::{Action, Attempts, Outcome, RunMode, attribute, decide, give_up_holding, hold_max},
        env,
        failure::{Failure, FailureKind},
    },
};

/// The state that all tasks of one consumer share, and the handler they run.
pub(super) struct Runner<H> {
    pub(super) service: &'static str,
    pub(super) handler: H,
    pub(super) queue: Arc<Queue>,
    pub(super) leases: Arc<Leases>,
    pub(super) ledger: Ledger,
    pub(super) permits: Arc<Permits>,
    pub(super) breaker: SharedBreaker,
    /// Read by handlers in [`RunMode::Shared`], written by a handler in [`RunMode::Exclusive`].
    pub(super) exclusivity: RwLock<()>,
    pub(super) acks: mpsc::Sender<String>,
    /// Ids of finished messages.
    pub(super) finished: Mutex<LruCache<String, ()>>,
    pub(super) metrics: Arc<ConsumerMetrics>,
    /// Cancelled at SIGTERM or SIGINT.
    pub(super) shutdown: CancellationToken,
    /// Cancelled when the drain time is over.
    pub(super) stop: CancellationToken,
}

/// The permission to run a handler once.
struct RunPermit<'a> {
    breaker: BreakerPermit<'a>,
    concurrency: Concurrency<'a>,
}

/// Whether other handlers run at the same time.
enum Concurrency<'a> {
    Shared { _guard: RwLockReadGuard<'a, ()> },
    Exclusive { _guard: RwLockWriteGuard<'a, ()> },
}

/// Why a handler does not run (again).
enum CannotRun {
    LeaseLost,
    Stopping,
    HeldTooLong,
}

/// How long a message has been held and may be held.
#[derive(Default)]
struct Hold {
    not_before: Option<Instant>,
    since: Option<Instant>,
    until: Option<Instant>,
    /// When its last run ended.
    last_run: Option<Instant>,
}

struct Run {
    outcome: Outcome,
    error: Option<String>,
}

/// What happened in place of a failure.
enum Ran {
    Done,
    /// The handler did not run: it must run exclusively and has no exclusive permit.
    NeedsExclusive,
    /// The handler did not run: [`RunMode::Never`].
    Never,
}

impl<H: Handler> Runner<H> {
    /// Starts the lease of a message that was received just now and decodes it. `None` for a message without id or
    /// receipt, which SQS does not send.
    pub(super) fn accept(&self, message: Message) -> Option<(Delivery, Lease)> {
        let (Some(message_id), Some(receipt)) = (message.message_id, message.receipt_handle) else {
            tracing::error!(service = self.service, "a message has no id or no receipt");
            return None;
        };
        let lease = self.leases.hold(receipt);
        let attributes = message.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|text| text.parse::<i64>().ok());
        let body = message.body.unwrap_or_default();
        let mut event = Envelope::decode_message(&body);
        let trace = event.as_ref().ok().map(|event| trace(self.service, event));
        if let Ok(event) = &mut event {
            event.traceparent = trace.map(|trace| trace.to_string());
        }
        let watch = if event.is_ok() { Err(WatchError::EVENT) } else { Watch::decode(&body) };
        let delivery = Delivery {
            event,
            watch,
            trace,
            body,
            message_id,
            receive_count: number(MessageSystemAttributeName::ApproximateReceiveCount)
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(1),
            sent_at: number(MessageSystemAttributeName::SentTimestamp)
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .unwrap_or_else(env::now),
            lease_lost: lease.lost.clone(),
        };
        Some((delivery, lease))
    }

    /// Handles one message to its end.
    pub(super) async fn deliver(&self, delivery: &Delivery, lease: Lease) {
        let mut line = LogLine::new(self.service, delivery);
        let mut entry = self.ledger.entry(delivery, self.queue.receive_count_max);
        let is_finished = self.finished().get(&delivery.message_id).is_some();
        let (outcome, action) = if is_finished {
            (Outcome::Duplicate, Action::Delete)
        } else {
            Box::pin(self.attempt(delivery, &lease, &mut entry, &mut line)).await
        };
        self.ledger.reported(&mut entry).await;
        self.metrics.receives.record(delivery.receive_count.into());
        self.metrics.dwell.record(line.dwell_ms(delivery));
        self.metrics.handler.record_duration(line.took);
        if let Some(millis) = line.end_to_end_ms(delivery, &outcome) {
            self.metrics.end_to_end.record(millis);
        }
        self.metrics.count_outcome(outcome.name());
        let lease_extensions = lease.extensions();
        self.carry_out(&action, delivery, lease, line.error.as_deref()).await;
        let end =
            DeliveryEnd { outcome: &outcome, action: &action, failures: entry.failures, lease_extensions };
        line.write(delivery, &end);
    }

    /// Returns messages to the queue that were received but will not be handled.
    pub(super) async fn give_back(&self, messages: Vec<Message>) {
        let receipts: Vec<_> = messages.into_iter().filter_map(|message| message.receipt_handle).collect();
        self.metrics.given_back.add(u64::try_from(receipts.len()).unwrap_or(u64::MAX));
        for batch in receipts.chunks(BATCH_MAX) {
            if let Err(error) = self.queue.change_visibility(batch, Duration::ZERO).await {
                let error = format!("{error:#}");
                tracing::warn!(service = self.service, error, "failed to return messages to the queue");
            }
        }
    }

    /// Runs the handler until its outcome leads to an action other than holding the message.
    async fn attempt(
        &self,
        delivery: &Delivery,
        lease: &Lease,
        entry: &mut Entry,
        line: &mut LogLine,
    ) -> (Outcome, Action) {
        let mut hold = Hold::default();
        let mut last = Outcome::Stopped;
        let is_last_receive = delivery.receive_count >= self.queue.receive_count_max;
        loop {
            let permit = match self.run_permit(lease, entry.run_mode(), &hold, is_last_receive).await {
                Ok(permit) => permit,
                Err(CannotRun::LeaseLost) => return (Outcome::LeaseLost, Action::Forget),
                // The handler is not running, so the message returns to the queue at once.
                Err(CannotRun::Stopping) => {
                    return (Outcome::Stopped, Action::Release { after: Duration::ZERO });
                }
                Err(CannotRun::HeldTooLong) => {
                    let action = give_up_holding(&last, env::random_fraction());
                    return (last, action);
                }
            };
            let (start, began) = (Instant::now(), self.permits.now());
            let Some(mut run) = self.run(delivery, entry, &permit).await else { continue };
            let last_run = hold.last_run.replace(Instant::now()).unwrap_or(start);
            run.outcome = attribute(run.outcome, self.breaker.succeeded_since(last_run));
            if run.outcome == Outcome::Done {
                self.permits.succeeded();
                self.breaker.succeeded();
            } else if matches!(run.outcome, Outcome::Failed(FailureKind::Throttled { .. })) {
                self.permits.throttled(began);
            }
            permit.breaker.settle(verdict(&run.outcome));
            drop(permit.concurrency);
            line.ran(start.elapsed(), run.error);
            let attempts = Attempts {
                receives: delivery.receive_count,
                receives_max: self.queue.receive_count_max,
                failures_max: self.queue.failures_max,
                failures: entry.failures,
                runs: line.runs,
                held: hold.since.map(|since| since.elapsed()).unwrap_or_default(),
            };
            let action = decide(&run.outcome, attempts, env::random_fraction());
            if run.outcome.is_failure() && !matches!(action, Action::DeadLetter { .. }) {
                self.ledger.failed(entry).await;
            }
            let Action::Hold { after } = action else { return (run.outcome, action) };
            self.ledger.reported(entry).await;
            let now = Instant::now();
            let since = *hold.since.get_or_insert(now);
            hold.not_before = Some(now + after);
            hold.until = hold_max(attempts).map(|limit| since + limit);
            last = run.outcome;
        }
    }

    /// Waits until the handler may run.
    async fn run_permit(
        &self,
        lease: &Lease,
        mode: RunMode,
        hold: &Hold,
        is_last_receive: bool,
    ) -> Result<RunPermit<'_>, CannotRun> {
        let held_too_long = async {
            match hold.until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let permit = async {
            if let Some(not_before) = hold.not_before {
                tokio::time::sleep_until(not_before).await;
            }
            let concurrency = match mode {
                RunMode::Shared => Concurrency::Shared { _guard: self.exclusivity.read().await },
                RunMode::Exclusive | RunMode::Never => {
                    Concurrency::Exclusive { _guard: self.exclusivity.write().await }
                }
            };
            RunPermit { breaker: self.breaker.admit(is_last_receive).await, concurrency }
        };
        tokio::select! {
            biased;
            () = lease.lost.cancelled() => Err(CannotRun::LeaseLost),
            () = self.shutdown.cancelled() => Err(CannotRun::Stopping),
            permit = permit => Ok(permit),
            () = held_too_long => Err(CannotRun::HeldTooLong),
        }
    }

    /// Runs the handler once. `None` if it did not run because it needs an exclusive permit.
    async fn run(&self, delivery: &Delivery, entry: &mut Entry, permit: &RunPermit<'_>) -> Option<Run> {
        let running =
            AssertUnwindSafe(self.run_unguarded(delivery, entry, &permit.concurrency)).catch_unwind();
        let (outcome, error) = tokio::select! {
            biased;
            () = delivery.lease_lost.cancelled() => (Outcome::LeaseLost, None),
            ran = running => match ran {
                Ok(Ok(Ran::Done)) => (Outcome::Done, None),
                Ok(Ok(Ran::NeedsExclusive)) => return None,
                Ok(Ok(Ran::Never)) => (Outcome::Crashed, None),
                Ok(Err(failure)) => (Outcome::Failed(failure.kind().clone()), Some(failure.to_string())),
                Err(_) => (Outcome::Panicked, None),
            },
            () = self.stop.cancelled() => (Outcome::Stopped, None),
        };
        Some(Run { outcome, error })
    }

    /// Records the attempt in the ledger and runs the handler, if the ledger allows it with this `concurrency`. It may
    /// panic.
    async fn run_unguarded(
        &self,
        delivery: &Delivery,
        entry: &mut Entry,
        concurrency: &Concurrency<'_>,
    ) -> Result<Ran, Failure> {
        self.ledger.begin(entry).await?;
        match (entry.run_mode(), concurrency) {
            (RunMode::Never, _) => return Ok(Ran::Never),
            (RunMode::Exclusive, Concurrency::Shared { .. }) => return Ok(Ran::NeedsExclusive),
            (RunMode::Exclusive, Concurrency::Exclusive { .. }) => {
                self.ledger.runs_exclusively(entry).await?;
            }
            (RunMode::Shared, _) => {}
        }
        self.handler.handle(delivery).await.map(|()| Ran::Done)
    }

    async fn carry_out(&self, action: &Action, delivery: &Delivery, lease: Lease, error: Option<&str>) {
        match action {
            Action::Delete => self.delete(delivery, lease).await,
            Action::DeadLetter { reason } => {
                if let Err(error) = self.dead_letter(reason, delivery, error).await {
                    let error = format!("{error:#}");
                    tracing::warn!(service = self.service, error, "failed to dead-letter a message");
                    let environment = Outcome::Failed(FailureKind::Environment);
                    if let Action::Release { after } = give_up_holding(&environment, env::random_fraction()) {
                        self.release(after, lease).await;
                    }
                } else {
                    self.delete(delivery, lease).await;
                }
            }
            Action::Release { after } => self.release(*after, lease).await,
            Action::Forget | Action::Hold { .. } => {}
        }
    }

    async fn delete(&self, delivery: &Delivery, lease: Lease) {
        self.finished().put(delivery.message_id.clone(), ());
        let receipt = lease.receipt.clone();
        drop(lease);
        if self.acks.send(receipt).await.is_err() {
            tracing::error!(service = self.service, "failed to delete a finished message");
        }
    }

    async fn release(&self, after: Duration, lease: Lease) {
        if after.is_zero() {
            self.metrics.given_back.increment();
        }
        let receipt = lease.end().await;
        match self.queue.change_visibility(&[receipt], after).await.as_deref() {
            // Gone: another consumer has it already.
            Ok([Changed::Done | Changed::Gone]) => {}
            Ok(_) => tracing::warn!(service = self.service, "a message was not returned to the queue"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(service = self.service, error, "failed to return a message to the queue");
            }
        }
    }

    async fn dead_letter(
        &self,
        reason: &str,
        delivery: &Delivery,
        error: Option<&str>,
    ) -> anyhow::Result<()> {
        self.ledger.note_dead_letter(&self.queue.dead_letter_url, &kind(reason, error)).await;
        let event_id = delivery.event.as_ref().map(|event| event.id.to_string());
        let attributes = [
            ("reason", reason.to_owned()),
            ("error", error.unwrap_or_default().to_owned()),
            ("service", self.service.to_owned()),
            ("eventId", event_id.unwrap_or_default()),
            ("messageId", delivery.message_id.clone()),
            ("receiveCount", delivery.receive_count.to_string()),
            ("traceparent", delivery.trace.map(|trace| trace.to_string()).unwrap_or_default()),
        ];
        self.queue.dead_letter(&delivery.body, attributes).await
    }

    fn finished(&self) -> std::sync::MutexGuard<'_, LruCache<String, ()>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The span of `service` for `event`: a child of the event's span. The trace of an event without a valid trace context is
/// derived from its conversation or learner, so that every consumer of it uses the same one.
fn trace(service: &str, event: &Envelope) -> TraceParent {
    let parent = event.traceparent.as_deref().and_then(|text| text.parse().ok());
    let parent = parent.unwrap_or_else(|| TraceParent::of(&event.event.subject()));
    parent.child(&format!("{service} {}", event.id))
}

/// What a run says about the environment. A handler that failed for another reason reached it or did not need it.
fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Failed(FailureKind::Environment | FailureKind::Unavailable { .. }) => Verdict::Broken,
        Outcome::Done | Outcome::Failed(_) | Outcome::Panicked => Verdict::Works,
        Outcome::LeaseLost | Outcome::Stopped | Outcome::Duplicate | Outcome::Crashed => Verdict::Unknown,
    }
}
