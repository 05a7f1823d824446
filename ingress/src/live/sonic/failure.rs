//! Maps the SDK's errors to [`StreamError`]. The service's text is kept, because some transient faults differ from
//! others only by text. A raw response is not kept, because it may quote the conversation.

use aws_sdk_bedrockruntime::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        RequestId as _,
        invoke_model_with_bidirectional_stream::InvokeModelWithBidirectionalStreamError as OpenError,
    },
    types::error::InvokeModelWithBidirectionalStreamOutputError as OutputError,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::ConnectorError};

use crate::live::conversation::{FailureClass, StreamError};

/// The input queue of the stream is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream accepts no more input")]
pub struct StalledError;

/// Longest error text, in bytes.
const MESSAGE_BYTES_MAX: usize = 500;

/// Longest chain of causes in an error text.
const CAUSES_MAX: usize = 8;

/// Why a stream could not be opened.
pub(super) fn opening_error(error: &SdkError<OpenError, HttpResponse>) -> StreamError {
    let class = match error.as_service_error() {
        Some(OpenError::AccessDeniedException(_)) => FailureClass::AccessDenied,
        Some(OpenError::ValidationException(_)) => FailureClass::Validation,
        Some(OpenError::ModelTimeoutException(_)) => FailureClass::ModelTimeout,
        Some(OpenError::ModelErrorException(_) | OpenError::ModelStreamErrorException(_)) => {
            FailureClass::Model
        }
        Some(OpenError::ThrottlingException(_) | OpenError::ServiceQuotaExceededException(_)) => {
            FailureClass::Throttled
        }
        Some(OpenError::ResourceNotFoundException(_)) => FailureClass::NotFound,
        Some(
            OpenError::InternalServerException(_)
            | OpenError::ModelNotReadyException(_)
            | OpenError::ServiceUnavailableException(_),
        ) => FailureClass::Unavailable,
        Some(other) => class_of_code(other.code()),
        None => FailureClass::Transport,
    };
    let mapped = stream_error(class, error);
    StreamError { request_id: error.request_id().map(str::to_owned), ..mapped }
}

/// Why an open stream failed. `request_id` is that of its response.
pub(super) fn read_error<R: std::fmt::Debug>(
    error: &SdkError<OutputError, R>,
    request_id: Option<String>,
) -> StreamError {
    let class = match error.as_service_error() {
        Some(OutputError::ValidationException(_)) => FailureClass::Validation,
        Some(OutputError::ModelTimeoutException(_)) => FailureClass::ModelTimeout,
        Some(OutputError::ModelStreamErrorException(_)) => FailureClass::Model,
        Some(OutputError::ThrottlingException(_)) => FailureClass::Throttled,
        Some(OutputError::InternalServerException(_) | OutputError::ServiceUnavailableException(_)) => {
            FailureClass::Unavailable
        }
        Some(other) => class_of_code(other.code()),
        None => FailureClass::Transport,
    };
    StreamError { request_id, ..stream_error(class, error) }
}

/// The class of an error code that the SDK has no type for.
fn class_of_code(code: Option<&str>) -> FailureClass {
    match code {
        Some(
            "InvalidSignatureException"
            | "UnrecognizedClientException"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken",
        ) => FailureClass::AccessDenied,
        Some(_) | None => FailureClass::Unavailable,
    }
}

fn stream_error<E: ProvideErrorMetadata, R>(class: FailureClass, error: &SdkError<E, R>) -> StreamError {
    let (mut message, code) = match error {
        SdkError::ServiceError(error) => {
            let error = error.err();
            let message = error.message().unwrap_or("the service gave no reason").to_owned();
            (message, error.code().map(str::to_owned))
        }
        SdkError::DispatchFailure(failure) => {
            (failure.as_connector_error().map_or_else(String::new, causes), None)
        }
        SdkError::TimeoutError(_) => ("the call took too long".to_owned(), None),
        SdkError::ConstructionFailure(_) => ("the call could not be made".to_owned(), None),
        // Its causes may quote the response.
        SdkError::ResponseError(_) => ("the response could not be read".to_owned(), None),
        _ => ("the call failed".to_owned(), None),
    };
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    StreamError { code, ..StreamError::new(class, message) }
}

/// A connection error with its causes. They cannot quote a response, because none has arrived.
fn causes(error: &ConnectorError) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source()).take(CAUSES_MAX);
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use aws_sdk_bedrockruntime::types::error::{AccessDeniedException, ValidationException};
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    const SAID: &str = "I live in Busan";

    fn response(status: u16) -> HttpResponse {
        let mut response = Response::new(
            StatusCode::try_from(status).unwrap(),
            SdkBody::from(format!("{{\"heard\":\"{SAID}\"}}")),
        );
        response.headers_mut().insert("x-amzn-requestid", "r-1");
        response
    }

    fn invalid(message: &str) -> OpenError {
        let meta = ErrorMetadata::builder().code("ValidationException").message(message).build();
        OpenError::ValidationException(ValidationException::builder().message(message).meta(meta).build())
    }

    /// The log fields of an error.
    fn logged(failure: &StreamError) -> String {
        format!("{:?} {:?} {:?} {}", failure.class, failure.code, failure.request_id, failure.for_the_log())
    }

    #[test]
    fn a_refusal_is_logged_with_its_code_and_request_id() {
        let meta = ErrorMetadata::builder().code("AccessDeniedException").message("no role").build();
        let denied = AccessDeniedException::builder().message("no role").meta(meta).build();
        let failure =
            opening_error(&SdkError::service_error(OpenError::AccessDeniedException(denied), response(403)));
        assert_eq!(failure.class, FailureClass::AccessDenied);
        assert_eq!(logged(&failure), r#"AccessDenied Some("AccessDeniedException") Some("r-1") no role"#);
    }

    #[test]
    fn what_may_quote_the_learner_is_not_logged() {
        let quoting = format!("invalid input: \"{SAID}\"");
        let failure = opening_error(&SdkError::service_error(invalid(&quoting), response(400)));
        assert_eq!(failure.message, quoting, "the text decides what follows");
        assert!(!logged(&failure).contains(SAID), "{}", logged(&failure));

        let unreadable: SdkError<OpenError, _> = SdkError::response_error(quoting.clone(), response(200));
        let failure = opening_error(&unreadable);
        assert_eq!(failure.class, FailureClass::Transport);
        assert_eq!(logged(&failure), r#"Transport None Some("r-1") the response could not be read"#);

        let in_stream: SdkError<OutputError, String> = SdkError::response_error(quoting, SAID.to_owned());
        let failure = read_error(&in_stream, Some("r-2".to_owned()));
        assert_eq!(logged(&failure), r#"Transport None Some("r-2") the response could not be read"#);
    }

    #[test]
    fn a_broken_connection_names_its_causes() {
        let reset = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset by peer");
        let error: SdkError<OpenError, _> = SdkError::dispatch_failure(ConnectorError::io(reset.into()));
        let failure = opening_error(&error);
        assert_eq!(failure.class, FailureClass::Transport);
        assert!(logged(&failure).contains("reset by peer"), "{}", logged(&failure));
    }

    #[test]
    fn long_texts_are_cut() {
        let long = invalid(&"가".repeat(MESSAGE_BYTES_MAX));
        let failure = opening_error(&SdkError::service_error(long, response(400)));
        assert!(failure.message.len() <= MESSAGE_BYTES_MAX && failure.message.starts_with('가'));
    }
}
