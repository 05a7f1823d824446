//! Pre-signed S3 URLs of private objects, valid for a limited time. All such URLs are signed here.
//!
//! The signature dates from the start of the current quarter of an hour. The URL therefore stays the same for that long,
//! and a browser that requests it twice downloads the object once. S3 refuses a URL from the expiry of the credentials that
//! signed it, so credentials that end before the URL would are loaded again first; those of a container are renewed some
//! time before they end. What is promised is the earlier of both ends.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{IdentityCache, ProvideCredentials as _, SharedCredentialsProvider},
    presigning::PresigningConfig,
};
use events::runtime::{aws, failure::describe};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

/// How long a URL stays the same, in seconds.
const STEP_SECONDS: i64 = 15 * 60;

/// Minimum validity of a returned URL, in seconds, unless the task's credentials expire earlier.
pub const VALID_SECONDS_MIN: i64 = 45 * 60;

/// Minimum time between two loads of credentials that end too early.
const RELOAD_INTERVAL: Duration = Duration::from_secs(60);

/// The longest time to load credentials.
const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A pre-signed URL of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedUrl {
    /// The URL. It gives access without further authentication.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// When the URL expires.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// Signs URLs with the task's credentials. Clones share the credentials.
#[derive(Clone, Debug)]
pub struct Signer {
    s3: Client,
    provider: Option<SharedCredentialsProvider>,
    loaded: Arc<Mutex<Option<Loaded>>>,
}

/// A client with credentials that do not change, so that their expiry is known.
#[derive(Clone, Debug)]
struct Loaded {
    s3: Client,
    /// `None` for credentials without an end.
    expires_at: Option<Timestamp>,
    loaded_at: Instant,
}

impl Signer {
    /// Signs with the credentials of `sdk`.
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { s3: aws::s3_client(sdk), provider: sdk.credentials_provider(), loaded: Arc::default() }
    }

    /// Signs a URL of the object `key` of `bucket`. It makes no request to S3: the object may not exist.
    ///
    /// # Errors
    /// There are no credentials to sign with.
    pub async fn sign(&self, bucket: &str, key: &str, now: Timestamp) -> anyhow::Result<SignedUrl> {
        let (start, end) = window(now);
        let Loaded { s3, expires_at, .. } = self.credentials(now, end).await?;
        let lasts = Duration::from_secs((STEP_SECONDS + VALID_SECONDS_MIN).unsigned_abs());
        let start = SystemTime::try_from(start).context("the start of the signature is out of range")?;
        let config = PresigningConfig::builder().start_time(start).expires_in(lasts).build();
        let config = config.context("the validity of the signature is out of range")?;
        let signed = s3.get_object().bucket(bucket).key(key).presigned(config).await;
        let signed = signed.map_err(|error| describe(&error)).context("failed to sign a URL")?;
        let expires_at = expires_at.map_or(end, |expiry| expiry.min(end));
        Ok(SignedUrl { url: signed.uri().to_owned(), expires_at })
    }

    /// Credentials that last until `end`, or else the newest ones.
    async fn credentials(&self, now: Timestamp, end: Timestamp) -> anyhow::Result<Loaded> {
        // Held while they are loaded: one request loads, the others wait.
        let mut loaded = self.loaded.lock().await;
        let usable = loaded.clone().filter(|loaded| loaded.expires_at.is_none_or(|expiry| expiry > now));
        if let Some(usable) = &usable
            && (usable.expires_at.is_none_or(|expiry| expiry >= end)
                || usable.loaded_at.elapsed() < RELOAD_INTERVAL)
        {
            return Ok(usable.clone());
        }
        match (self.load().await, usable) {
            (Ok(fresh), _) => Ok(loaded.insert(fresh).clone()),
            (Err(error), Some(usable)) => {
                tracing::warn!(error = format!("{error:#}"), "the old credentials sign URLs");
                Ok(usable)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn load(&self) -> anyhow::Result<Loaded> {
        let provider = self.provider.as_ref().context("no credentials are configured")?;
        let credentials = tokio::time::timeout(LOAD_TIMEOUT, provider.provide_credentials()).await;
        let credentials = credentials.context("the credentials do not arrive")?;
        let credentials = credentials.context("failed to load credentials")?;
        let expires_at = credentials.expiry().map(Timestamp::try_from).transpose();
        let config = self.s3.config().to_builder();
        let config = config.identity_cache(IdentityCache::no_cache()).credentials_provider(credentials);
        Ok(Loaded {
            s3: Client::from_conf(config.build()),
            expires_at: expires_at.context("the expiry of the credentials is out of range")?,
            loaded_at: Instant::now(),
        })
    }
}

/// Start and end of the validity of a URL that is signed at `now`.
fn window(now: Timestamp) -> (Timestamp, Timestamp) {
    let start = now.as_second().div_euclid(STEP_SECONDS) * STEP_SECONDS;
    let at = |second| Timestamp::from_second(second).unwrap_or(now);
    (at(start), at(start + STEP_SECONDS + VALID_SECONDS_MIN))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_sdk_s3::config::{BehaviorVersion, Credentials, ProvideCredentials, Region};
    use jiff::SignedDuration;

    use super::*;

    /// Provides credentials that end at `ends`, the last of them again and again. The key id is the number of the call.
    #[derive(Debug)]
    struct Provider {
        ends: Vec<Timestamp>,
        calls: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Provider {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            let end = SystemTime::try_from(self.ends[call.min(self.ends.len() - 1)]).unwrap();
            let credentials = Credentials::new(format!("KEY{call}"), "secret", None, Some(end), "test");
            aws_credential_types::provider::future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    fn signer(ends: &[Timestamp]) -> (Signer, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let provider = Provider { ends: ends.to_vec(), calls: Arc::clone(&calls) };
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .build();
        (Signer::new(&sdk), calls)
    }

    fn now() -> Timestamp {
        "2026-11-26T10:20:00Z".parse().unwrap()
    }

    fn in_minutes(minutes: i64) -> Timestamp {
        now() + SignedDuration::from_mins(minutes)
    }

    #[tokio::test(start_paused = true)]
    async fn url_of_credentials_that_end_early_expires_with_them() {
        let (signer, calls) = signer(&[in_minutes(10), in_minutes(20)]);
        let signed = signer.sign("b", "k", now()).await.unwrap();
        assert_eq!(signed.expires_at, in_minutes(10));
        // Not for each URL, but again and again, until they last.
        assert_eq!(signer.sign("b", "k", now()).await.unwrap(), signed);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        tokio::time::advance(RELOAD_INTERVAL).await;
        let signed = signer.sign("b", "k", now()).await.unwrap();
        assert_eq!(signed.expires_at, in_minutes(20));
        assert!(signed.url.contains("KEY1"), "{}", signed.url);
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_are_loaded_again_when_less_than_the_promised_time_remains() {
        let (signer, calls) = signer(&[in_minutes(60), in_minutes(360)]);
        let promised = "2026-11-26T11:15:00Z".parse().unwrap();
        assert_eq!(signer.sign("b", "k", now()).await.unwrap().expires_at, promised);
        tokio::time::advance(RELOAD_INTERVAL).await;
        // Half an hour later 30 minutes remain, and 45 are promised at least.
        let signed = signer.sign("b", "k", in_minutes(30)).await.unwrap();
        assert_eq!(signed.expires_at, "2026-11-26T11:45:00Z".parse().unwrap());
        assert!(signed.url.contains("KEY1"), "{}", signed.url);
        for _ in 0..3 {
            tokio::time::advance(RELOAD_INTERVAL).await;
            signer.sign("b", "k", in_minutes(30)).await.unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2, "credentials that last are not loaded again");
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_have_ended_sign_nothing() {
        let (signer, calls) = signer(&[in_minutes(1), in_minutes(360)]);
        signer.sign("b", "k", now()).await.unwrap();
        // Within the interval, too.
        assert!(signer.sign("b", "k", in_minutes(2)).await.unwrap().url.contains("KEY1"));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn url_stays_the_same_for_a_quarter_of_an_hour_and_is_valid_for_longer() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let first = window(at("2026-11-26T10:15:00Z"));
        assert_eq!(first, window(at("2026-11-26T10:29:59.999Z")));
        assert_eq!(first, (at("2026-11-26T10:15:00Z"), at("2026-11-26T11:15:00Z")));
        assert_ne!(first, window(at("2026-11-26T10:30:00Z")));
        // Even a URL that is returned at the end of its quarter.
        let left = first.1.as_second() - at("2026-11-26T10:29:59Z").as_second();
        assert!(left >= VALID_SECONDS_MIN, "{left}");
    }
}
