//! The server: start, routes with their middleware, and orderly shutdown.

mod accept;
mod connection;
pub mod connections;
mod files;
mod unread_body;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware,
    response::{IntoResponse as _, Response},
};
use events::runtime::{aws, metrics::write_until};
use http::Method;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    api::{
        self, access,
        auth::{self, response_time},
        middleware::{BODY_BYTES_MAX, cors, default_headers, request_id, timeout},
        openapi::{OpenApi, document},
        problem::ApiError,
        route::Route,
    },
    app::{AppState, bedrock_clients},
    config::Config,
    live::admission::AdmissionError,
    startup_check,
};
use accept::{Routers, accept_until};

/// Time for live conversations to end or be handed over on shutdown: below the 120 s that Fargate waits for a task.
const STOP_TIMEOUT: Duration = Duration::from_secs(100);

const LAST_RESPONSES_TIMEOUT: Duration = Duration::from_secs(5);

/// The response to `GET /` of a task without a page.
const NO_PAGE: &str = "Nova English Learning: this task serves the API only, because NOVA_WEB_DIR names no web page.\n\
    The reference of the API is at /api/docs.\n";

/// Runs the ingress until `shutdown`, then ends the live conversations.
///
/// # Errors
/// The configuration does not work, or the port cannot be opened.
pub async fn run(mut config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    config.connections_max = files::connections_within_files(config.connections_max);
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

/// Serves requests on `listener` until `shutdown`, and then until the live conversations have ended.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    app: Arc<AppState>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let stopped = CancellationToken::new();
    let routers = Routers { full: router(Arc::clone(&app)), health_check: health_router(Arc::clone(&app)) };
    let server = tokio::spawn(accept_until(listener, app.connections.clone(), routers, stopped.clone()));
    let ended = CancellationToken::new();
    let _end_background = ended.clone().drop_guard();
    let writing_metrics = tokio::spawn(write_until(ended.clone(), {
        let app = Arc::clone(&app);
        move || {
            let (live, streams) = (app.sessions.count(), app.stores.results.permits().count());
            vec![app.metrics.document(live, streams, app.connections.count())]
        }
    }));
    let presence = app.presence.clone();
    let _renewing = AbortOnDropHandle::new(tokio::spawn(async move { presence.renew_claims().await }));
    let account_sessions = Arc::clone(&app.account_sessions);
    let _watching = AbortOnDropHandle::new(tokio::spawn(async move { account_sessions.keep_watch().await }));
    let streams = app.sessions.account_streams().clone();
    let _counting = AbortOnDropHandle::new(tokio::spawn(async move { streams.renew_members().await }));
    shutdown.cancelled().await;
    app.admission_control.stop();
    app.sessions.hand_over();
    if tokio::time::timeout(STOP_TIMEOUT, app.sessions.ended()).await.is_err() {
        tracing::error!("conversations did not end in time; the watchdog completes them");
    }
    stopped.cancel();
    let served = match tokio::time::timeout(LAST_RESPONSES_TIMEOUT, server).await {
        Ok(served) => served.context("the server failed"),
        Err(_) => Ok(()),
    };
    ended.cancel();
    writing_metrics.await.context("the metrics failed")?;
    served
}

/// What a connection of the reserve may request.
fn health_router(app: Arc<AppState>) -> Router {
    let router = router_of(api::health::routes());
    let router = router.fallback(async || ApiError::from(AdmissionError::Full));
    logged(router, app)
}

/// A path that is no route of the API: a file or a route of the page, where this task serves it.
async fn page_or_not_found(State(app): State<Arc<AppState>>, request: Request) -> Result<Response, ApiError> {
    let Some(web) = &app.web else {
        let is_root = request.method() == Method::GET && request.uri().path() == "/";
        return if is_root { Ok(NO_PAGE.into_response()) } else { Err(ApiError::NotFound("endpoint")) };
    };
    web.serve(request).await.ok_or(ApiError::NotFound("endpoint"))
}

/// All routes with their middleware.
pub fn router(app: Arc<AppState>) -> Router {
    let resources = api::resources();
    let document = document(&resources);
    let routes = resources.into_iter().flat_map(|(_, routes)| routes);
    let (auth, others): (Vec<Route>, Vec<Route>) =
        routes.partition(|route| route.path.starts_with(auth::PREFIX));
    let in_steps = middleware::from_fn_with_state(app.auth_response_step, response_time::in_steps);
    let router = router_of(auth)
        .route_layer(in_steps)
        .merge(router_of(others))
        .fallback(page_or_not_found)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(Extension(OpenApi::new(&document)))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(timeout));
    let router = match app.web_origin.clone() {
        Some(origin) => router.layer(cors(origin)),
        None => router,
    };
    logged(router, app)
}

fn router_of(routes: Vec<Route>) -> Router<Arc<AppState>> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler()))
}

/// `router` with the outermost middleware, that of every response.
fn logged(router: Router<Arc<AppState>>, app: Arc<AppState>) -> Router {
    default_headers(router)
        .layer(middleware::from_fn_with_state(Arc::clone(&app.metrics), access::log))
        .layer(middleware::from_fn(request_id))
        .with_state(app)
}
