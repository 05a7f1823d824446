//! The life of one message in a worker: its handler runs, once or again, its action is carried out, and its end is told
//! once, in the log and in the metrics.

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
    gate::{Gate, Pass},
    lease::{Lease, Leases},
    ledger::{Entry, Ledger},
    line::{Ended, Line},
    metrics::Measured,
    permits::Permits,
    queue::{BATCH_MAX, Changed, Queue},
};
use crate::{
    contract::{Envelope, TraceParent},
    runtime::{
        breaker::Verdict,
        delivery::{Action, Outcome, Standing, Tries, blame, decide, give_up_holding, hold_max},
        env,
        failure::{Failure, FailureKind},
    },
};

/// What the tasks of one consumer share.
pub(super) struct Work<H> {
    pub(super) service: &'static str,
    pub(super) handler: H,
    pub(super) queue: Arc<Queue>,
    pub(super) leases: Arc<Leases>,
    pub(super) ledger: Ledger,
    pub(super) permits: Arc<Permits>,
    pub(super) gate: Gate,
    /// Read by handlers that run beside others, written by one that has to run alone.
    pub(super) company: RwLock<()>,
    pub(super) acks: mpsc::Sender<String>,
    /// Ids of messages that are done with.
    pub(super) finished: Mutex<LruCache<String, ()>>,
    pub(super) measured: Arc<Measured>,
    /// The process is asked to stop.
    pub(super) shutdown: CancellationToken,
    /// The drain is over.
    pub(super) stop: CancellationToken,
}

/// The permission to run a handler once.
struct Turn<'a> {
    pass: Pass<'a>,
    company: Company<'a>,
}

/// Beside whom a handler runs.
enum Company<'a> {
    Others { _held: RwLockReadGuard<'a, ()> },
    Nobody { _held: RwLockWriteGuard<'a, ()> },
}

/// Why a handler does not run (again).
enum NoTurn {
    LeaseLost,
    Stopping,
    HeldForTooLong,
}

/// How long a message is held.
#[derive(Default)]
struct Held {
    not_before: Option<Instant>,
    since: Option<Instant>,
    until: Option<Instant>,
    /// When its last run ended.
    ran_at: Option<Instant>,
}

/// One run of a handler.
struct Run {
    outcome: Outcome,
    error: Option<String>,
}

/// What an attempt came to.
enum Tried {
    Done,
    /// It has to run alone and does not.
    InCompany,
    Condemned,
}

impl<H: Handler> Work<H> {
    /// Takes the lease of a message that was received just now. `None` for a message without id or receipt, which
    /// SQS does not send.
    pub(super) fn take(&self, message: Message) -> Option<(Delivery, Lease)> {
        let (Some(message_id), Some(receipt)) = (message.message_id, message.receipt_handle) else {
            tracing::error!(service = self.service, "a message has no id or no receipt");
            return None;
        };
        let lease = self.leases.hold(receipt);
        let attributes = message.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|text| text.parse::<i64>().ok());
        let body = message.body.unwrap_or_default();
        let delivery = Delivery {
            trace: trace(self.service, &body),
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
        let mut line = Line::new(self.service, delivery);
        let mut entry = self.ledger.entry(delivery, self.queue.receive_count_max);
        let is_finished = self.finished().get(&delivery.message_id).is_some();
        let (outcome, action) = if is_finished {
            (Outcome::Duplicate, Action::Delete)
        } else {
            Box::pin(self.attempt(delivery, &lease, &mut entry, &mut line)).await
        };
        self.ledger.reported(&mut entry).await;
        self.measured.receives.record(delivery.receive_count.into());
        self.measured.dwell.record(line.dwell_ms(delivery));
        self.measured.handler.record_duration(line.took);
        if let Some(millis) = line.end_to_end_ms(&outcome) {
            self.measured.end_to_end.record(millis);
        }
        self.measured.ended(outcome.name());
        let lease_extensions = lease.extensions();
        self.carry_out(&action, delivery, lease, line.error.as_deref()).await;
        let ended = Ended { outcome: &outcome, action: &action, failures: entry.failures, lease_extensions };
        line.write(delivery, &ended);
    }

    /// Gives back messages that were received but will not be handled.
    pub(super) async fn give_back(&self, messages: Vec<Message>) {
        let receipts: Vec<_> = messages.into_iter().filter_map(|message| message.receipt_handle).collect();
        self.measured.given_back.add(u64::try_from(receipts.len()).unwrap_or(u64::MAX));
        for batch in receipts.chunks(BATCH_MAX) {
            if let Err(error) = self.queue.change_visibility(batch, Duration::ZERO).await {
                let error = format!("{error:#}");
                tracing::warn!(service = self.service, error, "failed to give messages back");
            }
        }
    }

    /// Runs the handler until there is something to be done with the message.
    async fn attempt(
        &self,
        delivery: &Delivery,
        lease: &Lease,
        entry: &mut Entry,
        line: &mut Line,
    ) -> (Outcome, Action) {
        let mut held = Held::default();
        let mut last = Outcome::Stopped;
        loop {
            let last_receive = delivery.receive_count >= self.queue.receive_count_max;
            let turn = match self.turn(lease, entry.standing(), &held, last_receive).await {
                Ok(turn) => turn,
                Err(NoTurn::LeaseLost) => return (Outcome::LeaseLost, Action::Forget),
                // A message that does not run when the process is asked to stop is given back at once.
                Err(NoTurn::Stopping) => {
                    return (Outcome::Stopped, Action::Release { after: Duration::ZERO });
                }
                Err(NoTurn::HeldForTooLong) => {
                    let action = give_up_holding(&last, env::random_fraction());
                    return (last, action);
                }
            };
            let (start, began) = (Instant::now(), self.permits.now());
            let Some(mut run) = self.run(delivery, entry, &turn).await else { continue };
            run.outcome = blame(
                run.outcome,
                self.gate.succeeded_since(held.ran_at.replace(Instant::now()).unwrap_or(start)),
            );
            match &run.outcome {
                Outcome::Done => {
                    self.permits.succeeded();
                    self.gate.succeeded();
                }
                Outcome::Failed(FailureKind::Throttled { .. }) => self.permits.throttled(began),
                Outcome::Failed(_)
                | Outcome::Panicked
                | Outcome::LeaseLost
                | Outcome::Stopped
                | Outcome::Duplicate
                | Outcome::Crashed => {}
            }
            turn.pass.settle(verdict(&run.outcome));
            drop(turn.company);
            line.ran(start.elapsed(), run.error);
            let tries = Tries {
                receives: delivery.receive_count,
                receives_max: self.queue.receive_count_max,
                failures_max: self.queue.failures_max,
                failures: entry.failures,
                runs: line.runs,
                held: held.since.map(|since| since.elapsed()).unwrap_or_default(),
            };
            let action = decide(&run.outcome, tries, env::random_fraction());
            if run.outcome.is_failure() && !matches!(action, Action::DeadLetter { .. }) {
                self.ledger.failed(entry).await;
            }
            let Action::Hold { after } = action else { return (run.outcome, action) };
            self.ledger.reported(entry).await;
            let now = Instant::now();
            let since = *held.since.get_or_insert(now);
            held.not_before = Some(now + after);
            held.until = hold_max(tries).map(|limit| since + limit);
            last = run.outcome;
        }
    }

    /// Waits until the handler may run.
    async fn turn(
        &self,
        lease: &Lease,
        standing: Standing,
        held: &Held,
        last_receive: bool,
    ) -> Result<Turn<'_>, NoTurn> {
        let held_for_too_long = async {
            match held.until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let turn = async {
            if let Some(not_before) = held.not_before {
                tokio::time::sleep_until(not_before).await;
            }
            let company = match standing {
                Standing::Together => Company::Others { _held: self.company.read().await },
                Standing::Alone | Standing::Condemned => {
                    Company::Nobody { _held: self.company.write().await }
                }
            };
            Turn { pass: self.gate.admit(last_receive).await, company }
        };
        tokio::select! {
            biased;
            () = lease.lost.cancelled() => Err(NoTurn::LeaseLost),
            () = self.shutdown.cancelled() => Err(NoTurn::Stopping),
            turn = turn => Ok(turn),
            () = held_for_too_long => Err(NoTurn::HeldForTooLong),
        }
    }

    /// Runs the handler once. `None` when it has to run alone and does not: it has not run then.
    async fn run(&self, delivery: &Delivery, entry: &mut Entry, turn: &Turn<'_>) -> Option<Run> {
        let trying = AssertUnwindSafe(self.try_once(delivery, entry, &turn.company)).catch_unwind();
        let (outcome, error) = tokio::select! {
            biased;
            () = delivery.lease_lost.cancelled() => (Outcome::LeaseLost, None),
            tried = trying => match tried {
                Ok(Ok(Tried::Done)) => (Outcome::Done, None),
                Ok(Ok(Tried::InCompany)) => return None,
                Ok(Ok(Tried::Condemned)) => (Outcome::Crashed, None),
                Ok(Err(failure)) => (Outcome::Failed(failure.kind().clone()), Some(failure.to_string())),
                Err(_) => (Outcome::Panicked, None),
            },
            () = self.stop.cancelled() => (Outcome::Stopped, None),
        };
        Some(Run { outcome, error })
    }

    async fn try_once(
        &self,
        delivery: &Delivery,
        entry: &mut Entry,
        company: &Company<'_>,
    ) -> Result<Tried, Failure> {
        self.ledger.begin(entry).await?;
        match (entry.standing(), company) {
            (Standing::Condemned, _) => return Ok(Tried::Condemned),
            (Standing::Alone, Company::Others { .. }) => return Ok(Tried::InCompany),
            (Standing::Alone, Company::Nobody { .. }) => self.ledger.runs_alone(entry).await?,
            (Standing::Together, _) => {}
        }
        self.handler.handle(delivery).await.map(|()| Tried::Done)
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
            tracing::error!(service = self.service, "a finished message was not deleted");
        }
    }

    async fn release(&self, after: Duration, lease: Lease) {
        if after.is_zero() {
            self.measured.given_back.increment();
        }
        let receipt = lease.end().await;
        match self.queue.change_visibility(&[receipt], after).await.as_deref() {
            // Gone: somebody else has it already.
            Ok([Changed::Done | Changed::Gone]) => {}
            Ok(_) => tracing::warn!(service = self.service, "a message was not given back"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(service = self.service, error, "failed to give a message back");
            }
        }
    }

    async fn dead_letter(
        &self,
        reason: &str,
        delivery: &Delivery,
        error: Option<&str>,
    ) -> anyhow::Result<()> {
        let event_id = Envelope::decode_message(&delivery.body).map(|event| event.id.to_string());
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

/// The span of `service` at the event in `body`: a child of the event's own. An event without a usable one is given
/// the trace that the id of its conversation or its learner makes, the same for whoever handles it.
fn trace(service: &str, body: &str) -> Option<TraceParent> {
    let event = Envelope::decode_message(body).ok()?;
    let parent = event.traceparent.as_deref().and_then(|text| text.parse().ok());
    let parent = parent.unwrap_or_else(|| TraceParent::of(&event.event.subject()));
    Some(parent.child(&format!("{service} {}", event.id)))
}

/// What a run said about the environment. A handler that failed in another way did reach it, or did not need it.
fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Failed(FailureKind::Environment | FailureKind::Unavailable { .. }) => Verdict::Broken,
        Outcome::Done | Outcome::Failed(_) | Outcome::Panicked => Verdict::Works,
        Outcome::LeaseLost | Outcome::Stopped | Outcome::Duplicate | Outcome::Crashed => Verdict::Unknown,
    }
}
