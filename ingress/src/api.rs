//! The REST API and the live endpoint: one file for each resource.

pub mod conversations;
pub mod live;
pub mod turns;
