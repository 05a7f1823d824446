//! The channels of the subscribers of this process, also for messages that come from Redis.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use super::outcome::CoordinationError;

/// Maximum number of channels with subscribers.
pub(super) const CHANNELS_MAX: usize = 10_000;

/// Messages that are buffered for one subscriber.
pub const WAITING_MESSAGES_MAX: usize = 64;

/// What a subscriber receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Message(String),
    /// Messages may be missing, because the subscriber was slow or the connection was lost: it must read the stores.
    Lagged,
}

/// The messages of a channel since the subscription.
#[derive(Debug)]
pub struct Subscription {
    receiver: Receiver<Heard>,
    /// Dropped after the receiver: it removes a channel without subscribers.
    _guard: ChannelGuard,
}

/// The senders of the channels that have subscribers.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels(Arc<Mutex<HashMap<String, Sender<Heard>>>>);

/// Removes the channel on drop if it has no other subscriber.
pub(super) struct ChannelGuard {
    channels: Channels,
    channel: String,
    on_removed: Option<Box<dyn FnOnce(String) + Send>>,
}

impl Subscription {
    /// Receives the next message. Cancel safe.
    pub async fn next(&mut self) -> Heard {
        match self.receiver.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_)) => Heard::Lagged,
            // The channel is gone, so no message will come.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Channels {
    pub(super) fn send(&self, channel: &str, heard: Heard) {
        if let Some(sender) = lock(&self.0).get(channel) {
            // A subscriber that is gone needs no message.
            let _ = sender.send(heard);
        }
    }

    /// Notifies all subscribers that messages may be missing.
    pub(super) fn notify_gap(&self) {
        for sender in lock(&self.0).values() {
            let _ = sender.send(Heard::Lagged);
        }
    }

    /// Subscribes to `channel`; `on_removed` is called with its name when it has no subscriber any more.
    pub(super) fn subscribe(
        &self,
        channel: &str,
        on_removed: Option<Box<dyn FnOnce(String) + Send>>,
    ) -> Result<Subscription, CoordinationError> {
        let mut channels = lock(&self.0);
        if !channels.contains_key(channel) && channels.len() >= CHANNELS_MAX {
            return Err(CoordinationError::Full);
        }
        let sender = channels.entry(channel.to_owned());
        let receiver = sender.or_insert_with(|| broadcast::channel(WAITING_MESSAGES_MAX).0).subscribe();
        let guard = ChannelGuard { channels: self.clone(), channel: channel.to_owned(), on_removed };
        Ok(Subscription { receiver, _guard: guard })
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    pub(super) fn has_subscribers(&self, channel: &str) -> bool {
        lock(&self.0).get(channel).is_some_and(|sender| sender.receiver_count() > 0)
    }
}

impl Drop for ChannelGuard {
    fn drop(&mut self) {
        let mut channels = lock(&self.channels.0);
        let is_unused = channels.get(&self.channel).is_some_and(|sender| sender.receiver_count() == 0);
        if is_unused {
            channels.remove(&self.channel);
            drop(channels);
            if let Some(on_removed) = self.on_removed.take() {
                on_removed(std::mem::take(&mut self.channel));
            }
        }
    }
}

impl std::fmt::Debug for ChannelGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ChannelGuard").field(&self.channel).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
