//! The environment of a process: wall clock, random numbers and the spawning of tasks.
//!
//! Binaries use the system's clock and random numbers. A simulation replaces them, on its own thread, by tokio's clock and a
//! seeded generator ([`Simulated`]), so that a run is reproducible to the byte, and groups tasks into processes
//! ([`Process`]).

use std::{cell::RefCell, marker::PhantomData};

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::JoinHandle, time::Instant};
use uuid::Uuid;

mod process;

pub use process::Process;

thread_local! {
    static SIMULATED: RefCell<Option<Environment>> = const { RefCell::new(None) };
}

struct Environment {
    random: StdRng,
    epoch: Timestamp,
    started: Instant,
}

#[must_use]
pub fn now() -> Timestamp {
    simulated(|environment| {
        let elapsed = SignedDuration::try_from(environment.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let skewed = elapsed.saturating_add(process::skew());
        environment.epoch.saturating_add(skewed).unwrap_or(Timestamp::MAX)
    })
    .unwrap_or_else(Timestamp::now)
}

/// A uniformly distributed random number from 0 to 1.
#[must_use]
pub fn random_fraction() -> f64 {
    simulated(|environment| environment.random.random()).unwrap_or_else(rand::random)
}

/// A random seed for another generator.
#[must_use]
pub fn random_seed() -> u64 {
    simulated(|environment| environment.random.random()).unwrap_or_else(rand::random)
}

/// A random UUID (version 4).
#[must_use]
pub fn random_uuid() -> Uuid {
    simulated(|environment| uuid::Builder::from_random_bytes(environment.random.random()).into_uuid())
        .unwrap_or_else(Uuid::new_v4)
}

/// Spawns a task. In a simulation it belongs to the process of the spawning task, and is stopped and killed with it.
pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match process::current() {
        Some(process) => process.spawn(task),
        None => tokio::spawn(task),
    }
}

/// While this value exists, the clock of its thread starts at a given time and follows tokio's clock, and random numbers
/// follow a seed.
#[derive(Debug)]
pub struct Simulated {
    /// Makes the type `!Send`: it belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl Simulated {
    /// Starts at `epoch` with `seed`, inside a tokio runtime.
    #[must_use]
    pub fn start(epoch: Timestamp, seed: u64) -> Self {
        let environment = Environment { random: StdRng::seed_from_u64(seed), epoch, started: Instant::now() };
        SIMULATED.set(Some(environment));
        Self { _thread: PhantomData }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        SIMULATED.set(None);
    }
}

fn simulated<T>(take: impl FnOnce(&mut Environment) -> T) -> Option<T> {
    SIMULATED.with_borrow_mut(|environment| environment.as_mut().map(take))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn draws() -> (u64, Uuid, f64) {
        (random_seed(), random_uuid(), random_fraction())
    }

    #[tokio::test(start_paused = true)]
    async fn simulated_world_follows_the_seed_and_the_clock_until_it_ends() {
        let epoch: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        let drawn = |seed| {
            let _world = Simulated::start(epoch, seed);
            draws()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));

        let world = Simulated::start(epoch, 7);
        assert_eq!(now(), epoch);
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(now().duration_since(epoch), SignedDuration::from_secs(90));
        drop(world);
        assert!(now().duration_since(Timestamp::now()).abs() < SignedDuration::from_secs(60));
        assert_ne!(draws(), draws());
        assert_eq!(random_uuid().get_version_num(), 4);
    }
}
