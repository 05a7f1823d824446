//! The failures of message handlers, classified where the error occurs.
//!
//! [`Failure`] has no `From` on purpose: a bare `?` does not compile in a handler, so every fallible line says whether
//! another attempt can help.

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

/// What the failure means for the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Another attempt may succeed, after `after` if the cause requested a wait.
    Retry {
        /// Shortest wait.
        after: Option<Duration>,
    },
    /// No attempt will succeed: the message goes to the dead-letter queue with `reason`.
    Reject {
        /// Reason for the operator who reads the dead-letter queue. Never words of a conversation.
        reason: String,
    },
    /// A newer build may understand the message: it returns to the queue for a while.
    Park,
    /// A dependency of the worker fails for every message: polling pauses.
    Environment,
    /// A service failed or was unreachable. While other messages succeed, this counts as a failure of the message,
    /// otherwise as [`FailureKind::Environment`]. The next attempt runs after `after` if the cause requested a wait.
    Unavailable {
        /// Shortest wait.
        after: Option<Duration>,
    },
    /// A service throttles the worker: fewer handlers run, and this one runs again, after `after` if the cause requested a
    /// wait.
    Throttled {
        /// Shortest wait.
        after: Option<Duration>,
    },
    /// The resource is in use, or the time for the work has not come: the handler runs again after `after`, not sooner and
    /// hardly later.
    Busy { after: Duration },
}

/// The class of a failed AWS call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Access, credentials, a key or a missing resource: the same call fails for every message.
    Environment,
    /// Too many calls at the moment.
    Throttled,
    /// The service, or the connection to it, fails at the moment.
    Unavailable,
    /// Another attempt may succeed: a conflict, a response of a model.
    Transient,
    Invalid,
}

impl Failure {
    /// Another attempt may succeed.
    pub fn retry(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Retry { after: None }, source: source.into() }
    }

    /// No attempt will succeed. `reason` appears in the dead-letter queue and in the log: it must not contain words of a
    /// conversation.
    pub fn reject(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { source: anyhow::anyhow!("{reason}"), kind: FailureKind::Reject { reason } }
    }

    /// A newer build may understand the message.
    pub fn park(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Park, source: source.into() }
    }

    /// A dependency of the worker fails for every message.
    pub fn environment(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Environment, source: source.into() }
    }

    /// A service failed or was unreachable, at least for this message.
    pub fn unavailable(source: impl Into<anyhow::Error>) -> Self {
        Self { kind: FailureKind::Unavailable { after: None }, source: source.into() }
    }

    /// A service throttles the worker and may request a wait.
    pub fn throttled(source: impl Into<anyhow::Error>, after: Option<Duration>) -> Self {
        Self { kind: FailureKind::Throttled { after }, source: source.into() }
    }

    /// The resource is in use, or the time for the work has not come. This is no failed attempt.
    pub fn busy(source: impl Into<anyhow::Error>, after: Duration) -> Self {
        Self { kind: FailureKind::Busy { after }, source: source.into() }
    }

    /// The failure of an AWS call, by [`classify`], with the wait requested by the service.
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
                error.raw_response().and_then(|response| requested_wait(|name| response.headers().get(name)));
        }
        failure
    }

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

    /// Adds a description of the failed operation.
    #[must_use]
    pub fn context(self, context: &'static str) -> Self {
        Self { source: self.source.context(context), ..self }
    }

    /// What the failure means for the message.
    #[must_use]
    pub fn kind(&self) -> &FailureKind {
        &self.kind
    }

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

/// The class of the failed call `error`. Unknown errors are [`ErrorClass::Transient`].
pub fn classify<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorClass {
    match error {
        SdkError::ServiceError(service) => {
            let class = classify_code(service.err().code().unwrap_or_default());
            let is_unavailable = class == ErrorClass::Transient && service.raw().status().is_server_error();
            if is_unavailable { ErrorClass::Unavailable } else { class }
        }
        SdkError::DispatchFailure(dispatch) => {
            dispatch.as_connector_error().map_or(ErrorClass::Environment, classify_connector)
        }
        SdkError::ConstructionFailure(_) => ErrorClass::Environment,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) | _ => ErrorClass::Unavailable,
    }
}

/// A failed call as an error of one line: code and message of the service, or the HTTP status, or the causes. Never the body
/// of a response, which may contain words of a learner.
pub fn describe<E>(error: &SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return anyhow::anyhow!("{code}: {message}");
    }
    if let Some(response) = error.raw_response() {
        return anyhow::anyhow!("{error}: the response has the status {}", response.status().as_u16());
    }
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    anyhow::anyhow!("{error}: {}", causes.join(": "))
}

/// Parts of error codes that apply to every message. The services use different spellings:
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

/// Parts of error codes of throttling. They are checked first: `KmsThrottled` and DynamoDB's `RequestLimitExceeded` match
/// other lists too.
const THROTTLE_CODES: &[&str] = &[
    "throttl",
    "toomanyrequests",
    "throughputexceeded",
    "requestlimitexceeded",
    "slowdown",
    "overlimit",
    "modelnotready",
];

/// Parts of error codes of a failing service.
const UNAVAILABLE_CODES: &[&str] =
    &["internalserver", "internalerror", "internalfailure", "internalexception", "serviceunavailable"];

/// Parts of error codes of an invalid request.
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

/// The wait requested by a service: `x-amz-retry-after` in milliseconds (the SDKs' retry specification), or
/// `retry-after` in seconds (RFC 9110, 10.2.3; its form with a date is not used by these services).
fn requested_wait<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Option<Duration> {
    let number = |name| header(name)?.trim().parse::<u64>().ok();
    let millis = number("x-amz-retry-after").map(Duration::from_millis);
    millis.or_else(|| number("retry-after").map(Duration::from_secs))
}

// The SDK reports unresolved credentials as a connector error without a kind.
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
            requested_wait(|name| (name == given).then_some(value)).map(|wait| wait.as_millis())
        };
        assert_eq!(asked("retry-after", "7"), Some(7000));
        assert_eq!(asked("x-amz-retry-after", "1500"), Some(1500));
        assert_eq!(asked("retry-after", "Fri, 07 Nov 2026 23:59:59 GMT"), None);
        assert_eq!(asked("date", "7"), None);
    }
}
