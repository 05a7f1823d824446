//! The routes of `/simulator/control`; [`super`] implements them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Change, Control, lock};
use crate::simulator::faults::PlannedFault;
use crate::simulator::latency::Latency;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultNow {
    fault: String,
}

type Refused = (StatusCode, Json<Value>);

/// All of them.
pub(crate) fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/simulator/control", get(get_state).post(post_state))
        .route("/simulator/control/latency", get(get_latency).delete(delete_latency))
        .route("/simulator/control/streams", get(get_streams))
        .route("/simulator/control/streams/{id}", get(get_stream).post(post_stream))
        .with_state(control)
}

async fn get_state(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(control.state())
}

async fn post_state(
    State(control): State<Arc<Control>>,
    Json(change): Json<Change>,
) -> Result<Json<Value>, Refused> {
    control.change(change).map_err(|error| refused(StatusCode::BAD_REQUEST, &error))?;
    Ok(Json(control.state()))
}

async fn get_latency(State(control): State<Arc<Control>>) -> Json<Latency> {
    Json(lock(&control.delays).latency())
}

async fn delete_latency(State(control): State<Arc<Control>>) -> StatusCode {
    lock(&control.delays).clear();
    StatusCode::NO_CONTENT
}

async fn get_streams(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(control.streams().iter().map(|record| record.summary()).collect())
}

async fn get_stream(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    Ok(Json(control.stream(&id).ok_or_else(unknown)?.whole()))
}

async fn post_stream(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    Json(FaultNow { fault }): Json<FaultNow>,
) -> Result<StatusCode, Refused> {
    let planned: PlannedFault =
        fault.parse().map_err(|error| refused(StatusCode::BAD_REQUEST, &format!("{error}")))?;
    let sent = control.stream(&id).ok_or_else(unknown)?.fault(planned.fault);
    sent.map_err(|error| refused(StatusCode::CONFLICT, &error.to_string()))?;
    Ok(StatusCode::ACCEPTED)
}

fn unknown() -> Refused {
    refused(StatusCode::NOT_FOUND, "no stream with this session id is remembered")
}

fn refused(status: StatusCode, message: &str) -> Refused {
    (status, Json(json!({ "message": message })))
}
