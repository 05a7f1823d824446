//! End-to-end tests: learners talk to the real binaries over real protocols, and what the workers stored is
//! compared with what was said.
//!
//! Each test runs a whole system of its own. They take turns, so that one does not measure the other's load.

mod access;
mod account;
mod accounts;
mod api;
mod conversation;
mod documents;
mod handover;
mod load;
mod loss;
mod many;
mod ops;
mod resources;
mod talk;
mod upload;

/// Held by the test that runs.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
