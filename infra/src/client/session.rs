//! A whole conversation of a learner over the live protocol: it says lines, waits for the responses, and reconnects when
//! its connection is lost. What is said and measured is the business of its [`SessionDriver`].

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    ConversationId, EndReason, Speaker, Turn,
    live::{ClientMessage, SAMPLE_RATE_HZ, ServerMessage},
};
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    account::{Learner, TicketError},
    connection::{Connection, Incoming, MESSAGE_SAMPLES_MAX, Offer, RESPONSE_TIMEOUT},
    driver::{Conversation, FRAME_SAMPLES, SessionDriver, SessionEvent},
    microphone::Microphone,
    playback::Playback,
    script::Script,
};
use crate::simulator::audible::{Decoder, Heard};

/// Duration of a microphone frame at pace 1.
const FRAME: Duration = Duration::from_millis(1_000 * FRAME_SAMPLES as u64 / SAMPLE_RATE_HZ as u64);

/// Frames between two reports of what was played.
const FRAMES_PER_REPORT: u32 = 8;

/// Turns of a conversation that ends.
const TURNS_MAX: usize = 2_000;

/// Pause between the end of the tutor's audio and the learner's next line, at pace 1.
const PAUSE: Duration = Duration::from_millis(300);

/// How long a learner waits for missed turns, after a takeover that lost audio, before repeating a line, at pace 1.
const RECALL: Duration = Duration::from_secs(1);

/// Mean time between two attempts to reconnect.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// What the learner is doing.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Listening to the greeting or to the response to the last line.
    Listening { since: Instant },
    /// Saying the last line.
    Speaking,
    /// Waiting whether the last line is in a turn that the client has missed.
    Recalling { until: Instant },
    /// All is said and heard.
    Ending { until: Instant, sent: bool },
}

/// How a connection ended.
enum Exit {
    /// The conversation has ended.
    Ended { reason: EndReason, turns: u32 },
    /// The conversation continues on another connection.
    Lost(&'static str),
}

/// One conversation. Its memory is bounded by a line, what the microphone keeps, and the turns.
pub(crate) struct LearnerSession<'a, D> {
    learner: &'a Learner,
    script: &'a Script,
    driver: &'a mut D,
    phase: Phase,
    /// Lines begun.
    lines: usize,
    microphone: Microphone,
    decoder: Decoder,
    playback: Playback,
    /// Until when the service has to be ready on this connection; `None` when it is.
    ready_by: Option<Instant>,
    reconnects: usize,
    frames: u32,
    /// Audio has arrived since the last line.
    answer_began: bool,
    /// The tutor has ended a turn since the last line.
    answered: bool,
    simulated: bool,
    turns: Vec<Turn>,
    heard: Vec<Heard>,
    answer_latencies: Vec<Duration>,
}

impl<'a, D: SessionDriver> LearnerSession<'a, D> {
    /// # Errors
    /// When the pace is no positive number.
    pub(crate) fn new(learner: &'a Learner, script: &'a Script, driver: &'a mut D) -> anyhow::Result<Self> {
        ensure!(script.pace.is_finite() && script.pace > 0.0, "a pace of {} is not possible", script.pace);
        let now = Instant::now();
        Ok(Self {
            learner,
            script,
            driver,
            phase: Phase::Listening { since: now },
            lines: 0,
            microphone: if D::RECONNECTS_MAX == 0 { Microphone::without_rewind() } else { Microphone::new() },
            decoder: Decoder::new(SAMPLE_RATE_HZ),
            playback: Playback::new(script.pace, now),
            ready_by: None,
            reconnects: 0,
            frames: 0,
            answer_began: false,
            answered: false,
            simulated: false,
            turns: Vec::new(),
            heard: Vec::new(),
            answer_latencies: Vec::new(),
        })
    }

    /// Holds the conversation to its end.
    ///
    /// # Errors
    /// When it does not begin or does not end in order.
    pub(crate) async fn run(mut self) -> anyhow::Result<Conversation> {
        let offer = self.learner.start(self.script).await?;
        let conversation_id = offer.conversation_id;
        let ended = Box::pin(self.run_to_end(&offer)).await;
        let (reason, turn_count) = ended.with_context(|| format!("conversation {conversation_id}"))?;
        let Self { simulated, turns, heard, answer_latencies, .. } = self;
        Ok(Conversation { conversation_id, simulated, turns, heard, answer_latencies, reason, turn_count })
    }

    async fn run_to_end(&mut self, offer: &Offer) -> anyhow::Result<(EndReason, u32)> {
        let mut connection = Connection::open(offer, 0).await?;
        let mut url = 0;
        loop {
            let exit = self.run_connection(&mut connection).await;
            connection.close().await;
            let lost = match exit? {
                Exit::Ended { reason, turns } => return Ok((reason, turns)),
                Exit::Lost(reason) => reason,
            };
            ensure!(self.ready_by.is_none() || self.reconnects > 0, "{lost} before it was ready");
            ensure!(self.reconnects < D::RECONNECTS_MAX, "{lost} in mid-conversation");
            self.reconnects += 1;
            self.driver.observe(&SessionEvent::ConnectionLost);
            connection = self.reconnect(offer.conversation_id, &mut url).await?;
        }
    }

    async fn run_connection(&mut self, connection: &mut Connection) -> anyhow::Result<Exit> {
        self.ready_by = Some(Instant::now() + RESPONSE_TIMEOUT);
        let mut microphone = tokio::time::interval(FRAME.div_f64(self.script.pace));
        microphone.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                incoming = connection.next() => match incoming? {
                    Incoming::Audio { generation, samples } => self.play(generation, samples),
                    Incoming::Message(message) => {
                        if let Some(exit) = self.handle_message(message)? {
                            return Ok(exit);
                        }
                    }
                    Incoming::Closed => return Ok(Exit::Lost("the ingress closed the connection")),
                },
                due = microphone.tick() => self.tick(due, connection).await?,
            }
        }
    }

    /// Connects at the first URL that has the conversation, beginning with the one after `url`.
    async fn reconnect(&mut self, id: ConversationId, url: &mut usize) -> anyhow::Result<Connection> {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        loop {
            *url = (*url + 1) % self.learner.api_urls.len();
            let error = match self.learner.ticket(&self.learner.api_urls[*url], id).await {
                Ok(offer) => match Connection::open(&offer, self.turns.len()).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => error,
                },
                Err(error @ TicketError::Ended) => return Err(error.into()),
                Err(error @ TicketError::Unavailable(_)) => error.into(),
            };
            ensure!(Instant::now() < deadline, "the client cannot reconnect: {error:#}");
            let jitter = rand::random_range(0.5..1.5);
            tokio::time::sleep(RETRY_INTERVAL.mul_f64(jitter)).await;
        }
    }

    /// Sends one frame of the microphone, and what else is due.
    async fn tick(&mut self, due: Instant, connection: &mut Connection) -> anyhow::Result<()> {
        let now = Instant::now();
        if let Some(deadline) = self.ready_by {
            let seconds = RESPONSE_TIMEOUT.as_secs();
            ensure!(now < deadline, "the ingress was not ready within {seconds} s");
            return Ok(());
        }
        self.advance(now)?;
        self.frames = self.frames.wrapping_add(1);
        let ending = matches!(self.phase, Phase::Ending { .. });
        if (ending || self.frames.is_multiple_of(FRAMES_PER_REPORT))
            && let Some(played) = self.playback.report(now)
        {
            connection.send(&played).await?;
        }
        if let Phase::Ending { sent, .. } = &mut self.phase {
            if !std::mem::replace(sent, true) {
                connection.send(&ClientMessage::End).await?;
            }
            return Ok(());
        }
        self.microphone.record(D::RECORDED_SAMPLES);
        for samples in self.microphone.take_unsent().chunks(MESSAGE_SAMPLES_MAX) {
            connection.send_frame(self.driver.encode(samples, now - due)).await?;
        }
        Ok(())
    }

    fn advance(&mut self, now: Instant) -> anyhow::Result<()> {
        let heard_out = self.answered && now > self.playback.until() + self.paced(PAUSE);
        match self.phase {
            Phase::Listening { .. } if heard_out => self.say_line(self.lines, now),
            Phase::Listening { since } => {
                let (limit, line) = (self.script.answer_timeout, self.lines);
                let seconds = limit.as_secs();
                ensure!(
                    now < since + limit,
                    "the tutor did not finish its response to line {line} within {seconds} s"
                );
            }
            Phase::Speaking if !self.microphone.is_speaking() => {
                (self.answer_began, self.answered) = (false, false);
                self.phase = Phase::Listening { since: now };
            }
            Phase::Recalling { until } if now > until => {
                // Audio of a line that is in no turn was lost with the task that had received it.
                let learner_turns = self.turns.iter().filter(|turn| turn.speaker == Speaker::Learner);
                if learner_turns.count() < self.lines {
                    self.say_line(self.lines - 1, now);
                } else {
                    self.phase = Phase::Listening { since: now };
                }
            }
            Phase::Ending { until, .. } => {
                let seconds = RESPONSE_TIMEOUT.as_secs();
                ensure!(now < until, "the ingress did not end the conversation within {seconds} s");
            }
            Phase::Speaking | Phase::Recalling { .. } => {}
        }
        Ok(())
    }

    /// Begins the line with this index, or ends the conversation after the last one.
    fn say_line(&mut self, index: usize, now: Instant) {
        self.phase = if let Some(samples) = self.driver.line(index) {
            self.microphone.say(samples);
            self.lines = index + 1;
            Phase::Speaking
        } else {
            Phase::Ending { until: now + RESPONSE_TIMEOUT, sent: false }
        };
    }

    fn play(&mut self, generation: u32, samples: Vec<i16>) {
        let (now, received) = (Instant::now(), samples.len());
        let samples = self.driver.decode(samples);
        if generation < self.playback.generation() {
            return;
        }
        if generation > self.playback.generation() {
            self.playback.flush(generation, now);
        }
        self.playback.push(received, now);
        self.heard.extend(self.decoder.push(&samples));
        if !std::mem::replace(&mut self.answer_began, true)
            && let Phase::Listening { since } = self.phase
            && self.lines > 0
        {
            self.answer_latencies.push(now - since);
        }
    }

    fn handle_message(&mut self, message: ServerMessage) -> anyhow::Result<Option<Exit>> {
        match message {
            ServerMessage::Error { code, message } => bail!("the ingress reports {code:?}: {message}"),
            ServerMessage::Ready { generation, heard_samples, tutor_begins, .. } => {
                self.handle_ready(generation, heard_samples, tutor_begins)?;
            }
            _ if self.ready_by.is_some() => bail!("the ingress sent a message before it was ready"),
            ServerMessage::Model { simulated } => {
                self.simulated = simulated;
                self.driver.observe(&SessionEvent::Model { simulated });
            }
            ServerMessage::Caption { speaker, stage, text, .. } => {
                self.driver.observe(&SessionEvent::Caption { speaker, stage, text });
            }
            ServerMessage::Turn { turn } if (turn.index as usize) < self.turns.len() => {
                ensure!(self.reconnects > 0, "the ingress sent the turn {} twice", turn.index);
            }
            ServerMessage::Turn { turn } => {
                ensure!(self.turns.len() < TURNS_MAX, "the conversation has more than {TURNS_MAX} turns");
                self.answered |= turn.speaker == Speaker::Tutor;
                self.driver.observe(&SessionEvent::Turn(turn.clone()));
                self.turns.push(turn);
            }
            ServerMessage::Flush { generation } => {
                self.playback.flush(generation, Instant::now());
                self.decoder = Decoder::new(SAMPLE_RATE_HZ);
                self.driver.observe(&SessionEvent::Flush);
            }
            ServerMessage::Reconnecting => self.driver.observe(&SessionEvent::ModelLost),
            ServerMessage::Resumed => self.driver.observe(&SessionEvent::ModelRestored),
            ServerMessage::Reconnect { .. } => return Ok(Some(Exit::Lost("the ingress is stopping"))),
            ServerMessage::Ended { reason, turns } => {
                self.heard.extend(self.decoder.flush());
                return Ok(Some(Exit::Ended { reason, turns }));
            }
            ServerMessage::ObjectiveMet { .. }
            | ServerMessage::EndingSoon { .. }
            | ServerMessage::Unknown => {}
        }
        Ok(None)
    }

    /// After a reconnect the client sends again what the service has not heard. If the service no longer knows what it
    /// has heard, the learner repeats the line unless it is in a turn.
    fn handle_ready(
        &mut self,
        generation: u32,
        heard_samples: Option<u64>,
        tutor_begins: bool,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        self.ready_by = None;
        if self.reconnects == 0 {
            self.playback.flush(generation, now);
            self.phase = Phase::Listening { since: now };
            self.answered = !tutor_begins;
            self.driver.observe(&SessionEvent::Ready);
            return Ok(());
        }
        if generation != self.playback.generation() {
            self.playback.flush(generation, now);
        }
        self.decoder = Decoder::new(SAMPLE_RATE_HZ);
        if let Phase::Ending { sent, .. } = &mut self.phase {
            *sent = false;
        }
        match heard_samples {
            Some(heard) => self.microphone.rewind(heard)?,
            None => {
                self.microphone.restart();
                if self.lines > 0 && !matches!(self.phase, Phase::Ending { .. }) {
                    self.phase = Phase::Recalling { until: now + self.paced(RECALL) };
                }
            }
        }
        self.driver.observe(&SessionEvent::Reconnected);
        Ok(())
    }

    fn paced(&self, duration: Duration) -> Duration {
        duration.div_f64(self.script.pace)
    }
}
