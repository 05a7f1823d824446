//! The load test: many conversations in real time through the live endpoint of a real ingress, measured from outside.
//! Everything the ingress does is on: journal, lease, recordings, events, against a model of AWS in memory. The workers
//! do not run, because they never communicate with the ingress. The Bedrock simulator and the model are separate
//! processes; the learners run in the calling process. The local cloud has the user pool and the roles, and is idle.
//!
//! **Added latency.** Each frame of audio begins with a stamp: its send time by the monotonic clock that all processes of
//! a machine share. The simulator removes the stamps from the audio it receives and stamps the audio it sends; the
//! learners remove them again before they decode. So the delay of every frame is known, in both directions, speech or
//! silence, and the words are unchanged sample for sample. The delay lasts from the learner's send until the simulator
//! has read the event, and back the same way. It contains the receivers' own delays, so it is an upper bound of what the
//! ingress adds.
//!
//! **The reference relay.** The same learners can talk with [`relay`] in turns with the ingress, each time with a fresh process:
//! the ratio of the two costs depends little on the machine and its other work.
//!
//! **Words.** Audio is audible text ([`crate::simulator::audible`]). Each learner has sentences of its own, and every
//! turn of the journal is compared with what was said and heard.

mod comparison;
mod conversation;
mod learners;
mod meter;
mod model;
pub mod relay;
mod relay_process;
mod report;
mod simulator_control;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

pub use crate::simulator::latency::Latency;
use crate::{
    local::{
        Binaries, Cloud, CloudOptions, Instance, Part, Progress, Service, Stack, StackOptions, deploy,
        publish_pictures,
    },
    simulator::latency::Delays,
};
pub use comparison::{Comparison, Range};
use conversation::Outcome;
use learners::LoadLearner;
use meter::{Meters, Placement, Sample, reference_ns};
use model::Model;
use relay_process::RelayProcess;
use report::Window;
pub use report::{Figures, Report, ServerFigures, Target};
use simulator_control::SimulatorControl;

/// The most conversations; the generator needs about 200 KB of memory for each.
pub const CONVERSATIONS_MAX: usize = 1_000;

/// Longest window, in seconds. Streams are renewed after six minutes at the earliest; the replay of a renewal would count as
/// a delay.
pub const SECONDS_MAX: u64 = 240;

/// How long the last conversations may take to be ready after the others.
const OPENING_TIMEOUT: Duration = Duration::from_secs(60);

/// Most numbers of conversations in one load test.
pub const STEPS_MAX: usize = 10;

/// Most repetitions of every measurement.
pub const ROUNDS_MAX: usize = 20;

/// From the last opening to the window.
const SETTLING: Duration = Duration::from_secs(3);

/// How often memory is sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// How long the processes may take to stop.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// The options of a load test.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Numbers of concurrent conversations, measured one after the other: at most [`STEPS_MAX`] numbers, each at most
    /// [`CONVERSATIONS_MAX`].
    pub steps: Vec<usize>,
    /// How often each is measured, at most [`ROUNDS_MAX`].
    pub rounds: usize,
    /// Whether the reference relay is measured in turns with the ingress.
    pub compare: bool,
    /// Length of the measured window in seconds, at most [`SECONDS_MAX`].
    pub seconds: u64,
    /// Conversations opened per second.
    pub opens_per_second: f64,
    /// Whether the first processor is reserved for the ingress and everything else runs on the others.
    pub pinned: bool,
    /// The folder for the state and the logs of all processes; it is created if missing.
    pub state_dir: PathBuf,
    /// The binaries.
    pub binaries: Binaries,
    /// The observer of the steps.
    pub progress: Progress,
}

/// State of all conversations.
#[derive(Debug)]
struct Shared {
    /// Delays of the tutor's audio on its way to the learners.
    down: Mutex<Delays>,
    /// How late the generator sent the learners' frames.
    late: Mutex<Delays>,
    /// From the request for a conversation to `ready`.
    opening: Mutex<Delays>,
    state: watch::Sender<State>,
    /// Ends the conversations.
    stop: CancellationToken,
    /// The fewest lines of each learner.
    lines_min: usize,
}

/// Numbers of conversations.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    open: usize,
    opened: usize,
    over: usize,
}

/// Starts the system, runs a load test and stops the system. The reports are in the order of the measurements.
///
/// # Errors
/// When the system does not start, or a process dies. The reports contain conversations that fail.
pub async fn run(options: &LoadOptions) -> anyhow::Result<Vec<Report>> {
    let LoadOptions { steps, rounds, seconds, .. } = options;
    ensure!(
        (1..=STEPS_MAX).contains(&steps.len()),
        "there are {} steps; 1 to {STEPS_MAX} are possible",
        steps.len()
    );
    for conversations in steps {
        ensure!(
            (1..=CONVERSATIONS_MAX).contains(conversations),
            "the number of conversations is {conversations}; 1 to {CONVERSATIONS_MAX} are possible"
        );
    }
    ensure!((1..=ROUNDS_MAX).contains(rounds), "there are {rounds} rounds; 1 to {ROUNDS_MAX} are possible");
    ensure!(
        (1..=SECONDS_MAX).contains(seconds),
        "the window has {seconds} s; 1 to {SECONDS_MAX} are possible"
    );
    ensure!(options.opens_per_second > 0.0, "conversations per second must be more than 0");
    let (stack, model) = start(options).await?;
    let reports = tokio::select! {
        reports = Box::pin(measure_all(&stack, &model, options)) => reports?,
        died = stack.died() => return Err(died.into()),
        status = model.process().wait() => return Err(model.process().died(status).into()),
    };
    options.progress.begin("Stopping");
    let killed = stack.stop(STOP_GRACE).await;
    ensure!(killed.is_empty(), "these processes did not stop in time and were killed: {killed:?}");
    model.stop().await?;
    options.progress.end("");
    Ok(reports)
}

/// Starts all processes, the ingress against the model.
async fn start(options: &LoadOptions) -> anyhow::Result<(Stack, Model)> {
    let LoadOptions { state_dir, binaries, progress, .. } = options;
    progress.begin("Starting the local cloud");
    let cloud = CloudOptions { state_dir: state_dir.clone(), port: None, progress: progress.clone() };
    let cloud = Cloud::start(&cloud).await?;
    progress.end(cloud.endpoint());
    progress.begin("Deploying the infrastructure");
    let outputs = deploy(&cloud.root(), cloud.endpoint(), binaries, progress).await?;
    progress.end("");
    progress.begin("Starting the model of AWS");
    let model = Model::start(binaries, state_dir, &outputs, cloud.group()).await?;
    publish_pictures(&model.operator(), &outputs.images_table, progress).await?;
    progress.end(model.endpoint());
    let mut stack = stack_options(options);
    stack.endpoints.insert(Service::Ingress, model.endpoint().to_owned());
    // The model has no sign-up.
    let user_pool = ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER".to_owned(), cloud.endpoint().to_owned());
    stack.environment.push((Service::Ingress, user_pool.0, user_pool.1));
    Ok((Stack::on(cloud, outputs, stack).await?, model))
}

fn stack_options(options: &LoadOptions) -> StackOptions {
    // Streams that are closing still count for a moment.
    let room = most(options) + 50;
    let mut environment = vec![("NOVA_CONVERSATIONS_MAX", room.to_string())];
    if options.pinned {
        environment.push(("TOKIO_WORKER_THREADS", "1".to_owned()));
    }
    let environment =
        environment.into_iter().map(|(name, value)| (Service::Ingress, name.to_owned(), value)).collect();
    // In real time, as the reference figures were measured.
    let simulator = ["--stamps", "--pace", "1", "--streams-max", &(room + 50).to_string()];
    StackOptions {
        services: vec![Service::Ingress],
        environment,
        simulator_arguments: simulator.map(str::to_owned).to_vec(),
        progress: options.progress.clone(),
        ..StackOptions::new(options.state_dir.clone(), options.binaries.clone())
    }
}

/// The highest number of concurrent conversations.
fn most(options: &LoadOptions) -> usize {
    options.steps.iter().copied().max().unwrap_or(0)
}

async fn measure_all(stack: &Stack, model: &Model, options: &LoadOptions) -> anyhow::Result<Vec<Report>> {
    let progress = &options.progress;
    progress.begin("Signing the learners up");
    let learners = learners::sign_up(stack, most(options), progress).await?;
    progress.end(&format!("{} learners", learners.len()));
    let test = LoadTest { stack, model, options, learners, placement: Placement::read()? };
    let mut reports = Vec::new();
    for &conversations in &options.steps {
        for round in 0..options.rounds {
            let name = |target: Target| match options.rounds {
                1 => format!("{target}, {conversations} conversations"),
                rounds => format!("{target}, {conversations} conversations, round {} of {rounds}", round + 1),
            };
            if !reports.is_empty() {
                // Each measurement begins with a process that has done nothing else.
                stack.restart(INGRESS).await?;
            }
            progress.begin(&name(Target::Service));
            let process = stack.process(INGRESS).await?;
            reports.push(test.measure(Target::Service, stack.url(), process.id(), conversations).await?);
            if options.compare {
                progress.begin(&name(Target::Relay));
                let relay = RelayProcess::start(stack, options, conversations).await?;
                reports.push(test.measure(Target::Relay, relay.url(), relay.id(), conversations).await?);
                relay.stop().await;
            }
        }
    }
    Ok(reports)
}

const INGRESS: Instance = Instance { service: Service::Ingress, copy: 0 };

/// The parts that all measurements share.
struct LoadTest<'a> {
    stack: &'a Stack,
    model: &'a Model,
    options: &'a LoadOptions,
    learners: Vec<LoadLearner>,
    placement: Placement,
}

impl LoadTest<'_> {
    /// Measures the process `id`, which serves the live protocol at `url`.
    async fn measure(
        &self,
        target: Target,
        url: &str,
        id: u32,
        conversations: usize,
    ) -> anyhow::Result<Report> {
        let Self { stack, model, options, .. } = self;
        let progress = &options.progress;
        let clouds = [model.process().id(), stack.cloud().process().id()];
        let meters = Meters::new(id, stack.process(Part::Simulator).await?.id(), clouds)?;
        if options.pinned {
            let pinned = self.placement.pin(&meters);
            pinned.context("cannot reserve a processor for the server; try --no-pin")?;
        }
        let learners =
            self.learners.iter().take(conversations).map(|learner| learner.at(url)).collect::<Vec<_>>();
        progress.detail("warming up");
        let shared = Arc::new(Shared::new(0));
        // One greeting, so that what is loaded once is not attributed to the conversations.
        shared.stop.cancel();
        let first = learners.first().context("there is at least one learner")?;
        if let Outcome::Failed(error) = conversation::run(first, &shared).await {
            return Err(error.context("the warm-up conversation failed"));
        }
        let empty = meters.server.resident_kb()?;
        let shared = Arc::new(Shared::new(1));
        let open = open(learners, &shared, options).await?;
        tokio::time::sleep(SETTLING).await;
        let window = window(&meters, &SimulatorControl::new(stack)?, &shared, options).await?;
        progress.detail("ending the conversations");
        shared.stop.cancel();
        let outcomes = open.join_all().await;
        let opening = lock(&shared.opening).latency();
        let window = Window { resident_empty_kb: empty, opening, ..window };
        let report = Report::new((target, conversations), options, &window, &outcomes);
        progress
            .end(&format!("{:.2} ms per conversation-second", report.server.cpu_ms_per_conversation_second));
        Ok(report)
    }
}

/// Opens all conversations at an even rate, and waits until each is ready or has failed.
async fn open(
    learners: Vec<LoadLearner>,
    shared: &Arc<Shared>,
    options: &LoadOptions,
) -> anyhow::Result<JoinSet<Outcome>> {
    let (mut conversations, expected) = (JoinSet::new(), learners.len());
    let mut rate = tokio::time::interval(Duration::from_secs_f64(1.0 / options.opens_per_second));
    for learner in learners {
        rate.tick().await;
        let shared = Arc::clone(shared);
        conversations.spawn(async move { conversation::run(&learner, &shared).await });
        options.progress.detail(&format!("{} of {expected} open", conversations.len()));
    }
    let mut state = shared.state.subscribe();
    let all = state.wait_for(|state| state.opened + state.over >= expected);
    let waited = tokio::time::timeout(OPENING_TIMEOUT, all).await;
    waited
        .context("some conversations were neither ready nor refused in time")?
        .context("the sender of the state is alive")?;
    Ok(conversations)
}

async fn window(
    meters: &Meters,
    simulator: &SimulatorControl,
    shared: &Shared,
    options: &LoadOptions,
) -> anyhow::Result<Window> {
    simulator.reset_latency().await?;
    lock(&shared.down).clear();
    lock(&shared.late).clear();
    let before = meters.read()?;
    let (begun, mut sampled) = (Instant::now(), Instant::now());
    let end = begun + Duration::from_secs(options.seconds);
    let (mut conversation_seconds, mut resident_kb, mut references) = (0.0, 0, Vec::new());
    while sampled < end {
        tokio::time::sleep_until(end.min(sampled + SAMPLE_INTERVAL)).await;
        let now = Instant::now();
        conversation_seconds += shared.state.borrow().open as f64 * (now - sampled).as_secs_f64();
        resident_kb = meters.server.resident_kb()?.max(resident_kb);
        references.push(reference_ns()?);
        sampled = now;
        options.progress.detail(&format!("{} s left", (end - now.min(end)).as_secs()));
    }
    let after: Sample = meters.read()?;
    references.sort_unstable();
    Ok(Window {
        seconds: begun.elapsed().as_secs_f64(),
        conversation_seconds,
        used: after.since(&before),
        resident_kb,
        resident_empty_kb: 0,
        reference_ns: references.get(references.len() / 2).copied().unwrap_or_default(),
        up: simulator.latency().await?,
        down: lock(&shared.down).latency(),
        late: lock(&shared.late).latency(),
        opening: Latency::default(),
    })
}

impl Shared {
    fn new(lines_min: usize) -> Self {
        Self {
            down: Mutex::default(),
            late: Mutex::default(),
            opening: Mutex::default(),
            state: watch::Sender::new(State::default()),
            stop: CancellationToken::new(),
            lines_min,
        }
    }
}

/// A distribution stays consistent if a thread panics while it adds to it.
fn lock(delays: &Mutex<Delays>) -> MutexGuard<'_, Delays> {
    delays.lock().unwrap_or_else(PoisonError::into_inner)
}
