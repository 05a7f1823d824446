//! `GET /api/conversations/{id}/live`: the WebSocket of a conversation, sub-protocol `nova.live.v1`. The ticket is offered beside it
//! as `ticket.…` and never selected.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use events::contract::ConversationId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    extract::{Path, Query},
    problem::{ApiError, Code},
    route::{Route, get},
};
use crate::{
    app::AppState,
    live::admission::AdmissionError,
    live::session::Connect,
    live::socket::{Upgrade, UpgradeError},
    live::ticket::Purpose,
};

/// The query of the live endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LiveQuery {
    /// On reconnect: the number of turns that the client has received.
    turns: Option<u32>,
}

/// The live endpoint.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/conversations/{id}/live", "openLiveConversation", live)
            .summary(
                "Open the WebSocket of a conversation",
                "The sub-protocol is `nova.live.v1`, see `schemas/live`. The client offers it and `ticket.` followed by the ticket.",
            )
            .by_ticket()
            .problems(&[
                Code::SessionEnded,
                Code::AccountDeleted,
                Code::ConversationInProgress,
                Code::Busy,
                Code::Stopping,
            ]),
    ]
}

async fn live(
    State(app): State<Arc<AppState>>,
    Path(conversation_id): Path<ConversationId>,
    Query(query): Query<LiveQuery>,
    upgrade: Result<Upgrade, UpgradeError>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|error| ApiError::Invalid(error.to_string()))?;
    let now = Timestamp::now();
    let (admission, session_id) =
        app.tickets.redeem(&app.coordination, upgrade.ticket(), conversation_id, now).await?;
    // The session may have ended after the ticket was issued. The watch begins before the look, so that no end is missed.
    let watch = app.account_sessions.watch(&admission.user_id, session_id);
    app.account_sessions.require(&admission.user_id, session_id).await?;
    // The deletion of the account may have been requested after the ticket was issued.
    app.accounts.require_usable(&admission.user_id).await?;
    let turns = query.turns.unwrap_or(0);
    if admission.purpose == Purpose::Return
        && let Some(connect_tx) = app.sessions.connect_tx(conversation_id)
    {
        return Ok(upgrade.accept(watch, async move |client| {
            // A conversation that ended meanwhile drops the connection, which closes it.
            let _ = connect_tx.send(Connect { client, turns }).await;
        }));
    }
    let picture = app.images.get(&admission.image_id).await.map_err(ApiError::Internal)?;
    let picture = picture.ok_or(ApiError::NotFound("picture"))?;
    let slot = app.admission_control.acquire(&admission.user_id, conversation_id, now);
    let slot = slot.inspect_err(|why| app.metrics.refused(why.reason()))?;
    let present =
        app.presence.enter(&admission.user_id, conversation_id).await.map_err(AdmissionError::InConversation);
    let slot = slot.with_presence(present.inspect_err(|why| app.metrics.refused(why.reason()))?);
    let sessions = app.sessions.clone();
    let prepared = sessions.prepare(admission, &picture).await;
    let prepared = prepared.inspect_err(|why| app.metrics.refused(why.reason()))?;
    Ok(upgrade.accept(watch, async move |client| {
        sessions.begin(prepared, slot, Connect { client, turns });
    }))
}
