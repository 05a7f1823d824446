//! PURE. What calls of [`super::Coordination`] return.

use std::time::Duration;

/// Maximum length of a key, channel or owner, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinationError {
    /// Redis is unreachable at the moment.
    #[error("the coordination of the tasks is unavailable")]
    Unavailable,
    #[error("a name has at most {NAME_BYTES_MAX} bytes, a message {MESSAGE_BYTES_MAX}")]
    TooLong,
    #[error("there is no room for more")]
    Full,
}

/// Why an attempt is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateLimitError {
    #[error("too many attempts")]
    Exceeded {
        /// Time until the next attempt is allowed.
        after: Duration,
    },
    #[error(transparent)]
    Failed(CoordinationError),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Mine,
    /// This other owner has it.
    Held(String),
}
