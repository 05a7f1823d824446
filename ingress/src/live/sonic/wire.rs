//! PURE. The JSON of Amazon Nova Sonic: builders of the input events and a tolerant decoder of the output events. It opens
//! no streams.
//!
//! Every event is one message `{"event":{"<name>":{…}}}` (Amazon Nova 2 user guide, "sonic-input-events" and
//! "sonic-output-events"). Audio is PCM s16le mono at 16 kHz in both directions.

mod input;
mod output;

pub(super) use input::base64_bytes;
pub use input::{
    AudioInput, Block, Ids, Sensitivity, TEXT_INPUT_BYTES_MAX, TextRole, Tool, audio_start, content_end,
    prompt_end, prompt_start, session_end, session_start, text_block, tool_result,
};
pub use output::{DecodeError, Decoded, Decoder, OPEN_BLOCKS_MAX};
