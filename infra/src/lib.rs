//! The local runner, the Bedrock simulator and the tools of operators.
//!
//! - [`client`]: a learner who signs in and talks, for the demo, the load test and the tests.
//! - [`cost`]: what the service costs on AWS.
//! - [`deploy`]: the deployment through CloudFormation.
//! - [`failover`]: moves the service to the standby region.
//! - [`load`]: measures what conversations cost.
//! - [`local`]: the system on one machine, for `cargo run`, for the demo and for the tests.
//! - [`pictures`]: the pictures that learners talk about, and their publication.
//! - [`scaling`]: how the number of tasks follows the load.
//! - [`service_rates`]: what a task can do.
//! - [`simulator`]: a simulated Amazon Bedrock.
//! - [`sweep`]: brings on what has stopped.

mod cache_folder;
pub mod client;
pub mod cost;
pub mod deploy;
pub mod failover;
pub mod image;
pub mod load;
pub mod local;
pub mod pictures;
mod progress;
pub mod scaling;
pub mod service_rates;
pub mod simulator;
pub mod sweep;
mod template;
