//! `GET /health`: whether the task takes conversations, for the load balancer and the container's health check.

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

/// How the task is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Health {
    /// Whether it takes conversations.
    status: Status,
    /// Conversations that it holds.
    conversations: usize,
}

/// Whether a task takes conversations.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It does.
    Ok,
    /// It is being stopped.
    Stopping,
}

/// The health of the task.
pub fn routes() -> Vec<Route> {
    vec![
        get("/health", "getHealth", health)
            .says("Whether the task takes conversations", "For load balancers.")
            .answers_with::<Health>(200, "application/json", "It does.")
            .answers_with::<Health>(503, "application/json", "It is being stopped."),
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
