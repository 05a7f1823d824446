//! The progress worker's process: connects configuration, clients and handler. See `workers::progress`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::progress::{Config, Progress};

fn main() -> ExitCode {
    runtime::main("progress", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let handler = consumer::Events(Progress::start(&config, &aws).await?);
        consumer::consume(service, &config.consumer, &aws, shutdown, handler).await
    })
}
