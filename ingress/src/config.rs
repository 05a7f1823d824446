//! The configuration: environment variables, parsed once. Names of resources have no defaults. `Debug` does not show secrets.

use std::{fmt, net::SocketAddr, path::PathBuf};

use bytes::Bytes;
use clap::Parser;
use events::{
    journal::{JournalConfig, WATCH_DELAY_SECONDS, WATCH_DELAY_SECONDS_MAX},
    runtime::{bedrock::BedrockOptions, model_lifecycle::SPEECH_MODEL_DEFAULT},
};
use http::HeaderValue;
use secrecy::SecretString;

use crate::{
    account::email::{Email, EmailError, RefusedDomains},
    account::keyring::Keyring,
    live::conversation::Limits,
    live::ticket::TicketKeys,
    live::upload::recording,
};

/// The realtime ingress of Nova English Learning.
#[derive(Clone, Debug, Parser)]
#[command(name = "ingress", version)]
pub struct Config {
    /// Address to listen on
    #[arg(long, env = "NOVA_LISTEN", default_value = "0.0.0.0:3000")]
    pub listen: SocketAddr,
    /// Conversations table
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// Images table
    #[arg(long, env = "NOVA_IMAGES_TABLE")]
    pub images_table: String,
    /// Users table
    #[arg(long, env = "NOVA_USERS_TABLE")]
    pub users_table: String,
    /// Bucket for recordings
    #[arg(long, env = "NOVA_AUDIO_BUCKET")]
    pub audio_bucket: String,
    /// Bucket for transcripts and assessments
    #[arg(long, env = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// Bucket for image files
    #[arg(long, env = "NOVA_IMAGES_BUCKET")]
    pub images_bucket: String,
    /// UserProgress table
    #[arg(long, env = "NOVA_PROGRESS_TABLE")]
    pub progress_table: String,
    /// Effects table, with the workers' completion markers
    #[arg(long, env = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// Queue of the erasure worker
    #[arg(long, env = "NOVA_ERASURE_QUEUE_URL")]
    pub erasure_queue_url: String,
    /// Event bus
    #[arg(long, env = "NOVA_EVENT_BUS")]
    pub event_bus: String,
    /// Queue of the watchdog
    #[arg(long, env = "NOVA_WATCHDOG_QUEUE_URL")]
    pub watchdog_queue_url: String,
    /// Queues of all workers, separated by commas, for operators
    #[arg(long, env = "NOVA_WORKER_QUEUE_URLS", value_delimiter = ',', required = true)]
    pub worker_queue_urls: Vec<String>,
    /// All dead-letter queues, separated by commas, for operators
    #[arg(long, env = "NOVA_WATCHED_QUEUE_URLS", value_delimiter = ',', required = true)]
    pub watched_queue_urls: Vec<String>,
    /// Interval in which the watchdog checks a conversation, in seconds, 1 to 900
    #[arg(
        long,
        env = "NOVA_WATCH_DELAY_SECONDS",
        default_value_t = WATCH_DELAY_SECONDS,
        value_parser = clap::value_parser!(i32).range(1..=i64::from(WATCH_DELAY_SECONDS_MAX))
    )]
    pub watch_delay_seconds: i32,
    /// Sessions table
    #[arg(long, env = "NOVA_SESSIONS_TABLE")]
    pub sessions_table: String,
    /// App client of the user pool, which only this service uses
    #[arg(long, env = "NOVA_CLIENT_ID")]
    pub client_id: String,
    /// Secret of the app client
    #[arg(long, env = "NOVA_CLIENT_SECRET", hide_env_values = true)]
    pub client_secret: SecretString,
    /// Secret of which the keys of access tokens, session cookies and stored sessions are derived, at least 32 bytes, the same
    /// for all tasks. While it is replaced: the new and the old one, separated by a comma
    #[arg(long, env = "NOVA_ACCOUNT_SECRET", hide_env_values = true)]
    pub account_secret: Keyring,
    /// User pool of the app client
    #[arg(long, env = "NOVA_USER_POOL_ID")]
    pub user_pool_id: String,
    /// Identity pool of the user pool
    #[arg(long, env = "NOVA_IDENTITY_POOL_ID")]
    pub identity_pool_id: String,
    /// E-mail domains that cannot sign up, besides the built-in ones, separated by commas; a leading minus sign removes one
    /// from the built-in list
    #[arg(long, env = "NOVA_REFUSED_EMAIL_DOMAINS", default_value = "")]
    pub refused_email_domains: RefusedDomains,
    /// Trusted proxies in front of this task, at most 8, each of which appends the IP address of its client to
    /// X-Forwarded-For: a load balancer is one, CloudFront in front of it another. With 0 the header is ignored
    #[arg(
        long,
        env = "NOVA_TRUSTED_PROXIES",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=8)
    )]
    pub trusted_proxies: u8,
    /// Sender of the mails about changes of an account, of a domain that SES has verified; without it none are sent
    #[arg(long, env = "NOVA_MAIL_FROM", value_parser = sender)]
    pub mail_from: Option<String>,
    /// Step of the duration of responses of /auth, in milliseconds: each takes a multiple of it, so that its duration does not
    /// reveal whether an account exists. Above the 99th percentile of the user pool's calls
    #[arg(
        long,
        env = "NOVA_AUTH_RESPONSE_MS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u64).range(1..=5_000)
    )]
    pub auth_response_ms: u64,
    /// Maximum number of open connections of this task, WebSockets included; the limit of open files lowers it
    #[arg(long, env = "NOVA_CONNECTIONS_MAX", default_value_t = 4096, value_parser = positive)]
    pub connections_max: usize,
    /// Maximum number of open connections of one IPv4 address or IPv6 /64; it applies only without trusted proxies
    #[arg(long, env = "NOVA_CONNECTIONS_PER_ADDRESS_MAX", default_value_t = 400, value_parser = positive)]
    pub connections_per_address_max: usize,
    /// Time for which a connection without a request stays open, in seconds; longer than the idle timeout of a load balancer in
    /// front
    #[arg(long, env = "NOVA_KEEP_ALIVE_SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub keep_alive_seconds: u64,
    /// Send cookies without the attribute Secure to pages at http://localhost, which have no TLS. For development
    #[arg(long, env = "NOVA_LOCALHOST_COOKIES")]
    pub localhost_cookies: bool,
    /// Keys of tickets, at least 32 bytes each, separated by commas: the first signs, all verify. While the key is replaced there
    /// are three: the current one, the next one and the one before
    #[arg(long, env = "NOVA_TICKET_KEY", hide_env_values = true)]
    pub ticket_key: TicketKeys,
    /// Stage of the deployment, shown to the page
    #[arg(long, env = "NOVA_STAGE", default_value = "production")]
    pub stage: String,
    /// The models are simulated, which the page shows
    #[arg(long, env = "NOVA_MODELS_SIMULATED")]
    pub models_simulated: bool,
    /// Code that confirms every sign-up of a local user pool, for the page. For development
    #[arg(long, env = "NOVA_CONFIRMATION_CODE")]
    pub confirmation_code: Option<String>,
    /// Id of the speech model
    #[arg(long, env = "NOVA_SONIC_MODEL_ID", default_value = SPEECH_MODEL_DEFAULT)]
    pub sonic_model_id: String,
    /// WAV file with a spoken greeting, at most 5 s. A first-generation model accepts no text, so the greeting is sent to it to
    /// make the tutor begin. Without it the learner begins
    #[arg(long, env = "NOVA_OPENING_CLIP", value_parser = clip)]
    pub opening_clip: Option<Clip>,
    /// Maximum number of concurrent conversations of this task; with the reserve it must be below the model's quota
    #[arg(long, env = "NOVA_CONVERSATIONS_MAX", default_value_t = 200, value_parser = positive)]
    pub conversations_max: usize,
    /// Streams reserved for renewals
    #[arg(long, env = "NOVA_RENEWAL_RESERVE", default_value_t = 20)]
    pub renewal_reserve: usize,
    /// Maximum number of streams of a connection to Bedrock
    #[arg(long, env = "NOVA_STREAMS_PER_CONNECTION_MAX", default_value_t = 50, value_parser = positive)]
    pub streams_per_connection_max: usize,
    /// Maximum number of streams to the model over all tasks, below the quota of the account; a tenth is reserved for renewals.
    /// Without it each task has its own bounds only
    #[arg(long, env = "NOVA_STREAMS_ACCOUNT_MAX", value_parser = clap::value_parser!(u32).range(1..))]
    pub streams_account_max: Option<u32>,
    /// Maximum duration of a conversation, in seconds
    #[arg(long, env = "NOVA_CONVERSATION_SECONDS_MAX", default_value_t = 3600)]
    pub conversation_seconds_max: u64,
    /// Silence after which a conversation ends, in seconds
    #[arg(long, env = "NOVA_SILENCE_SECONDS_MAX", default_value_t = 300)]
    pub silence_seconds_max: u64,
    /// Silence after which the tutor addresses the learner, in seconds
    #[arg(long, env = "NOVA_NUDGE_SECONDS", default_value_t = 25)]
    pub nudge_seconds: u64,
    /// Time for a client to reconnect after its connection was lost, in seconds
    #[arg(long, env = "NOVA_GRACE_SECONDS", default_value_t = 60)]
    pub grace_seconds: u64,
    /// Age from which a stream is renewed in a quiet moment, in seconds; a random delay of up to a minute, and of at most two thirds
    /// of the time until the forced renewal, is added
    #[arg(long, env = "NOVA_RENEW_AFTER_SECONDS", default_value_t = 360)]
    pub renew_after_seconds: u64,
    /// Age at which the renewal of a stream is forced, in seconds
    #[arg(long, env = "NOVA_RENEW_BY_SECONDS", default_value_t = 450)]
    pub renew_by_seconds: u64,
    /// URL of the Redis that the tasks of the ingress share, `redis://…` or `rediss://…`; without it this task must be the only one
    #[arg(long, env = "NOVA_REDIS_URL", hide_env_values = true, value_parser = redis_url)]
    pub redis_url: Option<SecretString>,
    /// Origin of the web app, e.g. `https://app.example.com`, whose pages may call the API; without it only pages of the same
    /// origin can
    #[arg(long, env = "NOVA_WEB_ORIGIN", value_parser = origin)]
    pub web_origin: Option<HeaderValue>,
    /// Folder with the built web page, to serve at `/`; without it there is no page. In production CloudFront serves it
    #[arg(long, env = "NOVA_WEB_DIR")]
    pub web_dir: Option<PathBuf>,
    /// Amazon Bedrock of another account.
    #[command(flatten)]
    pub bedrock: BedrockOptions,
    /// PEM file of certificates to trust, besides the platform's
    #[arg(long, env = "AWS_CA_BUNDLE")]
    pub ca_bundle: Option<PathBuf>,
}

/// A short recording.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip(Bytes);

impl Clip {
    /// PCM s16le, 16 kHz mono.
    #[must_use]
    pub fn pcm(&self) -> Bytes {
        self.0.clone()
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clip").field(&self.0.len()).finish()
    }
}

impl Config {
    #[must_use]
    pub fn journal(&self) -> JournalConfig {
        JournalConfig {
            table: self.conversations_table.clone(),
            effects_table: self.effects_table.clone(),
            watchdog_queue_url: self.watchdog_queue_url.clone(),
            watch_delay_seconds: self.watch_delay_seconds,
        }
    }

    /// The limits of one conversation. `jitter_permille` is a random number below 1000.
    #[must_use]
    pub fn limits(&self, jitter_permille: u16) -> Limits {
        // The last third of the window is left to find a quiet moment.
        let window_ms = 1_000 * self.renew_by_seconds.saturating_sub(self.renew_after_seconds);
        let spread_ms = (window_ms * 2 / 3).min(RENEWAL_SPREAD_MS_MAX);
        Limits {
            conversation_ms_max: self.conversation_seconds_max * 1_000,
            silence_ms_max: self.silence_seconds_max * 1_000,
            nudge_after_ms: self.nudge_seconds * 1_000,
            wrap_up_ms: (self.conversation_seconds_max * 1_000 / 4).min(WRAP_UP_MS_MAX),
            grace_ms_max: self.grace_seconds * 1_000,
            renew_after_ms: self.renew_after_seconds * 1_000 + spread_ms * u64::from(jitter_permille) / 1_000,
            renew_by_ms: self.renew_by_seconds * 1_000,
            stall_ms_max: STALL_MS_MAX,
        }
    }

    /// Maximum number of concurrent streams.
    #[must_use]
    pub fn streams_max(&self) -> usize {
        self.conversations_max + self.renewal_reserve
    }
}

/// Maximum random delay of a renewal, in milliseconds: streams that were opened together are not renewed together.
const RENEWAL_SPREAD_MS_MAX: u64 = 60_000;

/// Time before the end of a conversation at which the tutor is instructed to wrap up, in milliseconds; at most a quarter of the
/// conversation.
const WRAP_UP_MS_MAX: u64 = 60_000;

/// Maximum length of the opening clip, in samples at 16 kHz: 5 s.
const CLIP_SAMPLES_MAX: usize = 80_000;

/// Time without output after which an open stream counts as stalled while the learner waits, in milliseconds.
const STALL_MS_MAX: u64 = 15_000;

fn sender(text: &str) -> Result<String, String> {
    let email: Email = text.parse().map_err(|error: EmailError| error.to_string())?;
    Ok(email.as_str().to_owned())
}

fn redis_url(text: &str) -> Result<SecretString, String> {
    // The text may hold a password, so the error does not quote it.
    let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(text.into()),
        Some(_) | None => Err("it must begin with redis:// or rediss:// and have a host".to_owned()),
    }
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || "an origin is a scheme and a host without a path, e.g. https://app.example.com".to_owned();
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
    if origin != text {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}

fn clip(path: &str) -> Result<Clip, String> {
    let file = std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let samples = recording::decode(&file, || true).map_err(|refusal| refusal.to_string())?;
    if samples.len() > CLIP_SAMPLES_MAX {
        return Err("it is longer than 5 s".to_owned());
    }
    Ok(Clip(samples.into_iter().flat_map(i16::to_le_bytes).collect()))
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a whole number above 0".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// The part of the configuration that every page may know.
#[derive(Clone, Debug)]
pub struct PublicConfig {
    pub stage: String,
    pub models_simulated: bool,
    pub confirmation_code: Option<String>,
    pub conversation_seconds_max: u64,
    pub silence_seconds_max: u64,
    pub grace_seconds: u64,
}

impl PublicConfig {
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            stage: config.stage.clone(),
            models_simulated: config.models_simulated,
            confirmation_code: config.confirmation_code.clone(),
            conversation_seconds_max: config.conversation_seconds_max,
            silence_seconds_max: config.silence_seconds_max,
            grace_seconds: config.grace_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse(extra: &[&str]) -> Result<Config, clap::Error> {
        let required = [
            "ingress",
            "--conversations-table=c",
            "--images-table=i",
            "--users-table=u",
            "--audio-bucket=a",
            "--logs-bucket=l",
            "--images-bucket=p",
            "--progress-table=g",
            "--effects-table=e",
            "--erasure-queue-url=q",
            "--event-bus=b",
            "--watchdog-queue-url=w",
            "--sessions-table=s",
            "--worker-queue-urls=q",
            "--watched-queue-urls=d",
            "--client-id=x",
            "--client-secret=tangerine",
            "--account-secret=an account secret of tests with 32 bytes",
            "--user-pool-id=p",
            "--identity-pool-id=i",
        ];
        Config::try_parse_from(required.iter().chain(extra))
    }

    #[test]
    fn the_ticket_key_is_long_and_not_shown() {
        let key = "0123456789abcdef0123456789abcdef";
        let config = parse(&[&format!("--ticket-key={key}")]).unwrap();
        assert!(!format!("{config:?}").contains(key));
        assert!(parse(&["--ticket-key=short"]).unwrap_err().to_string().contains("32"));
    }

    #[test]
    fn secrets_of_accounts_are_long_and_not_shown() {
        let key = "--ticket-key=0123456789abcdef0123456789abcdef";
        let config = format!("{:?}", parse(&[key]).unwrap());
        assert!(!config.contains("tangerine") && !config.contains("account secret of tests"), "{config}");
        let error = "short".parse::<Keyring>().unwrap_err().to_string();
        assert!(error.contains("32 bytes"), "{error}");
    }

    #[test]
    fn the_redis_has_a_url_that_is_not_shown() {
        let key = "--ticket-key=0123456789abcdef0123456789abcdef";
        let config = parse(&[key, "--redis-url=rediss://:tangerine@cache.example:6379"]).unwrap();
        assert!(!format!("{config:?}").contains("tangerine"));
        assert_eq!(config.redis_url.unwrap().expose_secret(), "rediss://:tangerine@cache.example:6379");
        for wrong in ["cache.example:6379", "http://cache.example", "redis://"] {
            let error = parse(&[key, &format!("--redis-url={wrong}")]).unwrap_err().to_string();
            assert!(error.contains("rediss://"), "{error}");
        }
    }

    #[test]
    fn the_web_app_has_an_origin() {
        let key = "--ticket-key=0123456789abcdef0123456789abcdef";
        for right in ["https://app.example.com", "http://localhost:5173"] {
            let config = parse(&[key, &format!("--web-origin={right}")]).unwrap();
            assert_eq!(config.web_origin.unwrap(), right);
        }
        for wrong in ["https://app.example.com/", "app.example.com", "*", "ftp://app.example.com", "null"] {
            let error = parse(&[key, &format!("--web-origin={wrong}")]).unwrap_err().to_string();
            assert!(error.contains("without a path"), "{error}");
        }
    }

    #[test]
    fn proxies_are_counted_and_domains_are_read() {
        let key = "--ticket-key=0123456789abcdef0123456789abcdef";
        let config = parse(&[key]).unwrap();
        assert_eq!((config.trusted_proxies, config.localhost_cookies), (0, false));
        assert_eq!(config.refused_email_domains, RefusedDomains::built_in());
        assert_eq!(parse(&[key, "--trusted-proxies=8"]).unwrap().trusted_proxies, 8);
        let error = parse(&[key, "--trusted-proxies=9"]).unwrap_err().to_string();
        assert!(error.contains("0..=8"), "{error}");
        let error = parse(&[key, "--refused-email-domains=a b"]).unwrap_err().to_string();
        assert!(error.contains("separated by commas"), "{error}");
    }

    #[test]
    fn the_watchdog_looks_within_what_its_queue_can_delay() {
        let parse = |seconds: &str| {
            parse(&["--ticket-key=0123456789abcdef0123456789abcdef", "--watch-delay-seconds", seconds])
        };
        assert_eq!(parse("15").unwrap().watch_delay_seconds, 15);
        for seconds in ["0", "901"] {
            let error = parse(seconds).unwrap_err().to_string();
            assert!(error.contains(seconds) && error.contains("1..=900"), "{error}");
        }
    }

    #[test]
    fn the_tutor_has_a_minute_to_come_to_an_end_or_a_quarter_of_a_short_conversation() {
        let key = "--ticket-key=0123456789abcdef0123456789abcdef";
        assert_eq!(parse(&[key]).unwrap().limits(0).wrap_up_ms, WRAP_UP_MS_MAX);
        let short = parse(&[key, "--conversation-seconds-max=100"]).unwrap();
        assert_eq!(short.limits(0).wrap_up_ms, 25_000);
    }

    #[test]
    fn the_opening_clip_is_a_short_wav_file() {
        let folder = std::env::temp_dir().join(format!("nova-clip-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let parse_clip = |seconds: usize| {
            let path = folder.join(format!("{seconds}.wav"));
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: 16_000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            (0..16_000 * seconds).for_each(|_| writer.write_sample(100_i16).unwrap());
            writer.finalize().unwrap();
            let clip = format!("--opening-clip={}", path.display());
            parse(&["--ticket-key=0123456789abcdef0123456789abcdef", &clip])
        };
        let clip = parse_clip(1).unwrap().opening_clip.unwrap();
        assert_eq!(clip.pcm(), [100, 0].repeat(16_000));
        assert!(parse_clip(6).unwrap_err().to_string().contains("longer than 5 s"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn renewal_is_spread_and_stays_before_the_last_moment() {
        let config = parse(&["--ticket-key=0123456789abcdef0123456789abcdef"]).unwrap();
        assert_eq!(config.limits(0).renew_after_ms, 360_000);
        assert!(config.limits(999).renew_after_ms > 419_000);
        assert!(config.limits(999).renew_after_ms < config.limits(0).renew_by_ms);
        let key = "--ticket-key=0123456789abcdef0123456789abcdef";
        let config = parse(&[key, "--renew-after-seconds=40", "--renew-by-seconds=70"]).unwrap();
        assert!((59_000..=60_000).contains(&config.limits(999).renew_after_ms));
    }
}
