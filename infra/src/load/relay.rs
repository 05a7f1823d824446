//! `nova relay`: the reference relay, benchmark code. It does the least that a bridge between WebSocket clients and Amazon Nova
//! Sonic does, on the AWS SDK and its own signer: one task for each conversation copies audio in both directions. It has no
//! accounts, no journal, no state machine and no recordings, and no service is built on it.
//!
//! `nova load --compare` measures the ingress beside it. The relay is the fixed bar, so it shares no code of the live path with
//! the ingress, and an optimisation of the ingress does not change it. It speaks the part of the live protocol that an orderly
//! conversation of the load test uses, so that the same learners talk with both and check every word of both.

mod bridge;
mod model;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use aws_sdk_bedrockruntime::{
    Client,
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
};
use axum::{
    Json, Router,
    extract::{State, WebSocketUpgrade},
    response::Response,
    routing::{get, post},
    serve::ListenerExt as _,
};
use events::{
    contract::{ConversationId, live::PROTOCOL},
    runtime::aws,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Size of the read buffer of a WebSocket, in bytes: some frames of audio.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Most conversations on one connection to the model.
const STREAMS_PER_CONNECTION_MAX: usize = 50;

/// The options of `nova relay`.
#[derive(Clone, Debug, clap::Args)]
pub struct RelayOptions {
    /// Port on 127.0.0.1
    #[arg(long)]
    pub port: u16,
    /// Conversations for which connections to the model are opened
    #[arg(long, default_value_t = 200)]
    pub conversations: usize,
    /// The model
    #[arg(long, default_value = "amazon.nova-2-sonic-v1:0")]
    pub model_id: String,
}

#[derive(Debug)]
struct Relay {
    clients: Vec<Client>,
    next: AtomicUsize,
    model_id: String,
}

/// Runs until the process ends. Endpoint, region, credentials and certificates come from the variables of the AWS SDKs.
///
/// # Errors
/// The port is in use, or no region is configured.
pub async fn run(options: RelayOptions) -> anyhow::Result<()> {
    let sdk = aws::sdk_config().await?;
    let ca_bundle = std::env::var_os("AWS_CA_BUNDLE").map(std::path::PathBuf::from);
    let client = |_| {
        let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).build();
        let config = Builder::from(&sdk)
            .http_client(aws::http_client(ca_bundle.as_deref())?)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        anyhow::Ok(Client::from_conf(config.build()))
    };
    let count = options.conversations.div_ceil(STREAMS_PER_CONNECTION_MAX).max(1);
    let clients = (0..count).map(client).collect::<anyhow::Result<_>>()?;
    let relay = Relay { clients, next: AtomicUsize::new(0), model_id: options.model_id };
    let routes = Router::new()
        .route("/api/conversations", post(offer))
        .route("/api/live", get(connect))
        .with_state(Arc::new(relay));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
    let listener = listener.tap_io(|socket| {
        // A socket that is already closed has no options; its handler sees that.
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, routes).await.context("the relay stopped")
}

/// The response of the API that opens a conversation. The ticket is not checked.
async fn offer() -> Json<Value> {
    let id = ConversationId::new(Timestamp::now(), rand::random());
    Json(json!({ "conversationId": id, "ticket": "relay", "live": "/api/live" }))
}

async fn connect(State(relay): State<Arc<Relay>>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.protocols([PROTOCOL]).read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
    upgrade.on_upgrade(async move |socket| {
        let client = relay.next.fetch_add(1, Ordering::Relaxed) % relay.clients.len();
        if let Err(error) = bridge::run(socket, &relay.clients[client], &relay.model_id).await {
            tracing::warn!(error = format!("{error:#}"), "a conversation of the relay failed");
        }
    })
}
