//! The recordings of one conversation on their way: a task that stores one after the other. A recording that
//! cannot be stored is logged and lost; its turn is not.

use tokio::{sync::mpsc, task::JoinHandle};

use crate::store::audio::Recordings;

/// Recordings that wait. Each is bounded by one turn.
const WAITING_MAX: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Uploads {
    queue: mpsc::Sender<(String, Vec<u8>)>,
    task: JoinHandle<()>,
}

impl Uploads {
    pub(super) fn new(recordings: Recordings, conversation_id: String) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        Self { queue, task: tokio::spawn(store(recordings, conversation_id, waiting)) }
    }

    /// Queues a recording, and answers whether there was room for it.
    pub(super) fn push(&self, key: String, pcm: Vec<u8>) -> bool {
        self.queue.try_send((key, pcm)).is_ok()
    }

    /// Waits until all recordings are stored.
    pub(super) async fn finish(self) {
        drop(self.queue);
        if self.task.await.is_err() {
            tracing::error!("the task that stores recordings failed");
        }
    }
}

async fn store(
    recordings: Recordings,
    conversation_id: String,
    mut waiting: mpsc::Receiver<(String, Vec<u8>)>,
) {
    while let Some((key, pcm)) = waiting.recv().await {
        if let Err(error) = recordings.store(&key, &pcm).await {
            tracing::error!(
                conversation.id = conversation_id,
                error = format!("{error:#}"),
                "a recording is lost"
            );
        }
    }
}
