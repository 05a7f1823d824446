//! The realtime ingress: live conversations with Amazon Nova Sonic over WebSocket, and the API.
//!
//! Three groups of modules: [`live`] holds conversations, [`account`] the learners' accounts, [`api`] the HTTP resources. They
//! stand over [`store`], which reads and writes S3 and DynamoDB, and [`results`], which watches for what the workers
//! stored. The ingress journals and publishes what happens; it consumes no queue.

pub mod account;
pub mod api;
pub mod app;
pub mod config;
pub mod coordination;
pub mod live;
pub mod metrics;
pub mod results;
pub mod startup_check;
pub mod store;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod loopback;
