//! The client side of the session loop: clients connect, send, receive and disconnect.

use events::contract::{
    Turn,
    live::{ClientMessage, CloseReason, ErrorCode, ReconnectReason, ServerMessage},
};

use super::SessionLoop;
use crate::{
    live::conversation::{Ending, Input},
    live::session::inputs::Connect,
    live::socket::{ClientConnection, ClientEvent},
};

impl SessionLoop<'_> {
    /// Sends `ended` and closes the connection.
    pub(in crate::live::session) async fn send_ended(&mut self, ending: Ending) {
        self.send(&ServerMessage::Ended { reason: ending.reason, turns: ending.totals.turns });
        self.close(self.ended_by()).await;
    }

    /// Why the connection of a conversation that has ended is closed.
    pub(in crate::live::session) fn ended_by(&self) -> CloseReason {
        self.limit.map_or(CloseReason::Ended, |_| CloseReason::LimitReached)
    }

    /// Sends the client to the task that continues the conversation, and returns why to close the connection. If the
    /// learner has already connected there from another client, this one is not sent there too.
    pub(in crate::live::session) fn send_reconnect(&mut self) -> CloseReason {
        if self.takeover_requested {
            self.send(&replaced());
            return CloseReason::Replaced;
        }
        self.send(&ServerMessage::Reconnect { reason: ReconnectReason::Shutdown });
        CloseReason::Stopping
    }

    /// Sends a message to the client, if one is connected.
    pub(in crate::live::session) fn send(&mut self, message: &ServerMessage) {
        if self.client.as_ref().is_some_and(|client| client.send(message).is_err()) {
            self.detach();
        }
    }

    /// Closes the connection, if there is one.
    pub(in crate::live::session) async fn close(&mut self, why: CloseReason) {
        if let Some(client) = self.client.take() {
            client.close(why).await;
        }
    }

    /// Takes a new connection in place of the one before it, and sends the turns that its client has missed.
    pub(super) fn attach(&mut self, connect: Connect) {
        let Connect { client, turns } = connect;
        if let Some(old) = self.client.replace(client) {
            let _ = old.send(&replaced());
            tokio::spawn(old.close(CloseReason::Replaced));
        }
        self.input(Input::Attached);
        let missed: Vec<Turn> = self.recent.iter().filter(|turn| turn.index >= turns).cloned().collect();
        for turn in missed {
            self.send(&ServerMessage::Turn { turn });
        }
    }

    /// Closes the connection of a client that is too slow.
    pub(super) fn detach(&mut self) {
        if let Some(client) = self.client.take() {
            client.close_now(CloseReason::TooSlow);
        }
        self.follow_up.push(Input::Detached);
    }

    pub(super) fn handle_client(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Audio(pcm) => self.input(Input::Audio(pcm)),
            ClientEvent::Message(ClientMessage::End) => self.input(Input::EndRequested),
            ClientEvent::Message(ClientMessage::Text { text }) => self.input(Input::Typed(text)),
            ClientEvent::Message(ClientMessage::Played { generation, ms }) => {
                self.input(Input::Played { generation, ms });
            }
            ClientEvent::Message(ClientMessage::Interrupt) => self.input(Input::Interrupted),
            ClientEvent::Invalid(code, message) => {
                self.send(&ServerMessage::Error { code, message: message.to_owned() });
                self.input(Input::Tick);
            }
            ClientEvent::Alive => {}
            ClientEvent::Closed => {
                if let Some(client) = self.client.take() {
                    client.close_now(CloseReason::Broken);
                }
                self.input(Input::Detached);
            }
        }
    }
}

fn replaced() -> ServerMessage {
    let message = "the conversation is open in another place".to_owned();
    ServerMessage::Error { code: ErrorCode::Replaced, message }
}

/// The next event of the client. Pending while none is connected.
pub(super) async fn next_event(client: &mut Option<ClientConnection>) -> ClientEvent {
    match client {
        Some(client) => client.next().await,
        None => std::future::pending().await,
    }
}
