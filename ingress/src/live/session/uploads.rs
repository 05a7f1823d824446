//! Uploads the recordings of one conversation, one after the other, in a task of its own. A recording that cannot be
//! stored is logged and lost; its turn is not.

use tokio::{sync::mpsc, task::JoinHandle};

use crate::store::audio::Recordings;

/// Recordings in the queue. Each is bounded by one turn.
const QUEUE_MAX: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Uploads {
    queue: mpsc::Sender<StoreRequest>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct StoreRequest {
    key: String,
    /// PCM s16le.
    pcm: Vec<u8>,
}

impl Uploads {
    pub(super) fn new(recordings: Recordings, conversation_id: String) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        Self { queue, task: tokio::spawn(store(recordings, conversation_id, requests)) }
    }

    /// Queues a recording, PCM s16le. Returns whether the queue had room.
    pub(super) fn push(&self, key: String, pcm: Vec<u8>) -> bool {
        self.queue.try_send(StoreRequest { key, pcm }).is_ok()
    }

    /// Waits until all recordings are stored.
    pub(super) async fn finish(self) {
        drop(self.queue);
        if self.task.await.is_err() {
            tracing::error!("the task that stores recordings failed");
        }
    }
}

async fn store(recordings: Recordings, conversation_id: String, mut requests: mpsc::Receiver<StoreRequest>) {
    while let Some(StoreRequest { key, pcm }) = requests.recv().await {
        if let Err(error) = recordings.store(&key, &pcm).await {
            tracing::error!(
                conversation.id = conversation_id,
                error = format!("{error:#}"),
                "a recording was not stored"
            );
        }
    }
}
