//! Inputs of a live conversation from the handlers of this task: connections, uploaded turns, the request to stop.

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::live::{conversation::LimitReached, socket::ClientConnection};

/// A client that connects to a conversation, for the first time or again.
#[derive(Debug)]
pub struct Connect {
    pub client: ClientConnection,
    /// Turns that it has received before.
    pub turns: u32,
}

/// Permission to upload one turn to a live conversation. A conversation has one such permit.
#[derive(Debug)]
pub struct UploadPermit {
    pub(super) uploads_tx: mpsc::Sender<UploadedAudio>,
    pub(super) permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) struct UploadedAudio {
    /// PCM s16le, 16 kHz mono.
    pub(super) pcm: Bytes,
    pub(super) permit: OwnedSemaphorePermit,
}

/// What the task asks of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// This task shuts down.
    HandOver,
    /// A limit of the day is reached.
    End(LimitReached),
}

/// Orders in the queue of a conversation: each kind once.
pub(super) const ORDERS_MAX: usize = 4;

/// Why a turn cannot be uploaded to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnUploadError {
    #[error("the conversation is not live here")]
    NotLive,
    #[error("another turn is being uploaded or spoken")]
    InProgress,
}

pub(super) struct SessionInputs {
    pub(super) first: Connect,
    pub(super) connects: mpsc::Receiver<Connect>,
    pub(super) uploads: mpsc::Receiver<UploadedAudio>,
    pub(super) orders: mpsc::Receiver<Order>,
}

impl UploadPermit {
    /// Plays the turn to the model: PCM s16le, 16 kHz mono.
    ///
    /// # Errors
    /// [`TurnUploadError::NotLive`]: the conversation has ended.
    pub fn play(self, pcm: Bytes) -> Result<(), TurnUploadError> {
        // The queue has room: a turn in it would hold the permit.
        let turn = UploadedAudio { pcm, permit: self.permit };
        self.uploads_tx.try_send(turn).map_err(|_| TurnUploadError::NotLive)
    }
}
