//! The erasure worker's process: connects configuration, clients and handler. See `workers::erasure`.

use std::process::ExitCode;

use anyhow::Context;
use events::runtime::{self, Boot, aws, consumer, metrics::write_until};
use tokio_util::sync::CancellationToken;
use workers::erasure::{Config, Erasure};

fn main() -> ExitCode {
    runtime::main("erasure", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let erasure = Erasure::start(&config, &aws).await?;
        // Metrics are written until the drain ends, which is after the shutdown signal.
        let ended = CancellationToken::new();
        let writing = tokio::spawn(write_until(ended.clone(), erasure.metrics()));
        let handler = consumer::Events(erasure);
        let consumed = consumer::consume(service, &config.consumer, &aws, shutdown, handler).await;
        ended.cancel();
        writing.await.context("the task that writes metrics failed")?;
        consumed
    })
}
