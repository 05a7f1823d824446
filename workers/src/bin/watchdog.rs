//! The watchdog's process: wires configuration, clients and handler. What it does stands in `workers::watchdog`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::watchdog::{Config, Watchdog};

fn main() -> ExitCode {
    runtime::main("watchdog", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let handler = Watchdog::start(&config, &aws).await?;
        consumer::consume(service, &config.consumer, &aws, shutdown, handler).await
    })
}
