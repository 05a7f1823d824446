//! The life of one message in a worker: its handler runs, once or again after an outage, and its action is carried
//! out.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use futures_util::FutureExt;
use jiff::Timestamp;
use lru::LruCache;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Delivery, Handler,
    gate::{Gate, Pass},
    lease::{Lease, Leases},
    queue::{BATCH_MAX, Changed, Queue},
};
use crate::{
    contract::Envelope,
    runtime::{
        breaker::Verdict,
        delivery::{Action, Outcome, decide, give_up_holding, hold_max},
        failure::{Failure, FailureKind},
        world,
    },
};

/// What the tasks of one consumer share.
pub(super) struct Work<H> {
    pub(super) service: &'static str,
    pub(super) handler: H,
    pub(super) queue: Arc<Queue>,
    pub(super) leases: Arc<Leases>,
    pub(super) gate: Gate,
    pub(super) acks: mpsc::Sender<String>,
    /// Ids of messages that are done with.
    pub(super) finished: Mutex<LruCache<String, ()>>,
    /// The process is asked to stop.
    pub(super) shutdown: CancellationToken,
    /// The drain is over.
    pub(super) stop: CancellationToken,
}

/// One run of a handler.
struct Run {
    outcome: Outcome,
    error: Option<String>,
    took: Duration,
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
        let delivery = Delivery {
            body: message.body.unwrap_or_default(),
            message_id,
            receive_count: number(MessageSystemAttributeName::ApproximateReceiveCount)
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(1),
            sent_at: number(MessageSystemAttributeName::SentTimestamp)
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .unwrap_or_else(world::now),
            lease_lost: lease.lost.clone(),
        };
        Some((delivery, lease))
    }

    /// Handles one message to its end.
    pub(super) async fn deliver(&self, delivery: &Delivery, lease: Lease) {
        if self.finished().get(&delivery.message_id).is_some() {
            tracing::info!(
                service = self.service,
                message_id = delivery.message_id,
                outcome = "duplicate",
                "handled"
            );
            self.delete(delivery, lease).await;
            return;
        }
        let mut held_until = None;
        let action = loop {
            let pass = match self.admit(&lease, held_until).await {
                Ok(pass) => pass,
                Err(action) => break action,
            };
            let run = self.run(delivery).await;
            pass.settle(verdict(&run.outcome));
            self.log(delivery, &run);
            match decide(&run.outcome, delivery.receive_count, world::fraction()) {
                Action::Hold => {
                    let limit = hold_max(delivery.receive_count, self.queue.receive_count_max);
                    held_until = held_until.or_else(|| limit.map(|limit| Instant::now() + limit));
                }
                action @ (Action::Delete
                | Action::DeadLetter { .. }
                | Action::Release { .. }
                | Action::Forget) => {
                    break action;
                }
            }
        };
        self.carry_out(action, delivery, lease).await;
    }

    /// Gives back messages that were received but will not be handled.
    pub(super) async fn give_back(&self, messages: Vec<Message>) {
        let receipts: Vec<_> = messages.into_iter().filter_map(|message| message.receipt_handle).collect();
        for batch in receipts.chunks(BATCH_MAX) {
            if let Err(error) = self.queue.change_visibility(batch, Duration::ZERO).await {
                let error = format!("{error:#}");
                tracing::warn!(service = self.service, error, "failed to give messages back");
            }
        }
    }

    /// Waits until the handler may run; an action where it may not run any more.
    async fn admit(&self, lease: &Lease, held_until: Option<Instant>) -> Result<Pass<'_>, Action> {
        let held_for_too_long = async {
            match held_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = lease.lost.cancelled() => Err(Action::Forget),
            // A message that has not begun to run when the process is asked to stop is given back at once.
            () = self.shutdown.cancelled() => Err(Action::Release { after: Duration::ZERO }),
            pass = self.gate.admit() => Ok(pass),
            () = held_for_too_long => Err(give_up_holding(world::fraction())),
        }
    }

    async fn run(&self, delivery: &Delivery) -> Run {
        let start = Instant::now();
        let handler = AssertUnwindSafe(self.handler.handle(delivery)).catch_unwind();
        let (outcome, error) = tokio::select! {
            biased;
            () = delivery.lease_lost.cancelled() => (Outcome::LeaseLost, None),
            result = handler => match result {
                Ok(Ok(())) => (Outcome::Done, None),
                Ok(Err(failure)) => told(&failure),
                Err(_) => (Outcome::Panicked, None),
            },
            () = self.stop.cancelled() => (Outcome::Stopped, None),
        };
        Run { outcome, error, took: start.elapsed() }
    }

    async fn carry_out(&self, action: Action, delivery: &Delivery, lease: Lease) {
        match action {
            Action::Delete => self.delete(delivery, lease).await,
            Action::DeadLetter { reason } => {
                if let Err(error) = self.dead_letter(&reason, delivery).await {
                    let error = format!("{error:#}");
                    tracing::warn!(service = self.service, error, "failed to dead-letter a message");
                    let again = Outcome::Failed(FailureKind::Retry { after: None });
                    if let Action::Release { after } =
                        decide(&again, delivery.receive_count, world::fraction())
                    {
                        self.release(after, lease).await;
                    }
                } else {
                    self.delete(delivery, lease).await;
                }
            }
            Action::Release { after } => self.release(after, lease).await,
            Action::Forget | Action::Hold => {}
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

    async fn dead_letter(&self, reason: &str, delivery: &Delivery) -> anyhow::Result<()> {
        let event_id = Envelope::decode_message(&delivery.body).map(|event| event.id.to_string());
        let attributes = [
            ("reason", reason.to_owned()),
            ("service", self.service.to_owned()),
            ("eventId", event_id.unwrap_or_default()),
            ("messageId", delivery.message_id.clone()),
            ("receiveCount", delivery.receive_count.to_string()),
        ];
        self.queue.dead_letter(&delivery.body, attributes).await
    }

    /// One line for each run of a handler. No payload.
    fn log(&self, delivery: &Delivery, run: &Run) {
        let event = Envelope::decode_message(&delivery.body).ok();
        let dwell_ms = world::now().as_millisecond() - delivery.sent_at.as_millisecond();
        macro_rules! handled {
            ($level:ident) => {
                tracing::$level!(
                    service = self.service,
                    outcome = run.outcome.name(),
                    handler_ms = u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
                    dwell_ms,
                    receive_count = delivery.receive_count,
                    message_id = delivery.message_id,
                    event_id = event.as_ref().map(|event| event.id.to_string()),
                    schema = event.as_ref().map(|event| event.event.schema()),
                    conversation_id = event.as_ref().map(|event| event.event.conversation_id().to_string()),
                    error = run.error,
                    "handled"
                )
            };
        }
        match run.outcome {
            Outcome::Done | Outcome::Stopped => handled!(info),
            Outcome::Failed(_) | Outcome::LeaseLost => handled!(warn),
            Outcome::Panicked => handled!(error),
        }
    }

    fn finished(&self) -> std::sync::MutexGuard<'_, LruCache<String, ()>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(failure: &Failure) -> (Outcome, Option<String>) {
    (Outcome::Failed(failure.kind().clone()), Some(failure.to_string()))
}

/// What a run said about the environment. A handler that failed in another way did reach it, or did not need it.
fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Failed(FailureKind::Environment) => Verdict::Broken,
        Outcome::Done | Outcome::Failed(_) | Outcome::Panicked => Verdict::Works,
        Outcome::LeaseLost | Outcome::Stopped => Verdict::Unknown,
    }
}
