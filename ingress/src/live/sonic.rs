//! Streams to Amazon Nova Sonic through `InvokeModelWithBidirectionalStream`. One [`Stream`] is one call; its output
//! arrives as [`Signal`]s. The conversation decides when to open, close or replace a stream.
//!
//! One SDK client is one HTTP/2 connection, and above the server's stream limit `send()` waits silently. Therefore there
//! are several clients with a bounded number of streams each, and every stream has a deadline to open.

pub mod account;
pub mod encoder;
pub mod signature;
pub mod wire;

mod failure;
mod input;
mod opening;

use std::{sync::Arc, time::Duration};

use aws_sdk_bedrockruntime::{
    Client,
    operation::{
        RequestId as _,
        invoke_model_with_bidirectional_stream::InvokeModelWithBidirectionalStreamOutput as Response,
    },
    primitives::event_stream::EventReceiver,
    types::{
        InvokeModelWithBidirectionalStreamOutput as ResponseEvent,
        error::InvokeModelWithBidirectionalStreamOutputError as OutputError,
    },
};
use aws_smithy_types::Blob;
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::live::conversation::{FailureClass, Message, ModelEvent, StreamError, StreamId, ToolResult};
use account::AccountStreams;
use encoder::InputEvent;
pub use failure::StalledError;
use failure::read_error;
pub use input::StreamAuthScheme;
use opening::Opening;
use wire::{Block, Decoder, Ids, Sensitivity, TextRole, Tool};

/// How long a closed stream is read until it ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest input queue of a stream, in events: a whole turn can be replayed.
const INPUT_EVENTS_MAX: usize = 1024;

/// Longest signal queue of a conversation, over all its streams. While it is full, no stream is read.
pub const SIGNALS_MAX: usize = 64;

/// Longest audio of one `audioInput`, in bytes.
const AUDIO_EVENT_BYTES_MAX: usize = 4096;

/// Opens streams.
#[derive(Debug)]
pub struct Sonic {
    model_id: String,
    connections: Vec<Connection>,
    /// The streams of all tasks.
    pub account: AccountStreams,
}

/// One connection and the streams that may share it.
#[derive(Debug)]
struct Connection {
    client: Client,
    free: Arc<Semaphore>,
}

/// The setup of a stream.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The system prompt.
    pub system_prompt: Arc<str>,
    /// Whether a conversation begins with it: replacements have a reserve.
    pub is_first: bool,
    /// The conversation so far; the first message is of the learner.
    pub history: Vec<Message>,
    /// The `voiceId`.
    pub voice: Arc<str>,
    /// A tool that the model can call.
    pub tool: Option<Tool>,
    /// The endpointing sensitivity; `None` for a first-generation model.
    pub sensitivity: Option<Sensitivity>,
}

/// Output of a stream.
#[derive(Debug)]
pub enum Signal {
    /// It is open and accepts audio.
    Opened,
    /// Whether its model is simulated.
    Simulated(bool),
    /// An event of the model.
    Model(ModelEvent),
    /// A report of the usage was unreadable and is dropped; for metrics.
    UnreadableUsage,
    /// It could not be opened, or failed.
    Failed(StreamError),
    /// It ended without an error.
    Ended,
}

/// The input side of a stream. Dropping it ends the stream at once, without the closing sequence.
#[derive(Debug)]
pub struct Stream {
    ids: Ids,
    blocks: u32,
    input: Option<mpsc::Sender<InputEvent>>,
    closing: CancellationToken,
    reader: AbortOnDropHandle<()>,
    requested_at: Instant,
}

impl Sonic {
    /// Streams of `model_id` over `clients`, at most `streams_per_client_max` on each, and `account` over all tasks.
    #[must_use]
    pub fn new(
        model_id: String,
        clients: Vec<Client>,
        streams_per_client_max: usize,
        account: AccountStreams,
    ) -> Self {
        let connection =
            |client| Connection { client, free: Arc::new(Semaphore::new(streams_per_client_max)) };
        Self { model_id, connections: clients.into_iter().map(connection).collect(), account }
    }

    /// Opens a stream in the background. Its signals go to `signals`, with `id`.
    #[must_use]
    pub fn open(&self, id: StreamId, setup: Setup, signals: mpsc::Sender<(StreamId, Signal)>) -> Stream {
        let (input, events) = mpsc::channel(INPUT_EVENTS_MAX);
        let ids = Ids { prompt: uuid::Uuid::new_v4().to_string(), audio: uuid::Uuid::new_v4().to_string() };
        let closing = CancellationToken::new();
        let freest = self.connections.iter().max_by_key(|connection| connection.free.available_permits());
        let connection = freest.and_then(|connection| {
            Some((connection.client.clone(), Arc::clone(&connection.free).try_acquire_owned().ok()?))
        });
        let opening = Opening {
            id,
            ids: ids.clone(),
            setup,
            model_id: self.model_id.clone(),
            input: input.clone(),
            signals,
            closing: closing.clone(),
            account: self.account.clone(),
        };
        let reader = tokio::spawn(run(opening, connection, events));
        Stream {
            ids,
            blocks: 0,
            input: Some(input),
            closing,
            reader: AbortOnDropHandle::new(reader),
            requested_at: Instant::now(),
        }
    }
}

impl Stream {
    /// Time since it was requested.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.requested_at.elapsed()
    }

    /// Sends PCM s16le of any length.
    ///
    /// # Errors
    /// [`StalledError`].
    pub fn audio(&self, mut pcm: Bytes) -> Result<(), StalledError> {
        while pcm.len() > AUDIO_EVENT_BYTES_MAX {
            self.push(InputEvent::Audio(pcm.split_to(AUDIO_EVENT_BYTES_MAX)))?;
        }
        if pcm.is_empty() { Ok(()) } else { self.push(InputEvent::Audio(pcm)) }
    }

    /// Sends a text, which the model answers at once.
    ///
    /// # Errors
    /// [`StalledError`].
    pub fn text(&mut self, text: &str) -> Result<(), StalledError> {
        let content_name = self.block_name();
        let block = Block { content_name: &content_name, role: TextRole::User, interactive: true, text };
        wire::text_block(&self.ids, block).into_iter().try_for_each(|json| self.push(InputEvent::Json(json)))
    }

    /// Returns the result of a tool call.
    ///
    /// # Errors
    /// [`StalledError`].
    pub fn tool_result(&mut self, tool_use_id: &str, result: ToolResult) -> Result<(), StalledError> {
        let content_name = self.block_name();
        let result = match result {
            Ok(result) => serde_json::json!({ "result": result }),
            Err(error) => serde_json::json!({ "error": error }),
        };
        let events = wire::tool_result(&self.ids, &content_name, tool_use_id, &result);
        events.into_iter().try_for_each(|json| self.push(InputEvent::Json(json)))
    }

    /// Sends the closing sequence and ends the input. The stream is read until it ends, at most [`CLOSE_TIMEOUT`].
    pub fn close(&mut self) {
        let ids = &self.ids;
        let sequence = [wire::content_end(ids, &ids.audio), wire::prompt_end(ids), wire::session_end()];
        // If the queue is full, the stream ends without the sequence.
        let _ = sequence.into_iter().try_for_each(|json| self.push(InputEvent::Json(json)));
        self.input = None;
        self.closing.cancel();
    }

    /// Leaves a closed stream to its reader task, which reads it to its end.
    pub fn detach(self) {
        drop(self.reader.detach());
    }

    fn push(&self, event: InputEvent) -> Result<(), StalledError> {
        match &self.input {
            Some(input) => input.try_send(event).map_err(|_| StalledError),
            None => Ok(()),
        }
    }

    fn block_name(&mut self) -> String {
        self.blocks += 1;
        uuid::Uuid::new_v4().to_string()
    }
}

async fn run(
    opening: Opening,
    connection: Option<(Client, OwnedSemaphorePermit)>,
    events: mpsc::Receiver<InputEvent>,
) {
    let (id, signals, closing) = (opening.id, opening.signals.clone(), opening.closing.clone());
    let place = match connection {
        Some(connection) => {
            let place = opening.account.enter(opening.setup.is_first).await;
            place.map(|place| (connection, place))
        }
        None => None,
    };
    let Some(((client, _permit), _place)) = place else {
        let message = "all streams to the model are in use";
        let error = StreamError::new(FailureClass::Throttled, message);
        let _ = signals.send((id, Signal::Failed(error))).await;
        return;
    };
    let last = match opening::open(opening, &client, events).await {
        Ok(response) => {
            if signals.send((id, Signal::Opened)).await.is_err() {
                return;
            }
            read(id, response, &signals, closing).await
        }
        Err(error) => Some(Signal::Failed(error)),
    };
    if let Some(last) = last {
        let _ = signals.send((id, last)).await;
    }
}

/// Reads until the stream ends, fails, or has been closed for too long. Returns the last signal.
async fn read(
    id: StreamId,
    response: Response,
    signals: &mpsc::Sender<(StreamId, Signal)>,
    closing: CancellationToken,
) -> Option<Signal> {
    let request_id = response.request_id().map(str::to_owned);
    let mut events: EventReceiver<ResponseEvent, OutputError> = response.body;
    let mut decoder = Decoder::default();
    let expiry = async {
        closing.cancelled().await;
        tokio::time::sleep(CLOSE_TIMEOUT).await;
    };
    tokio::pin!(expiry);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = &mut expiry => return Some(Signal::Ended),
        };
        let bytes = match event {
            Ok(Some(ResponseEvent::Chunk(part))) => {
                part.bytes.unwrap_or_else(|| Blob::new(Vec::new())).into_inner()
            }
            Ok(Some(_)) => continue,
            Ok(None) => return Some(Signal::Ended),
            Err(error) => return Some(Signal::Failed(read_error(&error, request_id))),
        };
        match decoder.decode(&bytes) {
            Ok(decoded) => {
                if let Some(simulated) = decoded.simulated {
                    signals.send((id, Signal::Simulated(simulated))).await.ok()?;
                }
                if decoded.is_usage_unreadable {
                    signals.send((id, Signal::UnreadableUsage)).await.ok()?;
                }
                signals.send((id, Signal::Model(decoded.event))).await.ok()?;
            }
            Err(error) => {
                return Some(Signal::Failed(StreamError::new(FailureClass::Transport, error.to_string())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
