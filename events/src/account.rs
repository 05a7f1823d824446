//! Requests for the deletion of an account: the event, and the delayed message that guarantees its delivery.
//!
//! The user record holds the time of the request ([`DELETION_REQUESTED_AT`]) and is the outbox of the event. Before the
//! record is written, a delayed copy of the event is sent to the queue of the erasure worker ([`ErasureQueue`]). If the
//! event does not reach the bus, because its publisher or the bus failed, the copy has the same effect a minute later. The
//! worker discards a copy whose request was never recorded. So no scan over the records is needed.

use jiff::Timestamp;

use crate::{
    contract::{AccountDeletionRequested, Envelope, Event, TraceParent, UserId},
    runtime::failure::Failure,
};

/// The attribute of a Users record with the time of the deletion request, in milliseconds since the Unix epoch (N).
pub const DELETION_REQUESTED_AT: &str = "deletionRequestedAt";

/// Delay of the copy, in seconds: longer than the request that sends it can take.
pub const COPY_DELAY_SECONDS: i32 = 60;

/// The longest delay: SQS delays a message by at most 15 minutes (API reference, `SendMessage`).
pub const DELAY_SECONDS_MAX: i32 = 900;

/// The event of a deletion request. It is identical to the byte for every publisher and every repetition: its trace is
/// derived from the learner, not from the HTTP request.
#[must_use]
pub fn deletion_requested(user_id: &UserId, requested_at: Timestamp) -> Envelope {
    let trace = TraceParent::of(user_id.as_str()).to_string();
    let event = AccountDeletionRequested { user_id: user_id.clone(), requested_at };
    Envelope::new(Event::AccountDeletionRequested(event), requested_at, Some(trace))
}

/// The queue of the erasure worker, for senders.
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

    /// Sends a copy of `requested` with a delay of 0 to [`DELAY_SECONDS_MAX`] seconds.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub async fn send(&self, requested: &Envelope, delay_seconds: i32) -> Result<(), Failure> {
        self.sqs
            .send_message()
            .queue_url(&self.url)
            .message_body(requested.encode())
            .delay_seconds(delay_seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Failure::aws(error).context("failed to send a copy of the deletion request"))
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
