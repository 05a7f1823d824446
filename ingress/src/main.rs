//! The `ingress` binary: reads the configuration and runs the server until shutdown.

use std::process::ExitCode;

use ingress::{config::Config, server};

fn main() -> ExitCode {
    events::runtime::main("ingress", |boot: events::runtime::Boot<Config>| {
        server::run(boot.config, boot.shutdown)
    })
}
