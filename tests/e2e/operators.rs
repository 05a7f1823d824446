//! An operator's stream and page while a worker is stopped: its queue grows, its alarm changes its state and notifies its topic,
//! and both recover when the worker runs again.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use events::{cloudwatch::CloudWatch, workers::Worker};
use infra::{
    client::{Learner, PASSWORD},
    local::{Cloud, Instance},
};
use serde_json::{Value, json};
use tests::{
    inbox::Notifications,
    sse::Stream,
    system::{System, await_some},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
    time::Instant,
};

use crate::{beside_others, browser, conversations};

/// The time that stands for a minute of CloudWatch.
const ALARM_PERIOD: Duration = Duration::from_secs(1);

/// The longest time until the stream shows a change: the five periods of the alarm, and the intervals of the reads.
const WITHIN: Duration = Duration::from_secs(60);

const EMAIL: &str = "operator@nova.example";

const ALARM: &str = "nova-transcript-depth";

#[tokio::test(flavor = "multi_thread")]
async fn operator_sees_a_stopped_worker_and_its_recovery() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let page = browser::page().await?;
    let system = System::start_behind("operators", async |cloud, _, options| {
        options.alarm_period = Some(ALARM_PERIOD);
        options.environment.push(page);
        lower_threshold(cloud).await
    })
    .await?;
    let notifications = notifications(&system).await?;
    let operator = system.sign_up_to_group(EMAIL, "ops").await?;
    let mut followed = Followed { stream: follow(&system, &operator).await?, latest: BTreeMap::new() };
    // The queue was empty for the periods of the alarm.
    followed.until("the alarm is fine", |followed| followed.alarm() == Some("ok")).await?;
    let mut page = OperatorsPage::open(&system)?;
    page.shows("well").await?;

    let transcript = Instance { service: Worker::Transcript.into(), copy: 0 };
    system.stack.terminate(transcript).await?;
    let learners = conversations::learners(&system, 2).await?;
    let finished = conversations::converse_at_once(&learners).await?;
    followed.until("the queue grows", |followed| followed.waiting() == Some(2)).await?;
    followed.until("the alarm is raised", |followed| followed.alarm() == Some("alarm")).await?;
    let message = changed(&notifications, "ALARM").await?;
    ensure!(message["OldStateValue"] == "OK", "{message:#}");
    ensure!(message["Trigger"]["Dimensions"] == json!([{ "name": "QueueName", "value": "nova-transcript" }]));

    page.shows("raised").await?;
    system.stack.restart(transcript).await?;
    followed.until("the queue is empty", |followed| followed.waiting() == Some(0)).await?;
    followed.until("the alarm has ended", |followed| followed.alarm() == Some("ok")).await?;
    ensure!(changed(&notifications, "OK").await?["OldStateValue"] == "ALARM");
    drop(followed);
    page.shows("recovered").await?;
    page.shows("path").await?;

    check_samples(&system, &operator).await?;
    conversations::check_results(&system, &finished).await?;
    system.await_quiet(WITHIN).await?;
    system.stop().await
}

/// Makes one waiting message too many.
async fn lower_threshold(cloud: &Cloud) -> anyhow::Result<()> {
    let cloudwatch = CloudWatch::new(&cloud.root());
    let input = json!({ "AlarmNames": [ALARM] });
    let alarms: Value = cloudwatch.call("DescribeAlarms", &input).await?;
    let mut alarm = alarms["MetricAlarms"][0].clone();
    ensure!(alarm["AlarmName"] == ALARM, "{alarms}");
    alarm["Threshold"] = json!(0);
    let _: Value = cloudwatch.call("PutMetricAlarm", &alarm).await?;
    Ok(())
}

/// What the topics of the alarm receive.
async fn notifications(system: &System) -> anyhow::Result<Notifications> {
    let outputs = system.stack.outputs();
    let topics = [outputs.warning_topic.as_str(), outputs.info_topic.as_str()];
    Notifications::open(&system.stack.cloud().root(), &topics).await
}

/// Waits for the message of the alarm with this new state.
async fn changed(notifications: &Notifications, state: &str) -> anyhow::Result<Value> {
    await_some("the alarm notifies its topic", WITHIN, async || {
        let messages = notifications.drain().await?;
        let mut messages =
            messages.into_iter().filter_map(|message| serde_json::from_str::<Value>(&message).ok());
        let found =
            messages.find(|message| message["AlarmName"] == ALARM && message["NewStateValue"] == state);
        Ok(found.ok_or_else(|| format!("no message of {state}")))
    })
    .await
}

async fn follow(system: &System, operator: &Learner) -> anyhow::Result<Stream> {
    let response = get(system, operator, "/api/ops/events").await?;
    ensure!(response.headers()["content-type"] == "text/event-stream");
    Ok(Stream::new(response))
}

async fn get(system: &System, operator: &Learner, path: &str) -> anyhow::Result<reqwest::Response> {
    let request = infra::local::http_client()?.get(format!("{}{path}", system.stack.url()));
    let token = operator.access_token().await?;
    Ok(request.bearer_auth(token).send().await?.error_for_status()?)
}

/// The page in Chromium, which prints a line for each state that it shows.
struct OperatorsPage {
    _browser: Child,
    states: Lines<BufReader<ChildStdout>>,
}

impl OperatorsPage {
    fn open(system: &System) -> anyhow::Result<Self> {
        let mut script = browser::script("operator.mjs");
        script.args([system.stack.url(), EMAIL, PASSWORD, ALARM]).stdout(Stdio::piped());
        let mut browser = script.spawn().context("failed to start node")?;
        let printed = browser.stdout.take().context("standard output is piped")?;
        Ok(Self { _browser: browser, states: BufReader::new(printed).lines() })
    }

    async fn shows(&mut self, state: &str) -> anyhow::Result<()> {
        let printed = tokio::time::timeout(WITHIN, self.states.next_line()).await;
        let printed = printed.with_context(|| format!("the page does not show {state:?} in time"))??;
        ensure!(printed.as_deref() == Some(state), "the page has failed before {state:?}: {printed:?}");
        Ok(())
    }
}

/// What an operator's stream has shown. The kinds of events come in any order.
struct Followed {
    stream: Stream,
    /// The latest data by kind.
    latest: BTreeMap<String, Value>,
}

impl Followed {
    /// Follows the stream until the latest data `hold`.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + WITHIN;
        while !holds(self) {
            let event = tokio::time::timeout_at(deadline, self.stream.next()).await;
            let event = event.with_context(|| format!("{what}: not in time: {:?}", self.latest))?;
            let event = event?.context("the stream has ended")?;
            self.latest.insert(event.name, event.data);
        }
        Ok(())
    }

    fn item(&self, kind: &str, key: &str, name: &str) -> Option<&Value> {
        self.latest.get(kind)?["items"].as_array()?.iter().find(|item| item[key] == name)
    }

    fn waiting(&self) -> Option<u64> {
        self.item("queues", "queue", "transcript")?["waiting"].as_u64()
    }

    fn alarm(&self) -> Option<&str> {
        self.item("alarms", "name", ALARM)?["state"].as_str()
    }
}

/// CloudWatch of the local cloud has the samples of the queue, and the reports of the workers in the logs.
async fn check_samples(system: &System, operator: &Learner) -> anyhow::Result<()> {
    await_some("the samples show the waiting messages", WITHIN, async || {
        let queues: Value = get(system, operator, "/api/ops/queues").await?.json().await?;
        let samples = queues["items"][0]["samples"].as_array().cloned().unwrap_or_default();
        let grew =
            samples.iter().any(|sample| sample["waiting"] == 2 && sample["oldestSeconds"].as_u64() > Some(0));
        Ok(if grew { Ok(()) } else { Err(format!("{queues}")) })
    })
    .await?;
    // A process reports when it starts, and at its end.
    await_some("the workers report", 2 * WITHIN, async || {
        let workers: Value = get(system, operator, "/api/ops/workers").await?.json().await?;
        let items = workers["items"].as_array().cloned().unwrap_or_default();
        let running = items.iter().all(|worker| worker["state"] == "running" && worker["processes"] == 1);
        Ok(if running && items.len() == 1 + Worker::ALL.len() { Ok(()) } else { Err(format!("{workers}")) })
    })
    .await
}
