//! The harness of the end-to-end tests: what stands between the service and the local cloud, and what watches it.
//!
//! It starts the real binaries through `infra::local` and learners through `infra::learner`. What is here is only
//! what tests need and operators do not: redelivery as SQS may do it, a tap on the bus, an inbox for alerts and
//! a reader of everything that was stored.

pub mod actual;
pub mod deployment;
pub mod expected;
pub mod fault_proxy;
pub mod inbox;
pub mod journalled;
pub mod live;
pub mod model;
pub mod redelivery;
pub mod results;
pub mod sse;
mod subscription;
pub mod system;
pub mod tap;
pub mod tcp_proxy;
