//! Deterministic simulation of the whole pipeline: the real handlers, consumer, journal, bus and SDK clients on
//! virtual time, against AWS in memory (`tests::model`), through a storm of everything that AWS, networks and
//! processes are allowed to do. After the quiet, the invariants of the oracle hold.
//!
//! `NOVA_SEEDS=n` chooses how many seeds are run, on all processors, and tells how far it is; `NOVA_SEED=x` repeats
//! one. A seed that fails prints itself and its calls. `NOVA_LOAD_CONVERSATIONS=n` is the size of the load test.

mod account_deletion;
mod alert_batching;
mod documents;
mod ingress;
mod load;
mod mutants;
mod observed;
mod oracle;
mod orders;
mod plan;
mod processes;
mod small_scale;
mod storm;
mod takeover;
mod world;

/// A setting of a run.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
