//! The first stream of a new conversation, opened before anything of the conversation exists. If the model has no room for it, the
//! learner is asked to come back: nothing is journalled, published or reported as a failure.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{briefing::Briefing, dependencies::Dependencies, session_loop::age_ms};
use crate::{
    live::admission::AdmissionError,
    live::conversation::{Conversation, FailureClass, Output, StreamId},
    live::sonic::{SIGNALS_MAX, Setup, Signal, Stream},
    live::ticket::Admission,
};

/// How long a new conversation waits for its first stream. Then it begins, and the stream may still open.
pub const FIRST_STREAM_TIMEOUT: Duration = Duration::from_secs(3);

/// A conversation that is about to begin.
#[derive(Debug)]
pub(super) struct FirstStream {
    pub(super) conversation: Conversation,
    pub(super) setup: Setup,
    pub(super) opened: OpenedStream,
}

/// A stream that was requested before its session loop began.
#[derive(Debug)]
pub(super) struct OpenedStream {
    pub(super) id: StreamId,
    pub(super) stream: Stream,
    pub(super) signals_tx: mpsc::Sender<(StreamId, Signal)>,
    pub(super) signals: mpsc::Receiver<(StreamId, Signal)>,
    /// Its first signal, if it came in time.
    pub(super) first: Option<Signal>,
}

/// Opens the first stream of the conversation that `admission` begins.
///
/// # Errors
/// [`AdmissionError::Throttled`]. Any other failure is left to the conversation, which opens another stream.
pub(super) async fn open(
    deps: &Dependencies,
    admission: &Admission,
    briefing: Briefing,
) -> Result<FirstStream, AdmissionError> {
    let Briefing { settings, setup } = briefing.with_advice(deps, &admission.user_id).await;
    let mut conversation = Conversation::new(settings, age_ms(admission.conversation_id));
    let first = conversation.poll();
    let (id, history) = match first {
        Some(Output::OpenStream { stream, history }) => Some((stream, history)),
        Some(_) | None => None,
    }
    .expect("a new conversation first opens a stream");
    let (signals_tx, mut signals) = mpsc::channel(SIGNALS_MAX);
    let first_setup = Setup { history, is_first: true, ..setup.clone() };
    let stream = deps.sonic.open(id, first_setup, signals_tx.clone());
    let first = tokio::time::timeout(FIRST_STREAM_TIMEOUT, signals.recv()).await.ok().flatten();
    let first = first.map(|(_, signal)| signal);
    if let Some(Signal::Failed(error)) = &first
        && error.class == FailureClass::Throttled
    {
        deps.metrics.failed_streams.increment();
        tracing::warn!(
            conversation.id = %admission.conversation_id,
            code = error.code,
            request.id = error.request_id,
            error = error.for_the_log(),
            "the model has no room for a new conversation"
        );
        return Err(AdmissionError::Throttled);
    }
    Ok(FirstStream { conversation, setup, opened: OpenedStream { id, stream, signals_tx, signals, first } })
}
