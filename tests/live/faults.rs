//! Many conversations, each with a disruption at a random time: the journal is word for word what was said and heard, and
//! each conversation completes once.
//!
//! They run in environments, each on its own thread with an ingress, a simulator and AWS. The environments differ in how
//! the model signals a barge-in and in how streams end: by planned and forced renewals every few seconds, or by the limit
//! of the model.
//!
//! `NOVA_SEED` selects other disruptions; the message of a failure contains the seed. `NOVA_CONVERSATION` runs one
//! conversation alone, `NOVA_CONVERSATIONS=500` that many.

use std::{
    collections::BTreeMap,
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use events::contract::{EndReason, Level};
use futures_util::{StreamExt as _, stream};
use infra::simulator::Interruption;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tests::live::{Live, LiveOptions, block_on};

use crate::{
    disruption::disruptions,
    faulty_session::{FaultySession, SessionPlan, SessionRecord},
    oracle,
    streams::Streams,
};

/// Conversations of a run without `NOVA_CONVERSATIONS`.
const CONVERSATIONS: usize = 30;

/// The seed of a run without `NOVA_SEED`. It is fixed so that a failure is caused by a change and not by chance.
const SEED: u64 = 16;

/// Concurrent conversations of one environment.
const CONCURRENCY: usize = 42;

const ENVIRONMENTS: [Environment; 6] = [
    Environment { interruption: Interruption::Text, end: StreamEnd::Renewed },
    Environment { interruption: Interruption::Audio, end: StreamEnd::Renewed },
    Environment { interruption: Interruption::Marker, end: StreamEnd::Renewed },
    Environment { interruption: Interruption::Text, end: StreamEnd::Expired },
    Environment { interruption: Interruption::Audio, end: StreamEnd::Expired },
    Environment { interruption: Interruption::Marker, end: StreamEnd::Expired },
];

#[derive(Clone, Copy, Debug)]
struct Environment {
    interruption: Interruption,
    end: StreamEnd,
}

/// How streams end without a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum StreamEnd {
    /// The ingress replaces them: in a pause from 6 seconds on, in any case after 14.
    Renewed,
    /// The model ends them after 16 seconds.
    Expired,
}

#[test]
fn conversations_in_trouble_are_word_for_word_what_was_said_and_heard() {
    let seed: u64 = match env::var("NOVA_SEED") {
        Ok(seed) => seed.parse().expect("NOVA_SEED is a number"),
        Err(_) => SEED,
    };
    let only: Option<usize> =
        env::var("NOVA_CONVERSATION").ok().map(|n| n.parse().expect("NOVA_CONVERSATION is a number"));
    let next = AtomicUsize::new(0);
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(ENVIRONMENTS.len());
        let work = || {
            let mut outcomes = Vec::new();
            while let Some(environment) = ENVIRONMENTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                let number =
                    ENVIRONMENTS.iter().position(|other| std::ptr::eq(other, environment)).unwrap_or(0);
                outcomes.extend(block_on(Box::pin(run_environment(*environment, number, seed, only))));
            }
            outcomes
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("an environment does not panic")).collect()
    });
    report(seed, only, &outcomes);
}

fn conversations() -> usize {
    let number = env::var("NOVA_CONVERSATIONS").ok();
    number.map_or(CONVERSATIONS, |number| number.parse().expect("NOVA_CONVERSATIONS is a number"))
}

/// The outcome of a conversation.
struct Outcome {
    number: usize,
    result: anyhow::Result<SessionRecord>,
}

fn report(seed: u64, only: Option<usize>, outcomes: &[Outcome]) {
    let wrong: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| {
            let error = outcome.result.as_ref().err()?;
            Some(format!("conversation {}: {error:#}", outcome.number))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "NOVA_SEED={seed}: {} of {} conversations are wrong\n{}",
        wrong.len(),
        outcomes.len(),
        wrong.join("\n")
    );
    let records = || outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok());
    if only.is_none() {
        assert_eq!(outcomes.len(), conversations());
        assert!(records().all(|record| record.disrupted > 0), "a conversation had no disruption");
        let lost = records().filter(|record| record.model_losses > 0).count();
        assert!(lost * 2 >= conversations(), "only {lost} conversations lost the model");
    }
}

async fn run_environment(
    environment: Environment,
    number: usize,
    seed: u64,
    only: Option<usize>,
) -> Vec<Outcome> {
    let numbers: Vec<usize> = (0..conversations())
        .filter(|n| n % ENVIRONMENTS.len() == number && only.is_none_or(|only| only == *n))
        .collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    let live = Live::start(options(environment, seed)).await.expect("the harness starts");
    let streams = Streams::default();
    let mut outcomes: Vec<Outcome> = stream::iter(numbers)
        .map(|number| {
            let (live, streams) = (&live, &streams);
            async move { Outcome { number, result: run_session(live, streams, number, seed).await } }
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    // The completion is published shortly after the end.
    live.app.sessions.ended().await;
    for outcome in &mut outcomes {
        if let Ok(record) = &outcome.result
            && let Err(error) = check(&live, record).await
        {
            let disruptions = plan(outcome.number, seed).disruptions;
            outcome.result = Err(error.context(format!("{} {disruptions:?}", record.conversation_id)));
        }
    }
    live.stop().await.expect("the ingress stops");
    outcomes
}

fn options(environment: Environment, seed: u64) -> LiveOptions {
    let mut options = LiveOptions { seed, ..LiveOptions::default() };
    options.simulator.tuning.interruption = environment.interruption;
    let (after, by) = match environment.end {
        StreamEnd::Renewed => (6, 14),
        StreamEnd::Expired => {
            options.simulator.tuning.stream_limit_seconds = 16.0;
            (1_000, 2_000)
        }
    };
    // A lost connection ends few streams.
    options
        .with("renew-after-seconds", after)
        .with("renew-by-seconds", by)
        .with("streams-per-connection-max", 6)
        .with("conversations-max", 200)
}

async fn run_session(
    live: &Live,
    streams: &Streams,
    number: usize,
    seed: u64,
) -> anyhow::Result<SessionRecord> {
    let plan = plan(number, seed);
    live.publish_picture(&plan.image_id, &plan.image_id, &["Who is it?", "Where are they?", "What is next?"])
        .await?;
    let record = Box::pin(FaultySession::run(live, streams, &plan)).await;
    record.with_context(|| format!("{:?}", plan.disruptions))
}

fn plan(number: usize, seed: u64) -> SessionPlan {
    const THINGS: [&str; 8] = ["boats", "dogs", "red hats", "old men", "trees", "cups", "birds", "cars"];
    const DOINGS: [&str; 6] =
        ["are here", "look new", "go home", "wait outside", "stand in line", "make noise"];
    let mut random = StdRng::seed_from_u64(seed ^ (number as u64) << 32);
    let count = random.random_range(2..=3);
    let lines = (0..count)
        .map(|line| {
            let thing = THINGS.choose(&mut random).expect("there are some");
            let doing = DOINGS.choose(&mut random).expect("there are some");
            format!("{number}.{line} {thing} {doing}.")
        })
        .collect();
    SessionPlan {
        user_id: format!("learner-{number}"),
        image_id: format!("picture-{number}"),
        level: *[Level::A1, Level::B1, Level::C1].choose(&mut random).expect("there are some"),
        lines,
        frame: Duration::from_millis(*[60, 100, 100, 128].choose(&mut random).expect("there are some")),
        pause: Duration::from_millis(random.random_range(200..1_500)),
        reports: random.random(),
        disruptions: disruptions(number, count, &mut random),
    }
}

async fn check(live: &Live, record: &SessionRecord) -> anyhow::Result<()> {
    let id = record.conversation_id;
    ensure!(record.reason == EndReason::Learner, "ended with {:?}", record.reason);
    let journal = live.journal(id).await?;
    let known: BTreeMap<u32, _> = journal.turns.iter().map(|turn| (turn.index, turn)).collect();
    for turn in &record.turns {
        ensure!(known.get(&turn.index) == Some(&turn), "the client received {turn:?}");
    }
    let words = oracle::check_words(&journal.turns, &record.said, &record.loudspeaker.pieces);
    words.with_context(|| {
        let turns: Vec<_> = journal
            .turns
            .iter()
            .map(|turn| {
                format!("{} {:?} {:?} interrupted: {}", turn.index, turn.speaker, turn.text, turn.interrupted)
            })
            .collect();
        format!("{turns:#?}")
    })?;
    oracle::check_completion(&journal, &live.completed(id))
}
