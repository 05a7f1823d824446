//! One conversation of the reference relay: a task that waits for the model and for the client, and copies.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_bedrockruntime::{
    Client,
    error::DisplayErrorContext,
    primitives::{Blob, event_stream::EventReceiver},
    types::{
        BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Chunk,
        InvokeModelWithBidirectionalStreamOutput as ResponseEvent,
        error::{
            InvokeModelWithBidirectionalStreamInputError as InputError,
            InvokeModelWithBidirectionalStreamOutputError as OutputError,
        },
    },
};
use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use events::contract::{
    ConversationId, EndReason, Turn,
    live::{ClientMessage, ServerMessage},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use super::model::{Output, Session};

/// Events that wait for the SDK.
const INPUT_EVENTS_MAX: usize = 64;

/// How long a closed stream is read until it ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

type Item = Result<Chunk, InputError>;

/// Copies until the client ends the conversation or disconnects.
///
/// # Errors
/// The stream cannot be opened or fails.
pub(super) async fn run(mut socket: WebSocket, client: &Client, model_id: &str) -> anyhow::Result<()> {
    let mut session = Session::new(Uuid::new_v4(), Uuid::new_v4());
    let (input, items) = mpsc::channel(INPUT_EVENTS_MAX);
    for event in session.opening() {
        send(&input, event).await?;
    }
    let call = client.invoke_model_with_bidirectional_stream().model_id(model_id);
    let response = call.body(ReceiverStream::<Item>::new(items).into()).send().await;
    let response = response.map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))?;
    let mut events: EventReceiver<ResponseEvent, OutputError> = response.body;
    write(&mut socket, &ready()).await?;
    let mut turns = 0;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event.context("the stream failed")? {
                Some(event) => turns += forward(&mut socket, &mut session, event).await?,
                None => bail!("the model ended the stream"),
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(pcm))) => send(&input, session.audio(&pcm)).await?,
                Some(Ok(Message::Text(text))) => {
                    if matches!(serde_json::from_str(&text), Ok(ClientMessage::End)) {
                        break;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
            },
        }
    }
    for event in session.closing() {
        send(&input, event).await?;
    }
    drop(input);
    // The rest of the stream was said after the end.
    let rest = async { while let Ok(Some(_)) = events.recv().await {} };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, rest).await;
    write(&mut socket, &ServerMessage::Ended { reason: EndReason::Learner, turns }).await?;
    // The client closes the connection.
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
    Ok(())
}

/// Sends what an event of the model means to the client. Returns the number of turns in it.
async fn forward(socket: &mut WebSocket, session: &mut Session, event: ResponseEvent) -> anyhow::Result<u32> {
    let ResponseEvent::Chunk(part) = event else { return Ok(0) };
    let Some(bytes) = part.bytes else { return Ok(0) };
    match session.read(bytes.as_ref())? {
        Output::Audio(frame) => {
            socket.send(Message::Binary(Bytes::from(frame))).await.context("the client is gone")?;
            Ok(0)
        }
        Output::Turn(speaker, text) => {
            let turn = Turn::spoken(session.next_turn(), speaker, text, 0, 1);
            write(socket, &ServerMessage::Turn { turn }).await?;
            Ok(1)
        }
        Output::Other => Ok(0),
    }
}

async fn send(input: &mpsc::Sender<Item>, event: Vec<u8>) -> anyhow::Result<()> {
    let part = BidirectionalInputPayloadPart::builder().bytes(Blob::new(event)).build();
    input.send(Ok(Chunk::Chunk(part))).await.ok().context("the stream accepts no more input")
}

async fn write(socket: &mut WebSocket, message: &ServerMessage) -> anyhow::Result<()> {
    let json = serde_json::to_string(message).context("a message is JSON")?;
    socket.send(Message::text(json)).await.context("the client is gone")
}

/// The learner speaks first, and there is no time limit.
fn ready() -> ServerMessage {
    let now = Timestamp::now();
    ServerMessage::Ready {
        conversation_id: ConversationId::new(now, rand::random()),
        generation: 0,
        heard_samples: None,
        simulated: None,
        tutor_begins: false,
        ends_at: now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(now),
        text_supported: false,
        objectives_met: Vec::new(),
    }
}
