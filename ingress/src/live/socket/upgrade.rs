//! The handshake of the WebSocket (RFC 6455): the checks, the sub-protocol, and the socket that follows.

use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use events::contract::live::{PROTOCOL, TICKET_PROTOCOL};
use http::{HeaderValue, Request, StatusCode, header::SEC_WEBSOCKET_PROTOCOL, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        handshake::server::create_response,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{ClientConnection, MESSAGE_BYTES_MAX, READ_BUFFER_BYTES, paced::Paced};
use crate::account::sessions::SessionWatch;

/// A request that opens a WebSocket of this protocol.
#[derive(Debug)]
pub struct Upgrade {
    response: Response<()>,
    ticket: String,
    upgraded: OnUpgrade,
}

/// Why a request opens no WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// It is no valid handshake.
    #[error("the request does not open a WebSocket: {0}")]
    Handshake(tungstenite::Error),
    /// The client does not offer the sub-protocol of this service.
    #[error("Sec-WebSocket-Protocol does not offer {PROTOCOL}, the only supported version")]
    Protocol,
    /// The client offers no ticket.
    #[error(
        "Sec-WebSocket-Protocol has no ticket; offer {PROTOCOL} and {TICKET_PROTOCOL} followed by the ticket"
    )]
    Ticket,
    /// The connection is not HTTP/1.1.
    #[error("the connection cannot become a WebSocket; use HTTP/1.1")]
    Connection,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = UpgradeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, UpgradeError> {
        let mut request = Request::new(());
        request.method_mut().clone_from(&parts.method);
        request.headers_mut().clone_from(&parts.headers);
        *request.version_mut() = parts.version;
        let mut response = create_response(&request).map_err(UpgradeError::Handshake)?;
        let offers = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let offers = offers.filter_map(|offer| offer.to_str().ok()).flat_map(|offer| offer.split(','));
        let offers: Vec<&str> = offers.map(str::trim).collect();
        if !offers.contains(&PROTOCOL) {
            return Err(UpgradeError::Protocol);
        }
        let ticket = offers.iter().find_map(|offer| offer.strip_prefix(TICKET_PROTOCOL));
        let ticket = ticket.ok_or(UpgradeError::Ticket)?;
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        let upgraded = parts.extensions.remove::<OnUpgrade>().ok_or(UpgradeError::Connection)?;
        Ok(Self { response, ticket: ticket.to_owned(), upgraded })
    }
}

impl IntoResponse for UpgradeError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.to_string()).into_response()
    }
}

impl Upgrade {
    /// The ticket that the client offers.
    #[must_use]
    pub fn ticket(&self) -> &str {
        &self.ticket
    }

    /// The response that accepts the WebSocket of a client in `session`. `then` gets its connection.
    pub fn accept<F>(
        self,
        session: SessionWatch,
        then: impl FnOnce(ClientConnection) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { response, upgraded, .. } = self;
        tokio::spawn(async move {
            // A client that is gone has no socket.
            let Ok(upgraded) = upgraded.await else { return };
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_BYTES_MAX))
                .max_frame_size(Some(MESSAGE_BYTES_MAX))
                .read_buffer_size(READ_BUFFER_BYTES)
                .write_buffer_size(0);
            let socket = Paced::new(TokioIo::new(upgraded));
            let socket = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
            then(ClientConnection::new(socket, session)).await;
        });
        response.map(|()| Body::empty())
    }
}
