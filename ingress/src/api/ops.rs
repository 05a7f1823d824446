//! What operators see: queues, workers, alarms, sent alerts and the path of a conversation. [`stream`] has all of it as
//! server-sent events.

pub mod stream;

use std::sync::Arc;

use axum::{Json, extract::State};
use events::{contract::ConversationId, pipeline::ConversationPath, runtime::env};

use super::{
    caller::Operator,
    extract::Path,
    paging::{CursorPosition, Page, Paging},
    problem::ApiError,
    route::{Route, get},
};
use crate::{
    app::AppState,
    store::ops::{
        alarms::Alarms,
        alerts::{AlertPosition, AlertView},
        queues::Queues,
        workers::Workers,
    },
};

impl CursorPosition for AlertPosition {
    const LIST: &'static str = "alerts";
}

pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/api/ops/queues", "listQueues", queues).summary(
            "List the queues",
            "The messages and dead letters of each queue now, and samples of the last hour. Counts are at most five seconds old.",
        ),
        get("/api/ops/workers", "listWorkers", workers).summary(
            "List the workers",
            "The ingress and the workers by the metrics that each process reports once a minute.",
        ),
        get("/api/ops/alarms", "listAlarms", alarms)
            .summary("List the alarms", "What is wrong comes first. Each alarm names its part of the runbook."),
        get("/api/ops/alerts", "listAlerts", alerts)
            .summary("List the sent alerts", "The alerts of the last 30 days, newest first."),
        get("/api/ops/conversations/{id}", "getConversationPath", path).summary(
            "Get the path of a conversation",
            "Each stage of the pipeline with the time at which the conversation passed it.",
        ),
    ];
    routes.extend(stream::routes());
    routes
}

async fn queues(State(app): State<Arc<AppState>>, _: Operator) -> Result<Json<Queues>, ApiError> {
    let queues = read(app.operations.queues().await)?;
    let series = app.operations.series().await;
    Ok(Json(Queues::clone(&queues).with(series.as_deref())))
}

async fn workers(State(app): State<Arc<AppState>>, _: Operator) -> Result<Json<Arc<Workers>>, ApiError> {
    read(app.operations.workers().await).map(Json)
}

async fn alarms(State(app): State<Arc<AppState>>, _: Operator) -> Result<Json<Arc<Alarms>>, ApiError> {
    read(app.operations.alarms().await).map(Json)
}

async fn alerts(
    State(app): State<Arc<AppState>>,
    _: Operator,
    paging: Paging<AlertPosition>,
) -> Result<Json<Page<AlertView>>, ApiError> {
    let page = app.operations.alerts.page(paging.after.as_ref(), usize::from(paging.limit), env::now()).await;
    let (alerts, next) = page.map_err(ApiError::Internal)?;
    Ok(Json(Page::new(alerts, next)))
}

async fn path(
    State(app): State<Arc<AppState>>,
    _: Operator,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationPath>, ApiError> {
    let found = app.stores.pipeline.find(id).await.map_err(|error| ApiError::Internal(error.into()))?;
    let found = found.ok_or(ApiError::NotFound("conversation"))?;
    Ok(Json(found.path(env::now())))
}

/// The value, unless its last read failed.
fn read<T>(value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::Internal(anyhow::anyhow!("what operators see cannot be read")))
}
