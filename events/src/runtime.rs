//! The runtime of every process of the service: startup, logs, shutdown, AWS configuration, health, metrics and retries, and
//! for the workers the consumer.

use std::{convert::Infallible, num::NonZeroUsize, process::ExitCode, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

pub mod aws;
pub mod bedrock;
mod breaker;
pub mod consumer;
pub mod dead_letter_kind;
pub mod delivery;
pub mod env;
pub mod failure;
pub mod health;
pub mod jitter;
mod limit;
pub mod metrics;
pub mod model_lifecycle;
pub mod retry;
pub mod startup_check;

/// The exit code for a configuration that cannot work (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// The sub-command that asks a running process for its health.
const HEALTH: &str = "health";

/// The target of the access log of the ingress.
pub const ACCESS_LOG: &str = "access";

/// The target of the security events of the ingress.
pub const SECURITY_LOG: &str = "security";

/// The target of the records of who read a learner's data.
pub const AUDIT_LOG: &str = "audit";

/// The targets whose log lines are written: our own crates, the access log and security events.
const OWN_TARGETS: [&str; 6] = ["events", "ingress", "workers", "sign_up", ACCESS_LOG, SECURITY_LOG];

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

/// Variables that every binary reads beside those of its `--help`: how often its metrics are written, and their namespace.
pub const SHARED_VARIABLES: [&str; 2] = ["NOVA_METRICS_SECONDS", "NOVA_METRICS_NAMESPACE"];

/// Runs `body` as a process: JSON logs on standard output (see [`log_filter`]), one tokio runtime with
/// `TOKIO_WORKER_THREADS` threads (default: the number of processors), a graceful shutdown at SIGTERM or SIGINT and an
/// immediate exit at a second one.
///
/// With the only argument `health` it asks the process that already runs in the container for its health instead.
///
/// Exit codes: 0 after a clean end, 1 after a failure, 64 for an invalid configuration, before anything is opened.
pub fn main<C, F, Fut>(service: &'static str, body: F) -> ExitCode
where
    C: clap::Parser,
    F: FnOnce(Boot<C>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let matches = match command::<C>().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return exit_usage(&error),
    };
    if matches.subcommand_name() == Some(HEALTH) {
        return health::check_running();
    }
    let config = match C::from_arg_matches(&matches) {
        Ok(config) => config,
        Err(error) => return exit_usage(&error),
    };
    match metrics_settings().and_then(|settings| start_logs().map(|()| settings)) {
        Ok((interval, namespace)) => metrics::start(interval, namespace),
        Err(error) => {
            let error = format!("{error:#}\n");
            return exit_usage(&clap::Error::raw(clap::error::ErrorKind::InvalidValue, error));
        }
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

/// The arguments of a process: those of `C`, or [`HEALTH`] alone.
fn command<C: clap::CommandFactory>() -> clap::Command {
    let health = clap::Command::new(HEALTH).about(
        "Ask the process that runs in this container for its health; the exit code is 0 if it is well",
    );
    C::command().subcommand(health).subcommand_negates_reqs(true).disable_help_subcommand(true)
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

/// The settings of the metrics, which every binary has beside its own.
fn metrics_settings() -> anyhow::Result<(Duration, String)> {
    let [seconds, namespace] = SHARED_VARIABLES.map(|name| std::env::var(name).ok());
    Ok((metrics::interval_of(seconds.as_deref())?, metrics::namespace_of(namespace)?))
}

async fn run<C, F, Fut>(service: &'static str, config: C, body: F) -> anyhow::Result<()>
where
    F: FnOnce(Boot<C>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
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

/// The filter of the log lines from `NOVA_LOG`, by default `info`. A level alone is that of our own crates; the lines of others
/// are off, because some write one for each damaged byte that a caller sends. Directives as `info,hyper=debug` add to it. Audit
/// records are written at every level.
///
/// # Errors
/// It is not a list of directives.
pub fn log_filter(text: Option<&str>) -> anyhow::Result<EnvFilter> {
    let mut directives = vec!["off".to_owned(), format!("{AUDIT_LOG}=info")];
    for directive in
        text.unwrap_or("info").split(',').map(str::trim).filter(|directive| !directive.is_empty())
    {
        if directive.parse::<LevelFilter>().is_ok() {
            directives.extend(OWN_TARGETS.map(|name| format!("{name}={directive}")));
        } else {
            directives.push(directive.to_owned());
        }
    }
    EnvFilter::try_new(directives.join(",")).map_err(|error| {
        anyhow::anyhow!("NOVA_LOG {:?} is not a log filter: {error}", text.unwrap_or_default())
    })
}

fn start_logs() -> anyhow::Result<()> {
    let filter = log_filter(std::env::var("NOVA_LOG").ok().as_deref())?;
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

    #[derive(Debug, clap::Parser)]
    struct Required {
        #[arg(long, env = "NOVA_TEST_REQUIRED")]
        _table: String,
    }

    #[test]
    fn health_needs_no_configuration() {
        let health = command::<Required>().try_get_matches_from(["worker", HEALTH]).unwrap();
        assert_eq!(health.subcommand_name(), Some(HEALTH));
        assert!(command::<Required>().try_get_matches_from(["worker"]).is_err());
        let process = command::<Required>().try_get_matches_from(["worker", "--table", "t"]).unwrap();
        assert_eq!(process.subcommand_name(), None);
    }

    #[test]
    fn one_thread_has_a_scheduler_of_its_own() {
        let flavor =
            |threads| scheduler(NonZeroUsize::new(threads)).build().unwrap().handle().runtime_flavor();
        assert_eq!(flavor(1), RuntimeFlavor::CurrentThread);
        assert_eq!(flavor(2), RuntimeFlavor::MultiThread);
        assert!(worker_threads().is_some());
    }

    #[test]
    fn log_lines_of_other_crates_are_off_unless_named() {
        let filter = |text| log_filter(text).map(|filter| filter.to_string());
        let directives = |text| {
            let text = filter(text).unwrap();
            let mut directives: Vec<_> = text.split(',').map(str::to_owned).collect();
            directives.sort();
            directives
        };
        let own = |level| OWN_TARGETS.map(|name| format!("{name}={level}"));
        let expected = |level, more: &[&str]| {
            let mut expected: Vec<_> =
                own(level).into_iter().chain(more.iter().map(|&text| text.to_owned())).collect();
            expected.sort();
            expected
        };
        assert_eq!(directives(None), expected("info", &["audit=info", "off"]));
        assert_eq!(directives(Some("warn")), expected("warn", &["audit=info", "off"]));
        assert_eq!(
            directives(Some("debug, hyper=trace")),
            expected("debug", &["audit=info", "hyper=trace", "off"])
        );
        assert!(filter(Some("ingress=loud")).unwrap_err().to_string().contains("ingress=loud"));
    }

    #[test]
    fn damaged_upload_of_another_crates_parser_writes_no_log_line() {
        let sink = Written::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(log_filter(None).unwrap())
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(target: "symphonia_bundle_mp3::demuxer", "skipping junk");
            tracing::info!("ours");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("ours") && !text.contains("junk"), "{text}");
    }

    #[derive(Clone, Default)]
    struct Written(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
