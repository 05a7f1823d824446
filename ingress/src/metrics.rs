//! What the ingress measures. The names and their meaning stand in ARCHITECTURE.md, "What is measured". Nothing here is
//! called for a frame of audio: what happens once for each turn, conversation or request is counted when it happens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use events::{
    contract::EndReason,
    runtime::metrics::{Counter, Document, Timings, Unit},
};
use tokio::time::Instant;

use crate::{app::AppState, live::admission::AdmissionError, live::conversation::Ending};

/// The numbers of this task.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Conversations that began here.
    pub started: Counter,
    /// Conversations of another task that went on here.
    pub taken_up: Counter,
    /// Conversations that another task was asked to go on with.
    pub handed_over: Counter,
    /// From the end of the learner's speech to the first audio of the answer.
    pub answers: Timings,
    /// From the wish for a stream of the model to its opening.
    pub openings: Timings,
    /// Streams of the model that failed or could not be opened.
    pub failed_streams: Counter,
    /// Requests that the kept catalogue of pictures served.
    pub picture_hits: Counter,
    /// Times that the catalogue was read.
    pub picture_reads: Counter,
    /// Times that it could not be read.
    pub failed_picture_reads: Counter,
    /// Looks for what came of a conversation.
    pub result_looks: Counter,
    /// Such looks that failed.
    pub failed_result_looks: Counter,
    /// Calls of what the tasks share that had no answer.
    pub failed_coordination_calls: Counter,
    durations: Timings,
    renewals: Counter,
    recoveries: Counter,
    reconnects: Counter,
    takeovers: Counter,
    ended: Mutex<BTreeMap<&'static str, u64>>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    endpoints: Mutex<BTreeMap<String, Arc<Endpoint>>>,
}

/// The numbers of one endpoint.
#[derive(Debug, Default)]
struct Endpoint {
    requests: Counter,
    client_errors: Counter,
    server_errors: Counter,
    time: Timings,
}

impl Metrics {
    /// A conversation ended here, `age` after its start. What another task had measured of it is in its end.
    pub fn ended(&self, ending: &Ending, age: Duration) {
        *lock(&self.ended).entry(reason(ending.reason)).or_default() += 1;
        self.durations.record_duration(age);
        let metrics = &ending.totals.metrics;
        self.renewals.add(metrics.renewals.into());
        self.recoveries.add(metrics.recoveries.into());
        self.reconnects.add(metrics.reconnects.into());
        self.takeovers.add(metrics.takeovers.into());
    }

    /// A learner found no seat.
    pub fn refused(&self, why: AdmissionError) {
        let why = match why {
            AdmissionError::Stopping => "stopping",
            AdmissionError::Full => "full",
            AdmissionError::InConversation(_) => "in_conversation",
        };
        *lock(&self.refused).entry(why).or_default() += 1;
    }

    /// What was measured since the last time; `live` conversations are held and `streams` of results are open now.
    pub fn documents(&self, live: usize, streams: usize) -> Vec<Document> {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mut documents = vec![
            document(None)
                .number("LiveConversations", Unit::Count, count(live))
                .number("ConversationsStarted", Unit::Count, self.started.take())
                .number("ConversationsTakenUp", Unit::Count, self.taken_up.take())
                .number("ConversationsHandedOver", Unit::Count, self.handed_over.take())
                .number("StreamRenewals", Unit::Count, self.renewals.take())
                .number("StreamRecoveries", Unit::Count, self.recoveries.take())
                .number("FailedStreams", Unit::Count, self.failed_streams.take())
                .number("FailedSharedCalls", Unit::Count, self.failed_coordination_calls.take())
                .number("Reconnects", Unit::Count, self.reconnects.take())
                .number("Takeovers", Unit::Count, self.takeovers.take())
                .number("PictureCacheHits", Unit::Count, self.picture_hits.take())
                .number("PictureCacheReads", Unit::Count, self.picture_reads.take())
                .number("FailedPictureCacheReads", Unit::Count, self.failed_picture_reads.take())
                .number("ResultStreams", Unit::Count, count(streams))
                .number("ResultLooks", Unit::Count, self.result_looks.take())
                .number("FailedResultLooks", Unit::Count, self.failed_result_looks.take())
                .timings("AnswerLatency", Unit::Milliseconds, &self.answers)
                .timings("ModelOpenTime", Unit::Milliseconds, &self.openings)
                .timings("SessionDuration", Unit::Milliseconds, &self.durations),
        ];
        for (reason, count) in std::mem::take(&mut *lock(&self.ended)) {
            let ended = document(Some(("reason", reason.to_owned())));
            documents.push(ended.number("ConversationsEnded", Unit::Count, count));
        }
        for (reason, count) in std::mem::take(&mut *lock(&self.refused)) {
            let refused = document(Some(("reason", reason.to_owned())));
            documents.push(refused.number("SessionsRefused", Unit::Count, count));
        }
        for (name, endpoint) in lock(&self.endpoints).iter() {
            let requests = endpoint.requests.take();
            if requests > 0 {
                let of_endpoint = document(Some(("endpoint", name.clone())))
                    .number("ApiRequests", Unit::Count, requests)
                    .number("ApiClientErrors", Unit::Count, endpoint.client_errors.take())
                    .number("ApiServerErrors", Unit::Count, endpoint.server_errors.take())
                    .timings("ApiTime", Unit::Milliseconds, &endpoint.time);
                documents.push(of_endpoint);
            }
        }
        documents
    }

    fn answered(&self, endpoint: String, response: &Response, took: Duration) {
        let endpoint = Arc::clone(lock(&self.endpoints).entry(endpoint).or_default());
        let status = response.status();
        endpoint.requests.increment();
        endpoint.client_errors.add(status.is_client_error().into());
        endpoint.server_errors.add(status.is_server_error().into());
        endpoint.time.record_duration(took);
    }
}

/// Measures each request by its route, so that the names are as few as the routes. A WebSocket counts until it is
/// accepted.
pub async fn measure(State(app): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
    let endpoint = format!("{} {path}", request.method());
    let start = Instant::now();
    let response = next.run(request).await;
    app.metrics.answered(endpoint, &response, start.elapsed());
    response
}

fn document(more: Option<(&'static str, String)>) -> Document {
    let mut dimensions = vec![("service", "ingress".to_owned())];
    dimensions.extend(more);
    Document::new(dimensions)
}

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Learner => "learner",
        EndReason::TimeLimit => "time_limit",
        EndReason::Silence => "silence",
        EndReason::Disconnected => "disconnected",
        EndReason::Shutdown => "shutdown",
        EndReason::ModelFailed => "model_failed",
        EndReason::InternalError => "internal_error",
        EndReason::IngressLost => "ingress_lost",
    }
}

#[cfg(test)]
mod tests {
    use events::contract::{ConversationId, ConversationMetrics, Usage};
    use http::StatusCode;
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::live::conversation::Totals;

    fn told(metrics: &Metrics) -> Vec<Value> {
        let documents = metrics.documents(3, 0).into_iter();
        documents.filter_map(|document| document.encode(Timestamp::UNIX_EPOCH)).collect()
    }

    fn metrics_of(document: &Value) -> Vec<(String, String)> {
        let metrics = document["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        metrics.iter().map(|metric| (text(&metric["Name"]), text(&metric["Unit"]))).collect()
    }

    #[test]
    fn every_metric_of_the_ingress_is_valid_and_documented() {
        let metrics = Metrics::default();
        [&metrics.answers, &metrics.openings].into_iter().for_each(|timings| timings.record(700));
        let counted = ConversationMetrics { renewals: 2, ..ConversationMetrics::default() };
        let totals = Totals { usage: Usage::default(), turns: 1, learner_speech_ms: 0, metrics: counted };
        let ending = Ending { reason: EndReason::Learner, totals };
        metrics.ended(&ending, Duration::from_secs(61));
        let id = ConversationId::new(Timestamp::UNIX_EPOCH, [1; 10]);
        [AdmissionError::Full, AdmissionError::Stopping, AdmissionError::InConversation(id)]
            .into_iter()
            .for_each(|why| metrics.refused(why));
        for status in [StatusCode::CREATED, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            let mut response = Response::default();
            *response.status_mut() = status;
            metrics.answered("POST /api/conversations".to_owned(), &response, Duration::from_millis(7));
        }

        let documents = told(&metrics);
        let schema = include_str!("../../events/src/runtime/metrics/emf.schema.json");
        let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        let page = include_str!("../../ARCHITECTURE.md");
        let (_, chapter) = page.split_once("## What is measured").unwrap();
        assert_eq!(documents.len(), 1 + 1 + 3 + 1);
        for document in &documents {
            assert!(schema.is_valid(document), "{document}");
            for (name, unit) in metrics_of(document) {
                let row = chapter.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
                assert!(row.is_some_and(|row| row.contains(&unit)), "{name} in {unit}");
            }
        }
        assert_eq!(
            (&documents[0]["LiveConversations"], &documents[0]["StreamRenewals"]),
            (&3.into(), &2.into())
        );
        let api = documents.last().unwrap();
        assert_eq!(api["endpoint"], "POST /api/conversations");
        let counts =
            ["ApiRequests", "ApiClientErrors", "ApiServerErrors"].map(|name| api[name].as_u64().unwrap());
        assert_eq!(counts, [3, 1, 1]);
        assert_eq!(told(&metrics).len(), 1, "what was told is not told again");
    }
}
