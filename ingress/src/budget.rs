//! The spending limit of the day for the whole service, as this task knows it. While the table cannot be read, the last known state
//! applies: a failure of the table ends no conversation.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::spending::{Spending, USD_MICROS_PER_DAY_DEFAULT};
use jiff::Timestamp;
use tokio::time::Instant;

/// How long the state is used before it is read again.
pub const STATE_AGE_MAX: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Budget {
    spending: Spending,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_spent: bool,
    read_at: Option<Instant>,
}

impl Budget {
    #[must_use]
    pub fn new(spending: Spending) -> Self {
        Self { spending, state: Mutex::default() }
    }

    /// Whether the models have cost as much as a day may.
    pub async fn is_spent(&self) -> bool {
        let State { is_spent, read_at } = *self.lock();
        if read_at.is_some_and(|at| at.elapsed() < STATE_AGE_MAX) {
            return is_spent;
        }
        let now = Timestamp::now();
        let read = async { tokio::try_join!(self.spending.of_day(now), self.spending.limit()) };
        let is_spent = match read.await {
            Ok((spent, limit)) => spent >= limit.unwrap_or(USD_MICROS_PER_DAY_DEFAULT),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the spending of the day is unknown");
                is_spent
            }
        };
        *self.lock() = State { is_spent, read_at: Some(Instant::now()) };
        is_spent
    }

    /// Adds to the spending of the day, in millionths of a US dollar. Returns whether it was added.
    pub async fn add(&self, usd_micros: u64) -> bool {
        let added = self.spending.add(usd_micros, Timestamp::now()).await;
        if let Err(error) = &added {
            tracing::warn!(error = format!("{error:#}"), "the spending of a conversation was not added");
        }
        added.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
