//! The alerts worker's process: wires configuration, clients and handler. What it does stands in `workers::alerts`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::alerts::{Alerts, Config};

fn main() -> ExitCode {
    runtime::main("alerts", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let handler = consumer::Events(Alerts::start(&config, &aws).await?);
        let sqs = aws_sdk_sqs::Client::new(&aws);
        consumer::consume(service, &config.consumer, sqs, shutdown, handler).await
    })
}
