//! The real progress worker on virtual time, against the model of AWS. The events of one learner are delivered in several
//! orders, repeatedly and concurrently: UserProgress is the same at the end, and each milestone is published once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::{
    contract::{
        ConversationAnalyzed, ConversationId, EndReason, Envelope, Event, Level, Measures, Milestone,
        ObjectRef, Scores, Usage,
    },
    journal::{End, Start, WATCH_DELAY_SECONDS},
    workers::Worker,
};
use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use tests::{
    deployment::{BUS, CONVERSATIONS, EFFECTS, PROGRESS, consumer, outputs},
    journalled,
    model::{Cloud, FaultModel, Item},
};
use workers::progress::{Config, Progress};

use crate::small_scale::{self, Running};

const QUEUE: &str = "nova-progress";

/// Number of random orders.
const ORDERS: u64 = 6;

/// Eight conversations on seven consecutive days, two of them on the first day: start, end and level.
fn conversations() -> Vec<(Start, Timestamp, End, Level)> {
    let first: Timestamp = "2026-11-01T03:00:00Z".parse().expect("it is a time");
    let levels = [Level::A2, Level::B1, Level::B1, Level::A2, Level::B2, Level::B1, Level::B2, Level::B2];
    let conversation = |(number, level)| {
        let started_at =
            first + SignedDuration::from_hours(if number == 7 { 5 } else { 24 * i64::from(number) });
        let ended_at = started_at + SignedDuration::from_secs(240);
        let conversation_id = ConversationId::new(started_at, [number; 10]);
        let user_id = "learner-1".parse().expect("it is a user's id");
        let start = journalled::start(conversation_id, user_id, "Asia/Seoul", "ingress");
        let end = End {
            reason: EndReason::Learner,
            usage: Usage::default(),
            turns: 4,
            learner_turns: Some(2),
            learner_speech_ms: 600_000,
            metrics: None,
        };
        (start, ended_at, end, level)
    };
    (0u8..).zip(levels).map(conversation).collect()
}

/// The events of [`conversations`], each with its assessment.
fn events() -> Vec<Envelope> {
    let mut events = Vec::new();
    for (number, (start, ended_at, end, level)) in (0u8..).zip(conversations()) {
        events.extend(journalled::ended(start.clone(), ended_at, end).completed());
        let overall = 50 + number;
        let measures = Measures {
            words: 20 + u32::from(number),
            speech_ms: 10_000,
            words_per_minute: 90.0,
            ..Measures::default()
        };
        let analyzed = Event::ConversationAnalyzed(ConversationAnalyzed {
            conversation_id: start.conversation_id,
            user_id: start.user_id,
            image_id: "city-cafe".into(),
            time_zone: "Asia/Seoul".into(),
            started_at: start.conversation_id.started_at(),
            document: ObjectRef { bucket: "logs".into(), key: "key".into(), sha256: "00".repeat(32) },
            level: Some(start.level),
            measures: Some(measures),
            scores: Scores { overall, fluency: 61, vocabulary: 62, grammar: 63, relevance: 64 },
            cefr: level,
            flags: Vec::new(),
            model_id: "model".into(),
            simulated: true,
        });
        events.push(Envelope::new(analyzed, ended_at, None));
    }
    events
}

/// The result of a run.
struct Counted {
    items: BTreeMap<(String, String), Item>,
    /// The milestones of all distinct events.
    milestones: Vec<Milestone>,
}

/// What happens after all events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    /// The tables are as a build without the items about all learners leaves them, and all events are delivered again.
    ForgetTheOverview,
}

/// Sends `bodies` and waits until the worker has handled them.
async fn deliver(cloud: &Cloud, bodies: &[String]) {
    for body in bodies {
        cloud.send(QUEUE, body);
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    cloud.state().fault_model = FaultModel::CALM;
    let is_empty = || cloud.state().sqs.queues[QUEUE].messages.is_empty();
    while !is_empty() {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn forget_overview(cloud: &Cloud) {
    let mut state = cloud.state();
    let tables = &mut state.dynamodb.tables;
    let progress = &mut tables.get_mut(PROGRESS).expect("the table exists").items;
    progress.retain(|(partition, sort), _| !partition.contains('#') && !sort.contains('#'));
    for item in progress.values_mut() {
        for name in ["words", "spokenWords", "spokenMs", "rankings"] {
            item.remove(name);
        }
    }
    let effects = &mut tables.get_mut(EFFECTS).expect("the table exists").items;
    effects.values_mut().for_each(|item| drop(item.remove("overview")));
}

/// Sends `bodies` to the worker and waits until all of them are handled.
async fn counted(seed: u64, fault_model: FaultModel, bodies: Vec<String>, then: Then) -> Counted {
    let (cloud, _world) = small_scale::cloud(seed);
    let journal = journalled::journal(&cloud.sdk_config("ingress"), &outputs(), WATCH_DELAY_SECONDS);
    for (start, ended_at, end, _) in conversations() {
        journalled::write_ended(&journal, &start, ended_at, &end).await.expect("the journal has no faults");
    }
    let sdk = cloud.sdk_config("progress");
    let config = Config {
        consumer: consumer(Worker::Progress),
        conversations_table: CONVERSATIONS.into(),
        progress_table: PROGRESS.into(),
        effects_table: EFFECTS.into(),
        event_bus: BUS.into(),
    };
    let handler = Progress::start(&config, &sdk).await.expect("the tables are there");
    let running = Running::start(Worker::Progress, sdk, handler);
    tokio::time::sleep(Duration::from_secs(1)).await;
    cloud.state().fault_model = fault_model;
    deliver(&cloud, &bodies).await;
    if then == Then::ForgetTheOverview {
        forget_overview(&cloud);
        deliver(&cloud, &[bodies.clone(), bodies].concat()).await;
    }
    running.stop().await;
    let state = cloud.state();
    assert_eq!(state.violations, Vec::<String>::new());
    let published: BTreeMap<_, _> = state
        .eventbridge
        .events
        .iter()
        .filter_map(|(_, detail)| Envelope::decode(&detail.to_string()).ok())
        .map(|envelope| (envelope.id, envelope.event))
        .collect();
    let milestones = published.values().filter_map(|event| {
        if let Event::ProgressUpdated(updated) = event { Some(updated.milestones.clone()) } else { None }
    });
    let milestones = milestones.flatten().collect();
    let mut items = state.dynamodb.tables[PROGRESS].items.clone();
    // The last change of the total depends on the order.
    for item in items.values_mut() {
        item.remove("updatedAt");
        item.remove("updatedBy");
    }
    Counted { items, milestones }
}

fn run(seed: u64, fault_model: FaultModel, bodies: Vec<String>) -> Counted {
    small_scale::runtime().block_on(Box::pin(counted(seed, fault_model, bodies, Then::Nothing)))
}

#[test]
fn what_an_older_build_counted_is_added_to_the_overview_once() {
    let bodies: Vec<String> = events().iter().map(Envelope::encode).collect();
    let expected = run(0, FaultModel::CALM, bodies.clone());
    let forgotten = counted(1, FaultModel::CALM, bodies, Then::ForgetTheOverview);
    let mut completed = small_scale::runtime().block_on(Box::pin(forgotten));
    // Each completion is a change of the total.
    let total = ("learner-1".to_owned(), "total".to_owned());
    let revisions =
        |counted: &Counted| counted.items[&total]["revision"]["N"].as_str().unwrap_or("").to_owned();
    assert_eq!((revisions(&expected), revisions(&completed)), ("16".to_owned(), "32".to_owned()));
    let revision = expected.items[&total]["revision"].clone();
    completed.items.entry(total).and_modify(|item| _ = item.insert("revision".to_owned(), revision));
    assert_eq!(completed.items, expected.items);
    assert_eq!(completed.milestones.len(), expected.milestones.len(), "none is reached again");
}

#[test]
fn any_order_and_duplication_of_events_leaves_the_same_progress() {
    let in_order: Vec<String> = events().iter().map(Envelope::encode).collect();
    let expected = run(0, FaultModel::CALM, in_order.clone());
    let total = &expected.items[&("learner-1".to_owned(), "total".to_owned())];
    assert_eq!(total["conversations"]["N"], "8");
    assert_eq!(
        (&total["longestStreakDays"]["N"], &total["lastDay"]["S"]),
        (&"7".into(), &"2026-11-07".into())
    );
    let reached: BTreeSet<_> = expected.milestones.iter().copied().collect();
    let due = [
        Milestone::FirstConversation,
        Milestone::StreakSevenDays,
        Milestone::HourSpoken,
        Milestone::LevelA2,
        Milestone::LevelB1,
        Milestone::LevelB2,
    ];
    assert_eq!(reached, due.into());
    let own = |(partition, sort): &&(String, String)| partition == "learner-1" && !sort.starts_with("score#");
    assert_eq!(expected.items.keys().filter(own).count(), 8, "seven days and the total");
    let of = |partition: &str| expected.items.keys().filter(|(of, _)| of.starts_with(partition)).count();
    assert_eq!((of("ranking#"), of("sums#week#"), of("sums#level#")), (3, 2, 1));
    assert_eq!(expected.items.keys().filter(|(_, sort)| sort.starts_with("score#")).count(), 8);
    for seed in 0..ORDERS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut bodies = [in_order.clone(), in_order.clone()].concat();
        bodies.shuffle(&mut random);
        let counted = run(seed, if seed % 2 == 0 { FaultModel::CALM } else { FaultModel::STORM }, bodies);
        assert_eq!(counted.items, expected.items, "seed {seed}");
        let distinct: BTreeSet<_> = counted.milestones.iter().copied().collect();
        assert_eq!((counted.milestones.len(), distinct), (due.len(), due.into()), "seed {seed}");
    }
}
