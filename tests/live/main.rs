//! Tests of the live endpoint: the real ingress in this process, the Bedrock simulator over TLS, AWS in memory. See
//! `tests::live` for the harness.

mod access;
mod account;
mod advice;
mod analysts;
mod busy;
mod config;
mod coordination;
mod day;
mod deletion;
mod disruption;
mod ends;
mod equal_time;
mod faults;
mod faulty_session;
mod flood;
mod history;
mod hour;
mod limits;
mod lockout;
mod loudspeaker;
mod objectives;
mod operators;
mod oracle;
mod pictures;
mod plain;
mod presence;
mod raw_client;
mod reader;
mod resources;
mod sessions;
mod sign_in;
mod step_up;
mod streams;
mod texts;
mod workers;
