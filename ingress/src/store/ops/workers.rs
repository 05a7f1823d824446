//! The processes of the service by the metrics that they write once a minute: how many report, and what they do.

use std::time::Duration;

use events::{
    cloudwatch::{CloudWatch, Datapoint, Query, Window},
    runtime::metrics::{DIMENSION, INTERVAL, interval, namespace},
    workers::Worker,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// How far back metrics are read.
const HISTORY: SignedDuration = SignedDuration::from_mins(15);

/// A service without a report for this time is silent: two reports are missing, and CloudWatch may take a minute to show one.
const SILENT_AFTER: SignedDuration = SignedDuration::from_mins(4);

/// Minutes over which the rate and the number of processes are averaged.
const AVERAGED_MINUTES: i64 = 5;

/// Queries of one service.
const QUERIES: usize = 5;

/// The ingress and the workers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Workers {
    /// The services: first the ingress, then the workers.
    pub items: Vec<WorkerState>,
}

/// A service by its reports.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerState {
    /// `ingress`, or the name of the worker.
    pub service: &'static str,
    /// Whether it works.
    pub state: Condition,
    /// The number of processes that report.
    pub processes: u64,
    /// The last report, to the minute; absent if there was none in the last quarter of an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_report_at: Option<Timestamp>,
    /// Messages that it handles now, in all processes; for the ingress, live conversations.
    pub in_flight: u64,
    /// Messages that were handled a minute, over the last five minutes; for the ingress, requests.
    pub per_minute: f64,
    /// The time that 95 % of the messages stayed below in the last minute with any, in milliseconds; for the ingress, requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
}

/// Whether a service works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It reports.
    Running,
    /// It does not poll, because what it depends on is broken.
    BreakerOpen,
    /// It has not reported for four minutes.
    Silent,
}

/// The names of a service's metrics.
struct Names {
    service: &'static str,
    gauge: &'static str,
    count: &'static str,
    time: &'static str,
}

impl Workers {
    /// Reads the metrics.
    pub(super) async fn read(cloudwatch: &CloudWatch, now: Timestamp) -> anyhow::Result<Self> {
        let services = services();
        let queries: Vec<Query> = services.iter().flat_map(Names::queries).collect();
        let period_seconds = u32::try_from(INTERVAL.as_secs()).expect("a minute is short");
        let window = Window { from: now - HISTORY, to: now, period_seconds };
        let mut series = cloudwatch.series(&queries, window).await?;
        per_report(&mut series, interval());
        let items = services.iter().zip(series.chunks_exact(QUERIES));
        Ok(Self {
            items: items.map(|(names, series)| WorkerState::new(names.service, series, now)).collect(),
        })
    }
}

/// The ingress, then the workers.
fn services() -> Vec<Names> {
    let worker = |worker: Worker| Names {
        service: worker.name(),
        gauge: "InFlight",
        count: "Messages",
        time: "HandlerTime",
    };
    let ingress =
        Names { service: "ingress", gauge: "LiveConversations", count: "ApiRequests", time: "ApiTime" };
    [ingress].into_iter().chain(Worker::ALL.map(worker)).collect()
}

impl Names {
    fn queries(&self) -> [Query; QUERIES] {
        let query = |metric, statistic| Query {
            namespace: namespace(),
            metric,
            dimension: (DIMENSION, self.service.to_owned()),
            statistic,
        };
        [
            // Each process writes one value of its gauge in an interval.
            query(self.gauge, "SampleCount"),
            query(self.gauge, "Sum"),
            query(self.count, "Sum"),
            query("BreakerOpen", "Maximum"),
            query(self.time, "p95"),
        ]
    }
}

impl WorkerState {
    fn new(service: &'static str, series: &[Vec<Datapoint>], now: Timestamp) -> Self {
        let [reports, in_flight, counts, breaker, time] = series else {
            unreachable!("each service has five queries")
        };
        let latest = |series: &[Datapoint]| series.last().map(|point| point.value);
        let last_report_at = reports.last().map(|point| point.at);
        let is_silent = last_report_at.is_none_or(|at| now.duration_since(at) > SILENT_AFTER);
        let state = match (is_silent, latest(breaker)) {
            (true, _) => Condition::Silent,
            (false, Some(open)) if open > 0.0 => Condition::BreakerOpen,
            (false, _) => Condition::Running,
        };
        let recent = now - SignedDuration::from_mins(AVERAGED_MINUTES + 1);
        let handled: f64 = counts.iter().filter(|point| point.at >= recent).map(|point| point.value).sum();
        // The sum of no values is -0.
        let handled = 0.0 + handled;
        Self {
            service,
            state,
            processes: if is_silent { 0 } else { processes(reports, recent) },
            last_report_at,
            in_flight: if is_silent { 0 } else { whole(latest(in_flight).unwrap_or_default()) },
            per_minute: (handled / AVERAGED_MINUTES as f64 * 10.0).round() / 10.0,
            p95_ms: latest(time).map(f64::round),
        }
    }
}

/// Divides the sums of gauges by the number of reports that a process writes in a minute; on AWS it is one.
fn per_report(series: &mut [Vec<Datapoint>], interval: Duration) {
    let part = interval.as_secs_f64() / INTERVAL.as_secs_f64();
    let gauges = series.chunks_exact_mut(QUERIES).flat_map(|series| &mut series[..2]);
    gauges.flatten().for_each(|point| point.value *= part);
}

/// The median of the reports a minute. A minute can have a report more or less than its neighbours, and more when processes
/// start and end.
fn processes(reports: &[Datapoint], since: Timestamp) -> u64 {
    let mut recent: Vec<u64> =
        reports.iter().filter(|point| point.at >= since).map(|point| whole(point.value)).collect();
    recent.sort_unstable();
    recent.get(recent.len().saturating_sub(1) / 2).copied().unwrap_or_default().max(1)
}

fn whole(value: f64) -> u64 {
    Duration::try_from_secs_f64(value.round()).map_or(0, |value| value.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(100 * 60).unwrap()
    }

    fn series(minutes_ago: &[(i64, f64)]) -> Vec<Datapoint> {
        let point = |(ago, value): &(i64, f64)| Datapoint {
            at: now() - SignedDuration::from_mins(*ago),
            value: *value,
        };
        minutes_ago.iter().map(point).collect()
    }

    fn state(reports: &[(i64, f64)], breaker: f64) -> WorkerState {
        let all = [
            series(reports),
            series(&[(1, 4.0)]),
            series(&[(9, 1000.0), (3, 20.0), (2, 5.0)]),
            series(&[(1, breaker)]),
            series(&[(2, 17.4)]),
        ];
        WorkerState::new("transcript", &all, now())
    }

    #[test]
    fn service_that_reports_has_its_processes_and_rate() {
        let running = state(&[(3, 2.0), (2, 3.0), (1, 1.0)], 0.0);
        assert_eq!((running.state, running.processes, running.in_flight), (Condition::Running, 2, 4));
        assert_eq!((running.per_minute, running.p95_ms), (5.0, Some(17.0)));
        assert_eq!(state(&[(1, 1.0)], 1.0).state, Condition::BreakerOpen);
        let restarted = state(&[(2, 3.0), (1, 1.0)], 0.0);
        assert_eq!(restarted.processes, 1);
    }

    #[test]
    fn process_that_reports_each_second_is_one_process() {
        let mut all = [&[(1, 119.0)][..], &[(1, 240.0)], &[(1, 5.0)], &[(1, 0.0)], &[(1, 17.0)]].map(series);
        per_report(&mut all, Duration::from_secs(1));
        let running = WorkerState::new("transcript", &all, now());
        assert_eq!((running.processes, running.in_flight, running.per_minute), (2, 4, 1.0));
    }

    #[test]
    fn service_without_a_report_for_four_minutes_is_silent() {
        let silent = state(&[(14, 1.0), (5, 1.0)], 1.0);
        assert_eq!((silent.state, silent.processes, silent.in_flight), (Condition::Silent, 0, 0));
        assert_eq!(silent.last_report_at, Some(now() - SignedDuration::from_mins(5)));
        let unknown = WorkerState::new("transcript", &vec![Vec::new(); QUERIES], now());
        assert_eq!((unknown.state, unknown.per_minute.to_string()), (Condition::Silent, "0".to_owned()));
        assert_eq!(state(&[], 0.0).last_report_at, None);
        assert_eq!(state(&[(4, 1.0)], 0.0).state, Condition::Running);
    }

    #[test]
    fn metrics_are_those_that_the_services_write() {
        let page = include_str!("../../../../infra/runbooks/metrics.md");
        for names in services() {
            for name in [names.gauge, names.count, names.time] {
                let of = if names.service == "ingress" { "ingress" } else { "each worker" };
                assert!(
                    page.lines().any(|line| line.starts_with(&format!("| `{name}` |")) && line.contains(of))
                );
            }
        }
    }
}
