//! What went wrong, decided where the error is born.
//!
//! [`Failure`] has no `From` on purpose: a bare `?` does not compile in a handler, so every fallible line says
//! whether another attempt can help.

use std::{error::Error, fmt, time::Duration};

use aws_smithy_runtime_api::client::{
    orchestrator::HttpResponse,
    result::{ConnectorError, SdkError},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The outcome of a handler that did not succeed.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    source: anyhow::Error,
}

/// What becomes of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt may succeed, not before `after` where the cause asked for a wait.
    Retry {
        /// The least wait.
        after: Option<Duration>,
    },
    /// No attempt will succeed: the message goes to the dead-letter queue with `reason`.
    Reject {
        /// Why, for the person who reads the dead-letter queue. Never words of a conversation.
        reason: String,
    },
    /// A newer build may understand the message: it is put aside for a while.
    Park,
    /// Not the message is at fault but what the worker depends on: polling pauses.
    Environment,
    /// A service failed or could not be reached. While other messages succeed that counts as a failed attempt of this
    /// one, otherwise as [`FailureKind::Environment`]. Another attempt is not made before `after` where the cause asked
    /// for a wait.
    Unavailable {
        /// The least wait.
        after: Option<Duration>,
    },
    /// What the worker depends on takes fewer calls than it makes: fewer handlers run, and this one runs again, not
    /// before `after` where the cause asked for a wait.
    Throttled {
        /// The least wait.
        after: Option<Duration>,
    },
    /// Somebody else is at it, or it is not its time yet: the handler runs again after `after`, not sooner and hardly later.
    Busy {
        /// The wait.
        after: Duration,
    },
}

/// The nature of a failed AWS call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Access, a missing resource, a key, or credentials: the same call for another message fails too.
    Environment,
    /// Too many calls for the moment.
    Throttled,
    /// The service or the way to it, for the moment.
    Unavailable,
    /// What another attempt may not meet: a conflict, an answer of a model.
    Transient,
    /// The request itself.
    Invalid,
}

impl Failure {
    /// Another attempt may succeed.
    pub fn retry(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Retry { after: None }, source: source.into() }
    }

    /// No attempt will succeed. `reason` stands in the dead-letter queue and in the log: no words of a
    /// conversation in it.
    pub fn reject(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { source: anyhow::anyhow!("{reason}"), kind: FailureKind::Reject { reason } }
    }

    /// A newer build may understand the message.
    pub fn park(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Park, source: source.into() }
    }

    /// What the worker depends on is broken, whatever the message.
    pub fn environment(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Environment, source: source.into() }
    }

    /// A service failed or could not be reached, for this message at least.
    pub fn unavailable(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Unavailable { after: None }, source: source.into() }
    }

    /// What the worker depends on takes fewer calls than it makes; it may have asked for a wait.
    pub fn throttled(source: impl Into<anyhow::Error>, after: Option<Duration>) -> Self {
        Self { kind: FailureKind::Throttled { after }, source: source.into() }
    }

    /// Somebody else is at it, or it is not its time yet. Waiting is not an attempt.
    pub fn busy(source: impl Into<anyhow::Error>, after: Duration) -> Self {
        Self { kind: FailureKind::Busy { after }, source: source.into() }
    }

    /// The failure of an AWS call, by [`classify`], with the wait that the service asked for.
    #[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
    pub fn aws<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let mut failure = Self::of_class(classify(&error), describe(&error));
        if let FailureKind::Retry { after }
        | FailureKind::Throttled { after }
        | FailureKind::Unavailable { after } = &mut failure.kind
        {
            *after =
                error.raw_response().and_then(|response| asked_wait(|name| response.headers().get(name)));
        }
        failure
    }

    /// The failure of class `class` caused by `source`.
    pub fn of_class(class: ErrorClass, source: impl Into<anyhow::Error>) -> Self {
        let source = source.into();
        match class {
            ErrorClass::Environment => Self::environment(source),
            ErrorClass::Throttled => Self::throttled(source, None),
            ErrorClass::Unavailable => Self::unavailable(source),
            ErrorClass::Transient => Self::retry(source),
            ErrorClass::Invalid => {
                Self { kind: FailureKind::Reject { reason: format!("{source:#}") }, source }
            }
        }
    }

    /// Says what was being done when it failed.
    #[must_use]
    pub fn context(self, context: &'static str) -> Self {
        Self { source: self.source.context(context), ..self }
    }

    /// What becomes of the message.
    #[must_use]
    pub fn kind(&self) -> &FailureKind {
        &self.kind
    }

    /// The cause.
    #[must_use]
    pub fn source(&self) -> &anyhow::Error {
        &self.source
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.source)
    }
}

/// The nature of the failed call `error`. What is not known to be something else is [`ErrorClass::Transient`].
pub fn classify<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorClass {
    match error {
        SdkError::ServiceError(service) => {
            let class = classify_code(service.err().code().unwrap_or_default());
            let failed_itself = class == ErrorClass::Transient && service.raw().status().is_server_error();
            if failed_itself { ErrorClass::Unavailable } else { class }
        }
        SdkError::DispatchFailure(dispatch) => {
            dispatch.as_connector_error().map_or(ErrorClass::Environment, classify_connector)
        }
        SdkError::ConstructionFailure(_) => ErrorClass::Environment,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) | _ => ErrorClass::Unavailable,
    }
}

/// A failed call as an error of one line: what the service said, or else its status, or else the causes. Never the
/// body of an answer, which may hold what a learner said.
pub fn describe<E>(error: &SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return anyhow::anyhow!("{code}: {message}");
    }
    if let Some(response) = error.raw_response() {
        return anyhow::anyhow!("{error}: the answer has the status {}", response.status().as_u16());
    }
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    anyhow::anyhow!("{error}: {}", causes.join(": "))
}

/// Parts of the error codes that mean the same for every message. The services do not agree on one spelling:
/// `AccessDeniedException` and `AccessDenied`, `KMS.DisabledException` and `KmsDisabled`.
const ENVIRONMENT_CODES: &[&str] = &[
    "accessdenied",
    "authorizationerror",
    "notauthorized",
    "unauthorized",
    "expiredtoken",
    "invalidtoken",
    "invalidclienttokenid",
    "invalidaccesskeyid",
    "unrecognizedclient",
    "signaturedoesnotmatch",
    "invalidsignature",
    "missingauthenticationtoken",
    "optinrequired",
    "subscriptionrequired",
    "kms",
    "resourcenotfound",
    "queuedoesnotexist",
    "nonexistentqueue",
    "nosuchbucket",
    "notfoundexception",
    "limitexceeded",
    "quotaexceeded",
];

/// Parts of the error codes that say "too many for the moment". They come first: `KmsThrottled` is one of them, and so
/// is DynamoDB's `RequestLimitExceeded`.
const THROTTLE_CODES: &[&str] = &[
    "throttl",
    "toomanyrequests",
    "throughputexceeded",
    "requestlimitexceeded",
    "slowdown",
    "overlimit",
    "modelnotready",
];

/// Parts of the error codes of a service that fails by itself.
const UNAVAILABLE_CODES: &[&str] =
    &["internalserver", "internalerror", "internalfailure", "internalexception", "serviceunavailable"];

/// Parts of the error codes that blame the request.
const INVALID_CODES: &[&str] =
    &["validation", "serializationexception", "invalidparameter", "invalidmessagecontents", "malformed"];

pub(crate) fn classify_code(code: &str) -> ErrorClass {
    let code = code.to_ascii_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    if any(THROTTLE_CODES) {
        ErrorClass::Throttled
    } else if any(ENVIRONMENT_CODES) {
        ErrorClass::Environment
    } else if any(UNAVAILABLE_CODES) {
        ErrorClass::Unavailable
    } else if any(INVALID_CODES) {
        ErrorClass::Invalid
    } else {
        ErrorClass::Transient
    }
}

/// The wait that a service asks for: `x-amz-retry-after` in milliseconds (the SDKs' retry specification), or
/// `retry-after` in seconds (RFC 9110, 10.2.3; its form with a date is not used by these services).
fn asked_wait<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Option<Duration> {
    let number = |name| header(name)?.trim().parse::<u64>().ok();
    let millis = number("x-amz-retry-after").map(Duration::from_millis);
    millis.or_else(|| number("retry-after").map(Duration::from_secs))
}

// The SDK reports credentials that do not resolve as a connector error of no particular kind.
fn classify_connector(error: &ConnectorError) -> ErrorClass {
    if error.is_io() || error.is_timeout() { ErrorClass::Unavailable } else { ErrorClass::Environment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_services_are_classified() {
        let cases = [
            ("AccessDeniedException", ErrorClass::Environment),
            ("KMS.DisabledException", ErrorClass::Environment),
            ("KmsThrottled", ErrorClass::Throttled),
            ("RequestLimitExceeded", ErrorClass::Throttled),
            ("LimitExceededException", ErrorClass::Environment),
            ("ServiceQuotaExceededException", ErrorClass::Environment),
            ("ModelNotReadyException", ErrorClass::Throttled),
            ("ResourceNotFoundException", ErrorClass::Environment),
            ("AWS.SimpleQueueService.NonExistentQueue", ErrorClass::Environment),
            ("QueueDoesNotExist", ErrorClass::Environment),
            ("NoSuchBucket", ErrorClass::Environment),
            ("ThrottlingException", ErrorClass::Throttled),
            ("ProvisionedThroughputExceededException", ErrorClass::Throttled),
            ("ExpiredTokenException", ErrorClass::Environment),
            ("ValidationException", ErrorClass::Invalid),
            ("InvalidParameterValueException", ErrorClass::Invalid),
            ("NoSuchKey", ErrorClass::Transient),
            ("TransactionConflictException", ErrorClass::Transient),
            ("ModelTimeoutException", ErrorClass::Transient),
            ("InternalServerError", ErrorClass::Unavailable),
            ("InternalError", ErrorClass::Unavailable),
            ("ServiceUnavailableException", ErrorClass::Unavailable),
            ("", ErrorClass::Transient),
        ];
        for (code, class) in cases {
            assert_eq!(classify_code(code), class, "{code}");
        }
    }

    #[test]
    fn class_decides_the_kind() {
        let of = |class| Failure::of_class(class, anyhow::anyhow!("cause")).kind().clone();
        assert_eq!(of(ErrorClass::Environment), FailureKind::Environment);
        assert_eq!(of(ErrorClass::Throttled), FailureKind::Throttled { after: None });
        assert_eq!(of(ErrorClass::Unavailable), FailureKind::Unavailable { after: None });
        assert_eq!(of(ErrorClass::Transient), FailureKind::Retry { after: None });
        assert_eq!(of(ErrorClass::Invalid), FailureKind::Reject { reason: "cause".to_owned() });
    }

    #[test]
    fn wait_that_a_service_asks_for_is_read() {
        let asked = |given: &'static str, value: &'static str| {
            asked_wait(|name| (name == given).then_some(value)).map(|wait| wait.as_millis())
        };
        assert_eq!(asked("retry-after", "7"), Some(7000));
        assert_eq!(asked("x-amz-retry-after", "1500"), Some(1500));
        assert_eq!(asked("retry-after", "Fri, 07 Nov 2026 23:59:59 GMT"), None);
        assert_eq!(asked("date", "7"), None);
    }
}
