//! Coordination through Redis: one connection for each task, which the connection manager of the `redis` crate re-establishes
//! with jitter and without limit. RESP3 carries the messages of channels on the same connection, which needs Redis 6 or later
//! (or Valkey).

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{
    Client, FromRedisValue, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError, Script,
    ScriptInvocation, TlsCertificates, Value,
    aio::{ConnectionManager, ConnectionManagerConfig, SendError},
};
use anyhow::Context as _;
use tokio::{runtime::Handle, time::timeout};

use super::{
    channels::{Channels, Heard, Subscription},
    in_process::InProcess,
    outcome::{Claim, CoordinationError},
};
use crate::metrics::Metrics;

pub const CALL_TIMEOUT: Duration = Duration::from_millis(500);

/// Timeout of a call while Redis is known to be down, so that callers do not wait in vain.
pub const DOWN_TIMEOUT: Duration = Duration::from_millis(50);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// First and maximum delay between two attempts to connect.
const RECONNECT_DELAYS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// Prefix of all keys and channels.
const PREFIX: &str = "nova:";

/// Adds an amount; returns the rest of the window in milliseconds if the sum exceeds the limit, otherwise -1.
const SPEND: &str = r"
    local count = redis.call('INCRBY', KEYS[1], ARGV[3])
    local left = redis.call('PTTL', KEYS[1])
    if left < 0 then
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        left = tonumber(ARGV[2])
    end
    if count > tonumber(ARGV[1]) then return left end
    return -1";

/// Claims a key; returns its owner.
const CLAIM: &str = r"
    local holder = redis.call('GET', KEYS[1])
    if holder and holder ~= ARGV[1] then return holder end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return ARGV[1]";

const TAKE: &str = r"
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return 1";

const RELEASE: &str = r"
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])";

/// Makes a member of a group unless it is full; members whose time is over do not count. Returns whether it is one. The time is
/// that of Redis, so clocks of tasks do not matter.
const ENTER: &str = r"
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    local is_member = redis.call('ZSCORE', KEYS[1], ARGV[1])
    if not is_member and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
    redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return 1";

/// Counts the members of a group.
const MEMBERS: &str = r"
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    return redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')";

pub struct Redis {
    connection: ConnectionManager,
    channels: Channels,
    /// Serializes subscribing and unsubscribing.
    subscribing: Arc<tokio::sync::Mutex<()>>,
    spend: Script,
    enter: Script,
    members: Script,
    claim: Script,
    take: Script,
    release: Script,
    is_down: AtomicBool,
    /// Counts attempts while Redis is down.
    fallback: Box<InProcess>,
    metrics: Arc<Metrics>,
}

impl Redis {
    /// See [`super::Coordination::redis`].
    pub(super) fn new(url: &str, ca_bundle: Option<&Path>, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        // The URL may hold a password, so messages do not contain it.
        let info = url.into_connection_info().map_err(|error| anyhow::anyhow!("NOVA_REDIS_URL: {error}"))?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings);
        // The process has one TLS provider; installing it a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = match ca_bundle.filter(|_| url.starts_with("rediss:")) {
            None => Client::open(info),
            Some(path) => {
                let root_cert = std::fs::read(path).context("AWS_CA_BUNDLE is not readable")?;
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
            }
        };
        let client = client.context("NOVA_REDIS_URL cannot be used")?;
        let channels = Channels::default();
        let heard = channels.clone();
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(CALL_TIMEOUT))
            .set_min_delay(RECONNECT_DELAYS[0])
            .set_max_delay(RECONNECT_DELAYS[1])
            .set_number_of_retries(usize::MAX)
            .set_push_sender(move |push: PushInfo| -> Result<(), SendError> {
                receive(&heard, &push);
                Ok(())
            })
            .set_automatic_resubscription();
        let connection = ConnectionManager::new_lazy_with_config(client, config);
        Ok(Self {
            connection: connection.context("the connection to Redis cannot be set up")?,
            channels,
            subscribing: Arc::default(),
            spend: Script::new(SPEND),
            enter: Script::new(ENTER),
            members: Script::new(MEMBERS),
            claim: Script::new(CLAIM),
            take: Script::new(TAKE),
            release: Script::new(RELEASE),
            is_down: AtomicBool::new(false),
            fallback: Box::default(),
            metrics,
        })
    }

    /// What counts attempts while Redis is down.
    pub(super) fn fallback(&self) -> &InProcess {
        &self.fallback
    }

    pub(super) async fn spend(
        &self,
        key: &str,
        amount: u32,
        max: u32,
        window: Duration,
    ) -> Result<Result<(), Duration>, CoordinationError> {
        let mut script = self.spend.prepare_invoke();
        script.key(format!("{PREFIX}attempts:{key}")).arg(max).arg(milliseconds(window)).arg(amount);
        let left_ms: i64 = self.run(&script).await?;
        Ok(u64::try_from(left_ms).map_or(Ok(()), |left_ms| Err(Duration::from_millis(left_ms))))
    }

    pub(super) async fn forget(&self, key: &str) -> Result<(), CoordinationError> {
        let mut command = ::redis::cmd("DEL");
        command.arg(format!("{PREFIX}attempts:{key}"));
        let mut connection = self.connection.clone();
        self.call(async move { command.query_async::<()>(&mut connection).await }).await
    }

    pub(super) async fn publish(&self, channel: &str, message: &str) -> Result<(), CoordinationError> {
        let mut command = ::redis::cmd("PUBLISH");
        command.arg(format!("{PREFIX}{channel}")).arg(message);
        let mut connection = self.connection.clone();
        self.call(async move { command.query_async::<()>(&mut connection).await }).await
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Result<Subscription, CoordinationError> {
        let guard = self.subscribing.lock().await;
        let is_new = !self.channels.has_subscribers(channel);
        let subscription = self.channels.subscribe(channel, Some(self.unsubscribe()))?;
        if is_new {
            let mut connection = self.connection.clone();
            let name = format!("{PREFIX}{channel}");
            self.call(async move { connection.subscribe(name).await }).await?;
        }
        drop(guard);
        Ok(subscription)
    }

    pub(super) async fn claim(
        &self,
        key: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Claim, CoordinationError> {
        let mut script = self.claim.prepare_invoke();
        script.key(format!("{PREFIX}claim:{key}")).arg(owner).arg(milliseconds(ttl));
        let holder: String = self.run(&script).await?;
        Ok(if holder == owner { Claim::Mine } else { Claim::Held(holder) })
    }

    pub(super) async fn take(
        &self,
        key: &str,
        from: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, CoordinationError> {
        let mut script = self.take.prepare_invoke();
        script.key(format!("{PREFIX}claim:{key}")).arg(from).arg(owner).arg(milliseconds(ttl));
        self.run(&script).await
    }

    pub(super) async fn release(&self, key: &str, owner: &str) -> Result<bool, CoordinationError> {
        let mut script = self.release.prepare_invoke();
        script.key(format!("{PREFIX}claim:{key}")).arg(owner);
        self.run(&script).await
    }

    pub(super) async fn enter(
        &self,
        group: &str,
        member: &str,
        max: u32,
        ttl: Duration,
    ) -> Result<bool, CoordinationError> {
        let mut script = self.enter.prepare_invoke();
        script.key(format!("{PREFIX}group:{group}")).arg(member).arg(max).arg(milliseconds(ttl));
        self.run(&script).await
    }

    pub(super) async fn remove_member(&self, group: &str, member: &str) -> Result<(), CoordinationError> {
        let mut command = ::redis::cmd("ZREM");
        command.arg(format!("{PREFIX}group:{group}")).arg(member);
        let mut connection = self.connection.clone();
        self.call(async move { command.query_async::<()>(&mut connection).await }).await
    }

    pub(super) async fn members(&self, group: &str) -> Result<u64, CoordinationError> {
        let mut script = self.members.prepare_invoke();
        script.key(format!("{PREFIX}group:{group}"));
        self.run(&script).await
    }

    pub(super) async fn holder(&self, key: &str) -> Result<Option<String>, CoordinationError> {
        let mut command = ::redis::cmd("GET");
        command.arg(format!("{PREFIX}claim:{key}"));
        let mut connection = self.connection.clone();
        self.call(async move { command.query_async(&mut connection).await }).await
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, CoordinationError> {
        let mut connection = self.connection.clone();
        self.call(async move { script.invoke_async(&mut connection).await }).await
    }

    /// Awaits a call with its timeout. Logs once when Redis goes down and once when it is back.
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, CoordinationError> {
        let was_down = self.is_down.load(Ordering::Relaxed);
        let longest = if was_down { DOWN_TIMEOUT } else { CALL_TIMEOUT };
        let failure = match timeout(longest, call).await {
            Ok(Ok(answer)) => {
                if self.is_down.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is reachable again");
                }
                return Ok(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timeout".to_owned(),
        };
        self.metrics.failed_coordination_calls.increment();
        if !self.is_down.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = failure,
                "Redis is unreachable: each task counts attempts by itself, presence is local to this task, results are polled"
            );
        }
        Err(CoordinationError::Unavailable)
    }

    /// A callback that unsubscribes from a channel without subscribers in this task.
    fn unsubscribe(&self) -> Box<dyn FnOnce(String) + Send> {
        let (mut connection, channels) = (self.connection.clone(), self.channels.clone());
        let (subscribing, runtime) = (Arc::clone(&self.subscribing), Handle::current());
        Box::new(move |channel| {
            runtime.spawn(async move {
                let _guard = subscribing.lock().await;
                if !channels.has_subscribers(&channel) {
                    // If this fails, the only cost is unused messages.
                    let _ = timeout(CALL_TIMEOUT, connection.unsubscribe(format!("{PREFIX}{channel}"))).await;
                }
            });
        })
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("is_down", &self.is_down).finish_non_exhaustive()
    }
}

fn receive(channels: &Channels, push: &PushInfo) {
    match (&push.kind, push.data.as_slice()) {
        (PushKind::Message, [channel, message]) => {
            if let (Some(channel), Some(message)) = (text(channel), text(message))
                && let Some(channel) = channel.strip_prefix(PREFIX)
            {
                channels.send(channel, Heard::Message(message));
            }
        }
        // What is published until the connection is back is lost here.
        (PushKind::Disconnection | PushKind::Subscribe, _) => channels.notify_gap(),
        _ => {}
    }
}

fn text(value: &Value) -> Option<String> {
    String::from_redis_value_ref(value).ok()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
