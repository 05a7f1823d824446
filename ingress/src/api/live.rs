//! `GET /api/conversations/{id}/live?ticket=…`: the WebSocket of a conversation, sub-protocol `nova.live.v1`.

use std::sync::Arc;

use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    response::Response,
};
use events::contract::ConversationId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    extract::{Path, Query},
    route::{Route, get},
};
use crate::{
    api::problem::{ApiError, Code},
    app::AppState,
    live::admission::AdmissionError,
    live::session::Connect,
    live::socket::{self, ClientConnection},
    live::ticket::Purpose,
};

/// The query of the live endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LiveQuery {
    /// What opens it, once.
    ticket: String,
    /// Turns that the page has been told, when it comes back.
    turns: Option<u32>,
}

/// The live endpoint.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/conversations/{id}/live", "openLiveConversation", live)
            .says(
                "Open the WebSocket of a conversation",
                "Sub-protocol `nova.live.v1`, which `schemas/live` describes.",
            )
            .by_ticket()
            .problems(&[Code::AccountDeleted, Code::ConversationInProgress, Code::Busy, Code::Stopping]),
    ]
}

/// Opens the WebSocket.
///
/// # Errors
/// 400 for anything but a WebSocket of the protocol, 401 for a ticket that is not good, 403 for an account that is to be
/// deleted, 409 and 503 as at the start.
pub async fn live(
    State(app): State<Arc<AppState>>,
    Path(conversation_id): Path<ConversationId>,
    Query(query): Query<LiveQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|rejection| ApiError::Invalid(rejection.body_text()))?;
    let upgrade = socket::accept(upgrade).map_err(|error| ApiError::Invalid(error.to_string()))?;
    let now = Timestamp::now();
    let admission = app.tickets.redeem(&query.ticket, conversation_id, now)?;
    // The ticket may be older than the wish to have the account deleted.
    app.accounts.usable(&admission.user_id).await?;
    let turns = query.turns.unwrap_or(0);
    if admission.purpose == Purpose::Return
        && let Some(connect_tx) = app.sessions.connect_tx(conversation_id)
    {
        return Ok(upgrade.on_upgrade(async move |socket| {
            // A conversation that ended meanwhile drops the connection, which closes it.
            let _ = connect_tx.send(Connect { client: ClientConnection::new(socket), turns }).await;
        }));
    }
    let picture = app.images.get(&admission.image_id).await.map_err(ApiError::Internal)?;
    let picture = picture.ok_or(ApiError::NotFound("picture"))?;
    let slot = app.admission_control.acquire(&admission.user_id, conversation_id, now);
    let slot = slot.inspect_err(|why| app.metrics.refused(*why))?;
    let present =
        app.presence.enter(&admission.user_id, conversation_id).await.map_err(AdmissionError::InConversation);
    let slot = slot.with_presence(present.inspect_err(|why| app.metrics.refused(*why))?);
    let sessions = app.sessions.clone();
    Ok(upgrade.on_upgrade(async move |socket| {
        sessions.begin(admission, &picture, slot, Connect { client: ClientConnection::new(socket), turns });
    }))
}
