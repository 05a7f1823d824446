//! Deterministic simulation of the whole pipeline: the real handlers, consumer, journal, bus and SDK clients on
//! virtual time, against AWS in memory (`tests::model`), through a storm of everything that AWS, networks and
//! processes are allowed to do. After the quiet, the invariants of the oracle hold.
//!
//! `NOVA_SEEDS=n` chooses how many seeds are run, `NOVA_SEED=x` repeats one and prints its calls.

mod ingress;
mod oracle;
mod processes;
mod world;
mod wrong;

use std::fmt::Write;

use world::{Run, Variant, run};

/// Seeds of one run of the tests, unless `NOVA_SEEDS` says otherwise.
const SEEDS: u64 = 40;

/// Seeds that are always run: a write that notes a finished effect fails after the effect.
const PINNED: [u64; 2] = [59, 70];

/// Lines of the trace that a failure shows.
const SHOWN: usize = 4000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn report(seed: u64, run: &Run) -> String {
    let mut text = format!("seed {seed} (NOVA_SEED={seed} repeats it):\n");
    for line in run.trace.iter().rev().take(SHOWN).rev().chain(&run.violations) {
        writeln!(text, "{line}").expect("a string takes all text");
    }
    text
}

/// The first seed below `seeds` with which `variant` is found out, and what is said of it.
fn found_out(variant: Variant, seeds: u64) -> Option<(u64, Vec<String>)> {
    (0..seeds)
        .map(|seed| (seed, run(seed, variant).violations))
        .find(|(_, violations)| !violations.is_empty())
}

#[test]
fn no_storm_loses_or_repeats_anything() {
    let seeds: Vec<u64> = match number("NOVA_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("NOVA_SEEDS").unwrap_or(SEEDS)).chain(PINNED).collect(),
    };
    for seed in seeds {
        let run = run(seed, Variant::Real);
        assert!(run.violations.is_empty(), "{}", report(seed, &run));
    }
}

#[test]
fn same_seed_makes_the_same_calls_and_another_makes_others() {
    let first = run(7, Variant::Real).trace;
    let again = run(7, Variant::Real).trace;
    let differ = first.iter().zip(&again).find(|(first, again)| first != again);
    assert_eq!(differ, None);
    assert_eq!(first.len(), again.len());
    assert!(first.len() > 200, "{} calls", first.len());
    assert_ne!(first, run(8, Variant::Real).trace);
}

#[test]
fn process_that_is_asked_to_stop_keeps_no_message() {
    for seed in 0..5 {
        let run = run(seed, Variant::Calm);
        assert!(run.violations.is_empty(), "{}", report(seed, &run));
    }
}

#[test]
fn lease_without_epoch_is_found() {
    let (_, violations) = found_out(Variant::UnfencedAnalysis, 10).expect("the simulation must find it");
    let known = ["I2", "I6", "two different events", "overwritten"];
    assert!(violations.iter().any(|found| known.iter().any(|what| found.contains(what))), "{violations:?}");
}

#[test]
fn delete_before_the_effect_is_found() {
    let (_, violations) = found_out(Variant::DeleteFirst, 10).expect("the simulation must find it");
    assert!(violations.iter().any(|found| found.starts_with("I1")), "{violations:?}");
}

#[test]
fn counting_without_a_marker_is_found() {
    let (_, violations) = found_out(Variant::Unmarked, 10).expect("the simulation must find it");
    assert!(violations.iter().any(|found| found.starts_with("I3: counted")), "{violations:?}");
}
