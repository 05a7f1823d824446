//! The analysis worker's process: wires configuration, clients and handler. What it does stands in `workers::analysis`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::analysis::{Analyses, Config};

fn main() -> ExitCode {
    runtime::main("analysis", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let handler = consumer::Events(Analyses::start(&config, &aws).await?);
        consumer::consume(service, &config.consumer, &aws, shutdown, handler).await
    })
}
