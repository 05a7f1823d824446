//! The model of AWS ([`tests::model`]) as a process. `nova load` uses it as its cloud, because it needs a fraction of the
//! processor time of the local cloud and does not slow down. It verifies no signature and injects no network faults.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use infra::local::Outputs;
use tests::{deployment::RECEIVES_MAX, model::Cloud};
use tokio::signal::unix::{SignalKind, signal};

/// Serves a model of SQS, DynamoDB, S3, EventBridge and SNS in memory, with the resources of a deployment. It stores objects
/// without their bytes, and its bus has no rules. It ends at SIGTERM.
#[derive(Debug, Parser)]
struct Options {
    /// Port on the loopback interface.
    #[arg(long)]
    port: u16,
    /// The deployment: a file with the outputs of its stacks, as JSON.
    #[arg(long)]
    deployed: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let deployed = std::fs::read(&options.deployed)
        .with_context(|| format!("cannot read {}", options.deployed.display()))?;
    let deployed: Outputs = serde_json::from_slice(&deployed)
        .with_context(|| format!("{} has no outputs of stacks", options.deployed.display()))?;
    let cloud = Cloud::new(0);
    furnish(&cloud, &deployed);
    let mut terminate = signal(SignalKind::terminate())?;
    let _served = cloud.serve_on((Ipv4Addr::LOCALHOST, options.port).into()).await?;
    terminate.recv().await;
    let violations = std::mem::take(&mut cloud.state().violations);
    anyhow::ensure!(violations.is_empty(), "{violations:#?}");
    Ok(())
}

fn furnish(cloud: &Cloud, deployed: &Outputs) {
    let mut state = cloud.state();
    state.traced = false;
    state.s3.discards_bytes = true;
    for (worker, queue) in &deployed.queues {
        let name = queue.url.rsplit('/').next().unwrap_or_default();
        state.create_queue(name, Duration::from_secs(worker.spec().visibility_seconds), RECEIVES_MAX);
    }
    state.create_table(&deployed.conversations_table, "sessionId", Some("timestamp"));
    state.create_table(&deployed.effects_table, "effectId", None);
    state.create_table(&deployed.images_table, "imageId", None);
    state.create_table(&deployed.user_progress_table, "userId", Some("date"));
    state.create_table(&deployed.users_table, "userId", None);
    state.create_table(&deployed.sessions_table, "userId", Some("sessionId"));
    for bucket in [&deployed.logs_bucket, &deployed.audio_bucket, &deployed.images_bucket] {
        state.create_bucket(bucket);
    }
    for topic in [&deployed.critical_topic, &deployed.warning_topic, &deployed.info_topic] {
        state.create_topic(topic);
    }
    state.create_bus(&deployed.bus_name, Vec::new());
}
