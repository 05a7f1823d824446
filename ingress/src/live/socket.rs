//! The WebSocket of a client. The owner of the [`ClientConnection`] reads; a task with a bounded queue writes, so that a
//! slow client never delays the conversation. A client that is too slow, silent or sends too large messages is
//! disconnected with a close code, and may connect again.

mod close_reason;
mod frames;
mod pace;
mod paced;
mod upgrade;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use events::{
    contract::live::{
        AUDIO_BYTES_MAX, ClientMessage, CloseReason, ErrorCode, ServerMessage, TEXT_MESSAGE_BYTES_MAX,
        TYPED_CHARS_MAX,
    },
    json,
    text::{has_visible, nfc},
};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message},
};

use crate::account::sessions::SessionWatch;
use close_reason::{close_message, reason_of};
use pace::Bucket;
use paced::Paced;

pub use upgrade::{Upgrade, UpgradeError};

/// The WebSocket of a client.
type WebSocket = WebSocketStream<Paced<TokioIo<Upgraded>>>;

/// Size of the read buffer, in bytes: some frames of audio.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Longest WebSocket message, in bytes. A message over the limits of the protocol gets an error, one over this limit closes
/// the socket.
pub const MESSAGE_BYTES_MAX: usize = 2 * AUDIO_BYTES_MAX;

pub const QUEUE_MESSAGES_MAX: usize = 1024;

/// Longest queue to a client, in bytes: about a minute of audio.
pub const QUEUE_BYTES_MAX: usize = 2 * 1024 * 1024;

pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Longest silence of a client, pongs included.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Deadline for writing the rest of the queue and the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Highest rate of incoming audio, as a multiple of real time. Faster audio is read later, and so is everything else that a
/// client sends, until the socket is closed.
pub const PACE_MAX: u64 = 32;

/// Audio that may arrive at once, in milliseconds: what a client has recorded while it was disconnected.
pub const BURST_MS_MAX: u64 = 60_000;

/// The smallest cost of a WebSocket frame in the rate limit, in bytes of audio: a frame of the usual size.
const FRAME_COST_BYTES_MIN: u64 = 1024;

/// Typed turns that are accepted at once. After them, one in each [`TYPED_INTERVAL`].
pub const TYPED_BURST_MAX: u32 = 10;

/// See [`TYPED_BURST_MAX`].
pub const TYPED_INTERVAL: Duration = Duration::from_secs(1);

/// The connection of a client. Dropping it closes the socket with [`CloseReason::Failed`].
#[derive(Debug)]
pub struct ClientConnection {
    messages: SplitStream<WebSocket>,
    queue: mpsc::Sender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    /// Makes the writer close at once, without the queue.
    close_now: Option<oneshot::Sender<CloseReason>>,
    writer: JoinHandle<()>,
    received_at: Instant,
    /// Fires at the idle deadline or earlier: it is not moved for every message.
    idle: Pin<Box<Sleep>>,
    typed_rate: Bucket,
    /// The session of the client, whose end closes the socket.
    session: SessionWatch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Samples, PCM s16le.
    Audio(Bytes),
    /// A text message of the protocol.
    Message(ClientMessage),
    /// A message that is not valid: the code and the text of the error to send.
    Invalid(ErrorCode, &'static str),
    /// A ping or a pong.
    Alive,
    /// The socket is closed, broken or idle.
    Closed,
}

/// The queue to the client is full, or the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is too slow or disconnected")]
pub struct BackpressureError;

impl ClientConnection {
    /// Takes over an accepted socket of a client in `session`.
    fn new(socket: WebSocket, session: SessionWatch) -> Self {
        let (sink, messages) = socket.split();
        let (queue, waiting) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let (close_now, closing) = oneshot::channel();
        let queued_bytes = Arc::<AtomicUsize>::default();
        let writer = tokio::spawn(write(sink, waiting, Arc::clone(&queued_bytes), closing));
        let now = Instant::now();
        Self {
            messages,
            queue,
            queued_bytes,
            close_now: Some(close_now),
            writer,
            received_at: now,
            idle: Box::pin(sleep_until(now + IDLE_TIMEOUT)),
            typed_rate: Bucket::new(TYPED_INTERVAL * TYPED_BURST_MAX, now.into_std()),
            session,
        }
    }

    /// The next event. Cancel safe. The last one is [`ClientEvent::Closed`].
    pub async fn next(&mut self) -> ClientEvent {
        let message = tokio::select! {
            biased;
            () = self.session.ended() => {
                self.signal_close(CloseReason::SignedOut);
                return ClientEvent::Closed;
            }
            message = self.messages.next() => message,
            () = idle(self.idle.as_mut(), self.received_at) => {
                self.signal_close(CloseReason::Idle);
                return ClientEvent::Closed;
            }
        };
        let now = Instant::now();
        self.received_at = now;
        match message {
            Some(Ok(message)) => self.rate_limited(read(message), now),
            Some(Err(error)) => {
                self.signal_close(reason_of(&error));
                ClientEvent::Closed
            }
            None => ClientEvent::Closed,
        }
    }

    /// Arrival of the last message.
    #[must_use]
    pub fn received_at(&self) -> Instant {
        self.received_at
    }

    /// Queues a text message.
    pub fn send(&self, message: &ServerMessage) -> Result<(), BackpressureError> {
        let json = serde_json::to_string(message).expect("live messages have string keys and finite numbers");
        self.push(Message::text(json))
    }

    /// Queues a binary message: the generation, then the samples.
    pub fn audio(&self, frame: Bytes) -> Result<(), BackpressureError> {
        self.push(Message::Binary(frame))
    }

    /// Closes the socket after the queue, and waits for that, within a limit.
    pub async fn close(mut self, why: CloseReason) {
        if self.push(close_message(why)).is_err() {
            self.signal_close(why);
        }
        let Self { queue, close_now, mut writer, messages, .. } = self;
        drop(queue);
        if timeout(CLOSE_TIMEOUT, &mut writer).await.is_err() {
            writer.abort();
        }
        // Only now: a writer without its sender closes at once.
        drop(close_now);
        tokio::spawn(drain(messages));
    }

    /// Closes the socket without the queue and without waiting. The first reason counts.
    pub fn close_now(mut self, why: CloseReason) {
        self.signal_close(why);
        let Self { messages, writer, .. } = self;
        tokio::spawn(async move {
            // A failed writer cannot write a close frame.
            let _ = writer.await;
            drain(messages).await;
        });
    }

    fn push(&self, message: Message) -> Result<(), BackpressureError> {
        let bytes = length(&message);
        let queued = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if queued + bytes <= QUEUE_BYTES_MAX && self.queue.try_send(message).is_ok() {
            return Ok(());
        }
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(BackpressureError)
    }

    fn signal_close(&mut self, why: CloseReason) {
        if let Some(close_now) = self.close_now.take() {
            // The writer may have ended already.
            let _ = close_now.send(why);
        }
    }

    fn rate_limited(&mut self, event: ClientEvent, now: Instant) -> ClientEvent {
        let typed = matches!(event, ClientEvent::Message(ClientMessage::Text { .. }));
        if typed && !self.typed_rate.take(TYPED_INTERVAL, now.into_std()) {
            return ClientEvent::Invalid(
                ErrorCode::TooManyMessages,
                "typed turns come too fast, wait a moment",
            );
        }
        event
    }
}

/// Reads until the client has closed its side, within a limit: unread data could reset the connection before the client
/// has received our last messages.
async fn drain(mut messages: SplitStream<WebSocket>) {
    let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = messages.next().await {} }).await;
}

/// Returns at the idle deadline. A timer that fires too early is set again.
async fn idle(mut timer: Pin<&mut Sleep>, received_at: Instant) {
    let due = received_at + IDLE_TIMEOUT;
    loop {
        timer.as_mut().await;
        if due <= Instant::now() {
            return;
        }
        timer.as_mut().reset(due);
    }
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    waiting: mpsc::Receiver<Message>,
    queued_bytes: Arc<AtomicUsize>,
    closing: oneshot::Receiver<CloseReason>,
) {
    let why = tokio::select! {
        biased;
        why = closing => why.unwrap_or(CloseReason::Failed),
        () = write_in_order(&mut sink, waiting, &queued_bytes) => return,
    };
    // A message that was written in part has to be finished before the client can read the close frame.
    let _ = timeout(CLOSE_TIMEOUT, sink.send(close_message(why))).await;
}

/// Writes the queue, and pings, until the queue is closed or a write fails.
async fn write_in_order(
    sink: &mut SplitSink<WebSocket, Message>,
    mut waiting: mpsc::Receiver<Message>,
    queued_bytes: &AtomicUsize,
) {
    let mut ping = tokio::time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    loop {
        let message = tokio::select! {
            biased;
            message = waiting.recv() => message,
            _ = ping.tick() => Some(Message::Ping(Bytes::new())),
        };
        let Some(message) = message else { return };
        let written = timeout(WRITE_TIMEOUT, async {
            feed(sink, message, queued_bytes).await?;
            while let Ok(message) = waiting.try_recv() {
                feed(sink, message, queued_bytes).await?;
            }
            sink.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn feed(
    sink: &mut SplitSink<WebSocket, Message>,
    message: Message,
    queued_bytes: &AtomicUsize,
) -> Result<(), tungstenite::Error> {
    let bytes = if matches!(message, Message::Ping(_)) { 0 } else { length(&message) };
    sink.feed(message).await?;
    queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    Ok(())
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) | Message::Frame(_) => 0,
    }
}

fn read(message: Message) -> ClientEvent {
    match message {
        Message::Binary(pcm) if pcm.len() > AUDIO_BYTES_MAX => {
            ClientEvent::Invalid(ErrorCode::InvalidAudio, "an audio message is longer than 65536 bytes")
        }
        Message::Binary(pcm) if pcm.len() % 2 == 1 => {
            ClientEvent::Invalid(ErrorCode::InvalidAudio, "an audio message is not whole 16-bit samples")
        }
        Message::Binary(pcm) => ClientEvent::Audio(pcm),
        Message::Text(text) => read_text(text.as_str()),
        // A single frame is never read.
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => ClientEvent::Alive,
        Message::Close(_) => ClientEvent::Closed,
    }
}

fn read_text(text: &str) -> ClientEvent {
    if text.len() > TEXT_MESSAGE_BYTES_MAX {
        return ClientEvent::Invalid(ErrorCode::UnknownMessage, "a text message is longer than 8192 bytes");
    }
    // A learner can type half of a surrogate pair.
    match json::from_str(&json::lossy(text.as_bytes())) {
        Ok(ClientMessage::Text { text }) => typed(&text),
        Ok(message) => ClientEvent::Message(message),
        Err(_) => ClientEvent::Invalid(ErrorCode::UnknownMessage, "the message is not one of nova.live.v1"),
    }
}

/// A typed turn in NFC.
fn typed(text: &str) -> ClientEvent {
    let text = nfc(text);
    if has_visible(&text) && text.chars().count() <= TYPED_CHARS_MAX {
        ClientEvent::Message(ClientMessage::Text { text })
    } else {
        ClientEvent::Invalid(
            ErrorCode::InvalidText,
            "a typed turn has 1 to 2000 characters, at least one of them visible",
        )
    }
}

#[cfg(test)]
mod asyncapi_tests;
#[cfg(test)]
mod tests;
