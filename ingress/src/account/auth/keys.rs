//! The key set of the user pool, fetched when a key is unknown and when the set is old. Unknown key ids are remembered for a
//! while and fetches are rate limited, so invented key ids do not load the pool.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, JwkSet},
};
use tokio::sync::Mutex;

use super::TokenError;

/// Minimum time between two fetches.
const REFETCH_AFTER: Duration = Duration::from_secs(10);

/// Maximum age of the key set before it is fetched again.
const STALE_AFTER: Duration = Duration::from_secs(3600);

const FETCH_TIMEOUT: Duration = Duration::from_secs(4);

/// Maximum size of a key set, in bytes.
const SET_BYTES_MAX: usize = 256 * 1024;

/// Maximum number of unknown key ids that are remembered.
const UNKNOWN_MAX: usize = 1_000;

/// How long an unknown key id is remembered.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// Maximum length of a key id, in bytes.
const KID_BYTES_MAX: usize = 256;

const UNKNOWN: TokenError = TokenError::Invalid("its key is unknown");

/// The cached key set.
#[derive(Debug)]
pub struct Keys {
    url: String,
    http: reqwest::Client,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    keys: HashMap<String, DecodingKey>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    unknown: HashMap<String, Instant>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// The key set at `url`.
    #[must_use]
    pub fn new(url: String, http: reqwest::Client) -> Self {
        Self { url, http, cache: Mutex::default() }
    }

    /// Returns the key `kid`.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] for a key that is not in the set, [`TokenError::KeysUnavailable`] if no set could be fetched yet.
    pub async fn get(&self, kid: &str) -> Result<DecodingKey, TokenError> {
        if kid.len() > KID_BYTES_MAX {
            return Err(UNKNOWN);
        }
        // Held during the fetch on purpose: other callers that need the new set wait for this one fetch.
        let mut cache = self.cache.lock().await;
        if let Some(known) = cache.known(kid, Instant::now()) {
            return known.ok_or(UNKNOWN);
        }
        if cache.may_fetch(Instant::now()) {
            match self.fetch().await {
                Ok(keys) => cache.replace(keys, Instant::now()),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "failed to fetch the key set");
                }
            }
        }
        if cache.fetched_at.is_none() {
            return Err(TokenError::KeysUnavailable);
        }
        cache.look_up(kid, Instant::now()).ok_or(UNKNOWN)
    }

    async fn fetch(&self) -> anyhow::Result<HashMap<String, DecodingKey>> {
        let response = self.http.get(&self.url).timeout(FETCH_TIMEOUT).send().await?.error_for_status()?;
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk?);
            ensure!(body.len() <= SET_BYTES_MAX, "the key set is longer than {SET_BYTES_MAX} bytes");
        }
        let set: JwkSet = serde_json::from_slice(&body).context("the key set is not JSON web keys")?;
        let rsa = set.keys.iter().filter(|key| matches!(key.algorithm, AlgorithmParameters::RSA(_)));
        let keys = rsa.filter_map(|key| Some((key.common.key_id.clone()?, DecodingKey::from_jwk(key).ok()?)));
        Ok(keys.collect())
    }
}

impl Cache {
    /// What the cache knows about a key: `Some(None)` if the key is known to be unknown, `None` if a fetch is needed.
    fn known(&self, kid: &str, now: Instant) -> Option<Option<DecodingKey>> {
        let is_fresh = self.fetched_at.is_some_and(|at| now - at <= STALE_AFTER);
        if let Some(key) = self.keys.get(kid)
            && is_fresh
        {
            return Some(Some(key.clone()));
        }
        self.unknown.get(kid).is_some_and(|at| now - *at < UNKNOWN_FOR).then_some(None)
    }

    /// Whether a fetch is allowed at `now`; if so, the next one must wait from `now`.
    fn may_fetch(&mut self, now: Instant) -> bool {
        let may = self.tried_at.is_none_or(|at| now - at >= REFETCH_AFTER);
        if may {
            self.tried_at = Some(now);
        }
        may
    }

    fn replace(&mut self, keys: HashMap<String, DecodingKey>, now: Instant) {
        self.keys = keys;
        self.fetched_at = Some(now);
    }

    /// Looks `kid` up in the set, however old it is. An unknown id is remembered if there is room.
    fn look_up(&mut self, kid: &str, now: Instant) -> Option<DecodingKey> {
        let key = self.keys.get(kid).cloned();
        if key.is_none() {
            self.unknown.retain(|_, at| now - *at < UNKNOWN_FOR);
            if self.unknown.len() < UNKNOWN_MAX {
                self.unknown.insert(kid.to_owned(), now);
            }
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use axum::{Router, routing::get};
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    fn keys_of(names: &[&str]) -> HashMap<String, DecodingKey> {
        names.iter().map(|name| ((*name).to_owned(), DecodingKey::from_secret(name.as_bytes()))).collect()
    }

    /// A key set at a loopback address whose body is `body`, and how often it was fetched.
    async fn served(body: String) -> (Keys, Arc<AtomicUsize>) {
        let fetches = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&fetches);
        let set = get(async move || {
            counter.fetch_add(1, Ordering::Relaxed);
            body
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let keys = keys_at(&listener);
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", set)).await });
        (keys, fetches)
    }

    fn keys_at(listener: &TcpListener) -> Keys {
        // The process has one TLS provider; installing it a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Keys::new(format!("http://{}/", listener.local_addr().unwrap()), http)
    }

    const SET: &str =
        r#"{"keys":[{"kty":"RSA","kid":"ours","n":"AQAB","e":"AQAB"},{"kty":"oct","kid":"odd","k":"AQ"}]}"#;

    #[test]
    fn a_key_is_known_until_the_set_is_old_and_still_used_when_no_newer_set_comes() {
        let start = Instant::now();
        let mut cache = Cache::default();
        assert!(cache.known("a", start).is_none());
        cache.replace(keys_of(&["a"]), start);
        assert!(matches!(cache.known("a", start + STALE_AFTER), Some(Some(_))));
        let later = start + STALE_AFTER + Duration::from_millis(1);
        assert!(cache.known("a", later).is_none());
        assert!(cache.look_up("a", later).is_some());
    }

    #[test]
    fn fetches_keep_their_distance() {
        let start = Instant::now();
        let mut cache = Cache::default();
        assert!(cache.may_fetch(start));
        assert!(!cache.may_fetch(start + REFETCH_AFTER - Duration::from_millis(1)));
        assert!(cache.may_fetch(start + REFETCH_AFTER));
    }

    #[test]
    fn unknown_keys_are_remembered_for_a_while_and_not_without_bound() {
        let start = Instant::now();
        let mut cache = Cache::default();
        for number in 0..UNKNOWN_MAX + 10 {
            assert!(cache.look_up(&number.to_string(), start).is_none());
        }
        assert_eq!(cache.unknown.len(), UNKNOWN_MAX);
        let before = start + UNKNOWN_FOR - Duration::from_millis(1);
        assert!(matches!(cache.known("0", before), Some(None)));
        assert!(cache.known("0", start + UNKNOWN_FOR).is_none());
        cache.look_up("new", start + UNKNOWN_FOR);
        assert_eq!(cache.unknown.len(), 1, "what is forgotten makes room");
    }

    #[tokio::test]
    async fn made_up_key_ids_cost_the_pool_one_fetch() {
        let (keys, fetches) = served(SET.to_owned()).await;
        for number in 0..50 {
            assert_eq!(keys.get(&format!("made up {number}")).await.err(), Some(UNKNOWN));
        }
        assert!(keys.get("ours").await.is_ok());
        assert_eq!(keys.get("odd").await.err(), Some(UNKNOWN), "a key of another kind verifies nothing");
        assert_eq!(keys.get(&"k".repeat(KID_BYTES_MAX + 1)).await.err(), Some(UNKNOWN));
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_set_that_is_too_long_or_not_one_is_not_taken() {
        let long = SET.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(SET_BYTES_MAX)), 1);
        for body in [long, "no set".to_owned()] {
            let (keys, fetches) = served(body).await;
            for _ in 0..3 {
                assert_eq!(keys.get("ours").await.err(), Some(TokenError::KeysUnavailable));
            }
            assert_eq!(fetches.load(Ordering::Relaxed), 1, "failed fetches keep their distance, too");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_has_a_longest_time() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let keys = keys_at(&listener);
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            // Takes everything and says nothing.
            let _ = connection.read_to_end(&mut Vec::new()).await;
        });
        let begun = tokio::time::Instant::now();
        assert_eq!(keys.get("ours").await.err(), Some(TokenError::KeysUnavailable));
        assert_eq!(begun.elapsed().as_secs(), FETCH_TIMEOUT.as_secs());
    }
}
