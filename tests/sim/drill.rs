//! The drill: two regions, each with its own AWS, between which tables and documents are replicated with a lag. Learners talk in the
//! primary, the region is lost or left, and the standby takes over. What was acknowledged and is lost is counted, and the
//! time until every conversation is complete; both are compared with the objectives of `infra/RECOVERY.md`.
//!
//! The workers, the journal and the steps of `nova failover` are those of production. Starting and stopping tasks are the times
//! that these take on AWS.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::SdkConfig;
use events::{
    contract::{ConversationId, EndReason, Usage},
    journal::{End, Journal, WATCH_DELAY_SECONDS},
    runtime::env::{self, Simulated},
};
use infra::{
    failover::{Failover, FailoverRegion},
    sweep::{Sweep, SweepScope},
};
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, LOGS, PROGRESS, outputs},
    journalled,
    model::{Cloud, Item, Object},
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::{Variant, learner},
    processes,
    small_scale::{epoch, runtime},
    world::furnish,
};

/// The objectives of the architecture document.
const RPO_MAX: Duration = Duration::from_secs(60 * 60);
const RTO_MAX: Duration = Duration::from_secs(4 * 60 * 60);

const CONVERSATIONS_STARTED: u32 = 16;
const TURNS: u32 = 6;

/// Time between two turns, and between the starts of two conversations.
const TURN: Duration = Duration::from_secs(10);
const START_EVERY: Duration = Duration::from_secs(6);

/// When the region is lost: some conversations are complete, some have just ended, some go on.
const LOST_AT: Duration = Duration::from_secs(125);

/// Lag of a table and of a bucket. That of effects is another one: tables are replicated independently.
const LAG: Duration = Duration::from_secs(5);
const EFFECTS_LAG: Duration = Duration::from_secs(8);
const OBJECTS_LAG: Duration = Duration::from_secs(60);

/// Three failed health checks of 30 s, the decision of an operator, and the start of the standby's tasks.
const NOTICED_AFTER: Duration = Duration::from_secs(90);
const DECIDED_AFTER: Duration = Duration::from_secs(30 * 60);
const TASKS_START: Duration = Duration::from_secs(120);

/// The interval of looks at the standby until everything is complete, and the longest time since the loss, well below the
/// objective.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const COMPLETE_WITHIN: Duration = Duration::from_secs(60 * 60);

type Tables = BTreeMap<String, BTreeMap<(String, String), Item>>;
type Objects = BTreeMap<(String, String), Object>;

/// A turn that the journal acknowledged to its learner.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    id: ConversationId,
    index: u32,
    at: Instant,
}

/// How the primary ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Without a warning.
    Lost,
    /// Its tasks are stopped, and the failover waits for the replication.
    Left,
}

/// The result of a drill.
#[derive(Debug)]
struct Drill {
    acknowledged: usize,
    /// Acknowledged turns that are not in the standby.
    lost: usize,
    /// Age of the oldest of them when the region was lost.
    lost_span: Duration,
    /// From the loss until every conversation is complete.
    complete_after: Duration,
    conversations: usize,
    /// Conversations that were counted into progress once more, because their marker was lost and the progress was not.
    counted_twice: usize,
    transcripts: usize,
}

/// Copies tables and documents from one region to another, late.
#[derive(Default)]
struct Replicator {
    tables: VecDeque<(Instant, Tables)>,
    objects: VecDeque<(Instant, Objects)>,
}

impl Replicator {
    fn tick(&mut self, primary: &Cloud, standby: &Cloud) {
        let now = Instant::now();
        {
            let state = primary.state();
            let tables =
                state.dynamodb.tables.iter().map(|(name, table)| (name.clone(), table.items.clone()));
            self.tables.push_back((now, tables.collect()));
            let documents = state.s3.objects.iter().filter(|((bucket, _), _)| bucket == LOGS);
            let documents = documents.map(|(key, object)| (key.clone(), object.clone())).collect();
            self.objects.push_back((now, documents));
        }
        let mut there = standby.state();
        for (name, table) in &mut there.dynamodb.tables {
            let lag = if name == EFFECTS { EFFECTS_LAG } else { LAG };
            let arrived = self.tables.iter().rev().find(|(at, _)| *at + lag <= now);
            if let Some((_, tables)) = arrived {
                table.items.clone_from(&tables[name]);
            }
        }
        if let Some((_, objects)) = self.objects.iter().rev().find(|(at, _)| *at + OBJECTS_LAG <= now) {
            there.s3.objects.clone_from(objects);
        }
        while self.objects.front().is_some_and(|(at, _)| *at + 2 * OBJECTS_LAG < now) {
            self.objects.pop_front();
        }
        while self.tables.front().is_some_and(|(at, _)| *at + 2 * EFFECTS_LAG < now) {
            self.tables.pop_front();
        }
    }
}

/// Copies until it is cancelled.
async fn replicate(primary: Cloud, standby: Cloud, stop: CancellationToken) {
    let mut replicator = Replicator::default();
    while !stop.is_cancelled() {
        replicator.tick(&primary, &standby);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A learner talks in the primary. Every acknowledged turn is recorded.
async fn talk(cloud: Cloud, number: u32, acknowledged: Arc<Mutex<Vec<Acknowledged>>>) -> anyhow::Result<()> {
    let sdk = cloud.sdk_config("ingress");
    let journal = journalled::journal(&sdk, &outputs(), WATCH_DELAY_SECONDS);
    let bus = journalled::bus(&sdk, &outputs());
    let random = env::random_uuid().as_bytes()[..10].try_into()?;
    let id = ConversationId::new(env::now(), random);
    let start = journalled::start(id, learner(number % 3), "UTC", "ingress");
    let own = journal.start(&start, env::now()).await?;
    let mut written = Vec::new();
    for index in 0..TURNS {
        tokio::time::sleep(TURN).await;
        let turn = journalled::turn(id, index, false, "the bridge");
        journal.append(&own, &turn).await?;
        let record = Acknowledged { id, index, at: Instant::now() };
        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        written.push(turn);
    }
    let end = End::of_turns(EndReason::Learner, Usage::default(), &written);
    let ended = journal.end(&own, &end, env::now()).await?;
    bus.publish(&[ended.envelope]).await?;
    Ok(journal.mark_published(id, env::now()).await?)
}

fn region(cloud: &Cloud, name: &str) -> FailoverRegion {
    FailoverRegion { name: name.to_owned(), sdk: cloud.sdk_config("operator"), prefix: "nova".to_owned() }
}

/// Learners talk in the primary until its tasks end. Returns what was acknowledged.
async fn talk_in(primary: &Cloud) -> Vec<Acknowledged> {
    let over = CancellationToken::new();
    let running = processes::start(primary, Variant::Real, &processes::slots(false), 0.0, &over);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut learners = JoinSet::new();
    let began = Instant::now();
    for number in 0..CONVERSATIONS_STARTED {
        let learner = talk(primary.clone(), number, Arc::clone(&acknowledged));
        learners.spawn(async move {
            tokio::time::sleep(START_EVERY * number).await;
            // A call to a lost region does not return, and the drill compares what was acknowledged.
            let _ = learner.await;
        });
    }
    tokio::time::sleep_until(began + LOST_AT).await;
    learners.shutdown().await;
    over.cancel();
    for (name, _) in running.lock().unwrap_or_else(PoisonError::into_inner).values() {
        primary.kill(name);
    }
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The acknowledged turns that are not in a journal, and the age of the oldest at the loss.
async fn missing(acknowledged: &[Acknowledged], sdk: &SdkConfig, lost_at: Instant) -> (usize, Duration) {
    let reader = Journal::reader(aws_sdk_dynamodb::Client::new(sdk), CONVERSATIONS);
    let (mut lost, mut lost_span) = (0, Duration::ZERO);
    for one in acknowledged {
        let journal = reader.load(one.id).await.expect("the journal is readable");
        let has_turn = journal.is_some_and(|found| found.turns.iter().any(|turn| turn.index == one.index));
        if !has_turn {
            lost += 1;
            lost_span = lost_span.max(lost_at.duration_since(one.at));
        }
    }
    (lost, lost_span)
}

async fn drill(ending: Ending) -> Drill {
    let _simulated = Simulated::start(epoch(), 1);
    let (primary, standby) = (Cloud::new(1), Cloud::new(2));
    for cloud in [&primary, &standby] {
        cloud.state().traced = false;
        furnish(cloud);
    }
    let replication = CancellationToken::new();
    tokio::spawn(replicate(primary.clone(), standby.clone(), replication.clone()));
    let acknowledged = talk_in(&primary).await;
    let lost_at = Instant::now();
    let mut failover = Failover {
        primary: Some(region(&primary, "us-east-1")),
        standby: region(&standby, "us-west-2"),
        outputs: outputs(),
        tasks: 2,
        replication_timeout: Duration::from_secs(900),
        name_timeout: Duration::from_secs(600),
        apply: true,
    };
    if ending == Ending::Lost {
        replication.cancel();
        failover.primary = None;
        tokio::time::sleep(NOTICED_AFTER + DECIDED_AFTER).await;
    }
    failover.check_replication().await.expect("the replication is in time");
    // Markers are deleted in both regions before the standby writes.
    tokio::time::sleep(EFFECTS_LAG * 2).await;
    replication.cancel();
    tokio::time::sleep(TASKS_START).await;

    let over = CancellationToken::new();
    let _standby = processes::start(&standby, Variant::Real, &processes::slots(false), 0.0, &over);
    let sdk = standby.sdk_config("operator");
    let sweep =
        Sweep::new(&sdk, aws_sdk_s3::Client::new(&sdk), &outputs()).expect("the watchdog has a queue");
    failover.sweep(&sweep).await.expect("the journal is readable");
    let conversations = await_complete(&sweep, lost_at).await;
    let complete_after = lost_at.elapsed();
    over.cancel();
    let (lost, lost_span) = missing(&acknowledged, &sdk, lost_at).await;
    let counted_twice = counted(&standby).saturating_sub(conversations);
    let state = standby.state();
    assert_eq!(state.violations, Vec::<String>::new());
    let is_transcript = |key: &str| key.starts_with("transcripts/") && key.ends_with(".json.gz");
    Drill {
        acknowledged: acknowledged.len(),
        lost,
        lost_span,
        complete_after,
        conversations,
        counted_twice,
        transcripts: state.s3.objects.keys().filter(|(_, key)| is_transcript(key)).count(),
    }
}

/// Waits until no conversation of the journal has stopped or goes on. Returns their number.
async fn await_complete(sweep: &Sweep, lost_at: Instant) -> usize {
    loop {
        let report =
            sweep.look(SweepScope::LostQueues, usize::MAX, |_, _| {}).await.expect("the journal is readable");
        if report.gaps.is_empty() {
            return report.conversations;
        }
        assert!(lost_at.elapsed() < COMPLETE_WITHIN, "not complete within the objective: {:?}", report.gaps);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Conversations in the totals of all learners.
fn counted(cloud: &Cloud) -> usize {
    let state = cloud.state();
    let totals = state.dynamodb.tables[PROGRESS].items.iter().filter(|((_, date), _)| date == "total");
    let number = |item: &Item| item.get("conversations")?["N"].as_str()?.parse::<usize>().ok();
    totals.filter_map(|(_, item)| number(item)).sum()
}

#[test]
fn lost_region_costs_seconds_of_acknowledged_turns_and_the_standby_completes_the_rest_in_time() {
    let drill = runtime().block_on(Box::pin(drill(Ending::Lost)));
    println!("{drill:?}");
    assert!(drill.lost > 0, "nothing is lost, so the drill shows nothing: {drill:?}");
    assert!(drill.lost_span <= LAG + Duration::from_secs(2) && drill.lost_span < RPO_MAX, "{drill:?}");
    assert!(drill.lost * 5 < drill.acknowledged, "{drill:?}");
    assert!(drill.complete_after < RTO_MAX, "{drill:?}");
    assert!(drill.conversations >= 10 && drill.transcripts == drill.conversations, "{drill:?}");
    // Progress and its marker are in one transaction and arrive apart.
    assert!(drill.counted_twice <= 3, "{drill:?}");
}

#[test]
fn planned_failover_loses_nothing() {
    let drill = runtime().block_on(Box::pin(drill(Ending::Left)));
    println!("{drill:?}");
    assert!(drill.acknowledged > 40, "{drill:?}");
    assert_eq!((drill.lost, drill.counted_twice), (0, 0), "{drill:?}");
    assert!(drill.complete_after < RTO_MAX && drill.transcripts == drill.conversations, "{drill:?}");
}
