//! Storms: each seed plans the faults of one run. The real pipeline passes every seed, and each mutant (`mutants`) fails
//! one. These tests use only processor time, so `cargo run -- test` runs them beside tests that wait.

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

/// Default number of seeds.
const SEEDS: u64 = 300;

/// Lines of the trace in the report of a failure.
const TRACE_LINES: usize = 4000;

/// Seeds between two progress reports.
const REPORT_EVERY: usize = 100;

fn report(seed: u64, run: &Run) -> String {
    let mut text = format!(
        "seed {seed}: the last calls and the violations\n(NOVA_SEED={seed} cargo test --workspace --test sim no_storm \
         repeats it)\n"
    );
    for line in run.trace.iter().rev().take(TRACE_LINES).rev().chain(&run.violations) {
        writeln!(text, "{line}").expect("a string takes all text");
    }
    text
}

/// Runs the seeds on all processors until one fails. Returns the first failed one in the order of `seeds`, among those that
/// ran.
fn first_failure(variant: Variant, seeds: &[u64], reports: bool) -> Option<(u64, Run)> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Option<(usize, Run)>> = Mutex::new(None);
    let found = &found;
    let work = || {
        while found.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(position) else { return };
            if reports && position > 0 && position.is_multiple_of(REPORT_EVERY) {
                // Bypasses the output capture of the tests. A closed stderr does not matter.
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
    if let Some((seed, run)) = first_failure(Variant::Real, &seeds, many.is_some()) {
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
    if let Some((seed, run)) = first_failure(Variant::Calm, &[0, 1, 2, 3, 4], false) {
        panic!("{}", report(seed, &run));
    }
}

/// The violations of the mutant `variant` in the first of the default seeds that fails, among those whose plan `applies`.
fn violations_of(variant: Variant, applies: impl Fn(&Plan) -> bool) -> Vec<String> {
    let seeds: Vec<u64> = (0..SEEDS).filter(|seed| applies(&Plan::of(*seed))).collect();
    let found = first_failure(variant, &seeds, false);
    let (_, run) = found.expect("one of the default seeds must fail");
    run.violations
}

#[test]
fn lease_without_epoch_is_found() {
    let violations = violations_of(Variant::UnfencedAnalysis, |_| true);
    let is_found = |text: &String| text.starts_with("I2") || text.starts_with("I6");
    assert!(violations.iter().any(is_found), "{violations:?}");
}

#[test]
fn delete_before_the_effect_is_found() {
    let violations = violations_of(Variant::DeleteFirst, |_| true);
    assert!(violations.iter().any(|text| text.starts_with("I1")), "{violations:?}");
}

#[test]
fn counting_without_a_marker_is_found() {
    let violations = violations_of(Variant::Unmarked, |_| true);
    assert!(violations.iter().any(|text| text.starts_with("I3")), "{violations:?}");
}

#[test]
fn queues_that_give_up_after_few_receives_are_found() {
    let violations = violations_of(Variant::FewReceives, |plan| plan.stops);
    assert!(violations.iter().any(|text| text.starts_with("I7")), "{violations:?}");
}

#[test]
fn erasure_that_neither_waits_nor_leaves_a_mark_is_found() {
    let mut seeds = (0..SEEDS).filter(|seed| Plan::of(*seed).deletes.is_some());
    // The missing mark is found in every run. The test demands its consequence, too: data that remains.
    let remains = |text: &String| text.starts_with("I9") && text.contains(" remain");
    let found =
        seeds.find(|seed| run(*seed, Variant::ForgetfulErasure, false).violations.iter().any(remains));
    assert!(found.is_some(), "one of the default seeds must fail");
}
