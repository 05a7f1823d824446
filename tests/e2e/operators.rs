//! An operator's stream and page while every worker is stopped: their queues grow, the alarms of each worker and no others change
//! their states and notify their topics, and all recover when the workers run again.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use events::{account::deletion_requested, bus::Bus, cloudwatch::CloudWatch, workers::Worker};
use futures_util::future::try_join_all;
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
async fn operator_sees_every_stopped_worker_and_its_recovery() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let page = browser::page().await?;
    let system = System::start_behind("operators", async |cloud, _, options| {
        options.alarm_period = Some(ALARM_PERIOD);
        options.environment.push(page);
        lower_threshold(cloud).await
    })
    .await?;
    let mut notified = Notified { notifications: notifications(&system).await?, messages: Vec::new() };
    let operator = system.sign_up_to_group(EMAIL, "ops").await?;
    let mut followed = Followed { stream: follow(&system, &operator).await?, latest: BTreeMap::new() };
    // The queue was empty for the periods of the alarm.
    followed.until("the alarm is fine", |followed| followed.alarm() == Some("ok")).await?;
    let mut page = OperatorsPage::open(&system)?;
    page.shows("well").await?;
    followed.until("nothing is wrong", |followed| followed.raised().is_empty()).await?;

    let workers = Worker::ALL.map(|worker| Instance { service: worker.into(), copy: 0 });
    try_join_all(workers.map(|worker| system.stack.terminate(worker))).await?;
    let learners = conversations::learners(&system, 2).await?;
    let finished = conversations::converse_at_once(&learners).await?;
    followed.until("the queue grows", |followed| followed.waiting() == Some(2)).await?;
    followed.until("the alarm is raised", |followed| followed.alarm() == Some("alarm")).await?;
    let message = notified.changed(ALARM, "ALARM").await?;
    ensure!(message["OldStateValue"] == "OK", "{message:#}");
    ensure!(message["Trigger"]["Dimensions"] == json!([{ "name": "QueueName", "value": "nova-transcript" }]));
    request_erasure(&system, &learners[0]).await?;
    followed
        .until("the alarms of each worker are raised", |followed| followed.raised() == expected())
        .await?;
    for worker in Worker::ALL {
        let message = notified.changed(&format!("nova-{worker}-down"), "ALARM").await?;
        ensure!(message["AlarmRule"].as_str().is_some_and(|rule| rule.contains("heartbeat")), "{message:#}");
        ensure!(followed.runbook(&format!("nova-{worker}-down")) == Some("worker-down.md"));
    }

    page.shows("raised").await?;
    try_join_all(workers.map(|worker| system.stack.restart(worker))).await?;
    followed.until("the queue is empty", |followed| followed.waiting() == Some(0)).await?;
    followed.until("the alarm has ended", |followed| followed.alarm() == Some("ok")).await?;
    followed.until("all alarms have ended", |followed| followed.raised().is_empty()).await?;
    ensure!(notified.changed(ALARM, "OK").await?["OldStateValue"] == "ALARM");
    for worker in Worker::ALL {
        notified.changed(&format!("nova-{worker}-down"), "OK").await?;
    }
    notified.check_raised(&announced())?;
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

/// The alarms that are raised while every worker is stopped and has work: the depth of the queue with the lower threshold, and of each
/// worker that it does not report, that its queue is not worked off, and that either is so.
fn expected() -> BTreeSet<String> {
    let of = |worker: Worker| ["heartbeat", "silent", "down"].map(|kind| format!("nova-{worker}-{kind}"));
    Worker::ALL.into_iter().flat_map(of).chain([ALARM.to_owned()]).collect()
}

/// Those of them that notify a topic.
fn announced() -> BTreeSet<String> {
    let down = Worker::ALL.map(|worker| format!("nova-{worker}-down"));
    down.into_iter().chain([ALARM.to_owned()]).collect()
}

/// Gives the erasure worker a message that changes nothing: the learner has requested no deletion.
async fn request_erasure(system: &System, learner: &Learner) -> anyhow::Result<()> {
    let client = aws_sdk_eventbridge::Client::new(&system.stack.cloud().root());
    let bus = Bus::new(client, &system.stack.outputs().bus_name, "nova.test");
    Ok(bus.publish(&[deletion_requested(learner.user_id(), jiff::Timestamp::now())]).await?)
}

/// What the topics of the alarms receive.
async fn notifications(system: &System) -> anyhow::Result<Notifications> {
    let outputs = system.stack.outputs();
    let topics = [&outputs.critical_topic, &outputs.warning_topic, &outputs.info_topic].map(String::as_str);
    Notifications::open(&system.stack.cloud().root(), &topics).await
}

/// The messages of alarms so far.
struct Notified {
    notifications: Notifications,
    messages: Vec<Value>,
}

impl Notified {
    /// Waits for the message of `alarm` with this new state.
    async fn changed(&mut self, alarm: &str, state: &str) -> anyhow::Result<Value> {
        await_some("the alarm notifies its topic", WITHIN, async || {
            let messages = self.notifications.drain().await?;
            let messages = messages.into_iter().filter_map(|message| serde_json::from_str(&message).ok());
            self.messages.extend(messages);
            let is_it = |message: &&Value| message["AlarmName"] == alarm && message["NewStateValue"] == state;
            let found = self.messages.iter().rev().find(is_it).cloned();
            Ok(found.ok_or_else(|| format!("no message of {alarm} with {state}")))
        })
        .await
    }

    /// Checks that no other alarm was raised than `alarms`.
    fn check_raised(&self, alarms: &BTreeSet<String>) -> anyhow::Result<()> {
        let raised = self.messages.iter().filter(|message| message["NewStateValue"] == "ALARM");
        let raised: BTreeSet<String> =
            raised.filter_map(|message| message["AlarmName"].as_str().map(str::to_owned)).collect();
        ensure!(raised == *alarms, "{raised:?} were raised instead of {alarms:?}");
        Ok(())
    }
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

    /// The names of the alarms that are raised.
    fn raised(&self) -> BTreeSet<String> {
        let items = self.latest.get("alarms").and_then(|alarms| alarms["items"].as_array());
        let raised = items.into_iter().flatten().filter(|alarm| alarm["state"] == "alarm");
        raised.filter_map(|alarm| alarm["name"].as_str().map(str::to_owned)).collect()
    }

    fn runbook(&self, alarm: &str) -> Option<&str> {
        self.item("alarms", "name", alarm)?["runbook"]["page"].as_str()
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
