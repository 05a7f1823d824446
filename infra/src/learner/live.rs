//! Holds one conversation over the live WebSocket: speaks, listens, takes turns.
//!
//! The microphone never stops: where nothing is said it sends silence, as a browser does, because the model finds
//! the end of a turn in it. Memory is bounded by one spoken line and the list of turns.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    Speaker,
    live::{ClientMessage, SAMPLE_RATE_HZ, ServerMessage, decode_audio, encode_audio},
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Conversation, Learner, Line, Moment, Script, Started,
    comeback::{Sent, come_back},
    connection::{PATIENCE, Socket, connect},
    playback::Playback,
};
use crate::simulator::audible::{self, Decoder};

/// Samples in a microphone frame: 32 ms, 1024 bytes.
pub(crate) const FRAME_SAMPLES: usize = 512;

/// Duration of a microphone frame at pace 1.
pub(crate) const FRAME: Duration = Duration::from_millis(32);

/// More turns than this are not a conversation.
const TURNS_MAX: usize = 2_000;

/// How many frames of the microphone pass between two reports of what was played.
pub(crate) const FRAMES_PER_REPORT: u32 = 8;

/// How often a learner comes back to one conversation.
const COMEBACKS_MAX: usize = 50;

/// How long a learner who came back waits for the turns that were missed before saying a line again, at pace 1.
const RECALL: Duration = Duration::from_secs(1);

/// A breath between the end of the tutor's audio and the learner's next line, at pace 1.
pub(crate) const BREATH: Duration = Duration::from_millis(300);

/// Holds the conversation, and comes back to it when its connection is lost.
pub(super) async fn hold(
    learner: &Learner,
    started: &Started,
    script: &Script,
    mut observer: impl FnMut(&Moment) + Send,
) -> anyhow::Result<Conversation> {
    ensure!(script.pace.is_finite() && script.pace > 0.0, "a pace of {} is not possible", script.pace);
    let mut address = 0;
    let mut socket = connect(&learner.live_url(address, started)).await?;
    let mut talk = Talk::new(script);
    for _ in 0..=COMEBACKS_MAX {
        let mut microphone = tokio::time::interval(FRAME.div_f64(script.pace));
        microphone.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let lost = talk.run(&mut socket, &mut microphone, &mut observer).await;
        // The other side may have closed already; either way we are done with this connection.
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
        match lost? {
            Left::Over => return talk.outcome(),
            Left::Lost => {
                observer(&Moment::Moving);
                let turns = talk.conversation()?.turns.len();
                (socket, address) = come_back(learner, address, started.conversation_id, turns).await?;
                talk.back_since = Some(Instant::now());
            }
        }
    }
    bail!("the connection was lost more than {COMEBACKS_MAX} times")
}

/// Where the conversation is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Connected, not yet ready.
    Connecting { until: Instant },
    /// Hearing the tutor's greeting, if the tutor begins.
    Opening { since: Instant, tutor_begins: bool },
    /// Saying the line with this index.
    Speaking(usize),
    /// Hearing the answer to that line.
    Listening { line: usize, since: Instant },
    /// Finding out whether what was said of that line is known to the task that has taken over.
    Recalling { line: usize, until: Instant },
    /// All said and heard.
    Leaving { until: Instant },
    /// The service said goodbye.
    Over,
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    /// The conversation is over.
    Over,
    /// The conversation goes on.
    Lost,
}

struct Talk<'a> {
    script: &'a Script,
    phase: Phase,
    /// What of the current line is still to be sent.
    speech: VecDeque<i16>,
    decoder: Decoder,
    playback: Playback,
    /// Whether audio has come since the learner last spoke.
    answer_began: bool,
    /// Whether the tutor has ended a turn since the learner last spoke.
    answered: bool,
    frames: u32,
    sent: Sent,
    /// Since when the learner has been back without the service being ready.
    back_since: Option<Instant>,
    /// The learner wants to end, and the service may not have heard it.
    end_unheard: bool,
    conversation: Option<Conversation>,
}

impl<'a> Talk<'a> {
    fn new(script: &'a Script) -> Self {
        let now = Instant::now();
        Self {
            script,
            phase: Phase::Connecting { until: now + PATIENCE },
            speech: VecDeque::new(),
            decoder: Decoder::new(SAMPLE_RATE_HZ),
            playback: Playback::new(script.pace, now),
            answer_began: false,
            answered: false,
            frames: 0,
            sent: Sent::default(),
            back_since: None,
            end_unheard: false,
            conversation: None,
        }
    }

    async fn run(
        &mut self,
        socket: &mut Socket,
        microphone: &mut Interval,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<Left> {
        while self.phase != Phase::Over {
            tokio::select! {
                biased;
                message = socket.next() => {
                    let Some(Ok(message)) = message else { return self.lost() };
                    if self.receive(message, observer)? == Some(Left::Lost) {
                        return self.lost();
                    }
                }
                _ = microphone.tick() => {
                    for message in self.tick(Instant::now(), observer)? {
                        let sent = tokio::time::timeout(PATIENCE, socket.send(message)).await;
                        if sent.context("the ingress takes no more audio")?.is_err() {
                            return self.lost();
                        }
                    }
                }
            }
        }
        Ok(Left::Over)
    }

    /// What is lost before it began cannot be come back to.
    fn lost(&self) -> anyhow::Result<Left> {
        ensure!(self.conversation.is_some(), "the connection to the ingress was lost before it was ready");
        Ok(Left::Lost)
    }

    /// One frame of the microphone, and what else is to be said now.
    fn tick(
        &mut self,
        now: Instant,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<Vec<Message>> {
        if let Some(since) = self.back_since {
            // Where to go on is known when the service is ready.
            ensure!(now < since + PATIENCE, "the ingress did not get ready again");
            return Ok(Vec::new());
        }
        let heard_out = self.answered && now > self.playback.until + self.paced(BREATH);
        match self.phase {
            Phase::Connecting { until } => {
                ensure!(now < until, "the ingress did not get ready within {} s", PATIENCE.as_secs());
                return Ok(Vec::new());
            }
            Phase::Opening { since, tutor_begins } => {
                if heard_out || !tutor_begins {
                    self.speak(0, now, observer);
                } else {
                    self.check_patience(since, now, "a greeting")?;
                }
            }
            Phase::Speaking(line) if self.speech.is_empty() => {
                (self.answer_began, self.answered) = (false, false);
                self.phase = Phase::Listening { line, since: now };
            }
            Phase::Listening { line, .. } if heard_out => self.speak(line + 1, now, observer),
            Phase::Listening { line, since } => {
                self.check_patience(since, now, &format!("an answer to turn {}", line + 1))?;
            }
            Phase::Recalling { line, until } if now > until => {
                // A line that is in no turn was heard by nobody who is still there.
                let (said, since) = (self.learner_turns() > line, now);
                if said {
                    self.phase = Phase::Listening { line, since }
                } else {
                    self.speak(line, now, observer);
                }
            }
            Phase::Leaving { until } => {
                ensure!(now < until, "the ingress did not say goodbye within {} s", PATIENCE.as_secs());
                let end = std::mem::take(&mut self.end_unheard).then(|| text(&ClientMessage::End));
                return end.into_iter().collect();
            }
            Phase::Speaking(_) | Phase::Recalling { .. } | Phase::Over => {}
        }
        self.frames = self.frames.wrapping_add(1);
        let due = self.frames.is_multiple_of(FRAMES_PER_REPORT) || self.is_leaving();
        let report = if due { self.playback.report(now) } else { None };
        let mut messages = report.iter().map(text).collect::<anyhow::Result<Vec<_>>>()?;
        messages.push(if self.is_leaving() {
            text(&ClientMessage::End)?
        } else {
            let samples: Vec<i16> =
                (0..FRAME_SAMPLES).map(|_| self.speech.pop_front().unwrap_or(0)).collect();
            self.sent.push(&samples);
            Message::Binary(encode_audio(&samples).into())
        });
        Ok(messages)
    }

    fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving { .. })
    }

    fn check_patience(&self, since: Instant, now: Instant, what: &str) -> anyhow::Result<()> {
        let patience = self.script.answer_timeout;
        ensure!(now < since + patience, "the tutor did not finish {what} within {} s", patience.as_secs());
        Ok(())
    }

    /// Begins the line with this index, or leaves after the last one.
    fn speak(&mut self, line: usize, now: Instant, observer: &mut (impl FnMut(&Moment) + Send)) {
        match self.script.lines.get(line) {
            None => self.phase = Phase::Leaving { until: now + PATIENCE },
            Some(said) => {
                observer(&Moment::Speaking(line));
                self.speech = match said {
                    Line::Text(text) => audible::encode(text, SAMPLE_RATE_HZ).into(),
                    Line::Recording(samples) => samples.clone().into(),
                };
                self.phase = Phase::Speaking(line);
            }
        }
    }

    fn receive(
        &mut self,
        message: Message,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<Option<Left>> {
        match message {
            Message::Binary(frame) => {
                let (generation, samples) =
                    decode_audio(&frame).context("the ingress sent a broken frame")?;
                if generation >= self.playback.generation {
                    self.play(generation, &samples);
                }
                Ok(None)
            }
            Message::Text(text) => {
                let message = serde_json::from_str(&text).context("the ingress sent a broken message")?;
                self.understand(message, observer)
            }
            Message::Close(_) => Ok(Some(Left::Lost)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        }
    }

    /// Audio that has arrived is played after what is being played.
    fn play(&mut self, generation: u32, samples: &[i16]) {
        let now = Instant::now();
        if generation > self.playback.generation {
            self.playback.flush(generation, now);
        }
        self.playback.push(samples.len(), now);
        let heard = self.decoder.push(samples);
        let began = !std::mem::replace(&mut self.answer_began, true);
        if let Some(conversation) = &mut self.conversation {
            conversation.heard.extend(heard);
            if let (true, Phase::Listening { since, .. }) = (began, self.phase) {
                conversation.answer_latencies.push(now - since);
            }
        }
    }

    fn understand(
        &mut self,
        message: ServerMessage,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<Option<Left>> {
        match message {
            ServerMessage::Ready { generation, heard_samples, .. } if self.conversation.is_some() => {
                self.back(generation, heard_samples)?;
                observer(&Moment::Back);
            }
            ServerMessage::Ready { conversation_id, generation, tutor_begins, .. } => {
                self.playback.flush(generation, Instant::now());
                self.phase = Phase::Opening { since: Instant::now(), tutor_begins };
                self.conversation = Some(Conversation {
                    conversation_id,
                    simulated: false,
                    turns: Vec::new(),
                    heard: Vec::new(),
                    answer_latencies: Vec::new(),
                    reason: events::contract::EndReason::InternalError,
                    turn_count: 0,
                });
                observer(&Moment::Ready { conversation_id });
            }
            ServerMessage::Model { simulated } => {
                self.conversation()?.simulated = simulated;
                observer(&Moment::Model { simulated });
            }
            ServerMessage::Caption { speaker, stage, text, .. } => {
                observer(&Moment::Caption { speaker, stage, text });
            }
            ServerMessage::Turn { turn } if (turn.index as usize) < self.conversation()?.turns.len() => {}
            ServerMessage::Turn { turn } => {
                self.answered |= turn.speaker == Speaker::Tutor;
                observer(&Moment::Turn(turn.clone()));
                let conversation = self.conversation()?;
                ensure!(conversation.turns.len() < TURNS_MAX, "the conversation does not come to an end");
                conversation.turns.push(turn);
            }
            ServerMessage::Flush { generation } => {
                self.playback.flush(generation, Instant::now());
                self.decoder = Decoder::new(SAMPLE_RATE_HZ);
                observer(&Moment::Flush);
            }
            ServerMessage::Reconnecting => observer(&Moment::Reconnecting),
            ServerMessage::Resumed => observer(&Moment::Resumed),
            ServerMessage::Ended { reason, turns } => {
                let last = self.decoder.flush();
                let conversation = self.conversation()?;
                conversation.heard.extend(last);
                conversation.reason = reason;
                conversation.turn_count = turns;
                self.phase = Phase::Over;
            }
            ServerMessage::Reconnect { .. } => return Ok(Some(Left::Lost)),
            ServerMessage::Error { code, message } => bail!("the ingress reports {code:?}: {message}"),
            ServerMessage::Unknown => {}
        }
        Ok(None)
    }

    /// The conversation goes on. What was not heard is said again: from the sample that the service names, or, where
    /// it lost what it had heard, the whole line if it is in no turn.
    fn back(&mut self, generation: u32, heard_samples: Option<u64>) -> anyhow::Result<()> {
        let now = Instant::now();
        self.back_since = None;
        if generation != self.playback.generation {
            self.playback.flush(generation, now);
        }
        self.decoder = Decoder::new(SAMPLE_RATE_HZ);
        self.end_unheard = self.is_leaving();
        if let Some(heard) = heard_samples {
            for sample in self.sent.unheard(heard)?.into_iter().rev() {
                self.speech.push_front(sample);
            }
            return Ok(());
        }
        self.sent.forget();
        if let Phase::Speaking(line) | Phase::Listening { line, .. } | Phase::Recalling { line, .. } =
            self.phase
        {
            self.speech.clear();
            self.phase = Phase::Recalling { line, until: now + self.paced(RECALL) };
        }
        Ok(())
    }

    fn learner_turns(&self) -> usize {
        let turns = self.conversation.iter().flat_map(|conversation| &conversation.turns);
        turns.filter(|turn| turn.speaker == Speaker::Learner).count()
    }

    fn conversation(&mut self) -> anyhow::Result<&mut Conversation> {
        self.conversation.as_mut().context("the ingress spoke before it was ready")
    }

    fn outcome(self) -> anyhow::Result<Conversation> {
        self.conversation.context("the conversation never began")
    }

    fn paced(&self, duration: Duration) -> Duration {
        duration.div_f64(self.script.pace)
    }
}

pub(crate) fn text(message: &ClientMessage) -> anyhow::Result<Message> {
    Ok(Message::text(serde_json::to_string(message).context("a message is JSON")?))
}
