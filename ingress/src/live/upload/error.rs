//! PURE. Why an uploaded turn is rejected.

use super::limits::{
    ARRIVAL_TIMEOUT, CHANNELS_MAX, DECODING_TIME_MAX, FILE_BYTES_MAX, RATES_HZ, TURN_MS_MAX,
};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioFileError {
    /// The format of the content is not supported.
    #[error("the content is neither a WAV nor an MP3 file")]
    NotAudio,
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
    /// The length of a frame of a WAV file contradicts its channels and bits.
    #[error(
        "the WAV header contradicts itself: {channels} channels of {bits} bits take {} bytes, and the block align is {frame_bytes}",
        channels * bits.div_ceil(8)
    )]
    FrameLength {
        /// The block align: samples of all channels, in bytes.
        frame_bytes: u16,
        /// The channels.
        channels: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// The valid bits of a WAV file contradict its encoding.
    #[error("the WAV header contradicts itself: {valid_bits} valid bits in samples of {bits} bits")]
    ValidBits {
        /// Valid bits per sample.
        valid_bits: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// A WAV file has several chunks of a name that it may have once.
    #[error("the WAV file has more than one {0:?} chunk")]
    RepeatedChunk(&'static str),
    /// The file has no channels or too many.
    #[error("a file has 1 to {CHANNELS_MAX} channels, not {0}")]
    Channels(u16),
    /// The sample rate is not one of [`RATES_HZ`].
    #[error("a sample rate of {0} Hz is not supported; supported rates: {list} Hz", list = rates())]
    Rate(u32),
    /// The file did not arrive within 15 seconds, or broke off.
    #[error("the file did not arrive within {} seconds", ARRIVAL_TIMEOUT.as_secs())]
    TooSlow,
    /// Decoding it takes longer than [`DECODING_TIME_MAX`], or it consists of too many recordings.
    #[error(
        "the file is too complex: it consists of many recordings, or decoding it takes more than {} seconds",
        DECODING_TIME_MAX.as_secs()
    )]
    TooComplex,
    /// Another file of the learner is being received or decoded.
    #[error("another turn of yours is being uploaded or decoded")]
    InProgress,
    /// [`FILES_MAX`](super::FILES_MAX) other files are being received or decoded.
    #[error("too many turns are being uploaded at the moment")]
    Busy,
}

fn rates() -> String {
    RATES_HZ.map(|rate_hz| rate_hz.to_string()).join(", ")
}
