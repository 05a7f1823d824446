//! PURE. What a conversation wants done.

use bytes::Bytes;
use events::contract::{ConversationMetrics, EndReason, Turn, Usage};

use super::{failure::StreamError, history::Message, input::StreamId};
use crate::{live::conversation::model_event::AudioFrame, live::socket::message::ServerMessage};

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the page.
    Send(ServerMessage),
    /// Give the page audio.
    Audio {
        /// Its generation.
        generation: u32,
        /// The samples.
        frame: AudioFrame,
    },
    /// Open a stream that knows what was said.
    OpenStream {
        /// Its id.
        stream: StreamId,
        /// What was said before `history`, in short, for the system prompt.
        summary: Option<String>,
        /// Turns so far, fit for the model.
        history: Vec<Message>,
    },
    /// Give the model audio, PCM s16le.
    SendAudio {
        /// To which stream.
        stream: StreamId,
        /// The samples.
        pcm: Bytes,
    },
    /// Give the model a text that it answers at once.
    SendText {
        /// To which stream.
        stream: StreamId,
        /// The words.
        text: String,
    },
    /// Answer a tool call: there are no tools, and the model waits for every answer.
    RefuseTool {
        /// On which stream.
        stream: StreamId,
        /// What is answered.
        tool_use_id: String,
    },
    /// Send the closing sequence and read until the stream ends.
    CloseStream(StreamId),
    /// Let go of the stream.
    DropStream(StreamId),
    /// Store a recording.
    StoreAudio {
        /// Its key.
        key: String,
        /// PCM s16le.
        pcm: Vec<u8>,
    },
    /// Journal a turn.
    Record(Turn),
    /// A stream failed; for logs and metrics.
    Failed(StreamError),
    /// The conversation is over. The last output.
    End(Ending),
    /// Another task may go on with the conversation; the page is to be sent there once that is journalled. The last
    /// output, in place of the end.
    Release(Release),
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// What came of it.
    pub totals: Totals,
}

/// What has come of a conversation so far, on this task and on those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Tokens, summed over its streams.
    pub usage: Usage,
    /// Turns recorded.
    pub turns: u32,
    /// The learner's recorded speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// What was measured.
    pub metrics: ConversationMetrics,
}

/// What the next task goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What has come of the conversation.
    pub totals: Totals,
    /// Samples that came from the page, over all sockets; `None` where the count was lost.
    pub heard_samples: Option<u64>,
    /// The learner's audio of the turn that is not over, PCM s16le.
    pub unfinished: Vec<u8>,
}
