//! How full the queues are, and how old their oldest messages, where CloudWatch knows.

use std::process::ExitCode;

use anyhow::Context as _;
use aws_sdk_sqs::types::QueueAttributeName;
use events::runtime::failure::describe;
use serde::Serialize;

use super::{
    Shown,
    table::table,
    target::{QueueName, Target},
};

/// The queue of undeliverable events has no worker, only dead letters.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueState {
    queue: &'static str,
    waiting: u64,
    in_flight: u64,
    delayed: u64,
    /// `null` where it is not known. AWS leaves messages out that were received three times or more.
    oldest_age_seconds: Option<u64>,
    dead_letters: u64,
}

pub(super) async fn run(target: &Target, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    let mut queues = Vec::new();
    for name in QueueName::all() {
        let mut state = QueueState { queue: name.name(), ..QueueState::default() };
        if let Some(queue) = target.queue(name)? {
            [state.waiting, state.in_flight, state.delayed] = depths(target, &queue.url).await?;
        }
        state.dead_letters = depths(target, target.dead_letter_url(name)?).await?.iter().sum();
        queues.push(state);
    }
    if let Err(error) = ages(target, &mut queues).await {
        shown.console.error(&format!("how old the oldest messages are is not known: {error:#}"));
    }
    shown.result(&queues, |queues| lines(queues))
}

/// Asks how old the oldest message of each worker's queue is.
async fn ages(target: &Target, queues: &mut [QueueState]) -> anyhow::Result<()> {
    let urls: Vec<_> = target.outputs.queues.values().map(|queue| &queue.url).collect();
    let names: Vec<_> = urls.iter().map(|url| url.rsplit('/').next().unwrap_or_default()).collect();
    let ages = target.ages.of(&names).await?;
    // The one queue without a worker is the last.
    queues.iter_mut().zip(ages).for_each(|(queue, age)| queue.oldest_age_seconds = age);
    Ok(())
}

/// Messages that wait, are in flight and are delayed.
async fn depths(target: &Target, url: &str) -> anyhow::Result<[u64; 3]> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let asked = target.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let answer = asked
        .send()
        .await
        .map_err(|error| describe(&error))
        .with_context(|| format!("cannot look at the queue {url}"))?;
    let attributes = answer.attributes.unwrap_or_default();
    let mut depths = [0; 3];
    for (depth, name) in depths.iter_mut().zip(&names) {
        *depth = attributes
            .get(name)
            .and_then(|text| text.parse().ok())
            .with_context(|| format!("the queue {url} does not say its {name}"))?;
    }
    Ok(depths)
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
                of_worker(queue.waiting),
                of_worker(queue.in_flight),
                of_worker(queue.delayed),
                oldest.unwrap_or_else(|| if has_worker { "not known here" } else { "-" }.to_owned()),
                queue.dead_letters.to_string(),
            ]
        })
        .collect();
    table(["queue", "waiting", "in flight", "delayed", "oldest", "dead letters"], &rows)
}
