//! Close reasons of the live protocol as the WebSocket has them.

use events::contract::live::CloseReason;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

pub(super) fn close_message(why: CloseReason) -> Message {
    Message::Close(Some(CloseFrame { code: why.code().into(), reason: why.reason().into() }))
}

/// The reason to close a socket on which a read has failed.
pub(super) fn reason_of(error: &Error) -> CloseReason {
    if matches!(error, Error::Capacity(_)) {
        CloseReason::TooLarge
    } else if matches!(error, Error::Utf8(_)) {
        CloseReason::NotUtf8
    } else {
        CloseReason::Broken
    }
}
