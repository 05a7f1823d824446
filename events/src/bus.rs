//! The event bus: publishes envelopes to EventBridge.
//!
//! A successful PutEvents call returns a result for each entry; failed entries are sent again. Publishing is at least once:
//! an event whose response was lost is on the bus twice, with the same envelope id.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tokio::time::Instant;

use crate::{
    contract::Envelope,
    runtime::{
        failure::{ErrorClass, Failure, classify, classify_code, describe},
        retry::{Retry, RetryPolicy, retry},
    },
};

/// Entries of one PutEvents call (service limit).
pub const ENTRIES_MAX: usize = 10;

/// The longest envelope, in bytes of JSON. Events carry keys, not content: a longer one is a bug.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Error codes of an entry for which another attempt may succeed (EventBridge, "Handling failures with PutEvents"), and
/// our own for an entry without a result.
const TRANSIENT_CODES: [&str; 4] =
    ["ThrottlingException", "InternalFailure", "InternalException", MISSING_RESULT];

const MISSING_RESULT: &str = "MissingOutcome";

/// The longest time for one chunk with all its retries.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(20);

const POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(100), cap: Duration::from_secs(3), attempts_max: 8 };

/// Publishes to one bus under one source.
#[derive(Clone, Debug)]
pub struct Bus {
    eventbridge: aws_sdk_eventbridge::Client,
    name: String,
    source: &'static str,
}

/// Why some events may not be on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// An event is longer than [`EVENT_BYTES_MAX`]; nothing was published.
    #[error("an event of {bytes} bytes is longer than {EVENT_BYTES_MAX}")]
    TooLong {
        /// Length of the event.
        bytes: usize,
    },
    #[error("the bus rejected {entries} entries, the first with {code}")]
    Rejected {
        entries: usize,
        /// Error code of the first entry.
        code: String,
    },
    /// The call failed; whether its events are on the bus is unknown.
    #[error("{source:#}")]
    Service { class: ErrorClass, source: anyhow::Error },
}

impl Bus {
    /// The bus `name`. `source` is `nova.` followed by the name of the process.
    #[must_use]
    pub fn new(
        eventbridge: aws_sdk_eventbridge::Client,
        name: impl Into<String>,
        source: &'static str,
    ) -> Self {
        Self { eventbridge, name: name.into(), source }
    }

    /// Publishes `envelopes` and returns when all of them are on the bus.
    ///
    /// # Errors
    /// See [`BusError`]. Some of the events may be on the bus.
    pub async fn publish(&self, envelopes: &[Envelope]) -> Result<(), BusError> {
        let entries = envelopes.iter().map(|envelope| self.entry(envelope)).collect::<Result<Vec<_>, _>>()?;
        for chunk in entries.chunks(ENTRIES_MAX) {
            let pending = Mutex::new(chunk.to_vec());
            retry(POLICY, Instant::now() + PUBLISH_DEADLINE, || self.put(&pending)).await?;
        }
        Ok(())
    }

    fn entry(&self, envelope: &Envelope) -> Result<PutEventsRequestEntry, BusError> {
        let detail = envelope.encode();
        if detail.len() > EVENT_BYTES_MAX {
            return Err(BusError::TooLong { bytes: detail.len() });
        }
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(self.source)
            .detail_type(envelope.event.schema())
            .detail(detail)
            .build())
    }

    /// Puts the pending entries and leaves the failed ones in `pending`.
    async fn put(&self, pending: &Mutex<Vec<PutEventsRequestEntry>>) -> Result<(), Retry<BusError>> {
        let entries = pending.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = self.eventbridge.put_events().set_entries(Some(entries.clone())).send().await;
        let output = sent.map_err(|error| {
            let class = classify(&error);
            Retry::Permanent(BusError::Service { class, source: describe(&error) })
        })?;
        let codes: Vec<_> =
            output.entries().iter().map(|entry| entry.error_code().map(str::to_owned)).collect();
        let (failed, code) = failed(entries, &codes);
        let Some(code) = code else { return Ok(()) };
        let is_transient = TRANSIENT_CODES.contains(&code.as_str());
        let error = BusError::Rejected { entries: failed.len(), code };
        *pending.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        Err(if is_transient { Retry::transient(error) } else { Retry::Permanent(error) })
    }
}

impl BusError {
    /// The failure of a message handler that could not publish.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::TooLong { .. } => Failure::reject(self.to_string()),
            Self::Rejected { ref code, .. } => match classify_code(code) {
                ErrorClass::Environment => Failure::environment(self),
                ErrorClass::Throttled => Failure::throttled(self, None),
                ErrorClass::Unavailable => Failure::unavailable(self),
                ErrorClass::Transient | ErrorClass::Invalid => Failure::retry(self),
            },
            Self::Service { class, source } => Failure::of_class(class, source),
        }
    }
}

/// The failed entries and the first error code. Results are positional; an entry without a result failed.
fn failed<T>(entries: Vec<T>, codes: &[Option<String>]) -> (Vec<T>, Option<String>) {
    let mut first = None;
    let mut failed = Vec::new();
    for (position, entry) in entries.into_iter().enumerate() {
        let code = match codes.get(position) {
            Some(None) => continue,
            Some(Some(code)) => code.clone(),
            None => MISSING_RESULT.to_owned(),
        };
        first.get_or_insert(code);
        failed.push(entry);
    }
    (failed, first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failed_entries_remain_in_their_order() {
        let no = |code: &str| Some(code.to_owned());
        let codes = [None, no("ThrottlingException"), None, no("InternalFailure")];
        let (failed_entries, code) = failed(vec!['a', 'b', 'c', 'd', 'e'], &codes);
        assert_eq!((failed_entries, code), (vec!['b', 'd', 'e'], no("ThrottlingException")));
        assert_eq!(failed(vec!['a'], &[None]), (vec![], None));
        assert_eq!(failed(vec!['a'], &[]), (vec!['a'], no("MissingOutcome")));
    }
}
