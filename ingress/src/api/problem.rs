//! Errors of the API as `application/problem+json` (RFC 9457). An error of ours is logged here, once; the caller
//! learns only that there was one.
//!
//! A new kind of refusal is a row in [`codes`] and [`ApiError::refused`] where it happens, or a variant of
//! [`ApiError`] where it carries more than a text.

pub mod codes;

pub use codes::Code;

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    account::auth::Unauthorized, api::route::Role, live::admission::AdmissionError,
    live::session::TurnUploadError, live::ticket::TicketError, live::upload::AudioFileError,
};

/// When a caller who found no free slot may come back, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 10;

/// The media type of an error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is not one of the API.
    #[error("{0}")]
    Invalid(String),
    /// A parameter of the query is wrong.
    #[error("{field}: {message}")]
    Query {
        /// The parameter.
        field: String,
        /// What is wrong with it and what is allowed.
        message: String,
    },
    /// A field of the body is wrong.
    #[error("{field}: {message}")]
    Unprocessable {
        /// The path to the field, as `interests[2]`.
        field: String,
        /// What is wrong with it and what is allowed.
        message: String,
    },
    /// The access token is missing or not good.
    #[error(transparent)]
    Unauthorized(#[from] Unauthorized),
    /// The caller lacks a role.
    #[error("the role {} is needed", .0.name())]
    Forbidden(Role),
    /// The ticket is not good.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// There is nothing of that name, or not for this learner.
    #[error("there is no {0} of that name")]
    NotFound(&'static str),
    /// The address has other methods.
    #[error("the address does not have this method")]
    Method,
    /// No slot is free, or the learner is in another conversation.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// No turn can be uploaded to the conversation.
    #[error(transparent)]
    TurnUpload(#[from] TurnUploadError),
    /// The uploaded turn is not taken.
    #[error(transparent)]
    Upload(#[from] AudioFileError),
    /// The caller tries too often.
    #[error("too many attempts; try again in {} s", seconds(*.after))]
    TooManyRequests {
        /// When another attempt is taken.
        after: Duration,
    },
    /// Any other refusal.
    #[error("{detail}")]
    Refused {
        /// What is wrong, for programs.
        code: Code,
        /// What is wrong and what is allowed.
        detail: String,
    },
    /// The answer took too long.
    #[error("the answer took too long")]
    Timeout,
    /// An error of ours.
    #[error("something went wrong on our side")]
    Internal(#[source] anyhow::Error),
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Always `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong, and where it helps, what is allowed: for people.
    detail: String,
    /// What is wrong: for programs.
    code: &'static str,
    /// The id of the request, which stands in the log.
    request_id: String,
    /// The field or parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The role that is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The conversation that the learner is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
}

tokio::task_local! {
    /// The id of the request that is being answered.
    pub static REQUEST_ID: String;
}

impl ApiError {
    /// A refusal with a code.
    #[must_use]
    pub fn refused(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused { code, detail: detail.into() }
    }

    /// A field of the body that is wrong.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unprocessable { field: field.into(), message: message.into() }
    }

    /// A parameter of the query that is wrong.
    #[must_use]
    pub fn query(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Query { field: field.into(), message: message.into() }
    }

    /// The code that programs branch on.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidRequest,
            Self::Query { .. } => Code::QueryInvalid,
            Self::Unprocessable { .. } => Code::FieldInvalid,
            Self::Unauthorized(Unauthorized::KeysUnavailable) => Code::KeysUnavailable,
            Self::Unauthorized(Unauthorized::Missing) => Code::TokenMissing,
            Self::Unauthorized(Unauthorized::Expired) => Code::TokenExpired,
            Self::Unauthorized(Unauthorized::Invalid(_)) => Code::TokenInvalid,
            Self::Forbidden(_) => Code::RoleMissing,
            Self::Ticket(TicketError::Invalid) => Code::TicketInvalid,
            Self::Ticket(TicketError::Used) => Code::TicketUsed,
            Self::NotFound(_) => Code::NotFound,
            Self::Method => Code::MethodNotAllowed,
            Self::Admission(AdmissionError::InConversation(_)) => Code::ConversationInProgress,
            Self::Admission(AdmissionError::Full) => Code::Busy,
            Self::Admission(AdmissionError::Stopping) => Code::Stopping,
            Self::TurnUpload(TurnUploadError::NotLive) => Code::ConversationNotLive,
            Self::TurnUpload(TurnUploadError::InProgress) => Code::TurnInProgress,
            Self::Upload(refusal) => upload_code(refusal),
            Self::TooManyRequests { .. } => Code::TooManyRequests,
            Self::Refused { code, .. } => *code,
            Self::Timeout => Code::Timeout,
            Self::Internal(_) => Code::InternalError,
        }
    }

    fn problem(&self, status: StatusCode) -> Problem {
        let mut problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code().name(),
            request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
            field: None,
            role: None,
            conversation_id: None,
        };
        match self {
            Self::Admission(AdmissionError::InConversation(id)) => {
                problem.conversation_id = Some(id.to_string());
            }
            Self::Query { field, .. } | Self::Unprocessable { field, .. } => {
                problem.field = Some(field.clone());
            }
            Self::Forbidden(role) => problem.role = Some(role.name()),
            Self::Internal(source) => {
                let id = &problem.request_id;
                tracing::error!(request.id = id, error = format!("{source:#}"), "the request failed");
            }
            Self::Invalid(_)
            | Self::Unauthorized(_)
            | Self::Ticket(_)
            | Self::NotFound(_)
            | Self::Method
            | Self::TurnUpload(_)
            | Self::Upload(_)
            | Self::TooManyRequests { .. }
            | Self::Refused { .. }
            | Self::Timeout
            | Self::Admission(AdmissionError::Full | AdmissionError::Stopping) => {}
        }
        problem
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code().status();
        let mut response = (status, Json(self.problem(status))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if let Self::TooManyRequests { after } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(after)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn upload_code(refusal: &AudioFileError) -> Code {
    match refusal {
        AudioFileError::ContentType => Code::ContentTypeUnsupported,
        AudioFileError::NotAudio => Code::ContentUnsupported,
        AudioFileError::OtherContent { .. } => Code::ContentTypeWrong,
        AudioFileError::TooLarge => Code::FileTooLarge,
        AudioFileError::TooLong => Code::TurnTooLong,
        AudioFileError::Empty => Code::AudioEmpty,
        AudioFileError::Broken => Code::AudioBroken,
        AudioFileError::Encoding => Code::EncodingUnsupported,
        AudioFileError::Channels(_) => Code::ChannelsUnsupported,
        AudioFileError::Rate(_) => Code::SampleRateUnsupported,
        AudioFileError::TooSlow => Code::UploadTooSlow,
        AudioFileError::Busy => Code::Busy,
    }
}

/// Whole seconds, at least one: whoever waits them finds the time passed.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> serde_json::Value {
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn an_error_is_a_problem_document_with_the_request_id() {
        let error = ApiError::Admission(AdmissionError::Full);
        let response = REQUEST_ID.scope("r-1".to_owned(), async { error.into_response() }).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "10");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = body(response).await;
        assert_eq!(body["code"], "busy");
        assert_eq!(body["requestId"], "r-1");
        assert_eq!(body["status"], 503);
    }

    #[tokio::test]
    async fn a_turn_that_is_not_taken_is_told_why() {
        let answer = async |refusal: AudioFileError| {
            let response = ApiError::from(refusal).into_response();
            let body = body(response).await;
            (body["status"].as_u64().unwrap(), body["code"].clone(), body["detail"].clone())
        };
        let (status, code, detail) = answer(AudioFileError::Rate(44_101)).await;
        assert_eq!((status, &code), (422, &"sample_rate_unsupported".into()));
        assert!(detail.as_str().unwrap().contains("44100"));
        assert_eq!(answer(AudioFileError::TooLarge).await.0, 413);
        assert_eq!(answer(AudioFileError::NotAudio).await.0, 415);
        assert_eq!(answer(AudioFileError::Busy).await.0, 503);
    }

    #[tokio::test]
    async fn an_error_names_the_field_the_role_or_the_time() {
        let wrong = body(ApiError::field("interests[2]", "it is empty").into_response()).await;
        assert_eq!((&wrong["field"], &wrong["status"]), (&"interests[2]".into(), &422.into()));
        assert_eq!(wrong["detail"], "interests[2]: it is empty");
        let wrong = body(ApiError::query("limit", "1 to 100").into_response()).await;
        assert_eq!((&wrong["field"], &wrong["code"]), (&"limit".into(), &"query_invalid".into()));
        let lacking = body(ApiError::Forbidden(Role::Analyst).into_response()).await;
        assert_eq!((&lacking["role"], &lacking["status"]), (&"analyst".into(), &403.into()));
        for (wait_ms, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_500, "60")] {
            let after = Duration::from_millis(wait_ms);
            let response = ApiError::TooManyRequests { after }.into_response();
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[tokio::test]
    async fn what_went_wrong_on_our_side_is_not_told() {
        let error = ApiError::Internal(anyhow::anyhow!("secret host name"));
        let body = body(error.into_response()).await;
        assert!(!body.to_string().contains("secret"));
    }
}
