//! PURE. The exceptions that end a stream, with the service's messages (AWS's guide, "Handling errors").

/// An exception that ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("First content must have SYSTEM role")]
    FirstNotSystem,
    #[error("Duplicate SYSTEM content")]
    DuplicateSystem,
    #[error("Chat history should be sent completely before streaming audio.")]
    HistoryAfterAudio,
    #[error("Invalid input request, please fix your input and try again.")]
    InvalidInput,
    #[error("Tool Response parsing error")]
    ToolResponse,
    #[error("Received invalid voiceId")]
    InvalidVoice,
    #[error("Unable to parse input chunk")]
    UnparsableChunk,
    #[error("Timed out waiting for input events")]
    Idle,
    #[error("Model has timed out in processing the request. Try your request again.")]
    StreamLimit,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    BadSignature,
}

impl ProtocolError {
    /// The `:exception-type` it is sent under.
    pub(crate) fn exception_type(self) -> &'static str {
        match self {
            Self::StreamLimit => "modelTimeoutException",
            Self::BadSignature => "InvalidSignatureException",
            Self::FirstNotSystem
            | Self::DuplicateSystem
            | Self::HistoryAfterAudio
            | Self::InvalidInput
            | Self::ToolResponse
            | Self::InvalidVoice
            | Self::UnparsableChunk
            | Self::Idle => "validationException",
        }
    }
}
