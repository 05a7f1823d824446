//! The erasure worker's process: connects configuration, clients and handler. See `workers::erasure`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::erasure::{Config, Erasure};

fn main() -> ExitCode {
    runtime::main("erasure", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let handler = consumer::Events(Erasure::start(&config, &aws).await?);
        consumer::consume(service, &config.consumer, &aws, shutdown, handler).await
    })
}
