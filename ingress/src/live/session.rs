//! Live conversations: who is live on this task, and how one begins, is come back to, and is published. The loop
//! of one conversation is in `session/talk.rs`.

mod recorder;
mod takeover;
mod talk;
mod uploads;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use events::{
    bus::Bus,
    contract::{ConversationId, Envelope, UserId},
    journal::{Ended, Journal, JournalError, Start, State},
};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Clip, Config},
    live::admission::Seated,
    live::conversation::{Conversation, Settings},
    live::prompt,
    live::socket::{
        Farewell, Page,
        message::{ErrorCode, ServerMessage},
    },
    live::sonic::{Setup, Sonic, wire::Sensitivity},
    live::ticket::{Admission, Purpose},
    live::voice,
    metrics::Metrics,
    store::{analyses::Analyses, audio::Recordings, images::Picture},
};
use takeover::{NotHeld, take_up};
use talk::{Held, Outcome, Talk};

pub use talk::JOBS_MAX;

/// How long the publication waits for the last recordings.
const UPLOADS_TIMEOUT: Duration = Duration::from_secs(10);

/// What a conversation is made with.
#[derive(Debug)]
pub struct Parts {
    /// The journal.
    pub journal: Journal,
    /// The bus.
    pub bus: Bus,
    /// The recordings.
    pub recordings: Recordings,
    /// What the tutor is told of earlier conversations.
    pub analyses: Analyses,
    /// The model.
    pub sonic: Sonic,
    /// The configuration.
    pub config: Config,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// The name of this task in the journal.
    pub owner: String,
}

/// The live conversations of this task.
#[derive(Clone, Debug)]
pub struct Sessions {
    parts: Arc<Parts>,
    live: Arc<Mutex<HashMap<ConversationId, Live>>>,
    tasks: TaskTracker,
    /// Cancelled when this task is to hold no conversation any more.
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Live {
    admission: Admission,
    door: mpsc::Sender<Visit>,
    turns: mpsc::Sender<SpokenTurn>,
    /// One uploaded turn at a time.
    places: Arc<Semaphore>,
    /// Tells it to hand over. A signal of its own: what all conversations share would be locked for every frame of audio.
    stop: Option<oneshot::Sender<()>>,
}

/// A conversation that a learner comes back to.
#[derive(Clone, Debug)]
pub enum Returning {
    /// It goes on, on this task or another, and this is what the learner is admitted to.
    Open(Admission),
    /// It has ended; it was this learner's.
    Over(UserId),
}

/// A page that comes to a conversation.
#[derive(Debug)]
pub struct Visit {
    /// The page.
    pub page: Page,
    /// Turns that it has been told.
    pub turns: u32,
}

/// The place for one uploaded turn in a live conversation. While it is taken there is no other.
#[derive(Debug)]
pub struct TurnPlace {
    turns: mpsc::Sender<SpokenTurn>,
    place: OwnedSemaphorePermit,
}

/// A turn that was uploaded.
#[derive(Debug)]
struct SpokenTurn {
    /// PCM s16le, 16 kHz mono.
    pcm: Bytes,
    place: OwnedSemaphorePermit,
}

/// Why a turn cannot be uploaded to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTurn {
    /// The conversation is not live on this task.
    #[error("the conversation is not live here")]
    NotLive,
    /// Another turn is being uploaded or spoken.
    #[error("another turn is being uploaded or spoken")]
    InProgress,
}

impl Sessions {
    /// No conversation yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            live: Arc::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// Begins a conversation, or goes on with one that another task holds or held, in a task of its own.
    pub fn begin(&self, admission: Admission, picture: &Picture, seated: Seated, first: Visit) {
        let (door, pages) = mpsc::channel(1);
        let (spoken, turns) = mpsc::channel(1);
        let id = admission.conversation_id;
        let (stop, stopped) = oneshot::channel();
        let live = Live {
            admission: admission.clone(),
            door,
            turns: spoken,
            places: Arc::new(Semaphore::new(1)),
            stop: Some(stop),
        };
        self.lock().insert(id, live);
        if self.stopping.is_cancelled() {
            self.hand_over();
        }
        let briefing = Briefing::new(&admission, picture, &self.parts.config);
        let sessions = self.clone();
        self.tasks.spawn(async move {
            let entry = Entry { sessions: &sessions, id };
            let arrivals = Arrivals { first, pages, turns, stopped };
            Box::pin(run(&sessions.parts, admission, briefing, arrivals, seated)).await;
            drop(entry);
        });
    }

    /// The conversation that a learner comes back to: one that is live on this task, or in the journal. `None` if there
    /// is no such conversation.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn returning(&self, id: ConversationId) -> Result<Option<Returning>, JournalError> {
        if let Some(admission) = self.admission(id) {
            return Ok(Some(Returning::Open(Admission { purpose: Purpose::Return, ..admission })));
        }
        let header = self.parts.journal.header(id).await?;
        Ok(header.map(|header| match header.state() {
            State::Active => Returning::Open(takeover::admission(header.start)),
            State::Ended => Returning::Over(header.start.user_id),
        }))
    }

    fn admission(&self, id: ConversationId) -> Option<Admission> {
        self.lock().get(&id).map(|live| live.admission.clone())
    }

    /// Where another page of a live conversation is handed in.
    #[must_use]
    pub fn door(&self, id: ConversationId) -> Option<mpsc::Sender<Visit>> {
        self.lock().get(&id).map(|live| live.door.clone())
    }

    /// Takes the place for an uploaded turn in a live conversation.
    ///
    /// # Errors
    /// See [`NoTurn`].
    pub fn place_for_turn(&self, id: ConversationId) -> Result<TurnPlace, NoTurn> {
        let (turns, places) = {
            let live = self.lock();
            let live = live.get(&id).ok_or(NoTurn::NotLive)?;
            (live.turns.clone(), Arc::clone(&live.places))
        };
        let place = places.try_acquire_owned().map_err(|_| NoTurn::InProgress)?;
        Ok(TurnPlace { turns, place })
    }

    /// The learner of a conversation, live on this task or in the journal. `None` if there is no such conversation.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn learner(&self, id: ConversationId) -> Result<Option<UserId>, JournalError> {
        if let Some(admission) = self.admission(id) {
            return Ok(Some(admission.user_id));
        }
        let header = self.parts.journal.header(id).await?;
        Ok(header.map(|header| header.start.user_id))
    }

    /// Live conversations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Tells all conversations, and those that begin later, to go on at another task or to end.
    pub fn hand_over(&self) {
        self.stopping.cancel();
        for live in self.lock().values_mut() {
            if let Some(stop) = live.stop.take() {
                // One that is over has nothing to hand over.
                let _ = stop.send(());
            }
        }
    }

    /// Waits until the last conversation is over and published.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TurnPlace {
    /// Has the turn spoken: PCM s16le, 16 kHz mono.
    ///
    /// # Errors
    /// [`NoTurn::NotLive`]: the conversation is over.
    pub fn speak(self, pcm: Bytes) -> Result<(), NoTurn> {
        // There is room: whoever was here before has been taken in, or there would be no place.
        self.turns.try_send(SpokenTurn { pcm, place: self.place }).map_err(|_| NoTurn::NotLive)
    }
}

/// The entry of a conversation among the live ones, for as long as its task runs, even if that panics.
struct Entry<'a> {
    sessions: &'a Sessions,
    id: ConversationId,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
    }
}

/// What comes to a conversation from the learner's side.
struct Arrivals {
    first: Visit,
    pages: mpsc::Receiver<Visit>,
    turns: mpsc::Receiver<SpokenTurn>,
    stopped: oneshot::Receiver<()>,
}

/// What the model and the state machine are told of a conversation.
struct Briefing {
    settings: Settings,
    setup: Setup,
}

impl Briefing {
    fn new(admission: &Admission, picture: &Picture, config: &Config) -> Self {
        let jitter_permille = rand::random_range(0..1_000);
        let sensitivity = prompt::sensitivity(admission.level);
        let second = is_second_generation(&config.sonic_model_id);
        let settings = Settings {
            conversation_id: admission.conversation_id,
            audio_prefix: Recordings::prefix(&admission.user_id, admission.conversation_id),
            pause_ms: if second { sensitivity.pause_ms() } else { Sensitivity::High.pause_ms() },
            texts: second.then(|| prompt::texts(picture)),
            opening_clip: config.opening_clip.as_ref().filter(|_| !second).map(Clip::pcm),
            limits: config.limits(jitter_permille),
            jitter_permille,
        };
        let setup = Setup {
            system_prompt: prompt::system(picture, admission.level).into(),
            history: Vec::new(),
            voice: voice::at_model(&admission.voice, second).into(),
            sensitivity: second.then_some(sensitivity),
        };
        Self { settings, setup }
    }

    /// With what the learner's last assessments advise, where that can be read in time.
    async fn advised(mut self, parts: &Parts, user_id: &UserId) -> Self {
        let advice = parts.analyses.advice(user_id).await;
        self.setup.system_prompt = prompt::with_advice(&self.setup.system_prompt, &advice).into();
        self
    }
}

/// Whether the model can be typed to and told how soon to take the turn.
fn is_second_generation(model_id: &str) -> bool {
    model_id.contains("nova-2-sonic")
}

async fn run(parts: &Parts, admission: Admission, briefing: Briefing, arrivals: Arrivals, seated: Seated) {
    let id = admission.conversation_id;
    let conversation_id = id.to_string();
    let held = match admission.purpose {
        Purpose::Start => Box::pin(begun(parts, &admission, briefing)).await,
        Purpose::Return => {
            let briefing = briefing.advised(parts, &admission.user_id).await;
            take_up(parts, id, briefing).await.inspect(|_| parts.metrics.taken_up.increment())
        }
    };
    let held = match held {
        Ok(held) => held,
        Err(why) => return turn_away(id, why, arrivals.first.page).await,
    };
    let mut talk = Talk::new(parts, held);
    let outcome = talk.hold(arrivals).await;
    drop(seated);
    let farewell = match outcome {
        Outcome::Ended { envelope, ending } => {
            tracing::info!(
                conversation.id = conversation_id,
                reason = ?ending.reason,
                turns = ending.progress.turns,
                learner_speech_ms = ending.progress.learner_speech_ms,
                "the conversation ended"
            );
            parts.metrics.ended(&ending, Duration::from_millis(age_ms(id)));
            talk.say_goodbye(ending).await;
            talk.stored(UPLOADS_TIMEOUT).await;
            publish(parts, id, &envelope).await;
            Farewell::Ended
        }
        Outcome::Released => {
            parts.metrics.handed_over.increment();
            tracing::info!(conversation.id = conversation_id, "another task may go on with the conversation");
            let farewell = talk.send_on();
            talk.stored(UPLOADS_TIMEOUT).await;
            farewell
        }
        Outcome::Lost => {
            tracing::warn!(conversation.id = conversation_id, "the conversation belongs to somebody else");
            Farewell::Replaced
        }
        Outcome::Unwritten => {
            let message = "the conversation cannot be saved at the moment".to_owned();
            talk.tell(&ServerMessage::Error { code: ErrorCode::Unavailable, message });
            talk.stored(UPLOADS_TIMEOUT).await;
            Farewell::Failed
        }
    };
    talk.close(farewell).await;
}

async fn begun(parts: &Parts, admission: &Admission, briefing: Briefing) -> Result<Held, NotHeld> {
    let start = start(admission, &parts.owner);
    let (own, briefing) = tokio::join!(
        parts.journal.start(&start, Timestamp::now()),
        briefing.advised(parts, &admission.user_id)
    );
    let own = own?;
    let conversation_id = admission.conversation_id.to_string();
    parts.metrics.started.increment();
    tracing::info!(conversation.id = conversation_id, level = ?admission.level, "the conversation began");
    let begun_ms = age_ms(admission.conversation_id);
    let conversation = Conversation::new(briefing.settings, begun_ms);
    Ok(Held { own, conversation, begun_ms, setup: briefing.setup, turns: Vec::new() })
}

/// Tells a page that there is nothing to hold.
async fn turn_away(id: ConversationId, why: NotHeld, page: Page) {
    let (message, farewell) = match why {
        NotHeld::Over(Ended { end, .. }) => {
            (ServerMessage::Ended { reason: end.reason, turns: end.turns }, Farewell::Ended)
        }
        NotHeld::Journal(error) => {
            let conversation_id = id.to_string();
            tracing::error!(conversation.id = conversation_id, error = %error, "the conversation is not held");
            let message = "the conversation cannot begin or go on at the moment".to_owned();
            (ServerMessage::Error { code: ErrorCode::Unavailable, message }, Farewell::Failed)
        }
    };
    let _ = page.send(&message);
    page.close(farewell).await;
}

/// How old a conversation is, in milliseconds.
fn age_ms(id: ConversationId) -> u64 {
    u64::try_from(Timestamp::now().as_millisecond() - id.started_at_ms()).unwrap_or(0)
}

fn start(admission: &Admission, owner: &str) -> Start {
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

/// What fails here is done by the watchdog: the header in the journal is the outbox.
async fn publish(parts: &Parts, id: ConversationId, envelope: &Envelope) {
    let conversation_id = id.to_string();
    if let Err(error) = parts.bus.publish(std::slice::from_ref(envelope)).await {
        tracing::error!(conversation.id = conversation_id, error = %error, "the end was not published");
        return;
    }
    if let Err(error) = parts.journal.mark_published(id, Timestamp::now()).await {
        tracing::warn!(conversation.id = conversation_id, error = %error, "the publication was not noted");
    }
}
