//! The one log line of a handled message, `handled`, written when it came to its end. It says what happened and never
//! what was said: no words of a conversation, no e-mail address, no token.
//!
//! | field | what it is |
//! |---|---|
//! | `service` | the worker |
//! | `outcome` | how the last run ended: a name of `delivery::OUTCOMES` |
//! | `action` | what was done with the message: `delete`, `dead_letter`, `release`, `forget` |
//! | `message_id` | SQS's id |
//! | `event_id`, `schema` | the event, where the message is one |
//! | `conversation_id` | the conversation, where the message names one |
//! | `trace_id`, `span_id` | W3C trace context: the conversation's trace, and the span of this worker at this event |
//! | `receive_count` | receives of the message, this one included |
//! | `failures` | attempts that failed by themselves, this one included |
//! | `runs` | runs of the handler during this receive |
//! | `handler_ms` | their time together |
//! | `dwell_ms` | from the sending of the message to its receive |
//! | `end_to_end_ms` | from the end of the conversation to the end of this work, for a `conversation.completed` that is done |
//! | `lease_extensions` | how often the lease was extended |
//! | `error_kind` | `retry`, `rejected`, `parked`, `environment`, `throttled`, `busy`, `panicked`; missing without an error |
//! | `error` | the cause, in one line |

use std::time::Duration;

use jiff::Timestamp;

use super::Delivery;
use crate::{
    contract::{Envelope, Event},
    journal::Watch,
    runtime::{
        delivery::{Action, Outcome},
        env,
    },
};

/// What is told of one message.
pub(super) struct Line {
    service: &'static str,
    event: Option<Envelope>,
    conversation_id: Option<String>,
    received_at: Timestamp,
    pub(super) runs: u32,
    pub(super) took: Duration,
    pub(super) error: Option<String>,
}

/// The end of a message.
pub(super) struct Ended<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) action: &'a Action,
    pub(super) failures: u32,
    pub(super) lease_extensions: u32,
}

impl Line {
    pub(super) fn new(service: &'static str, delivery: &Delivery) -> Self {
        let event = Envelope::decode_message(&delivery.body).ok();
        let conversation_id = match &event {
            Some(event) => event.event.conversation_id().map(|id| id.to_string()),
            None => Watch::decode(&delivery.body).ok().map(|watch| watch.conversation_id.to_string()),
        };
        let received_at = env::now();
        Self { service, event, conversation_id, received_at, runs: 0, took: Duration::ZERO, error: None }
    }

    /// A run of the handler has ended.
    pub(super) fn ran(&mut self, took: Duration, error: Option<String>) {
        self.runs = self.runs.saturating_add(1);
        self.took += took;
        self.error = error;
    }

    /// How long the message waited in the queue, in milliseconds.
    pub(super) fn dwell_ms(&self, delivery: &Delivery) -> u64 {
        millis_between(delivery.sent_at, self.received_at)
    }

    /// How long ago the conversation ended, in milliseconds, where the message says when that was and is done.
    pub(super) fn end_to_end_ms(&self, outcome: &Outcome) -> Option<u64> {
        let Event::ConversationCompleted(completed) = &self.event.as_ref()?.event else { return None };
        (*outcome == Outcome::Done).then(|| millis_between(completed.ended_at, env::now()))
    }

    /// Writes the line.
    pub(super) fn write(&self, delivery: &Delivery, ended: &Ended<'_>) {
        let outcome = ended.outcome;
        macro_rules! handled {
            ($level:ident) => {
                tracing::$level!(
                    service = self.service,
                    outcome = outcome.name(),
                    action = ended.action.name(),
                    message_id = delivery.message_id,
                    event_id = self.event.as_ref().map(|event| event.id.to_string()),
                    schema = self.event.as_ref().map(|event| event.event.schema()),
                    conversation_id = self.conversation_id,
                    trace_id = delivery.trace.map(|trace| trace.trace_id()),
                    span_id = delivery.trace.map(|trace| trace.span_id()),
                    receive_count = delivery.receive_count,
                    failures = ended.failures,
                    runs = self.runs,
                    handler_ms = millis(self.took),
                    dwell_ms = self.dwell_ms(delivery),
                    end_to_end_ms = self.end_to_end_ms(outcome),
                    lease_extensions = ended.lease_extensions,
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
    match outcome {
        Outcome::Failed(_) | Outcome::Panicked => Some(outcome.name()),
        Outcome::Done | Outcome::LeaseLost | Outcome::Stopped | Outcome::Duplicate | Outcome::Crashed => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Clocks of two machines may differ: what seems to lie ahead is now.
fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}
