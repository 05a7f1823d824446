//! A writer of conversations for tests. It writes them through the production journal and bus, as an ingress does, and
//! records what the journal acknowledged. It has no client and no model: the turns are made up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use aws_config::SdkConfig;
use events::{
    bus::Bus,
    contract::{
        ConversationId, EndReason, Envelope, FeedbackLanguage, Level, Speaker, TraceParent, Turn, Usage,
        UserId,
    },
    journal::{End, Ended, Header, Journal, JournalConfig, JournalError, Ownership, Start},
    runtime::env,
    workers::Worker,
};
use infra::local::Outputs;
use jiff::Timestamp;

/// Milliseconds from the start of a turn to the start of the next one.
const TURN_MS: u64 = 4000;

/// Milliseconds of speech in a turn.
const SPEECH_MS: u64 = 3000;

/// A conversation that the journal acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledged {
    /// Learner.
    pub user_id: UserId,
    /// Acknowledged turns, in the order of their acknowledgements.
    pub turns: Vec<Turn>,
}

/// The acknowledgements that clients received from the journal and from the account service.
#[derive(Debug, Default)]
pub struct Acknowledgements {
    conversations: Mutex<BTreeMap<ConversationId, Acknowledged>>,
    deletions: Mutex<BTreeSet<String>>,
}

/// The process in which a writer runs. By default nothing interrupts it.
pub trait Process: Send {
    /// Runs before each call. An error ends the writer.
    fn before_call(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Runs before each turn of the conversation of `own`. An error ends the writer.
    fn before_turn(&mut self, own: &Ownership) -> impl Future<Output = anyhow::Result<()>> + Send {
        let _ = own;
        std::future::ready(Ok(()))
    }
}

/// A process that nothing interrupts.
impl Process for () {}

/// A conversation of which a writer is the owner.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The right to write it.
    pub own: Ownership,
    /// Learner.
    pub user_id: UserId,
}

/// Writes conversations.
#[derive(Clone, Debug)]
pub struct Writer {
    journal: Journal,
    bus: Bus,
    acknowledgements: Arc<Acknowledgements>,
    retries_max: u32,
}

impl Acknowledgements {
    /// The acknowledged conversations.
    #[must_use]
    pub fn conversations(&self) -> BTreeMap<ConversationId, Acknowledged> {
        self.locked().clone()
    }

    /// The learners whose deletion request was acknowledged.
    #[must_use]
    pub fn deletions(&self) -> BTreeSet<String> {
        self.deletions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that the start of a conversation was acknowledged.
    pub fn started(&self, id: ConversationId, user_id: &UserId) {
        self.add(id, user_id, None);
    }

    /// Records that a deletion request was acknowledged.
    pub fn deletion(&self, user_id: &UserId) {
        self.deletions.lock().unwrap_or_else(PoisonError::into_inner).insert(user_id.to_string());
    }

    fn add(&self, id: ConversationId, user_id: &UserId, turn: Option<Turn>) {
        let new = || Acknowledged { user_id: user_id.clone(), turns: Vec::new() };
        self.locked().entry(id).or_insert_with(new).turns.extend(turn);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<ConversationId, Acknowledged>> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// A writer that repeats a write of unknown outcome `retries_max` times.
    #[must_use]
    pub fn new(
        journal: Journal,
        bus: Bus,
        acknowledgements: &Arc<Acknowledgements>,
        retries_max: u32,
    ) -> Self {
        Self { journal, bus, acknowledgements: Arc::clone(acknowledgements), retries_max }
    }

    /// The journal of the writer.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Starts a conversation.
    ///
    /// # Errors
    /// The journal did not acknowledge the start.
    pub async fn start(&self, start: &Start) -> anyhow::Result<Owned> {
        let own = self.journal.start(start, env::now()).await?;
        self.acknowledgements.started(start.conversation_id, &start.user_id);
        Ok(Owned { own, user_id: start.user_id.clone() })
    }

    /// Appends `turns` to the `written` ones, ends the conversation and returns its `conversation.completed`.
    ///
    /// # Errors
    /// The process ended, or a write was not acknowledged.
    pub async fn write<P: Process>(
        &self,
        process: &mut P,
        Owned { own, user_id }: &Owned,
        mut written: Vec<Turn>,
        turns: impl IntoIterator<Item = Turn, IntoIter: Send> + Send,
    ) -> anyhow::Result<Envelope> {
        for turn in turns {
            process.before_turn(own).await?;
            self.retried(process, || self.journal.append(own, &turn)).await?;
            self.acknowledgements.add(own.conversation_id, user_id, Some(turn.clone()));
            written.push(turn);
        }
        let end = End::of_turns(EndReason::Learner, Usage::default(), &written);
        let ended = self.retried(process, || self.journal.end(own, &end, env::now())).await?;
        Ok(ended.envelope)
    }

    /// Publishes the `conversation.completed` of `id` and records this in the journal.
    ///
    /// # Errors
    /// The process ended, or a call failed.
    pub async fn publish<P: Process>(
        &self,
        process: &mut P,
        id: ConversationId,
        completed: Envelope,
    ) -> anyhow::Result<()> {
        process.before_call().await?;
        self.bus.publish(&[completed]).await?;
        process.before_call().await?;
        Ok(self.journal.mark_published(id, env::now()).await?)
    }

    async fn retried<P: Process, T, F>(&self, process: &mut P, write: impl Fn() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = Result<T, JournalError>>,
    {
        let mut retries = 0;
        loop {
            process.before_call().await?;
            match write().await {
                Err(JournalError::Service { .. }) if retries < self.retries_max => retries += 1,
                result => return result.with_context(|| format!("not written after {retries} retries")),
            }
        }
    }
}

/// The journal of the deployment `outputs`.
///
/// # Panics
/// The watchdog has no queue.
#[must_use]
pub fn journal(sdk: &SdkConfig, outputs: &Outputs, watch_delay_seconds: i32) -> Journal {
    let queue = outputs.queue(Worker::Watchdog).expect("the watchdog has a queue");
    let config = JournalConfig {
        table: outputs.conversations_table.clone(),
        effects_table: outputs.effects_table.clone(),
        watchdog_queue_url: queue.url.clone(),
        watch_delay_seconds,
    };
    Journal::new(aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sqs::Client::new(sdk), config)
}

/// The bus of the deployment `outputs`, as the ingress uses it.
#[must_use]
pub fn bus(sdk: &SdkConfig, outputs: &Outputs) -> Bus {
    Bus::new(aws_sdk_eventbridge::Client::new(sdk), &outputs.bus_name, "nova.ingress")
}

/// The start of a conversation.
#[must_use]
pub fn start(id: ConversationId, user_id: UserId, time_zone: &str, owner: &str) -> Start {
    Start {
        conversation_id: id,
        user_id,
        image_id: "city-cafe".to_owned(),
        level: Level::B1,
        feedback_language: FeedbackLanguage::English,
        time_zone: time_zone.to_owned(),
        traceparent: Some(TraceParent::of(&id.to_string()).to_string()),
        owner: owner.to_owned(),
        voice: None,
    }
}

/// Journals a conversation that has ended without turns, and returns its `conversation.completed`.
///
/// # Errors
/// The journal did not acknowledge a write.
pub async fn write_ended(
    journal: &Journal,
    start: &Start,
    ended_at: Timestamp,
    end: &End,
) -> anyhow::Result<Envelope> {
    let own = journal.start(start, ended_at).await?;
    Ok(journal.end(&own, end, ended_at).await?.envelope)
}

/// The header of a conversation that has ended and is published.
#[must_use]
pub fn ended(start: Start, ended_at: Timestamp, end: End) -> Header {
    Header {
        start,
        claim: String::new(),
        epoch: 1,
        lease_until: ended_at,
        handover_requested_by: None,
        handed_over_as: None,
        progress: None,
        objectives_met: None,
        ended: Some(Ended { at: ended_at, end }),
        published_at: Some(ended_at),
        deleted_at: None,
    }
}

/// The turn `index` of the conversation `id`, whose text begins with the id. The learner speaks the even turns, unless the
/// learner is silent. `place` distinguishes the turns of several owners.
#[must_use]
pub fn turn(id: ConversationId, index: u32, is_silent: bool, place: &str) -> Turn {
    let speaker = if index.is_multiple_of(2) && !is_silent { Speaker::Learner } else { Speaker::Tutor };
    let text = format!("{id} I see {index} people at {place}, and one of them wear a hat.");
    Turn::spoken(index, speaker, text, u64::from(index) * TURN_MS, SPEECH_MS)
}
