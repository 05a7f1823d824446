//! End-to-end tests: learners talk to the real binaries over real protocols, and the stored results are compared with the
//! spoken words.
//!
//! Each test starts its own system. Two tests run concurrently; tests that depend on timing run alone, so that the load of
//! another one does not disturb them.

mod access;
mod account;
mod accounts;
mod api;
mod bedrock;
mod browser;
mod chaos;
mod conversation;
mod conversations;
mod documents;
mod handover;
mod journey;
mod load;
mod loss;
mod many;
mod operators;
mod ops;
mod page;
mod resources;
mod restart;
mod sweep;
mod upload;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Tests that run concurrently.
const TESTS_MAX: u32 = 2;

static PLACES: Semaphore = Semaphore::const_new(TESTS_MAX as usize);

/// Waits until fewer than [`TESTS_MAX`] tests run.
async fn beside_others() -> SemaphorePermit<'static> {
    PLACES.acquire().await.expect("the semaphore is never closed")
}

/// Waits until no other test runs.
async fn alone() -> SemaphorePermit<'static> {
    PLACES.acquire_many(TESTS_MAX).await.expect("the semaphore is never closed")
}
