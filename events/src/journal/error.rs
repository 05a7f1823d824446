//! What the journal refuses, and how failed SDK calls become that.
//!
//! A canceled transaction is one error with a reason for each of its writes: only the reasons say what happened.

use anyhow::anyhow;
use aws_sdk_dynamodb::{
    error::{BuildError, ProvideErrorMetadata, SdkError},
    operation::{
        put_item::PutItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError,
    },
};
use jiff::Timestamp;

use super::item::CorruptItemError;
use crate::runtime::{
    failure::{ErrorClass, Failure, classify, describe},
    retry::Retry,
};

/// Why the journal refused.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The conversation is not in the journal.
    #[error("the conversation is not in the journal")]
    NotFound,
    /// Somebody else started a conversation with this id.
    #[error("the conversation was started before")]
    AlreadyStarted,
    /// Somebody else took over: nothing more may be written.
    #[error("the conversation was taken over")]
    Fenced,
    /// The conversation ended: nothing more may be written.
    #[error("the conversation has ended")]
    Ended,
    /// The owner is trusted to be alive.
    #[error("the conversation is held until {until}")]
    Held {
        /// End of the owner's lease.
        until: Timestamp,
    },
    /// Another turn stands at this index.
    #[error("another turn stands at index {index}")]
    TurnExists {
        /// The index.
        index: u32,
    },
    /// The journal holds what this build cannot read.
    #[error(transparent)]
    Corrupt(#[from] CorruptItemError),
    /// DynamoDB or SQS failed; whether the write happened is unknown.
    #[error("{source:#}")]
    Service {
        /// Its nature.
        class: ErrorClass,
        /// The cause.
        source: anyhow::Error,
    },
}

impl JournalError {
    /// What becomes of the message whose handler met this error and has no better idea.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Service { class, source } => Failure::of_class(class, source),
            Self::Corrupt(_) => Failure::reject(self.to_string()),
            Self::NotFound
            | Self::AlreadyStarted
            | Self::Fenced
            | Self::Ended
            | Self::Held { .. }
            | Self::TurnExists { .. } => Failure::retry(self),
        }
    }
}

/// Why an append was canceled.
pub(super) enum Canceled {
    Header,
    Turn,
    Other(JournalError),
}

// The header's reason comes first, and where the header refuses, the turn does not matter.
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
        ["ConditionalCheckFailed", ..] => Retry::Permanent(Canceled::Header),
        [_, "ConditionalCheckFailed"] => Retry::Permanent(Canceled::Turn),
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

pub(super) fn is_put_refused(error: &SdkError<PutItemError>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception)
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
