//! Coordination within one process, in memory.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    channels::{Channels, Heard, Subscription},
    outcome::{Claim, CoordinationError},
};

/// Maximum number of keys of attempts, and of claims.
pub(super) const KEYS_MAX: usize = 100_000;

/// Shortest time between two removals of ended claims from a full map.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct InProcess {
    attempts: Mutex<Counts>,
    claims: Mutex<Claims>,
    /// The members of each group, with their ends.
    groups: Mutex<HashMap<String, HashMap<String, Instant>>>,
    channels: Channels,
}

/// Counts of attempts, at most [`KEYS_MAX`]. Beyond that the least important one makes room: a key that is refused stays as long as
/// any other is there, then one with many attempts. So a flood of keys resets no count that matters.
#[derive(Debug, Default)]
struct Counts {
    attempts: HashMap<Arc<str>, Attempts>,
    /// All keys, those whose windows end first at the front.
    by_end: BTreeSet<(Instant, Arc<str>)>,
    /// All keys, the least important at the front.
    by_importance: BTreeSet<(Attempts, Arc<str>)>,
}

/// The attempts within a window, in the order of their importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attempts {
    /// Whether the next attempt is refused.
    is_exhausted: bool,
    count: u32,
    until: Instant,
}

/// At most [`KEYS_MAX`] claims.
#[derive(Debug, Default)]
struct Claims {
    by_key: HashMap<String, Claimed>,
    /// When ended ones were last removed: a full map is looked through once in [`PURGE_INTERVAL`].
    purged_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Claimed {
    owner: String,
    until: Instant,
}

impl InProcess {
    pub(super) fn spend(&self, key: &str, amount: u32, max: u32, window: Duration) -> Result<(), Duration> {
        lock(&self.attempts).spend(key, amount, max, window)
    }

    pub(super) fn enter(&self, group: &str, member: &str, max: u32, ttl: Duration) -> bool {
        let now = Instant::now();
        let mut groups = lock(&self.groups);
        let members = groups.entry(group.to_owned()).or_default();
        members.retain(|_, until| *until > now);
        let has_room = usize::try_from(max).is_ok_and(|max| members.len() < max);
        let is_member = has_room || members.contains_key(member);
        if is_member {
            members.insert(member.to_owned(), now + ttl);
        }
        is_member
    }

    pub(super) fn remove_member(&self, group: &str, member: &str) {
        if let Some(members) = lock(&self.groups).get_mut(group) {
            members.remove(member);
        }
    }

    pub(super) fn members(&self, group: &str) -> u64 {
        let now = Instant::now();
        let groups = lock(&self.groups);
        let members = groups.get(group).into_iter().flat_map(HashMap::values);
        members.map(|until| u64::from(*until > now)).sum()
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
        if let Some(held) = claims.by_key.get(key).filter(|held| held.until > now && held.owner != owner) {
            return Ok(Claim::Held(held.owner.clone()));
        }
        claims.make_room(key, now)?;
        claims.by_key.insert(key.to_owned(), Claimed { owner: owner.to_owned(), until: now + ttl });
        Ok(Claim::Mine)
    }

    pub(super) fn take(&self, key: &str, from: &str, owner: &str, ttl: Duration) -> bool {
        let now = Instant::now();
        let mut claims = lock(&self.claims);
        let held = claims.by_key.get_mut(key).filter(|held| held.until > now && held.owner == from);
        let Some(held) = held else { return false };
        *held = Claimed { owner: owner.to_owned(), until: now + ttl };
        true
    }

    pub(super) fn release(&self, key: &str, owner: &str) -> bool {
        let now = Instant::now();
        let mut claims = lock(&self.claims);
        let own = claims.by_key.get(key).is_some_and(|held| held.until > now && held.owner == owner);
        own && claims.by_key.remove(key).is_some()
    }

    pub(super) fn holder(&self, key: &str) -> Option<String> {
        let now = Instant::now();
        lock(&self.claims).by_key.get(key).filter(|held| held.until > now).map(|held| held.owner.clone())
    }
}

impl Counts {
    fn spend(&mut self, key: &str, amount: u32, max: u32, window: Duration) -> Result<(), Duration> {
        let now = Instant::now();
        while let Some((until, ended)) = self.by_end.first().cloned() {
            if until > now {
                break;
            }
            self.remove(&ended);
        }
        let (count, until) = match self.remove(key) {
            Some(Attempts { count, until, .. }) => (count, until),
            None => (0, now + window),
        };
        if self.attempts.len() >= KEYS_MAX
            && let Some((least, evicted)) = self.by_importance.first().cloned()
        {
            if least.is_exhausted {
                // Every key is one that is refused, so a new one cannot be counted and is refused too.
                let end = self.by_end.first().map_or(now + window, |(until, _)| *until);
                return Err(end.saturating_duration_since(now));
            }
            self.remove(&evicted);
        }
        let count = count.saturating_add(amount);
        self.insert(key.into(), Attempts { is_exhausted: count >= max, count, until });
        if count > max { Err(until.saturating_duration_since(now)) } else { Ok(()) }
    }

    fn insert(&mut self, key: Arc<str>, attempts: Attempts) {
        self.by_end.insert((attempts.until, Arc::clone(&key)));
        self.by_importance.insert((attempts, Arc::clone(&key)));
        self.attempts.insert(key, attempts);
    }

    fn remove(&mut self, key: &str) -> Option<Attempts> {
        let (key, attempts) = self.attempts.remove_entry(key)?;
        self.by_end.remove(&(attempts.until, Arc::clone(&key)));
        self.by_importance.remove(&(attempts, key));
        Some(attempts)
    }
}

impl Claims {
    /// Makes room for `key`: removes ended claims if there is none.
    fn make_room(&mut self, key: &str, now: Instant) -> Result<(), CoordinationError> {
        if self.by_key.len() < KEYS_MAX || self.by_key.contains_key(key) {
            return Ok(());
        }
        if self.purged_at.is_none_or(|at| now.duration_since(at) >= PURGE_INTERVAL) {
            self.by_key.retain(|_, claimed| claimed.until > now);
            self.purged_at = Some(now);
        }
        if self.by_key.len() < KEYS_MAX { Ok(()) } else { Err(CoordinationError::Full) }
    }
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
            assert_eq!(in_process.spend(&key, 1, 1, second), Ok(()));
            assert_eq!(in_process.claim(&key, "x", second), Ok(Claim::Mine));
        }
        assert_eq!(in_process.spend("more", 1, 1, second), Err(second), "what cannot be counted is refused");
        assert_eq!(in_process.spend("7", 1, 1, second), Err(second), "what is known is still counted");
        assert_eq!(in_process.claim("more", "x", second), Err(CoordinationError::Full));
        tokio::time::advance(second).await;
        assert_eq!(in_process.spend("more", 1, 1, second), Ok(()));
        assert_eq!(in_process.claim("more", "x", second), Ok(Claim::Mine));
        {
            let counts = lock(&in_process.attempts);
            assert_eq!((counts.attempts.len(), counts.by_end.len(), counts.by_importance.len()), (1, 1, 1));
            assert_eq!(lock(&in_process.claims).by_key.len(), 1);
        }

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

    #[tokio::test(start_paused = true)]
    async fn flood_of_keys_resets_no_count_that_matters() {
        let (in_process, hour) = (InProcess::default(), Duration::from_secs(3_600));
        for _ in 0..3 {
            assert_eq!(in_process.spend("refused", 1, 3, hour), Ok(()));
        }
        for _ in 0..2 {
            assert_eq!(in_process.spend("tried", 1, 3, hour), Ok(()));
        }
        for key in 0..3 * KEYS_MAX {
            assert_eq!(in_process.spend(&format!("made up {key}"), 1, 3, hour), Ok(()));
        }
        let counts = lock(&in_process.attempts);
        assert_eq!((counts.attempts.len(), counts.by_end.len()), (KEYS_MAX, KEYS_MAX));
        drop(counts);
        assert_eq!(in_process.spend("refused", 1, 3, hour), Err(hour));
        assert_eq!(in_process.spend("tried", 1, 3, hour), Ok(()));
        assert_eq!(in_process.spend("tried", 1, 3, hour), Err(hour));
    }
}
