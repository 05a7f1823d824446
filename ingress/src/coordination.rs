//! Coordination between the tasks of the ingress: counts of attempts, claims, and short messages. Nothing here is the only
//! copy of anything: a loss costs an attempt that is not counted, work that is done twice, or a read of the stores that a
//! message would have saved.
//!
//! With `NOVA_REDIS_URL` it uses Redis, otherwise this process, which must then be the only task. While Redis is down, every
//! call fails within [`CALL_TIMEOUT`], and within [`DOWN_TIMEOUT`] once that is known; the callers continue without it:
//! each task counts attempts by itself, presence is known on this task only, results are polled.

mod channels;
mod in_process;
mod outcome;
mod redis;

use std::{path::Path, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

pub use self::{
    channels::{Heard, Subscription, WAITING_MESSAGES_MAX},
    outcome::{Claim, CoordinationError, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, RateLimitError},
    redis::{CALL_TIMEOUT, DOWN_TIMEOUT},
};
use self::{in_process::InProcess, redis::Redis};
use crate::metrics::Metrics;

/// Coordination between the tasks.
#[derive(Debug)]
pub enum Coordination {
    /// Within this process, the only task.
    InProcess(InProcess),
    Redis(Redis),
}

impl Coordination {
    /// Coordination within this process, which must be the only task.
    #[must_use]
    pub fn in_process() -> Self {
        Self::InProcess(InProcess::default())
    }

    /// Coordination through the Redis at `url` (`redis://` or `rediss://`), which need not be reachable yet. `ca_bundle` is a
    /// PEM file of certificates to trust in place of the platform's.
    ///
    /// # Errors
    /// The URL is invalid, or the certificates cannot be read.
    pub fn redis(url: &str, ca_bundle: Option<&Path>, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        Redis::new(url, ca_bundle, metrics).map(Self::Redis)
    }

    /// Coordination through Redis if `NOVA_REDIS_URL` is set, otherwise within this process.
    ///
    /// # Errors
    /// As [`Self::redis`].
    pub fn new(
        redis_url: Option<&SecretString>,
        ca_bundle: Option<&Path>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        match redis_url {
            None => Ok(Self::in_process()),
            Some(url) => Self::redis(url.expose_secret(), ca_bundle, metrics),
        }
    }

    /// Counts an attempt at `key`: at most `max` within `window`, which begins with the first. The inner error is the time
    /// until the window ends.
    pub async fn attempt(
        &self,
        key: &str,
        max: u32,
        window: Duration,
    ) -> Result<Result<(), Duration>, CoordinationError> {
        self.spend(key, 1, max, window).await
    }

    /// Adds `amount` to what was spent at `key`: at most `max` within `window`, as [`Self::attempt`]. With 0 it only tells whether
    /// more was spent before.
    pub async fn spend(
        &self,
        key: &str,
        amount: u32,
        max: u32,
        window: Duration,
    ) -> Result<Result<(), Duration>, CoordinationError> {
        check_length(&[key])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.spend(key, amount, max, window)),
            Self::Redis(redis) => redis.spend(key, amount, max, window).await,
        }
    }

    /// Enforces the limit of [`Self::attempt`]. While Redis is down, each task counts by itself; `FailedSharedCalls` shows it.
    pub async fn limit(&self, key: &str, max: u32, window: Duration) -> Result<(), RateLimitError> {
        self.limit_spending(key, 1, max, window).await
    }

    /// Enforces the limit of [`Self::spend`], in the same way.
    pub async fn limit_spending(
        &self,
        key: &str,
        amount: u32,
        max: u32,
        window: Duration,
    ) -> Result<(), RateLimitError> {
        let counted = match (self.spend(key, amount, max, window).await, self) {
            (Err(CoordinationError::Unavailable), Self::Redis(redis)) => {
                redis.fallback().spend(key, amount, max, window)
            }
            (counted, _) => counted.map_err(RateLimitError::Failed)?,
        };
        counted.map_err(|after| RateLimitError::Exceeded { after })
    }

    /// Resets the count of attempts at `key`.
    pub async fn forget(&self, key: &str) -> Result<(), CoordinationError> {
        check_length(&[key])?;
        match self {
            Self::InProcess(in_process) => {
                in_process.forget(key);
                Ok(())
            }
            Self::Redis(redis) => redis.forget(key).await,
        }
    }

    /// Sends `message` to the current subscribers of `channel` on all tasks.
    pub async fn publish(&self, channel: &str, message: &str) -> Result<(), CoordinationError> {
        check_length(&[channel])?;
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

    /// Subscribes to `channel`. The subscription receives what is published after this returns.
    ///
    /// # Errors
    /// See [`CoordinationError`]. After [`CoordinationError::Unavailable`] the caller polls, and may try again.
    pub async fn subscribe(&self, channel: &str) -> Result<Subscription, CoordinationError> {
        check_length(&[channel])?;
        match self {
            Self::InProcess(in_process) => in_process.subscribe(channel),
            Self::Redis(redis) => redis.subscribe(channel).await,
        }
    }

    /// Claims `key` for `owner`, for `ttl`. A claim that the owner has already is renewed.
    pub async fn claim(&self, key: &str, owner: &str, ttl: Duration) -> Result<Claim, CoordinationError> {
        check_length(&[key, owner])?;
        match self {
            Self::InProcess(in_process) => in_process.claim(key, owner, ttl),
            Self::Redis(redis) => redis.claim(key, owner, ttl).await,
        }
    }

    /// Transfers the claim of `key` from `from` to `owner`. Returns whether `from` had it.
    pub async fn take(
        &self,
        key: &str,
        from: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, CoordinationError> {
        check_length(&[key, from, owner])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.take(key, from, owner, ttl)),
            Self::Redis(redis) => redis.take(key, from, owner, ttl).await,
        }
    }

    /// Renews the claim of `key` for `ttl`. Returns whether `owner` still had it.
    pub async fn renew(&self, key: &str, owner: &str, ttl: Duration) -> Result<bool, CoordinationError> {
        self.take(key, owner, owner, ttl).await
    }

    /// Releases the claim of `key`. Returns whether `owner` had it.
    pub async fn release(&self, key: &str, owner: &str) -> Result<bool, CoordinationError> {
        check_length(&[key, owner])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.release(key, owner)),
            Self::Redis(redis) => redis.release(key, owner).await,
        }
    }

    /// Makes `member` one of at most `max` members of `group`, for `ttl`. Returns whether it is one now; a present member is renewed.
    pub async fn enter(
        &self,
        group: &str,
        member: &str,
        max: u32,
        ttl: Duration,
    ) -> Result<bool, CoordinationError> {
        check_length(&[group, member])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.enter(group, member, max, ttl)),
            Self::Redis(redis) => redis.enter(group, member, max, ttl).await,
        }
    }

    /// Removes `member` from `group`.
    pub async fn remove_member(&self, group: &str, member: &str) -> Result<(), CoordinationError> {
        check_length(&[group, member])?;
        match self {
            Self::InProcess(in_process) => {
                in_process.remove_member(group, member);
                Ok(())
            }
            Self::Redis(redis) => redis.remove_member(group, member).await,
        }
    }

    /// Returns the number of members of `group`.
    pub async fn members(&self, group: &str) -> Result<u64, CoordinationError> {
        check_length(&[group])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.members(group)),
            Self::Redis(redis) => redis.members(group).await,
        }
    }

    /// Returns the owner of the claim of `key`.
    pub async fn holder(&self, key: &str) -> Result<Option<String>, CoordinationError> {
        check_length(&[key])?;
        match self {
            Self::InProcess(in_process) => Ok(in_process.holder(key)),
            Self::Redis(redis) => redis.holder(key).await,
        }
    }
}

fn check_length(names: &[&str]) -> Result<(), CoordinationError> {
    let fits = |name: &&str| name.len() <= NAME_BYTES_MAX;
    if names.iter().all(fits) { Ok(()) } else { Err(CoordinationError::TooLong) }
}
