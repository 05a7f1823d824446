//! PURE. What can go wrong with a stream and what follows from it, by class and by text: the service puts
//! transient faults into validation errors.

use std::time::Duration;

/// Consecutive failures after which the model counts as failed for good.
pub(super) const ATTEMPTS_MAX: u32 = 6;

/// Longest wait before a new stream is opened.
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// A stream failed, or could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{class:?}: {message}")]
pub struct StreamFailure {
    /// The class of the error.
    pub class: FailureClass,
    /// The text of the service, or ours.
    pub message: String,
}

/// Classes of errors, after the exceptions of Bedrock's `InvokeModelWithBidirectionalStream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// `ValidationException`.
    Validation,
    /// `ModelTimeoutException`: the eight minutes of a stream are over.
    ModelTimeout,
    /// `ModelStreamErrorException` or `ModelErrorException`.
    Model,
    /// `ThrottlingException` or `ServiceQuotaExceededException`, or no stream is free on our side.
    Throttled,
    /// `ModelNotReadyException`, `ServiceUnavailableException`, `InternalServerException`.
    Unavailable,
    /// `ResourceNotFoundException`: the model does not exist or has reached the end of its life.
    NotFound,
    /// `AccessDeniedException`, or an error of the credentials.
    AccessDenied,
    /// The connection broke, or what came over it could not be read.
    Transport,
    /// The stream ended without our closing sequence.
    EndedEarly,
    /// The stream did not open in time.
    OpenDeadline,
    /// The stream is open but neither takes nor gives anything.
    Stalled,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// A new stream would fail in the same way.
    Fatal,
    /// Open a new stream at once.
    RenewNow,
    /// Open a new stream after a while.
    RenewLater,
}

impl StreamFailure {
    /// A failure that the service has no text for.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// What follows.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        match self.class {
            FailureClass::Validation => self.validation(),
            FailureClass::NotFound | FailureClass::AccessDenied => Reaction::Fatal,
            FailureClass::ModelTimeout
            | FailureClass::Model
            | FailureClass::Transport
            | FailureClass::EndedEarly
            | FailureClass::Stalled => Reaction::RenewNow,
            FailureClass::Throttled | FailureClass::Unavailable | FailureClass::OpenDeadline => {
                Reaction::RenewLater
            }
        }
    }

    fn validation(&self) -> Reaction {
        let says = |text| self.message.contains(text);
        if says("System instability detected") {
            Reaction::RenewLater
        } else if says("Timed out waiting for input events") || says("InternalErrorCode=53") {
            Reaction::RenewNow
        } else {
            Reaction::Fatal
        }
    }
}

/// The wait before attempt number `attempt` (from 0), or `None` when there is no further attempt. The first one
/// after [`Reaction::RenewNow`] has no wait. `jitter_permille` is a random number below 1000.
#[must_use]
pub(super) fn wait(reaction: Reaction, attempt: u32, jitter_permille: u16) -> Option<Duration> {
    if attempt >= ATTEMPTS_MAX || reaction == Reaction::Fatal {
        return None;
    }
    if reaction == Reaction::RenewNow && attempt == 0 {
        return Some(Duration::ZERO);
    }
    let full = Duration::from_millis(500 << attempt.min(10)).min(BACKOFF_MAX);
    Some(full.mul_f64(0.5 + f64::from(jitter_permille) / 2_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(class: FailureClass, message: &str, expected: Reaction) {
        assert_eq!(StreamFailure::new(class, message).reaction(), expected);
    }

    #[test]
    fn every_kind_of_failure_has_its_reaction() {
        use FailureClass as Class;
        check(Class::Validation, "First content must have SYSTEM role", Reaction::Fatal);
        check(Class::Validation, "Timed out waiting for input events", Reaction::RenewNow);
        check(
            Class::Validation,
            "System instability detected. Please retry your request.",
            Reaction::RenewLater,
        );
        check(Class::Validation, "InternalErrorCode=531::RST_STREAM closed stream.", Reaction::RenewNow);
        check(Class::ModelTimeout, "Model has timed out in processing the request.", Reaction::RenewNow);
        check(Class::Model, "", Reaction::RenewNow);
        check(Class::Throttled, "", Reaction::RenewLater);
        check(Class::Unavailable, "", Reaction::RenewLater);
        check(Class::NotFound, "This model version has reached the end of its life.", Reaction::Fatal);
        check(Class::AccessDenied, "", Reaction::Fatal);
        check(Class::Transport, "", Reaction::RenewNow);
        check(Class::EndedEarly, "", Reaction::RenewNow);
        check(Class::OpenDeadline, "", Reaction::RenewLater);
        check(Class::Stalled, "", Reaction::RenewNow);
    }

    #[test]
    fn attempts_are_bounded_and_waits_grow_within_their_cap() {
        assert_eq!(wait(Reaction::RenewNow, 0, 999), Some(Duration::ZERO));
        assert_eq!(wait(Reaction::RenewLater, 0, 0), Some(Duration::from_millis(250)));
        let waits: Vec<_> = (0..ATTEMPTS_MAX).map(|n| wait(Reaction::RenewLater, n, 500).unwrap()).collect();
        assert!(waits.is_sorted());
        assert!(waits.iter().all(|wait| *wait <= BACKOFF_MAX));
        assert_eq!(wait(Reaction::RenewNow, ATTEMPTS_MAX, 0), None);
        assert_eq!(wait(Reaction::Fatal, 0, 0), None);
    }
}
