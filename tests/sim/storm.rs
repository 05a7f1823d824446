//! Storms: seeds that decide what happens to everything, the real pipeline and pipelines with a mistake, which must be
//! found out. These tests need nothing but processor time, so `cargo run -- test` runs them beside tests that wait.

use std::{
    fmt::Write as _,
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    number,
    plan::{Plan, Variant},
    world::{Run, run},
};

/// Seeds of one run of the tests, unless `NOVA_SEEDS` says otherwise.
const SEEDS: u64 = 300;

/// Lines of the trace that a failure shows.
const SHOWN: usize = 4000;

/// Seeds between two lines that tell how far it is.
const TOLD_EVERY: usize = 100;

fn report(seed: u64, run: &Run) -> String {
    let mut text = format!(
        "seed {seed}: its last calls, and what is wrong\n(NOVA_SEED={seed} cargo test -p tests --test sim no_storm \
         repeats it)\n"
    );
    for line in run.trace.iter().rev().take(SHOWN).rev().chain(&run.violations) {
        writeln!(text, "{line}").expect("a string takes all text");
    }
    text
}

/// Runs each seed on a thread of its own world, on all processors, until one is found out. Returns the first that is,
/// in the order of `seeds`, among those that were run.
fn found_out(variant: Variant, seeds: &[u64], tells: bool) -> Option<(u64, Run)> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Option<(usize, Run)>> = Mutex::new(None);
    let found = &found;
    let work = || {
        while found.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(position) else { return };
            if tells && position > 0 && position.is_multiple_of(TOLD_EVERY) {
                // Written past the capture of the tests. Nobody may be there to read it.
                let _ = writeln!(std::io::stderr(), "{position} of {} seeds", seeds.len());
            }
            if !run(*seed, variant, false).violations.is_empty() {
                let run = run(*seed, variant, true);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                if found.as_ref().is_none_or(|(first, _)| position < *first) {
                    *found = Some((position, run));
                }
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    found.map(|(position, run)| (seeds[position], run))
}

#[test]
fn no_storm_loses_or_repeats_anything() {
    let (one, many) = (number("NOVA_SEED"), number("NOVA_SEEDS"));
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => (0..many.unwrap_or(SEEDS)).collect(),
    };
    if let Some((seed, run)) = found_out(Variant::Real, &seeds, many.is_some()) {
        panic!("{}", report(seed, &run));
    }
}

#[test]
fn same_seed_makes_the_same_calls_and_another_makes_others() {
    let first = run(7, Variant::Real, true).trace;
    let again = run(7, Variant::Real, true).trace;
    let differ = first.iter().zip(&again).find(|(first, again)| first != again);
    assert_eq!(differ, None);
    assert_eq!(first.len(), again.len());
    assert!(first.len() > 200, "{} calls", first.len());
    assert_ne!(first, run(8, Variant::Real, true).trace);
}

#[test]
fn process_that_is_asked_to_stop_keeps_no_message() {
    if let Some((seed, run)) = found_out(Variant::Calm, &[0, 1, 2, 3, 4], false) {
        panic!("{}", report(seed, &run));
    }
}

/// What is said of `variant`, which is wrong, with those of the default seeds that meet it.
fn said_of(variant: Variant, meets: impl Fn(&Plan) -> bool) -> Vec<String> {
    let seeds: Vec<u64> = (0..SEEDS).filter(|seed| meets(&Plan::of(*seed))).collect();
    let found = found_out(variant, &seeds, false);
    let (_, run) = found.expect("one of the default seeds must find it out");
    run.violations
}

#[test]
fn lease_without_epoch_is_found() {
    let said = said_of(Variant::UnfencedAnalysis, |_| true);
    assert!(said.iter().any(|said| said.starts_with("I2") || said.starts_with("I6")), "{said:?}");
}

#[test]
fn delete_before_the_effect_is_found() {
    let said = said_of(Variant::DeleteFirst, |_| true);
    assert!(said.iter().any(|said| said.starts_with("I1")), "{said:?}");
}

#[test]
fn counting_without_a_marker_is_found() {
    let said = said_of(Variant::Unmarked, |_| true);
    assert!(said.iter().any(|said| said.starts_with("I3")), "{said:?}");
}

#[test]
fn queues_that_give_up_after_few_receives_are_found() {
    let said = said_of(Variant::FewReceives, |plan| plan.stops);
    assert!(said.iter().any(|said| said.starts_with("I7")), "{said:?}");
}

#[test]
fn erasure_that_neither_waits_nor_leaves_a_mark_is_found() {
    let mut seeds = (0..SEEDS).filter(|seed| Plan::of(*seed).leaves.is_some());
    // The mark is missed every time; what is to be seen is what that leads to.
    let is_left = |said: &String| said.starts_with("I9") && said.contains("left of");
    let found =
        seeds.find(|seed| run(*seed, Variant::ForgetfulErasure, false).violations.iter().any(is_left));
    assert!(found.is_some(), "one of the default seeds must find it out");
}
