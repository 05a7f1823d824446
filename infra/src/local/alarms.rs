//! The alarm evaluator of the local cloud, which has no metrics of queues and evaluates alarms without their dimensions and not by
//! the clock. Each period it samples the queues and reads the metrics in the logs of the processes, writes both to the local
//! CloudWatch, evaluates the deployed alarms by CloudWatch's documented rules, and writes each change of state to the local
//! CloudWatch and to the topics of the alarm.
//!
//! One period stands for one minute of AWS. The service reads the results as it does on AWS.

mod emf;
mod logs;
mod message;
mod rule;
mod samples;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use events::cloudwatch::{CloudWatch, MetricAlarm};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Cloud, Instance, StackOptions, http_client};
use logs::Logs;
use message::Change;
use rule::{Rule, StateValue};
use samples::{Sample, Samples, Selector};

/// The beginning of the names of the service's alarms and queues.
const PREFIX: &str = "nova-";

/// The period of AWS that one period of the evaluator stands for, in seconds.
const MINUTE_SECONDS: u32 = 60;

/// Datapoints of one call that writes metrics (service limit).
const DATAPOINTS_OF_CALL: usize = 1000;

/// The local cloud's list of messages, which receives none of them.
const PEEK: &str = "_ministack/sqs/messages";

/// Messages that were received this often do not count for the age of the oldest one, as on AWS.
const RECEIVES_OF_OLD: u32 = 3;

/// The running evaluator. Dropping it stops it.
#[derive(Debug)]
pub(super) struct AlarmEvaluator(JoinHandle<()>);

/// One alarm with the state that was written last.
struct Watched {
    alarm: MetricAlarm,
    rule: Rule,
    selector: Selector,
    state: StateValue,
}

struct Evaluator {
    cloudwatch: CloudWatch,
    sns: aws_sdk_sns::Client,
    http: reqwest::Client,
    peek: String,
    period: Duration,
    logs: Logs,
    samples: Samples,
    alarms: Vec<Watched>,
}

/// A message of a queue as the local cloud lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PeekedMessage {
    /// Seconds since the epoch.
    sent_timestamp: i64,
    is_visible: bool,
    receive_count: u32,
}

/// The messages by account, region and URL of the queue.
#[derive(Debug, Deserialize)]
struct Peeked {
    messages: BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<PeekedMessage>>>>,
}

impl AlarmEvaluator {
    /// Starts it for a stack of `instances`, if the options have it. A failure is a warning: the service runs without it.
    pub(super) async fn start_with(
        cloud: &Cloud,
        instances: &[Instance],
        options: &StackOptions,
    ) -> Option<Self> {
        let period = options.alarm_period?;
        let logs = instances.iter().map(|instance| instance.log(&options.state_dir)).collect();
        let started = Self::start(&cloud.root(), cloud.endpoint(), period, logs).await;
        if let Err(error) = &started {
            let error = format!("{error:#}");
            tracing::warn!(error, "failed to start the alarm evaluator: alarms keep their state");
        }
        started.ok()
    }

    /// Starts it over the deployed alarms. `logs` are the files with the metrics of the processes; one that does not exist yet
    /// is read once it does.
    ///
    /// # Errors
    /// The alarms cannot be read.
    async fn start(
        sdk: &SdkConfig,
        endpoint: &str,
        period: Duration,
        logs: Vec<PathBuf>,
    ) -> anyhow::Result<Self> {
        let cloudwatch = CloudWatch::new(sdk);
        let alarms = cloudwatch.alarms(PREFIX).await.context("cannot read the deployed alarms")?;
        keep_from_evaluating(&cloudwatch).await?;
        let mut evaluator = Evaluator {
            cloudwatch,
            sns: aws_sdk_sns::Client::new(sdk),
            http: http_client()?,
            peek: format!("{endpoint}/{PEEK}"),
            period,
            logs: Logs::new(logs),
            samples: Samples::default(),
            alarms: alarms.into_iter().filter_map(Watched::new).collect(),
        };
        Ok(Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(period);
            loop {
                ticks.tick().await;
                if let Err(error) = evaluator.tick(Timestamp::now()).await {
                    tracing::warn!(error = format!("{error:#}"), "the alarms were not evaluated");
                }
            }
        })))
    }
}

impl Drop for AlarmEvaluator {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watched {
    /// `None` for an alarm that computes its value: the local cloud has none.
    fn new(alarm: MetricAlarm) -> Option<Self> {
        let periods = alarm.period?.div_ceil(MINUTE_SECONDS).max(1);
        let selector = Selector {
            metric: samples::Metric {
                namespace: alarm.namespace.clone()?,
                name: alarm.metric_name.clone()?,
                dimensions: samples::dimensions(&alarm.dimensions),
            },
            statistic: alarm.extended_statistic.clone().or_else(|| alarm.statistic.clone())?,
            periods: usize::try_from(periods).ok()?,
        };
        let state = StateValue::parse(&alarm.state_value);
        Some(Self { rule: Rule::new(&alarm)?, alarm, selector, state })
    }
}

impl Evaluator {
    /// One period: its samples, then the alarms.
    async fn tick(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let mut period = self.queues(now).await.context("cannot sample the queues")?;
        period.extend(self.logs.read());
        self.put(&period, now).await.context("cannot write the samples")?;
        self.samples.push(period);
        for position in 0..self.alarms.len() {
            self.evaluate(position, now).await?;
        }
        Ok(())
    }

    /// The metrics of the queues, as SQS writes them once a minute.
    async fn queues(&self, now: Timestamp) -> anyhow::Result<Vec<Sample>> {
        let peeked =
            self.http.get(&self.peek).timeout(self.period.max(Duration::from_secs(5))).send().await?;
        let peeked: Peeked = peeked.error_for_status()?.json().await?;
        let queues = peeked.messages.into_values().flat_map(BTreeMap::into_values).flatten();
        let name = |url: &str| events::queues::name(url).to_owned();
        let queues = queues.map(|(url, messages)| (name(&url), messages));
        let ours = queues.filter(|(queue, _)| queue.starts_with(PREFIX));
        Ok(ours.flat_map(|(queue, messages)| queue_samples(&queue, &messages, now)).collect())
    }

    /// Writes the samples, with the start of their period as their time.
    async fn put(&self, samples: &[Sample], now: Timestamp) -> anyhow::Result<()> {
        let at = (now - self.period).as_millisecond() as f64 / 1000.0;
        let mut namespaces: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for Sample { metric, values } in samples {
            let dimensions = metric.dimensions.iter();
            let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
            let datum = json!({
                "MetricName": metric.name, "Timestamp": at, "Values": values,
                "Dimensions": dimensions.collect::<Vec<_>>(),
            });
            namespaces.entry(&metric.namespace).or_default().push(datum);
        }
        for (namespace, data) in namespaces {
            for data in data.chunks(DATAPOINTS_OF_CALL) {
                let input = json!({ "Namespace": namespace, "MetricData": data });
                let _: Value = self.cloudwatch.call("PutMetricData", &input).await?;
            }
        }
        Ok(())
    }

    async fn evaluate(&mut self, position: usize, now: Timestamp) -> anyhow::Result<()> {
        let Watched { alarm, rule, selector, state } = &self.alarms[position];
        let points = self.samples.points(selector, rule.range());
        let new = rule.evaluate(&points, *state);
        if new == *state {
            return Ok(());
        }
        let change = Change { alarm, old: *state, new, reason: rule.reason(&points, new), at: now };
        self.announce(&change)
            .await
            .with_context(|| format!("cannot set the state of {}", alarm.alarm_name))?;
        self.alarms[position].state = new;
        Ok(())
    }

    /// Writes the new state, and the message to the topics of that state.
    async fn announce(&self, change: &Change<'_>) -> anyhow::Result<()> {
        let alarm = change.alarm;
        let state = json!({
            "AlarmName": alarm.alarm_name, "StateValue": change.new.name(), "StateReason": change.reason,
        });
        let _: Value = self.cloudwatch.call("SetAlarmState", &state).await?;
        let topics = match change.new {
            StateValue::Ok => &alarm.ok_actions,
            StateValue::Alarm => &alarm.alarm_actions,
            StateValue::InsufficientData => &alarm.insufficient_data_actions,
        };
        for topic in topics {
            let publish = self.sns.publish().topic_arn(topic).subject(change.subject());
            publish.message(change.message().to_string()).send().await?;
        }
        Ok(())
    }
}

/// Keeps the local cloud from evaluating the alarms itself, which it does for each metric that is written: with a period of zero it
/// finds no datapoint. The evaluator has the deployed periods.
async fn keep_from_evaluating(cloudwatch: &CloudWatch) -> anyhow::Result<()> {
    let input = json!({ "AlarmNamePrefix": PREFIX, "MaxRecords": 100 });
    let all: Value = cloudwatch.call("DescribeAlarms", &input).await?;
    for alarm in all["MetricAlarms"].as_array().into_iter().flatten() {
        let mut alarm = alarm.clone();
        alarm["Period"] = json!(0);
        let put: anyhow::Result<Value> = cloudwatch.call("PutMetricAlarm", &alarm).await;
        put.with_context(|| format!("cannot take over the alarm {}", alarm["AlarmName"]))?;
    }
    Ok(())
}

fn queue_samples(queue: &str, messages: &[PeekedMessage], now: Timestamp) -> [Sample; 4] {
    let count = |counts: fn(&PeekedMessage) -> bool| {
        f64::from(
            u32::try_from(messages.iter().filter(|message| counts(message)).count()).unwrap_or(u32::MAX),
        )
    };
    // A message whose delay is not over does not wait yet.
    let waits = |message: &&PeekedMessage| {
        message.receive_count < RECEIVES_OF_OLD && (message.is_visible || message.receive_count > 0)
    };
    let oldest = messages.iter().filter(waits).map(|message| now.as_second() - message.sent_timestamp).max();
    let values = [
        (events::queues::WAITING, count(|message| message.is_visible)),
        (
            "ApproximateNumberOfMessagesNotVisible",
            count(|message| !message.is_visible && message.receive_count > 0),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            count(|message| !message.is_visible && message.receive_count == 0),
        ),
        (events::queues::OLDEST_AGE, oldest.unwrap_or(0).max(0) as f64),
    ];
    values.map(|(name, value)| Sample {
        metric: samples::Metric {
            namespace: events::queues::NAMESPACE.to_owned(),
            name: name.to_owned(),
            dimensions: BTreeMap::from([(events::queues::DIMENSION.to_owned(), queue.to_owned())]),
        },
        values: vec![value],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_is_sampled_as_sqs_reports_it() {
        let message = |sent_timestamp, is_visible, receive_count| PeekedMessage {
            sent_timestamp,
            is_visible,
            receive_count,
        };
        let messages = [
            message(940, true, 0),
            message(930, false, 1),
            // Received too often to count for the age, and delayed.
            message(100, true, 3),
            message(200, false, 0),
        ];
        let now = Timestamp::from_second(1000).unwrap();
        let values = queue_samples("nova-transcript", &messages, now).map(|sample| sample.values[0]);
        assert_eq!(values, [2.0, 1.0, 1.0, 70.0]);
        let empty = queue_samples("nova-transcript", &[], now).map(|sample| sample.values[0]);
        assert_eq!(empty, [0.0; 4]);
    }
}
