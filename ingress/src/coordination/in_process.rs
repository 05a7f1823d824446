//! Coordination within one process, in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    channels::{Channels, Heard, Subscription},
    outcome::{Claim, CoordinationError},
};

/// Maximum number of keys of attempts, and of claims.
pub(super) const KEYS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub struct InProcess {
    attempts: Mutex<HashMap<String, Attempts>>,
    claims: Mutex<HashMap<String, Claimed>>,
    channels: Channels,
}

/// The attempts within a window.
#[derive(Clone, Copy, Debug)]
struct Attempts {
    count: u32,
    until: Instant,
}

#[derive(Clone, Debug)]
struct Claimed {
    owner: String,
    until: Instant,
}

impl InProcess {
    pub(super) fn attempt(
        &self,
        key: &str,
        max: u32,
        window: Duration,
    ) -> Result<Result<(), Duration>, CoordinationError> {
        let now = Instant::now();
        let mut attempts = lock(&self.attempts);
        make_room(&mut attempts, key, |attempts| attempts.until > now)?;
        let fresh = Attempts { count: 0, until: now + window };
        let counted = attempts.entry(key.to_owned()).or_insert(fresh);
        if counted.until <= now {
            *counted = fresh;
        }
        counted.count = counted.count.saturating_add(1);
        let wait = counted.until.saturating_duration_since(now);
        Ok(if counted.count > max { Err(wait) } else { Ok(()) })
    }

    pub(super) fn forget(&self, key: &str) {
        lock(&self.attempts).remove(key);
    }

    pub(super) fn publish(&self, channel: &str, message: &str) {
        self.channels.send(channel, Heard::Message(message.to_owned()));
    }

    pub(super) fn subscribe(&self, channel: &str) -> Result<Subscription, CoordinationError> {
        self.channels.subscribe(channel, None)
    }

    pub(super) fn claim(&self, key: &str, owner: &str, ttl: Duration) -> Result<Claim, CoordinationError> {
        let now = Instant::now();
        let mut claims = lock(&self.claims);
        if let Some(held) = claims.get(key).filter(|held| held.until > now && held.owner != owner) {
            return Ok(Claim::Held(held.owner.clone()));
        }
        make_room(&mut claims, key, |claimed| claimed.until > now)?;
        claims.insert(key.to_owned(), Claimed { owner: owner.to_owned(), until: now + ttl });
        Ok(Claim::Mine)
    }

    pub(super) fn take(&self, key: &str, from: &str, owner: &str, ttl: Duration) -> bool {
        let now = Instant::now();
        let mut claims = lock(&self.claims);
        let held = claims.get_mut(key).filter(|held| held.until > now && held.owner == from);
        let Some(held) = held else { return false };
        *held = Claimed { owner: owner.to_owned(), until: now + ttl };
        true
    }

    pub(super) fn release(&self, key: &str, owner: &str) -> bool {
        let now = Instant::now();
        let mut claims = lock(&self.claims);
        let own = claims.get(key).is_some_and(|held| held.until > now && held.owner == owner);
        own && claims.remove(key).is_some()
    }

    pub(super) fn holder(&self, key: &str) -> Option<String> {
        let now = Instant::now();
        lock(&self.claims).get(key).filter(|held| held.until > now).map(|held| held.owner.clone())
    }
}

/// Makes room for `key`: removes expired entries if the map is full.
fn make_room<V>(
    map: &mut HashMap<String, V>,
    key: &str,
    is_current: impl Fn(&V) -> bool,
) -> Result<(), CoordinationError> {
    if map.len() >= KEYS_MAX && !map.contains_key(key) {
        map.retain(|_, value| is_current(value));
        if map.len() >= KEYS_MAX {
            return Err(CoordinationError::Full);
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{super::channels::CHANNELS_MAX, *};

    #[tokio::test(start_paused = true)]
    async fn what_one_process_keeps_is_bounded() {
        let (in_process, second) = (InProcess::default(), Duration::from_secs(1));
        for key in 0..KEYS_MAX {
            let key = key.to_string();
            assert_eq!(in_process.attempt(&key, 1, second), Ok(Ok(())));
            assert_eq!(in_process.claim(&key, "x", second), Ok(Claim::Mine));
        }
        assert_eq!(in_process.attempt("more", 1, second), Err(CoordinationError::Full));
        assert_eq!(in_process.attempt("7", 1, second), Ok(Err(second)), "what is known is still counted");
        assert_eq!(in_process.claim("more", "x", second), Err(CoordinationError::Full));
        tokio::time::advance(second).await;
        assert_eq!(in_process.attempt("more", 1, second), Ok(Ok(())));
        assert_eq!(in_process.claim("more", "x", second), Ok(Claim::Mine));
        assert!(lock(&in_process.attempts).len() == 1 && lock(&in_process.claims).len() == 1);

        let name = |n: usize| n.to_string();
        let mut listening: Vec<_> =
            (0..CHANNELS_MAX).map(|n| in_process.subscribe(&name(n)).unwrap()).collect();
        assert_eq!(in_process.subscribe("more").unwrap_err(), CoordinationError::Full);
        assert!(in_process.subscribe("7").is_ok(), "a channel that is there has room");
        listening.pop();
        assert!(in_process.subscribe("more").is_ok());
        drop(listening);
        assert!(in_process.channels.is_empty(), "channels end with those who listen");
    }
}
