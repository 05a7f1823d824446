//! The errors of the journal and their mapping from SDK errors.
//!
//! A canceled transaction is one error with a reason for each of its writes: only the reasons say which condition failed.

use anyhow::anyhow;
use aws_sdk_dynamodb::{
    error::{BuildError, ProvideErrorMetadata, SdkError},
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
};
use jiff::Timestamp;

use super::item::CorruptItemError;
use crate::runtime::{
    failure::{ErrorClass, Failure, classify, describe},
    retry::Retry,
};

/// Why an operation of the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the conversation is not in the journal")]
    NotFound,
    #[error("a conversation with this id was started before")]
    AlreadyStarted,
    #[error("the learner's data is erased")]
    Erased,
    /// Another process took over: this one must not write any more.
    #[error("the conversation was taken over")]
    Fenced,
    #[error("the conversation has ended")]
    Ended,
    #[error("the conversation has an owner until {until}")]
    Held {
        /// End of the owner's lease.
        until: Timestamp,
    },
    #[error("the journal has another turn with the index {index}")]
    TurnExists { index: u32 },
    /// This build cannot read an item of the journal.
    #[error(transparent)]
    Corrupt(#[from] CorruptItemError),
    /// DynamoDB or SQS failed; whether the write happened is unknown.
    #[error("{source:#}")]
    Service { class: ErrorClass, source: anyhow::Error },
}

impl JournalError {
    /// The failure of a message handler that has no special treatment for this error.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Service { class, source } => Failure::of_class(class, source),
            Self::Corrupt(_) => Failure::reject(self.to_string()),
            Self::NotFound
            | Self::AlreadyStarted
            | Self::Erased
            | Self::Fenced
            | Self::Ended
            | Self::Held { .. }
            | Self::TurnExists { .. } => Failure::retry(self),
        }
    }
}

/// Why a transaction of two writes was canceled.
pub(super) enum Canceled {
    /// The condition of the first write failed.
    First,
    /// That of the second one failed alone.
    Second,
    Other(JournalError),
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
pub(super) fn canceled(error: SdkError<TransactWriteItemsError>) -> Retry<Canceled> {
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            canceled.cancellation_reasons()
        }
        _ => &[],
    };
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap_or_default()).collect();
    match codes[..] {
        ["ConditionalCheckFailed", ..] => Retry::Permanent(Canceled::First),
        [_, "ConditionalCheckFailed"] => Retry::Permanent(Canceled::Second),
        _ if codes.contains(&"TransactionConflict") => Retry::transient(Canceled::Other(service(&error))),
        _ => Retry::Permanent(Canceled::Other(service(&error))),
    }
}

pub(super) fn conflicting(error: SdkError<UpdateItemError>) -> Retry<SdkError<UpdateItemError>> {
    match error.as_service_error() {
        Some(UpdateItemError::TransactionConflictException(_)) => Retry::transient(error),
        _ => Retry::Permanent(error),
    }
}

pub(super) fn service<E>(error: &SdkError<E>) -> JournalError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    JournalError::Service { class: classify(error), source: describe(error) }
}

pub(super) fn unbuilt(error: BuildError) -> JournalError {
    JournalError::Service { class: ErrorClass::Invalid, source: anyhow!(error) }
}
