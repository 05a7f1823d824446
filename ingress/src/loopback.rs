//! For tests: HTTP and WebSockets over connections in memory. Nothing waits for a kernel, so a test may pause the
//! time, and what is on the way is bounded by the connection's buffer to the byte.

use std::io;

use axum::{Router, http::HeaderValue, serve::Listener};
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, client::IntoClientRequest as _},
};

/// What is on the way in each direction of a connection, in bytes.
const BUFFER_BYTES: usize = 4 * 1024;

/// The client's end of a WebSocket.
pub(crate) type Socket = WebSocketStream<DuplexStream>;

/// A server that is reached over memory.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    door: mpsc::Sender<DuplexStream>,
}

struct Door(mpsc::Receiver<DuplexStream>);

impl Listener for Door {
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
        let (door, connections) = mpsc::channel(8);
        tokio::spawn(async move { axum::serve(Door(connections), router).await });
        Self { door }
    }

    /// A connection.
    pub(crate) async fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(BUFFER_BYTES);
        self.door.send(far).await.expect("the server runs as long as the test");
        near
    }

    /// A WebSocket at `path` with the protocols offered there, or the status and the body with which it is refused.
    pub(crate) async fn websocket(
        &self,
        path: &str,
        protocols: &str,
    ) -> Result<(Socket, Option<HeaderValue>), (u16, String)> {
        let mut request = format!("ws://ingress{path}").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(protocols).unwrap());
        match client_async(request, self.connect().await).await {
            Ok((socket, answer)) => Ok((socket, answer.headers().get("sec-websocket-protocol").cloned())),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Err((answer.status().as_u16(), body.into_owned()))
            }
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }
}
