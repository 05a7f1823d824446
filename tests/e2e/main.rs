//! End-to-end tests: learners talk to the real binaries over real protocols, and what the workers stored is
//! compared with what was said.
//!
//! Each test runs a whole system of its own. Two of them run at once; those whose moments matter run alone, so that
//! one does not measure the other's load.

mod access;
mod account;
mod accounts;
mod api;
mod chaos;
mod conversation;
mod documents;
mod handover;
mod journey;
mod load;
mod loss;
mod many;
mod ops;
mod page;
mod resources;
mod talk;
mod upload;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Tests that run at once.
const TESTS_MAX: u32 = 2;

static PLACES: Semaphore = Semaphore::const_new(TESTS_MAX as usize);

/// Waits for a place beside other tests.
async fn beside_others() -> SemaphorePermit<'static> {
    PLACES.acquire().await.expect("it is never closed")
}

/// Waits until no other test runs.
async fn alone() -> SemaphorePermit<'static> {
    PLACES.acquire_many(TESTS_MAX).await.expect("it is never closed")
}
