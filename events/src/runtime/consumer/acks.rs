//! Deletes finished messages in batches.
//!
//! Deleting is idempotent. A message whose delete fails finally is received again and recognised by its id.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::queue::{BATCH_MAX, Queue};
use crate::runtime::{
    env,
    retry::{Retry, RetryPolicy, retry},
};

/// How long the first receipt of a batch waits for others.
const BATCH_WAIT: Duration = Duration::from_millis(50);

/// Receipts that may wait for their delete.
const PENDING_MAX: usize = 64;

/// The longest time for one batch with all its retries.
const DELETE_DEADLINE: Duration = Duration::from_secs(20);

const POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), cap: Duration::from_secs(3), attempts_max: 6 };

/// Starts the task that deletes the messages whose receipts it receives. It ends, after the last delete, when all senders
/// are dropped.
pub(super) fn start(queue: Arc<Queue>) -> (mpsc::Sender<String>, JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::channel(PENDING_MAX);
    let task = env::spawn(async move {
        while let Some(batch) = next_batch(&mut receiver).await {
            delete(&queue, batch).await;
        }
    });
    (sender, task)
}

async fn next_batch(receiver: &mut mpsc::Receiver<String>) -> Option<Vec<String>> {
    let mut batch = vec![receiver.recv().await?];
    let full = Instant::now() + BATCH_WAIT;
    while batch.len() < BATCH_MAX {
        match tokio::time::timeout_at(full, receiver.recv()).await {
            Ok(Some(receipt)) => batch.push(receipt),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

async fn delete(queue: &Queue, batch: Vec<String>) {
    let pending = Mutex::new(batch);
    let deleted = retry(POLICY, Instant::now() + DELETE_DEADLINE, || async {
        let receipts = pending.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let remaining = queue.delete(&receipts).await.map_err(Retry::transient)?;
        let Some((_, reason)) = remaining.first() else { return Ok(()) };
        let error = anyhow!("{} messages were not deleted, the first because of {reason}", remaining.len());
        *pending.lock().unwrap_or_else(PoisonError::into_inner) =
            remaining.iter().map(|(position, _)| receipts[*position].clone()).collect();
        Err(Retry::transient(error))
    })
    .await;
    if let Err(error) = deleted {
        tracing::warn!(error = format!("{error:#}"), "failed to delete finished messages");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn batch_is_full_or_late_and_nothing_is_left_behind() {
        let (sender, mut receiver) = mpsc::channel(PENDING_MAX);
        for receipt in 0..BATCH_MAX + 3 {
            sender.send(receipt.to_string()).await.unwrap();
        }
        let start = Instant::now();
        assert_eq!(next_batch(&mut receiver).await.unwrap().len(), BATCH_MAX);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(next_batch(&mut receiver).await.unwrap().len(), 3);
        assert_eq!(start.elapsed(), BATCH_WAIT);
        sender.send("last".to_owned()).await.unwrap();
        drop(sender);
        assert_eq!(next_batch(&mut receiver).await.unwrap(), ["last"]);
        assert_eq!(next_batch(&mut receiver).await, None);
    }
}
