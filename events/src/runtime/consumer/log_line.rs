//! The log line `handled`, written once at the end of each delivery. It never contains the content of a message: no words of
//! a conversation, no e-mail address, no token.
//!
//! | field | meaning |
//! |---|---|
//! | `service` | the worker |
//! | `outcome` | the end of the last run: a name of `delivery::OUTCOMES` |
//! | `action` | the action taken: `delete`, `dead_letter`, `release`, `forget` |
//! | `message_id` | SQS's id |
//! | `event_id`, `schema` | the event, if the message is one |
//! | `conversation_id` | the conversation, if the message names one |
//! | `trace_id`, `span_id` | W3C trace context: the trace of the conversation, and the span of this worker for this event |
//! | `receive_count` | receives of the message, this one included |
//! | `failures` | failed attempts at the message, this one included |
//! | `runs` | runs of the handler during this receive |
//! | `handler_ms` | their total duration |
//! | `dwell_ms` | from the send of the message to its receive |
//! | `end_to_end_ms` | from the end of the conversation to the end of this delivery, for a `conversation.completed` with the outcome `done` |
//! | `lease_extensions` | extensions of the lease |
//! | `error_kind` | `retry`, `rejected`, `parked`, `environment`, `throttled`, `busy`, `panicked`; absent without an error |
//! | `error` | the cause, in one line |

use std::time::Duration;

use jiff::Timestamp;

use super::Delivery;
use crate::{
    contract::Event,
    runtime::{
        delivery::{Action, Outcome},
        env,
    },
};

/// The fields collected during one delivery.
pub(super) struct LogLine {
    service: &'static str,
    conversation_id: Option<String>,
    received_at: Timestamp,
    pub(super) runs: u32,
    pub(super) took: Duration,
    pub(super) error: Option<String>,
}

pub(super) struct DeliveryEnd<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) action: &'a Action,
    pub(super) failures: u32,
    pub(super) lease_extensions: u32,
}

impl LogLine {
    pub(super) fn new(service: &'static str, delivery: &Delivery) -> Self {
        let conversation_id = match &delivery.event {
            Ok(event) => event.event.conversation_id(),
            Err(_) => delivery.watch.as_ref().ok().map(|watch| watch.conversation_id),
        };
        let conversation_id = conversation_id.map(|id| id.to_string());
        Self { service, conversation_id, received_at: env::now(), runs: 0, took: Duration::ZERO, error: None }
    }

    /// Adds a run of the handler.
    pub(super) fn ran(&mut self, took: Duration, error: Option<String>) {
        self.runs = self.runs.saturating_add(1);
        self.took += took;
        self.error = error;
    }

    /// The time from the send of the message to its receive, in milliseconds.
    pub(super) fn dwell_ms(&self, delivery: &Delivery) -> u64 {
        millis_between(delivery.sent_at, self.received_at)
    }

    /// The time since the end of the conversation, in milliseconds, for a `conversation.completed` that is done.
    pub(super) fn end_to_end_ms(&self, delivery: &Delivery, outcome: &Outcome) -> Option<u64> {
        let Event::ConversationCompleted(completed) = &delivery.event.as_ref().ok()?.event else {
            return None;
        };
        (*outcome == Outcome::Done).then(|| millis_between(completed.ended_at, env::now()))
    }

    pub(super) fn write(&self, delivery: &Delivery, end: &DeliveryEnd<'_>) {
        let (outcome, event) = (end.outcome, delivery.event.as_ref().ok());
        macro_rules! handled {
            ($level:ident) => {
                tracing::$level!(
                    service = self.service,
                    outcome = outcome.name(),
                    action = end.action.name(),
                    message_id = delivery.message_id,
                    event_id = event.map(|event| event.id.to_string()),
                    schema = event.map(|event| event.event.schema()),
                    conversation_id = self.conversation_id,
                    trace_id = delivery.trace.map(|trace| trace.trace_id()),
                    span_id = delivery.trace.map(|trace| trace.span_id()),
                    receive_count = delivery.receive_count,
                    failures = end.failures,
                    runs = self.runs,
                    handler_ms = millis(self.took),
                    dwell_ms = self.dwell_ms(delivery),
                    end_to_end_ms = self.end_to_end_ms(delivery, outcome),
                    lease_extensions = end.lease_extensions,
                    error_kind = error_kind(outcome),
                    error = self.error,
                    "handled"
                )
            };
        }
        match outcome {
            Outcome::Done | Outcome::Stopped | Outcome::Duplicate => handled!(info),
            Outcome::Failed(_) | Outcome::LeaseLost => handled!(warn),
            Outcome::Panicked | Outcome::Crashed => handled!(error),
        }
    }
}

fn error_kind(outcome: &Outcome) -> Option<&'static str> {
    matches!(outcome, Outcome::Failed(_) | Outcome::Panicked).then(|| outcome.name())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The clocks of two machines may differ: a `from` in the future counts as now.
fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}
