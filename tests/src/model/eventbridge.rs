//! EventBridge: rules from detail types to queues, entries that fail, and events that are delivered again with a long delay.

use std::collections::BTreeMap;

use rand::RngExt;
use serde_json::{Value, json};

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The bus.
#[derive(Debug, Default)]
pub struct EventBridge {
    /// Name.
    pub(super) bus: String,
    /// Rules: detail type and queue.
    pub(super) rules: Vec<(&'static str, String)>,
    /// All events in order: source and detail.
    pub events: Vec<(String, Value)>,
}

pub(super) fn answer(state: &mut State, operation: &str, request: &Value) -> Result<Answer, ServiceError> {
    match operation {
        "PutEvents" => put_all(state, request),
        "DescribeEventBus" if request["Name"] == *state.eventbridge.bus => {
            Ok(Answer::json(&json!({ "Name": request["Name"] })))
        }
        "DescribeEventBus" => Err(no_such_bus()),
        other => Err(ServiceError::unsupported(format!("EventBridge {other}"))),
    }
}

fn put_all(state: &mut State, request: &Value) -> Result<Answer, ServiceError> {
    let entries = request["Entries"].as_array().cloned().unwrap_or_default();
    if !(1..=10).contains(&entries.len()) {
        return Err(ServiceError::unsupported(format!("a call with {} entries", entries.len())));
    }
    let mut outcomes = Vec::new();
    let mut failed = 0;
    for entry in &entries {
        if state.anomaly(0.05) {
            let code = if state.random.random_bool(0.5) { "ThrottlingException" } else { "InternalFailure" };
            outcomes.push(json!({ "ErrorCode": code, "ErrorMessage": "try again" }));
            failed += 1;
            continue;
        }
        let number = put(state, entry)?;
        outcomes.push(json!({ "EventId": number.to_string() }));
    }
    Ok(Answer::json(&json!({ "FailedEntryCount": failed, "Entries": outcomes })))
}

fn no_such_bus() -> ServiceError {
    ServiceError::new(400, "ResourceNotFoundException", "no such bus")
}

fn put(state: &mut State, entry: &Value) -> Result<usize, ServiceError> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    if text("EventBusName") != state.eventbridge.bus {
        return Err(no_such_bus());
    }
    let detail: Value = serde_json::from_str(&text("Detail"))
        .map_err(|_| ServiceError::new(400, "MalformedDetail", "the detail is not JSON"))?;
    let number = state.eventbridge.events.len();
    state.eventbridge.events.push((text("Source"), detail.clone()));
    let message = json!({
        "version": "0", "id": format!("event-{number}"), "source": text("Source"),
        "detail-type": text("DetailType"), "detail": detail, "account": "000000000000",
        "region": "us-east-1", "resources": [], "time": "2026-11-24T08:00:00Z",
    });
    let rules = state.eventbridge.rules.clone();
    for (_, queue) in rules.iter().filter(|(detail_type, _)| *detail_type == text("DetailType")) {
        let soon = state.seconds(0.02, 1.5);
        state.enqueue(queue, &message.to_string(), BTreeMap::new(), soon);
        if state.anomaly(0.06) {
            let late = state.seconds(1.0, 400.0);
            state.enqueue(queue, &message.to_string(), BTreeMap::new(), late);
        }
    }
    Ok(number)
}
