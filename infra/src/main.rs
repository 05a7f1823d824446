//! `nova`: runs the service on one machine, talks to it, and checks it.

mod command;
mod console;
mod run_file;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use console::Console;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    log();
    let console = Console::new();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console.error(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(command::run(arguments, &console));
    // A thread that waits for another installation's lock must not keep us from ending.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            console.error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What is not meant for the user's eyes at once goes to standard error, warnings and worse unless `NOVA_LOG` says
/// otherwise.
fn log() {
    let filter = EnvFilter::try_from_env("NOVA_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
