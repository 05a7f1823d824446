//! PURE. How the number of tasks follows the load: a simulation of a school day and of a surge, from measured service rates and the
//! scaling policies of the templates. `infra/SCALING.md` shows its plots; a test compares its parameters with the templates.
//!
//! It is a fluid model in steps of ten seconds: no single conversation, no chance, no network.

mod fleet;
mod plot;
mod policy;
mod scenario;

pub use fleet::{Run, Sample, simulate};
pub use plot::svg;
pub use policy::{ConversationPolicy, WorkerPolicy};
pub use scenario::Scenario;
