//! The asynchronous workers. Each is a binary of its own (`src/bin`), a module with its handler, and a folder with
//! its pure part and its store.
//!
//! A worker consumes one queue through `events::runtime`, writes what its header names and publishes what follows
//! from it. Workers never call each other. Every handler may see every message twice, and two deliveries of one
//! message may run at once; each header says what keeps the effect single.

pub mod alerts;
pub mod analysis;
pub mod erasure;
pub mod progress;
pub mod transcript;
pub mod watchdog;

mod boot;
mod effects;
mod objects;
mod withdrawal;
mod write_once;

#[cfg(test)]
mod samples;
