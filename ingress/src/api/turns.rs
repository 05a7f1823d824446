//! `POST /api/conversations/{id}/turns`: a learner says a whole turn by uploading a recording of it, WAV or MP3. The
//! turn is spoken into the live conversation; what comes of it arrives on the conversation's WebSocket.

use std::sync::Arc;

use axum::extract::{Request, State};
use events::contract::{ConversationId, UserId};
use http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    answer::Accepted,
    extract::Path,
    route::{Route, post},
};
use crate::{
    account::auth::Learner,
    api::problem::{ApiError, Code},
    app::AppState,
    live::session::UploadPermit,
    live::sonic::wire::BYTES_PER_MS,
    live::upload::{AudioFileError, format::Format},
};

/// A turn that is being spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spoken {
    /// Its length, in milliseconds.
    duration_ms: u64,
}

/// Uploaded turns.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/conversations/{id}/turns", "uploadTurn", upload)
            .says(
                "Say a whole turn",
                "WAV or MP3, at most 30 s and 12 MiB. The turn is spoken into the live conversation at the pace of time.",
            )
            .takes("audio/wav")
            .takes("audio/x-wav")
            .takes("audio/mpeg")
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

/// Takes a turn.
///
/// # Errors
/// 401; 404 for a conversation that is not the learner's; 409 for one that is not live on this task, or in which
/// another turn is being uploaded or spoken; 408, 413, 415 and 422 for a file that is not taken; 503 when too many
/// are being uploaded.
pub async fn upload(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(conversation_id): Path<ConversationId>,
    request: Request,
) -> Result<Accepted<Spoken>, ApiError> {
    let permit = acquire_permit(&app, conversation_id, &user_id).await?;
    let declared = content_type(request.headers())?;
    let pcm = app.intake.take(request.into_body(), declared).await?;
    let duration_ms = pcm.len() as u64 / BYTES_PER_MS;
    permit.play(pcm)?;
    tracing::info!(conversation.id = %conversation_id, duration_ms, "an uploaded turn is spoken");
    Ok(Accepted(Spoken { duration_ms }))
}

async fn acquire_permit(
    app: &AppState,
    id: ConversationId,
    user_id: &UserId,
) -> Result<UploadPermit, ApiError> {
    // A conversation whose socket has not come yet is in no journal.
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
