//! The harness of the simulation, the live tests and the end-to-end tests: a model of AWS in memory, proxies that inject faults,
//! a writer of conversations, collectors of the stored and published results, and the oracle that compares them.
//!
//! The end-to-end tests start the real binaries through `infra::local` and learners through `infra::client`.

pub mod actual;
pub mod deployment;
pub mod expected;
pub mod fault_proxy;
pub mod inbox;
pub mod journalled;
pub mod live;
pub mod model;
pub mod results;
pub mod sse;
mod subscription;
pub mod system;
pub mod tap;
pub mod tcp_proxy;
