//! `POST /api/conversations/{id}/turns`: uploads a recording, WAV or MP3, as a whole turn of the learner. The turn is streamed
//! into the live conversation; the results arrive on its WebSocket.

use std::sync::Arc;

use axum::extract::{Request, State};
use events::contract::{ConversationId, UserId, live::BYTES_PER_MS};
use http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    caller::Learner,
    extract::Path,
    problem::{ApiError, Code},
    response::Accepted,
    route::{Route, post},
};
use crate::{
    app::AppState,
    live::session::UploadPermit,
    live::upload::{AudioFileError, format::Format},
};

/// An accepted turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedTurn {
    /// Duration of the turn, in milliseconds.
    duration_ms: u64,
}

/// Uploaded turns.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/conversations/{id}/turns", "uploadTurn", upload)
            .summary(
                "Upload a turn",
                "A recording, WAV or MP3, of at most 30 s and 12 MiB. It is streamed into the live conversation in real time.",
            )
            .accepts("audio/wav")
            .accepts("audio/x-wav")
            .accepts("audio/mpeg")
            .problems(&[
                Code::ConversationNotLive,
                Code::TurnInProgress,
                Code::ContentTypeUnsupported,
                Code::ContentTypeWrong,
                Code::ContentUnsupported,
                Code::FileTooLarge,
                Code::UploadTooSlow,
                Code::AudioBroken,
                Code::AudioEmpty,
                Code::ChannelsUnsupported,
                Code::EncodingUnsupported,
                Code::SampleRateUnsupported,
                Code::TurnTooLong,
                Code::Busy,
            ]),
    ]
}

async fn upload(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(conversation_id): Path<ConversationId>,
    request: Request,
) -> Result<Accepted<UploadedTurn>, ApiError> {
    let permit = acquire_permit(&app, conversation_id, &user_id).await?;
    let declared = content_type(request.headers())?;
    let pcm = app.intake.take(request.into_body(), declared).await?;
    let duration_ms = pcm.len() as u64 / BYTES_PER_MS;
    permit.play(pcm)?;
    tracing::info!(conversation.id = %conversation_id, duration_ms, "accepted an uploaded turn");
    Ok(Accepted(UploadedTurn { duration_ms }))
}

async fn acquire_permit(
    app: &AppState,
    id: ConversationId,
    user_id: &UserId,
) -> Result<UploadPermit, ApiError> {
    // A conversation whose WebSocket is not open yet is not in the journal.
    if !app.admission_control.holds(user_id, id) {
        let learner = app.sessions.learner(id).await.map_err(|error| ApiError::Internal(error.into()))?;
        if learner.as_ref() != Some(user_id) {
            return Err(ApiError::NotFound("conversation"));
        }
    }
    Ok(app.sessions.permit_upload(id)?)
}

fn content_type(headers: &HeaderMap) -> Result<Format, AudioFileError> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(Format::of_content_type).ok_or(AudioFileError::ContentType)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_content_type_is_required() {
        let mut headers = HeaderMap::new();
        assert_eq!(content_type(&headers), Err(AudioFileError::ContentType));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/ogg"));
        assert_eq!(content_type(&headers), Err(AudioFileError::ContentType));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/mpeg"));
        assert_eq!(content_type(&headers), Ok(Format::Mp3));
    }
}
