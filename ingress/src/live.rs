//! Live conversations: the client's connection, the state machine of a conversation and the loop around it, the model's
//! stream, uploaded turns, admission.
//!
//! The heart is [`conversation`], a state machine without I/O; [`session`] is the loop around it, [`socket`] the
//! client's side, [`sonic`] the model's.

pub mod admission;
pub mod conversation;
pub mod presence;
pub mod prompt;
pub mod session;
pub mod socket;
pub mod sonic;
pub mod ticket;
pub mod upload;
pub mod voice;
