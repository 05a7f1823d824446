//! `/api/me/sessions`: the browsers in which the caller is signed in, and their end. The session of the caller itself is ended by
//! `POST /auth/sign-out`, which removes its cookie as well.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    extract::Path,
    problem::{ApiError, Code},
    response::NoContent,
    route::{Route, delete, get},
};
use crate::{
    account::{auth::Caller, browser::Browser, sessions::ListedSession},
    app::AppState,
};

/// The sessions of the caller, the last used one first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// The sessions.
    items: Vec<SessionView>,
}

/// A session: a browser in which the caller is signed in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The id of the session.
    id: Uuid,
    /// The sign-in.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// The last use, to within a few minutes.
    #[schemars(with = "String", extend("format" = "date-time"))]
    used_at: Timestamp,
    /// The browser at the sign-in.
    browser: Browser,
    /// Whether it is the session of this request.
    current: bool,
}

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/me/sessions", "listSessions", list)
            .summary("List the sessions", "The browsers in which the caller is signed in, the last used one first.")
            .problems(&[Code::AccountDeleted]),
        delete("/api/me/sessions", "endOtherSessions", end_others)
            .summary(
                "End the other sessions",
                "Ends all sessions of the caller except that of the request. Their access tokens and live connections end within \
                 5 s.",
            )
            .returns(204, "The other sessions have ended.")
            .problems(&[Code::AccountDeleted, Code::AccountsUnavailable]),
        delete("/api/me/sessions/{id}", "endSession", end)
            .summary("End a session", "Its access tokens and live connections end within 5 s.")
            .returns(204, "The session has ended.")
            .problems(&[Code::AccountDeleted, Code::AccountsUnavailable]),
    ]
}

async fn list(State(app): State<Arc<AppState>>, caller: Caller) -> Result<Json<SessionList>, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let sessions = app.account_sessions.list(&caller.user_id).await?.into_iter();
    let view = |session: ListedSession| SessionView {
        id: session.session_id,
        started_at: session.started_at,
        used_at: session.used_at,
        browser: session.browser,
        current: session.session_id == caller.session_id,
    };
    Ok(Json(SessionList { items: sessions.map(view).collect() }))
}

async fn end_others(State(app): State<Arc<AppState>>, caller: Caller) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    app.account_sessions.end_others(&caller).await?;
    Ok(NoContent)
}

async fn end(
    State(app): State<Arc<AppState>>,
    caller: Caller,
    Path(session_id): Path<Uuid>,
) -> Result<NoContent, ApiError> {
    app.accounts.require_usable(&caller.user_id).await?;
    let ended = app.account_sessions.end_one(&caller.user_id, session_id).await?;
    if ended { Ok(NoContent) } else { Err(ApiError::NotFound("session")) }
}
