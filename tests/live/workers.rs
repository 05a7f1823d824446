//! The workers behind a live ingress: the real handlers on the same AWS in memory, in the process of the test.

use std::time::Duration;

use aws_config::SdkConfig;
use events::runtime::{
    consumer::{ConsumerConfig, EventHandler, Events, consume},
    delivery::{FAILURES_MAX, RECEIVES_PER_FAILURE},
};
use tests::{
    live::{AUDIO, CONVERSATIONS, EFFECTS, IMAGES, LOGS, Live, PROGRESS},
    model::queue_url,
};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use workers::{alerts, analysis, progress, transcript};

const BUS: &str = "nova";

const TOPICS: [&str; 3] = [
    "arn:aws:sns:us-east-1:000000000000:critical",
    "arn:aws:sns:us-east-1:000000000000:warning",
    "arn:aws:sns:us-east-1:000000000000:info",
];

const RULES: [(&str, &str); 8] = [
    ("conversation.completed", "nova-transcript"),
    ("conversation.completed", "nova-analysis"),
    ("conversation.completed", "nova-progress"),
    ("conversation.analyzed", "nova-progress"),
    ("conversation.completed", "nova-alerts"),
    ("conversation.analyzed", "nova-alerts"),
    ("analysis.failed", "nova-alerts"),
    ("progress.updated", "nova-alerts"),
];

/// Running workers. They end with it.
pub(crate) struct Workers {
    _stop: DropGuard,
    _running: JoinSet<()>,
}

/// Makes the queues and leads the events of the bus to them. Events wait there until [`start`].
pub(crate) fn connect(live: &Live) {
    let mut state = live.cloud.state();
    for worker in ["transcript", "analysis", "progress", "alerts"] {
        state.create_queue(
            &format!("nova-{worker}"),
            Duration::from_secs(120),
            FAILURES_MAX * RECEIVES_PER_FAILURE,
        );
    }
    TOPICS.iter().for_each(|topic| state.create_topic(topic));
    state.create_bus(BUS, RULES.to_vec());
}

/// Starts the workers. They call under the names of their binaries.
pub(crate) async fn start(live: &Live) -> Workers {
    start_again(live, "").await
}

/// Starts the workers. They call under the names of their binaries with `suffix`.
pub(crate) async fn start_again(live: &Live, suffix: &str) -> Workers {
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    let sdk = |name: &str| live.cloud.sdk_config(&format!("{name}{suffix}"));
    let config = transcript::Config {
        consumer: consumer("transcript"),
        conversations_table: CONVERSATIONS.into(),
        effects_table: EFFECTS.into(),
        logs_bucket: LOGS.into(),
        audio_bucket: AUDIO.into(),
        event_bus: BUS.into(),
    };
    let handler =
        transcript::Transcripts::start(&config, &sdk("transcript")).await.expect("its stores are there");
    run(("transcript", sdk("transcript")), handler, &stop, &mut running);
    let config = analysis::Config {
        consumer: consumer("analysis"),
        conversations_table: CONVERSATIONS.into(),
        images_table: IMAGES.into(),
        effects_table: EFFECTS.into(),
        logs_bucket: LOGS.into(),
        event_bus: BUS.into(),
        analysis_model_id: "model".into(),
        analysis_max_tokens: 4096,
        analysis_price_input_usd_micros: 1_100_000,
        analysis_price_output_usd_micros: 5_500_000,
    };
    let handler = analysis::Analyses::start(&config, &sdk("analysis")).await.expect("its stores are there");
    run(("analysis", sdk("analysis")), handler, &stop, &mut running);
    let config = progress::Config {
        consumer: consumer("progress"),
        progress_table: PROGRESS.into(),
        effects_table: EFFECTS.into(),
        event_bus: BUS.into(),
    };
    let handler = progress::Progress::start(&config, &sdk("progress")).await.expect("its stores are there");
    run(("progress", sdk("progress")), handler, &stop, &mut running);
    let [critical, warning, info] = TOPICS.map(str::to_owned);
    let config = alerts::Config {
        consumer: consumer("alerts"),
        effects_table: EFFECTS.into(),
        topic_critical_arn: critical,
        topic_warning_arn: warning,
        topic_info_arn: info,
        watched_queue_urls: Vec::new(),
        alerts_storm_after: 1000,
        alerts_storm_seconds: 300,
        alerts_quiet_hours: None,
        alerts_quiet_zone: "UTC".into(),
    };
    let handler = alerts::Alerts::start(&config, &sdk("alerts")).await.expect("its stores are there");
    let (sdk, consumer, shutdown) = (sdk("alerts"), consumer("alerts"), stop.clone());
    running.spawn(async move {
        consume("alerts", &consumer, &sdk, shutdown, Events(handler)).await.expect("it stops well");
    });
    Workers { _stop: stop.drop_guard(), _running: running }
}

fn run(
    (worker, sdk): (&'static str, SdkConfig),
    handler: impl EventHandler,
    stop: &CancellationToken,
    running: &mut JoinSet<()>,
) {
    let (consumer, shutdown) = (consumer(worker), stop.clone());
    running.spawn(async move {
        consume(worker, &consumer, &sdk, shutdown, Events(handler)).await.expect("it stops well");
    });
}

fn consumer(worker: &str) -> ConsumerConfig {
    ConsumerConfig {
        queue_url: queue_url(&format!("nova-{worker}")),
        dead_letter_queue_url: queue_url(&format!("nova-{worker}-dlq")),
        attempts_table: EFFECTS.to_owned(),
        failures_max: FAILURES_MAX,
        concurrency: 4.try_into().expect("it is not zero"),
        poll_seconds: 20,
        health_addr: None,
        drain_seconds: 5,
    }
}
