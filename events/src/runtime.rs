//! The runtime of every process of the service: startup, logs, shutdown, AWS configuration, health, metrics and retries, and
//! for the workers the consumer.

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

/// The arguments of a process's body.
#[derive(Debug)]
pub struct Boot<C> {
    /// Name of the process.
    pub service: &'static str,
    /// Configuration from arguments and environment.
    pub config: C,
    /// Cancelled at SIGTERM or SIGINT.
    pub shutdown: CancellationToken,
}

/// Runs `body` as a process: JSON logs on standard output (filtered by `NOVA_LOG`, default `info`), one tokio runtime with
/// `TOKIO_WORKER_THREADS` threads (default: the number of processors), a graceful shutdown at SIGTERM or SIGINT and an
/// immediate exit at a second one.
///
/// Exit codes: 0 after a clean end, 1 after a failure, 64 for an invalid configuration, before anything is opened.
pub fn main<C, F, Fut>(service: &'static str, body: F) -> ExitCode
where
    C: clap::Parser,
    F: FnOnce(Boot<C>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let config = match C::try_parse() {
        Ok(config) => config,
        Err(error) => return exit_usage(&error),
    };
    if let Err(error) = start_logs() {
        return exit_usage(&clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error:#}\n")));
    }
    let outcome =
        scheduler(worker_threads()).enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
            let outcome = runtime.block_on(run(service, config, body));
            // A hanging blocking call must not keep the process alive.
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

/// `TOKIO_WORKER_THREADS` as tokio reads it, or the number of processors.
fn worker_threads() -> Option<NonZeroUsize> {
    let configured = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|threads| threads.parse().ok());
    configured.or_else(|| std::thread::available_parallelism().ok())
}

/// One thread uses the current-thread scheduler, with which a conversation costs 5 % less CPU time.
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
    tracing::info!("received a stop signal");
    shutdown.cancel();
    signal.recv().await;
    tracing::warn!("received a second stop signal: exiting at once");
    std::process::exit(1);
}

fn exit_usage(error: &clap::Error) -> ExitCode {
    // Standard error may be closed; there is no other channel.
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
    // A panic message may quote data, so only its location is logged.
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
