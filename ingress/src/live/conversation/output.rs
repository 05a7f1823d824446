//! PURE. What the state machine of a conversation wants done, in order: messages, audio, stream calls, records.

use bytes::Bytes;
use events::contract::{
    ConversationMetrics, EndReason, Turn, Usage,
    live::{MetObjective, ServerMessage},
};

use super::{failure::StreamError, history::Message, input::StreamId, objectives::ToolResult};
use crate::live::conversation::model_event::AudioFrame;

/// An action for the session, to be performed in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message to the client.
    Send(ServerMessage),
    /// Send audio to the client.
    Audio {
        /// Its generation.
        generation: u32,
        /// The samples.
        frame: AudioFrame,
    },
    /// Open a stream with the conversation so far.
    OpenStream {
        /// Its id.
        stream: StreamId,
        /// The turns so far, in a form that the model accepts. A summary of those that are too many stands first.
        history: Vec<Message>,
    },
    /// Send audio to the model, PCM s16le.
    SendAudio {
        /// The stream.
        stream: StreamId,
        /// The samples.
        pcm: Bytes,
    },
    /// Send a text to the model, which answers it at once.
    SendText {
        /// The stream.
        stream: StreamId,
        /// The words.
        text: String,
    },
    /// Return the result of a tool call: the model waits for the result of every call.
    ReturnToolResult {
        /// The stream.
        stream: StreamId,
        /// The id of the call.
        tool_use_id: String,
        /// The result.
        result: ToolResult,
    },
    /// Send the closing sequence, and read until the stream ends.
    CloseStream(StreamId),
    /// Close the stream and read no more of it.
    DropStream(StreamId),
    /// Store a recording.
    StoreAudio {
        /// Its key.
        key: String,
        /// PCM s16le.
        pcm: Vec<u8>,
    },
    /// Write a turn to the journal.
    Record(Turn),
    /// Write the objectives that the learner has met to the journal, and then send the last one to the client.
    RecordObjective {
        /// All that are met; the last one is new.
        met: Vec<MetObjective>,
        /// The learner's words that meet the last one.
        quote: String,
    },
    /// A stream failed; for logs and metrics.
    Failed(StreamError),
    /// The conversation has ended. The last output.
    End(Ending),
    /// Hand the conversation over to another task, and send the client there once the journal says so. The last output, in
    /// place of the end.
    Release(Release),
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// Totals of the whole conversation.
    pub totals: Totals,
}

/// Totals of a conversation so far, over all tasks that have owned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Tokens, summed over its streams.
    pub usage: Usage,
    /// Turns recorded.
    pub turns: u32,
    /// Turns of the learner among them.
    pub learner_turns: u32,
    /// The learner's recorded speech, in milliseconds.
    pub learner_speech_ms: u64,
    /// Metrics for the end in the journal.
    pub metrics: ConversationMetrics,
}

/// The state for the next owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Totals so far.
    pub totals: Totals,
    /// Samples received from the client, over all sockets; `None` if the count was lost.
    pub heard_samples: Option<u64>,
    /// The learner's audio of the unfinished turn, PCM s16le.
    pub unfinished: Vec<u8>,
}
