//! Accepts connections until the task stops, and gives each its place.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connection,
    connections::{Access, Connections},
};

/// First pause after a failure to accept, for example when the process has no file descriptor left.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// Longest pause after such a failure.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What connections are served with.
#[derive(Clone, Debug)]
pub(super) struct Routers {
    /// All routes.
    pub(super) full: Router,
    /// The routes of the reserve.
    pub(super) health_check: Router,
}

/// Accepts connections of `listener` until `stopped`, then waits until all are closed.
pub(super) async fn accept_until(
    listener: TcpListener,
    connections: Connections,
    routers: Routers,
    stopped: CancellationToken,
) {
    let tracker = TaskTracker::new();
    let serve_one = |(stream, peer): (TcpStream, SocketAddr)| {
        // With Nagle's algorithm a frame waits for the acknowledgement of the frame before it, which the client delays.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "failed to set TCP_NODELAY on a connection");
        }
        let Some(place) = connections.admit(peer.ip()) else { return };
        let router = match place.access() {
            Access::Full => routers.full.clone(),
            Access::HealthCheck => routers.health_check.clone(),
        };
        tracker.spawn(connection::serve(stream, peer, place, router, stopped.clone()));
    };
    stopped.clone().run_until_cancelled_owned(accept(|| listener.accept(), serve_one)).await;
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// Passes each accepted connection on. Never returns.
async fn accept<C, Next>(mut next: impl FnMut() -> Next, mut serve_one: impl FnMut(C))
where
    Next: Future<Output = io::Result<C>>,
{
    let mut pause = BACKOFF_MIN;
    loop {
        match next().await {
            Ok(connection) => {
                pause = BACKOFF_MIN;
                serve_one(connection);
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(error = %error, "failed to accept a connection");
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(BACKOFF_MAX);
            }
        }
    }
}

/// Whether the connection failed before it was accepted, and not the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_to_accept_are_repeated_with_growing_pauses_and_lose_no_connection() {
        const EMFILE: i32 = 24;
        let (mut calls, mut accepted, begun) = (0, Vec::new(), Instant::now());
        let next = || {
            calls += 1;
            let call = calls;
            async move {
                match call {
                    1..=20 => Err(io::Error::from_raw_os_error(EMFILE)),
                    21 => Err(io::ErrorKind::ConnectionAborted.into()),
                    22 => Ok("client"),
                    _ => std::future::pending().await,
                }
            }
        };
        let accepting = accept(next, |client| accepted.push((client, begun.elapsed())));
        let _ = tokio::time::timeout(Duration::from_secs(60), accepting).await;
        let (client, waited) = accepted[0];
        assert_eq!((client, accepted.len()), ("client", 1));
        // 10 ms doubled to 640 ms, then 13 times a second.
        assert_eq!(waited, Duration::from_millis(1_270) + 13 * BACKOFF_MAX);
    }
}
