//! The `ingress` binary: wires and exits.

use std::process::ExitCode;

use ingress::{app, config::Config};

fn main() -> ExitCode {
    events::runtime::main("ingress", |boot: events::runtime::Boot<Config>| {
        app::run(boot.config, boot.shutdown)
    })
}
