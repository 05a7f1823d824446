//! The queues: their counts from SQS, and the samples of the last hour from CloudWatch.

use std::{collections::BTreeMap, time::Duration};

use anyhow::anyhow;
use events::{
    cloudwatch::{CloudWatch, Datapoint, Window},
    queues::{self, Depths, METRIC_PERIOD_SECONDS, OLDEST_AGE, QueueName, WAITING},
    workers::Worker,
};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// How far back samples are returned.
const HISTORY: SignedDuration = SignedDuration::from_hours(1);

/// All queues, in the order of the workers; `events` is the last.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Queues {
    /// The queues.
    pub items: Vec<QueueState>,
}

/// A queue with its dead-letter queue.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueState {
    /// The name of its worker, or `events` for events that no rule could deliver, which have a dead-letter queue only.
    pub queue: &'static str,
    /// The messages; absent for `events`.
    #[serde(flatten)]
    pub depths: Option<Depths>,
    /// Age of the oldest message, in seconds, at the last sample. Messages that were received three times or more do not count.
    /// Absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<u64>,
    /// Messages in the dead-letter queue.
    pub dead_letters: u64,
    /// The samples of the last hour, at most one a minute, oldest first. Absent in events of the stream, and where CloudWatch
    /// cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<Vec<QueueSample>>,
}

/// The largest values of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueSample {
    /// Start of the minute.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Messages that waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Age of the oldest message, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<u64>,
    /// Messages in the dead-letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
}

/// The samples of the queues.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueSeries(BTreeMap<QueueName, Vec<QueueSample>>);

/// Reads the counts.
#[derive(Debug)]
pub(super) struct QueueReader {
    sqs: aws_sdk_sqs::Client,
    /// Each queue with the URLs of itself and of its dead-letter queue.
    urls: Vec<(QueueName, Option<String>, Option<String>)>,
}

impl QueueReader {
    pub(super) fn new(sqs: aws_sdk_sqs::Client, workers: &[String], dead: &[String]) -> Self {
        let find = |urls: &[String], name: &str| urls.iter().find(|url| queues::name(url) == name).cloned();
        let urls = QueueName::all().map(|name| {
            let own = match name {
                QueueName::Worker(worker) => find(workers, &worker.queue_name()),
                QueueName::Events => None,
            };
            (name, own, find(dead, &name.dead_letters()))
        });
        Self { sqs, urls: urls.collect() }
    }

    /// # Errors
    /// A queue cannot be read.
    pub(super) async fn read(&self, series: Option<&QueueSeries>) -> anyhow::Result<Queues> {
        let depths = async |url: &Option<String>| match url {
            Some(url) => Depths::read(&self.sqs, url).await.map(Some).map_err(|failure| anyhow!("{failure}")),
            None => Ok(None),
        };
        let read = self.urls.iter().map(async |(name, own, dead)| {
            let (depths, dead) = tokio::try_join!(depths(own), depths(dead))?;
            anyhow::Ok(QueueState {
                queue: name.name(),
                depths,
                oldest_seconds: series.and_then(|series| series.oldest_seconds(*name)),
                dead_letters: dead.unwrap_or_default().total(),
                samples: None,
            })
        });
        Ok(Queues { items: try_join_all(read).await? })
    }
}

impl Queues {
    /// The queues with their samples.
    #[must_use]
    pub fn with(mut self, series: Option<&QueueSeries>) -> Self {
        for queue in &mut self.items {
            let name = QueueName::all().find(|name| name.name() == queue.queue);
            let samples = name.and_then(|name| series.map(|series| series.of(name)));
            queue.samples = samples.map(<[QueueSample]>::to_vec);
        }
        self
    }
}

impl QueueSeries {
    /// Reads the samples of the last hour.
    pub(super) async fn read(cloudwatch: &CloudWatch, now: Timestamp) -> anyhow::Result<Self> {
        let dead_letters: Vec<String> = QueueName::all().map(QueueName::dead_letters).collect();
        let workers = Worker::ALL.map(Worker::queue_name);
        let own = workers.iter().flat_map(|queue| [(queue, WAITING), (queue, OLDEST_AGE)]);
        let dead = dead_letters.iter().map(|queue| (queue, WAITING));
        let queries: Vec<_> = own.chain(dead).map(|(queue, metric)| queues::metric(queue, metric)).collect();
        let window = Window { from: now - HISTORY, to: now, period_seconds: METRIC_PERIOD_SECONDS };
        let all = cloudwatch.series(&queries, window).await?;
        let (own, dead) = all.split_at(2 * Worker::ALL.len());
        let samples = QueueName::all().zip(dead).enumerate().map(|(position, (name, dead))| {
            let own = own.get(2 * position..2 * position + 2);
            let [waiting, oldest] = own.map_or([&[][..]; 2], |own| [&own[0], &own[1]]);
            (name, merged(waiting, oldest, dead))
        });
        Ok(Self(samples.collect()))
    }

    fn of(&self, name: QueueName) -> &[QueueSample] {
        self.0.get(&name).map_or(&[], Vec::as_slice)
    }

    fn oldest_seconds(&self, name: QueueName) -> Option<u64> {
        self.of(name).iter().rev().find_map(|sample| sample.oldest_seconds)
    }
}

/// One sample for each minute that one of the series has.
fn merged(waiting: &[Datapoint], oldest: &[Datapoint], dead: &[Datapoint]) -> Vec<QueueSample> {
    let mut samples = BTreeMap::new();
    let empty = |at| QueueSample { at, waiting: None, oldest_seconds: None, dead_letters: None };
    let mut add = |points: &[Datapoint], set: fn(&mut QueueSample) -> &mut Option<u64>| {
        for point in points {
            *set(samples.entry(point.at).or_insert_with(|| empty(point.at))) = whole(point.value);
        }
    };
    add(waiting, |sample| &mut sample.waiting);
    add(oldest, |sample| &mut sample.oldest_seconds);
    add(dead, |sample| &mut sample.dead_letters);
    samples.into_values().collect()
}

/// A count or a number of seconds.
fn whole(value: f64) -> Option<u64> {
    Duration::try_from_secs_f64(value).ok().map(|value| value.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_become_one_sample_a_minute() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let point = |minute, value| Datapoint { at: at(minute), value };
        let samples = merged(&[point(1, 3.0), point(2, 4.0)], &[point(2, 61.4)], &[point(0, -1.0)]);
        let values =
            samples.iter().map(|sample| (sample.waiting, sample.oldest_seconds, sample.dead_letters));
        assert_eq!(
            values.collect::<Vec<_>>(),
            [(None, None, None), (Some(3), None, None), (Some(4), Some(61), None)]
        );
        let name = QueueName::Worker(Worker::Transcript);
        let series = QueueSeries([(name, samples)].into());
        assert_eq!(series.oldest_seconds(name), Some(61));
        let state = QueueState {
            queue: name.name(),
            depths: Some(Depths::default()),
            oldest_seconds: None,
            dead_letters: 0,
            samples: None,
        };
        let queues = Queues { items: vec![state] };
        assert_eq!(queues.clone().with(Some(&series)).items[0].samples.as_ref().map(Vec::len), Some(3));
        assert_eq!(queues.with(None).items[0].samples, None, "an unreadable CloudWatch is no empty hour");
    }
}
