//! Tests of the consumer with a queue in memory, on tokio's clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Delivery, EventHandler, Events, Handler, Ledger, Queue, Resources, SILENT_MAX, consume, health::Health,
    run,
};
use crate::{
    contract::{EVENT_NAMES, Envelope, TraceParent},
    runtime::{
        delivery::{BUSY_JITTER_MAX, FAILURES_MAX, PARK, RECEIVES_PER_FAILURE},
        failure::Failure,
    },
};

mod attempts;
mod fake;
mod log_line;
mod options;

use fake::{Fake, Fault, RECEIVE_COUNT_MAX, VISIBILITY};

/// A handler whose behaviour follows from the body, and the runs it has seen.
#[derive(Clone, Default)]
struct Script {
    runs: Arc<Mutex<HashMap<String, Runs>>>,
    /// Handlers that run now, and the maximum so far.
    running: Arc<Mutex<(u32, u32)>>,
    works_again_at: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Runs {
    begun: u32,
    ended: u32,
    now: u32,
    now_max: u32,
}

struct Running<'a>(&'a Script, String);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(&self.1, |runs| runs.now -= 1);
        self.0.running.lock().unwrap().0 -= 1;
    }
}

impl Script {
    fn change(&self, body: &str, change: impl FnOnce(&mut Runs)) -> Runs {
        let mut runs = self.runs.lock().unwrap();
        let runs = runs.entry(body.to_owned()).or_default();
        change(runs);
        *runs
    }

    fn of(&self, body: &str) -> Runs {
        self.change(body, |_| {})
    }
}

impl Handler for Script {
    async fn handle(&self, delivery: &Delivery) -> Result<(), Failure> {
        let body = &delivery.body;
        self.change(body, |runs| {
            runs.begun += 1;
            runs.now += 1;
            runs.now_max = runs.now_max.max(runs.now);
        });
        {
            let mut running = self.running.lock().unwrap();
            *running = (running.0 + 1, running.1.max(running.0 + 1));
        }
        let _running = Running(self, body.clone());
        let mut words = body.split(' ');
        let (what, detail) = (words.next().unwrap(), words.next().unwrap());
        let first = delivery.receive_count == 1;
        let result = match what {
            "sleep" => {
                tokio::time::sleep(Duration::from_secs(detail.parse().unwrap())).await;
                Ok(())
            }
            "retry" if first => Err(Failure::retry(anyhow::anyhow!("once"))),
            "later" if first => Err(Failure::busy(anyhow::anyhow!("not yet"), Duration::from_secs(1000))),
            "panic" if first => panic!("as told"),
            "reject" => Err(Failure::reject(detail)),
            "park" => Err(Failure::park(anyhow::anyhow!("too new"))),
            "fail" => Err(Failure::retry(anyhow::anyhow!("always"))),
            "unavailable" if self.works_again_at.is_some_and(|at| Instant::now() < at) => {
                Err(Failure::unavailable(anyhow::anyhow!("InternalServerError")))
            }
            "hapless" => Err(Failure::unavailable(anyhow::anyhow!("InternalServerError"))),
            "environment" if self.works_again_at.is_some_and(|at| Instant::now() < at) => {
                Err(Failure::environment(anyhow::anyhow!("access denied")))
            }
            _ => Ok(()),
        };
        self.change(body, |runs| runs.ended += 1);
        result
    }
}

struct Consumer {
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Consumer {
    fn start<H: Handler>(fake: &Fake, concurrency: u32, drain_seconds: u64, handler: H) -> Self {
        let shutdown = CancellationToken::new();
        let (sdk, token) = (fake.sdk_config(), shutdown.clone());
        let config = Fake::config(concurrency, drain_seconds);
        let task = tokio::spawn(async move { consume("test", &config, &sdk, token, handler).await });
        Self { shutdown, task }
    }

    async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        asked.elapsed()
    }
}

async fn eventually(within: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + within;
    while !condition() {
        assert!(Instant::now() < until, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn every_outcome_has_its_end() {
    let bodies = ["done 1", "retry 1", "later 1", "panic 1", "reject because", "park 1"].map(str::to_owned);
    let fake = Fake::with(bodies);
    let script = Script::default();
    let start = Instant::now();
    let consumer = Consumer::start(&fake, 8, 80, script.clone());
    eventually(MINUTE, "all but the delayed are gone", || fake.state().messages.len() == 2).await;
    assert_eq!(fake.state().rejected, [("reject because".to_owned(), "because".to_owned())]);
    assert_eq!((script.of("retry 1").begun, script.of("panic 1").begun), (2, 2));
    eventually(20 * MINUTE, "the one that asked for a wait is gone", || script.of("later 1").begun == 2)
        .await;
    let late = start.elapsed().checked_sub(Duration::from_secs(1000)).expect("not before it asked");
    assert!(late <= BUSY_JITTER_MAX + Duration::from_secs(2), "{late:?} later than it asked");
    assert_eq!(script.of("park 1").begun, 1 + u32::from(start.elapsed() > PARK));
    consumer.stop().await;
    assert_eq!(fake.state().messages.len(), 1, "the parked message stays");
}

#[tokio::test(start_paused = true)]
async fn long_handler_keeps_its_message() {
    let fake = Fake::with(["sleep 3600".to_owned()]);
    let script = Script::default();
    let consumer = Consumer::start(&fake, 2, 80, script.clone());
    eventually(61 * MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
    assert_eq!(script.of("sleep 3600").begun, 1);
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn handler_whose_lease_is_lost_ends_before_another_begins() {
    for fault in [Fault::NoExtension, Fault::SilentExtension] {
        let fake = Fake::with(["sleep 300".to_owned()]);
        fake.state().fault = fault;
        let script = Script::default();
        let consumer = Consumer::start(&fake, 4, 80, script.clone());
        eventually(MINUTE, "the first run is cancelled", || {
            let runs = script.of("sleep 300");
            runs.begun == 1 && runs.now == 0
        })
        .await;
        assert_eq!(fake.state().in_flight(), 1, "no other consumer can receive it yet ({fault:?})");
        eventually(MINUTE, "it is received again", || script.of("sleep 300").begun == 2).await;
        fake.state().fault = Fault::None;
        eventually(10 * MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
        assert_eq!(script.of("sleep 300").now_max, 1);
        consumer.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_than_are_allowed() {
    let fake = Fake::with((0..100).map(|n| format!("sleep {} {n}", 1 + n % 7)));
    let script = Script::default();
    let consumer = Consumer::start(&fake, 12, 80, script.clone());
    eventually(10 * MINUTE, "all are handled", || fake.state().messages.is_empty()).await;
    assert_eq!(script.runs.lock().unwrap().len(), 100);
    assert_eq!(*script.running.lock().unwrap(), (0, 12), "the limit is reached and kept");
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn finished_message_that_comes_again_is_not_run_again() {
    let fake = Fake::with(["done 1".to_owned()]);
    fake.state().fault = Fault::ForgottenDeletes;
    let script = Script::default();
    let consumer = Consumer::start(&fake, 4, 80, script.clone());
    eventually(5 * MINUTE, "it comes again", || fake.state().messages[0].receives == 3).await;
    fake.state().fault = Fault::None;
    eventually(5 * MINUTE, "it is deleted", || fake.state().messages.is_empty()).await;
    assert_eq!(script.of("done 1").begun, 1);
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn delete_that_fails_for_one_message_is_repeated_for_it() {
    let fake = Fake::with((0..10).map(|n| format!("done {n}")));
    fake.state().fault = Fault::PartialDeletes;
    let consumer = Consumer::start(&fake, 10, 80, Script::default());
    eventually(VISIBILITY / 2, "all are deleted in their first lease", || fake.state().messages.is_empty())
        .await;
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn message_that_always_fails_is_dead_lettered_with_the_reason() {
    let fake = Fake::with(["fail 1", "done 1"].map(str::to_owned));
    let script = Script::default();
    let consumer = Consumer::start(&fake, 8, 80, script.clone());
    eventually(120 * MINUTE, "both are gone", || fake.state().messages.is_empty()).await;
    assert_eq!(fake.state().rejected, [("fail 1".to_owned(), "failed 6 times".to_owned())]);
    assert_eq!(script.of("fail 1").begun, FAILURES_MAX);
    assert!(fake.state().exhausted.is_empty(), "never without a reason");
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn broken_environment_dead_letters_nothing() {
    outage_dead_letters_nothing("environment", 0).await;
    outage_dead_letters_nothing("environment", RECEIVE_COUNT_MAX - 3).await;
}

#[tokio::test(start_paused = true)]
async fn outage_of_a_service_dead_letters_nothing() {
    outage_dead_letters_nothing("unavailable", 0).await;
    outage_dead_letters_nothing("unavailable", RECEIVE_COUNT_MAX - 3).await;
}

/// Also with messages that have few receives left: on the last one they are held.
async fn outage_dead_letters_nothing(what: &str, received: u32) {
    let fake = Fake::with_received((0..30).map(|n| format!("{what} {n}")), received);
    let works_again_at = Some(Instant::now() + 60 * MINUTE);
    let script = Script { works_again_at, ..Script::default() };
    let consumer = Consumer::start(&fake, 8, 80, script.clone());
    tokio::time::sleep(59 * MINUTE).await;
    let begun: u32 = script.runs.lock().unwrap().values().map(|runs| runs.begun).sum();
    assert!((10..200).contains(&begun), "it is probed, and seldom: {begun} runs");
    let receives_max = fake.state().messages.iter().map(|message| message.receives).max().unwrap();
    assert!(receives_max <= RECEIVE_COUNT_MAX);
    eventually(30 * MINUTE, "all are handled", || fake.state().messages.is_empty()).await;
    assert!(fake.state().exhausted.is_empty() && fake.state().rejected.is_empty());
    consumer.stop().await;
}

/// Also if the failing messages are on their last receive: the others still run.
#[tokio::test(start_paused = true)]
async fn message_that_alone_meets_a_failing_service_is_dead_lettered_and_delays_no_others_for_long() {
    let fake = Fake::with_received((0..3).map(|n| format!("hapless {n}")), RECEIVE_COUNT_MAX - 3);
    let script = Script::default();
    let consumer = Consumer::start(&fake, 8, 80, script.clone());
    for n in 0..600 {
        fake.send(format!("done {n}"));
        tokio::time::sleep(MINUTE / 2).await;
    }
    eventually(60 * MINUTE, "all are done with", || fake.state().messages.is_empty()).await;
    consumer.stop().await;
    let state = fake.state();
    assert!(state.exhausted.is_empty());
    assert_eq!(state.rejected.len(), 3);
    assert_eq!(script.runs.lock().unwrap().keys().filter(|body| body.starts_with("done")).count(), 600);
}

#[tokio::test(start_paused = true)]
async fn drain_finishes_what_it_can_and_gives_back_the_rest() {
    let fake = Fake::with(["sleep 30", "sleep 500"].map(str::to_owned));
    let script = Script::default();
    let consumer = Consumer::start(&fake, 8, 40, script.clone());
    eventually(MINUTE, "both run", || fake.state().in_flight() == 2).await;
    let took = consumer.stop().await;
    assert!(took >= Duration::from_secs(40) && took < MINUTE, "{took:?}");
    let state = fake.state();
    let left: Vec<_> = state.messages.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(left, ["sleep 500"]);
    assert_eq!(state.in_flight(), 0, "it is visible again at once");
}

#[tokio::test(start_paused = true)]
async fn queue_that_gives_up_before_its_worker_knows_why_is_refused_at_the_start() {
    let fake = Fake::default();
    let open = async |failures_max| {
        let config = super::ConsumerConfig { failures_max, ..Fake::config(1, 40) };
        Queue::open(&aws_sdk_sqs::Client::new(&fake.sdk_config()), &config).await.map(|_| ())
    };
    assert!(open(RECEIVE_COUNT_MAX / RECEIVES_PER_FAILURE).await.is_ok());
    let refused = open(RECEIVE_COUNT_MAX / RECEIVES_PER_FAILURE + 1).await.unwrap_err().to_string();
    let says = ["NOVA_QUEUE_URL", "after 100 receives", "at least 110", "NOVA_FAILURES_MAX"];
    assert!(says.iter().all(|says| refused.contains(says)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn messages_of_the_last_poll_are_given_back() {
    let fake = Fake::default();
    let script = Script::default();
    let consumer = Consumer::start(&fake, 8, 40, script.clone());
    // The first poll is running at the shutdown.
    tokio::time::sleep(Duration::from_secs(5)).await;
    consumer.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(5)).await;
    fake.send("done 1".to_owned());
    consumer.stop().await;
    let state = fake.state();
    assert_eq!((state.messages[0].receives, state.in_flight()), (1, 0));
    assert_eq!(script.of("done 1").begun, 0);
}

#[tokio::test(start_paused = true)]
async fn poll_that_is_never_answered_is_given_up() {
    let fake = Fake::with(["done 1".to_owned()]);
    fake.state().fault = Fault::SilentPolls;
    let consumer = Consumer::start(&fake, 8, 40, Script::default());
    tokio::time::sleep(10 * MINUTE).await;
    fake.state().fault = Fault::None;
    eventually(2 * MINUTE, "it is handled", || fake.state().messages.is_empty()).await;
    consumer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn liveness_follows_the_poll_loop_and_the_heartbeat() {
    for fault in [Fault::None, Fault::SilentPolls, Fault::SilentExtension] {
        let fake = Fake::with(["sleep 5000".to_owned()]);
        fake.state().fault = fault;
        let (sdk, config) = (fake.sdk_config(), Fake::config(1, 40));
        let health = Health::new("test");
        let resources = Resources {
            service: "test",
            queue: Queue::open(&aws_sdk_sqs::Client::new(&sdk), &config).await.unwrap(),
            ledger: Ledger::open("test", &aws_sdk_dynamodb::Client::new(&sdk), &config).await.unwrap(),
            health: health.clone(),
            ended: CancellationToken::new(),
            shutdown: CancellationToken::new(),
        };
        let ended = resources.ended.clone();
        let running = tokio::spawn(async move { run(&config, resources, Script::default()).await });
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(health.report().is_ok(), "{fault:?}: {:?}", health.report());
        }
        running.abort();
        ended.cancel();
        tokio::time::sleep(SILENT_MAX).await;
        let silent = health.report().parts.iter().filter(|part| part.silent_ms >= part.silent_ms_max).count();
        assert_eq!(silent, 2, "neither ticks by itself: {:?}", health.report());
    }
}

struct Seen(Arc<Mutex<Vec<(&'static str, String)>>>);

impl EventHandler for Seen {
    async fn handle(&self, event: &Envelope, _: &Delivery) -> Result<(), Failure> {
        let traceparent = event.traceparent.clone().unwrap();
        self.0.lock().unwrap().push((event.event.schema(), traceparent));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_decoded_rejected_or_parked() {
    let example = |name: &str| {
        let path = format!("{}/../schemas/example/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let fake = Fake::with(EVENT_NAMES.map(|name| format!("{{\"detail\":{}}}", example(name))));
    fake.send("no event".to_owned());
    fake.send(example("progress.updated").replace("progress.updated", "progress.forgotten"));
    let mut newer: serde_json::Value = serde_json::from_str(&example("progress.updated")).unwrap();
    newer["version"] = "2.0".into();
    let newer = newer.to_string();
    fake.send(newer.clone());
    let seen = Arc::new(Mutex::default());
    let consumer = Consumer::start(&fake, 8, 40, Events(Seen(Arc::clone(&seen))));
    eventually(MINUTE, "all but the parked are gone", || fake.state().messages.len() == 1).await;
    consumer.stop().await;
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    let mut names = EVENT_NAMES;
    names.sort_unstable();
    assert_eq!(seen.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    // Each handler has its own span in the trace of its event.
    for (name, traceparent) in seen {
        let of_event = Envelope::decode(&example(name)).unwrap().traceparent;
        let of_event: Option<TraceParent> = of_event.map(|text| text.parse().unwrap());
        let own: TraceParent = traceparent.parse().unwrap();
        if let Some(of_event) = of_event {
            assert_eq!(own.trace_id(), of_event.trace_id());
            assert_ne!(own.span_id(), of_event.span_id());
        }
    }
    let state = fake.state();
    assert_eq!(state.rejected.len(), 2);
    assert!(state.rejected.iter().any(|(body, reason)| body == "no event" && reason.contains("malformed")));
    assert_eq!(state.messages[0].body, newer);
    assert!(state.messages[0].visible_at > Instant::now() + PARK / 2);
}
