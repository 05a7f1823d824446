//! The load test: many real conversations in real time through the live endpoint of a real ingress, measured from
//! outside. Everything the ingress does is on: journal, lease, recordings, events, against a model of AWS in memory; the
//! workers do not run, because they never speak with the ingress. The Bedrock simulator and the model are processes of
//! their own; the learners live in the calling process. The local cloud has the user pool and the roles, and rests.
//!
//! **Added latency.** Each piece of audio carries, in front of its samples, the time at which it was sent, by the
//! monotonic clock that all processes of a machine share. The simulator takes these stamps out of what it hears, and
//! puts such stamps into what it says; the learners take them out again before they listen. So the delay of every
//! single piece is known, in both directions, speech or silence, while the words stay sample for sample what they
//! were. What is measured reaches from the learner's call that sends until the simulator has read the event, and back
//! the same way: the receivers' own delays count, too, so it is an upper bound of what the ingress adds.
//!
//! **Words.** Audio is audible text ([`crate::simulator::audible`]). Each learner's sentences are their own, and every
//! turn of the journal is compared with what was said and heard.

mod learners;
mod meter;
mod model;
mod report;
mod talk;

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
use learners::Speaker;
use meter::{Meters, Sample, reference_ns};
use model::Model;
use report::Window;
pub use report::{Figures, Report, ServerFigures};
use talk::Outcome;

/// Most conversations; memory of the generator is about 200 KB for each.
pub const CONVERSATIONS_MAX: usize = 1_000;

/// Longest window, in seconds. No stream is renewed before six minutes, and the replay of a renewal is no delay.
pub const SECONDS_MAX: u64 = 240;

/// How long the last conversations may take to be held when the others have been opened.
const OPENING_TIMEOUT: Duration = Duration::from_secs(60);

/// From the last opening to the first measurement.
const SETTLING: Duration = Duration::from_secs(3);

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long the processes may take to end.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// What is measured, and where.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Conversations at once, at most [`CONVERSATIONS_MAX`].
    pub conversations: usize,
    /// Length of the window in which is measured, at most [`SECONDS_MAX`].
    pub seconds: u64,
    /// Conversations that are opened in a second.
    pub opens_per_second: f64,
    /// Whether the ingress has the first processor for itself and everything else the others.
    pub pinned: bool,
    /// A folder for the state and the logs of all processes; made if it is not there.
    pub state_dir: PathBuf,
    /// Where the binaries are.
    pub binaries: Binaries,
    /// Who is told of the steps.
    pub progress: Progress,
}

/// What all conversations share.
#[derive(Debug)]
struct Shared {
    /// How long the tutor's audio took to the learners.
    down: Mutex<Delays>,
    /// How late the learners' frames were sent: the generator's own weakness.
    late: Mutex<Delays>,
    /// From the request for a conversation to its first word.
    opening: Mutex<Delays>,
    state: watch::Sender<State>,
    /// Ends the conversations.
    stop: CancellationToken,
    /// Sentences that each learner says at least.
    least: usize,
}

/// How many conversations are where.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    open: usize,
    opened: usize,
    over: usize,
}

/// Runs a load test from the empty system to its orderly end.
///
/// # Errors
/// When the system does not start, or a process dies. Conversations that fail do not end it; they are in the report.
pub async fn run(options: &LoadOptions) -> anyhow::Result<Report> {
    let most = options.conversations;
    ensure!((1..=CONVERSATIONS_MAX).contains(&most), "1 to {CONVERSATIONS_MAX} conversations are possible");
    ensure!((1..=SECONDS_MAX).contains(&options.seconds), "1 to {SECONDS_MAX} seconds are possible");
    ensure!(options.opens_per_second > 0.0, "some conversations must be opened in a second");
    let (stack, model) = start(options).await?;
    let report = tokio::select! {
        report = Box::pin(measure(&stack, &model, options)) => report?,
        died = stack.died() => return Err(died.into()),
        status = model.process().wait() => return Err(model.process().died(status).into()),
    };
    options.progress.begin("Stopping");
    let killed = stack.stop(STOP_GRACE).await;
    ensure!(killed.is_empty(), "had to be killed: {killed:?}");
    model.stop().await?;
    options.progress.end("");
    Ok(report)
}

/// Starts everything, the ingress on the model.
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
    Ok((Stack::on(cloud, outputs, stack).await?, model))
}

fn stack_options(options: &LoadOptions) -> StackOptions {
    // Streams that are closing still count for a moment.
    let room = options.conversations + 50;
    let mut environment = vec![("NOVA_CONVERSATIONS_MAX", room.to_string())];
    if options.pinned {
        environment.push(("TOKIO_WORKER_THREADS", "1".to_owned()));
    }
    let environment =
        environment.into_iter().map(|(name, value)| (Service::Ingress, name.to_owned(), value)).collect();
    // Real time, as the bars of other servers were measured.
    let simulator = ["--stamps", "--pace", "1", "--streams-max", &(room + 50).to_string()];
    StackOptions {
        services: vec![Service::Ingress],
        environment,
        simulator_arguments: simulator.map(str::to_owned).to_vec(),
        progress: options.progress.clone(),
        ..StackOptions::new(options.state_dir.clone(), options.binaries.clone())
    }
}

async fn measure(stack: &Stack, model: &Model, options: &LoadOptions) -> anyhow::Result<Report> {
    let progress = &options.progress;
    progress.begin("Signing the learners up");
    let speakers = learners::sign_up(stack, options.conversations, progress).await?;
    progress.end(&format!("{} learners", speakers.len()));
    let ingress = stack.process(Instance { service: Service::Ingress, copy: 0 }).await?;
    let clouds = [model.process().id(), stack.cloud().process().id()];
    let meters = Meters::new(ingress.id(), stack.process(Part::Simulator).await?.id(), clouds)?;
    if options.pinned {
        meters.pin().context("cannot give the ingress a processor of its own; try --no-pin")?;
    }
    progress.begin("Warming up");
    let shared = Arc::new(Shared::new(0));
    // One greeting, so that what is loaded once is not counted for the conversations.
    shared.stop.cancel();
    let first = speakers.first().context("there is at least one learner")?;
    if let Outcome::Failed(error) = talk::hold(first, &shared).await {
        return Err(error.context("the conversation before all others failed"));
    }
    let empty = meters.ingress.resident_kb()?;
    progress.end("");
    progress.begin("Opening conversations");
    let shared = Arc::new(Shared::new(1));
    let talks = open(speakers, &shared, options).await?;
    let opened = shared.state.borrow().opened;
    tokio::time::sleep(SETTLING).await;
    progress.end(&format!("{opened} of {}", options.conversations));
    progress.begin("Measuring");
    let simulator = Simulator::new(stack)?;
    let window = window(&meters, &simulator, &shared, options).await?;
    progress.end(&format!("{} s", options.seconds));
    progress.begin("Ending the conversations");
    shared.stop.cancel();
    let outcomes = talks.join_all().await;
    progress.end(&format!("{} conversations", outcomes.len()));
    let opening = lock(&shared.opening).latency();
    Ok(Report::new(options, &Window { resident_empty_kb: empty, opening, ..window }, &outcomes))
}

/// Opens all conversations, evenly, and waits until each of them is held or has failed.
async fn open(
    speakers: Vec<Speaker>,
    shared: &Arc<Shared>,
    options: &LoadOptions,
) -> anyhow::Result<JoinSet<Outcome>> {
    let mut talks = JoinSet::new();
    let mut turns = tokio::time::interval(Duration::from_secs_f64(1.0 / options.opens_per_second));
    for speaker in speakers {
        turns.tick().await;
        let shared = Arc::clone(shared);
        talks.spawn(async move { talk::hold(&speaker, &shared).await });
        options.progress.detail(&format!("{} of {}", talks.len(), options.conversations));
    }
    let mut state = shared.state.subscribe();
    let all = state.wait_for(|state| state.opened + state.over >= options.conversations);
    let waited = tokio::time::timeout(OPENING_TIMEOUT, all).await;
    waited.context("some conversations were neither opened nor refused")?.context("the state is ours")?;
    Ok(talks)
}

async fn window(
    meters: &Meters,
    simulator: &Simulator,
    shared: &Shared,
    options: &LoadOptions,
) -> anyhow::Result<Window> {
    simulator.forget_latency().await?;
    lock(&shared.down).clear();
    lock(&shared.late).clear();
    let before = meters.read()?;
    let (begun, mut looked) = (Instant::now(), Instant::now());
    let end = begun + Duration::from_secs(options.seconds);
    let (mut conversation_seconds, mut resident_kb, mut references) = (0.0, 0, Vec::new());
    while looked < end {
        tokio::time::sleep_until(end.min(looked + LOOK_EVERY)).await;
        let now = Instant::now();
        conversation_seconds += shared.state.borrow().open as f64 * (now - looked).as_secs_f64();
        resident_kb = meters.ingress.resident_kb()?.max(resident_kb);
        references.push(reference_ns()?);
        looked = now;
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

/// The control endpoint of the simulator.
struct Simulator {
    http: reqwest::Client,
    url: String,
}

impl Simulator {
    fn new(stack: &Stack) -> anyhow::Result<Self> {
        let pem = std::fs::read(stack.ca_bundle()).context("the simulator's authority is not readable")?;
        let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
        let http = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?).build()?;
        Ok(Self { http, url: format!("{}/simulator/control/latency", stack.bedrock_endpoint()) })
    }

    async fn forget_latency(&self) -> anyhow::Result<()> {
        let answer = self.http.delete(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        answer.map(drop).context("the simulator does not begin to measure")
    }

    async fn latency(&self) -> anyhow::Result<Latency> {
        let answer = self.http.get(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        answer.context("the simulator does not say what it measured")?.json().await.context("no latency")
    }
}

impl Shared {
    fn new(least: usize) -> Self {
        Self {
            down: Mutex::default(),
            late: Mutex::default(),
            opening: Mutex::default(),
            state: watch::Sender::new(State::default()),
            stop: CancellationToken::new(),
            least,
        }
    }
}

/// A distribution is good to read even if somebody panicked while adding to it.
fn lock(delays: &Mutex<Delays>) -> MutexGuard<'_, Delays> {
    delays.lock().unwrap_or_else(PoisonError::into_inner)
}
