//! What counts as a failure of a message: crashes of its worker do; throttling, restarts and waiting for a busy resource do
//! not.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::anyhow;
use jiff::SignedDuration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Consumer, MINUTE, Script, consume, eventually,
    fake::{Fake, Fault, RECEIVE_COUNT_MAX},
};
use crate::runtime::{
    consumer::{Delivery, Handler},
    delivery::{BUSY_JITTER_MAX, EXCLUSIVE_MAX},
    env::Process,
    failure::Failure,
};

/// The handler of a worker that is restarted after each crash.
#[derive(Clone)]
struct Killed {
    process: Process,
    script: Script,
    kills: Arc<Mutex<u32>>,
}

impl Handler for Killed {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        if delivery.body.starts_with("kill") {
            // Long enough for the other messages to be running as well.
            tokio::time::sleep(Duration::from_secs(2)).await;
            *self.kills.lock().unwrap() += 1;
            self.process.kill();
            std::future::pending::<()>().await;
        }
        self.script.handle(delivery).await
    }
}

/// The unrecorded first receive, the shared attempt, and the exclusive attempts.
const KILLS_MAX: u32 = 2 + EXCLUSIVE_MAX;

#[tokio::test(start_paused = true)]
async fn message_that_kills_its_worker_is_dead_lettered_and_its_neighbours_are_not() {
    let kills = found_out_whatever_it_kills(Duration::ZERO).await;
    assert!(kills <= KILLS_MAX, "{kills} kills");
}

#[tokio::test(start_paused = true)]
async fn message_that_kills_its_worker_kills_no_more_of_them_while_attempts_cannot_be_noted() {
    let kills = found_out_whatever_it_kills(90 * MINUTE).await;
    assert!(kills <= KILLS_MAX, "{kills} kills");
}

/// Returns how many workers crashed until the message was dead-lettered. For the time `unnoted` the table of attempts
/// rejects all writes.
async fn found_out_whatever_it_kills(unnoted: Duration) -> u32 {
    let neighbours: Vec<_> = (0..7).map(|n| format!("sleep 3 {n}")).collect();
    let fake = Fake::with(neighbours.iter().cloned().chain(["kill 1".to_owned()]));
    let (script, kills) = (Script::default(), Arc::default());
    let noted_from = Instant::now() + unnoted;
    if !unnoted.is_zero() {
        fake.state().fault = Fault::NoNotes;
    }
    let until = noted_from + 60 * MINUTE;
    let mut starts = 0;
    while !fake.state().messages.is_empty() {
        assert!(Instant::now() < until, "it is over within an hour");
        starts += 1;
        let process = Process::new(SignedDuration::ZERO);
        let handler = Killed { process: process.clone(), script: script.clone(), kills: Arc::clone(&kills) };
        let (sdk, config) = (fake.sdk_config(), Fake::config(8, 80));
        let (before, shutdown) = (*kills.lock().unwrap(), CancellationToken::new());
        let token = shutdown.clone();
        let worker = process.spawn(async move { consume("test", &config, &sdk, token, handler).await });
        while *kills.lock().unwrap() == before && !fake.state().messages.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if Instant::now() >= noted_from {
                fake.state().fault = Fault::None;
            }
        }
        shutdown.cancel();
        // Killed or stopped.
        let _ = worker.await;
    }
    let state = fake.state();
    assert_eq!(state.rejected, [("kill 1".to_owned(), "crashed the worker".to_owned())]);
    assert!(state.exhausted.is_empty(), "{:?}", state.exhausted);
    let kills = *kills.lock().unwrap();
    assert!(starts <= kills + 1, "{kills} kills, {starts} starts");
    for neighbour in neighbours {
        assert!(script.of(&neighbour).ended >= 1, "{neighbour}");
    }
    kills
}

/// A stopping worker returns a message that waits for a busy resource.
#[tokio::test(start_paused = true)]
async fn stops_of_its_workers_are_no_attempts_however_many_they_are() {
    const STOPS: u32 = 30;
    let fake = Fake::with(["wait".to_owned()]);
    let taken = Taken { until: Instant::now() + 60 * MINUTE, asked: Arc::default() };
    for stop in 1..=STOPS {
        let consumer = Consumer::start(&fake, 2, 80, taken.clone());
        eventually(MINUTE, "it is received", || fake.state().messages[0].receives == stop).await;
        consumer.stop().await;
        assert_eq!(fake.state().in_flight(), 0, "it is given back at once");
    }
    let consumer = Consumer::start(&fake, 2, 80, Taken { until: Instant::now(), ..taken });
    eventually(MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
    assert!(fake.state().rejected.is_empty() && fake.state().exhausted.is_empty());
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn message_that_succeeds_at_once_costs_no_note() {
    let fake = Fake::with((0..20).map(|n| format!("done {n}")));
    let consumer = Consumer::start(&fake, 8, 80, Script::default());
    eventually(MINUTE, "all are gone", || fake.state().messages.is_empty()).await;
    consumer.stop().await;
    assert_eq!(fake.state().notes, 0);
}

/// A service that takes two calls at a time and throttles all others.
#[derive(Clone, Default)]
struct Narrow {
    inside: Arc<Mutex<u32>>,
    throttles: Arc<Mutex<u32>>,
    done: Arc<Mutex<BTreeSet<String>>>,
}

impl Handler for Narrow {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let taken = {
            let mut inside = self.inside.lock().unwrap();
            let taken = *inside < 2;
            *inside += u32::from(taken);
            taken
        };
        tokio::time::sleep(Duration::from_millis(if taken { 1000 } else { 100 })).await;
        if !taken {
            *self.throttles.lock().unwrap() += 1;
            return Err(Failure::throttled(anyhow!("too many requests"), Some(Duration::from_secs(1))));
        }
        *self.inside.lock().unwrap() -= 1;
        self.done.lock().unwrap().insert(delivery.body.clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_worker_slows_down_and_no_message_pays_for_it() {
    let fake = Fake::with((0..400).map(|n| format!("call {n}")));
    let narrow = Narrow::default();
    let consumer = Consumer::start(&fake, 64, 80, narrow.clone());
    eventually(15 * MINUTE, "all are handled", || fake.state().messages.is_empty()).await;
    consumer.stop().await;
    let state = fake.state();
    assert!(state.rejected.is_empty() && state.exhausted.is_empty());
    assert_eq!(narrow.done.lock().unwrap().len(), 400);
    // With all 64 at once, each success would cost more than thirty throttled calls.
    let throttles = *narrow.throttles.lock().unwrap();
    assert!((10..2000).contains(&throttles), "{throttles}");
}

/// The second receive leaves an attempt without a report, so that the attempts of the third run exclusively.
#[tokio::test(start_paused = true)]
async fn attempts_whose_reports_are_not_noted_are_not_taken_for_crashes_of_the_same_receive() {
    let fake = Fake::with_received(["wait".to_owned()], 1);
    let taken = Taken { until: Instant::now() + 60 * MINUTE, asked: Arc::default() };
    fake.state().fault = Fault::NoReports;
    let consumer = Consumer::start(&fake, 2, 80, taken.clone());
    for receive in [2, 3, 4] {
        eventually(5 * MINUTE, "it is received", || fake.state().messages[0].receives == receive).await;
    }
    assert!(*taken.asked.lock().unwrap() > 10, "it ran more than once in each receive");
    fake.state().fault = Fault::None;
    eventually(61 * MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
    assert!(fake.state().rejected.is_empty() && fake.state().exhausted.is_empty());
    consumer.stop().await;
}

/// A resource that is in use until a given time.
#[derive(Clone)]
struct Taken {
    until: Instant,
    asked: Arc<Mutex<u32>>,
}

impl Handler for Taken {
    async fn handle(&self, _: &Delivery) -> Result<(), Failure> {
        *self.asked.lock().unwrap() += 1;
        if Instant::now() < self.until {
            return Err(Failure::busy(anyhow!("the resource is in use"), Duration::from_secs(3)));
        }
        Ok(())
    }
}

/// Both for a held message and for one that returns to the queue.
#[tokio::test(start_paused = true)]
async fn moment_that_was_asked_for_is_met() {
    /// Work that can be done from a given time on.
    #[derive(Clone)]
    struct Due(Instant);

    impl Handler for Due {
        async fn handle(&self, _: &Delivery) -> Result<(), Failure> {
            let left = self.0.saturating_duration_since(Instant::now());
            if left.is_zero() { Ok(()) } else { Err(Failure::busy(anyhow!("not yet"), left)) }
        }
    }

    for seconds in [2, 45, 59, 61, 90, 300, 4000] {
        let wait = Duration::from_secs(seconds);
        let fake = Fake::with(["wait".to_owned()]);
        let due = Instant::now() + wait;
        let consumer = Consumer::start(&fake, 2, 80, Due(due));
        eventually(wait + MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
        let late = due.elapsed();
        assert!(late <= BUSY_JITTER_MAX + Duration::from_secs(2), "{late:?} after {wait:?}");
        consumer.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_somebody_else_is_no_attempt() {
    let fake = Fake::with(["wait".to_owned()]);
    let taken = Taken { until: Instant::now() + 60 * MINUTE, asked: Arc::default() };
    let consumer = Consumer::start(&fake, 2, 80, taken.clone());
    tokio::time::sleep(59 * MINUTE).await;
    assert!(fake.state().messages[0].receives <= RECEIVE_COUNT_MAX);
    let asked = *taken.asked.lock().unwrap();
    assert!((20..1000).contains(&asked), "{asked}");
    eventually(5 * MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
    assert!(fake.state().rejected.is_empty() && fake.state().exhausted.is_empty());
    consumer.stop().await;
}
