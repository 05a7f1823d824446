//! The deterministic simulation of the pipeline: the real handlers, consumer, journal, bus and SDK clients on virtual time,
//! against AWS in memory (`tests::model`), through a storm of the faults that AWS, networks and processes may have. After a
//! quiet period the invariants of the oracle (`tests/src/expected.rs`) hold.
//!
//! `NOVA_SEEDS=n` sets the number of seeds, which run on all processors with a progress report; `NOVA_SEED=x` repeats one. A
//! seed that fails prints itself and its calls. `NOVA_LOAD_CONVERSATIONS=n` is the size of the load test.

mod account_deletion;
mod actual;
mod alert_batching;
mod audit;
mod documents;
mod drill;
mod forged;
mod ingress;
mod leftovers;
mod load;
mod models;
mod mutants;
mod orders;
mod plan;
mod processes;
mod replica;
mod small_scale;
mod storm;
mod takeover;
mod world;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
