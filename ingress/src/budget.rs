//! The spending limits of the whole service, as this task knows them. While the table cannot be read, the last known state
//! applies: a failure of the table ends no conversation.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::spending::{ReachedLimit, Spending};
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
    reached: Option<ReachedLimit>,
    read_at: Option<Instant>,
}

impl Budget {
    #[must_use]
    pub fn new(spending: Spending) -> Self {
        Self { spending, state: Mutex::default() }
    }

    /// The limit that the models have cost as much as, if there is one.
    pub async fn reached(&self) -> Option<ReachedLimit> {
        let State { reached, read_at } = *self.lock();
        if read_at.is_some_and(|at| at.elapsed() < STATE_AGE_MAX) {
            return reached;
        }
        let reached = match self.spending.reached(Timestamp::now()).await {
            Ok(reached) => reached,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the spending is unknown");
                reached
            }
        };
        *self.lock() = State { reached, read_at: Some(Instant::now()) };
        reached
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
