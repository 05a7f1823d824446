//! Conversations, one after the other, written through the real journal and bus as an ingress does it, whose calls meet
//! faults and which may die at any step. What the journal acknowledged is kept.

use events::workers::Worker;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use aws_config::retry::RetryConfig;
use events::{
    bus::Bus,
    contract::{ConversationId, EndReason, FeedbackLanguage, Level, Speaker, TraceParent, Turn, Usage},
    journal::{End, Journal, JournalConfig, JournalError, LEASE_SECONDS, Start},
    runtime::aws,
};
use infra::local::{Cloud, Outputs, root_sdk_config};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Seconds between two looks of the watchdog.
pub(crate) const WATCH_DELAY_SECONDS: i32 = 5;

/// Seconds for which a conversation's owner is trusted. Its clock is slow by the rest of the lease, so that what is lost is
/// found out in the time of a test.
const TRUSTED_SECONDS: i64 = 15;

/// Learners who talk.
const LEARNERS: u32 = 12;

/// Between the beginnings of two conversations, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 500..1500;

/// Between two steps of a conversation, in milliseconds.
const STEP_MS: std::ops::Range<u64> = 20..300;

/// Attempts at a write whose outcome is unknown, before the process gives up and leaves it to the watchdog.
const ATTEMPTS_MAX: u32 = 4;

/// What is known of a conversation from outside.
#[derive(Clone, Debug)]
pub(crate) struct Journalled {
    pub(crate) time_zone: &'static str,
    /// Words that are said in no other conversation.
    pub(crate) card: String,
    /// The turns that the journal acknowledged.
    pub(crate) turns: Vec<Turn>,
}

pub(crate) type All = BTreeMap<ConversationId, Journalled>;

/// Where conversations are written.
pub(crate) struct Ingress {
    journal: Journal,
    /// The journal without faults, for the beginning: its header has to be there when the watchdog looks for the first
    /// time, or that waits for eleven minutes.
    first: Journal,
    bus: Bus,
    journalled: Mutex<All>,
}

impl Ingress {
    /// One whose calls go to `endpoint`.
    pub(crate) fn new(endpoint: &str, cloud: &Cloud, outputs: &Outputs) -> Arc<Self> {
        let sdk = root_sdk_config(endpoint)
            .to_builder()
            .timeout_config(aws::timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(aws::ATTEMPTS_MAX))
            .build();
        let watchdog_queue_url = &outputs.queue(Worker::Watchdog).expect("the watchdog has a queue").url;
        let journal = |sdk: &aws_config::SdkConfig| {
            let config = JournalConfig {
                table: outputs.conversations_table.clone(),
                watchdog_queue_url: watchdog_queue_url.clone(),
                watch_delay_seconds: WATCH_DELAY_SECONDS,
            };
            Journal::new(aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sqs::Client::new(sdk), config)
        };
        let bus = Bus::new(aws_sdk_eventbridge::Client::new(&sdk), &outputs.bus_name, "nova.ingress");
        let (journal, first) = (journal(&sdk), journal(&cloud.root()));
        Arc::new(Self { journal, first, bus, journalled: Mutex::default() })
    }

    /// Begins conversations until `enough`, waits until they are over and returns them.
    ///
    /// # Errors
    /// A conversation could not begin.
    pub(crate) async fn talk(self: Arc<Self>, seed: u64, enough: CancellationToken) -> anyhow::Result<All> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut talks = JoinSet::new();
        for number in 0.. {
            // Not a wait for a condition: conversations begin when they begin.
            let pause = Duration::from_millis(random.random_range(PAUSE_MS));
            if enough.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
            let (ingress, random) = (Arc::clone(&self), StdRng::seed_from_u64(random.random()));
            talks.spawn(async move { ingress.converse(number, random).await });
        }
        for talked in talks.join_all().await {
            talked?;
        }
        Ok(self.journalled().clone())
    }

    async fn converse(&self, number: u32, mut random: StdRng) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let id = ConversationId::new(now, random.random());
        let time_zone = ["Asia/Seoul", "UTC", "America/New_York"][number as usize % 3];
        let start = Start {
            conversation_id: id,
            user_id: format!("learner-{}", number % LEARNERS).parse()?,
            image_id: "city-cafe".to_owned(),
            level: Level::B1,
            feedback_language: FeedbackLanguage::English,
            time_zone: time_zone.to_owned(),
            traceparent: Some(TraceParent::of(&id.to_string()).to_string()),
            owner: format!("ingress-{number}"),
            voice: None,
        };
        let slow = SignedDuration::from_secs(LEASE_SECONDS - TRUSTED_SECONDS);
        let own = self.first.start(&start, now - slow).await.context("a conversation cannot begin")?;
        let card = format!("card K{number:04}K");
        self.journalled().insert(id, Journalled { time_zone, card: card.clone(), turns: Vec::new() });
        let silent = random.random_bool(0.1);
        let turns: Vec<Turn> =
            (0..random.random_range(2..7)).map(|index| turn(index, &card, silent)).collect();
        // One in four dies on the way, with a turn, the end, the event or the note of it undone.
        let dies_at = random.random_bool(0.25).then(|| random.random_range(0..turns.len() + 3));
        let mut steps = Steps { random, left: dies_at };
        for turn in &turns {
            if !steps.next().await || insist(|| self.journal.append(&own, turn)).await.is_none() {
                return Ok(());
            }
            if let Some(journalled) = self.journalled().get_mut(&id) {
                journalled.turns.push(turn.clone());
            }
        }
        let end = End::of_turns(EndReason::Learner, Usage::default(), &turns);
        if !steps.next().await {
            return Ok(());
        }
        let ended = insist(|| self.journal.end(&own, &end, Timestamp::now())).await;
        let Some(completed) = ended else { return Ok(()) };
        if !steps.next().await {
            return Ok(());
        }
        if self.bus.publish(&[completed.envelope]).await.is_ok() && steps.next().await {
            // Without the note the watchdog publishes it again.
            let _ = self.journal.mark_published(id, Timestamp::now()).await;
        }
        Ok(())
    }

    fn journalled(&self) -> std::sync::MutexGuard<'_, All> {
        self.journalled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The steps of a process that may die.
struct Steps {
    random: StdRng,
    left: Option<usize>,
}

impl Steps {
    /// The time until the next step, and whether the process lives until then.
    async fn next(&mut self) -> bool {
        // Not a wait for a condition: people take their time.
        tokio::time::sleep(Duration::from_millis(self.random.random_range(STEP_MS))).await;
        let lives = self.left != Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        lives
    }
}

/// Tries a write whose outcome is unknown again. `None` when it is not known to be done in the end.
async fn insist<T, F>(mut write: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Result<T, JournalError>>,
{
    for _ in 0..ATTEMPTS_MAX {
        match write().await {
            Ok(written) => return Some(written),
            Err(JournalError::Service { .. }) => {}
            Err(_) => return None,
        }
    }
    None
}

fn turn(index: u32, card: &str, silent: bool) -> Turn {
    let speaker = if index.is_multiple_of(2) && !silent { Speaker::Learner } else { Speaker::Tutor };
    Turn {
        index,
        speaker,
        text: format!("I see {index} people on {card}, and one of them wear a hat."),
        start_ms: u64::from(index) * 4000,
        end_ms: u64::from(index) * 4000 + 3000,
        speech_ms: 3000,
        answer_latency_ms: None,
        interrupted: false,
        played_ms: None,
        typed: false,
        confidence: None,
        audio_key: None,
    }
}
