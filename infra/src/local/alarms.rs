//! The alarm evaluator of the local cloud, which has no metrics of queues and evaluates alarms without their dimensions and not by
//! the clock, and refuses metric math and composite alarms in templates. The evaluator makes the alarms that are lacking. Each period
//! it samples the queues and reads the metrics in the logs of the processes, writes both to the local CloudWatch, evaluates the alarms
//! by CloudWatch's documented rules, and writes each change of state to the local CloudWatch and to the topics of the alarm.
//!
//! One period stands for one minute of AWS. The service reads the results as it does on AWS.

mod composite;
mod definitions;
mod emf;
mod expression;
mod logs;
mod math;
mod message;
mod queue_samples;
mod rule;
mod samples;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use events::cloudwatch::{Alarm, CloudWatch};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Cloud, http_client};
use composite::Composite;
use definitions::Definition;
use logs::Logs;
use math::Math;
use message::Change;
use queue_samples::{Peeked, QueueSamples};
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

/// Pages of alarms or of exports that are read.
const PAGES_MAX: usize = 10;

/// The running evaluator. Dropping it stops it.
#[derive(Debug)]
pub(super) struct AlarmEvaluator(JoinHandle<()>);

/// One alarm with the state that was written last.
struct Watched {
    alarm: Alarm,
    /// The metrics of an alarm of metric math.
    metrics: Option<Value>,
    kind: Kind,
    state: StateValue,
}

enum Kind {
    Metric(Rule, Selector),
    Math(Rule, Math),
    Composite(Composite),
}

struct Evaluator {
    cloudwatch: CloudWatch,
    sns: aws_sdk_sns::Client,
    http: reqwest::Client,
    peek: String,
    period: Duration,
    logs: Logs,
    queues: QueueSamples,
    samples: Samples,
    /// Those of metrics before those of other alarms.
    alarms: Vec<Watched>,
}

impl AlarmEvaluator {
    /// Starts it, if there is a `period`. `logs` are the files with the metrics of the processes. A failure is a warning: the service
    /// runs without it.
    pub(super) async fn start_with(
        cloud: &Cloud,
        period: Option<Duration>,
        logs: Vec<PathBuf>,
    ) -> Option<Self> {
        let started = Self::start(&cloud.root(), cloud.endpoint(), period?, logs).await;
        if let Err(error) = &started {
            let error = format!("{error:#}");
            tracing::warn!(error, "failed to start the alarm evaluator: alarms keep their state");
        }
        started.ok()
    }

    /// Starts it over all alarms of the templates whose metrics exist here. A log that does not exist yet is read once it does.
    ///
    /// # Errors
    /// The alarms cannot be made or read.
    async fn start(
        sdk: &SdkConfig,
        endpoint: &str,
        period: Duration,
        logs: Vec<PathBuf>,
    ) -> anyhow::Result<Self> {
        let cloudwatch = CloudWatch::new(sdk);
        let lacking = definitions::lacking(&exports(sdk).await?)?;
        make(&cloudwatch, &lacking).await?;
        let alarms = cloudwatch.alarms(PREFIX).await.context("cannot read the alarms")?;
        keep_from_evaluating(&cloudwatch).await?;
        let mut evaluator = Evaluator {
            cloudwatch,
            sns: aws_sdk_sns::Client::new(sdk),
            http: http_client()?,
            peek: format!("{endpoint}/{PEEK}"),
            period,
            logs: Logs::new(logs),
            queues: QueueSamples::default(),
            samples: Samples::default(),
            alarms: watched(alarms, &lacking)?,
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
    fn new(alarm: Alarm, metrics: Option<Value>) -> anyhow::Result<Self> {
        let known = || format!("cannot evaluate the alarm {}", alarm.alarm_name);
        let kind = match (&alarm.alarm_rule, &metrics) {
            (Some(rule), _) => Kind::Composite(Composite::parse(rule).with_context(known)?),
            (None, Some(metrics)) => {
                let math = Math::new(metrics, periods).with_context(known)?;
                Kind::Math(Rule::new(&alarm).with_context(known)?, math)
            }
            (None, None) => {
                let selector = Selector::of(&alarm).with_context(known)?;
                Kind::Metric(Rule::new(&alarm).with_context(known)?, selector)
            }
        };
        let state = StateValue::parse(&alarm.state_value);
        Ok(Self { alarm, metrics, kind, state })
    }
}

impl Selector {
    /// What an alarm of one metric reads.
    fn of(alarm: &Alarm) -> Option<Self> {
        Some(Self {
            metric: samples::Metric {
                namespace: alarm.namespace.clone()?,
                name: alarm.metric_name.clone()?,
                dimensions: samples::dimensions(&alarm.dimensions),
            },
            statistic: alarm.extended_statistic.clone().or_else(|| alarm.statistic.clone())?,
            periods: periods(alarm.period?),
        })
    }
}

/// Periods of the evaluator in this many seconds of AWS.
fn periods(seconds: u32) -> usize {
    usize::try_from(seconds.div_ceil(MINUTE_SECONDS).max(1)).unwrap_or(usize::MAX)
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
    async fn queues(&mut self, now: Timestamp) -> anyhow::Result<Vec<Sample>> {
        let peeked =
            self.http.get(&self.peek).timeout(self.period.max(Duration::from_secs(5))).send().await?;
        let peeked: Peeked = peeked.error_for_status()?.json().await?;
        Ok(self.queues.sample(peeked, PREFIX, now))
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
        let Watched { alarm, metrics, kind, state } = &self.alarms[position];
        let decided = match kind {
            Kind::Metric(rule, selector) => {
                self.decide(rule, &self.samples.points(selector, rule.range()), *state, selector.periods)
            }
            Kind::Math(rule, math) => {
                self.decide(rule, &math.points(&self.samples, rule.range()), *state, math.periods())
            }
            Kind::Composite(composite) => {
                let state_of = |name: &str| {
                    let child = self.alarms.iter().find(|child| child.alarm.alarm_name == name);
                    child.map(|child| child.state)
                };
                let raised: Vec<&str> = composite
                    .children()
                    .into_iter()
                    .filter(|child| state_of(child) == Some(StateValue::Alarm))
                    .collect();
                Some((composite.evaluate(state_of), format!("In alarm are: {}", raised.join(", "))))
            }
        };
        let Some((new, reason)) = decided.filter(|(new, _)| new != state) else { return Ok(()) };
        let change = Change { alarm, metrics: metrics.as_ref(), old: *state, new, reason, at: now };
        self.announce(&change)
            .await
            .with_context(|| format!("cannot set the state of {}", alarm.alarm_name))?;
        self.alarms[position].state = new;
        Ok(())
    }

    /// The state with its reason. `None` before there were enough periods to say that data is missing.
    fn decide(
        &self,
        rule: &Rule,
        points: &[Option<f64>],
        before: StateValue,
        periods: usize,
    ) -> Option<(StateValue, String)> {
        if rule.needs_data() && self.samples.len() < points.len() * periods {
            return None;
        }
        let new = rule.evaluate(points, before);
        Some((new, rule.reason(points, new)))
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

/// All values that the stacks export, by name.
async fn exports(sdk: &SdkConfig) -> anyhow::Result<BTreeMap<String, String>> {
    let cloudformation = aws_sdk_cloudformation::Client::new(sdk);
    let mut pages = cloudformation.list_exports().into_paginator().items().send();
    let mut exports = BTreeMap::new();
    while let Some(export) = pages.next().await {
        let export = export.context("cannot read the exports of the stacks")?;
        exports.extend(export.name.zip(export.value));
    }
    Ok(exports)
}

/// Makes alarms that the deployment left out. The local cloud keeps no metric math; the evaluator does.
async fn make(cloudwatch: &CloudWatch, lacking: &[Definition]) -> anyhow::Result<()> {
    let (composites, metrics): (Vec<&Definition>, Vec<&Definition>) =
        lacking.iter().partition(|alarm| alarm.is_composite);
    // A composite alarm is refused before its children exist.
    for alarm in metrics.into_iter().chain(composites) {
        let operation = if alarm.is_composite { "PutCompositeAlarm" } else { "PutMetricAlarm" };
        let put: anyhow::Result<Value> = cloudwatch.call(operation, &alarm.properties).await;
        put.with_context(|| format!("cannot make the alarm {}", alarm.name))?;
    }
    Ok(())
}

/// The alarms to evaluate, those of other alarms last.
fn watched(alarms: Vec<Alarm>, lacking: &[Definition]) -> anyhow::Result<Vec<Watched>> {
    let metrics = |name: &str| {
        let definition = lacking.iter().find(|definition| definition.name == name)?;
        definition.properties.get("Metrics").cloned()
    };
    let mut watched = Vec::new();
    for alarm in alarms {
        let metrics = metrics(&alarm.alarm_name);
        watched.push(Watched::new(alarm, metrics)?);
    }
    watched.sort_by_key(|watched| watched.alarm.alarm_rule.is_some());
    Ok(watched)
}

/// Keeps the local cloud from evaluating the alarms itself, which it does for each metric that is written: with a period of zero it
/// finds no datapoint. The evaluator has the periods of the templates.
async fn keep_from_evaluating(cloudwatch: &CloudWatch) -> anyhow::Result<()> {
    let mut input = json!({ "AlarmNamePrefix": PREFIX, "MaxRecords": 100 });
    for _ in 0..PAGES_MAX {
        let page: Value = cloudwatch.call("DescribeAlarms", &input).await?;
        for alarm in page["MetricAlarms"].as_array().into_iter().flatten() {
            let mut alarm = alarm.clone();
            alarm["Period"] = json!(0);
            let put: anyhow::Result<Value> = cloudwatch.call("PutMetricAlarm", &alarm).await;
            put.with_context(|| format!("cannot take over the alarm {}", alarm["AlarmName"]))?;
        }
        let Some(token) = page["NextToken"].as_str() else { return Ok(()) };
        input["NextToken"] = token.into();
    }
    anyhow::bail!("the alarms fill more than {PAGES_MAX} pages")
}
