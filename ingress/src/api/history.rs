//! Conversations that a learner has held: the list, one with its way through the pipeline, its transcript, the recording of
//! a turn, its assessment; and its deletion. Somebody else's conversation is answered like one that there is not.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use events::{
    contract::{ConversationId, Level, UserId},
    journal::Header,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    accept::Accept,
    answer::NoContent,
    cache::{Cached, Freshness, IfNoneMatch},
    extract::Path,
    paging::{Page, Paging, Position},
    route::{Route, delete, get},
};
use crate::{
    account::auth::Learner,
    api::problem::{ApiError, Code},
    app::AppState,
    store::{signed::SignedUrl, stores::DeleteError},
};
use view::{AssessmentView, ConversationView, TranscriptView};
pub use view::{ConversationSummary, ScoresView};

pub mod view;

/// A transcript and an assessment never change once they are stored, but they can be deleted.
const FRESHNESS: Freshness = Freshness::Private(Duration::from_secs(60));

/// A place in a learner's list of conversations.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct After(ConversationId);

impl Position for After {
    const LIST: &'static str = "conversations";
}

/// Conversations that were held.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/conversations", "listConversations", list).says(
            "The learner's conversations",
            "The newest first, those of the last 90 days. A page can have fewer items than asked for although there is \
             a next one.",
        ),
        get("/api/conversations/{id}", "getConversation", one)
            .says("A conversation", "With where it is on its way through transcript, assessment and progress."),
        get("/api/conversations/{id}/transcript", "getTranscript", transcript)
            .says("What was said", "JSON, or text for people where `Accept` prefers `text/plain`.")
            .answers_with::<TranscriptView>(200, "application/json", "The transcript.")
            .answers_with::<String>(200, "text/plain", "The transcript.")
            .problems(&[Code::NotReady]),
        get("/api/conversations/{id}/turns/{index}/audio", "getTurnAudio", audio).says(
            "The recording of a turn",
            "An address from which the WAV file can be read for a while. Recordings are kept for 30 days; a turn that was \
             typed, or whose recording was lost, has none.",
        ),
        get("/api/conversations/{id}/assessment", "getAssessment", assessment)
            .says("How it was assessed", "")
            .problems(&[Code::NotReady, Code::NotAssessed]),
        delete("/api/conversations/{id}", "deleteConversation", remove)
            .says(
                "Delete a conversation",
                "Turns, transcript, assessment and recordings of a conversation that has ended. What it added to the \
                 learner's progress stays: sums say how much was practised, and nothing of what was said. Deleting it \
                 again is no error.",
            )
            .problems(&[Code::ConversationLive, Code::ConversationInPipeline]),
    ]
}

/// The caller's conversations.
///
/// # Errors
/// 400 that names the parameter, 401.
pub async fn list(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    paging: Paging<After>,
) -> Result<Json<Page<ConversationSummary>>, ApiError> {
    listed(&app, &user_id, paging).await.map(Json)
}

/// The conversations of `user_id`.
pub(super) async fn listed(
    app: &AppState,
    user_id: &UserId,
    paging: Paging<After>,
) -> Result<Page<ConversationSummary>, ApiError> {
    let after = paging.after.map(|After(id)| id);
    let page = app.stores.journal.of_learner(user_id, after, usize::from(paging.limit)).await;
    let page = page.map_err(|error| ApiError::Internal(error.into()))?;
    let items = page.headers.iter().map(ConversationSummary::new).collect();
    Ok(Page::new(items, page.next.map(After)))
}

/// One conversation.
///
/// # Errors
/// 401, 404.
pub async fn one(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationView>, ApiError> {
    let found = app.stores.pipeline.find(id).await.map_err(|error| ApiError::Internal(error.into()))?;
    let found = found.filter(|found| is_of(&found.header, &user_id)).ok_or(ApiError::NotFound(NAME))?;
    Ok(Json(ConversationView::new(&found)))
}

/// What was said.
///
/// # Errors
/// 401, 404 also while it is not stored.
pub async fn transcript(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(id): Path<ConversationId>,
    accept: Accept,
    have: IfNoneMatch,
) -> Result<Response, ApiError> {
    own(&app, &user_id, id).await?;
    let documents = &app.stores.documents;
    if accept.prefers("text/plain", "application/json") {
        let text = documents.readable(&user_id, id).await.map_err(ApiError::Internal)?;
        let text = text.ok_or_else(not_ready)?;
        return Ok(have.answer(FRESHNESS, "text/plain; charset=utf-8", text.into_bytes()));
    }
    let transcript = documents.transcript(&user_id, id).await.map_err(ApiError::Internal)?;
    let transcript = TranscriptView::new(transcript.ok_or_else(not_ready)?);
    Ok(have.json(FRESHNESS, &transcript)?.into_response())
}

/// The recording of a turn.
///
/// # Errors
/// 401, 404.
pub async fn audio(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path((id, index)): Path<(ConversationId, u32)>,
) -> Result<Json<SignedUrl>, ApiError> {
    own(&app, &user_id, id).await?;
    let turn = app.stores.journal.turn(id, index).await.map_err(|error| ApiError::Internal(error.into()))?;
    let key = turn.and_then(|turn| turn.audio_key).ok_or(ApiError::NotFound("recording"))?;
    let url = app.stores.recordings.url(&key, Timestamp::now()).await.map_err(ApiError::Internal)?;
    url.map(Json).ok_or(ApiError::NotFound("recording"))
}

/// How it was assessed.
///
/// # Errors
/// 401, 404 also while it is not assessed, or will not be.
pub async fn assessment(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(id): Path<ConversationId>,
    have: IfNoneMatch,
) -> Result<Cached<AssessmentView>, ApiError> {
    own(&app, &user_id, id).await?;
    let stored = app.stores.documents.assessment(&user_id, id).await.map_err(ApiError::Internal)?;
    match stored {
        Some(stored) => have.json(FRESHNESS, &AssessmentView::new(stored)),
        None => Err(unassessed(&app, id).await?),
    }
}

/// Deletes a conversation.
///
/// # Errors
/// 401, 404, 409 while it goes on or workers are at it.
pub async fn remove(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(id): Path<ConversationId>,
) -> Result<NoContent, ApiError> {
    match app.stores.delete(&user_id, id, Timestamp::now()).await {
        Ok(true) => Ok(NoContent),
        Ok(false) => Err(ApiError::NotFound(NAME)),
        Err(DeleteError::Failed(error)) => Err(ApiError::Internal(error)),
        Err(live @ DeleteError::Live) => Err(ApiError::refused(Code::ConversationLive, live.to_string())),
        Err(early @ DeleteError::InPipeline) => {
            Err(ApiError::refused(Code::ConversationInPipeline, early.to_string()))
        }
    }
}

/// What a conversation is called where there is none.
const NAME: &str = "conversation";

/// The conversation, if it is the learner's and was not deleted.
pub(super) async fn own(app: &AppState, user_id: &UserId, id: ConversationId) -> Result<Header, ApiError> {
    let header = app.stores.journal.header(id).await.map_err(|error| ApiError::Internal(error.into()))?;
    header.filter(|header| is_of(header, user_id)).ok_or(ApiError::NotFound(NAME))
}

/// Why a conversation has no assessment.
pub(super) async fn unassessed(app: &AppState, id: ConversationId) -> Result<ApiError, ApiError> {
    let failed = app.stores.results.failure(id).await.map_err(ApiError::Internal)?;
    Ok(match failed {
        Some(_) => ApiError::refused(Code::NotAssessed, "the conversation could not be assessed"),
        None => not_ready(),
    })
}

fn is_of(header: &Header, user_id: &UserId) -> bool {
    header.start.user_id == *user_id && header.deleted_at.is_none()
}

fn not_ready() -> ApiError {
    ApiError::refused(Code::NotReady, "it is not there yet: the stream of results tells when it is")
}

/// A level as it is written.
pub(super) fn level(level: Level) -> String {
    format!("{level:?}")
}
