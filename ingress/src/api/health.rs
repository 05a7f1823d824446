//! `GET /health`: whether the task accepts conversations, for the load balancer and the container's health check.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::route::{Route, get};
use crate::app::AppState;

/// The health of the task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Health {
    /// Whether the task accepts conversations.
    status: Status,
    /// Number of live conversations.
    conversations: usize,
}

/// Whether the task accepts conversations.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It accepts conversations.
    Ok,
    /// It is shutting down.
    Stopping,
}

/// The health check.
pub fn routes() -> Vec<Route> {
    vec![
        get("/health", "getHealth", health)
            .summary("Health of the task", "Whether the task accepts conversations. For load balancers.")
            .returns_content::<Health>(200, "application/json", "The task accepts conversations.")
            .returns_content::<Health>(503, "application/json", "The task is shutting down."),
    ]
}

async fn health(State(app): State<Arc<AppState>>) -> Response {
    let conversations = app.sessions.count();
    let (code, status) = if app.admission_control.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, Status::Stopping)
    } else {
        (StatusCode::OK, Status::Ok)
    };
    (code, Json(Health { status, conversations })).into_response()
}
