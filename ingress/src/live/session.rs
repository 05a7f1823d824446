//! The live conversations of this task: how one begins, accepts further connections and uploaded turns, and is
//! published when it has ended. The loop of one conversation is in `session/session_loop.rs`.

mod briefing;
mod dependencies;
mod first_stream;
mod inputs;
mod meter;
mod recorder;
mod session_loop;
mod takeover;
mod uploads;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::{
    contract::{
        ConversationId, Envelope, UserId,
        live::{CloseReason, ErrorCode, ServerMessage},
    },
    journal::{Ended, JournalError, Start, State},
};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    live::admission::{AdmissionError, Slot},
    live::socket::ClientConnection,
    live::sonic::account::AccountStreams,
    live::ticket::{Admission, Purpose},
    store::images::PictureDescription,
};
use briefing::Briefing;
use first_stream::FirstStream;
use inputs::{ORDERS_MAX, Order, SessionInputs, UploadedAudio};
use meter::Meter;
use session_loop::{ActiveConversation, Outcome, SessionLoop, age_ms};
use takeover::{ActivationError, take_over};

pub use dependencies::Dependencies;
pub use first_stream::FIRST_STREAM_TIMEOUT;
pub use inputs::{Connect, TurnUploadError, UploadPermit};
pub use session_loop::JOBS_MAX;

/// How long a session waits for its last recordings before the end is published or the connection closes.
const UPLOADS_TIMEOUT: Duration = Duration::from_secs(10);

/// The live conversations of this task.
#[derive(Clone, Debug)]
pub struct Sessions {
    deps: Arc<Dependencies>,
    live: Arc<Mutex<HashMap<ConversationId, Live>>>,
    tasks: TaskTracker,
    /// Cancelled when this task shuts down.
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Live {
    admission: Admission,
    connect_tx: mpsc::Sender<Connect>,
    uploads_tx: mpsc::Sender<UploadedAudio>,
    /// One uploaded turn at a time.
    upload_permits: Arc<Semaphore>,
    /// Asks the loop to hand over or to end. Each conversation has its own signal, because a shared one would be locked for
    /// every frame of audio.
    orders_tx: mpsc::Sender<Order>,
}

/// A conversation to which a learner returns.
#[derive(Clone, Debug)]
pub enum Returning {
    /// It has not ended. It may be live on this task or another one.
    Open(Admission),
    Ended(UserId),
}

/// A conversation that this task is about to begin or to take over.
#[derive(Debug)]
pub struct Prepared {
    admission: Admission,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    Begin(Box<FirstStream>),
    TakeOver(Box<Briefing>),
}

impl Sessions {
    /// No conversation yet.
    #[must_use]
    pub fn new(deps: Dependencies) -> Self {
        Self {
            deps: Arc::new(deps),
            live: Arc::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// The streams of all tasks.
    #[must_use]
    pub fn account_streams(&self) -> &AccountStreams {
        &self.deps.sonic.account
    }

    /// Prepares a conversation. The first stream of a new one is opened before anything of it exists.
    ///
    /// # Errors
    /// [`AdmissionError::Throttled`].
    pub async fn prepare(
        &self,
        admission: Admission,
        picture: &PictureDescription,
    ) -> Result<Prepared, AdmissionError> {
        let briefing = Briefing::new(&admission, picture, &self.deps.config);
        let plan = match admission.purpose {
            Purpose::Start => {
                Plan::Begin(Box::new(Box::pin(first_stream::open(&self.deps, &admission, briefing)).await?))
            }
            Purpose::Return => Plan::TakeOver(Box::new(briefing)),
        };
        Ok(Prepared { admission, plan })
    }

    /// Spawns the task of a conversation, which begins it or takes it over from another ingress task.
    pub fn begin(&self, prepared: Prepared, slot: Slot, first: Connect) {
        let Prepared { admission, plan } = prepared;
        let (connect_tx, connects) = mpsc::channel(1);
        let (uploads_tx, uploads) = mpsc::channel(1);
        let (orders_tx, orders) = mpsc::channel(ORDERS_MAX);
        let id = admission.conversation_id;
        let live = Live {
            admission: admission.clone(),
            connect_tx,
            uploads_tx,
            upload_permits: Arc::new(Semaphore::new(1)),
            orders_tx: orders_tx.clone(),
        };
        self.lock().insert(id, live);
        if self.stopping.is_cancelled() {
            self.hand_over();
        }
        let sessions = self.clone();
        self.tasks.spawn(async move {
            let entry = Entry { sessions: &sessions, id };
            let inputs = SessionInputs { first, connects, uploads, orders };
            Box::pin(run(&sessions.deps, (admission, plan), inputs, orders_tx, slot)).await;
            drop(entry);
        });
    }

    /// The conversation to which a learner returns, live on this task or in the journal. `None` if it does not exist.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn returning(&self, id: ConversationId) -> Result<Option<Returning>, JournalError> {
        if let Some(admission) = self.admission(id) {
            return Ok(Some(Returning::Open(Admission { purpose: Purpose::Return, ..admission })));
        }
        let header = self.deps.journal.header(id).await?;
        Ok(header.map(|header| match header.state() {
            State::Active => Returning::Open(takeover::admission(header.start)),
            State::Ended => Returning::Ended(header.start.user_id),
        }))
    }

    fn admission(&self, id: ConversationId) -> Option<Admission> {
        self.lock().get(&id).map(|live| live.admission.clone())
    }

    /// Accepts further connections to a conversation. `None` if it is not live on this task.
    #[must_use]
    pub fn connect_tx(&self, id: ConversationId) -> Option<mpsc::Sender<Connect>> {
        self.lock().get(&id).map(|live| live.connect_tx.clone())
    }

    /// Acquires the permit to upload a turn to a live conversation.
    pub fn permit_upload(&self, id: ConversationId) -> Result<UploadPermit, TurnUploadError> {
        let (uploads_tx, permits) = {
            let live = self.lock();
            let live = live.get(&id).ok_or(TurnUploadError::NotLive)?;
            (live.uploads_tx.clone(), Arc::clone(&live.upload_permits))
        };
        let permit = permits.try_acquire_owned().map_err(|_| TurnUploadError::InProgress)?;
        Ok(UploadPermit { uploads_tx, permit })
    }

    /// The learner of a conversation, live on this task or in the journal. `None` if it does not exist.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn learner(&self, id: ConversationId) -> Result<Option<UserId>, JournalError> {
        if let Some(admission) = self.admission(id) {
            return Ok(Some(admission.user_id));
        }
        let header = self.deps.journal.header(id).await?;
        Ok(header.map(|header| header.start.user_id))
    }

    /// Number of live conversations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Asks all conversations, also those that begin later, to hand over to another task.
    pub fn hand_over(&self) {
        self.stopping.cancel();
        for live in self.lock().values() {
            // A conversation that has ended has nothing to hand over.
            let _ = live.orders_tx.try_send(Order::HandOver);
        }
    }

    /// Waits until the last conversation has ended and is published.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a conversation from the live ones when its task ends, also by a panic.
struct Entry<'a> {
    sessions: &'a Sessions,
    id: ConversationId,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
    }
}

async fn run(
    deps: &Dependencies,
    (admission, plan): (Admission, Plan),
    inputs: SessionInputs,
    orders: mpsc::Sender<Order>,
    slot: Slot,
) {
    let id = admission.conversation_id;
    let conversation_id = id.to_string();
    let active = match plan {
        Plan::Begin(first) => Box::pin(start(deps, &admission, *first)).await,
        Plan::TakeOver(briefing) => {
            let briefing = briefing.with_advice(deps, &admission.user_id).await;
            take_over(deps, id, briefing).await.inspect(|_| deps.metrics.taken_up.increment())
        }
    };
    let active = match active {
        Ok(active) => active,
        Err(why) => return turn_away(id, why, inputs.first.client).await,
    };
    let (usage_tx, usage) = watch::channel(active.conversation.usage());
    let mut meter = Meter::new(deps, admission.user_id, usage, orders);
    let mut session = SessionLoop::new(deps, active, usage_tx);
    let outcome = {
        let running = session.run(inputs);
        tokio::pin!(running);
        tokio::select! {
            outcome = &mut running => outcome,
            // A limit is reached, and the loop was asked to end.
            () = meter.run() => running.await,
        }
    };
    meter.finish().await;
    drop(slot);
    let close_reason = match outcome {
        Outcome::Ended { envelope, ending } => {
            tracing::info!(
                conversation.id = conversation_id,
                reason = ?ending.reason,
                turns = ending.totals.turns,
                learner_speech_ms = ending.totals.learner_speech_ms,
                "the conversation ended"
            );
            deps.metrics.ended(ending.reason, &ending.totals.metrics, Duration::from_millis(age_ms(id)));
            session.send_ended(ending).await;
            session.finish_uploads(UPLOADS_TIMEOUT).await;
            publish(deps, id, &envelope).await;
            session.ended_by()
        }
        Outcome::HandedOver => {
            deps.metrics.handed_over.increment();
            tracing::info!(conversation.id = conversation_id, "the conversation was handed over");
            let close_reason = session.send_reconnect();
            session.finish_uploads(UPLOADS_TIMEOUT).await;
            close_reason
        }
        Outcome::Lost => {
            tracing::warn!(conversation.id = conversation_id, "another task owns the conversation");
            CloseReason::Replaced
        }
        Outcome::Unwritten => {
            let message = "the conversation cannot be saved at the moment".to_owned();
            session.send(&ServerMessage::Error { code: ErrorCode::Unavailable, message });
            session.finish_uploads(UPLOADS_TIMEOUT).await;
            CloseReason::Failed
        }
    };
    session.close(close_reason).await;
}

async fn start(
    deps: &Dependencies,
    admission: &Admission,
    first: FirstStream,
) -> Result<ActiveConversation, ActivationError> {
    let FirstStream { conversation, setup, opened } = first;
    let start = journal_start(admission, &deps.owner);
    let own = deps.journal.start(&start, Timestamp::now()).await?;
    let conversation_id = admission.conversation_id.to_string();
    deps.metrics.started.increment();
    tracing::info!(conversation.id = conversation_id, level = ?admission.level, "the conversation began");
    let begun_ms = age_ms(admission.conversation_id);
    Ok(ActiveConversation { own, conversation, begun_ms, setup, opened: Some(opened), turns: Vec::new() })
}

/// Sends the client why the conversation cannot begin or continue, and closes its connection.
async fn turn_away(id: ConversationId, why: ActivationError, client: ClientConnection) {
    let (message, close_reason) = match why {
        ActivationError::Ended(Ended { end, .. }) => {
            (ServerMessage::Ended { reason: end.reason, turns: end.turns }, CloseReason::Ended)
        }
        ActivationError::Journal(error) => {
            let conversation_id = id.to_string();
            tracing::error!(conversation.id = conversation_id, error = %error, "the conversation did not begin or continue");
            let message = "the conversation cannot begin or go on at the moment".to_owned();
            (ServerMessage::Error { code: ErrorCode::Unavailable, message }, CloseReason::Failed)
        }
    };
    let _ = client.send(&message);
    client.close(close_reason).await;
}

fn journal_start(admission: &Admission, owner: &str) -> Start {
    Start {
        conversation_id: admission.conversation_id,
        user_id: admission.user_id.clone(),
        image_id: admission.image_id.clone(),
        level: admission.level,
        feedback_language: admission.feedback_language,
        time_zone: admission.time_zone.clone(),
        traceparent: admission.traceparent.clone(),
        owner: owner.to_owned(),
        voice: Some(admission.voice.clone()),
    }
}

/// The header in the journal is the outbox: if publishing fails here, the watchdog publishes.
async fn publish(deps: &Dependencies, id: ConversationId, envelope: &Envelope) {
    let conversation_id = id.to_string();
    if let Err(error) = deps.bus.publish(std::slice::from_ref(envelope)).await {
        tracing::error!(conversation.id = conversation_id, error = %error, "the end was not published");
        return;
    }
    if let Err(error) = deps.journal.mark_published(id, Timestamp::now()).await {
        tracing::warn!(conversation.id = conversation_id, error = %error, "the end is not marked as published");
    }
}
