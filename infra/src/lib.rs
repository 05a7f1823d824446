//! The local runner, the Bedrock simulator and the tools of operators.
//!
//! - [`load`]: measures what conversations cost.
//! - [`local`]: the system on one machine, for `cargo run`, for the demo and for the tests.
//! - [`pictures`]: the pictures that learners talk about, and their publication.
//! - [`learner`]: a client that signs up and talks.
//! - [`simulator`]: a simulated Amazon Bedrock.

mod cache_folder;
pub mod learner;
pub mod load;
pub mod local;
pub mod pictures;
mod progress;
pub mod simulator;
