//! Errors of the API as `application/problem+json` (RFC 9457). An internal error is logged here, once; the response does not
//! contain it.
//!
//! A new error is a row in [`codes`] and [`ApiError::refused`] where it occurs, or a variant of [`ApiError`] if it carries more
//! than a text. Modules outside `api` have their own error types, which are converted here and in `account.rs`.

pub(crate) mod account;
pub mod codes;
pub mod rule;

pub use codes::Code;
pub use rule::{Limit, Reason, Rule, Unit};

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::{middleware::BODY_BYTES_MAX, role::Role};
use crate::{
    account::{auth::TokenError, profile::ProfileError, user_pool::password},
    coordination::RateLimitError,
    live::admission::AdmissionError,
    live::session::TurnUploadError,
    live::ticket::TicketError,
    live::upload::{AudioFileError, CHANNELS_MAX, FILE_BYTES_MAX, RATES_HZ, TURN_MS_MAX},
};

/// `Retry-After` of a response with status 503, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 10;

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request does not conform to the API.
    #[error("{0}")]
    Invalid(String),
    #[error("{field}: {message}")]
    Query {
        /// The name of the parameter.
        field: String,
        /// What is wrong and what is allowed.
        message: String,
        rule: Rule,
    },
    #[error("{field}: {message}")]
    Unprocessable {
        /// The path to the field, as `interests[2]`.
        field: String,
        /// What is wrong and what is allowed.
        message: String,
        rule: Rule,
    },
    #[error(transparent)]
    Unauthorized(#[from] TokenError),
    #[error("the role {} is required", .0.name())]
    Forbidden(Role),
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// The resource does not exist, or belongs to another learner.
    #[error("the {0} does not exist")]
    NotFound(&'static str),
    #[error("the endpoint does not support this method")]
    Method,
    /// No slot is free, or the learner is in another conversation.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The conversation accepts no uploaded turn.
    #[error(transparent)]
    TurnUpload(#[from] TurnUploadError),
    #[error(transparent)]
    Upload(#[from] AudioFileError),
    #[error("too many attempts; try again in {} s", seconds(*.after))]
    TooManyRequests {
        /// Time until the next attempt is allowed.
        after: Duration,
    },
    #[error("you have talked as long as one day allows; try again in {} s", seconds(*.after))]
    DayUsedUp {
        /// Time until the next conversation is allowed.
        after: Duration,
    },
    /// Any other error of the caller.
    #[error("{detail}")]
    Refused {
        code: Code,
        /// What is wrong and what is allowed.
        detail: String,
    },
    #[error("the response took too long")]
    Timeout,
    #[error("an internal error occurred")]
    Internal(#[source] anyhow::Error),
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Always `about:blank`; `code` identifies the problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the HTTP status.
    title: &'static str,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong and what is allowed, for people.
    detail: String,
    /// The code of the problem, for programs.
    code: Code,
    /// The id of the request, which is in the log.
    request_id: String,
    /// The invalid field or parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Why the field or parameter is invalid, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// The limit that is exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// The allowed values, where these are few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    allowed: Vec<String>,
    /// Seconds until the request can be repeated, as `Retry-After` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    /// The required role.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The conversation in which the learner is.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
}

tokio::task_local! {
    /// The id of the current request.
    pub static REQUEST_ID: String;
}

impl ApiError {
    #[must_use]
    pub fn refused(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused { code, detail: detail.into() }
    }

    /// An invalid field of the body.
    #[must_use]
    pub fn field(field: impl Into<String>, rule: impl Into<Rule>, message: impl Into<String>) -> Self {
        Self::Unprocessable { field: field.into(), message: message.into(), rule: rule.into() }
    }

    /// An invalid query parameter.
    #[must_use]
    pub fn query(field: impl Into<String>, rule: impl Into<Rule>, message: impl Into<String>) -> Self {
        Self::Query { field: field.into(), message: message.into(), rule: rule.into() }
    }

    /// The code that programs branch on.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidRequest,
            Self::Query { .. } => Code::QueryInvalid,
            Self::Unprocessable { .. } => Code::FieldInvalid,
            Self::Unauthorized(TokenError::Missing) => Code::TokenMissing,
            Self::Unauthorized(TokenError::Expired) => Code::TokenExpired,
            Self::Unauthorized(TokenError::Invalid(_)) => Code::TokenInvalid,
            Self::Forbidden(_) => Code::RoleMissing,
            Self::Ticket(TicketError::Invalid) => Code::TicketInvalid,
            Self::Ticket(TicketError::Used) => Code::TicketUsed,
            Self::NotFound(_) => Code::NotFound,
            Self::Method => Code::MethodNotAllowed,
            Self::Admission(AdmissionError::InConversation(_)) => Code::ConversationInProgress,
            Self::Admission(AdmissionError::Full | AdmissionError::Throttled) => Code::Busy,
            Self::Admission(AdmissionError::Stopping) => Code::Stopping,
            Self::TurnUpload(TurnUploadError::NotLive) => Code::ConversationNotLive,
            Self::TurnUpload(TurnUploadError::InProgress) => Code::TurnInProgress,
            Self::Upload(refusal) => upload_code(refusal),
            Self::TooManyRequests { .. } => Code::TooManyRequests,
            Self::DayUsedUp { .. } => Code::ConversationQuotaReached,
            Self::Refused { code, .. } => *code,
            Self::Timeout => Code::Timeout,
            Self::Internal(_) => Code::InternalError,
        }
    }

    /// The limit that the request exceeds.
    fn limit(&self) -> Option<Limit> {
        if let Self::Query { rule, .. } | Self::Unprocessable { rule, .. } = self {
            return rule.limit;
        }
        let limits = [
            (Code::FileTooLarge, Limit::at_most(FILE_BYTES_MAX, Unit::Bytes)),
            (Code::TurnTooLong, Limit::at_most(TURN_MS_MAX, Unit::Milliseconds)),
            (Code::ChannelsUnsupported, Limit::between(1_u64, CHANNELS_MAX, Unit::Channels)),
            (Code::BodyTooLarge, Limit::at_most(BODY_BYTES_MAX, Unit::Bytes)),
            (Code::PasswordWeak, Limit::between(password::CHARS_MIN, password::CHARS_MAX, Unit::Characters)),
        ];
        limits.into_iter().find(|(code, _)| *code == self.code()).map(|(_, limit)| limit)
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        if let Self::TooManyRequests { after } | Self::DayUsedUp { after } = self {
            return Some(seconds(*after));
        }
        let is_unavailable = self.code().status() == StatusCode::SERVICE_UNAVAILABLE;
        is_unavailable.then_some(u64::from(RETRY_AFTER_SECONDS))
    }

    fn problem(&self, status: StatusCode) -> Problem {
        let mut problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
            field: None,
            reason: None,
            limit: self.limit(),
            allowed: Vec::new(),
            retry_after_seconds: self.retry_after_seconds(),
            role: None,
            conversation_id: None,
        };
        if let Self::Admission(AdmissionError::InConversation(id)) = self {
            problem.conversation_id = Some(id.to_string());
        }
        if let Self::Query { field, rule, .. } | Self::Unprocessable { field, rule, .. } = self {
            problem.field = Some(field.clone());
            problem.reason = Some(rule.reason);
            problem.allowed.clone_from(&rule.allowed);
        }
        if let Self::Upload(AudioFileError::Rate(_)) = self {
            problem.allowed = RATES_HZ.map(|rate_hz| rate_hz.to_string()).to_vec();
        }
        if let Self::Forbidden(role) = self {
            problem.role = Some(role.name());
        }
        if let Self::Internal(source) = self {
            let id = &problem.request_id;
            tracing::error!(request.id = id, error = format!("{source:#}"), "the request failed");
        }
        problem
    }
}

impl From<ProfileError> for ApiError {
    fn from(error: ProfileError) -> Self {
        Self::field(error.field, Reason::Malformed, error.allowed)
    }
}

impl From<RateLimitError> for ApiError {
    fn from(error: RateLimitError) -> Self {
        match error {
            RateLimitError::Exceeded { after } => Self::TooManyRequests { after },
            RateLimitError::Failed(error) => Self::Internal(error.into()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code().status();
        let mut response = (status, Json(self.problem(status))).into_response();
        // The access log tells security events by it.
        response.extensions_mut().insert(self.code());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn upload_code(refusal: &AudioFileError) -> Code {
    match refusal {
        AudioFileError::NotAudio => Code::ContentUnsupported,
        AudioFileError::TooLarge => Code::FileTooLarge,
        AudioFileError::TooLong => Code::TurnTooLong,
        AudioFileError::Empty => Code::AudioEmpty,
        AudioFileError::InProgress => Code::TurnInProgress,
        AudioFileError::Broken
        | AudioFileError::TooComplex
        | AudioFileError::FrameLength { .. }
        | AudioFileError::ValidBits { .. }
        | AudioFileError::RepeatedChunk(_) => Code::AudioBroken,
        AudioFileError::Encoding => Code::EncodingUnsupported,
        AudioFileError::Channels(_) => Code::ChannelsUnsupported,
        AudioFileError::Rate(_) => Code::SampleRateUnsupported,
        AudioFileError::TooSlow => Code::UploadTooSlow,
        AudioFileError::Busy => Code::Busy,
    }
}

/// Whole seconds, rounded up and at least one, so that the wait is over after them.
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
        let wrong =
            body(ApiError::field("interests[2]", Reason::Missing, "it is empty").into_response()).await;
        assert_eq!((&wrong["field"], &wrong["status"]), (&"interests[2]".into(), &422.into()));
        assert_eq!(wrong["detail"], "interests[2]: it is empty");
        assert_eq!(wrong["reason"], "missing");
        let limit = Limit::between(1_u64, 100_u64, Unit::Items);
        let wrong = body(ApiError::query("limit", limit, "1 to 100").into_response()).await;
        assert_eq!((&wrong["field"], &wrong["code"]), (&"limit".into(), &"query_invalid".into()));
        assert_eq!(wrong["limit"], serde_json::json!({ "min": 1, "max": 100, "unit": "items" }));
        let choice = ApiError::field("voice", Rule::one_of(["amy", "kiara"]), "amy or kiara");
        let choice = body(choice.into_response()).await;
        assert_eq!((&choice["reason"], &choice["allowed"][1]), (&"not_allowed".into(), &"kiara".into()));
        for code in [Code::FileTooLarge, Code::TurnTooLong, Code::ChannelsUnsupported, Code::PasswordWeak] {
            let refused = body(ApiError::refused(code, "").into_response()).await;
            assert!(refused["limit"]["max"].as_u64().is_some(), "{refused}");
        }
        let lacking = body(ApiError::Forbidden(Role::Analyst).into_response()).await;
        assert_eq!((&lacking["role"], &lacking["status"]), (&"analyst".into(), &403.into()));
        for (wait_ms, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_500, "60")] {
            let after = Duration::from_millis(wait_ms);
            let response = ApiError::TooManyRequests { after }.into_response();
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
            assert_eq!(body(response).await["retryAfterSeconds"].to_string(), seconds);
        }
    }

    #[tokio::test]
    async fn what_went_wrong_on_our_side_is_not_told() {
        let error = ApiError::Internal(anyhow::anyhow!("secret host name"));
        let body = body(error.into_response()).await;
        assert!(!body.to_string().contains("secret"));
    }
}
