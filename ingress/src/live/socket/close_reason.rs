//! Close reasons of the live protocol as axum sends and receives them.

use axum::extract::ws::{CloseFrame, Message};
use events::contract::live::CloseReason;
use tokio_tungstenite::tungstenite;

pub(super) fn close_message(why: CloseReason) -> Message {
    Message::Close(Some(CloseFrame { code: why.code(), reason: why.reason().into() }))
}

/// The reason to close a socket on which a read has failed.
pub(super) fn reason_of(error: axum::Error) -> CloseReason {
    let error = error.into_inner();
    match error.downcast_ref() {
        Some(tungstenite::Error::Capacity(_)) => CloseReason::TooLarge,
        Some(_) | None => CloseReason::Broken,
    }
}
