//! The alerts worker's process: connects configuration, clients and handler. See `workers::alerts`.

use std::process::ExitCode;

use events::runtime::{self, Boot, aws, consumer};
use workers::alerts::{Alerts, Config};

fn main() -> ExitCode {
    runtime::main("alerts", |Boot { service, config, shutdown }: Boot<Config>| async move {
        let aws = aws::sdk_config().await?;
        let alerts = Alerts::start(&config, &aws).await?;
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(alerts.clone().watch_dead_letters()));
        consumer::consume(service, &config.consumer, &aws, shutdown, consumer::Events(alerts)).await
    })
}
