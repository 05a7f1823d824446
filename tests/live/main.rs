//! Tests of the live endpoint: the real ingress in this process, the Bedrock simulator over TLS, AWS in memory. See
//! `tests::live` for the harness.

mod access;
mod account;
mod advice;
mod coordination;
mod deletion;
mod ends;
mod faults;
mod flood;
mod hour;
mod limits;
mod oracle;
mod page;
mod plain;
mod presence;
mod reader;
mod resources;
mod sign_in;
mod streams;
mod talk;
mod trouble;
mod visitor;
mod workers;
