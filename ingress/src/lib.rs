//! The realtime ingress: live conversations with Amazon Nova Sonic over WebSocket, and the API.
//!
//! Three groups of modules: [`live`] runs conversations, [`account`] manages the learners' accounts, [`api`] has the HTTP
//! resources. They use [`store`], which reads and writes S3 and DynamoDB, [`results`], which watches for what the workers
//! store, and [`coordination`] between the tasks. [`server`] and [`app`] put them together; nothing below imports `api`, `app`
//! or `server`. The ingress writes the journal and publishes events; it consumes no queue.

pub mod account;
pub mod api;
pub mod app;
pub mod budget;
pub mod config;
pub mod coordination;
pub mod live;
pub mod metrics;
pub mod quota;
pub mod results;
pub mod security;
pub mod server;
pub mod startup_check;
pub mod store;
pub mod web;

#[cfg(test)]
mod test_fuzz;
#[cfg(test)]
mod test_loopback;
