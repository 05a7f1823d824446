//! One conversation of the test: a learner says lines, hears answers out, and lives through the trouble that was
//! planned.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    ConversationId, EndReason, Speaker, Turn,
    live::{CaptionStage, ClientMessage, SAMPLE_RATE_HZ, ServerMessage},
};
use infra::simulator::{audible, faults::Fault};
use serde_json::json;
use tests::live::Live;
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    oracle::Said,
    page::{Connection, FromService, Loudspeaker, Microphone, conversation_id},
    streams::Streams,
    trouble::{Away, Mishap, Trouble, When},
};

/// How long a learner waits for an answer, trouble and all.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a learner who was away waits for an answer.
const MISSED: Duration = Duration::from_secs(20);

/// How long a learner waits for more of an answer that has stopped in the middle.
const PAUSE: Duration = Duration::from_secs(6);

/// Frames of the microphone between two reports of what was played.
const FRAMES_PER_REPORT: u32 = 3;

/// What a learner is going to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The learner.
    pub(crate) user_id: String,
    /// The picture, which is nobody else's.
    pub(crate) image_id: String,
    /// The level, as the API takes it.
    pub(crate) level: &'static str,
    pub(crate) lines: Vec<String>,
    /// Length of a frame of the microphone.
    pub(crate) frame: Duration,
    /// Between the end of an answer and the next line.
    pub(crate) breath: Duration,
    /// The page says what it has played.
    pub(crate) reports: bool,
    pub(crate) troubles: Vec<Trouble>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) conversation_id: ConversationId,
    pub(crate) said: Vec<Said>,
    pub(crate) loudspeaker: Loudspeaker,
    /// Turns that were announced.
    pub(crate) turns: Vec<Turn>,
    pub(crate) reason: EndReason,
    /// Announced losses of the model.
    pub(crate) reconnecting: u32,
    /// Trouble that really came.
    pub(crate) troubled: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Hearing the greeting, or the answer to the last line.
    Listening {
        since: Instant,
    },
    Speaking {
        total: usize,
    },
    Leaving {
        since: Instant,
    },
    Over,
}

/// See the module.
pub(crate) struct Talk<'a> {
    live: &'a Live,
    streams: &'a Streams,
    plan: &'a Plan,
    token: String,
    connection: Option<Connection>,
    /// The service has said how much it has heard.
    ready: bool,
    /// When the page comes back.
    back_at: Option<Instant>,
    /// When it came back.
    came_back: Option<Instant>,
    /// Frames that are still to be lost before the connection is.
    dying: Option<(usize, Away)>,
    microphone: Microphone,
    phase: Phase,
    /// The tutor has ended a turn since the learner last spoke.
    answered: bool,
    /// Frames of the microphone that were sent.
    frames: u32,
    /// Streams of the conversation when the phase began.
    streams_before: usize,
    troubles: Vec<Trouble>,
    held: Held,
}

impl<'a> Talk<'a> {
    /// Holds a conversation to its end.
    pub(crate) async fn hold(live: &'a Live, streams: &'a Streams, plan: &'a Plan) -> anyhow::Result<Held> {
        let token = live.token(&plan.user_id)?;
        let offer = live.ask_with(&token, &json!({ "imageId": plan.image_id, "level": plan.level })).await?;
        let now = Instant::now();
        let held = Held {
            conversation_id: conversation_id(&offer)?,
            said: Vec::new(),
            loudspeaker: Loudspeaker::new(now),
            turns: Vec::new(),
            reason: EndReason::InternalError,
            reconnecting: 0,
            troubled: 0,
        };
        let mut talk = Self {
            live,
            streams,
            plan,
            token,
            connection: Some(Connection::open(live.url(), &offer).await?),
            ready: false,
            back_at: None,
            came_back: None,
            dying: None,
            microphone: Microphone::default(),
            phase: Phase::Listening { since: now },
            answered: false,
            frames: 0,
            streams_before: usize::MAX,
            troubles: plan.troubles.clone(),
            held,
        };
        let result = talk.run().await;
        let (id, said) = (talk.held.conversation_id, talk.held.said.len());
        result.with_context(|| format!("conversation {id}, line {said}, {:?}", talk.phase))?;
        Ok(talk.held)
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(self.plan.frame);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while self.phase != Phase::Over {
            tokio::select! {
                biased;
                message = next(&mut self.connection) => self.receive(message?).await?,
                _ = tick.tick() => self.tick().await?,
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        self.held.loudspeaker.advance(now);
        if self.back_at.is_some_and(|at| now >= at) {
            return self.come_back().await;
        }
        self.record(now).await?;
        self.go_on(now).await?;
        if let Some(index) = self.troubles.iter().position(|trouble| self.is_now(trouble.when, now)) {
            self.suffer(index, now).await?;
        }
        Ok(())
    }

    /// One frame of the microphone.
    async fn record(&mut self, now: Instant) -> anyhow::Result<()> {
        let samples = self.plan.frame.as_millis() * u128::from(SAMPLE_RATE_HZ) / 1_000;
        self.microphone.record(usize::try_from(samples)?);
        if !self.microphone.is_speaking()
            && let Some(said) = self.held.said.last_mut()
        {
            said.ended.get_or_insert(now);
        }
        match &mut self.dying {
            Some((0, away)) => {
                let away = *away;
                return self.lose_connection(away, now).await;
            }
            Some((frames, _)) => {
                *frames -= 1;
                // The page believes that it was sent.
                self.microphone.take();
                return Ok(());
            }
            None => {}
        }
        // Where it goes on the page knows when the service has said what it has heard.
        let Some(connection) = self.connection.as_mut().filter(|_| self.ready) else { return Ok(()) };
        for part in self.microphone.take().chunks(SAMPLE_RATE_HZ as usize) {
            connection.send_audio(part).await?;
        }
        self.frames += 1;
        if self.plan.reports && self.frames.is_multiple_of(FRAMES_PER_REPORT) {
            connection.send(&self.held.loudspeaker.report()).await?;
        }
        Ok(())
    }

    /// Speaks, listens or leaves.
    async fn go_on(&mut self, now: Instant) -> anyhow::Result<()> {
        match self.phase {
            Phase::Speaking { .. } if !self.microphone.is_speaking() => {
                self.listen(now);
            }
            Phase::Listening { since } => {
                let heard = self.held.loudspeaker.audio_at.is_some_and(|at| at >= since);
                let quiet = now - self.held.loudspeaker.sounding();
                let over = if self.answered { quiet >= self.plan.breath } else { quiet >= PAUSE };
                // An answer that came while the socket was away was not heard, and does not come again.
                let missed = self.came_back.is_some_and(|at| at >= since && now - at >= MISSED);
                if ((heard && over) || missed)
                    && !self.held.loudspeaker.is_playing()
                    // Whoever is about to be cut off neither speaks nor leaves: a goodbye would end what the page comes
                    // back to.
                    && self.dying.is_none()
                    && self.connection.is_some()
                {
                    return self.speak_or_leave(now).await;
                }
                ensure!(now - since < PATIENCE, "no answer");
            }
            Phase::Leaving { since } => ensure!(now - since < PATIENCE, "no goodbye"),
            Phase::Speaking { .. } | Phase::Over => {}
        }
        Ok(())
    }

    fn listen(&mut self, now: Instant) {
        self.answered = false;
        self.streams_before = self.streams.of(&self.live.simulator, &self.plan.image_id).len();
        self.phase = Phase::Listening { since: now };
    }

    async fn speak_or_leave(&mut self, now: Instant) -> anyhow::Result<()> {
        if self.held.said.len() < self.plan.lines.len() {
            self.speak(now);
            return Ok(());
        }
        // The moment did not come, for example because the answer was there before: then this is the moment.
        if self.held.troubled == 0
            && let Some(trouble) = self.troubles.first_mut()
        {
            if let Mishap::BargeIn { .. } = trouble.what {
                trouble.what = Mishap::Stream(Fault::Reset);
            }
            return self.suffer(0, now).await;
        }
        let connection = self.connection.as_mut().context("nobody leaves who is away")?;
        connection.send(&ClientMessage::End).await?;
        self.phase = Phase::Leaving { since: now };
        Ok(())
    }

    fn speak(&mut self, now: Instant) {
        let text = self.plan.lines[self.held.said.len()].clone();
        let samples = audible::encode(&text, SAMPLE_RATE_HZ);
        self.phase = Phase::Speaking { total: samples.len() };
        self.microphone.say(samples);
        self.held.said.push(Said { text, began: now, ended: None });
    }

    async fn receive(&mut self, message: FromService) -> anyhow::Result<()> {
        let now = Instant::now();
        let loudspeaker = &mut self.held.loudspeaker;
        match message {
            FromService::Audio { generation, samples } => loudspeaker.push(generation, samples, now),
            FromService::Message(message) => self.understand(message, now).await?,
            FromService::Gone => bail!("the ingress closed the connection"),
        }
        Ok(())
    }

    async fn understand(&mut self, message: ServerMessage, now: Instant) -> anyhow::Result<()> {
        let loudspeaker = &mut self.held.loudspeaker;
        match message {
            ServerMessage::Ready { generation, heard_samples, .. } => {
                if generation > loudspeaker.generation {
                    loudspeaker.flush(generation, now);
                }
                self.ready = true;
                if let Some(heard) = heard_samples {
                    self.microphone.rewind(heard)?;
                }
            }
            ServerMessage::Caption {
                speaker: Speaker::Tutor,
                stage: CaptionStage::Speculative,
                text,
                ..
            } => {
                loudspeaker.announce(text);
            }
            ServerMessage::Turn { turn } => {
                // A page that comes back is told again what it may have missed.
                let known = self.held.turns.iter().any(|known| known.index == turn.index);
                if !known {
                    self.answered |= turn.speaker == Speaker::Tutor;
                    self.held.turns.push(turn);
                }
            }
            ServerMessage::Flush { generation } => {
                loudspeaker.advance(now);
                if let Some(connection) = self.connection.as_mut().filter(|_| self.plan.reports) {
                    connection.send(&loudspeaker.report()).await?;
                }
                loudspeaker.flush(generation, now);
            }
            ServerMessage::Reconnecting => {
                loudspeaker.untold(now);
                self.held.reconnecting += 1;
            }
            ServerMessage::Ended { reason, turns } => {
                loudspeaker.mute(now);
                self.held.reason = reason;
                ensure!(self.held.turns.len() <= turns as usize, "more turns than there are");
                self.phase = Phase::Over;
            }
            ServerMessage::Error { code, message } => bail!("the ingress reports {code:?}: {message}"),
            ServerMessage::Unknown
            | ServerMessage::Caption { .. }
            | ServerMessage::Model { .. }
            | ServerMessage::Resumed
            | ServerMessage::Reconnect { .. } => {}
        }
        Ok(())
    }

    fn is_now(&self, when: When, now: Instant) -> bool {
        let line = self.held.said.len();
        let audio_since = |since| self.held.loudspeaker.audio_at.is_some_and(|at| at >= since);
        match (when, self.phase) {
            (When::Speaking { line: of, part }, Phase::Speaking { total }) => {
                of + 1 == line && self.microphone.left() as f64 <= total as f64 * (1.0 - part)
            }
            (When::Waiting { line: of, after }, Phase::Listening { since }) => {
                of + 1 == line && !audio_since(since) && now >= since + after
            }
            (When::Answering { line: of, after }, Phase::Listening { since }) => {
                let playing = self.held.loudspeaker.is_playing() && audio_since(since);
                of == line.saturating_sub(1) && playing && now >= since + after
            }
            (When::Renewing { line: of }, Phase::Listening { since }) => {
                let count = self.streams.of(&self.live.simulator, &self.plan.image_id).len();
                of == line.saturating_sub(1) && audio_since(since) && count > self.streams_before
            }
            _ => false,
        }
    }

    async fn suffer(&mut self, index: usize, now: Instant) -> anyhow::Result<()> {
        match self.troubles[index].what.clone() {
            Mishap::Stream(fault) => {
                let streams = self.streams.of(&self.live.simulator, &self.plan.image_id);
                // Without a stream it comes later.
                let Some(stream) = streams.iter().rev().find(|stream| stream.end_reason().is_none()) else {
                    return Ok(());
                };
                if stream.fault(fault).is_err() {
                    return Ok(());
                }
            }
            Mishap::Opening(fault) => {
                let streams = self.streams.of(&self.live.simulator, &self.plan.image_id);
                let Some(stream) = streams.iter().rev().find(|stream| stream.end_reason().is_none()) else {
                    return Ok(());
                };
                if stream.fault(Fault::Reset).is_err() {
                    return Ok(());
                }
                self.live.simulator.plan(fault);
            }
            Mishap::Away(away) if self.connection.is_some() => self.dying = Some((away.lost_frames, away)),
            Mishap::Away(_) => return Ok(()),
            Mishap::BargeIn { hint } => {
                if self.held.said.len() == self.plan.lines.len() || self.connection.is_none() {
                    return Ok(());
                }
                self.speak(now);
                if hint && let Some(connection) = &mut self.connection {
                    self.held.loudspeaker.advance(now);
                    self.held.loudspeaker.untold(now);
                    if self.plan.reports {
                        connection.send(&self.held.loudspeaker.report()).await?;
                    }
                    connection.send(&ClientMessage::Interrupt).await?;
                }
            }
        }
        self.troubles.remove(index);
        self.held.troubled += 1;
        Ok(())
    }

    async fn lose_connection(&mut self, away: Away, now: Instant) -> anyhow::Result<()> {
        self.dying = None;
        self.held.loudspeaker.gap(now);
        if let Some(connection) = self.connection.take() {
            connection.drop(away.politely).await;
        }
        self.back_at = Some(now + away.how_long);
        Ok(())
    }

    async fn come_back(&mut self) -> anyhow::Result<()> {
        self.back_at = None;
        self.came_back = Some(Instant::now());
        let id = self.held.conversation_id;
        let offer = match self.live.ask_again(&self.token, id).await {
            Ok(offer) => offer,
            Err(error) => {
                let ended = self.live.journal(id).await.map(|journal| journal.header.ended);
                return Err(error.context(format!("the journal says that it ended: {ended:?}")));
            }
        };
        self.connection = Some(Connection::open(self.live.url(), &offer).await?);
        self.ready = false;
        Ok(())
    }
}

async fn next(connection: &mut Option<Connection>) -> anyhow::Result<FromService> {
    match connection {
        Some(connection) => connection.next().await,
        None => std::future::pending().await,
    }
}
