//! Opens a stream: the call, and the events before the first audio.

use std::time::Duration;

use aws_sdk_bedrockruntime::{
    Client,
    error::SdkError,
    operation::invoke_model_with_bidirectional_stream::{
        InvokeModelWithBidirectionalStreamError as OpeningError,
        InvokeModelWithBidirectionalStreamOutput as Response,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use events::contract::Speaker;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Setup, Signal,
    account::AccountStreams,
    encoder::InputEvent,
    failure::opening_error,
    input::InputInterceptor,
    wire::{self, AudioInput, Block, Ids, TextRole},
};
use crate::live::conversation::{FailureClass, StreamError, StreamId};

/// Deadline for the response headers of a stream.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Pause between the messages of a history, as in the sample clients.
const HISTORY_PAUSE: Duration = Duration::from_millis(10);

/// The arguments of the task of a stream.
pub(super) struct Opening {
    pub(super) id: StreamId,
    pub(super) ids: Ids,
    pub(super) setup: Setup,
    pub(super) model_id: String,
    pub(super) input: mpsc::Sender<InputEvent>,
    pub(super) signals: mpsc::Sender<(StreamId, Signal)>,
    pub(super) closing: CancellationToken,
    pub(super) account: AccountStreams,
}

/// Opens the stream. The first events are sent concurrently, because the service may wait for input before it sends its
/// response headers.
pub(super) async fn open(
    opening: Opening,
    client: &Client,
    events: mpsc::Receiver<InputEvent>,
) -> Result<Response, StreamError> {
    let Opening { ids, setup, model_id, input, .. } = opening;
    let call = call(client, model_id, &ids, events);
    let both = async { tokio::join!(biased; feed(&ids, &setup, input), call).1 };
    match tokio::time::timeout(OPEN_TIMEOUT, Box::pin(both)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(opening_error(&error)),
        Err(_) => {
            let message = format!("no response within {} s", OPEN_TIMEOUT.as_secs());
            Err(StreamError::new(FailureClass::OpenDeadline, message))
        }
    }
}

/// Calls the model with `events` as the input.
pub(super) async fn call(
    client: &Client,
    model_id: String,
    ids: &Ids,
    events: mpsc::Receiver<InputEvent>,
) -> Result<Response, SdkError<OpeningError, HttpResponse>> {
    // The SDK demands a body, which the interceptor replaces.
    let call =
        client.invoke_model_with_bidirectional_stream().model_id(model_id).body(stream::empty().into());
    call.customize().interceptor(InputInterceptor::new(AudioInput::new(ids), events)).send().await
}

async fn feed(ids: &Ids, setup: &Setup, input: mpsc::Sender<InputEvent>) {
    let mut block = 0;
    let mut text = |role, text: &str| {
        block += 1;
        let content_name = format!("{}-{block}", ids.prompt);
        wire::text_block(ids, Block { content_name: &content_name, role, interactive: false, text })
    };
    let mut first = vec![
        wire::session_start(setup.sensitivity),
        wire::prompt_start(ids, &setup.voice, setup.tool.as_ref()),
    ];
    first.extend(text(TextRole::System, &setup.system_prompt));
    if !send_all(&input, first).await {
        return;
    }
    for message in &setup.history {
        let role = match message.speaker {
            Speaker::Learner => TextRole::User,
            Speaker::Tutor => TextRole::Assistant,
        };
        if !send_all(&input, text(role, &message.text)).await {
            return;
        }
        tokio::time::sleep(HISTORY_PAUSE).await;
    }
    send_all(&input, vec![wire::audio_start(ids)]).await;
}

async fn send_all(input: &mpsc::Sender<InputEvent>, events: Vec<Vec<u8>>) -> bool {
    for json in events {
        if input.send(InputEvent::Json(json)).await.is_err() {
            return false;
        }
    }
    true
}
