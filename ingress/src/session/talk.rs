//! The loop of one conversation: takes what happens, tells the state machine, does what it answers. It decides
//! nothing about the conversation.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use events::{
    contract::Envelope,
    journal::{End, Ownership},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep_until},
};

use super::{
    Arrivals, Parts, SpokenTurn,
    recorder::{Done, Job, record},
    uploads::Uploads,
};
use crate::{
    conversation::{Conversation, Ending, FailureClass, Input, Output, Progress, StreamFailure, StreamId},
    socket::{
        Farewell, FromPage, Page,
        message::{ClientMessage, ErrorCode, ServerMessage},
    },
    sonic::{Setup, Signal, Stalled, Stream},
};

/// Signals of the model that wait: when they are not taken, the model is not read.
const SIGNALS_MAX: usize = 64;

/// Turns that wait for the journal.
const JOBS_MAX: usize = 64;

/// Longest time the journal may take for the end: its own deadline for the turns that wait and for the end.
const END_TIMEOUT: Duration = Duration::from_secs(90);

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
    /// It belongs to somebody else.
    Lost,
    /// The journal cannot be written; the watchdog will end it.
    Unwritten,
}

/// See the module.
pub(super) struct Talk<'a> {
    parts: &'a Parts,
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
    /// Inputs that follow from what was done.
    follow_up: Vec<Input>,
}

/// What the loop woke up for.
enum Wake {
    Done(Option<Done>),
    Shutdown,
    Signal(StreamId, Signal),
    Page(Page),
    Spoken(SpokenTurn),
    FromPage(FromPage),
    Time,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        parts: &'a Parts,
        own: Ownership,
        conversation: Conversation,
        begun_ms: u64,
        setup: Setup,
    ) -> Self {
        let (signals, signalled) = mpsc::channel(SIGNALS_MAX);
        let (jobs, waiting) = mpsc::channel(JOBS_MAX);
        let (report, done) = mpsc::channel(JOBS_MAX);
        let conversation_id = own.conversation_id.to_string();
        tokio::spawn(record(parts.journal.clone(), own, waiting, report));
        let uploads = Some(Uploads::new(parts.recordings.clone(), conversation_id.clone()));
        Self {
            parts,
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
            follow_up: Vec::new(),
        }
    }

    /// Holds the conversation to its end.
    pub(super) async fn hold(&mut self, arrivals: Arrivals) -> Outcome {
        let Arrivals { page, mut pages, mut turns } = arrivals;
        self.attach(page);
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
                () = self.parts.shutdown.cancelled(), if !told => Wake::Shutdown,
                // 3. The model: a barge-in must not wait.
                Some((stream, signal)) = self.signalled.recv() => Wake::Signal(stream, signal),
                // 4. The learner is back on another socket.
                Some(page) = pages.recv() => Wake::Page(page),
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
                Wake::Shutdown => {
                    told = true;
                    self.input(Input::Shutdown);
                }
                Wake::Signal(stream, signal) => self.signal(stream, signal),
                Wake::Page(page) => self.attach(page),
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

    /// Tells the page that the conversation is over.
    pub(super) async fn say_goodbye(&mut self, ending: Ending) {
        self.tell(&ServerMessage::Ended { reason: ending.reason, turns: ending.progress.turns });
        self.close(Farewell::Ended).await;
    }

    /// Tells the page, if there is one.
    pub(super) fn tell(&mut self, message: &ServerMessage) {
        if self.page.as_ref().is_some_and(|page| page.send(message).is_err()) {
            self.detach();
        }
    }

    /// Waits until the recordings are stored, within a limit.
    pub(super) async fn stored(&mut self, limit: Duration) {
        let Some(uploads) = self.uploads.take() else { return };
        if tokio::time::timeout(limit, uploads.finish()).await.is_err() {
            tracing::warn!(conversation.id = self.conversation_id, "recordings are still being stored");
        }
    }

    /// Closes the page, if there is one.
    pub(super) async fn close(&mut self, why: Farewell) {
        if let Some(page) = self.page.take() {
            page.close(why).await;
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
        [own, self.end_by].into_iter().flatten().min().unwrap_or(far)
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

    fn attach(&mut self, page: Page) {
        if let Some(old) = self.page.replace(page) {
            let message = "the conversation is open in another place".to_owned();
            let _ = old.send(&ServerMessage::Error { code: ErrorCode::Replaced, message });
            tokio::spawn(old.close(Farewell::Replaced));
        }
        self.input(Input::Attached);
    }

    fn detach(&mut self) {
        if let Some(page) = self.page.take() {
            page.let_go(Farewell::TooSlow);
        }
        self.follow_up.push(Input::Detached);
    }

    fn signal(&mut self, stream: StreamId, signal: Signal) {
        match signal {
            Signal::Opened => self.input(Input::StreamOpened(stream)),
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

    fn page_says(&mut self, message: FromPage) {
        match message {
            FromPage::Audio(pcm) => self.input(Input::Audio(pcm)),
            FromPage::Message(ClientMessage::End) => self.input(Input::EndRequested),
            FromPage::Message(ClientMessage::Text { text }) => self.input(Input::Typed(text)),
            FromPage::Message(ClientMessage::Played { generation, ms }) => {
                self.input(Input::Played { generation, ms });
            }
            FromPage::Message(ClientMessage::Interrupt) => self.input(Input::Interrupted),
            FromPage::Wrong(code, message) => {
                self.tell(&ServerMessage::Error { code, message: message.to_owned() });
                self.input(Input::Tick);
            }
            FromPage::Alive => {}
            FromPage::Gone => {
                if let Some(page) = self.page.take() {
                    page.let_go(Farewell::Broken);
                }
                self.input(Input::Detached);
            }
        }
    }

    fn time(&mut self) -> Option<Outcome> {
        if self.end_by.is_some_and(|by| by <= Instant::now()) {
            tracing::error!(conversation.id = self.conversation_id, "the end was not written in time");
            return Some(Outcome::Unwritten);
        }
        self.input(Input::Tick);
        None
    }

    fn written(&mut self, done: Option<Done>) -> Option<Outcome> {
        match done {
            Some(Done::Turn(turn)) => {
                self.tell(&ServerMessage::Turn { turn });
                self.input(Input::Tick);
                None
            }
            Some(Done::Ended(envelope)) => {
                let ending = self.ending.expect("the end is written only after it was decided");
                Some(Outcome::Ended { envelope, ending })
            }
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

    fn perform(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send(message) => self.tell(&message),
                Output::Audio { generation, frame } => {
                    let frame = frame.into_message(generation);
                    if self.page.as_ref().is_some_and(|page| page.audio(frame).is_err()) {
                        tracing::warn!(conversation.id = self.conversation_id, "the page does not keep up");
                        self.detach();
                    }
                }
                Output::OpenStream { stream, history } => {
                    let setup = Setup { history, ..self.setup.clone() };
                    let opened = self.parts.sonic.open(stream, setup, self.signals.clone());
                    self.streams.insert(stream, opened);
                }
                Output::SendAudio { stream, pcm } => self.hear(stream, &pcm),
                Output::SendText { stream, text } => self.write(stream, |stream| stream.text(&text)),
                Output::RefuseTool { stream, tool_use_id } => {
                    self.write(stream, |stream| stream.refuse_tool(&tool_use_id));
                }
                Output::CloseStream(stream) => {
                    if let Some(stream) = self.streams.get_mut(&stream) {
                        stream.close();
                    }
                }
                Output::DropStream(stream) => self.let_go(stream),
                Output::StoreAudio { key, pcm } => self.store(key, pcm),
                Output::Record(turn) => self.journal(Job::Turn(turn)),
                Output::Failed(failure) => self.failed(&failure),
                Output::End(ending) => self.end(ending),
                Output::Release(_) => unreachable!("nothing asks for a hand-over"),
            }
        }
    }

    fn hear(&mut self, stream: StreamId, pcm: &Bytes) {
        self.write(stream, |stream| stream.audio(pcm));
    }

    fn write(&mut self, id: StreamId, write: impl FnOnce(&mut Stream) -> Result<(), Stalled>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Err(error) = write(stream) {
            let failure = StreamFailure::new(FailureClass::Stalled, error.to_string());
            self.follow_up.push(Input::StreamFailed(id, failure));
        }
    }

    /// The closing sequence releases the model's capacity, so it is sent even to a stream that is given up; its
    /// last words are of no interest.
    fn let_go(&mut self, id: StreamId) {
        if let Some(mut stream) = self.streams.remove(&id) {
            stream.close();
            stream.leave();
        }
    }

    fn store(&mut self, key: String, pcm: Vec<u8>) {
        let queued = self.uploads.as_ref().is_some_and(|uploads| uploads.push(key, pcm));
        if !queued {
            tracing::error!(conversation.id = self.conversation_id, "a recording is lost: too many wait");
        }
    }

    fn journal(&mut self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            // The recorder reports its failure; a queue that is full for other reasons is one, too.
            self.follow_up.push(Input::Broken);
        }
    }

    fn failed(&self, failure: &StreamFailure) {
        tracing::warn!(
            conversation.id = self.conversation_id,
            class = ?failure.class,
            error = failure.message,
            "a stream to the model failed"
        );
    }

    fn end(&mut self, ending: Ending) {
        let Ending { reason, progress: Progress { usage, turns, learner_speech_ms, metrics } } = ending;
        self.ending = Some(ending);
        self.end_by = Some(Instant::now() + END_TIMEOUT);
        let metrics = Some(metrics);
        self.journal(Job::End(End { reason, usage, turns, learner_speech_ms, metrics }));
    }
}

async fn from_page(page: &mut Option<Page>) -> FromPage {
    match page {
        Some(page) => page.next().await,
        None => std::future::pending().await,
    }
}
