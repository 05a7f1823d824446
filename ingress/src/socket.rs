//! The learner's WebSocket. Reading is done by whoever holds the [`Page`]; writing is a task with a bounded queue,
//! so that a slow page never holds up the conversation: a page that does not keep up is let go.

pub mod message;

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use message::{
    AUDIO_BYTES_MAX, ClientMessage, ErrorCode, ServerMessage, TEXT_MESSAGE_BYTES_MAX, TYPED_CHARS_MAX,
};

/// Messages that wait for a page: about twenty seconds of audio.
pub const QUEUE_MESSAGES_MAX: usize = 1024;

/// Longest time one write may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often an open socket is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// A socket that has sent nothing for this long, not even an answer to a ping, is dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How long a finished page may take to be told the rest.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket of the learner.
#[derive(Debug)]
pub struct Page {
    messages: SplitStream<WebSocket>,
    queue: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    /// When the last message came.
    pub heard_at: Instant,
}

/// What comes from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromPage {
    /// Samples, PCM s16le.
    Audio(Bytes),
    /// A text message.
    Message(ClientMessage),
    /// A message that is not one of the protocol.
    Wrong(ErrorCode, &'static str),
    /// A sign of life.
    Alive,
    /// The socket is closed or broken.
    Gone,
}

/// The page does not keep up, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page takes no more messages")]
pub struct NotKeepingUp;

impl Page {
    /// Takes over an accepted socket.
    #[must_use]
    pub fn new(socket: WebSocket) -> Self {
        let (sink, messages) = socket.split();
        let (queue, waiting) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let writer = tokio::spawn(write(sink, waiting));
        Self { messages, queue, writer, heard_at: Instant::now() }
    }

    /// The next message. Cancel safe. After [`FromPage::Gone`] the page is of no use.
    pub async fn next(&mut self) -> FromPage {
        let message = self.messages.next().await;
        self.heard_at = Instant::now();
        match message {
            Some(Ok(message)) => read(message),
            Some(Err(_)) | None => FromPage::Gone,
        }
    }

    /// Queues a text message.
    ///
    /// # Errors
    /// [`NotKeepingUp`].
    pub fn send(&self, message: &ServerMessage) -> Result<(), NotKeepingUp> {
        let json = serde_json::to_string(message).expect("live messages have string keys and finite numbers");
        self.queue.try_send(Message::text(json)).map_err(|_| NotKeepingUp)
    }

    /// Queues audio that already carries its generation.
    ///
    /// # Errors
    /// [`NotKeepingUp`].
    pub fn audio(&self, frame: Bytes) -> Result<(), NotKeepingUp> {
        self.queue.try_send(Message::Binary(frame)).map_err(|_| NotKeepingUp)
    }

    /// Closes the socket after what is queued, and waits for that, within a limit.
    pub async fn close(self) {
        let frame = CloseFrame { code: close_code::NORMAL, reason: "".into() };
        let _ = self.queue.try_send(Message::Close(Some(frame)));
        drop(self.queue);
        let abort = self.writer.abort_handle();
        if tokio::time::timeout(FAREWELL_TIMEOUT, self.writer).await.is_err() {
            abort.abort();
        }
    }
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Message>) {
    let mut ping = tokio::time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    loop {
        let message = tokio::select! {
            biased;
            message = waiting.recv() => message,
            _ = ping.tick() => Some(Message::Ping(Bytes::new())),
        };
        let Some(message) = message else { return };
        let written = tokio::time::timeout(WRITE_TIMEOUT, async {
            sink.feed(message).await?;
            while let Ok(message) = waiting.try_recv() {
                sink.feed(message).await?;
            }
            sink.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
}

fn read(message: Message) -> FromPage {
    match message {
        Message::Binary(pcm) if pcm.len() > AUDIO_BYTES_MAX => {
            FromPage::Wrong(ErrorCode::InvalidAudio, "an audio message is longer than 65536 bytes")
        }
        Message::Binary(pcm) if pcm.len() % 2 == 1 => {
            FromPage::Wrong(ErrorCode::InvalidAudio, "an audio message is not whole 16-bit samples")
        }
        Message::Binary(pcm) => FromPage::Audio(pcm),
        Message::Text(text) => read_text(text.as_str()),
        Message::Ping(_) | Message::Pong(_) => FromPage::Alive,
        Message::Close(_) => FromPage::Gone,
    }
}

fn read_text(text: &str) -> FromPage {
    if text.len() > TEXT_MESSAGE_BYTES_MAX {
        return FromPage::Wrong(ErrorCode::UnknownMessage, "a text message is longer than 8192 bytes");
    }
    match serde_json::from_str(text) {
        Ok(ClientMessage::Text { text })
            if text.trim().is_empty() || text.chars().count() > TYPED_CHARS_MAX =>
        {
            FromPage::Wrong(ErrorCode::InvalidText, "a typed turn has 1 to 2000 characters")
        }
        Ok(message) => FromPage::Message(message),
        Err(_) => FromPage::Wrong(ErrorCode::UnknownMessage, "the message is not one of nova.live.v1"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn audio_is_whole_samples_within_the_limit() {
        assert_eq!(read(Message::binary(vec![0; 4])), FromPage::Audio(Bytes::from_static(&[0; 4])));
        for length in [3, AUDIO_BYTES_MAX + 2] {
            let read = read(Message::binary(vec![0; length]));
            assert!(matches!(read, FromPage::Wrong(ErrorCode::InvalidAudio, _)), "{length}");
        }
    }

    #[test]
    fn unknown_messages_are_answered_and_not_fatal() {
        for text in ["", "{}", "[1]", r#"{"type":"dance"}"#, r#"{"type":"played","generation":-1,"ms":0}"#] {
            let read = read_text(text);
            assert!(matches!(read, FromPage::Wrong(ErrorCode::UnknownMessage, _)), "{text}");
        }
        let long = format!(r#"{{"type":"end","x":"{}"}}"#, "x".repeat(TEXT_MESSAGE_BYTES_MAX));
        assert!(matches!(read_text(&long), FromPage::Wrong(ErrorCode::UnknownMessage, _)));
    }

    #[test]
    fn typed_turns_have_words_and_a_limit() {
        let typed = |text: &str| read_text(&serde_json::json!({ "type": "text", "text": text }).to_string());
        assert!(matches!(typed("Hello."), FromPage::Message(ClientMessage::Text { .. })));
        assert!(matches!(typed("  "), FromPage::Wrong(ErrorCode::InvalidText, _)));
        assert!(matches!(typed(&"x".repeat(TYPED_CHARS_MAX)), FromPage::Message(_)));
        assert!(matches!(
            typed(&"x".repeat(TYPED_CHARS_MAX + 1)),
            FromPage::Wrong(ErrorCode::InvalidText, _)
        ));
    }

    proptest! {
        #[test]
        fn any_text_is_a_message_or_wrong(text in "\\PC{0,200}") {
            let _ = read_text(&text);
        }
    }
}
