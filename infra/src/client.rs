//! The client of the live protocol, as a program: a learner of the local user pool signs in and holds spoken conversations
//! with audio that encodes its own words ([`crate::simulator::audible`]).
//!
//! The demo, the load test and the tests share it. Like a web page, it uses only the public API of the service.
//!
//! - [`Learner`], [`Accounts`]: accounts, and the calls of the API that open a conversation.
//! - [`Connection`]: the WebSocket. [`Microphone`]: the audio that goes out, counted so that it can be sent again.
//! - [`Script`] and [`Learner::converse`]: a whole conversation, with reconnects.

mod account;
mod connection;
mod driver;
mod microphone;
mod playback;
mod script;
mod session;
mod wav;
mod word_errors;

pub use account::{Accounts, Learner, PASSWORD, TicketError};
pub use connection::{Connection, Incoming, Offer};
pub use driver::{Conversation, SessionEvent};
pub(crate) use driver::{FRAME_SAMPLES, SessionDriver};
pub use microphone::Microphone;
pub use script::{Line, Script};
pub(crate) use session::LearnerSession;
pub use wav::read_wav;
pub use word_errors::WordErrors;
