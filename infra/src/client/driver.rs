//! PURE. What a session leaves to its caller: what is said, how audio is encoded, and who observes it; with the events and
//! the result of a session.

use std::{sync::Arc, time::Duration};

use events::contract::{
    ConversationId, EndReason, Speaker, Turn,
    live::{CaptionStage, encode_audio},
};

use super::script::Script;
use crate::simulator::audible::Heard;

/// Samples of a microphone frame: 32 ms, 1024 bytes.
pub(crate) const FRAME_SAMPLES: usize = 512;

/// What happens in a session.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// The service listens for the first time.
    Ready,
    /// The model has responded for the first time.
    Model {
        /// Whether it is simulated.
        simulated: bool,
    },
    /// The learner begins to say the line with this index.
    Speaking(usize),
    /// A caption.
    Caption {
        /// The speaker.
        speaker: Speaker,
        /// Planned or spoken.
        stage: CaptionStage,
        /// The text.
        text: String,
    },
    /// A turn is in the journal.
    Turn(Turn),
    /// The tutor was interrupted: audio that was not played is discarded.
    Flush,
    /// The service has lost the stream to the model.
    ModelLost,
    /// The model receives audio again.
    ModelRestored,
    /// The connection is lost, or another task continues the conversation.
    ConnectionLost,
    /// The client is connected again.
    Reconnected,
}

/// The result of a conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its id.
    pub conversation_id: ConversationId,
    /// Whether the tutor is simulated.
    pub simulated: bool,
    /// The journalled turns, in the order of their announcement.
    pub turns: Vec<Turn>,
    /// The tutor's audio, decoded.
    pub heard: Vec<Heard>,
    /// From the end of each of the learner's lines to the first audio of the response.
    pub answer_latencies: Vec<Duration>,
    /// Why it ended.
    pub reason: EndReason,
    /// Turns in the journal, as the service counts them.
    pub turn_count: u32,
}

/// What a session says, how it encodes and decodes audio, and who observes it.
pub(crate) trait SessionDriver: Send {
    /// Lost connections that a session survives. At 0 the microphone keeps nothing of what it has sent.
    const RECONNECTS_MAX: usize;
    /// Samples that the microphone records for one frame.
    const RECORDED_SAMPLES: usize;

    /// The audio of the line with this index; `None` ends the conversation.
    fn line(&mut self, index: usize) -> Option<Arc<[i16]>>;

    /// The message for recorded samples, which is sent `late` after its time.
    fn encode(&mut self, samples: &[i16], late: Duration) -> Vec<u8>;

    /// The samples of the tutor's speech in what was received.
    fn decode(&mut self, samples: Vec<i16>) -> Vec<i16>;

    /// Is called with each event.
    fn observe(&mut self, event: &SessionEvent);
}

/// Says the lines of a script.
pub(super) struct ScriptDriver<'a, F> {
    pub(super) script: &'a Script,
    pub(super) observer: F,
}

impl<F: FnMut(&SessionEvent) + Send> SessionDriver for ScriptDriver<'_, F> {
    const RECONNECTS_MAX: usize = 50;
    const RECORDED_SAMPLES: usize = FRAME_SAMPLES;

    fn line(&mut self, index: usize) -> Option<Arc<[i16]>> {
        let line = self.script.lines.get(index)?;
        self.observe(&SessionEvent::Speaking(index));
        Some(line.samples())
    }

    fn encode(&mut self, samples: &[i16], _: Duration) -> Vec<u8> {
        encode_audio(samples)
    }

    fn decode(&mut self, samples: Vec<i16>) -> Vec<i16> {
        samples
    }

    fn observe(&mut self, event: &SessionEvent) {
        (self.observer)(event);
    }
}
