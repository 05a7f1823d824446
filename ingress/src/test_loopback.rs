//! For tests: HTTP and WebSockets over in-memory connections. They involve no kernel, so a test can pause time, and the bytes in
//! flight are bounded exactly by the buffer of the connection.

use std::io;

use axum::{Router, http::HeaderValue, serve::Listener};
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, client::IntoClientRequest as _},
};

/// Buffer of each direction of a connection, in bytes.
const BUFFER_BYTES: usize = 4 * 1024;

/// The client's end of a WebSocket.
pub(crate) type Socket = WebSocketStream<DuplexStream>;

/// A server on in-memory connections.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    connect_tx: mpsc::Sender<DuplexStream>,
}

struct InMemoryListener(mpsc::Receiver<DuplexStream>);

impl Listener for InMemoryListener {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(connection) => (connection, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Server {
    /// Serves `router` until the test ends.
    pub(crate) fn new(router: Router) -> Self {
        let (connect_tx, connections) = mpsc::channel(8);
        tokio::spawn(async move { axum::serve(InMemoryListener(connections), router).await });
        Self { connect_tx }
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(BUFFER_BYTES);
        self.connect_tx.send(far).await.expect("the server runs as long as the test");
        near
    }

    /// Opens a WebSocket at `path` with the sub-protocols `protocols`, or returns status and body of the rejection.
    pub(crate) async fn websocket(
        &self,
        path: &str,
        protocols: &str,
    ) -> Result<(Socket, Option<HeaderValue>), (u16, String)> {
        let mut request = format!("ws://ingress{path}").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(protocols).unwrap());
        match client_async(request, self.connect().await).await {
            Ok((socket, response)) => Ok((socket, response.headers().get("sec-websocket-protocol").cloned())),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Err((response.status().as_u16(), body.into_owned()))
            }
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }
}
