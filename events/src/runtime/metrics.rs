//! Metrics: lock-free counters and distributions, written once a minute (`NOVA_METRICS_SECONDS`) as documents of CloudWatch's embedded metric format,
//! one line of JSON each on standard output, which CloudWatch Logs collects.
//!
//! Source of the format: Amazon CloudWatch user guide, "Specification: Embedded metric format". A metric's value is a
//! number or an array of at most 100; a directive has at most 100 metrics. The only dimension is `service`, because each
//! combination of a metric with the values of its dimensions is billed; a finer division is a property of the line, for
//! queries of CloudWatch Logs Insights. `infra/runbooks/metrics.md` lists all metrics and properties.

use std::{
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::env;

/// The namespace of all metrics, unless `NOVA_METRICS_NAMESPACE` names that of another stage.
pub const NAMESPACE: &str = "NovaEnglish";

/// The dimension of all metrics: the name of the process.
pub const DIMENSION: &str = "service";

/// How often the documents are written, unless `NOVA_METRICS_SECONDS` says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// Longest name of a stage, in bytes: that of the templates.
const STAGE_BYTES_MAX: usize = 12;

/// Values of one metric in one document (limit of the format).
pub const VALUES_MAX: usize = 100;

/// Buckets of [`Timings`]: 16 exact ones, then 8 for each doubling up to 2^28 (of milliseconds: three days).
const BUCKETS: usize = EXACT + 8 * (EXPONENT_MAX - 3);

/// Values below this have a bucket of their own.
const EXACT: usize = 16;

/// The exponent of the last doubling.
const EXPONENT_MAX: usize = 27;

/// See [`namespace`].
static NAMESPACE_OF_STAGE: OnceLock<String> = OnceLock::new();

/// Seconds between two documents. Zero: none are written, because the process has not called [`start`], as in tests.
static WRITTEN_EVERY: AtomicU64 = AtomicU64::new(0);

/// A count since the last document.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// The greatest value since the last document.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

/// A distribution since the last document: logarithmic buckets, with values within 7 % of the recorded ones.
#[derive(Debug)]
pub struct Timings([AtomicU64; BUCKETS]);

/// The units in use, out of those of CloudWatch (API reference, `MetricDatum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Milliseconds,
    Seconds,
}

/// One document: the metrics of a service, and properties.
#[derive(Clone, Debug)]
pub struct Document {
    service: &'static str,
    definitions: Vec<Value>,
    values: Map<String, Value>,
}

impl Counter {
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns the count and resets it.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Peak {
    pub fn record(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }

    /// Returns the value, 0 if there was none, and resets it.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Timings {
    /// Records `value`, in the unit of the metric.
    pub fn record(&self, value: u64) {
        self.0[bucket(value)].fetch_add(1, Ordering::Relaxed);
    }

    /// Records a duration in milliseconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }

    /// Returns the recorded values, sorted, and resets them. More than [`VALUES_MAX`] values are reduced to that many with the
    /// same distribution and the same maximum.
    pub fn take(&self) -> Vec<u64> {
        let counts: Vec<(u64, u64)> = self
            .0
            .iter()
            .enumerate()
            .map(|(bucket, count)| (value(bucket), count.swap(0, Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        let shown = total.min(u64::try_from(VALUES_MAX).expect("a hundred fits"));
        let mut below = 0;
        let mut values = Vec::new();
        let mut next = 1;
        for (value, count) in counts {
            below += count;
            // The n-th shown value is the quantile n / shown.
            while next <= shown && next * total <= below * shown {
                values.push(value);
                next += 1;
            }
        }
        values
    }
}

impl Document {
    /// A document of `service` without metrics.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        Self { service, definitions: Vec::new(), values: Map::new() }
    }

    /// Adds a property: a value of the line that is no metric.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }

    /// Adds counts by their names as a property, without those that are zero. Nothing if all are.
    #[must_use]
    pub fn counts(self, name: &str, counts: impl IntoIterator<Item = (&'static str, u64)>) -> Self {
        let occurred = counts.into_iter().filter(|(_, count)| *count > 0);
        let counts: Map<String, Value> =
            occurred.map(|(name, count)| (name.to_owned(), count.into())).collect();
        if counts.is_empty() { self } else { self.property(name, counts) }
    }

    /// Adds a distribution as a property, in milliseconds, if it has values, and resets it.
    #[must_use]
    pub fn timings_property(self, name: &str, timings: &Timings) -> Self {
        let values = timings.take();
        if values.is_empty() { self } else { self.property(name, values) }
    }

    /// Adds a metric with one value.
    #[must_use]
    pub fn number(self, name: &str, unit: Unit, value: u64) -> Self {
        self.value(name, unit, value.into())
    }

    /// Adds a metric of something rare: with its value, or not at all if that is zero. A series costs for the hours in which it
    /// has values.
    #[must_use]
    pub fn rare(self, name: &str, unit: Unit, value: u64) -> Self {
        if value == 0 { self } else { self.number(name, unit, value) }
    }

    /// Adds a metric with the values of `timings`, if there are any, and resets them.
    #[must_use]
    pub fn timings(self, name: &str, unit: Unit, timings: &Timings) -> Self {
        let values = timings.take();
        if values.is_empty() { self } else { self.value(name, unit, values.into()) }
    }

    fn value(mut self, name: &str, unit: Unit, value: Value) -> Self {
        let unit = match unit {
            Unit::Count => "Count",
            Unit::Milliseconds => "Milliseconds",
            Unit::Seconds => "Seconds",
        };
        self.definitions.push(json!({ "Name": name, "Unit": unit }));
        self.values.insert(name.to_owned(), value);
        self
    }

    /// The document with the timestamp `now`. `None` without metrics.
    #[must_use]
    pub fn encode(self, now: Timestamp) -> Option<Value> {
        if self.definitions.is_empty() {
            return None;
        }
        let mut document = self.values;
        document.insert(DIMENSION.to_owned(), self.service.into());
        let directive =
            json!({ "Namespace": namespace(), "Dimensions": [[DIMENSION]], "Metrics": self.definitions });
        let metadata = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] });
        document.insert("_aws".to_owned(), metadata);
        Some(Value::Object(document))
    }
}

/// The namespace of the metrics of this process and of all others of its stage.
#[must_use]
pub fn namespace() -> &'static str {
    NAMESPACE_OF_STAGE.get().map_or(NAMESPACE, String::as_str)
}

/// The time between two documents of this process and of all others.
#[must_use]
pub fn interval() -> Duration {
    match WRITTEN_EVERY.load(Ordering::Relaxed) {
        0 => INTERVAL,
        seconds => Duration::from_secs(seconds),
    }
}

/// Writes `documents` at the start, which shows the process to operators, once in each [`interval`], and a last time after
/// `ended`.
pub async fn write_until(ended: CancellationToken, documents: impl Fn() -> Vec<Document>) {
    let mut ticks = tokio::time::interval(interval());
    while ended.run_until_cancelled(ticks.tick()).await.is_some() {
        write(documents());
    }
    write(documents());
}

/// The interval that `NOVA_METRICS_SECONDS` sets: 1 to 60 seconds.
///
/// # Errors
/// It is no such number.
pub(super) fn interval_of(text: Option<&str>) -> anyhow::Result<Duration> {
    let Some(text) = text else { return Ok(INTERVAL) };
    let seconds = text.parse().ok().filter(|seconds| (1..=INTERVAL.as_secs()).contains(seconds));
    let seconds = seconds
        .with_context(|| format!("NOVA_METRICS_SECONDS {text:?} is not a number of seconds from 1 to 60"))?;
    Ok(Duration::from_secs(seconds))
}

/// The namespace that `NOVA_METRICS_NAMESPACE` sets.
///
/// # Errors
/// It is none of this service: `NovaEnglish`, or `NovaEnglish-STAGE` for another stage than production.
pub(super) fn namespace_of(text: Option<String>) -> anyhow::Result<String> {
    let namespace = text.unwrap_or_else(|| NAMESPACE.to_owned());
    let stage = namespace.strip_prefix(NAMESPACE).map(|stage| stage.strip_prefix('-').unwrap_or(stage));
    let is_valid = stage.is_some_and(|stage| {
        stage.len() <= STAGE_BYTES_MAX && stage.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
    });
    ensure!(
        is_valid,
        "NOVA_METRICS_NAMESPACE {namespace:?} is neither {NAMESPACE} nor {NAMESPACE}-STAGE, for example \
         {NAMESPACE}-staging"
    );
    Ok(namespace)
}

/// Enables [`write_until`].
pub(super) fn start(interval: Duration, namespace: String) {
    // A process starts once.
    let _ = NAMESPACE_OF_STAGE.set(namespace);
    WRITTEN_EVERY.store(interval.as_secs(), Ordering::Relaxed);
}

fn write(documents: Vec<Document>) {
    if WRITTEN_EVERY.load(Ordering::Relaxed) == 0 {
        return;
    }
    let now = env::now();
    let mut lines = String::new();
    for document in documents.into_iter().filter_map(|document| document.encode(now)) {
        lines.push_str(&document.to_string());
        lines.push('\n');
    }
    // Standard output may be closed; there is no other channel.
    let _ = std::io::stdout().lock().write_all(lines.as_bytes());
}

fn bucket(value: u64) -> usize {
    if let Some(exact) = usize::try_from(value).ok().filter(|value| *value < EXACT) {
        return exact;
    }
    let exponent = usize::try_from(value.ilog2()).expect("a logarithm is small");
    if exponent > EXPONENT_MAX {
        return BUCKETS - 1;
    }
    let eighth = usize::try_from((value >> (exponent - 3)) & 7).expect("an eighth is small");
    EXACT + 8 * (exponent - 4) + eighth
}

/// The middle of `bucket`.
fn value(bucket: usize) -> u64 {
    let Some(above) = bucket.checked_sub(EXACT) else {
        return u64::try_from(bucket).expect("an index is small");
    };
    let (exponent, eighth) = (4 + above / 8, u64::try_from(above % 8).expect("an eighth is small"));
    let width = 1 << (exponent - 3);
    (8 + eighth) * width + width / 2
}

/// Checks that `document` has the format. The schema follows the specification named above.
///
/// # Panics
/// The document is invalid.
#[cfg(test)]
pub(crate) fn assert_valid(document: &Value) {
    let schema: Value = serde_json::from_str(include_str!("metrics/emf.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {document}");
    // Not expressible in the schema: every referenced property exists and has the right type.
    let directive = &document["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Dimensions"], json!([[DIMENSION]]), "each further dimension is billed");
    assert!(document[DIMENSION].is_string(), "{document}");
    for metric in directive["Metrics"].as_array().unwrap() {
        let value = &document[metric["Name"].as_str().unwrap()];
        let numbers = value.as_array().is_some_and(|values| {
            (1..=VALUES_MAX).contains(&values.len()) && values.iter().all(Value::is_number)
        });
        assert!(value.is_number() || numbers, "{metric}: {value}");
    }
}

/// Checks that `infra/runbooks/metrics.md` lists each metric of `document`, which a consumer wrote, with its unit.
///
/// # Panics
/// It does not.
#[cfg(test)]
pub(crate) fn assert_documented(document: &Value) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/runbooks/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap() {
        let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
        let of = match name {
            "EndToEnd" => "each consumer of `conversation.completed`",
            "LostLeases" | "Crashes" | "DrainTime" => "each worker, rarely",
            _ => "each worker",
        };
        assert!(page.contains(&format!("\n| `{name}` | {unit} | {of} |")), "{name} in {unit} of {of}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{contract::ConversationCompleted, workers::Worker};

    fn at() -> Timestamp {
        "2026-11-24T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn document_fits_the_schema_of_the_format() {
        let timings = Timings::default();
        (0..1000).for_each(|value| timings.record(value));
        let document = Document::new("test")
            .property("queue", "nova-test")
            .counts("outcomes", [("done", 3), ("retry", 0)])
            .number("Messages", Unit::Count, 3)
            .timings("HandlerTime", Unit::Milliseconds, &timings)
            .timings("Nothing", Unit::Milliseconds, &timings);
        let document = document.encode(at()).unwrap();
        assert_valid(&document);
        assert_eq!(document["Messages"], 3);
        assert_eq!(document["HandlerTime"].as_array().unwrap().len(), VALUES_MAX);
        assert_eq!(document["_aws"]["Timestamp"], at().as_millisecond());
        assert_eq!(document.get("Nothing"), None);
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"].as_array().unwrap().len(), 2, "a property is no metric");
        assert_eq!((&document["queue"], &document["outcomes"]), (&"nova-test".into(), &json!({ "done": 3 })));
        let empty = Document::new("test").property("queue", "x").counts("outcomes", [("done", 0)]);
        assert!(empty.encode(at()).is_none());
    }

    /// The series are counted on the page: the tests of each process check that it emits no metric that the page does
    /// not list for it.
    #[test]
    fn all_processes_together_emit_at_most_100_series() {
        const SERIES_MAX: usize = 100;
        const CENTS_PER_SERIES: usize = 30;
        let page = include_str!("../../../infra/runbooks/metrics.md");
        let consuming =
            |event: &str| Worker::ALL.iter().filter(|worker| worker.spec().consumes.contains(&event)).count();
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let (mut metrics, mut series) = (BTreeSet::new(), 0);
        for row in rows {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let (name, unit, of) = (cells[1], cells[2], cells[3]);
            if !["Count", "Milliseconds", "Seconds"].contains(&unit) {
                continue;
            }
            assert!(metrics.insert(name), "{name} is listed twice");
            if of.ends_with(", rarely") {
                continue;
            }
            series += match of {
                "each worker" => Worker::ALL.len(),
                "each consumer of `conversation.completed`" => consuming(ConversationCompleted::NAME),
                "ingress" | "analysis" | "watchdog" => 1,
                other => panic!("{name} is emitted by {other:?}"),
            };
        }
        assert!((40..=SERIES_MAX).contains(&series), "{series} series");
        let cents = series * CENTS_PER_SERIES;
        let cost = format!("{series} series, ${}.{:02} a month", cents / 100, cents % 100);
        assert!(page.contains(&cost), "the page does not say: {cost}");
    }

    #[test]
    fn interval_is_at_most_a_minute() {
        assert_eq!(interval_of(None).unwrap(), INTERVAL);
        assert_eq!(interval_of(Some("1")).unwrap(), Duration::from_secs(1));
        for wrong in ["0", "61", "", "1.5"] {
            let error = interval_of(Some(wrong)).unwrap_err().to_string();
            assert!(error.contains("NOVA_METRICS_SECONDS") && error.contains("1 to 60"), "{error}");
        }
        assert_eq!(interval(), INTERVAL, "tests write nothing");
    }

    #[test]
    fn namespace_is_that_of_a_stage() {
        for (text, namespace) in [(None, NAMESPACE), (Some("NovaEnglish-staging"), "NovaEnglish-staging")] {
            assert_eq!(namespace_of(text.map(str::to_owned)).unwrap(), namespace);
        }
        for wrong in ["", "AWS/SQS", "NovaEnglish-Staging", "NovaEnglish-0123456789012", "nova-staging"] {
            let error = namespace_of(Some(wrong.to_owned())).unwrap_err().to_string();
            assert!(
                error.contains("NOVA_METRICS_NAMESPACE") && error.contains("NovaEnglish-STAGE"),
                "{error}"
            );
        }
        assert_eq!(namespace(), NAMESPACE, "no process has started");
    }

    #[test]
    fn rare_metric_is_written_when_it_has_a_value() {
        let document = Document::new("test").rare("Crashes", Unit::Count, 0).rare("Age", Unit::Seconds, 7);
        let document = document.encode(at()).unwrap();
        assert_valid(&document);
        assert_eq!((document.get("Crashes"), &document["Age"]), (None, &7.into()));
    }

    #[test]
    fn schema_refuses_what_is_no_document() {
        let wrong = [json!({}), json!({ "_aws": { "Timestamp": "now", "CloudWatchMetrics": [] } })];
        for document in wrong {
            assert!(std::panic::catch_unwind(|| assert_valid(&document)).is_err(), "{document}");
        }
    }

    proptest! {
        #[test]
        fn what_was_recorded_is_told_within_the_buckets_width(recorded in proptest::collection::vec(0u64..10_000_000, 1..300)) {
            let timings = Timings::default();
            recorded.iter().for_each(|value| timings.record(*value));
            let mut recorded = recorded;
            recorded.sort_unstable();
            let told = timings.take();
            prop_assert_eq!(told.len(), recorded.len().min(VALUES_MAX));
            let close = |told: u64, recorded: u64| told.abs_diff(recorded) * 100 <= recorded * 7;
            if recorded.len() <= VALUES_MAX {
                prop_assert!(told.iter().zip(&recorded).all(|(told, recorded)| close(*told, *recorded)));
            }
            prop_assert!(close(*told.last().unwrap(), *recorded.last().unwrap()));
            let median = (told[(told.len() - 1) / 2], recorded[(recorded.len() - 1) / 2]);
            let (low, high) = (recorded[recorded.len() * 45 / 100], recorded[(recorded.len() * 55 / 100).min(recorded.len() - 1)]);
            prop_assert!(median.0 + median.0 / 10 + 1 >= low && median.0 <= high + high / 10 + 1);
            prop_assert!(timings.take().is_empty());
        }

        #[test]
        fn every_value_has_a_bucket(value_of in any::<u64>()) {
            let found = bucket(value_of);
            prop_assert!(found < BUCKETS);
            prop_assert_eq!(bucket(value(found)), found);
        }
    }
}
