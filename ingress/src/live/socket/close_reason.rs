//! Why the service closes a socket, with the close codes of the live protocol.

use axum::extract::ws::{CloseFrame, Message, close_code};
use tokio_tungstenite::tungstenite;

/// Why the service closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The conversation has ended.
    Ended,
    /// This task is shutting down.
    Stopping,
    /// The client broke the WebSocket protocol.
    Broken,
    /// A message was longer than [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX).
    TooLarge,
    /// An error on our side.
    Failed,
    /// The client does not read fast enough.
    TooSlow,
    /// The client was silent for too long.
    Idle,
    /// The conversation is open on another socket.
    Replaced,
}

impl CloseReason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Ended,
        Self::Stopping,
        Self::Broken,
        Self::TooLarge,
        Self::Failed,
        Self::TooSlow,
        Self::Idle,
        Self::Replaced,
    ];

    /// The close code (RFC 6455, section 7.4; codes from 4000 on are ours).
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Ended => close_code::NORMAL,
            Self::Stopping => close_code::RESTART,
            Self::Broken => close_code::PROTOCOL,
            Self::TooLarge => close_code::SIZE,
            Self::Failed => close_code::ERROR,
            Self::TooSlow => close_code::AGAIN,
            Self::Idle => 4000,
            Self::Replaced => 4001,
        }
    }

    /// The text of the close frame.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ended => "the conversation has ended",
            Self::Stopping => "this task is shutting down, reconnect",
            Self::Broken => "the message is not a valid WebSocket message",
            Self::TooLarge => "the message is too large",
            Self::Failed => "something went wrong on our side, reconnect",
            Self::TooSlow => "the client reads too slowly, reconnect",
            Self::Idle => "the client was silent for too long, reconnect",
            Self::Replaced => "the conversation is open in another place",
        }
    }

    pub(super) fn message(self) -> Message {
        Message::Close(Some(CloseFrame { code: self.code(), reason: self.reason().into() }))
    }

    /// The reason for a socket that cannot be read.
    pub(super) fn of(error: axum::Error) -> Self {
        let error = error.into_inner();
        match error.downcast_ref() {
            Some(tungstenite::Error::Capacity(_)) => Self::TooLarge,
            Some(_) | None => Self::Broken,
        }
    }
}
