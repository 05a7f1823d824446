//! The workers as real processes against the same model, served over HTTP: what a message costs, judged by the same
//! oracle.
//!
//! Conversations are journalled first; then their events are published as fast as the bus takes them, and the time runs
//! until the queues are empty. Then the watchdog audits every one of them. The model thinks of nothing, and no network is
//! in between; it runs on the same processors. So messages per second are those of this machine with the model on it,
//! and what a message costs of a processor is the workers' own.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use aws_config::SdkConfig;
use events::{
    bus::Bus,
    contract::{
        ConversationId, EndReason, Envelope, FeedbackLanguage, Level, Speaker, TraceParent, Turn, Usage,
        UserId,
    },
    journal::{End, Journal, JournalConfig, Start},
    runtime::env,
    workers::Worker,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use infra::local::{Binaries, Process, ProcessGroup, Progress, Service, build, free_port, http_client};
use serde_json::json;
use tests::{
    deployment::{BUS, CONVERSATIONS, outputs},
    model::{Cloud, Served, queue_url},
};
use tokio::{process::Command, time::Instant};

use crate::{number, observed::Observed, oracle, plan::Plan, world::furnish};

/// Conversations of one run, unless `NOVA_LOAD_CONVERSATIONS` says otherwise.
const CONVERSATIONS_STARTED: u64 = 40;

/// Conversations of one learner.
const CONVERSATIONS_EACH: u64 = 4;

/// Turns of one conversation.
const TURNS: u32 = 6;

/// Conversations that are journalled at once, and batches that are published at once.
const AT_ONCE: usize = 32;

/// Events in one call of the bus (service limit).
const BATCH: usize = 10;

/// Seconds until the watchdog looks at a conversation.
const WATCH_DELAY_SECONDS: i32 = 1;

/// How often the queues and the health of processes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The longest time for one look.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// How long queues are empty until nothing more is expected.
const QUIET: Duration = Duration::from_millis(500);

/// The longest time for the workers to be built: another cargo may hold the folder.
const BUILT_WITHIN: Duration = Duration::from_secs(600);

/// The longest time for a process to boot or to stop, and for a step of the run beyond what it takes by its size.
const PATIENCE: Duration = Duration::from_secs(60);

/// The least rate that is waited for, in conversations per second.
const SLOWEST: u32 = 2;

/// Ticks of `/proc/<id>/stat` in a second: fixed for user space on Linux (proc(5), `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// What was measured of one worker.
#[derive(Clone, Copy, Default)]
struct Cost {
    messages: u64,
    seconds: f64,
    cpu_ms: u64,
}

/// What was measured.
struct Measurement {
    conversations: u64,
    /// Of the workers that events go to, at once.
    pipeline: BTreeMap<&'static str, Cost>,
    /// Of the watchdog, which comes after them.
    watchdog: Cost,
}

struct Started {
    worker: Worker,
    process: Process,
}

/// The workers as processes, and what they work on.
struct Site {
    cloud: Cloud,
    served: Served,
    binaries: Binaries,
    group: Arc<ProcessGroup>,
    logs: PathBuf,
    patience: Duration,
}

/// Runs `conversations` through the pipeline. Returns what it took, and what the oracle says.
async fn run(conversations: u64) -> anyhow::Result<(Measurement, Vec<String>)> {
    let binaries = within(BUILT_WITHIN, "the workers are built", build(&Progress::silent())).await?;
    let cloud = Cloud::new(0);
    furnish(&cloud);
    {
        let mut state = cloud.state();
        state.traced = false;
        state.bedrock.thinks = Some(Duration::ZERO);
    }
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{}", std::process::id()));
    fs::create_dir_all(&logs)?;
    let patience = PATIENCE + Duration::from_secs(conversations) / SLOWEST;
    let (served, group) = (cloud.serve().await?, Arc::new(ProcessGroup::new()?));
    let site = Site { cloud, served, binaries, group, logs, patience };
    let observed = Observed::default();
    let measured = site.measure(conversations, &observed).await;
    let measured =
        measured.with_context(|| format!("the logs of the workers are in {}", site.logs.display()))?;
    let plan = Plan { poison: Vec::new(), ..Plan::calm() };
    let mut violations = oracle::judge(&site.cloud, &observed, &plan);
    violations.append(&mut site.cloud.state().violations);
    if violations.is_empty() {
        fs::remove_dir_all(&site.logs)?;
    }
    Ok((measured, violations))
}

impl Site {
    async fn measure(&self, conversations: u64, observed: &Observed) -> anyhow::Result<Measurement> {
        let sdk = self.cloud.sdk_config("ingress");
        let journalled = stream::iter(0..conversations)
            .map(|number| converse(&sdk, number, observed))
            .buffer_unordered(AT_ONCE)
            .try_collect();
        let completed: Vec<_> = within(self.patience, "conversations are journalled", journalled).await?;
        let pipeline = [Worker::Transcript, Worker::Analysis, Worker::Progress, Worker::Alerts];
        let pipeline = self.start(&pipeline).await?;
        let publish = within(self.patience, "events are published", publish(&sdk, &completed));
        let costs = self.costs(&pipeline, publish).await?;
        // It would look again and again at conversations that wait for the others.
        let watchdog = self.start(&[Worker::Watchdog]).await?;
        let audit = self.costs(&watchdog, std::future::ready(Ok(()))).await?;
        for worker in pipeline.into_iter().chain(watchdog) {
            let status = worker.process.stop(PATIENCE).await;
            ensure!(status.success(), "{}", worker.process.died(status));
        }
        let watchdog = audit.into_values().next().unwrap_or_default();
        Ok(Measurement { conversations, pipeline: costs, watchdog })
    }

    /// What it costs `workers` to empty their queues after `work`.
    async fn costs(
        &self,
        workers: &[Started],
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<BTreeMap<&'static str, Cost>> {
        let before = spent(workers)?;
        let began = Instant::now();
        work.await?;
        let ended = self.empty(workers).await?;
        let seconds = ended.duration_since(began).as_secs_f64();
        let after = spent(workers)?;
        let cost = |started: &Started| {
            let name = started.worker.name();
            let messages = self.cloud.state().sqs.queues[&format!("nova-{name}")].deleted;
            (name, Cost { messages, seconds, cpu_ms: after[name] - before[name] })
        };
        Ok(workers.iter().map(cost).collect())
    }

    /// Starts processes and waits until all are healthy.
    async fn start(&self, workers: &[Worker]) -> anyhow::Result<Vec<Started>> {
        let outputs = outputs();
        let http = http_client()?;
        let mut processes = Vec::new();
        for worker in workers {
            let health = format!("127.0.0.1:{}", free_port()?);
            let mut command = Command::new(self.binaries.path(worker.name()));
            command
                .env_clear()
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ENDPOINT_URL", self.served.endpoint())
                .env("AWS_ACCESS_KEY_ID", worker.name())
                .env("AWS_SECRET_ACCESS_KEY", "secret")
                .env("AWS_CONFIG_FILE", "/dev/null")
                .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
                .env("NOVA_HEALTH_ADDR", &health)
                .env("NOVA_WATCH_DELAY_SECONDS", WATCH_DELAY_SECONDS.to_string())
                // The oracle looks for every alert by itself.
                .env("NOVA_ALERTS_STORM_AFTER", "1000")
                .env("NOVA_ALERTS_STORM_SECONDS", "10")
                .envs(Service::from(*worker).environment(&outputs)?);
            let log = self.logs.join(format!("{worker}.log"));
            let process = Process::spawn(worker.name(), command, &log, &self.group)?;
            let until = Instant::now() + PATIENCE;
            let look = || http.get(format!("http://{health}/health")).timeout(LOOK_MAX).send();
            while !look().await.is_ok_and(|answer| answer.status().is_success()) {
                if let Some(status) = process.status() {
                    return Err(process.died(status).into());
                }
                ensure!(Instant::now() < until, "{worker} is not healthy after {PATIENCE:?}");
                tokio::time::sleep(LOOK).await;
            }
            processes.push(Started { worker: *worker, process });
        }
        Ok(processes)
    }

    /// Waits until the queues of `workers` have been empty for a while, and returns since when.
    async fn empty(&self, workers: &[Started]) -> anyhow::Result<Instant> {
        let until = Instant::now() + self.patience;
        let mut since = None;
        while Instant::now() < until {
            for worker in workers {
                if let Some(status) = worker.process.status() {
                    return Err(worker.process.died(status).into());
                }
            }
            let left = |started: &Started| {
                self.cloud.state().sqs.queues[&started.worker.queue_name()].messages.len()
            };
            if workers.iter().any(|worker| left(worker) > 0) {
                since = None;
            } else {
                let since = *since.get_or_insert_with(Instant::now);
                if since.elapsed() >= QUIET {
                    return Ok(since);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        let state = self.cloud.state();
        let left: Vec<_> = Worker::ALL
            .iter()
            .map(|worker| (worker, state.sqs.queues[&worker.queue_name()].messages.len()))
            .collect();
        bail!("the queues are not empty after {:?}: {left:?}, {:?}", self.patience, state.violations)
    }
}

impl Measurement {
    /// A table and a line of JSON.
    fn report(&self) -> anyhow::Result<String> {
        let all = self.pipeline.values().fold(Cost::default(), |sum, one| Cost {
            messages: sum.messages + one.messages,
            seconds: one.seconds,
            cpu_ms: sum.cpu_ms + one.cpu_ms,
        });
        let workers = self.pipeline.iter().map(|(name, cost)| (*name, *cost));
        let rows: Vec<_> = workers.chain([("all four", all), ("watchdog", self.watchdog)]).collect();
        let mut text =
            format!("{:<12}{:>10}{:>14}{:>16}\n", "worker", "messages", "messages/s", "CPU ms/message");
        for (name, cost) in &rows {
            writeln!(text, "{name:<12}{:>10}{:>14.1}{:>16.2}", cost.messages, cost.rate(), cost.each())?;
        }
        let line = json!({
            "conversations": self.conversations,
            "messages": all.messages,
            "seconds": all.seconds,
            "messagesPerSecond": all.rate(),
            "cpuMsPerMessage": all.each(),
            "cpuMsPerMessageByWorker":
                rows.iter().map(|(name, cost)| (*name, cost.each())).collect::<BTreeMap<_, _>>(),
            "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
        });
        writeln!(text, "{line}")?;
        Ok(text)
    }
}

impl Cost {
    fn rate(&self) -> f64 {
        float(self.messages) / self.seconds
    }

    fn each(&self) -> f64 {
        float(self.cpu_ms) / float(self.messages)
    }
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// What `work` returns, or an error that says what did not happen in time.
async fn within<T>(
    most: Duration,
    what: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let done = tokio::time::timeout(most, work).await;
    done.with_context(|| format!("not within {most:?}: {what}"))?.with_context(|| format!("awaited: {what}"))
}

/// Journals a conversation that has ended, and returns its event.
async fn converse(sdk: &SdkConfig, number: u64, observed: &Observed) -> anyhow::Result<Envelope> {
    let config = JournalConfig {
        table: CONVERSATIONS.into(),
        watchdog_queue_url: queue_url("nova-watchdog"),
        watch_delay_seconds: WATCH_DELAY_SECONDS,
    };
    let journal = Journal::new(aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sqs::Client::new(sdk), config);
    let id = ConversationId::new(env::now(), env::random_uuid().as_bytes()[..10].try_into()?);
    let user_id: UserId = format!("learner-{}", number / CONVERSATIONS_EACH).parse()?;
    let start = Start {
        conversation_id: id,
        user_id: user_id.clone(),
        image_id: "city-cafe".to_owned(),
        level: Level::B1,
        feedback_language: FeedbackLanguage::English,
        time_zone: "Asia/Seoul".to_owned(),
        traceparent: Some(TraceParent::of(&id.to_string()).to_string()),
        owner: "load".to_owned(),
        voice: None,
    };
    let own = journal.start(&start, env::now()).await?;
    observed.acknowledged(&id.to_string(), &user_id, None);
    let mut said = Vec::new();
    for index in 0..TURNS {
        let turn = turn(id, index);
        journal.append(&own, &turn).await?;
        observed.acknowledged(&id.to_string(), &user_id, Some(turn.clone()));
        said.push(turn);
    }
    let end = End::of_turns(EndReason::Learner, Usage::default(), &said);
    let completed = journal.end(&own, &end, env::now()).await?;
    journal.mark_published(id, env::now()).await?;
    Ok(completed.envelope)
}

fn turn(id: ConversationId, index: u32) -> Turn {
    let learner = index.is_multiple_of(2);
    Turn {
        index,
        speaker: if learner { Speaker::Learner } else { Speaker::Tutor },
        text: format!("{id} There are {index} people at the tables, and one of them reads a newspaper."),
        start_ms: u64::from(index) * 4000,
        end_ms: u64::from(index) * 4000 + 3500,
        speech_ms: 3000,
        answer_latency_ms: None,
        interrupted: false,
        played_ms: None,
        typed: false,
        confidence: None,
        audio_key: None,
    }
}

async fn publish(sdk: &SdkConfig, completed: &[Envelope]) -> anyhow::Result<()> {
    let bus = Bus::new(aws_sdk_eventbridge::Client::new(sdk), BUS, "nova.ingress");
    stream::iter(completed.chunks(BATCH))
        .map(|batch| bus.publish(batch))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
        .context("failed to publish")
}

/// Milliseconds of a processor that each worker has used.
fn spent(workers: &[Started]) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let read = |started: &Started| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", started.process.id()))?;
        // The name of the program stands in parentheses and may hold anything. Fields 14 and 15 of proc(5).
        let (_, fields) = stat.rsplit_once(") ").context("no name in the statistics of a process")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
        Ok((started.worker.name(), ticks * 1000 / TICKS_PER_SECOND))
    };
    workers.iter().map(read).collect()
}

#[test]
fn workers_as_processes_keep_the_same_promises_against_the_served_model() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let conversations = number("NOVA_LOAD_CONVERSATIONS").unwrap_or(CONVERSATIONS_STARTED);
    let (measured, violations) = runtime.block_on(Box::pin(run(conversations)))?;
    assert!(violations.is_empty(), "{violations:#?}");
    println!("{}", measured.report()?);
    Ok(())
}
