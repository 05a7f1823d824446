//! The local runner, the Bedrock simulator and what operators need.
//!
//! - [`load`]: what conversations cost.
//! - [`local`]: the system on one machine, for `cargo run`, for the demo and for the tests.
//! - [`pictures`]: what learners talk about, and how it is published.
//! - [`learner`]: somebody who signs up and talks.
//! - [`simulator`]: Amazon Bedrock, where there is none.

mod cache_folder;
pub mod learner;
pub mod load;
pub mod local;
pub mod pictures;
mod progress;
pub mod simulator;
