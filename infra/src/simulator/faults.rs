//! PURE. Faults that the simulator injects, and their notation.
//!
//! `WHAT[@MILLISECONDS][*TIMES]`: what happens, how long after the stream was opened (in the simulator's time), and to
//! how many of the next streams (default 1, `*` for all). For example `throttling*3`,
//! `reset@1500`, `exception:modelStreamErrorException@2000**`. Refusals apply to streams and to image requests,
//! filters to image requests only.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Refuse(Refusal),
    /// The response headers are delayed by this time.
    LateHeaders,
    Exception(StreamException),
    /// RST_STREAM with INTERNAL_ERROR.
    Reset,
    /// RST_STREAM with NO_ERROR.
    ResetNoError,
    /// GOAWAY; streams of the connection go on, no new ones are taken.
    GoAway,
    /// The TCP connection is cut.
    Cut,
    /// Nothing more is sent.
    Stall,
    /// The checksum of the next message is wrong.
    Corrupt,
    /// The response ends without a completionEnd.
    End,
    /// The safety filter of an image model withholds the image.
    Filter(Filter),
}

/// What the safety filter of an image model rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Prompt,
    /// The image that was made.
    Image,
}

/// The error that a request returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 429, the quota.
    Throttling,
    /// 429, the model is being loaded.
    NotReady,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// 403.
    AccessDenied,
    /// 404, the model is gone.
    EndOfLife,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamException {
    InternalServer,
    ModelStreamError,
    ModelTimeout,
    ServiceUnavailable,
    Throttling,
    /// `validationException` for invalid input.
    Validation,
    /// `validationException` for a transient fault of the service.
    Instability,
}

/// A fault, its time and its repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    pub fault: Fault,
    /// How long after the stream was opened.
    pub after: Duration,
    /// The number of streams it applies to; `None` for all.
    pub times: Option<u32>,
}

/// The text is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a fault; expected WHAT[@MILLISECONDS][*TIMES] with WHAT one of: {}", names().join(", "))]
pub struct UnknownFaultError {
    text: String,
}

const FAULTS: [(&str, Fault); 23] = [
    ("throttling", Fault::Refuse(Refusal::Throttling)),
    ("not-ready", Fault::Refuse(Refusal::NotReady)),
    ("internal", Fault::Refuse(Refusal::Internal)),
    ("unavailable", Fault::Refuse(Refusal::Unavailable)),
    ("access-denied", Fault::Refuse(Refusal::AccessDenied)),
    ("end-of-life", Fault::Refuse(Refusal::EndOfLife)),
    ("late-headers", Fault::LateHeaders),
    ("exception:internalServerException", Fault::Exception(StreamException::InternalServer)),
    ("exception:modelStreamErrorException", Fault::Exception(StreamException::ModelStreamError)),
    ("exception:modelTimeoutException", Fault::Exception(StreamException::ModelTimeout)),
    ("exception:serviceUnavailableException", Fault::Exception(StreamException::ServiceUnavailable)),
    ("exception:throttlingException", Fault::Exception(StreamException::Throttling)),
    ("exception:validationException", Fault::Exception(StreamException::Validation)),
    ("instability", Fault::Exception(StreamException::Instability)),
    ("reset", Fault::Reset),
    ("reset-no-error", Fault::ResetNoError),
    ("goaway", Fault::GoAway),
    ("cut", Fault::Cut),
    ("stall", Fault::Stall),
    ("corrupt", Fault::Corrupt),
    ("end", Fault::End),
    ("filter-prompt", Fault::Filter(Filter::Prompt)),
    ("filter-image", Fault::Filter(Filter::Image)),
];

impl FromStr for PlannedFault {
    type Err = UnknownFaultError;

    fn from_str(text: &str) -> Result<Self, UnknownFaultError> {
        let unknown = || UnknownFaultError { text: text.to_owned() };
        let (rest, times) = match text.split_once('*') {
            None => (text, Some(1)),
            Some((rest, "*" | "")) => (rest, None),
            Some((rest, times)) => (rest, Some(times.parse().map_err(|_| unknown())?)),
        };
        let (name, after) = match rest.split_once('@') {
            None => (rest, 0),
            Some((name, after)) => (name, after.parse().map_err(|_| unknown())?),
        };
        let fault = FAULTS.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?.1;
        Ok(Self { fault, after: Duration::from_millis(after), times })
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FAULTS.iter().find(|(_, fault)| *fault == self.fault).map_or("", |(name, _)| name);
        write!(formatter, "{name}@{}*", self.after.as_millis())?;
        match self.times {
            Some(times) => write!(formatter, "{times}"),
            None => formatter.write_str("*"),
        }
    }
}

impl Fault {
    /// Whether it can happen to a stream.
    pub(crate) fn concerns_streams(self) -> bool {
        !matches!(self, Self::Filter(_))
    }

    /// Whether it can happen to a request for an image.
    pub(crate) fn concerns_images(self) -> bool {
        matches!(self, Self::Filter(_) | Self::Refuse(_))
    }
}

impl Refusal {
    /// Status, exception and message of the answer.
    pub(crate) fn answer(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Throttling => {
                (429, "ThrottlingException", "Too many requests, please wait before trying again.")
            }
            Self::NotReady => (
                429,
                "ModelNotReadyException",
                "The model specified in the request is not ready to serve inference requests. Please wait and try again.",
            ),
            Self::Internal => (
                500,
                "InternalServerException",
                "The system encountered an unexpected error during processing. Try your request again.",
            ),
            Self::Unavailable => (
                503,
                "ServiceUnavailableException",
                "The service isn't currently available. Try again later.",
            ),
            Self::AccessDenied => (
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            Self::EndOfLife => (
                404,
                "ResourceNotFoundException",
                "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
            ),
        }
    }
}

impl StreamException {
    /// `:exception-type` and message.
    pub(crate) fn message(self) -> (&'static str, &'static str) {
        match self {
            Self::InternalServer => (
                "internalServerException",
                "The system encountered an unexpected error during processing. Try your request again.",
            ),
            Self::ModelStreamError => (
                "modelStreamErrorException",
                "The system encountered an unexpected error during processing. Try your request again.",
            ),
            Self::ModelTimeout => (
                "modelTimeoutException",
                "Model has timed out in processing the request. Try your request again.",
            ),
            Self::ServiceUnavailable => {
                ("serviceUnavailableException", "The service isn't currently available. Try again later.")
            }
            Self::Throttling => {
                ("throttlingException", "Too many requests, please wait before trying again.")
            }
            Self::Validation => {
                ("validationException", "Invalid input request, please fix your input and try again.")
            }
            Self::Instability => {
                ("validationException", "System instability detected. Please retry your request.")
            }
        }
    }
}

/// What [`PlannedFault`] can be parsed from, without time and count.
pub(crate) fn names() -> Vec<&'static str> {
    FAULTS.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_written_as_it_is_read() {
        for (name, fault) in FAULTS {
            let planned: PlannedFault = format!("{name}@1500*3").parse().unwrap();
            assert_eq!(planned, PlannedFault { fault, after: Duration::from_millis(1_500), times: Some(3) });
            assert_eq!(planned.to_string().parse(), Ok(planned));
        }
        let all: PlannedFault = "cut@20**".parse().unwrap();
        assert_eq!(all.times, None);
        assert_eq!(all.to_string().parse(), Ok(all));
    }

    #[test]
    fn other_text_is_refused_with_the_choices() {
        for text in ["", "cot", "cut@soon", "cut*often"] {
            let error = text.parse::<PlannedFault>().unwrap_err().to_string();
            assert!(error.contains("goaway"), "{error}");
        }
    }
}
