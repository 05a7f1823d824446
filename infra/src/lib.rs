//! The local runner, the Bedrock simulator and the tools of operators.
//!
//! - [`client`]: a learner who signs in and talks, for the demo, the load test and the tests.
//! - [`cost`]: what the service costs on AWS.
//! - [`deploy`]: the deployment through CloudFormation.
//! - [`load`]: measures what conversations cost.
//! - [`local`]: the system on one machine, for `cargo run`, for the demo and for the tests.
//! - [`pictures`]: the pictures that learners talk about, and their publication.
//! - [`simulator`]: a simulated Amazon Bedrock.

mod cache_folder;
pub mod client;
pub mod cost;
pub mod deploy;
pub mod image;
pub mod load;
pub mod local;
pub mod pictures;
mod progress;
pub mod simulator;
mod template;
