//! The page of a conversation: it comes, says something, is told something, goes.

use events::contract::Turn;

use super::Talk;
use crate::{
    live::conversation::{Ending, Input},
    live::session::Visit,
    live::socket::{
        Farewell, FromPage, Page,
        message::{ClientMessage, ErrorCode, ReconnectReason, ServerMessage},
    },
};

impl Talk<'_> {
    /// Tells the page that the conversation is over.
    pub(in crate::live::session) async fn say_goodbye(&mut self, ending: Ending) {
        self.tell(&ServerMessage::Ended { reason: ending.reason, turns: ending.progress.turns });
        self.close(Farewell::Ended).await;
    }

    /// Sends the page to the task that goes on. A page that is still here though its learner is elsewhere is not sent
    /// there too.
    pub(in crate::live::session) fn send_on(&mut self) -> Farewell {
        if self.wanted {
            self.tell(&replaced());
            return Farewell::Replaced;
        }
        self.tell(&ServerMessage::Reconnect { reason: ReconnectReason::Shutdown });
        Farewell::Stopping
    }

    /// Tells the page, if there is one.
    pub(in crate::live::session) fn tell(&mut self, message: &ServerMessage) {
        if self.page.as_ref().is_some_and(|page| page.send(message).is_err()) {
            self.detach();
        }
    }

    /// Closes the page, if there is one.
    pub(in crate::live::session) async fn close(&mut self, why: Farewell) {
        if let Some(page) = self.page.take() {
            page.close(why).await;
        }
    }

    /// Another page is there; the one before it is not needed any more.
    pub(super) fn attach(&mut self, visit: Visit) {
        let Visit { page, turns } = visit;
        if let Some(old) = self.page.replace(page) {
            let _ = old.send(&replaced());
            tokio::spawn(old.close(Farewell::Replaced));
        }
        self.input(Input::Attached);
        let missed: Vec<Turn> = self.recent.iter().filter(|turn| turn.index >= turns).cloned().collect();
        for turn in missed {
            self.tell(&ServerMessage::Turn { turn });
        }
    }

    /// Lets a page go that does not keep up.
    pub(super) fn detach(&mut self) {
        if let Some(page) = self.page.take() {
            page.let_go(Farewell::TooSlow);
        }
        self.follow_up.push(Input::Detached);
    }

    /// Takes in what a page says.
    pub(super) fn page_says(&mut self, message: FromPage) {
        match message {
            FromPage::Audio(pcm) => self.input(Input::Audio(pcm)),
            FromPage::Message(ClientMessage::End) => self.input(Input::EndRequested),
            FromPage::Message(ClientMessage::Text { text }) => self.input(Input::Typed(text)),
            FromPage::Message(ClientMessage::Played { generation, ms }) => {
                self.input(Input::Played { generation, ms });
            }
            FromPage::Message(ClientMessage::Interrupt) => self.input(Input::Interrupted),
            FromPage::Wrong(code, message) => {
                self.tell(&ServerMessage::Error { code, message: message.to_owned() });
                self.input(Input::Tick);
            }
            FromPage::Alive => {}
            FromPage::Gone => {
                if let Some(page) = self.page.take() {
                    page.let_go(Farewell::Broken);
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

/// The next message of the page, if there is one.
pub(super) async fn from_page(page: &mut Option<Page>) -> FromPage {
    match page {
        Some(page) => page.next().await,
        None => std::future::pending().await,
    }
}
