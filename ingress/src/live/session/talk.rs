//! The loop of one conversation: takes what happens, tells the state machine, does what it answers
//! (`talk/perform.rs`). It decides nothing about the conversation.

mod page;
mod perform;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use events::{
    contract::{Envelope, Turn},
    journal::Ownership,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep_until},
};

use super::{
    Arrivals, Parts, SpokenTurn, Visit,
    recorder::{Done, Job, record},
    uploads::Uploads,
};
use crate::{
    live::conversation::{Conversation, Ending, Input, StreamId},
    live::socket::{FromPage, Page, message::ServerMessage},
    live::sonic::{SIGNALS_MAX, Setup, Signal, Stream},
};
use page::from_page;

/// Writes that wait for the journal. A conversation that runs this far ahead of it ends.
pub const JOBS_MAX: usize = 64;

/// Places among [`JOBS_MAX`] that are kept for what a conversation writes when it ends: its last turns and the end.
const LAST_JOBS_MAX: usize = 8;

/// Longest time the journal may take for the end: its own deadline for the turns that wait and for the end.
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// How often it is asked whether another task wants the conversation, while the page is away or silent for this long:
/// the learner may be there already.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Turns that are kept to be told again to a page that comes back.
const RECENT_TURNS_MAX: usize = 32;

/// How a conversation came out.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It ended, and its end is in the journal.
    Ended {
        /// To be published.
        envelope: Box<Envelope>,
        /// How it ended.
        ending: Ending,
    },
    /// Another task may go on with it.
    Released,
    /// It belongs to somebody else.
    Lost,
    /// The journal cannot be written; the watchdog will end it.
    Unwritten,
}

/// A conversation that this task holds.
pub(super) struct Held {
    pub(super) own: Ownership,
    pub(super) conversation: Conversation,
    /// How old the conversation is, in milliseconds.
    pub(super) begun_ms: u64,
    pub(super) setup: Setup,
    /// The turns in the journal.
    pub(super) turns: Vec<Turn>,
}

/// See the module.
pub(super) struct Talk<'a> {
    parts: &'a Parts,
    own: Ownership,
    conversation: Conversation,
    conversation_id: String,
    setup: Setup,
    /// The moment at which the conversation was `begun_ms` old.
    begun: Instant,
    begun_ms: u64,
    streams: HashMap<StreamId, Stream>,
    signals: mpsc::Sender<(StreamId, Signal)>,
    signalled: mpsc::Receiver<(StreamId, Signal)>,
    jobs: mpsc::Sender<Job>,
    done: mpsc::Receiver<Done>,
    uploads: Option<Uploads>,
    page: Option<Page>,
    /// Held while an uploaded turn is being spoken.
    speaking: Option<OwnedSemaphorePermit>,
    ending: Option<Ending>,
    end_by: Option<Instant>,
    /// This task is to hold no conversation any more.
    is_stopping: bool,
    /// Another task has asked for the conversation.
    wanted: bool,
    looked_at: Instant,
    /// The last turns in the journal.
    recent: VecDeque<Turn>,
    /// Inputs that follow from what was done.
    follow_up: Vec<Input>,
}

/// What the loop woke up for.
enum Wake {
    Done(Option<Done>),
    /// Whether the conversation is to be handed over. Otherwise nobody is left to ask for it.
    Stop(bool),
    Signal(StreamId, Signal),
    Page(Visit),
    Spoken(SpokenTurn),
    FromPage(FromPage),
    Time,
}

impl<'a> Talk<'a> {
    pub(super) fn new(parts: &'a Parts, held: Held) -> Self {
        let Held { own, conversation, begun_ms, setup, turns } = held;
        let (signals, signalled) = mpsc::channel(SIGNALS_MAX);
        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        let (report, done) = mpsc::channel(JOBS_MAX);
        let conversation_id = own.conversation_id.to_string();
        let journal = (parts.journal.clone(), parts.recordings.clone());
        tokio::spawn(record(journal, own, waiting, report));
        let uploads = Some(Uploads::new(parts.recordings.clone(), conversation_id.clone()));
        let mut talk = Self {
            parts,
            own,
            conversation,
            conversation_id,
            setup,
            begun: Instant::now(),
            begun_ms,
            streams: HashMap::new(),
            signals,
            signalled,
            jobs,
            done,
            uploads,
            page: None,
            speaking: None,
            ending: None,
            end_by: None,
            is_stopping: false,
            wanted: false,
            looked_at: Instant::now(),
            recent: VecDeque::new(),
            follow_up: Vec::new(),
        };
        turns.into_iter().for_each(|turn| talk.remember(turn));
        talk
    }

    /// Holds the conversation to its end.
    pub(super) async fn hold(&mut self, arrivals: Arrivals) -> Outcome {
        let Arrivals { first, mut pages, mut turns, mut stopped } = arrivals;
        self.attach(first);
        let timer = sleep_until(self.deadline());
        tokio::pin!(timer);
        let mut told = false;
        loop {
            // A timer that is too early only ticks once for nothing; it is not moved for every frame of audio.
            let deadline = self.deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            let wake = tokio::select! {
                biased;
                // 1. Whether the conversation is still ours, and what is durable.
                done = self.done.recv() => Wake::Done(done),
                // 2. The process is stopping.
                stop = &mut stopped, if !told => Wake::Stop(stop.is_ok()),
                // 3. The model: a barge-in must not wait.
                Some((stream, signal)) = self.signalled.recv() => Wake::Signal(stream, signal),
                // 4. The learner is back on another socket.
                Some(visit) = pages.recv() => Wake::Page(visit),
                // 5. The learner has uploaded a turn.
                Some(turn) = turns.recv() => Wake::Spoken(turn),
                // 6. The learner.
                message = from_page(&mut self.page) => Wake::FromPage(message),
                // 7. Time.
                () = &mut timer => Wake::Time,
            };
            match wake {
                Wake::Done(done) => {
                    if let Some(outcome) = self.written(done) {
                        return outcome;
                    }
                }
                Wake::Stop(stop) => {
                    told = true;
                    if stop {
                        self.is_stopping = true;
                        self.input(Input::HandOver);
                    }
                }
                Wake::Signal(stream, signal) => self.signal(stream, signal),
                Wake::Page(visit) => self.attach(visit),
                Wake::Spoken(SpokenTurn { pcm, place }) => {
                    self.speaking = Some(place);
                    self.input(Input::Uploaded(pcm));
                }
                Wake::FromPage(message) => self.page_says(message),
                Wake::Time => {
                    if let Some(outcome) = self.time() {
                        return outcome;
                    }
                }
            }
        }
    }

    /// Waits until the recordings are stored, within a limit.
    pub(super) async fn stored(&mut self, limit: Duration) {
        let Some(uploads) = self.uploads.take() else { return };
        if tokio::time::timeout(limit, uploads.finish()).await.is_err() {
            tracing::warn!(conversation.id = self.conversation_id, "recordings are still being stored");
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
        [own, self.end_by, self.look_due()].into_iter().flatten().min().unwrap_or(far)
    }

    /// Tells the state machine, and does what it answers.
    fn input(&mut self, input: Input) {
        self.conversation.handle(input, self.now_ms());
        self.perform();
        // Bounded: a follow-up loses a stream or the page, and there are finitely many of both.
        while let Some(input) = self.follow_up.pop() {
            self.conversation.handle(input, self.now_ms());
            self.perform();
        }
        if !self.conversation.is_speaking_upload() {
            self.speaking = None;
        }
    }

    /// When it is time to ask whether another task wants the conversation: the learner of a page that is away or
    /// silent may be there.
    fn look_due(&self) -> Option<Instant> {
        let silent_since = self.page.as_ref().map_or(self.looked_at, Page::heard_at);
        let looks = self.end_by.is_none() && !self.wanted;
        looks.then(|| self.looked_at.max(silent_since) + LOOK_INTERVAL)
    }

    fn remember(&mut self, turn: Turn) {
        if self.recent.len() == RECENT_TURNS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(turn);
    }

    fn signal(&mut self, stream: StreamId, signal: Signal) {
        match signal {
            Signal::Opened => {
                if let Some(opened) = self.streams.get(&stream) {
                    self.parts.metrics.openings.record_duration(opened.age());
                }
                self.input(Input::StreamOpened(stream));
            }
            Signal::Simulated(simulated) => self.input(Input::Simulated(simulated)),
            Signal::Model(event) => self.input(Input::Model(stream, event)),
            Signal::Failed(failure) => {
                self.streams.remove(&stream);
                self.input(Input::StreamFailed(stream, failure));
            }
            Signal::Ended => {
                self.streams.remove(&stream);
                self.input(Input::StreamEnded(stream));
            }
        }
    }

    fn time(&mut self) -> Option<Outcome> {
        if self.end_by.is_some_and(|by| by <= Instant::now()) {
            tracing::error!(conversation.id = self.conversation_id, "the end was not written in time");
            return Some(Outcome::Unwritten);
        }
        if self.look_due().is_some_and(|due| due <= Instant::now()) {
            self.looked_at = Instant::now();
            // While anything waits to be written, looks would only take its place.
            if self.jobs.capacity() == self.jobs.max_capacity() {
                let _ = self.jobs.try_send(Job::Look);
            }
        }
        self.input(Input::Tick);
        None
    }

    fn written(&mut self, done: Option<Done>) -> Option<Outcome> {
        match done {
            Some(Done::Turn(turn)) => {
                self.remember(turn.clone());
                self.tell(&ServerMessage::Turn { turn });
                self.input(Input::Tick);
                None
            }
            Some(Done::Ended(envelope)) => {
                let ending = self.ending.expect("the end is written only after it was decided");
                Some(Outcome::Ended { envelope, ending })
            }
            Some(Done::Wanted) => {
                if !std::mem::replace(&mut self.wanted, true) {
                    self.input(Input::Wanted);
                }
                None
            }
            Some(Done::Released) => Some(Outcome::Released),
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
