//! The realtime ingress: live conversations with Amazon Nova Sonic over WebSocket, and the API.
//!
//! The heart is [`conversation`], a state machine without I/O; [`session`] is the loop around it, [`socket`] the
//! learner's side, [`sonic`] the model's. Ingress journals and publishes what happens; it consumes no queue.

pub mod accounts;
pub mod admission;
pub mod api;
pub mod app;
pub mod auth;
pub mod boot;
pub mod config;
pub mod conversation;
pub mod edge;
pub mod email;
pub mod error;
pub mod export;
pub mod metrics;
pub mod presence;
pub mod profile;
pub mod prompt;
pub mod results;
pub mod session;
pub mod shared;
pub mod sign_up;
pub mod socket;
pub mod sonic;
pub mod store;
pub mod ticket;
pub mod upload;
pub mod user_pool;
pub mod voice;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod loopback;
