//! PURE. The SDK's errors as failures of a stream. The text is kept, because the service tells transient faults
//! by text.

use aws_sdk_bedrockruntime::{
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::invoke_model_with_bidirectional_stream::InvokeModelWithBidirectionalStreamError as OpenError,
    types::error::InvokeModelWithBidirectionalStreamOutputError as OutputError,
};

use crate::conversation::{FailureClass, StreamFailure};

/// Longest text kept of an error, in bytes.
const MESSAGE_BYTES_MAX: usize = 500;

/// Why a stream could not be opened.
pub(super) fn opening_failure<R: std::fmt::Debug>(error: &SdkError<OpenError, R>) -> StreamFailure
where
    SdkError<OpenError, R>: std::error::Error,
{
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
    failure(class, error.as_service_error().and_then(ProvideErrorMetadata::message), error)
}

/// Why an open stream failed.
pub(super) fn stream_failure<R: std::fmt::Debug>(error: &SdkError<OutputError, R>) -> StreamFailure
where
    SdkError<OutputError, R>: std::error::Error,
{
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
    failure(class, error.as_service_error().and_then(ProvideErrorMetadata::message), error)
}

/// Codes that the operation's model does not name.
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

fn failure(class: FailureClass, message: Option<&str>, error: impl std::error::Error) -> StreamFailure {
    let mut message = message.map_or_else(|| DisplayErrorContext(error).to_string(), str::to_owned);
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    StreamFailure::new(class, message)
}
