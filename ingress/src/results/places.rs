//! PURE. How many streams of results are open: bounded for each caller and in all. A place comes back when it is dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use events::contract::UserId;

/// Streams of one caller at one time: some tabs, and one that is not yet known to be gone.
pub const STREAMS_OF_CALLER_MAX: usize = 4;

/// Streams of this task at one time.
pub const STREAMS_MAX: usize = 1_000;

/// The streams that are open.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_caller: HashMap<UserId, usize>,
}

/// The right to one stream.
#[derive(Debug)]
pub struct Place {
    places: Places,
    caller: UserId,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The caller has as many streams as may be.
    #[error("at most {STREAMS_OF_CALLER_MAX} streams of one caller are open at a time: close one")]
    Caller,
    /// The task has.
    #[error("too many streams are open at the moment")]
    Full,
}

impl Places {
    /// A place for `caller`.
    ///
    /// # Errors
    /// See [`NoPlace`].
    pub fn take(&self, caller: &UserId) -> Result<Place, NoPlace> {
        let mut open = self.open();
        if open.by_caller.get(caller).is_some_and(|count| *count >= STREAMS_OF_CALLER_MAX) {
            return Err(NoPlace::Caller);
        }
        if open.all >= STREAMS_MAX {
            return Err(NoPlace::Full);
        }
        open.all += 1;
        *open.by_caller.entry(caller.clone()).or_default() += 1;
        Ok(Place { places: self.clone(), caller: caller.clone() })
    }

    /// How many are taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().all
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
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
        let places = Places::default();
        let mut own: Vec<_> = (0..STREAMS_OF_CALLER_MAX).map(|_| places.take(&caller(0)).unwrap()).collect();
        assert_eq!(places.take(&caller(0)).unwrap_err(), NoPlace::Caller);
        own.pop();
        own.push(places.take(&caller(0)).unwrap());
        let others: Vec<_> =
            (STREAMS_OF_CALLER_MAX..STREAMS_MAX).map(|n| places.take(&caller(n)).unwrap()).collect();
        assert_eq!(places.take(&caller(STREAMS_MAX)).unwrap_err(), NoPlace::Full);
        drop(others);
        drop(own);
        assert_eq!(places.count(), 0);
        assert!(places.open().by_caller.is_empty());
    }
}
