//! The WebSocket of the live protocol, as a client opens it. Reconnecting is the session's business.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    ConversationId,
    live::{
        ClientMessage, PROTOCOL, SAMPLE_RATE_HZ, ServerMessage, decode_audio, encode_audio, offered_protocols,
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

/// The largest message that is accepted, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Samples of one message of audio at most: a second.
pub(super) const MESSAGE_SAMPLES_MAX: usize = SAMPLE_RATE_HZ as usize;

/// How long opening, the first message of the service, a write and the orderly end may each take.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A conversation that the service has offered, with a ticket that opens it once.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The URL of the WebSocket.
    pub url: String,
    /// Opens it once.
    pub ticket: String,
}

/// What a connection receives.
#[derive(Debug)]
pub enum Incoming {
    /// Audio of the tutor.
    Audio {
        /// Its generation.
        generation: u32,
        /// 16 kHz mono.
        samples: Vec<i16>,
    },
    /// A text message.
    Message(ServerMessage),
    /// The connection is closed or lost.
    Closed,
}

/// An open connection. Dropping it closes the socket without the closing handshake.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// A write has failed.
    broken: bool,
}

impl Offer {
    /// The offer in the body of a response of the API at `api_url`.
    ///
    /// # Errors
    /// When the body is no offer.
    pub fn parse(api_url: &str, body: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            conversation_id: ConversationId,
            ticket: String,
            live: String,
        }
        let Body { conversation_id, ticket, live } = serde_json::from_str(body)
            .context("the response of the ingress is no offer of a conversation")?;
        Ok(Self { conversation_id, url: format!("{api_url}{live}"), ticket })
    }
}

impl Connection {
    /// Opens the WebSocket of `offer`. `turns` is the number of turns that the client has received.
    ///
    /// # Errors
    /// When the service refuses it, does not respond in time or does not speak the protocol.
    pub async fn open(offer: &Offer, turns: usize) -> anyhow::Result<Self> {
        let url = format!("{}?turns={turns}", offer.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().context("the URL of the live connection is invalid")?;
        let protocols = HeaderValue::from_str(&offered_protocols(&offer.ticket));
        let protocols = protocols.context("the ticket is not one for a header")?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let connecting = connect_async_with_config(request, Some(config), true);
        let connected = tokio::time::timeout(RESPONSE_TIMEOUT, connecting).await;
        let (socket, response) = match connected.context("the live connection does not open in time")? {
            Ok(connected) => connected,
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                bail!("the ingress refuses the live connection: {} {body}", response.status());
            }
            Err(error) => return Err(error).context("the live connection does not open"),
        };
        let agreed = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
        ensure!(agreed.is_some_and(|protocol| protocol == PROTOCOL), "the ingress does not speak {PROTOCOL}");
        Ok(Self { socket, broken: false })
    }

    /// Sends a text message. On a lost connection it does nothing, and [`Connection::next`] returns
    /// [`Incoming::Closed`].
    ///
    /// # Errors
    /// When the service does not accept it in time.
    pub async fn send(&mut self, message: &ClientMessage) -> anyhow::Result<()> {
        let text = serde_json::to_string(message).context("a message is JSON")?;
        self.write(Message::text(text)).await
    }

    /// Sends 16 kHz mono audio, in messages of at most a second each.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn send_audio(&mut self, samples: &[i16]) -> anyhow::Result<()> {
        for part in samples.chunks(MESSAGE_SAMPLES_MAX) {
            self.send_frame(encode_audio(part)).await?;
        }
        Ok(())
    }

    /// Sends an encoded message of audio.
    pub(super) async fn send_frame(&mut self, frame: Vec<u8>) -> anyhow::Result<()> {
        self.write(Message::Binary(frame.into())).await
    }

    /// The next message. Cancel safe.
    ///
    /// # Errors
    /// When a message is not part of the protocol.
    pub async fn next(&mut self) -> anyhow::Result<Incoming> {
        while !self.broken {
            return Ok(match self.socket.next().await {
                Some(Ok(Message::Binary(frame))) => {
                    let (generation, samples) =
                        decode_audio(&frame).context("the ingress sent an invalid message of audio")?;
                    Incoming::Audio { generation, samples }
                }
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text);
                    Incoming::Message(message.context("the ingress sent an invalid text message")?)
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => Incoming::Closed,
            });
        }
        Ok(Incoming::Closed)
    }

    /// Closes the connection with the closing handshake.
    pub async fn close(mut self) {
        // The service may have closed it already.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }

    async fn write(&mut self, message: Message) -> anyhow::Result<()> {
        let sent = tokio::time::timeout(RESPONSE_TIMEOUT, self.socket.send(message)).await;
        self.broken |= sent.context("the ingress accepts no more messages")?.is_err();
        Ok(())
    }
}
