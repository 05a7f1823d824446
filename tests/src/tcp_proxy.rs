//! A TCP proxy between a learner and the ingress that a test can cut: its connections are closed on both sides without a closing
//! handshake, data in transit is lost, and new connections are refused.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// The proxy. Dropping it cuts its connections.
pub struct TcpProxy {
    address: SocketAddr,
    cut: CancellationToken,
}

impl TcpProxy {
    /// Starts a proxy in front of `url`, an `http://host:port`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(url: &str) -> anyhow::Result<Self> {
        let upstream = url.trim_start_matches("http://").to_owned();
        let listener =
            TcpListener::bind("127.0.0.1:0").await.context("failed to open a port for the proxy")?;
        let address = listener.local_addr()?;
        let cut = CancellationToken::new();
        tokio::spawn(cut.clone().run_until_cancelled_owned(accept(listener, upstream, cut.clone())));
        Ok(Self { address, cut })
    }

    /// The URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes all connections and accepts no new ones.
    pub fn cut(&self) {
        self.cut.cancel();
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn accept(listener: TcpListener, upstream: String, cut: CancellationToken) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(cut.clone().run_until_cancelled_owned(carry(near, upstream.clone())));
    }
}

async fn carry(mut near: TcpStream, upstream: String) {
    let Ok(mut far) = TcpStream::connect(upstream).await else { return };
    for socket in [&near, &far] {
        // A frame must not wait for the acknowledgement of the previous one.
        let _ = socket.set_nodelay(true);
    }
    // The two sides handle the end of a connection.
    let _ = copy_bidirectional(&mut near, &mut far).await;
}
