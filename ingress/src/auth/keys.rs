//! The key set of the user pool, fetched when a key is not known and from time to time. A key that is not in the
//! set is remembered for a while, and fetches keep a distance, so that made-up key ids cost the pool nothing.

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

use super::Unauthorized;

/// Shortest time between two fetches.
const REFETCH_AFTER: Duration = Duration::from_secs(10);

/// Keys older than this are fetched again.
const STALE_AFTER: Duration = Duration::from_secs(3600);

/// Longest time of one fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest key set, in bytes.
const SET_BYTES_MAX: usize = 256 * 1024;

/// Unknown keys that are remembered.
const UNKNOWN_MAX: usize = 1_000;

/// How long an unknown key stays unknown.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// Longest key id, in bytes.
const KID_BYTES_MAX: usize = 256;

/// See the module.
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

    /// The key `kid`.
    ///
    /// # Errors
    /// [`Unauthorized::Invalid`] for a key that is not in the set, [`Unauthorized::KeysUnavailable`] without a set.
    pub async fn get(&self, kid: &str) -> Result<DecodingKey, Unauthorized> {
        const UNKNOWN: Unauthorized = Unauthorized::Invalid("its key is unknown");
        if kid.len() > KID_BYTES_MAX {
            return Err(UNKNOWN);
        }
        // Held over the fetch on purpose: whoever else needs the new set waits for this one fetch.
        let mut cache = self.cache.lock().await;
        let stale = cache.fetched_at.is_none_or(|at| at.elapsed() > STALE_AFTER);
        if let Some(key) = cache.keys.get(kid)
            && !stale
        {
            return Ok(key.clone());
        }
        if cache.unknown.get(kid).is_some_and(|at| at.elapsed() < UNKNOWN_FOR) {
            return Err(UNKNOWN);
        }
        if cache.tried_at.is_none_or(|at| at.elapsed() >= REFETCH_AFTER) {
            cache.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    cache.keys = keys;
                    cache.fetched_at = Some(Instant::now());
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the key set could not be fetched");
                }
            }
        }
        if let Some(key) = cache.keys.get(kid) {
            return Ok(key.clone());
        }
        if cache.fetched_at.is_none() {
            return Err(Unauthorized::KeysUnavailable);
        }
        cache.forget_old();
        if cache.unknown.len() < UNKNOWN_MAX {
            cache.unknown.insert(kid.to_owned(), Instant::now());
        }
        Err(UNKNOWN)
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
    fn forget_old(&mut self) {
        self.unknown.retain(|_, at| at.elapsed() < UNKNOWN_FOR);
    }
}
