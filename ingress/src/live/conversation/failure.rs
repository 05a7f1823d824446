//! PURE. Errors of a stream and the reaction to each, by class and by text, because the service reports some transient
//! faults as validation errors.

use std::time::Duration;

/// Consecutive failures after which the conversation ends.
pub(super) const ATTEMPTS_MAX: u32 = 6;

/// Longest wait before a new stream is opened.
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// A stream failed, or could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{class:?}: {message}")]
pub struct StreamError {
    /// The class of the error.
    pub class: FailureClass,
    /// The text of the service, or our own.
    pub message: String,
    /// The service's error code.
    pub code: Option<String>,
    /// The service's request id.
    pub request_id: Option<String>,
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
    /// `ThrottlingException` or `ServiceQuotaExceededException`, or all our streams are in use.
    Throttled,
    /// `ModelNotReadyException`, `ServiceUnavailableException`, `InternalServerException`.
    Unavailable,
    /// `ResourceNotFoundException`: the model does not exist or has reached the end of its life.
    NotFound,
    /// `AccessDeniedException`, or an error of the credentials.
    AccessDenied,
    /// The connection broke, or a message could not be decoded.
    Transport,
    /// The stream ended without our closing sequence.
    EndedEarly,
    /// The stream did not open in time.
    OpenDeadline,
    /// The stream is open but accepts no input or gives no output.
    Stalled,
}

/// The reaction to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// A new stream would fail in the same way.
    Fatal,
    /// A new stream would probably fail in the same way: open one at once if the failed one had worked, and only one until a turn
    /// is recorded.
    RenewOnce,
    /// Open a new stream at once.
    RenewNow,
    /// Open a new stream after a while.
    RenewLater,
}

impl StreamError {
    /// An error that was detected on our side.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), code: None, request_id: None }
    }

    /// The text, unless the service rejects its input: such a text may quote the learner.
    #[must_use]
    pub fn for_the_log(&self) -> &str {
        match self.class {
            FailureClass::Validation | FailureClass::Model => "",
            FailureClass::ModelTimeout
            | FailureClass::Throttled
            | FailureClass::Unavailable
            | FailureClass::NotFound
            | FailureClass::AccessDenied
            | FailureClass::Transport
            | FailureClass::EndedEarly
            | FailureClass::OpenDeadline
            | FailureClass::Stalled => &self.message,
        }
    }

    /// The reaction. A text of [`TEXTS`] takes precedence over the class, unless the class says that the model cannot be
    /// used.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        if self.is_refusal() {
            return Reaction::Fatal;
        }
        let by_text = TEXTS.iter().find(|(text, _)| self.message.contains(text));
        by_text.map_or_else(|| self.class.reaction(), |(_, reaction)| *reaction)
    }

    /// The configured model cannot be used: it is unknown, at the end of its life, or denied.
    fn is_refusal(&self) -> bool {
        matches!(self.class, FailureClass::NotFound | FailureClass::AccessDenied)
    }
}

/// Texts that take precedence over the class: the service reports transient faults, and events that arrived out of order,
/// as validation errors. They do not recur on a new stream.
const TEXTS: [(&str, Reaction); 6] = [
    ("System instability detected", Reaction::RenewLater),
    ("Timed out waiting for input events", Reaction::RenewNow),
    ("RST_STREAM", Reaction::RenewNow),
    ("InternalErrorCode=53", Reaction::RenewNow),
    ("Chat history should be sent completely before streaming audio", Reaction::RenewNow),
    ("Tool Response parsing error", Reaction::RenewNow),
];

impl FailureClass {
    /// The reaction to the class alone. A validation error probably recurs, because the next stream gets the same input; but the
    /// service reports faults of its own as such errors, under texts that change.
    fn reaction(self) -> Reaction {
        match self {
            Self::NotFound | Self::AccessDenied => Reaction::Fatal,
            Self::Validation => Reaction::RenewOnce,
            Self::ModelTimeout | Self::Model | Self::Transport | Self::EndedEarly | Self::Stalled => {
                Reaction::RenewNow
            }
            Self::Throttled | Self::Unavailable | Self::OpenDeadline => Reaction::RenewLater,
        }
    }
}

/// The wait before attempt number `attempt` (from 0), or `None` when there is no further attempt; `link` resolves
/// [`Reaction::RenewOnce`] before. The first one
/// after [`Reaction::RenewNow`] has no wait. `jitter_permille` is a random number below 1000.
#[must_use]
pub(super) fn wait(reaction: Reaction, attempt: u32, jitter_permille: u16) -> Option<Duration> {
    if attempt >= ATTEMPTS_MAX || matches!(reaction, Reaction::Fatal | Reaction::RenewOnce) {
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

    /// Known errors of the service, by class and text, then our own.
    const TABLE: [(FailureClass, &str, Reaction); 24] = {
        use FailureClass as Class;
        use Reaction::{Fatal, RenewLater, RenewNow, RenewOnce};
        [
            (Class::Validation, "First content must have SYSTEM role", RenewOnce),
            (Class::Validation, "Duplicate SYSTEM content", RenewOnce),
            (Class::Validation, "Chat history should be sent completely before streaming audio.", RenewNow),
            (Class::Validation, "Invalid input request, please fix your input and try again.", RenewOnce),
            (Class::Validation, "Tool Response parsing error", RenewNow),
            (Class::Validation, "Received invalid voiceId", RenewOnce),
            (Class::Validation, "Unable to parse input chunk", RenewOnce),
            (Class::Validation, "Timed out waiting for input events", RenewNow),
            (Class::Validation, "InternalErrorCode=532::Timed out waiting for input events", RenewNow),
            (Class::Validation, "System instability detected. Please retry your request.", RenewLater),
            (
                Class::Unavailable,
                "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR",
                RenewNow,
            ),
            (
                Class::ModelTimeout,
                "Model has timed out in processing the request. Try your request again.",
                RenewNow,
            ),
            (Class::Model, "the model failed in the middle of a turn", RenewNow),
            (Class::Throttled, "Too many requests, please wait before trying again.", RenewLater),
            (Class::Unavailable, "The model is not ready for inference.", RenewLater),
            (Class::Unavailable, "The service is unavailable.", RenewLater),
            (Class::Unavailable, "Internal server error", RenewLater),
            (Class::NotFound, "This model version has reached the end of its life.", Fatal),
            (Class::AccessDenied, "You are not authorized. System instability detected", Fatal),
            (Class::Transport, "Invalid event bytes", RenewNow),
            (Class::Transport, "GOAWAY", RenewNow),
            (Class::EndedEarly, "the stream ended without a closing sequence", RenewNow),
            (Class::OpenDeadline, "no response within 15 s", RenewLater),
            (Class::Stalled, "the model gives no sign of life", RenewNow),
        ]
    };

    #[test]
    fn every_error_of_the_table_has_its_reaction() {
        for (class, text, expected) in TABLE {
            assert_eq!(StreamError::new(class, text).reaction(), expected, "{class:?}: {text}");
        }
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
