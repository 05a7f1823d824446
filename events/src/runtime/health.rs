//! Liveness: parts of a process tick, and `GET /health` reports whether all of them still do.
//!
//! It is not readiness: a worker in a broken environment is alive and must not be restarted.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

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
