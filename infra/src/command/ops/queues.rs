//! How full the queues are, and how old their oldest messages, where CloudWatch knows.

use std::process::ExitCode;

use anyhow::anyhow;
use events::{
    cloudwatch::Window,
    queues::{self, Depths, METRIC_PERIOD_SECONDS, OLDEST_AGE, QueueName},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Shown, table::table, target::Target};

/// How far back is looked: SQS reports once a minute, and a report may take five minutes to be seen.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// The queue of undeliverable events has no worker, only dead letters.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueState {
    queue: &'static str,
    #[serde(flatten)]
    depths: Depths,
    /// `null` where it is not known. AWS leaves messages out that were received three times or more.
    oldest_age_seconds: Option<u64>,
    dead_letters: u64,
}

pub(super) async fn run(target: &Target, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    let mut queues = Vec::new();
    for name in QueueName::all() {
        let mut state = QueueState { queue: name.name(), ..QueueState::default() };
        if let Some(queue) = target.queue(name)? {
            state.depths = depths(target, &queue.url).await?;
        }
        state.dead_letters = depths(target, target.dead_letter_url(name)?).await?.total();
        queues.push(state);
    }
    if let Err(error) = ages(target, &mut queues).await {
        shown.console.error(&format!("how old the oldest messages are is not known: {error:#}"));
    }
    shown.result(&queues, |queues| lines(queues))
}

/// Asks how old the oldest message of each worker's queue is.
async fn ages(target: &Target, queues: &mut [QueueState]) -> anyhow::Result<()> {
    let urls = target.outputs.queues.values().map(|queue| &queue.url);
    let queries: Vec<_> = urls.map(|url| queues::metric(queues::name(url), OLDEST_AGE)).collect();
    let to = Timestamp::now();
    let window = Window { from: to - WINDOW, to, period_seconds: METRIC_PERIOD_SECONDS };
    let series = target.cloudwatch.series(&queries, window).await?;
    // The one queue without a worker is the last.
    for (queue, points) in queues.iter_mut().zip(series) {
        let latest = points.last().and_then(|point| std::time::Duration::try_from_secs_f64(point.value).ok());
        queue.oldest_age_seconds = latest.map(|age| age.as_secs());
    }
    Ok(())
}

async fn depths(target: &Target, url: &str) -> anyhow::Result<Depths> {
    let depths = Depths::read(&target.sqs, url).await;
    depths.map_err(|failure| anyhow!("cannot look at the queue {url}: {failure}"))
}

fn lines(queues: &[QueueState]) -> Vec<String> {
    let rows: Vec<[String; 6]> = queues
        .iter()
        .map(|queue| {
            let has_worker = queue.queue != QueueName::Events.name();
            let of_worker = |count: u64| if has_worker { count.to_string() } else { "-".to_owned() };
            let oldest = queue.oldest_age_seconds.map(|seconds| format!("{seconds} s"));
            [
                queue.queue.to_owned(),
                of_worker(queue.depths.waiting),
                of_worker(queue.depths.in_flight),
                of_worker(queue.depths.delayed),
                oldest.unwrap_or_else(|| if has_worker { "not known here" } else { "-" }.to_owned()),
                queue.dead_letters.to_string(),
            ]
        })
        .collect();
    table(["queue", "waiting", "in flight", "delayed", "oldest", "dead letters"], &rows)
}
