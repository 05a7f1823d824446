//! A page that says exactly what a test wants, and hears everything as it comes, the close code too.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::time::Duration;

use events::contract::live::{PROTOCOL, TICKET_PROTOCOL};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tests::live::Live;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// See the module.
#[derive(Debug)]
pub(crate) struct RawClient(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// The status and the body of a refusal.
pub(crate) type Refusal = (u16, Value);

impl RawClient {
    /// Opens what the ingress offered.
    pub(crate) async fn open(live: &Live, offer: &Value) -> Result<Self, Refusal> {
        Self::open_as(live, offer, PROTOCOL).await
    }

    /// The same with these protocols beside the ticket.
    pub(crate) async fn open_as(live: &Live, offer: &Value, protocols: &str) -> Result<Self, Refusal> {
        let (path, ticket) = (offer["live"].as_str().unwrap(), offer["ticket"].as_str().unwrap());
        let url = format!("{}{path}", live.url().replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let protocols = format!("{protocols}, {TICKET_PROTOCOL}{ticket}");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(&protocols).unwrap());
        match tokio::time::timeout(PATIENCE, connect_async(request)).await.expect("the ingress answers") {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
                Err((answer.status().as_u16(), body.unwrap_or_default()))
            }
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    /// Asks for a conversation as `token`'s learner and opens it.
    pub(crate) async fn begin(live: &Live, token: &str) -> (Self, Value) {
        let offer = live.ask(token, "street-market").await.unwrap();
        let mut client = Self::open(live, &offer).await.unwrap();
        client.until("ready").await;
        (client, offer)
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("the ingress takes messages");
    }

    /// Sends a text message of this type and nothing else.
    pub(crate) async fn say(&mut self, kind: &str) {
        self.send(Message::text(json!({ "type": kind }).to_string())).await;
    }

    /// The next text message of this type. What comes before it is passed over.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(Ok(message)) = self.0.next().await {
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).expect("text messages are JSON");
                if message["type"] == kind {
                    return Some(message);
                }
            }
            None
        });
        found.await.ok().flatten().unwrap_or_else(|| panic!("{kind} does not come"))
    }

    /// Ends the conversation and hears the end.
    pub(crate) async fn end(mut self) -> Value {
        self.say("end").await;
        let ended = self.until("ended").await;
        assert_eq!(self.closed().await, Some(1000));
        ended
    }

    /// Waits until the socket is closed: the code.
    pub(crate) async fn closed(mut self) -> Option<u16> {
        let closed = tokio::time::timeout(PATIENCE, async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(frame) = message {
                    return frame.map(|frame| frame.code.into());
                }
            }
            None
        });
        closed.await.expect("the socket is closed")
    }
}
