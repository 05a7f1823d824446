//! What every process of the service is made of: boot, logs, shutdown, AWS configuration, health, retry, and for the
//! workers the consumer.

use std::{convert::Infallible, num::NonZeroUsize, process::ExitCode};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

pub mod aws;
mod breaker;
pub mod consumer;
pub mod delivery;
pub mod env;
pub mod failure;
pub mod health;
mod jitter;
mod limit;
pub mod metrics;
pub mod retry;
pub mod startup_check;

/// The exit code for a configuration that cannot work (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// What a process starts with.
#[derive(Debug)]
pub struct Boot<C> {
    /// The name of the process.
    pub service: &'static str,
    /// Its configuration.
    pub config: C,
    /// Cancelled when the process is asked to stop (SIGTERM, SIGINT).
    pub shutdown: CancellationToken,
}

/// Runs `body` as a process: JSON logs on standard output (filtered by `NOVA_LOG`, default `info`), one
/// runtime of as many threads as there are processors or `TOKIO_WORKER_THREADS` says, an orderly end on SIGTERM or SIGINT, an immediate one when the same signal comes again.
///
/// Exit codes: 0 after a clean end, 1 after a failure, 64 for a wrong configuration, before anything is opened.
pub fn main<C, F, Fut>(service: &'static str, body: F) -> ExitCode
where
    C: clap::Parser,
    F: FnOnce(Boot<C>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let config = match C::try_parse() {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = start_logs() {
        return refuse(&clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error:#}\n")));
    }
    let outcome =
        scheduler(worker_threads()).enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
            let outcome = runtime.block_on(run(service, config, body));
            // A blocking call that hangs must not keep the process.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(service, error = format!("{error:#}"), "the process failed");
            ExitCode::FAILURE
        }
    }
}

/// What `TOKIO_WORKER_THREADS` says, as tokio reads it; otherwise the number of processors.
fn worker_threads() -> Option<NonZeroUsize> {
    let said = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|threads| threads.parse().ok());
    said.or_else(|| std::thread::available_parallelism().ok())
}

/// For one thread the scheduler that knows of no other and hands nothing over: a conversation costs 5 % less.
fn scheduler(threads: Option<NonZeroUsize>) -> tokio::runtime::Builder {
    if threads == Some(NonZeroUsize::MIN) {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    }
}

async fn run<C, F, Fut>(service: &'static str, config: C, body: F) -> anyhow::Result<()>
where
    F: FnOnce(Boot<C>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    metrics::start();
    let shutdown = CancellationToken::new();
    tokio::spawn(watch(signal(SignalKind::terminate())?, shutdown.clone()));
    tokio::spawn(watch(signal(SignalKind::interrupt())?, shutdown.clone()));
    tracing::info!(service, version = env!("CARGO_PKG_VERSION"), "started");
    body(Boot { service, config, shutdown }).await?;
    tracing::info!(service, "ended");
    Ok(())
}

async fn watch(mut signal: Signal, shutdown: CancellationToken) -> Infallible {
    signal.recv().await;
    tracing::info!("asked to stop");
    shutdown.cancel();
    signal.recv().await;
    tracing::warn!("asked to stop again: stopping at once");
    std::process::exit(1);
}

fn refuse(error: &clap::Error) -> ExitCode {
    // Standard error may be closed; there is nobody else to tell.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}

fn start_logs() -> anyhow::Result<()> {
    let filter = match std::env::var("NOVA_LOG") {
        Ok(text) => EnvFilter::try_new(&text)
            .map_err(|error| anyhow::anyhow!("NOVA_LOG {text:?} is not a log filter: {error}"))?,
        Err(_) => EnvFilter::new("info"),
    };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .try_init()
        .map_err(|error| anyhow::anyhow!("failed to start the logs: {error}"))?;
    // A panic's message may quote data, so only its place is logged.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::runtime::RuntimeFlavor;

    use super::*;

    #[test]
    fn one_thread_has_a_scheduler_of_its_own() {
        let flavor =
            |threads| scheduler(NonZeroUsize::new(threads)).build().unwrap().handle().runtime_flavor();
        assert_eq!(flavor(1), RuntimeFlavor::CurrentThread);
        assert_eq!(flavor(2), RuntimeFlavor::MultiThread);
        assert!(worker_threads().is_some());
    }
}
