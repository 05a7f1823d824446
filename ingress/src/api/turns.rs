//! `POST /api/conversations/{id}/turns`: uploads a recording, WAV or MP3, as a whole turn of the learner. The turn is streamed
//! into the live conversation; the results arrive on its WebSocket.

use std::sync::Arc;

use axum::extract::{Request, State};
use events::contract::{ConversationId, UserId, live::BYTES_PER_MS};
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
    live::{session::UploadPermit, upload::Decoding},
    quota::DECODING_MS,
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
                "A recording, WAV or MP3, of at most 30 s and 12 MiB; the padding of an MP3 encoder does not count. The content \
                 decides which format it is: the Content-Type may be missing. It is streamed into the live conversation in real \
                 time.",
            )
            .accepts("audio/wav")
            .accepts("audio/x-wav")
            .accepts("audio/wave")
            .accepts("audio/vnd.wave")
            .accepts("audio/mpeg")
            .accepts("audio/mp3")
            .problems(&[
                Code::ConversationNotLive,
                Code::TurnInProgress,
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
                Code::TooManyRequests,
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
    DECODING_MS.spend(&app.coordination, &user_id, 0).await?;
    let Decoding { pcm, took } = app.intake.take(&user_id, request.into_body()).await;
    let took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    // What goes beyond the quota refuses the next turn, not this one.
    let _ = DECODING_MS.spend(&app.coordination, &user_id, took_ms).await;
    let pcm = pcm?;
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
