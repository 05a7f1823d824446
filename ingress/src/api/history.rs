//! Past conversations of a learner: the list, one with its progress through the pipeline, its transcript, the recording of a
//! turn, its assessment, and its deletion. Conversations of other learners return the same 404 as unknown ones.

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
use http::header;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    accept::Accept,
    cache::{Cached, Freshness, IfNoneMatch},
    caller::Learner,
    extract::{ByteRange, Path, Query},
    paging::{CursorPosition, Page, Paging},
    problem::{ApiError, Code},
    response::{Binary, NoContent},
    route::{Route, delete, get},
};
use crate::{
    app::AppState,
    store::{objects::ObjectError, signed::SignedUrl, stores::DeleteError},
};
use list::{HistoryItem, HistoryQuery};
use view::{AssessmentView, ConversationView, TranscriptView};
pub use view::{ConversationSummary, ScoresView};

pub mod list;
pub mod view;

/// Transcripts and assessments never change, but they can be deleted.
const FRESHNESS: Freshness = Freshness::Private(Duration::from_secs(60));

/// A position in a learner's list of conversations.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct After(pub(super) ConversationId);

impl CursorPosition for After {
    const LIST: &'static str = "conversations";
}

/// The routes of past conversations.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/conversations", "listConversations", list).summary(
            "List the caller's conversations",
            "Newest first, of the last 90 days. A page can have fewer items than `limit` although there is a next page.",
        ),
        get("/api/conversations/{id}", "getConversation", one)
            .summary("Get a conversation", "With its progress through transcript, assessment and progress counts."),
        get("/api/conversations/{id}/transcript", "getTranscript", transcript)
            .summary("Get the transcript", "JSON, or readable text if `Accept` prefers `text/plain`.")
            .returns_content::<TranscriptView>(200, "application/json", "The transcript.")
            .returns_content::<String>(200, "text/plain", "The transcript.")
            .problems(&[Code::NotReady]),
        get("/api/conversations/{id}/turns/{index}/audio", "getTurnAudio", audio).summary(
            "Get the recording of a turn",
            "Returns a temporary URL of the WAV file. Recordings are kept for 30 days; a typed turn, or one whose recording \
             was lost, has none.",
        ),
        get("/api/conversations/{id}/turns/{index}/recording", "getTurnRecording", recording)
            .summary(
                "Get the recording of a turn as a file",
                "The WAV file itself, or a range of it. Recordings are kept for 30 days.",
            )
            .returns_content::<Binary>(200, "audio/wav", "The recording."),
        get("/api/conversations/{id}/assessment", "getAssessment", assessment)
            .summary("Get the assessment", "")
            .problems(&[Code::NotReady, Code::NotAssessed]),
        delete("/api/conversations/{id}", "deleteConversation", remove)
            .summary(
                "Delete a conversation",
                "Deletes turns, transcript, assessment and recordings of a conversation that has ended. Its counts in the \
                 learner's progress remain; they contain nothing of what was said. Idempotent.",
            )
            .problems(&[Code::ConversationLive, Code::ConversationInPipeline]),
    ]
}

async fn list(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Query(query): Query<HistoryQuery>,
    paging: Paging<After>,
) -> Result<Json<Page<HistoryItem>>, ApiError> {
    list::search(&app, &user_id, &query, paging).await.map(Json)
}

/// Reads a page of the conversations of `user_id`.
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

async fn one(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationView>, ApiError> {
    let found = app.stores.pipeline.find(id).await.map_err(|error| ApiError::Internal(error.into()))?;
    let found = found.filter(|found| belongs_to(&found.header, &user_id)).ok_or(ApiError::NotFound(NAME))?;
    Ok(Json(ConversationView::new(&found)))
}

async fn transcript(
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
        return Ok(have.respond(FRESHNESS, "text/plain; charset=utf-8", text.into_bytes()));
    }
    let transcript = documents.transcript(&user_id, id).await.map_err(ApiError::Internal)?;
    let transcript = TranscriptView::new(transcript.ok_or_else(not_ready)?);
    Ok(have.json(FRESHNESS, &transcript)?.into_response())
}

async fn audio(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path((id, index)): Path<(ConversationId, u32)>,
) -> Result<Json<SignedUrl>, ApiError> {
    own(&app, &user_id, id).await?;
    let key = recording_key(&app, id, index).await?;
    let url = app.stores.recordings.url(&key, Timestamp::now()).await.map_err(ApiError::Internal)?;
    url.map(Json).ok_or(ApiError::NotFound("recording"))
}

async fn recording(
    State(app): State<Arc<AppState>>,
    Learner(user_id): Learner,
    Path((id, index)): Path<(ConversationId, u32)>,
    ByteRange(range): ByteRange,
) -> Result<Response, ApiError> {
    own(&app, &user_id, id).await?;
    let key = recording_key(&app, id, index).await?;
    match app.stores.recordings.file(&key, range.as_deref()).await {
        Ok(file) => Ok(([(header::CACHE_CONTROL, FRESHNESS.header())], file).into_response()),
        Err(ObjectError::NotFound) => Err(ApiError::NotFound("recording")),
        Err(range @ ObjectError::Range) => Err(ApiError::refused(Code::RangeInvalid, range.to_string())),
        Err(ObjectError::Failed(error)) => Err(ApiError::Internal(error)),
    }
}

async fn recording_key(app: &AppState, id: ConversationId, index: u32) -> Result<String, ApiError> {
    let turn = app.stores.journal.turn(id, index).await.map_err(|error| ApiError::Internal(error.into()))?;
    turn.and_then(|turn| turn.audio_key).ok_or(ApiError::NotFound("recording"))
}

async fn assessment(
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

async fn remove(
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

/// The name of the resource in problem documents.
const NAME: &str = "conversation";

/// Reads the conversation, if it is the learner's and was not deleted.
pub(super) async fn own(app: &AppState, user_id: &UserId, id: ConversationId) -> Result<Header, ApiError> {
    let header = app.stores.journal.header(id).await.map_err(|error| ApiError::Internal(error.into()))?;
    header.filter(|header| belongs_to(header, user_id)).ok_or(ApiError::NotFound(NAME))
}

/// The problem of a missing assessment.
pub(super) async fn unassessed(app: &AppState, id: ConversationId) -> Result<ApiError, ApiError> {
    let failed = app.stores.results.failure(id).await.map_err(ApiError::Internal)?;
    Ok(match failed {
        Some(_) => ApiError::refused(Code::NotAssessed, "the conversation could not be assessed"),
        None => not_ready(),
    })
}

fn belongs_to(header: &Header, user_id: &UserId) -> bool {
    header.start.user_id == *user_id && header.deleted_at.is_none()
}

fn not_ready() -> ApiError {
    ApiError::refused(Code::NotReady, "not available yet; the stream of results announces it")
}

/// The name of a level, e.g. `B1`.
pub(super) fn level(level: Level) -> String {
    format!("{level:?}")
}
