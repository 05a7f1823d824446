//! One conversation of a fault test: a learner says lines, listens to the responses, and meets the planned disruptions.

mod disrupt;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    ConversationId, EndReason, Level, Speaker, Turn,
    live::{CaptionStage, ClientMessage, SAMPLE_RATE_HZ, ServerMessage},
};
use infra::{
    client::{Connection, Incoming, Learner, Microphone, Script},
    simulator::{audible, faults::Fault},
};
use tests::live::Live;
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    disruption::{Disconnect, Disruption, DisruptionKind},
    loudspeaker::Loudspeaker,
    oracle::SpokenLine,
    streams::Streams,
};

/// How long a learner waits for a response, with all disruptions.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a learner who was disconnected waits for a response.
const MISSED_ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a learner waits for the rest of a response that has stopped in the middle.
const REST_TIMEOUT: Duration = Duration::from_secs(6);

/// Frames of the microphone between two reports of what was played.
const FRAMES_PER_REPORT: u32 = 3;

/// What a learner will do.
#[derive(Clone, Debug)]
pub(crate) struct SessionPlan {
    /// The learner.
    pub(crate) user_id: String,
    /// The picture, which no other conversation has.
    pub(crate) image_id: String,
    /// The level.
    pub(crate) level: Level,
    pub(crate) lines: Vec<String>,
    /// Length of a frame of the microphone.
    pub(crate) frame: Duration,
    /// Pause between the end of a response and the next line.
    pub(crate) pause: Duration,
    /// The client reports what it has played.
    pub(crate) reports: bool,
    pub(crate) disruptions: Vec<Disruption>,
}

/// What was said, heard and announced in a conversation.
#[derive(Debug)]
pub(crate) struct SessionRecord {
    pub(crate) conversation_id: ConversationId,
    pub(crate) said: Vec<SpokenLine>,
    pub(crate) loudspeaker: Loudspeaker,
    /// The turns that were announced.
    pub(crate) turns: Vec<Turn>,
    pub(crate) reason: EndReason,
    /// Announced losses of the model.
    pub(crate) model_losses: u32,
    /// Disruptions that happened.
    pub(crate) disrupted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Listening to the greeting, or to the response to the last line.
    Listening {
        since: Instant,
    },
    Speaking {
        total: usize,
    },
    Ending {
        since: Instant,
    },
    Ended,
}

/// The session of a learner.
pub(crate) struct FaultySession<'a> {
    live: &'a Live,
    streams: &'a Streams,
    plan: &'a SessionPlan,
    learner: Learner,
    connection: Option<Connection>,
    /// The service has sent how much it has heard.
    ready: bool,
    /// When the client will reconnect.
    reconnect_at: Option<Instant>,
    /// When it last reconnected.
    reconnected_at: Option<Instant>,
    /// Frames that are still to be lost before the connection is.
    disconnecting: Option<(usize, Disconnect)>,
    microphone: Microphone,
    phase: Phase,
    /// The tutor has ended a turn since the learner last spoke.
    answered: bool,
    /// Frames of the microphone that were sent.
    frames: u32,
    /// Streams of the conversation when the phase began.
    streams_before: usize,
    disruptions: Vec<Disruption>,
    record: SessionRecord,
}

impl<'a> FaultySession<'a> {
    /// Holds a conversation to its end.
    pub(crate) async fn run(
        live: &'a Live,
        streams: &'a Streams,
        plan: &'a SessionPlan,
    ) -> anyhow::Result<SessionRecord> {
        let learner = live.learner(&plan.user_id)?;
        let script = Script { level: Some(plan.level), ..Script::new(&plan.image_id, [""; 0]) };
        let offer = learner.start(&script).await?;
        let now = Instant::now();
        let record = SessionRecord {
            conversation_id: offer.conversation_id,
            said: Vec::new(),
            loudspeaker: Loudspeaker::new(now),
            turns: Vec::new(),
            reason: EndReason::InternalError,
            model_losses: 0,
            disrupted: 0,
        };
        let mut session = Self {
            live,
            streams,
            plan,
            learner,
            connection: Some(Connection::open(&offer, 0).await?),
            ready: false,
            reconnect_at: None,
            reconnected_at: None,
            disconnecting: None,
            microphone: Microphone::new(),
            phase: Phase::Listening { since: now },
            answered: false,
            frames: 0,
            streams_before: usize::MAX,
            disruptions: plan.disruptions.clone(),
            record,
        };
        let result = session.run_to_end().await;
        let (id, said) = (session.record.conversation_id, session.record.said.len());
        result.with_context(|| format!("conversation {id}, line {said}, {:?}", session.phase))?;
        Ok(session.record)
    }

    async fn run_to_end(&mut self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(self.plan.frame);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while self.phase != Phase::Ended {
            tokio::select! {
                biased;
                incoming = next(&mut self.connection) => self.receive(incoming?).await?,
                _ = tick.tick() => self.tick().await?,
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        self.record.loudspeaker.advance(now);
        if self.reconnect_at.is_some_and(|at| now >= at) {
            return self.reconnect().await;
        }
        self.record_frame(now).await?;
        self.advance(now).await?;
        if let Some(index) = self.disruptions.iter().position(|planned| self.is_due(planned.trigger, now)) {
            self.disrupt(index, now).await?;
        }
        Ok(())
    }

    /// Records one frame of the microphone, and sends what was not sent.
    async fn record_frame(&mut self, now: Instant) -> anyhow::Result<()> {
        let samples = self.plan.frame.as_millis() * u128::from(SAMPLE_RATE_HZ) / 1_000;
        self.microphone.record(usize::try_from(samples)?);
        if !self.microphone.is_speaking()
            && let Some(said) = self.record.said.last_mut()
        {
            said.ended.get_or_insert(now);
        }
        match &mut self.disconnecting {
            Some((0, disconnect)) => {
                let disconnect = *disconnect;
                return self.disconnect(disconnect, now).await;
            }
            Some((frames, _)) => {
                *frames -= 1;
                // The client counts it as sent.
                self.microphone.take_unsent();
                return Ok(());
            }
            None => {}
        }
        // The client knows where to continue when the service has sent how much it has heard.
        let Some(connection) = self.connection.as_mut().filter(|_| self.ready) else { return Ok(()) };
        connection.send_audio(self.microphone.take_unsent()).await?;
        self.frames += 1;
        if self.plan.reports && self.frames.is_multiple_of(FRAMES_PER_REPORT) {
            connection.send(&self.record.loudspeaker.report()).await?;
        }
        Ok(())
    }

    /// Begins to speak, to listen or to end.
    async fn advance(&mut self, now: Instant) -> anyhow::Result<()> {
        match self.phase {
            Phase::Speaking { .. } if !self.microphone.is_speaking() => {
                self.listen(now);
            }
            Phase::Listening { since } => {
                let heard = self.record.loudspeaker.audio_at.is_some_and(|at| at >= since);
                let quiet = now - self.record.loudspeaker.sounding();
                let over = quiet >= if self.answered { self.plan.pause } else { REST_TIMEOUT };
                // A response that came while the client was disconnected was not heard, and is not repeated.
                let missed =
                    self.reconnected_at.is_some_and(|at| at >= since && now - at >= MISSED_ANSWER_TIMEOUT);
                if ((heard && over) || missed)
                    && !self.record.loudspeaker.is_playing()
                    // A learner whose connection is being lost neither speaks nor ends: an end would leave no
                    // conversation to reconnect to.
                    && self.disconnecting.is_none()
                    && self.connection.is_some()
                {
                    return self.speak_or_end(now).await;
                }
                ensure!(now - since < ANSWER_TIMEOUT, "no response");
            }
            Phase::Ending { since } => ensure!(now - since < ANSWER_TIMEOUT, "no end"),
            Phase::Speaking { .. } | Phase::Ended => {}
        }
        Ok(())
    }

    fn listen(&mut self, now: Instant) {
        self.answered = false;
        self.streams_before = self.streams.of(&self.live.simulator, &self.plan.image_id).len();
        self.phase = Phase::Listening { since: now };
    }

    async fn speak_or_end(&mut self, now: Instant) -> anyhow::Result<()> {
        if self.record.said.len() < self.plan.lines.len() {
            self.speak(now);
            return Ok(());
        }
        // The trigger did not occur, for example because the response had come before: the disruption happens now.
        if self.record.disrupted == 0
            && let Some(disruption) = self.disruptions.first_mut()
        {
            if let DisruptionKind::BargeIn { .. } = disruption.kind {
                disruption.kind = DisruptionKind::Stream(Fault::Reset);
            }
            return self.disrupt(0, now).await;
        }
        let connection = self.connection.as_mut().context("a learner who is disconnected cannot end")?;
        connection.send(&ClientMessage::End).await?;
        self.phase = Phase::Ending { since: now };
        Ok(())
    }

    fn speak(&mut self, now: Instant) {
        let text = self.plan.lines[self.record.said.len()].clone();
        let samples = audible::encode(&text, SAMPLE_RATE_HZ);
        self.phase = Phase::Speaking { total: samples.len() };
        self.microphone.say(samples.into());
        self.record.said.push(SpokenLine { text, began: now, ended: None });
    }

    async fn receive(&mut self, incoming: Incoming) -> anyhow::Result<()> {
        let now = Instant::now();
        match incoming {
            Incoming::Audio { generation, samples } => {
                self.record.loudspeaker.push(generation, samples, now);
            }
            Incoming::Message(message) => self.handle_message(message, now).await?,
            Incoming::Closed => bail!("the ingress closed the connection"),
        }
        Ok(())
    }

    async fn handle_message(&mut self, message: ServerMessage, now: Instant) -> anyhow::Result<()> {
        let loudspeaker = &mut self.record.loudspeaker;
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
                // A client that reconnects receives again what it may have missed.
                let known = self.record.turns.iter().any(|known| known.index == turn.index);
                if !known {
                    self.answered |= turn.speaker == Speaker::Tutor;
                    self.record.turns.push(turn);
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
                loudspeaker.lose_report(now);
                self.record.model_losses += 1;
            }
            ServerMessage::Ended { reason, turns } => {
                loudspeaker.mute(now);
                self.record.reason = reason;
                ensure!(self.record.turns.len() <= turns as usize, "more turns were announced than exist");
                self.phase = Phase::Ended;
            }
            ServerMessage::Error { code, message } => bail!("the ingress reports {code:?}: {message}"),
            ServerMessage::Unknown
            | ServerMessage::ObjectiveMet { .. }
            | ServerMessage::EndingSoon { .. }
            | ServerMessage::Caption { .. }
            | ServerMessage::Model { .. }
            | ServerMessage::Resumed
            | ServerMessage::Reconnect { .. } => {}
        }
        Ok(())
    }
}

async fn next(connection: &mut Option<Connection>) -> anyhow::Result<Incoming> {
    match connection {
        Some(connection) => connection.next().await,
        None => std::future::pending().await,
    }
}
