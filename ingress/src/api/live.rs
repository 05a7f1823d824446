//! `GET /api/conversations/{id}/live?ticket=…`: the WebSocket of a conversation, sub-protocol `nova.live.v1`.

use std::sync::Arc;

use axum::{
    extract::{
        Path, Query, State, WebSocketUpgrade, rejection::QueryRejection,
        ws::rejection::WebSocketUpgradeRejection,
    },
    response::Response,
};
use events::contract::ConversationId;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    app::App,
    error::ApiError,
    socket::{
        Page,
        message::{AUDIO_BYTES_MAX, PROTOCOL},
    },
    ticket::Purpose,
};

/// Bytes read from a socket at a time: some frames of audio.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Longest WebSocket message; a longer one than the protocol allows is answered with an error, one that is much
/// longer closes the socket.
const MESSAGE_BYTES_MAX: usize = 2 * AUDIO_BYTES_MAX;

/// The query of the live endpoint.
#[derive(Debug, Deserialize)]
pub struct LiveQuery {
    ticket: String,
}

/// Opens the WebSocket.
///
/// # Errors
/// 400 for anything but a WebSocket of the protocol, 401 for a ticket that is not good, 404 for a conversation
/// that is not live any more, 409 and 503 as at its start.
pub async fn live(
    State(app): State<Arc<App>>,
    Path(conversation_id): Path<String>,
    query: Result<Query<LiveQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|rejection| ApiError::Invalid(rejection.body_text()))?;
    let offered = upgrade.requested_protocols().any(|protocol| protocol.as_bytes() == PROTOCOL.as_bytes());
    if !offered {
        return Err(ApiError::Invalid(format!("Sec-WebSocket-Protocol must be {PROTOCOL}")));
    }
    let Query(query) = query.map_err(|rejection| ApiError::Invalid(rejection.body_text()))?;
    let conversation_id: ConversationId =
        conversation_id.parse().map_err(|_| ApiError::NotFound("conversation"))?;
    let now = Timestamp::now();
    let admission = app.tickets.redeem(&query.ticket, conversation_id, now)?;
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0);
    match admission.purpose {
        Purpose::Return => {
            let door = app.sessions.door(conversation_id).ok_or(ApiError::NotFound("conversation"))?;
            Ok(upgrade.on_upgrade(async move |socket| {
                // A conversation that ended meanwhile drops the page, which closes the socket.
                let _ = door.send(Page::new(socket)).await;
            }))
        }
        Purpose::Start => {
            let picture = app.images.get(&admission.image_id).await.map_err(ApiError::Internal)?;
            let picture = picture.ok_or(ApiError::NotFound("picture"))?;
            let seated = app.seats.sit(&admission.user_id, conversation_id, now)?;
            let sessions = app.sessions.clone();
            Ok(upgrade.on_upgrade(async move |socket| {
                sessions.begin(admission, &picture, seated, Page::new(socket));
            }))
        }
    }
}
