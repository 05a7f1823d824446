//! The state of the process: what handlers and background tasks use, built once from the configuration.

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use events::{
    account::ErasureQueue, audit::Audit, bus::Bus, journal::Journal, runtime::aws, spending::Spending,
};
use http::HeaderValue;
use tokio_util::sync::CancellationToken;

use crate::{
    account::accounts::Accounts,
    account::aws_credentials::IdentityPool,
    account::email::RefusedDomains,
    account::export::{Exports, OwnedData},
    account::keyring::Keyring,
    account::notices::Notices,
    account::sessions::AccountSessions,
    account::user_pool::UserPool,
    budget::Budget,
    config::{Config, PublicConfig},
    coordination::Coordination,
    live::admission::AdmissionControl,
    live::presence::Presence,
    live::session::{Dependencies, Sessions},
    live::sonic::{Sonic, StreamAuthScheme, account::AccountStreams},
    live::ticket::Tickets,
    live::upload::Intake,
    metrics::Metrics,
    server::connections::{ConnectionLimits, Connections},
    store::ops::Operations,
    store::{
        analyses::Analyses, documents::Documents, erasures::Erasures, images::Images,
        recovery_codes::RecoveryCodeStore, sessions::SessionStore, stores::Stores, users::Users,
    },
    web::WebFiles,
};

/// The state that handlers and background tasks share.
#[derive(Debug)]
pub struct AppState {
    /// The keys of accounts.
    pub keyring: Keyring,
    /// The sessions of signed-in learners.
    pub account_sessions: Arc<AccountSessions>,
    /// Issues tickets.
    pub tickets: Tickets,
    /// Who may talk now.
    pub admission_control: AdmissionControl,
    pub user_pool: UserPool,
    /// The identity pool.
    pub identity_pool: IdentityPool,
    /// E-mail domains that cannot sign up.
    pub refused_domains: RefusedDomains,
    /// See [`Config::trusted_proxies`].
    pub trusted_proxies: u8,
    /// See [`Config::localhost_cookies`].
    pub localhost_cookies: bool,
    /// See [`Config::auth_response_ms`].
    pub auth_response_step: Duration,
    /// What the tutor knows of the pictures.
    pub images: Images,
    pub accounts: Accounts,
    pub recovery_codes: RecoveryCodeStore,
    /// Mails about changes of an account.
    pub notices: Notices,
    /// Exports of all data about a learner.
    pub exports: Exports,
    /// Accepts uploaded turns.
    pub intake: Intake,
    /// Coordination with the other tasks.
    pub coordination: Arc<Coordination>,
    /// The tasks on which learners are live.
    pub presence: Presence,
    /// See [`Config::web_origin`].
    pub web_origin: Option<HeaderValue>,
    /// What the page may know of the configuration.
    pub public_config: PublicConfig,
    /// The web page, if this task serves it.
    pub web: Option<WebFiles>,
    /// Live conversations.
    pub sessions: Sessions,
    pub stores: Stores,
    /// What operators see.
    pub operations: Operations,
    /// Open connections.
    pub connections: Connections,
    pub metrics: Arc<Metrics>,
    /// The spending limits.
    pub budget: Arc<Budget>,
    /// Records reads of a learner's data by others.
    pub audit: Audit,
}

impl AppState {
    /// Builds the state. `bedrock` are the clients of the model, see [`bedrock_clients`]; `shutdown` ends the background tasks.
    ///
    /// # Errors
    /// A client cannot be built.
    pub fn new(
        config: &Config,
        sdk: &SdkConfig,
        bedrock: Vec<aws_sdk_bedrockruntime::Client>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let s3 = aws::s3_client(sdk);
        let bus = Bus::new(aws_sdk_eventbridge::Client::new(sdk), config.event_bus.clone(), "nova.ingress");
        let accounts = accounts(config, sdk, &bus);
        let metrics = Arc::new(Metrics::default());
        let owner = uuid::Uuid::new_v4().to_string();
        let (redis_url, ca_bundle) = (config.redis_url.as_ref(), config.ca_bundle.as_deref());
        let coordination = Arc::new(Coordination::new(redis_url, ca_bundle, Arc::clone(&metrics))?);
        let stores = Stores::new(config, sdk, &coordination, &metrics, shutdown);
        let owned_data = owned_data(config, &dynamodb, &s3, &stores);
        let exports = Exports::new(owned_data, Arc::clone(&coordination));
        let budget = Arc::new(Budget::new(Spending::new(dynamodb.clone(), &config.effects_table)));
        let dependencies = Dependencies {
            metrics: Arc::clone(&metrics),
            coordination: Arc::clone(&coordination),
            budget: Arc::clone(&budget),
            journal: Journal::new(dynamodb.clone(), aws_sdk_sqs::Client::new(sdk), config.journal()),
            bus,
            recordings: stores.recordings.clone(),
            analyses: Analyses::new(
                Journal::reader(dynamodb.clone(), &config.conversations_table),
                Documents::new(s3, config.logs_bucket.clone()),
            ),
            sonic: sonic(config, bedrock, &coordination),
            config: config.clone(),
            owner: owner.clone(),
        };
        let account_sessions = Arc::new(AccountSessions::new(
            SessionStore::new(dynamodb.clone(), config.sessions_table.clone()),
            config.account_secret.clone(),
            accounts.pool.clone(),
            Arc::clone(&coordination),
            Arc::clone(&metrics),
        ));
        Ok(Self {
            keyring: config.account_secret.clone(),
            account_sessions,
            tickets: Tickets::new(&config.ticket_key),
            admission_control: AdmissionControl::new(config.conversations_max),
            identity_pool: IdentityPool::new(sdk, config.identity_pool_id.clone(), &config.user_pool_id),
            user_pool: accounts.pool.clone(),
            refused_domains: config.refused_email_domains.clone(),
            trusted_proxies: config.trusted_proxies,
            localhost_cookies: config.localhost_cookies,
            auth_response_step: Duration::from_millis(config.auth_response_ms),
            images: Images::new(dynamodb.clone(), config.images_table.clone()),
            recovery_codes: RecoveryCodeStore::new(dynamodb, config.users_table.clone()),
            notices: notices(config, sdk, &accounts, &metrics),
            accounts,
            exports,
            intake: Intake::new(),
            presence: Presence::new(Arc::clone(&coordination), owner),
            coordination,
            web_origin: config.web_origin.clone(),
            public_config: PublicConfig::of(config),
            web: config.web_dir.clone().map(|directory| WebFiles { directory }),
            sessions: Sessions::new(dependencies),
            operations: Operations::new(config, sdk),
            stores,
            connections: Connections::new(connection_limits(config), Arc::clone(&metrics)),
            metrics,
            budget,
            audit: Audit::new(aws_sdk_dynamodb::Client::new(sdk), &config.effects_table),
        })
    }
}

fn accounts(config: &Config, sdk: &SdkConfig, bus: &Bus) -> Accounts {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    let Config { user_pool_id, client_id, client_secret, .. } = config;
    Accounts {
        users: Users::new(dynamodb.clone(), config.users_table.clone()),
        erasures: Erasures::new(dynamodb, config.effects_table.clone()),
        pool: UserPool::new(sdk, user_pool_id.clone(), client_id.clone(), client_secret.clone()),
        queue: ErasureQueue::new(aws_sdk_sqs::Client::new(sdk), config.erasure_queue_url.clone()),
        bus: bus.clone(),
    }
}

fn notices(config: &Config, sdk: &SdkConfig, accounts: &Accounts, metrics: &Arc<Metrics>) -> Notices {
    let Accounts { pool, users, .. } = accounts;
    Notices::new(sdk, config.mail_from.clone(), pool.clone(), users.clone(), Arc::clone(metrics))
}

fn owned_data(
    config: &Config,
    dynamodb: &aws_sdk_dynamodb::Client,
    s3: &aws_sdk_s3::Client,
    stores: &Stores,
) -> OwnedData {
    OwnedData {
        journal: Journal::reader(dynamodb.clone(), &config.conversations_table),
        dynamodb: dynamodb.clone(),
        progress_table: config.progress_table.clone(),
        s3: s3.clone(),
        signer: stores.signer.clone(),
        logs_bucket: config.logs_bucket.clone(),
        audio_bucket: config.audio_bucket.clone(),
    }
}

fn sonic(
    config: &Config,
    clients: Vec<aws_sdk_bedrockruntime::Client>,
    coordination: &Arc<Coordination>,
) -> Sonic {
    let account = AccountStreams::new(Arc::clone(coordination), config.streams_account_max);
    Sonic::new(config.sonic_model_id.clone(), clients, config.streams_per_connection_max, account)
}

fn connection_limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        max: config.connections_max,
        per_address_max: (config.trusted_proxies == 0).then_some(config.connections_per_address_max),
        idle_timeout: Duration::from_secs(config.keep_alive_seconds),
    }
}

/// As many clients as the streams need, each with its own connection. They have no timeouts, which would end a stream, and no
/// retries, because the SDK cannot repeat a stream.
///
/// # Errors
/// The certificates of [`Config::ca_bundle`] cannot be read.
pub fn bedrock_clients(
    config: &Config,
    sdk: &SdkConfig,
) -> anyhow::Result<Vec<aws_sdk_bedrockruntime::Client>> {
    use aws_sdk_bedrockruntime::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
    let count = config.streams_max().div_ceil(config.streams_per_connection_max);
    let sdk = config.bedrock.sdk_config(sdk);
    let client = |_| {
        let http = aws::http_client(config.ca_bundle.as_deref())?;
        let timeouts = TimeoutConfig::builder().connect_timeout(aws::CONNECT_TIMEOUT).build();
        let client = Builder::from(&sdk)
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .push_auth_scheme(StreamAuthScheme::default())
            .build();
        Ok(aws_sdk_bedrockruntime::Client::from_conf(client))
    };
    (0..count).map(client).collect()
}
