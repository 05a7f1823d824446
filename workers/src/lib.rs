//! The asynchronous workers. Each has a binary (`src/bin`), a module with the handler, and a folder with the pure parts and
//! the stores.
//!
//! A worker consumes one queue through `events::runtime`, produces the effect that its header names and publishes the
//! resulting events. Workers never call each other. A handler may receive any message twice, and two deliveries of one
//! message may run concurrently; each header says why the effect is idempotent.

pub mod alerts;
pub mod analysis;
pub mod erasure;
pub mod progress;
pub mod transcript;
pub mod watchdog;

mod effects;
mod objects;
mod startup_check;
mod tombstone;
mod write_once;

#[cfg(test)]
mod test_samples;
