//! The load test of the workers: real processes against the model of AWS, served over HTTP. It measures the cost of a
//! message and checks the results with the oracle of the simulation.
//!
//! Conversations are journalled first. Then their events are published as fast as the bus accepts them; the measured time ends
//! when the queues are empty. Then the watchdog audits all of them. The model responds at once and runs on the same
//! processors without a network in between. So the messages per second hold for this machine with the model on it, and
//! the processor time per message is that of the workers alone.

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
    contract::{ConversationId, Envelope, UserId},
    runtime::env,
    workers::Worker,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use infra::local::{Binaries, Process, ProcessGroup, Progress, Service, build, free_port, http_client};
use serde_json::json;
use tests::{
    deployment::outputs,
    journalled::{self, Acknowledgements, Writer},
    model::{Cloud, Served},
};
use tokio::{process::Command, time::Instant};

use crate::{actual, number, plan::Plan, world::furnish};

/// Default number of conversations.
const CONVERSATIONS_STARTED: u64 = 40;

/// Conversations of one learner.
const CONVERSATIONS_EACH: u64 = 4;

/// Turns of one conversation.
const TURNS: u32 = 6;

/// Conversations that are journalled concurrently, and batches that are published concurrently.
const CONCURRENCY: usize = 32;

/// Events in one call of the bus (service limit).
const BATCH: usize = 10;

/// Seconds until the watchdog checks a conversation.
const WATCH_DELAY_SECONDS: i32 = 1;

/// The interval of the checks of queues and of the health of processes.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// The longest time for one check.
const CHECK_MAX: Duration = Duration::from_secs(5);

/// For how long the queues must be empty at the end.
const QUIET: Duration = Duration::from_millis(500);

/// The longest time for the build of the workers: another cargo may lock the target folder.
const BUILT_WITHIN: Duration = Duration::from_secs(600);

/// The longest time for a process to start or to stop, and for a step of the run beyond the time by its size.
const STEP_MAX: Duration = Duration::from_secs(60);

/// The lowest accepted rate, in conversations per second.
const RATE_MIN: u32 = 2;

/// Ticks of `/proc/<id>/stat` in a second: fixed for user space on Linux (proc(5), `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// The measured cost of one worker.
#[derive(Clone, Copy, Default)]
struct Cost {
    messages: u64,
    seconds: f64,
    cpu_ms: u64,
}

/// The result of a run.
struct Measurement {
    conversations: u64,
    /// The workers that consume events, all running together.
    pipeline: BTreeMap<&'static str, Cost>,
    /// The watchdog, which runs after them.
    watchdog: Cost,
}

struct Started {
    worker: Worker,
    process: Process,
}

/// The environment of the worker processes.
struct Environment {
    cloud: Cloud,
    served: Served,
    binaries: Binaries,
    group: Arc<ProcessGroup>,
    logs: PathBuf,
    /// The longest time for a step of the run.
    step_max: Duration,
}

/// Runs `conversations` through the pipeline. Returns the cost and the findings of the oracle.
async fn run(conversations: u64) -> anyhow::Result<(Measurement, Vec<String>)> {
    let binaries = within(BUILT_WITHIN, "the workers are built", build(&Progress::silent())).await?;
    let cloud = Cloud::new(0);
    furnish(&cloud);
    {
        let mut state = cloud.state();
        state.traced = false;
        state.bedrock.response_time = Some(Duration::ZERO);
    }
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{}", std::process::id()));
    fs::create_dir_all(&logs)?;
    let step_max = STEP_MAX + Duration::from_secs(conversations) / RATE_MIN;
    let (served, group) = (cloud.serve().await?, Arc::new(ProcessGroup::new()?));
    let environment = Environment { cloud, served, binaries, group, logs, step_max };
    let acknowledgements = Arc::new(Acknowledgements::default());
    let measured = environment.measure(conversations, &acknowledgements).await;
    let measured =
        measured.with_context(|| format!("the logs of the workers are in {}", environment.logs.display()))?;
    let plan = Plan { poison: Vec::new(), ..Plan::calm() };
    let mut violations = actual::compare(&environment.cloud, &acknowledgements, &plan).await;
    violations.append(&mut environment.cloud.state().violations);
    if violations.is_empty() {
        fs::remove_dir_all(&environment.logs)?;
    }
    Ok((measured, violations))
}

impl Environment {
    async fn measure(
        &self,
        conversations: u64,
        acknowledgements: &Arc<Acknowledgements>,
    ) -> anyhow::Result<Measurement> {
        let sdk = self.cloud.sdk_config("ingress");
        let journalled = stream::iter(0..conversations)
            .map(|number| write(&sdk, number, acknowledgements))
            .buffer_unordered(CONCURRENCY)
            .try_collect();
        let completed: Vec<_> = within(self.step_max, "conversations are journalled", journalled).await?;
        let pipeline = [Worker::Transcript, Worker::Analysis, Worker::Progress, Worker::Alerts];
        let pipeline = self.start(&pipeline).await?;
        let publish = within(self.step_max, "events are published", publish(&sdk, &completed));
        let costs = self.costs(&pipeline, publish).await?;
        // Started earlier, it would check again and again conversations that wait for the other workers.
        let watchdog = self.start(&[Worker::Watchdog]).await?;
        let audit = self.costs(&watchdog, std::future::ready(Ok(()))).await?;
        for worker in pipeline.into_iter().chain(watchdog) {
            let status = worker.process.stop(STEP_MAX).await;
            ensure!(status.success(), "{}", worker.process.died(status));
        }
        let watchdog = audit.into_values().next().unwrap_or_default();
        Ok(Measurement { conversations, pipeline: costs, watchdog })
    }

    /// The cost of each of `workers` until their queues are empty after `work`.
    async fn costs(
        &self,
        workers: &[Started],
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<BTreeMap<&'static str, Cost>> {
        let before = cpu_ms(workers)?;
        let began = Instant::now();
        work.await?;
        let ended = self.empty(workers).await?;
        let seconds = ended.duration_since(began).as_secs_f64();
        let after = cpu_ms(workers)?;
        let cost = |started: &Started| {
            let name = started.worker.name();
            let messages = self.cloud.state().sqs.queues[&format!("nova-{name}")].deleted;
            (name, Cost { messages, seconds, cpu_ms: after[name] - before[name] })
        };
        Ok(workers.iter().map(cost).collect())
    }

    /// Starts processes and waits until all of them are healthy.
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
                // The oracle checks each alert separately.
                .env("NOVA_ALERTS_STORM_AFTER", "1000")
                .env("NOVA_ALERTS_STORM_SECONDS", "10")
                .envs(Service::from(*worker).environment(&outputs)?);
            let log = self.logs.join(format!("{worker}.log"));
            let process = Process::spawn(worker.name(), command, &log, &self.group)?;
            let until = Instant::now() + STEP_MAX;
            let check = || http.get(format!("http://{health}/health")).timeout(CHECK_MAX).send();
            while !check().await.is_ok_and(|response| response.status().is_success()) {
                if let Some(status) = process.status() {
                    return Err(process.died(status).into());
                }
                ensure!(Instant::now() < until, "{worker} is not healthy after {STEP_MAX:?}");
                tokio::time::sleep(CHECK_EVERY).await;
            }
            processes.push(Started { worker: *worker, process });
        }
        Ok(processes)
    }

    /// Waits until the queues of `workers` have been empty for [`QUIET`], and returns since when they are.
    async fn empty(&self, workers: &[Started]) -> anyhow::Result<Instant> {
        let until = Instant::now() + self.step_max;
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
            tokio::time::sleep(CHECK_EVERY).await;
        }
        let state = self.cloud.state();
        let left: Vec<_> = Worker::ALL
            .iter()
            .map(|worker| (worker, state.sqs.queues[&worker.queue_name()].messages.len()))
            .collect();
        bail!("the queues are not empty after {:?}: {left:?}, {:?}", self.step_max, state.violations)
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

/// The result of `work`, or an error that names the step `what` if the time is over.
async fn within<T>(
    most: Duration,
    what: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let done = tokio::time::timeout(most, work).await;
    done.with_context(|| format!("not within {most:?}: {what}"))?.with_context(|| format!("awaited: {what}"))
}

/// Journals a conversation that has ended, and returns its event.
async fn write(
    sdk: &SdkConfig,
    number: u64,
    acknowledgements: &Arc<Acknowledgements>,
) -> anyhow::Result<Envelope> {
    let outputs = outputs();
    let journal = journalled::journal(sdk, &outputs, WATCH_DELAY_SECONDS);
    let writer = Writer::new(journal, journalled::bus(sdk, &outputs), acknowledgements, 0);
    let id = ConversationId::new(env::now(), env::random_uuid().as_bytes()[..10].try_into()?);
    let user_id: UserId = format!("learner-{}", number / CONVERSATIONS_EACH).parse()?;
    let start = journalled::start(id, user_id, "Asia/Seoul", "load");
    let owned = writer.start(&start).await?;
    let turns = (0..TURNS).map(|index| journalled::turn(id, index, false, "the tables"));
    let completed = writer.write(&mut (), &owned, Vec::new(), turns).await?;
    writer.journal().mark_published(id, env::now()).await?;
    Ok(completed)
}

async fn publish(sdk: &SdkConfig, completed: &[Envelope]) -> anyhow::Result<()> {
    let bus = journalled::bus(sdk, &outputs());
    stream::iter(completed.chunks(BATCH))
        .map(|batch| bus.publish(batch))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
        .context("failed to publish")
}

/// Milliseconds of processor time that each worker has used.
fn cpu_ms(workers: &[Started]) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let read = |started: &Started| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", started.process.id()))?;
        // The name of the program is in parentheses and may contain any character. Fields 14 and 15 of proc(5).
        let (_, fields) = stat.rsplit_once(") ").context("the statistics of a process have no name")?;
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
