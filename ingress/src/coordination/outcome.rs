//! PURE. What calls of [`super::Coordination`] return.

use std::time::Duration;

/// Maximum length of a key, channel or owner, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Maximum length of a message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinationError {
    /// Redis is unreachable at the moment.
    #[error("the coordination of the tasks is unavailable")]
    Unavailable,
    /// A name or a message is too long.
    #[error("a name has at most {NAME_BYTES_MAX} bytes, a message {MESSAGE_BYTES_MAX}")]
    TooLong,
    /// This process stores its maximum.
    #[error("there is no room for more")]
    Full,
}

/// Why an attempt is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateLimitError {
    /// The limit is exceeded.
    #[error("too many attempts")]
    Exceeded {
        /// Time until the next attempt is allowed.
        after: Duration,
    },
    /// The key is too long.
    #[error(transparent)]
    Failed(CoordinationError),
}

/// The result of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller has it.
    Mine,
    /// This other owner has it.
    Held(String),
}
