//! Permits for streams of results, bounded for each caller and in total. Dropping a permit returns it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use events::contract::UserId;

/// Maximum number of concurrent streams of one caller: a few tabs, and one whose loss is not noticed yet.
pub const STREAMS_OF_CALLER_MAX: usize = 4;

/// Maximum number of concurrent streams of this task.
pub const STREAMS_MAX: usize = 1_000;

#[derive(Clone, Debug, Default)]
pub struct StreamPermits(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_caller: HashMap<UserId, usize>,
}

#[derive(Debug)]
pub struct StreamPermit {
    permits: StreamPermits,
    caller: UserId,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamLimitError {
    #[error("at most {STREAMS_OF_CALLER_MAX} streams of one caller can be open at a time: close one")]
    Caller,
    #[error("too many streams are open at the moment")]
    Full,
}

impl StreamPermits {
    /// Takes a permit for `caller`.
    pub fn take(&self, caller: &UserId) -> Result<StreamPermit, StreamLimitError> {
        let mut open = self.open();
        if open.by_caller.get(caller).is_some_and(|count| *count >= STREAMS_OF_CALLER_MAX) {
            return Err(StreamLimitError::Caller);
        }
        if open.all >= STREAMS_MAX {
            return Err(StreamLimitError::Full);
        }
        open.all += 1;
        *open.by_caller.entry(caller.clone()).or_default() += 1;
        Ok(StreamPermit { permits: self.clone(), caller: caller.clone() })
    }

    /// The number of open streams.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().all
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.permits.open();
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.by_caller.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: usize) -> UserId {
        format!("learner-{number}").parse().unwrap()
    }

    #[test]
    fn streams_of_a_caller_and_in_all_are_bounded_and_their_places_come_back() {
        let permits = StreamPermits::default();
        let mut own: Vec<_> = (0..STREAMS_OF_CALLER_MAX).map(|_| permits.take(&caller(0)).unwrap()).collect();
        assert_eq!(permits.take(&caller(0)).unwrap_err(), StreamLimitError::Caller);
        own.pop();
        own.push(permits.take(&caller(0)).unwrap());
        let others: Vec<_> =
            (STREAMS_OF_CALLER_MAX..STREAMS_MAX).map(|n| permits.take(&caller(n)).unwrap()).collect();
        assert_eq!(permits.take(&caller(STREAMS_MAX)).unwrap_err(), StreamLimitError::Full);
        drop(others);
        drop(own);
        assert_eq!(permits.count(), 0);
        assert!(permits.open().by_caller.is_empty());
    }
}
