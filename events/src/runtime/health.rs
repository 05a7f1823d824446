//! Liveness: parts of a process tick, and `GET /health` reports whether all of them still do.
//!
//! It is not readiness: a worker in a broken environment is alive and must not be restarted.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

/// Where a process without an address of its own listens.
const LISTEN_DEFAULT: &str = "127.0.0.1:3000";

/// The longest time for the health of the running process; the container health check waits 5 s.
const CHECK_TIMEOUT: Duration = Duration::from_secs(4);

/// Length of `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// The liveness of one process.
#[derive(Clone, Debug)]
pub struct Health {
    service: &'static str,
    parts: Arc<Mutex<Vec<Arc<Part>>>>,
}

/// The liveness of one part of a process. The part stays registered and becomes stale after this is dropped.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Part>);

/// The response body of `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Name of the process.
    pub service: &'static str,
    /// `ok`, or `stale` if a part has not ticked for too long.
    pub status: &'static str,
    pub parts: Vec<PartReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartReport {
    pub name: &'static str,
    /// Milliseconds since the last tick.
    pub silent_ms: u64,
    /// Milliseconds without a tick after which the part is stale.
    pub silent_ms_max: u64,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    silent_max: Duration,
    ticked: Mutex<Instant>,
}

impl Health {
    /// The liveness of the process `service`, without parts.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        Self { service, parts: Arc::default() }
    }

    /// Adds a part that becomes stale after `silent_max` without a tick. Adding it counts as a tick.
    #[must_use]
    pub fn part(&self, name: &'static str, silent_max: Duration) -> Pulse {
        let part = Arc::new(Part { name, silent_max, ticked: Mutex::new(Instant::now()) });
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&part));
        Pulse(part)
    }

    /// The present state.
    #[must_use]
    pub fn report(&self) -> Report {
        let parts: Vec<_> = self
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|part| part.report())
            .collect();
        let alive = parts.iter().all(|part| part.silent_ms < part.silent_ms_max);
        Report { service: self.service, status: if alive { "ok" } else { "stale" }, parts }
    }
}

impl Report {
    /// Whether every part is alive.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == "ok"
    }
}

impl Pulse {
    /// Records that the part is alive.
    pub fn tick(&self) {
        *self.0.ticked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Awaits `future` and ticks while it is pending, for waits that may exceed the time without a tick.
    pub async fn while_waiting<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        loop {
            self.tick();
            if let Ok(output) = tokio::time::timeout(self.0.silent_max / 4, &mut future).await {
                self.tick();
                return output;
            }
        }
    }
}

impl Part {
    fn report(&self) -> PartReport {
        let silent = self.ticked.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        PartReport {
            name: self.name,
            silent_ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
            silent_ms_max: u64::try_from(self.silent_max.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// `GET /health`: 200 or 503 with a [`Report`].
pub fn router(health: Health) -> Router {
    Router::new().route("/health", get(respond)).with_state(health)
}

/// Serves [`router`] on `addr` until `shutdown`. The address is bound when this returns.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(
    addr: SocketAddr,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let listener = TcpListener::bind(addr).await.with_context(|| format!("failed to listen on {addr}"))?;
    let addr = listener.local_addr().context("failed to read the health address")?;
    tracing::info!(service = health.service, %addr, "serving health checks");
    Ok(tokio::spawn(async move {
        let server = axum::serve(listener, router(health)).with_graceful_shutdown(shutdown.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(error = format!("{error:#}"), "the health server failed");
        }
    }))
}

async fn respond(State(health): State<Health>) -> (StatusCode, Json<Report>) {
    let report = health.report();
    let status = if report.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

/// Asks the running process for its health, at the address that it has from its environment. The process of a container
/// health check: exit code 0 if the answer is 200.
pub(super) fn check_running() -> ExitCode {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = variable("NOVA_HEALTH_ADDR").or_else(|| variable("NOVA_LISTEN"));
    match check(address.as_deref().unwrap_or(LISTEN_DEFAULT)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code says it, too.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// HTTP/1.0 by hand: a client library would be most of a process that lives for a millisecond twice a minute.
fn check(address: &str) -> anyhow::Result<()> {
    let mut address: SocketAddr =
        address.parse().with_context(|| format!("{address:?} is not an address with a port"))?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let mut stream = TcpStream::connect_timeout(&address, CHECK_TIMEOUT)
        .with_context(|| format!("nothing listens at {address}"))?;
    stream.set_read_timeout(Some(CHECK_TIMEOUT))?;
    stream
        .write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .context("cannot ask for the health")?;
    let mut status = [0; STATUS_BYTES];
    stream.read_exact(&mut status).context("there was no answer in time")?;
    ensure!(&status[9..] == b"200", "the process is not well: {}", String::from_utf8_lossy(&status));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn process_is_stale_as_long_as_one_part_is() {
        let health = Health::new("test");
        assert!(health.report().is_ok());
        let (fast, slow) =
            (health.part("fast", Duration::from_secs(10)), health.part("slow", Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!health.report().is_ok());
        assert_eq!(respond(State(health.clone())).await.0, StatusCode::SERVICE_UNAVAILABLE);
        fast.tick();
        assert!(health.report().is_ok());
        assert_eq!(respond(State(health.clone())).await.0, StatusCode::OK);
        tokio::time::advance(Duration::from_secs(50)).await;
        fast.tick();
        assert!(!health.report().is_ok());
        slow.tick();
        assert!(health.report().is_ok());
    }

    #[test]
    fn check_succeeds_only_with_200() {
        let respond = |response: &'static [u8]| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 128];
                let read = stream.read(&mut request).unwrap();
                stream.write_all(response).unwrap();
                String::from_utf8_lossy(&request[..read]).into_owned()
            });
            // A process that listens everywhere is asked on loopback.
            (check(&format!("0.0.0.0:{port}")), server.join().unwrap())
        };
        let (outcome, request) = respond(b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(outcome.is_ok() && request.starts_with("GET /health HTTP/1.0\r\n"), "{outcome:?} {request}");
        let (outcome, _) = respond(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert!(outcome.unwrap_err().to_string().starts_with("the process is not well"));
        assert!(respond(b"HTTP").0.is_err());
        assert!(check("nowhere").unwrap_err().to_string().starts_with("\"nowhere\" is not an address"));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_part_stays_alive() {
        let health = Health::new("test");
        let pulse = health.part("wait", Duration::from_secs(10));
        let waiting = tokio::spawn(async move {
            pulse.while_waiting(tokio::time::sleep(Duration::from_secs(100))).await;
        });
        for _ in 0..19 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(health.report().is_ok());
        }
        waiting.await.unwrap();
    }
}
