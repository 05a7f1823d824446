//! Tests of the live endpoint: the real ingress in this process, the Bedrock simulator over TLS, AWS in memory. See
//! `tests::live` for the harness.

mod access;
mod ends;
mod limits;
mod talk;
mod visitor;
