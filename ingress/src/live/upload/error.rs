//! PURE. Why an uploaded turn is rejected.

use super::{
    format::Format,
    limits::{ARRIVAL_TIMEOUT, CHANNELS_MAX, FILE_BYTES_MAX, RATES_HZ, TURN_MS_MAX},
};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioFileError {
    /// The Content-Type is not supported.
    #[error("Content-Type must be audio/wav, audio/x-wav or audio/mpeg")]
    ContentType,
    /// The format of the content is not supported.
    #[error("the content is neither a WAV nor an MP3 file")]
    NotAudio,
    /// The format of the content differs from the Content-Type.
    #[error("Content-Type says {}, but the content is {}", declared.name(), format.name())]
    OtherContent {
        /// The format of the Content-Type.
        declared: Format,
        /// The format of the content.
        format: Format,
    },
    /// The file has more than [`FILE_BYTES_MAX`] bytes.
    #[error("the file has more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The turn is longer than [`TURN_MS_MAX`].
    #[error("a turn has at most {} seconds", TURN_MS_MAX / 1_000)]
    TooLong,
    /// The file is valid but has no samples.
    #[error("there is no audio in the file")]
    Empty,
    /// The file cannot be decoded.
    #[error("the file is damaged or incomplete")]
    Broken,
    /// The encoding of the WAV file is not supported.
    #[error("a WAV file holds PCM of 8, 16, 24 or 32 bit, float of 32 or 64 bit, A-law or mu-law")]
    Encoding,
    /// The file has no channels or too many.
    #[error("a file has 1 to {CHANNELS_MAX} channels, not {0}")]
    Channels(u16),
    /// The sample rate is not one of [`RATES_HZ`].
    #[error("a sample rate of {0} Hz is not supported; supported rates: {list} Hz", list = rates())]
    Rate(u32),
    /// The file did not arrive within 15 seconds, or broke off.
    #[error("the file did not arrive within {} seconds", ARRIVAL_TIMEOUT.as_secs())]
    TooSlow,
    /// [`FILES_MAX`](super::FILES_MAX) other files are being received or decoded.
    #[error("too many turns are being uploaded at the moment")]
    Busy,
}

fn rates() -> String {
    RATES_HZ.map(|rate_hz| rate_hz.to_string()).join(", ")
}
