//! The metrics of the ingress. `infra/runbooks/metrics.md` lists the names and their meaning. Nothing here is called
//! for a frame of audio: it counts events of turns, conversations and requests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::{
    contract::{ConversationMetrics, EndReason},
    runtime::metrics::{Counter, Document, Timings, Unit},
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::security::SecurityEvent;

/// What a page measured in one conversation, or in a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientReport {
    /// How often the playback ran out of the tutor's audio.
    #[schemars(range(max = 10_000))]
    pub underruns: u32,
    /// How often the microphone picked up the tutor's voice.
    #[schemars(range(max = 10_000))]
    pub echoes: u32,
    /// How often a script of the page failed.
    #[schemars(range(max = 10_000))]
    pub errors: u32,
    /// Times from the end of the learner's speech to the first audible reply, in milliseconds.
    #[schemars(length(max = 100), inner(range(max = 600_000)))]
    pub answer_ms: Vec<u32>,
    /// Times from the start of a connection to its first message, in milliseconds.
    #[schemars(length(max = 100), inner(range(max = 600_000)))]
    pub connect_ms: Vec<u32>,
}

/// The metrics of this task since they were last written.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Conversations that started on this task.
    pub started: Counter,
    /// Conversations that this task took over.
    pub taken_up: Counter,
    /// Conversations that were handed over to another task.
    pub handed_over: Counter,
    /// Time from the end of the learner's speech to the first audio of the reply.
    pub answers: Timings,
    /// Time to open a stream of the model.
    pub openings: Timings,
    /// Streams of the model that failed or could not be opened.
    pub failed_streams: Counter,
    /// Usage reports of the model that were unreadable and dropped.
    pub unreadable_usage: Counter,
    /// Requests that the cached catalogue of pictures served.
    pub picture_hits: Counter,
    pub picture_reads: Counter,
    pub failed_picture_reads: Counter,
    /// Polls for the results of a conversation.
    pub result_looks: Counter,
    pub failed_result_looks: Counter,
    pub failed_coordination_calls: Counter,
    /// Connections that were closed, or replaced another, because a bound was reached.
    pub refused_connections: Counter,
    /// Cost of speech in millionths of a US dollar.
    pub speech_usd_micros: Counter,
    /// Mails about a changed account that could not be sent.
    pub failed_notices: Counter,
    client_reports: Counter,
    client_underruns: Counter,
    client_echoes: Counter,
    page_errors: Counter,
    client_answers: Timings,
    client_connects: Timings,
    violations: Mutex<BTreeMap<&'static str, u64>>,
    durations: Timings,
    renewals: Counter,
    recoveries: Counter,
    reconnects: Counter,
    takeovers: Counter,
    ended: Mutex<BTreeMap<&'static str, u64>>,
    ended_abnormally: Counter,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    security: Mutex<BTreeMap<&'static str, u64>>,
    requests: Counter,
    client_errors: Counter,
    server_errors: Counter,
    request_times: Timings,
}

impl Metrics {
    /// Counts a conversation that ended on this task, `age` after its start. `metrics` covers the time on other tasks too.
    pub fn ended(&self, end: EndReason, metrics: &ConversationMetrics, age: Duration) {
        *lock(&self.ended).entry(reason(end)).or_default() += 1;
        self.ended_abnormally.add(end.is_abnormal().into());
        self.durations.record_duration(age);
        self.renewals.add(metrics.renewals.into());
        self.recoveries.add(metrics.recoveries.into());
        self.reconnects.add(metrics.reconnects.into());
        self.takeovers.add(metrics.takeovers.into());
    }

    /// Counts a conversation that was not admitted, for `reason`.
    pub fn refused(&self, reason: &'static str) {
        *lock(&self.refused).entry(reason).or_default() += 1;
    }

    /// Counts a security event.
    pub fn security(&self, kind: SecurityEvent) {
        *lock(&self.security).entry(kind.metric()).or_default() += 1;
    }

    /// Counts what a page measured.
    pub fn client_report(&self, report: &ClientReport) {
        self.client_reports.increment();
        self.client_underruns.add(report.underruns.into());
        self.client_echoes.add(report.echoes.into());
        self.page_errors.add(report.errors.into());
        report.answer_ms.iter().for_each(|ms| self.client_answers.record((*ms).into()));
        report.connect_ms.iter().for_each(|ms| self.client_connects.record((*ms).into()));
    }

    /// Counts content that a browser blocked because of `directive` of the content security policy.
    pub fn csp_violation(&self, directive: &'static str) {
        *lock(&self.violations).entry(directive).or_default() += 1;
    }

    /// Takes the metrics since the last call. `live` conversations, `streams` of results and `connections` are open now.
    pub fn document(&self, live: usize, streams: usize, connections: usize) -> Document {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let ended = std::mem::take(&mut *lock(&self.ended));
        let refused = std::mem::take(&mut *lock(&self.refused));
        let security = std::mem::take(&mut *lock(&self.security));
        let violations = std::mem::take(&mut *lock(&self.violations));
        let document = Document::new("ingress")
            .number("ClientReports", Unit::Count, self.client_reports.take())
            .number("ClientUnderruns", Unit::Count, self.client_underruns.take())
            .property("clientEchoes", self.client_echoes.take())
            .property("pageErrors", self.page_errors.take())
            .timings_property("clientAnswerMs", &self.client_answers)
            .timings_property("clientConnectMs", &self.client_connects)
            .number("PolicyViolations", Unit::Count, violations.values().sum())
            .counts("violatedDirectives", violations)
            .number("LiveConversations", Unit::Count, count(live))
            .number("ConversationsStarted", Unit::Count, self.started.take())
            .number("ConversationsTakenUp", Unit::Count, self.taken_up.take())
            .number("ConversationsHandedOver", Unit::Count, self.handed_over.take())
            .number("ConversationsEnded", Unit::Count, ended.values().sum())
            .counts("endReasons", ended)
            .rare("ConversationsEndedAbnormally", Unit::Count, self.ended_abnormally.take())
            .rare("SpeechCostUsdMicros", Unit::Count, self.speech_usd_micros.take())
            .number("SessionsRefused", Unit::Count, refused.values().sum())
            .rare("SessionsRefusedFull", Unit::Count, refused.get("full").copied().unwrap_or(0))
            .counts("refusals", refused)
            .number("StreamRenewals", Unit::Count, self.renewals.take())
            .number("StreamRecoveries", Unit::Count, self.recoveries.take())
            .number("FailedStreams", Unit::Count, self.failed_streams.take())
            .number("UnreadableUsageReports", Unit::Count, self.unreadable_usage.take())
            .number("FailedSharedCalls", Unit::Count, self.failed_coordination_calls.take())
            .number("Reconnects", Unit::Count, self.reconnects.take())
            .number("Takeovers", Unit::Count, self.takeovers.take())
            .number("OpenConnections", Unit::Count, count(connections))
            .number("RefusedConnections", Unit::Count, self.refused_connections.take())
            .number("FailedNotices", Unit::Count, self.failed_notices.take())
            .number("PictureCacheHits", Unit::Count, self.picture_hits.take())
            .number("PictureCacheReads", Unit::Count, self.picture_reads.take())
            .number("FailedPictureCacheReads", Unit::Count, self.failed_picture_reads.take())
            .number("ResultStreams", Unit::Count, count(streams))
            .number("ResultLooks", Unit::Count, self.result_looks.take())
            .number("FailedResultLooks", Unit::Count, self.failed_result_looks.take())
            .number("ApiRequests", Unit::Count, self.requests.take())
            .number("ApiClientErrors", Unit::Count, self.client_errors.take())
            .number("ApiServerErrors", Unit::Count, self.server_errors.take())
            .timings("ApiTime", Unit::Milliseconds, &self.request_times)
            .timings("AnswerLatency", Unit::Milliseconds, &self.answers)
            .timings("ModelOpenTime", Unit::Milliseconds, &self.openings)
            .timings("SessionDuration", Unit::Milliseconds, &self.durations);
        SecurityEvent::ALL.into_iter().fold(document, |document, kind| {
            let count = security.get(kind.metric()).copied().unwrap_or(0);
            document.number(kind.metric(), Unit::Count, count)
        })
    }

    /// Counts a request. The access log has the figures of each route.
    pub fn request(&self, status: StatusCode, took: Duration) {
        self.requests.increment();
        self.client_errors.add(status.is_client_error().into());
        self.server_errors.add(status.is_server_error().into());
        self.request_times.record_duration(took);
    }
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
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;

    fn taken(metrics: &Metrics) -> Value {
        metrics.document(3, 0, 0).encode(Timestamp::UNIX_EPOCH).unwrap()
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
        metrics.ended(EndReason::Learner, &counted, Duration::from_secs(61));
        metrics.ended(EndReason::ModelFailed, &ConversationMetrics::default(), Duration::from_secs(61));
        metrics.speech_usd_micros.add(12_500);
        ["full", "stopping", "full"].into_iter().for_each(|reason| metrics.refused(reason));
        for status in [StatusCode::CREATED, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            metrics.request(status, Duration::from_millis(7));
        }

        metrics.security(SecurityEvent::SessionReused);
        let report =
            ClientReport { underruns: 3, echoes: 1, errors: 2, answer_ms: vec![700], connect_ms: vec![80] };
        metrics.client_report(&report);
        ["script-src", "script-src", "other"].into_iter().for_each(|name| metrics.csp_violation(name));

        let document = taken(&metrics);
        let schema = include_str!("../../events/src/runtime/metrics/emf.schema.json");
        let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        let page = include_str!("../../infra/runbooks/metrics.md");
        assert!(schema.is_valid(&document), "{document}");
        for (name, unit) in metrics_of(&document) {
            let is_listed = |of| page.contains(&format!("\n| `{name}` | {unit} | {of} |"));
            assert!(is_listed("ingress") || is_listed("ingress, rarely"), "{name} in {unit}");
        }
        let dimensions = &document["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(dimensions, &serde_json::json!([["service"]]), "each further dimension is billed");
        let count = |name: &str| document[name].as_u64().unwrap();
        assert_eq!((count("LiveConversations"), count("StreamRenewals")), (3, 2));
        assert_eq!((count("ConversationsEnded"), &document["endReasons"]["learner"]), (2, &1.into()));
        let rare = ["ConversationsEndedAbnormally", "SessionsRefusedFull", "SpeechCostUsdMicros"];
        assert_eq!(rare.map(count), [1, 2, 12_500]);
        assert_eq!((count("SessionsRefused"), &document["refusals"]["full"]), (3, &2.into()));
        assert_eq!(["ClientReports", "ClientUnderruns", "PolicyViolations"].map(count), [1, 3, 3]);
        assert_eq!(
            (&document["clientEchoes"], &document["violatedDirectives"]["script-src"]),
            (&1.into(), &2.into())
        );
        for property in
            ["clientEchoes", "pageErrors", "clientAnswerMs", "clientConnectMs", "violatedDirectives"]
        {
            assert!(page.contains(&format!("| `{property}` | ingress |")), "{property}");
        }
        assert_eq!(["ApiRequests", "ApiClientErrors", "ApiServerErrors"].map(count), [3, 1, 1]);
        assert_eq!(["SecuritySessionReuses", "SecurityLimits"].map(count), [1, 0]);
        let again = taken(&metrics);
        assert_eq!((&again["ApiRequests"], again.get("endReasons")), (&0.into(), None), "taken once");
        assert!(rare.iter().all(|name| again.get(name).is_none()));
    }
}
