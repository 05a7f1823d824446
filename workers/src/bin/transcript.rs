//! The transcript worker's process: connects configuration, clients and handler. See `workers::transcript`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::transcript::{Config, Transcripts};

fn main() -> ExitCode {
    runtime::main("transcript", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let handler = consumer::Events(Transcripts::start(&config, &aws).await?);
        consumer::consume(service, &config.consumer, &aws, shutdown, handler).await
    })
}
