//! The workers behind a live ingress: the real handlers on the same AWS in memory, in the process of the test.

use aws_config::SdkConfig;
use events::{
    runtime::consumer::{ConsumerConfig, EventHandler, Events, consume},
    workers::Worker,
};
use tests::{
    deployment::{TOPICS, config, consumer, create_queues_and_rules},
    live::Live,
};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use workers::{alerts, analysis, progress, transcript};

/// Seconds for the handlers to finish.
const DRAIN_SECONDS: u64 = 5;

/// The workers of the pipeline.
const PIPELINE: [Worker; 4] = [Worker::Transcript, Worker::Analysis, Worker::Progress, Worker::Alerts];

/// Running workers. They end with it.
pub(crate) struct Workers {
    _stop: DropGuard,
    _running: JoinSet<()>,
}

/// Makes the queues and leads the events of the bus to them. Events wait there until [`start`].
pub(crate) fn connect(live: &Live) {
    let mut state = live.cloud.state();
    TOPICS.iter().for_each(|topic| state.create_topic(topic));
    create_queues_and_rules(&mut state, &PIPELINE);
}

/// Starts the workers. They call under the names of their binaries.
pub(crate) async fn start(live: &Live) -> Workers {
    start_again(live, "").await
}

/// Starts the workers. They call under the names of their binaries with `suffix`.
pub(crate) async fn start_again(live: &Live, suffix: &str) -> Workers {
    let mut running = Running { tasks: JoinSet::new(), stop: CancellationToken::new() };
    let sdk = |worker: Worker| live.cloud.sdk_config(&format!("{worker}{suffix}"));
    let aws = sdk(Worker::Transcript);
    let handler = transcript::Transcripts::start(&config(Worker::Transcript, &[]), &aws).await;
    running.add(Worker::Transcript, aws, handler);
    let aws = sdk(Worker::Analysis);
    let model = [("NOVA_ANALYSIS_MODEL_ID", "model")];
    let handler = analysis::Analyses::start(&config(Worker::Analysis, &model), &aws).await;
    running.add(Worker::Analysis, aws, handler);
    let aws = sdk(Worker::Progress);
    let handler = progress::Progress::start(&config(Worker::Progress, &[]), &aws).await;
    running.add(Worker::Progress, aws, handler);
    let aws = sdk(Worker::Alerts);
    let mut alerts: alerts::Config = config(Worker::Alerts, &[("NOVA_ALERTS_STORM_AFTER", "1000")]);
    alerts.watched_queue_urls.clear();
    let handler = alerts::Alerts::start(&alerts, &aws).await;
    running.add(Worker::Alerts, aws, handler);
    Workers { _stop: running.stop.drop_guard(), _running: running.tasks }
}

struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    fn add(&mut self, worker: Worker, sdk: SdkConfig, handler: anyhow::Result<impl EventHandler>) {
        let handler = Events(handler.expect("the stores of the worker exist"));
        let config = ConsumerConfig { drain_seconds: DRAIN_SECONDS, ..consumer(worker) };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            consume(worker.name(), &config, &sdk, stop, handler).await.expect("the worker stops in order");
        });
    }
}
