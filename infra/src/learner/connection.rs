//! The WebSocket of the live protocol, as a client opens it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use events::contract::live::PROTOCOL;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

/// The largest message that is accepted.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// How long connecting, the first word of the service, a write and the goodbye may each take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A live connection.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens the connection of the live address `url`.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Socket> {
    let url = url.replacen("http", "ws", 1);
    let mut request = url.into_client_request().context("the live address is no URL")?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connecting = connect_async_with_config(request, Some(config), true);
    let connected = tokio::time::timeout(PATIENCE, connecting).await;
    let (socket, answer) = match connected.context("the live connection does not open")? {
        Ok(connected) => connected,
        Err(Error::Http(answer)) => {
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            bail!("the ingress refuses the live connection: {} {body}", answer.status());
        }
        Err(error) => return Err(error).context("the live connection does not open"),
    };
    let agreed = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
    ensure!(agreed.is_some_and(|protocol| protocol == PROTOCOL), "the ingress does not speak {PROTOCOL}");
    Ok(socket)
}
