//! The loop of one conversation. It receives events, passes them to the state machine and performs its outputs
//! (`session_loop/perform.rs`). It makes no decision about the conversation.

mod client;
mod perform;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use events::{
    contract::{ConversationId, Envelope, Turn, Usage, live::ServerMessage},
    journal::Ownership,
};
use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    dependencies::Dependencies,
    first_stream::OpenedStream,
    inputs::{Connect, Order, SessionInputs, UploadedAudio},
    recorder::{Done, Job, Recorder},
    uploads::Uploads,
};
use crate::{
    live::conversation::{Conversation, Ending, Input, LimitReached, ModelEvent, StreamId},
    live::socket::{ClientConnection, ClientEvent},
    live::sonic::{SIGNALS_MAX, Setup, Signal, Stream},
};
use client::next_event;

/// Jobs in the queue of the recorder. A conversation that is this far ahead of its journal ends.
pub const JOBS_MAX: usize = 64;

/// Places among [`JOBS_MAX`] that are reserved for the last jobs of a conversation: its last turns and its end.
const LAST_JOBS_MAX: usize = 8;

/// Deadline of the end: the recorder's own deadline for the queued turns and for the end.
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// Interval of the polls whether another task has requested the conversation. Polls begin when no client has been
/// connected or sent anything for this long, because the learner may have connected to another task.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Recorded turns that are kept for a client that reconnects.
const RECENT_TURNS_MAX: usize = 32;

/// The result of the loop.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The conversation ended, and its end is in the journal.
    Ended { envelope: Box<Envelope>, ending: Ending },
    /// Another task may take the conversation over.
    HandedOver,
    /// Another task owns the conversation.
    Lost,
    /// The journal cannot be written; the watchdog will end the conversation.
    Unwritten,
}

/// A conversation that this task owns.
pub(super) struct ActiveConversation {
    pub(super) own: Ownership,
    pub(super) conversation: Conversation,
    /// Age of the conversation, in milliseconds.
    pub(super) begun_ms: u64,
    pub(super) setup: Setup,
    /// The first stream, if it was opened before.
    pub(super) opened: Option<OpenedStream>,
    pub(super) turns: Vec<Turn>,
}

/// See the module.
pub(super) struct SessionLoop<'a> {
    deps: &'a Dependencies,
    own: Ownership,
    conversation: Conversation,
    conversation_id: String,
    setup: Setup,
    /// The moment at which the conversation was `begun_ms` old.
    begun: Instant,
    begun_ms: u64,
    streams: HashMap<StreamId, Stream>,
    signals_tx: mpsc::Sender<(StreamId, Signal)>,
    signals: mpsc::Receiver<(StreamId, Signal)>,
    /// What came of the first stream before the loop began.
    first_signal: Option<(StreamId, Signal)>,
    jobs: mpsc::Sender<Job>,
    done: mpsc::Receiver<Done>,
    uploads: Option<Uploads>,
    client: Option<ClientConnection>,
    /// Held while an uploaded turn is being played to the model.
    upload_permit: Option<OwnedSemaphorePermit>,
    ending: Option<Ending>,
    end_by: Option<Instant>,
    /// This task is shutting down.
    is_stopping: bool,
    /// The limit of the day that ends the conversation.
    limit: Option<LimitReached>,
    usage: watch::Sender<Usage>,
    /// Another task has requested the conversation.
    takeover_requested: bool,
    polled_at: Instant,
    /// The last turns in the journal.
    recent: VecDeque<Turn>,
    /// Inputs that result from performing an output.
    follow_up: Vec<Input>,
}

/// Why the loop woke up.
enum Wake {
    Done(Option<Done>),
    Order(Order),
    Signal(StreamId, Signal),
    Connect(Connect),
    Upload(UploadedAudio),
    Client(ClientEvent),
    Timer,
}

impl<'a> SessionLoop<'a> {
    /// `usage` is kept up to date.
    pub(super) fn new(
        deps: &'a Dependencies,
        active: ActiveConversation,
        usage: watch::Sender<Usage>,
    ) -> Self {
        let ActiveConversation { own, conversation, begun_ms, setup, opened, turns } = active;
        let mut streams = HashMap::new();
        let (signals_tx, signals, first_signal) = match opened {
            Some(OpenedStream { id, stream, signals_tx, signals, first }) => {
                streams.insert(id, stream);
                (signals_tx, signals, first.map(|signal| (id, signal)))
            }
            None => {
                let (signals_tx, signals) = mpsc::channel(SIGNALS_MAX);
                (signals_tx, signals, None)
            }
        };
        let (jobs, jobs_rx) = mpsc::channel(JOBS_MAX);
        let (done_tx, done) = mpsc::channel(JOBS_MAX);
        let conversation_id = own.conversation_id.to_string();
        let (journal, recordings) = (deps.journal.clone(), deps.recordings.clone());
        tokio::spawn(Recorder { journal, recordings, own }.run(jobs_rx, done_tx));
        let uploads = Some(Uploads::new(deps.recordings.clone(), conversation_id.clone()));
        let mut session = Self {
            deps,
            own,
            conversation,
            conversation_id,
            setup,
            begun: Instant::now(),
            begun_ms,
            streams,
            signals_tx,
            signals,
            first_signal,
            jobs,
            done,
            uploads,
            client: None,
            upload_permit: None,
            ending: None,
            end_by: None,
            is_stopping: false,
            limit: None,
            usage,
            takeover_requested: false,
            polled_at: Instant::now(),
            recent: VecDeque::new(),
            follow_up: Vec::new(),
        };
        turns.into_iter().for_each(|turn| session.remember(turn));
        session
    }

    /// Runs until the conversation has ended here.
    pub(super) async fn run(&mut self, inputs: SessionInputs) -> Outcome {
        let SessionInputs { first, mut connects, mut uploads, mut orders } = inputs;
        self.attach(first);
        if let Some((stream, signal)) = self.first_signal.take() {
            self.handle_signal(stream, signal);
        }
        let timer = sleep_until(self.deadline());
        tokio::pin!(timer);
        loop {
            // The timer is moved only to an earlier time, and not for every frame of audio: a timer that fires too
            // early costs one tick.
            let deadline = self.deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            let wake = tokio::select! {
                biased;
                // 1. The recorder: whether this task still owns the conversation, and what is durable.
                done = self.done.recv() => Wake::Done(done),
                // 2. The process is shutting down, or a limit of the day is reached.
                Some(order) = orders.recv() => Wake::Order(order),
                // 3. The model: a barge-in must not wait.
                Some((stream, signal)) = self.signals.recv() => Wake::Signal(stream, signal),
                // 4. The learner has connected again.
                Some(connect) = connects.recv() => Wake::Connect(connect),
                // 5. The learner has uploaded a turn.
                Some(turn) = uploads.recv() => Wake::Upload(turn),
                // 6. The connected client.
                event = next_event(&mut self.client) => Wake::Client(event),
                // 7. Time.
                () = &mut timer => Wake::Timer,
            };
            match wake {
                Wake::Done(done) => {
                    if let Some(outcome) = self.handle_done(done) {
                        return outcome;
                    }
                }
                Wake::Order(Order::HandOver) => {
                    self.is_stopping = true;
                    self.input(Input::HandOver);
                }
                Wake::Order(Order::End(limit)) => {
                    self.limit.get_or_insert(limit);
                    self.input(Input::LimitReached(limit));
                }
                Wake::Signal(stream, signal) => self.handle_signal(stream, signal),
                Wake::Connect(connect) => self.attach(connect),
                Wake::Upload(UploadedAudio { pcm, permit }) => {
                    self.upload_permit = Some(permit);
                    self.input(Input::Uploaded(pcm));
                }
                Wake::Client(event) => self.handle_client(event),
                Wake::Timer => {
                    if let Some(outcome) = self.handle_timer() {
                        return outcome;
                    }
                }
            }
        }
    }

    /// Waits until the recordings are stored, at most for `limit`.
    pub(super) async fn finish_uploads(&mut self, limit: Duration) {
        let Some(uploads) = self.uploads.take() else { return };
        if tokio::time::timeout(limit, uploads.finish()).await.is_err() {
            tracing::warn!(conversation.id = self.conversation_id, "recordings were not stored in time");
        }
    }

    fn now_ms(&self) -> u64 {
        self.begun_ms + u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn deadline(&self) -> Instant {
        let own = self
            .conversation
            .deadline_ms()
            .map(|at_ms| self.begun + Duration::from_millis(at_ms.saturating_sub(self.begun_ms)));
        let far = Instant::now() + Duration::from_secs(3600);
        [own, self.end_by, self.poll_due()].into_iter().flatten().min().unwrap_or(far)
    }

    /// Passes an input to the state machine and performs its outputs.
    fn input(&mut self, input: Input) {
        self.conversation.handle(input, self.now_ms());
        self.perform();
        // Bounded: each follow-up closes a stream or the connection, and both are finite in number.
        while let Some(input) = self.follow_up.pop() {
            self.conversation.handle(input, self.now_ms());
            self.perform();
        }
        if !self.conversation.is_playing_upload() {
            self.upload_permit = None;
        }
    }

    /// When the next poll is due. `None` once another task has requested the conversation, or the end is being written.
    fn poll_due(&self) -> Option<Instant> {
        let silent_since = self.client.as_ref().map_or(self.polled_at, ClientConnection::received_at);
        let polls = self.end_by.is_none() && !self.takeover_requested;
        polls.then(|| self.polled_at.max(silent_since) + POLL_INTERVAL)
    }

    fn remember(&mut self, turn: Turn) {
        if self.recent.len() == RECENT_TURNS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(turn);
    }

    fn handle_signal(&mut self, stream: StreamId, signal: Signal) {
        match signal {
            Signal::Opened => {
                if let Some(opened) = self.streams.get(&stream) {
                    self.deps.metrics.openings.record_duration(opened.age());
                }
                self.input(Input::StreamOpened(stream));
            }
            Signal::Simulated(simulated) => self.input(Input::Simulated(simulated)),
            Signal::Model(event) => {
                let is_usage = matches!(event, ModelEvent::Usage(_));
                self.input(Input::Model(stream, event));
                if is_usage {
                    self.usage.send_replace(self.conversation.usage());
                }
            }
            Signal::UnreadableUsage => self.deps.metrics.unreadable_usage.increment(),
            Signal::Failed(error) => {
                self.streams.remove(&stream);
                self.input(Input::StreamFailed(stream, error));
            }
            Signal::Ended => {
                self.streams.remove(&stream);
                self.input(Input::StreamEnded(stream));
            }
        }
    }

    fn handle_timer(&mut self) -> Option<Outcome> {
        if self.end_by.is_some_and(|by| by <= Instant::now()) {
            tracing::error!(conversation.id = self.conversation_id, "the end was not written in time");
            return Some(Outcome::Unwritten);
        }
        if self.poll_due().is_some_and(|due| due <= Instant::now()) {
            self.polled_at = Instant::now();
            // Polls must not take the place of jobs that write.
            if self.jobs.capacity() == self.jobs.max_capacity() {
                let _ = self.jobs.try_send(Job::Poll);
            }
        }
        self.input(Input::Tick);
        None
    }

    fn handle_done(&mut self, done: Option<Done>) -> Option<Outcome> {
        match done {
            Some(Done::Turn(turn)) => {
                self.remember(turn.clone());
                self.send(&ServerMessage::Turn { turn });
                self.input(Input::Tick);
                None
            }
            Some(Done::Objective(message)) => {
                self.send(&message);
                None
            }
            Some(Done::Ended(envelope)) => {
                let ending = self.ending.expect("the end is written only after it was decided");
                Some(Outcome::Ended { envelope, ending })
            }
            Some(Done::TakeoverRequested) => {
                if !std::mem::replace(&mut self.takeover_requested, true) {
                    self.input(Input::TakeoverRequested);
                }
                None
            }
            Some(Done::HandedOver) => Some(Outcome::HandedOver),
            Some(Done::Fenced) => Some(Outcome::Lost),
            Some(Done::Failed(error)) => {
                tracing::error!(
                    conversation.id = self.conversation_id,
                    error = %error,
                    "the journal cannot be written"
                );
                Some(Outcome::Unwritten)
            }
            None => Some(Outcome::Unwritten),
        }
    }
}

pub(super) fn age_ms(id: ConversationId) -> u64 {
    u64::try_from(Timestamp::now().as_millisecond() - id.started_at_ms()).unwrap_or(0)
}
