//! What the tasks of the ingress share: how often somebody tried something, who does something, and short messages
//! between them. Nothing here is the only copy of anything: what is lost costs an attempt that is not counted, work that is
//! done twice, or a look at the stores that a message would have saved.
//!
//! With `NOVA_REDIS_URL` it is Redis, and without it this process, which then has to be alone. When Redis does not answer,
//! every call fails within [`CALL_TIMEOUT`], and within [`DOWN_TIMEOUT`] while it is known to be away; the callers go on
//! without it: attempts are not counted, presence is known on this task alone, results are polled.

mod in_process;
mod redis;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::broadcast::{Receiver, error::RecvError};

pub use self::redis::{CALL_TIMEOUT, DOWN_TIMEOUT};
use self::{in_process::InProcess, redis::Redis};
use crate::{api::problem::ApiError, config::Config, metrics::Metrics};

/// Longest key, channel or owner, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Messages that wait for one subscriber.
pub const WAITING_MESSAGES_MAX: usize = 64;

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinationError {
    /// What is shared cannot be reached at the moment.
    #[error("what the tasks share cannot be reached")]
    Unavailable,
    /// A name or a message is longer than is taken.
    #[error("a name has at most {NAME_BYTES_MAX} bytes, a message {MESSAGE_BYTES_MAX}")]
    TooLong,
    /// As much as there is room for is kept already.
    #[error("there is no room for more")]
    Full,
}

/// What the tasks share.
#[derive(Debug)]
pub enum Coordination {
    /// This process, which is alone.
    InProcess(InProcess),
    /// Redis.
    Redis(Redis),
}

/// Who has what was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Whoever asked.
    Mine,
    /// Another owner, by its name.
    Held(String),
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(String),
    /// Messages may have been missed, because the subscriber was slow or the connection was lost: it looks for itself.
    Lagged,
}

/// The messages of a channel, from the moment of the subscription.
#[derive(Debug)]
pub struct Subscription {
    receiver: Receiver<Heard>,
    /// Dropped after the receiver: it ends what nobody listens to any more.
    _end: in_process::End,
}

impl Coordination {
    /// What this process alone knows.
    #[must_use]
    pub fn in_process() -> Self {
        Self::InProcess(InProcess::default())
    }

    /// The Redis at `url`, `redis://` or `rediss://`, which need not be there yet. `ca_bundle` is a PEM file of
    /// certificates to trust in place of the platform's.
    ///
    /// # Errors
    /// The URL is none that can be used.
    pub fn redis(url: &str, ca_bundle: Option<&Path>, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        Redis::new(url, ca_bundle, metrics).map(Self::Redis)
    }

    /// What the configuration says.
    ///
    /// # Errors
    /// `NOVA_REDIS_URL` is none that can be used.
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        match &config.redis_url {
            None => Ok(Self::in_process()),
            Some(url) => Self::redis(url.reveal(), config.ca_bundle.as_deref(), metrics),
        }
    }

    /// Counts an attempt at `key`: at most `max` within `window`, which begins with the first. The inner error is how
    /// long it takes until another attempt is taken.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn attempt(
        &self,
        key: &str,
        max: u32,
        window: Duration,
    ) -> Result<Result<(), Duration>, CoordinationError> {
        short(&[key])?;
        match self {
            Self::InProcess(in_process) => in_process.attempt(key, max, window),
            Self::Redis(redis) => redis.attempt(key, max, window).await,
        }
    }

    /// The same for a request: beyond the limit it is refused, and when attempts cannot be counted it is let through,
    /// because a learner who signs in matters more than the counting; a metric tells of it.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`].
    pub async fn limit(&self, key: &str, max: u32, window: Duration) -> Result<(), ApiError> {
        match self.attempt(key, max, window).await {
            Ok(Err(after)) => Err(ApiError::TooManyRequests { after }),
            Ok(Ok(())) | Err(CoordinationError::Unavailable | CoordinationError::Full) => Ok(()),
            Err(error @ CoordinationError::TooLong) => Err(ApiError::Internal(error.into())),
        }
    }

    /// Forgets the attempts at `key`.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn forget(&self, key: &str) -> Result<(), CoordinationError> {
        short(&[key])?;
        match self {
            Self::InProcess(in_process) => {
                in_process.forget(key);
                Ok(())
            }
            Self::Redis(redis) => redis.forget(key).await,
        }
    }

    /// Tells those who listen to `channel` now, on all tasks.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn publish(&self, channel: &str, message: &str) -> Result<(), CoordinationError> {
        short(&[channel])?;
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(CoordinationError::TooLong);
        }
        match self {
            Self::InProcess(in_process) => {
                in_process.publish(channel, message);
                Ok(())
            }
            Self::Redis(redis) => redis.publish(channel, message).await,
        }
    }

    /// Listens to `channel`. What is published after the answer is heard.
    ///
    /// # Errors
    /// See [`CoordinationError`]. After [`CoordinationError::Unavailable`] the caller polls, and may try again.
    pub async fn subscribe(&self, channel: &str) -> Result<Subscription, CoordinationError> {
        short(&[channel])?;
        match self {
            Self::InProcess(in_process) => in_process.subscribe(channel),
            Self::Redis(redis) => redis.subscribe(channel).await,
        }
    }

    /// Claims `key` for `owner`, for `ttl`. An owner who has it already has it for `ttl` from now.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn claim(&self, key: &str, owner: &str, ttl: Duration) -> Result<Claim, CoordinationError> {
        short(&[key, owner])?;
        match self {
            Self::InProcess(in_process) => in_process.claim(key, owner, ttl),
            Self::Redis(redis) => redis.claim(key, owner, ttl).await,
        }
    }

    /// Takes `key` from the owner `from`, if it is that owner's; whether `owner` has it now.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn take(
        &self,
        key: &str,
        from: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, CoordinationError> {
        short(&[key, from, owner])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.take(key, from, owner, ttl)),
            Self::Redis(redis) => redis.take(key, from, owner, ttl).await,
        }
    }

    /// Keeps `key` for `ttl` from now; whether it is still the owner's.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn renew(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, CoordinationError> {
        self.take(key, owner, owner, ttl).await
    }

    /// Gives `key` up, if it is the owner's; whether it was.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn release(&self, key: &str, owner: &str) -> Result<bool, CoordinationError> {
        short(&[key, owner])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.release(key, owner)),
            Self::Redis(redis) => redis.release(key, owner).await,
        }
    }

    /// Who has `key`.
    ///
    /// # Errors
    /// See [`CoordinationError`].
    pub async fn holder(&self, key: &str) -> Result<Option<String>, CoordinationError> {
        short(&[key])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.holder(key)),
            Self::Redis(redis) => redis.holder(key).await,
        }
    }
}

impl Subscription {
    /// What comes next. May be cancelled without losing anything.
    pub async fn next(&mut self) -> Heard {
        match self.receiver.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_)) => Heard::Lagged,
            // The hub of the channel is gone, with whatever had been said in it.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn short(names: &[&str]) -> Result<(), CoordinationError> {
    let fits = |name: &&str| name.len() <= NAME_BYTES_MAX;
    if names.iter().all(fits) { Ok(()) } else { Err(CoordinationError::TooLong) }
}
