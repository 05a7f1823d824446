//! How the deletion of an account is asked for: the event, and the message that makes sure that it is heard.
//!
//! The record of the learner says since when the deletion is asked for ([`DELETION_REQUESTED_AT`]) and so is the outbox
//! of the event. Before it says so, a delayed copy of the event is sent to the erasure worker's own queue
//! ([`ErasureQueue`]): should the event not reach the bus, because its publisher died or the bus did, the copy does the
//! same a minute later. A copy of what was never recorded is let fall. So no sweep over the records is needed, as the
//! watchdog's message spares one over the conversations.

use jiff::Timestamp;

use crate::{
    contract::{AccountDeletionRequested, Envelope, Event, TraceParent, UserId},
    runtime::failure::Failure,
};

/// The attribute of a Users record that says since when the deletion of the account is asked for, in milliseconds since the
/// Unix epoch (N).
pub const DELETION_REQUESTED_AT: &str = "deletionRequestedAt";

/// Seconds after which the copy of a request is heard: later than the request can take that sends it.
pub const COPY_DELAY_SECONDS: i32 = 60;

/// The longest such time: SQS delays a message by at most 15 minutes (API reference, `SendMessage`).
pub const DELAY_SECONDS_MAX: i32 = 900;

/// The event that the deletion of the learner's account was asked for. It is the same to the byte whoever publishes it
/// and however often: its trace is the learner's, not the request's.
#[must_use]
pub fn deletion_requested(user_id: &UserId, requested_at: Timestamp) -> Envelope {
    let trace = TraceParent::of(user_id.as_str()).to_string();
    let event = AccountDeletionRequested { user_id: user_id.clone(), requested_at };
    Envelope::new(Event::AccountDeletionRequested(event), requested_at, Some(trace))
}

/// The erasure worker's queue, written to.
#[derive(Clone, Debug)]
pub struct ErasureQueue {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl ErasureQueue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(sqs: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self { sqs, url: url.into() }
    }

    /// Sends a copy of `requested`, to be heard in `delay_seconds`, 0 to [`DELAY_SECONDS_MAX`].
    ///
    /// # Errors
    /// By the nature of the failed call.
    pub async fn send(&self, requested: &Envelope, delay_seconds: i32) -> Result<(), Failure> {
        self.sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(requested.encode())
            .delay_seconds(delay_seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::aws(error).context("failed to send a copy of the request"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_event_to_the_byte_however_often_it_is_published() {
        let user_id: UserId = "7c9e6679-7425-40de-944b-e07fc1f90ae7".parse().unwrap();
        let at = "2026-11-25T08:15:30.25Z".parse().unwrap();
        let text = deletion_requested(&user_id, at).encode();
        assert_eq!(text, deletion_requested(&user_id, at).encode());
        assert_eq!(Envelope::decode_message(&text), Ok(deletion_requested(&user_id, at)));
        let other = deletion_requested(&"somebody-else".parse().unwrap(), at);
        assert_ne!(other.id, deletion_requested(&user_id, at).id);
        assert_ne!(other.traceparent, deletion_requested(&user_id, at).traceparent);
    }
}
