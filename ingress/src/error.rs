//! Errors of the API as `application/problem+json` (RFC 9457). An error of ours is logged here, once; the caller
//! learns only that there was one.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{admission::NoSeat, auth::Unauthorized, session::NoTurn, ticket::Refused, upload::Refusal};

/// When a caller who found no seat may come back, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 10;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is not one of the API.
    #[error("{0}")]
    Invalid(String),
    /// The access token is missing or not good.
    #[error(transparent)]
    Unauthorized(#[from] Unauthorized),
    /// The ticket is not good.
    #[error(transparent)]
    Ticket(#[from] Refused),
    /// There is nothing of that name, or not for this learner.
    #[error("there is no {0} of that name")]
    NotFound(&'static str),
    /// There is no seat.
    #[error(transparent)]
    NoSeat(#[from] NoSeat),
    /// No turn can be uploaded to the conversation.
    #[error(transparent)]
    NoTurn(#[from] NoTurn),
    /// The uploaded turn is not taken.
    #[error(transparent)]
    Upload(#[from] Refusal),
    /// An error of ours.
    #[error("something went wrong on our side")]
    Internal(#[source] anyhow::Error),
}

/// The body of an error.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
}

tokio::task_local! {
    /// The id of the request that is being answered.
    pub static REQUEST_ID: String;
}

impl ApiError {
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unauthorized(Unauthorized::KeysUnavailable) => {
                (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable")
            }
            Self::Unauthorized(Unauthorized::Missing) => (StatusCode::UNAUTHORIZED, "token_missing"),
            Self::Unauthorized(Unauthorized::Expired) => (StatusCode::UNAUTHORIZED, "token_expired"),
            Self::Unauthorized(Unauthorized::Invalid(_)) => (StatusCode::UNAUTHORIZED, "token_invalid"),
            Self::Ticket(Refused::Invalid) => (StatusCode::UNAUTHORIZED, "ticket_invalid"),
            Self::Ticket(Refused::Used) => (StatusCode::UNAUTHORIZED, "ticket_used"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::NoSeat(NoSeat::InConversation(_)) => (StatusCode::CONFLICT, "conversation_in_progress"),
            Self::NoSeat(NoSeat::Full) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::NoSeat(NoSeat::Stopping) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            Self::NoTurn(NoTurn::NotLive) => (StatusCode::CONFLICT, "conversation_not_live"),
            Self::NoTurn(NoTurn::InProgress) => (StatusCode::CONFLICT, "turn_in_progress"),
            Self::Upload(refusal) => upload_status(refusal),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        }
    }
}

fn upload_status(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_unsupported"),
        Refusal::NotAudio => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_unsupported"),
        Refusal::OtherContent { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_wrong"),
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "file_too_large"),
        Refusal::TooLong => (StatusCode::UNPROCESSABLE_ENTITY, "turn_too_long"),
        Refusal::Empty => (StatusCode::UNPROCESSABLE_ENTITY, "audio_empty"),
        Refusal::Broken => (StatusCode::UNPROCESSABLE_ENTITY, "audio_broken"),
        Refusal::Encoding => (StatusCode::UNPROCESSABLE_ENTITY, "encoding_unsupported"),
        Refusal::Channels(_) => (StatusCode::UNPROCESSABLE_ENTITY, "channels_unsupported"),
        Refusal::Rate(_) => (StatusCode::UNPROCESSABLE_ENTITY, "sample_rate_unsupported"),
        Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, "upload_too_slow"),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let request_id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        let conversation_id = match &self {
            Self::NoSeat(NoSeat::InConversation(id)) => Some(id.to_string()),
            Self::Internal(source) => {
                tracing::error!(request.id = request_id, error = format!("{source:#}"), "the request failed");
                None
            }
            Self::Invalid(_)
            | Self::Unauthorized(_)
            | Self::Ticket(_)
            | Self::NotFound(_)
            | Self::NoTurn(_)
            | Self::Upload(_)
            | Self::NoSeat(NoSeat::Full | NoSeat::Stopping) => None,
        };
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.to_string(),
            code,
            request_id,
            conversation_id,
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
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
        let error = ApiError::NoSeat(NoSeat::Full);
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
        let answer = async |refusal: Refusal| {
            let response = ApiError::from(refusal).into_response();
            let body = body(response).await;
            (body["status"].as_u64().unwrap(), body["code"].clone(), body["detail"].clone())
        };
        let (status, code, detail) = answer(Refusal::Rate(44_101)).await;
        assert_eq!((status, &code), (422, &"sample_rate_unsupported".into()));
        assert!(detail.as_str().unwrap().contains("44100"));
        assert_eq!(answer(Refusal::TooLarge).await.0, 413);
        assert_eq!(answer(Refusal::NotAudio).await.0, 415);
        assert_eq!(answer(Refusal::Busy).await.0, 503);
    }

    #[tokio::test]
    async fn what_went_wrong_on_our_side_is_not_told() {
        let error = ApiError::Internal(anyhow::anyhow!("secret host name"));
        let body = body(error.into_response()).await;
        assert!(!body.to_string().contains("secret"));
    }
}
