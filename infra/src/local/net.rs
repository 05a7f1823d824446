//! Loopback ports and the HTTP client of the runner.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use rand::RngExt as _;
use tokio::{net::TcpStream, time::Instant};

use super::Process;

/// How often a condition outside of this process is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long one look may take.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// The ports that [`free_port`] chooses from: below those that Linux (32768 up) and macOS (49152 up) give to
/// outgoing connections and to listeners without a wish, so that no connection of this machine takes a chosen port
/// between the choice and its use.
const PORTS: RangeInclusive<u16> = 20_000..=32_767;

/// How many ports are tried.
const PORT_TRIES: u32 = 200;

/// The ports that this process has chosen. None is chosen twice: what it was chosen for may not listen yet.
static CHOSEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback port that was free a moment ago and that was not chosen before. Another program can still take it before it
/// is used, so the user of the port has to cope with that.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    let mut random = rand::rng();
    // A set of ports is good whatever panicked beside it.
    let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    (0..PORT_TRIES)
        .map(|_| random.random_range(PORTS))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok() && chosen.insert(*port))
        .with_context(|| format!("no free port on 127.0.0.1 among {PORT_TRIES} of {PORTS:?}"))
}

/// Whether `port` can be listened on, on all interfaces.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// An HTTP client for loopback: no proxy, bounded in time.
///
/// # Errors
/// When the client cannot be made.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    // Another part of the process may have installed it already; it is the same one then.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().connect_timeout(POLL_TIMEOUT);
    client.build().context("cannot make an HTTP client")
}

/// Waits until `url` answers 2xx.
///
/// # Errors
/// When `process` ends before, or `patience` runs out.
pub(super) async fn await_healthy(
    http: &reqwest::Client,
    url: &str,
    process: &Process,
    patience: Duration,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    let healthy = async {
        loop {
            let answer = http.get(url).timeout(POLL_TIMEOUT).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::select! {
        () = healthy => Ok(()),
        status = process.wait() => Err(process.died(status).into()),
        () = tokio::time::sleep_until(deadline) => anyhow::bail!(
            "{} did not become healthy within {} s ({url}); its log is {}",
            process.name(), patience.as_secs(), process.log().display(),
        ),
    }
}

/// Waits until `process` takes connections on the loopback port.
///
/// # Errors
/// When it ends before, or `patience` runs out.
pub(crate) async fn await_listening(port: u16, process: &Process, patience: Duration) -> anyhow::Result<()> {
    let listening = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::select! {
        () = listening => Ok(()),
        status = process.wait() => Err(process.died(status).into()),
        () = tokio::time::sleep(patience) => anyhow::bail!(
            "{} did not start within {} s; its log is {}",
            process.name(), patience.as_secs(), process.log().display(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_chosen_twice() {
        // Ports drawn by chance would meet within a few hundred.
        let ports: BTreeSet<u16> = (0..1_000).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 1_000);
    }

    #[test]
    fn a_taken_port_is_not_free() {
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }
}
