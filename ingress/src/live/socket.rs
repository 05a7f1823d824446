//! The learner's WebSocket. Reading is done by whoever holds the [`ClientConnection`]; writing is a task with a bounded queue,
//! so that a slow page never holds up the conversation. A page that does not keep up, sends nothing, or sends what is
//! too large is let go, with a close code that says why; it may come back.

pub mod message;

mod pace;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite;

use crate::live::sonic::wire::BYTES_PER_MS;
use message::{
    AUDIO_BYTES_MAX, ClientMessage, ErrorCode, PROTOCOL, ServerMessage, TEXT_MESSAGE_BYTES_MAX,
    TYPED_CHARS_MAX,
};
use pace::Bucket;

/// Bytes read from a socket at a time: some frames of audio.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Longest WebSocket message; a longer one than the protocol allows is answered with an error, one that is much
/// longer closes the socket.
pub const MESSAGE_BYTES_MAX: usize = 2 * AUDIO_BYTES_MAX;

/// Messages that wait for a page.
pub const QUEUE_MESSAGES_MAX: usize = 1024;

/// Bytes that wait for a page: about a minute of audio.
pub const QUEUE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest time one write may take.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often an open socket is pinged.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// A socket that has sent nothing for this long, not even an answer to a ping, is dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How long a finished page may take to be told the rest.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many times faster than time a page may send; what comes faster is read later.
pub const PACE_MAX: u64 = 32;

/// What a page may send before its pace counts, in milliseconds of audio: what it kept while it was away.
pub const BURST_MS_MAX: u64 = 60_000;

/// The least that a message counts in the pace, in bytes of audio: a frame of the usual size.
const MESSAGE_COST_BYTES_MIN: usize = 1024;

/// Typed turns that are taken at once. After them, one in each [`TYPED_INTERVAL`].
pub const TYPED_BURST_MAX: u32 = 10;

/// See [`TYPED_BURST_MAX`].
pub const TYPED_INTERVAL: Duration = Duration::from_secs(1);

/// A socket of the learner. Dropping it closes the socket with [`CloseReason::Failed`].
#[derive(Debug)]
pub struct ClientConnection {
    messages: SplitStream<WebSocket>,
    queue: mpsc::Sender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    /// Tells the writer to leave at once, without what waits.
    close_now: Option<oneshot::Sender<CloseReason>>,
    writer: JoinHandle<()>,
    received_at: Instant,
    /// Due at the time at which the socket was idle for too long when it was last looked at, or earlier.
    idle: Pin<Box<Sleep>>,
    pace: Bucket,
    typed: Bucket,
}

/// What comes from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Samples, PCM s16le.
    Audio(Bytes),
    /// A text message.
    Message(ClientMessage),
    /// A message that is not one of the protocol.
    Invalid(ErrorCode, &'static str),
    /// A sign of life.
    Alive,
    /// The socket is closed, broken or idle.
    Closed,
}

/// Why the service closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The conversation is over.
    Ended,
    /// This task is stopping.
    Stopping,
    /// What came is not a WebSocket's.
    Broken,
    /// A message was much longer than the protocol allows.
    TooLarge,
    /// Something went wrong on our side.
    Failed,
    /// The page does not take what it is sent.
    TooSlow,
    /// Nothing came for too long.
    Idle,
    /// The conversation is open on another socket.
    Replaced,
}

/// The page offers no protocol of this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Sec-WebSocket-Protocol offers no version that is spoken here, which is {PROTOCOL}")]
pub struct UnsupportedProtocolError;

/// The page does not keep up, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page takes no more messages")]
pub struct BackpressureError;

/// Agrees on the protocol and bounds the messages of a socket.
///
/// # Errors
/// [`UnsupportedProtocolError`].
pub fn accept(upgrade: WebSocketUpgrade) -> Result<WebSocketUpgrade, UnsupportedProtocolError> {
    if !upgrade.requested_protocols().any(|protocol| protocol.as_bytes() == PROTOCOL.as_bytes()) {
        return Err(UnsupportedProtocolError);
    }
    Ok(upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0))
}

impl CloseReason {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Ended,
        Self::Stopping,
        Self::Broken,
        Self::TooLarge,
        Self::Failed,
        Self::TooSlow,
        Self::Idle,
        Self::Replaced,
    ];

    /// The close code (RFC 6455, section 7.4; from 4000 on they are ours).
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Ended => close_code::NORMAL,
            Self::Stopping => close_code::RESTART,
            Self::Broken => close_code::PROTOCOL,
            Self::TooLarge => close_code::SIZE,
            Self::Failed => close_code::ERROR,
            Self::TooSlow => close_code::AGAIN,
            Self::Idle => 4000,
            Self::Replaced => 4001,
        }
    }

    /// The reason in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ended => "the conversation is over",
            Self::Stopping => "this task is stopping, come back",
            Self::Broken => "what came is no WebSocket message",
            Self::TooLarge => "the message is too large",
            Self::Failed => "something went wrong on our side, come back",
            Self::TooSlow => "what is sent is not taken, come back",
            Self::Idle => "nothing came for too long, come back",
            Self::Replaced => "the conversation is open in another place",
        }
    }

    fn message(self) -> Message {
        Message::Close(Some(CloseFrame { code: self.code(), reason: self.reason().into() }))
    }
}

impl ClientConnection {
    /// Takes over an accepted socket.
    #[must_use]
    pub fn new(socket: WebSocket) -> Self {
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
            pace: Bucket::new(Duration::from_millis(BURST_MS_MAX / PACE_MAX), now),
            typed: Bucket::new(TYPED_INTERVAL * TYPED_BURST_MAX, now),
        }
    }

    /// The next message. Cancel safe. After [`ClientEvent::Closed`] the page is of no use.
    pub async fn next(&mut self) -> ClientEvent {
        if let Some(until) = self.pace.full_until(Instant::now()) {
            sleep_until(until).await;
        }
        let message = tokio::select! {
            biased;
            message = self.messages.next() => message,
            () = idle(self.idle.as_mut(), self.received_at) => {
                self.signal_close(CloseReason::Idle);
                return ClientEvent::Closed;
            }
        };
        let now = Instant::now();
        self.received_at = now;
        match message {
            Some(Ok(message)) => {
                self.pace.fill(cost(&message), now);
                self.rate_limited(read(message), now)
            }
            Some(Err(error)) => {
                self.signal_close(close_reason(error));
                ClientEvent::Closed
            }
            None => ClientEvent::Closed,
        }
    }

    /// When something last came.
    #[must_use]
    pub fn received_at(&self) -> Instant {
        self.received_at
    }

    /// Queues a text message.
    ///
    /// # Errors
    /// [`BackpressureError`].
    pub fn send(&self, message: &ServerMessage) -> Result<(), BackpressureError> {
        let json = serde_json::to_string(message).expect("live messages have string keys and finite numbers");
        self.push(Message::text(json))
    }

    /// Queues audio that already carries its generation.
    ///
    /// # Errors
    /// [`BackpressureError`].
    pub fn audio(&self, frame: Bytes) -> Result<(), BackpressureError> {
        self.push(Message::Binary(frame))
    }

    /// Closes the socket after what is queued, and waits for that, within a limit.
    pub async fn close(mut self, why: CloseReason) {
        if self.push(why.message()).is_err() {
            self.signal_close(why);
        }
        let Self { queue, close_now, mut writer, messages, .. } = self;
        drop(queue);
        if timeout(CLOSE_TIMEOUT, &mut writer).await.is_err() {
            writer.abort();
        }
        // Until here: a writer whose page is dropped leaves at once.
        drop(close_now);
        tokio::spawn(drain(messages));
    }

    /// Closes the socket without what is queued and without waiting. The first reason counts.
    pub fn close_now(mut self, why: CloseReason) {
        self.signal_close(why);
        let Self { messages, writer, .. } = self;
        tokio::spawn(async move {
            // A writer that failed has nothing more to say.
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
            // A writer that has ended has nothing to say.
            let _ = close_now.send(why);
        }
    }

    fn rate_limited(&mut self, message: ClientEvent, now: Instant) -> ClientEvent {
        let typed = matches!(message, ClientEvent::Message(ClientMessage::Text { .. }));
        if typed && !self.typed.take(TYPED_INTERVAL, now) {
            return ClientEvent::Invalid(
                ErrorCode::TooManyMessages,
                "typed turns come too fast, wait a moment",
            );
        }
        message
    }
}

/// Reads what still comes until the page has closed its side, within a limit: what is not read could reset the
/// connection before the page has read our last words.
async fn drain(mut messages: SplitStream<WebSocket>) {
    let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = messages.next().await {} }).await;
}

/// Returns when nothing has come since `received_at` for too long. The timer is not moved for every message: one that is
/// too early is set again.
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
    // What was written in part must be finished before the page can read this.
    let _ = timeout(CLOSE_TIMEOUT, sink.send(why.message())).await;
}

/// Writes what is queued, and pings, until the queue is closed or the socket is of no use.
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
) -> Result<(), axum::Error> {
    let bytes = if matches!(message, Message::Ping(_)) { 0 } else { length(&message) };
    sink.feed(message).await?;
    queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    Ok(())
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

/// How long the pace allows for a message.
fn cost(message: &Message) -> Duration {
    let bytes = length(message).max(MESSAGE_COST_BYTES_MIN) as u64;
    Duration::from_micros(bytes * 1_000 / (BYTES_PER_MS * PACE_MAX))
}

fn close_reason(error: axum::Error) -> CloseReason {
    let error = error.into_inner();
    match error.downcast_ref() {
        Some(tungstenite::Error::Capacity(_)) => CloseReason::TooLarge,
        Some(_) | None => CloseReason::Broken,
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
        Message::Ping(_) | Message::Pong(_) => ClientEvent::Alive,
        Message::Close(_) => ClientEvent::Closed,
    }
}

fn read_text(text: &str) -> ClientEvent {
    if text.len() > TEXT_MESSAGE_BYTES_MAX {
        return ClientEvent::Invalid(ErrorCode::UnknownMessage, "a text message is longer than 8192 bytes");
    }
    match serde_json::from_str(text) {
        Ok(ClientMessage::Text { text })
            if text.trim().is_empty() || text.chars().count() > TYPED_CHARS_MAX =>
        {
            ClientEvent::Invalid(ErrorCode::InvalidText, "a typed turn has 1 to 2000 characters")
        }
        Ok(message) => ClientEvent::Message(message),
        Err(_) => ClientEvent::Invalid(ErrorCode::UnknownMessage, "the message is not one of nova.live.v1"),
    }
}

#[cfg(test)]
mod asyncapi_tests;
#[cfg(test)]
mod tests;
