//! The process as a whole: its clients, its routes, its start and its orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use axum::{Router, extract::DefaultBodyLimit, middleware, serve::ListenerExt as _};
use events::{
    account::ErasureQueue,
    bus::Bus,
    journal::{Journal, JournalConfig},
    runtime::{aws, metrics::write_until},
};
use http::HeaderValue;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    account::accounts::Accounts,
    account::auth::{Keys, Verifier},
    account::email::RefusedDomains,
    account::export::{Exports, Held},
    account::user_pool::UserPool,
    api,
    api::middleware as edge,
    api::problem::ApiError,
    config::Config,
    coordination::Coordination,
    live::admission::AdmissionControl,
    live::presence::Presence,
    live::session::{Dependencies, Sessions},
    live::sonic::{Sonic, StreamAuthScheme},
    live::ticket::Tickets,
    live::upload::Intake,
    metrics::{Metrics, measure},
    startup_check,
    store::{
        analyses::Analyses, audio::Recordings, documents::Documents, erasures::Erasures, images::Images,
        stores::Stores, users::Users,
    },
};

/// How long live conversations may take to end when the process is asked to stop: below the 120 s in which
/// Fargate waits for a task.
const STOP_TIMEOUT: Duration = Duration::from_secs(100);

/// How long the last answers may take.
const LAST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(5);

/// What the handlers of requests need.
#[derive(Debug)]
pub struct AppState {
    /// Verifies access tokens.
    pub verifier: Verifier,
    /// Issues tickets.
    pub tickets: Tickets,
    /// Who may talk now.
    pub admission_control: AdmissionControl,
    /// The user pool.
    pub user_pool: UserPool,
    /// E-mail domains that cannot sign up.
    pub refused_domains: RefusedDomains,
    /// Proxies in front that are believed: [`Config::trusted_proxies`].
    pub trusted_proxies: u8,
    /// See [`Config::localhost_cookies`].
    pub localhost_cookies: bool,
    /// Pictures.
    pub images: Images,
    /// The learners' accounts.
    pub accounts: Accounts,
    /// What is held about a learner, to take along.
    pub exports: Exports,
    /// Uploaded turns.
    pub intake: Intake,
    /// What the tasks share.
    pub coordination: Arc<Coordination>,
    /// Who is live where.
    pub presence: Presence,
    /// The origin whose pages may call the API.
    pub web_origin: Option<HeaderValue>,
    /// Live conversations.
    pub sessions: Sessions,
    /// The stores of the API.
    pub stores: Stores,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// Runs until `shutdown`, then ends the live conversations.
///
/// # Errors
/// The configuration cannot work, or the port cannot be opened.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let sdk = aws::sdk_config().await?;
    startup_check::check(&config, &sdk).await?;
    let bedrock = bedrock_clients(&config, &sdk)?;
    let app = Arc::new(AppState::new(&config, &sdk, bedrock, shutdown.clone())?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("failed to listen on {} (NOVA_LISTEN)", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    serve(app, listener, shutdown).await
}

/// Serves `app` on `listener` until `shutdown`, and while the live conversations end.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    app: Arc<AppState>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let stopped = CancellationToken::new();
    // A frame that follows another at once must not wait for the page's acknowledgement, which comes with its next
    // frame.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::warn!(error = %error, "a connection delays what it sends");
        }
    });
    let service = router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stopped.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    let ended = CancellationToken::new();
    let _end_background = ended.clone().drop_guard();
    let telling = tokio::spawn(write_until(ended.clone(), {
        let app = Arc::clone(&app);
        move || app.metrics.documents(app.sessions.count(), app.stores.results.places().count())
    }));
    let presence = app.presence.clone();
    let _keeping = AbortOnDropHandle::new(tokio::spawn(async move { presence.renew_claims().await }));
    shutdown.cancelled().await;
    app.admission_control.stop();
    app.sessions.hand_over();
    if tokio::time::timeout(STOP_TIMEOUT, app.sessions.ended()).await.is_err() {
        tracing::error!("conversations are left to the watchdog: they did not end in time");
    }
    stopped.cancel();
    let served = match tokio::time::timeout(LAST_ANSWERS_TIMEOUT, server).await {
        Ok(served) => served.context("the server failed")?.context("the server failed"),
        Err(_) => Ok(()),
    };
    ended.cancel();
    telling.await.context("the metrics failed")?;
    served
}

/// All routes, with what is around them.
pub fn router(app: Arc<AppState>) -> Router {
    let routes = api::resources().into_iter().flat_map(|(_, routes)| routes);
    let router = routes
        .fold(Router::new(), |router, route| router.route(route.path, route.handler()))
        .fallback(async || ApiError::NotFound("address"))
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(DefaultBodyLimit::max(edge::BODY_BYTES_MAX))
        .layer(middleware::from_fn(edge::in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), measure));
    let router = match app.web_origin.clone() {
        Some(origin) => router.layer(edge::cors(origin)),
        None => router,
    };
    router
        .layer(middleware::from_fn(edge::headers))
        .layer(middleware::from_fn(edge::request_id))
        .with_state(app)
}

impl AppState {
    /// What the handlers need, from the configuration of the AWS clients. `bedrock` are the clients of the model,
    /// see [`bedrock_clients`].
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(
        config: &Config,
        sdk: &SdkConfig,
        bedrock: Vec<aws_sdk_bedrockruntime::Client>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(aws::s3_force_path_style()).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let journal = JournalConfig {
            table: config.conversations_table.clone(),
            watchdog_queue_url: config.watchdog_queue_url.clone(),
            watch_delay_seconds: config.watch_delay_seconds,
        };
        let bus = Bus::new(aws_sdk_eventbridge::Client::new(sdk), config.event_bus.clone(), "nova.ingress");
        let user_pool = UserPool::new(sdk, config.user_pool_id.clone(), config.client_id.clone());
        let accounts = Accounts {
            users: Users::new(dynamodb.clone(), config.users_table.clone()),
            erasures: Erasures::new(dynamodb.clone(), config.effects_table.clone()),
            pool: user_pool.clone(),
            queue: ErasureQueue::new(aws_sdk_sqs::Client::new(sdk), config.erasure_queue_url.clone()),
            bus: bus.clone(),
        };
        let exports = Exports::new(Held {
            journal: Journal::reader(dynamodb.clone(), &config.conversations_table),
            dynamodb: dynamodb.clone(),
            progress_table: config.progress_table.clone(),
            s3: s3.clone(),
            logs_bucket: config.logs_bucket.clone(),
            audio_bucket: config.audio_bucket.clone(),
        });
        let metrics = Arc::new(Metrics::default());
        let owner = uuid::Uuid::new_v4().to_string();
        let coordination = Arc::new(Coordination::new(config, Arc::clone(&metrics))?);
        let stores = Stores::new(config, sdk, &s3, &coordination, &metrics, shutdown);
        let dependencies = Dependencies {
            metrics: Arc::clone(&metrics),
            journal: Journal::new(dynamodb.clone(), aws_sdk_sqs::Client::new(sdk), journal),
            bus,
            recordings: Recordings::new(s3.clone(), config.audio_bucket.clone()),
            analyses: Analyses::new(
                Journal::reader(dynamodb.clone(), &config.conversations_table),
                Documents::new(s3, config.logs_bucket.clone()),
            ),
            sonic: Sonic::new(config.sonic_model_id.clone(), bedrock, config.streams_per_connection_max),
            config: config.clone(),
            owner: owner.clone(),
        };
        let keys = Keys::new(config.jwks_url.clone(), http_client(config)?);
        Ok(Self {
            verifier: Verifier::new(config.token_issuer.clone(), config.client_id.clone(), keys),
            tickets: Tickets::new(config.ticket_key.reveal().as_bytes()),
            admission_control: AdmissionControl::new(config.conversations_max),
            user_pool,
            refused_domains: config.refused_email_domains.clone(),
            trusted_proxies: config.trusted_proxies,
            localhost_cookies: config.localhost_cookies,
            images: Images::new(dynamodb, config.images_table.clone()),
            accounts,
            exports,
            intake: Intake::new(),
            presence: Presence::new(Arc::clone(&coordination), owner),
            coordination,
            web_origin: config.web_origin.clone(),
            sessions: Sessions::new(dependencies),
            stores,
            metrics,
        })
    }
}

/// As many clients as the streams need, each with a connection of its own and without timeouts that would end a
/// stream. A stream cannot be repeated by the SDK, so nothing is.
///
/// # Errors
/// The certificates of [`Config::ca_bundle`] cannot be read.
pub fn bedrock_clients(
    config: &Config,
    sdk: &SdkConfig,
) -> anyhow::Result<Vec<aws_sdk_bedrockruntime::Client>> {
    use aws_sdk_bedrockruntime::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
    let count = config.streams_max().div_ceil(config.streams_per_connection_max);
    let client = |_| {
        let http = aws::http_client(config.ca_bundle.as_deref())?;
        let timeouts = TimeoutConfig::builder().connect_timeout(aws::CONNECT_TIMEOUT).build();
        let client = Builder::from(sdk)
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .push_auth_scheme(StreamAuthScheme::default())
            .build();
        Ok(aws_sdk_bedrockruntime::Client::from_conf(client))
    };
    (0..count).map(client).collect()
}

fn http_client(config: &Config) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder();
    if let Some(path) = &config.ca_bundle {
        let pem = std::fs::read(path)
            .with_context(|| format!("AWS_CA_BUNDLE {} is not readable", path.display()))?;
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?);
    }
    // The process has one TLS provider; installing it a second time changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder.build().context("failed to set up the HTTP client")
}
