//! Many conversations, each with trouble at a random moment: what is in the journal is word for word what was
//! said and heard, and each of them completes once.
//!
//! They are held in worlds, each on a thread of its own with an ingress, a simulator and AWS. The worlds differ in how
//! the model announces a barge-in and in how streams come to their end: by planned and forced renewals every few
//! seconds, or by the limit of the model.
//!
//! `NOVA_SEED` makes other choices; the seed of a run is in the message of a failure. `NOVA_CONVERSATION` runs one
//! conversation alone, `NOVA_CONVERSATIONS=500` that many.

use std::{
    collections::BTreeMap,
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use events::contract::EndReason;
use futures_util::{StreamExt as _, stream};
use infra::simulator::Interruption;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tests::live::{Live, LiveOptions, block_on};

use crate::{
    oracle,
    streams::Streams,
    talk::{Held, Plan, Talk},
    trouble::troubles,
};

/// Conversations of a run that is told no other number.
const CONVERSATIONS: usize = 30;

/// The seed of a run that is told no other: a change then fails for what it does, and not for its luck.
const SEED: u64 = 16;

/// Conversations of one world at once.
const AT_ONCE: usize = 42;

const WORLDS: [World; 6] = [
    World { interruption: Interruption::Text, end: StreamEnd::Renewed },
    World { interruption: Interruption::Audio, end: StreamEnd::Renewed },
    World { interruption: Interruption::Marker, end: StreamEnd::Renewed },
    World { interruption: Interruption::Text, end: StreamEnd::Expired },
    World { interruption: Interruption::Audio, end: StreamEnd::Expired },
    World { interruption: Interruption::Marker, end: StreamEnd::Expired },
];

#[derive(Clone, Copy, Debug)]
struct World {
    interruption: Interruption,
    end: StreamEnd,
}

/// How streams come to their end when nothing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum StreamEnd {
    /// The ingress replaces them: in a quiet moment from 6 seconds on, by force after 14.
    Renewed,
    /// The model gives up after 16 seconds.
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
        let threads = thread::available_parallelism().map_or(1, usize::from).min(WORLDS.len());
        let work = || {
            let mut outcomes = Vec::new();
            while let Some(world) = WORLDS.get(next.fetch_add(1, Ordering::Relaxed)) {
                let number = WORLDS.iter().position(|other| std::ptr::eq(other, world)).unwrap_or(0);
                outcomes.extend(block_on(Box::pin(hold_world(*world, number, seed, only))));
            }
            outcomes
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a world does not panic")).collect()
    });
    report(seed, only, &outcomes);
}

fn conversations() -> usize {
    let told = env::var("NOVA_CONVERSATIONS").ok();
    told.map_or(CONVERSATIONS, |told| told.parse().expect("NOVA_CONVERSATIONS is a number"))
}

/// What became of a conversation.
struct Outcome {
    number: usize,
    result: anyhow::Result<Held>,
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
    let held = || outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok());
    if only.is_none() {
        assert_eq!(outcomes.len(), conversations());
        assert!(held().all(|held| held.troubled > 0), "a conversation was in no trouble");
        let lost = held().filter(|held| held.reconnecting > 0).count();
        assert!(lost * 2 >= conversations(), "only {lost} conversations lost the model");
    }
}

async fn hold_world(world: World, number: usize, seed: u64, only: Option<usize>) -> Vec<Outcome> {
    let numbers: Vec<usize> = (0..conversations())
        .filter(|n| n % WORLDS.len() == number && only.is_none_or(|only| only == *n))
        .collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    let live = Live::start(options(world, seed)).await.expect("the harness starts");
    let streams = Streams::default();
    let mut outcomes: Vec<Outcome> = stream::iter(numbers)
        .map(|number| {
            let (live, streams) = (&live, &streams);
            async move { Outcome { number, result: hold(live, streams, number, seed).await } }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    // What was said is published a moment after it has ended.
    live.app.sessions.ended().await;
    for outcome in &mut outcomes {
        if let Ok(held) = &outcome.result
            && let Err(error) = check(&live, held).await
        {
            let troubles = plan(outcome.number, seed).troubles;
            outcome.result = Err(error.context(format!("{} {troubles:?}", held.conversation_id)));
        }
    }
    live.stop().await.expect("the ingress stops");
    outcomes
}

fn options(world: World, seed: u64) -> LiveOptions {
    let mut options = LiveOptions { seed, ..LiveOptions::default() };
    options.simulator.tuning.interruption = world.interruption;
    let (after, by) = match world.end {
        StreamEnd::Renewed => (6, 14),
        StreamEnd::Expired => {
            options.simulator.tuning.stream_limit_seconds = 16.0;
            (1_000, 2_000)
        }
    };
    // A lost connection takes few streams along.
    options
        .with("renew-after-seconds", after)
        .with("renew-by-seconds", by)
        .with("streams-per-connection-max", 6)
        .with("conversations-max", 200)
}

async fn hold(live: &Live, streams: &Streams, number: usize, seed: u64) -> anyhow::Result<Held> {
    let plan = plan(number, seed);
    live.publish_picture(&plan.image_id, &plan.image_id, &["Who is it?", "Where are they?", "What is next?"])
        .await?;
    let held = Box::pin(Talk::hold(live, streams, &plan)).await;
    held.with_context(|| format!("{:?}", plan.troubles))
}

fn plan(number: usize, seed: u64) -> Plan {
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
    Plan {
        user_id: format!("learner-{number}"),
        image_id: format!("picture-{number}"),
        level: ["A1", "B1", "C1"].choose(&mut random).expect("there are some"),
        lines,
        frame: Duration::from_millis(*[60, 100, 100, 128].choose(&mut random).expect("there are some")),
        breath: Duration::from_millis(random.random_range(200..1_500)),
        reports: random.random(),
        troubles: troubles(number, count, &mut random),
    }
}

async fn check(live: &Live, held: &Held) -> anyhow::Result<()> {
    let id = held.conversation_id;
    ensure!(held.reason == EndReason::Learner, "ended with {:?}", held.reason);
    let journal = live.journal(id).await?;
    let known: BTreeMap<u32, _> = journal.turns.iter().map(|turn| (turn.index, turn)).collect();
    for turn in &held.turns {
        ensure!(known.get(&turn.index) == Some(&turn), "the page was told {turn:?}");
    }
    let words = oracle::check_words(&journal.turns, &held.said, &held.loudspeaker.pieces);
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
