//! PURE. Limits of uploaded turns.

use std::time::Duration;

/// Largest file, in bytes: half a minute of 32-bit stereo at 48 kHz, and a margin.
pub const FILE_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Longest turn, in milliseconds.
pub const TURN_MS_MAX: u64 = 30_000;

/// Longest padding of an MP3 file beyond [`TURN_MS_MAX`], in samples of its rate: the delays of encoder and decoder (LAME: 576 and
/// 529) and the filling of the last frame (less than 1152), in whole frames of 1152.
pub(super) const PADDING_SAMPLES_MAX: u64 = 3 * 1_152;

/// Most channels of a file.
pub const CHANNELS_MAX: u16 = 8;

/// Most files in memory at a time.
pub const FILES_MAX: usize = 8;

/// Most running decoders: the rest of the processor is for the conversations.
pub(super) const DECODERS_MAX: usize = 2;

/// Most files of one learner that are received or decoded at a time. A decoder goes on after its request was cancelled.
pub(super) const FILES_OF_LEARNER_MAX: usize = 1;

/// Longest time of one decoder. A turn of half a minute takes less than one second.
pub(super) const DECODING_TIME_MAX: Duration = Duration::from_secs(10);

/// Deadline for the arrival of a file, shorter than that of a whole request.
pub(super) const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Supported sample rates, in Hz. Their ratios to 16 kHz are short, which keeps the transforms small.
pub const RATES_HZ: [u32; 13] =
    [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
