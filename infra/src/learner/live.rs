//! Holds one conversation over the live WebSocket: speaks, listens, takes turns.
//!
//! The microphone never stops: where nothing is said it sends silence, as a browser does, because the model finds
//! the end of a turn in it. Memory is bounded by one spoken line and the list of turns.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context as _, bail, ensure};
use events::contract::Speaker;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::TcpStream,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

use super::{
    Conversation, Line, Moment, SAMPLE_RATE_HZ, Script,
    message::{self, Down, Up},
    playback::Playback,
};
use crate::simulator::audible::{self, Decoder};

/// The sub-protocol.
const PROTOCOL: &str = "nova.live.v1";

/// Samples in a microphone frame: 32 ms, 1024 bytes.
pub(crate) const FRAME_SAMPLES: usize = 512;

/// Duration of a microphone frame at pace 1.
pub(crate) const FRAME: Duration = Duration::from_millis(32);

/// The largest message that is accepted.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// More turns than this are not a conversation.
const TURNS_MAX: usize = 2_000;

/// How long connecting, the first word of the service, a write and the goodbye may each take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long the learner waits for a tutor who may speak first.
const OPENING: Duration = Duration::from_secs(5);

/// How many frames of the microphone pass between two reports of what was played.
pub(crate) const FRAMES_PER_REPORT: u32 = 8;

/// A breath between the end of the tutor's audio and the learner's next line, at pace 1.
pub(crate) const BREATH: Duration = Duration::from_millis(300);

/// A live connection.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Holds the conversation at `url`, which includes the ticket.
pub(super) async fn hold(
    url: &str,
    script: &Script,
    mut observer: impl FnMut(&Moment) + Send,
) -> anyhow::Result<Conversation> {
    ensure!(script.pace.is_finite() && script.pace > 0.0, "a pace of {} is not possible", script.pace);
    let mut socket = connect(url).await?;
    let mut talk = Talk::new(script);
    let mut microphone = tokio::time::interval(FRAME.div_f64(script.pace));
    microphone.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let result = talk.run(&mut socket, &mut microphone, &mut observer).await;
    // The other side may have closed already; either way we are done.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
    result?;
    talk.outcome()
}

/// Opens the connection of the live address `url`.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Socket> {
    let url = url.replacen("http", "ws", 1);
    let mut request = url.into_client_request().context("the live address is no URL")?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connecting = connect_async_with_config(request, Some(config), true);
    let connected = tokio::time::timeout(PATIENCE, connecting).await;
    let (socket, answer) = match connected.context("the live connection does not open")? {
        Ok(connected) => connected,
        Err(Error::Http(answer)) => {
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            bail!("the ingress refuses the live connection: {} {body}", answer.status());
        }
        Err(error) => return Err(error).context("the live connection does not open"),
    };
    let agreed = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
    ensure!(agreed.is_some_and(|protocol| protocol == PROTOCOL), "the ingress does not speak {PROTOCOL}");
    Ok(socket)
}

/// Where the conversation is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Connected, not yet ready.
    Connecting { until: Instant },
    /// Hearing the tutor's greeting, if there is one.
    Opening { since: Instant },
    /// Saying the line with this index.
    Speaking(usize),
    /// Hearing the answer to that line.
    Listening { line: usize, since: Instant },
    /// All said and heard.
    Leaving { until: Instant },
    /// The service said goodbye.
    Over,
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
            conversation: None,
        }
    }

    async fn run(
        &mut self,
        socket: &mut Socket,
        microphone: &mut Interval,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<()> {
        while self.phase != Phase::Over {
            tokio::select! {
                biased;
                message = socket.next() => {
                    let message = message.context("the ingress closed the connection in mid-conversation")?;
                    let message = message.context("the connection to the ingress was lost")?;
                    self.receive(message, observer)?;
                }
                _ = microphone.tick() => {
                    for message in self.tick(Instant::now(), observer)? {
                        let sent = tokio::time::timeout(PATIENCE, socket.send(message)).await;
                        let sent = sent.context("the ingress takes no more audio")?;
                        sent.context("the connection to the ingress was lost")?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One frame of the microphone, and what else is to be said now.
    fn tick(
        &mut self,
        now: Instant,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<Vec<Message>> {
        let heard_out = self.answered && now > self.playback.until + self.paced(BREATH);
        match self.phase {
            Phase::Connecting { until } => {
                ensure!(now < until, "the ingress did not get ready within {} s", PATIENCE.as_secs());
                return Ok(Vec::new());
            }
            Phase::Opening { since } => {
                if heard_out || (!self.answer_began && now > since + OPENING) {
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
            Phase::Leaving { until } => {
                ensure!(now < until, "the ingress did not say goodbye within {} s", PATIENCE.as_secs());
                return Ok(Vec::new());
            }
            Phase::Speaking(_) | Phase::Over => {}
        }
        self.frames = self.frames.wrapping_add(1);
        let due = self.frames.is_multiple_of(FRAMES_PER_REPORT) || self.is_leaving();
        let report = if due { self.playback.report(now) } else { None };
        let mut messages = report.iter().map(text).collect::<anyhow::Result<Vec<_>>>()?;
        messages.push(if self.is_leaving() {
            text(&Up::End)?
        } else {
            let samples = (0..FRAME_SAMPLES).map(|_| self.speech.pop_front().unwrap_or(0));
            Message::Binary(message::frame(samples).into())
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
    ) -> anyhow::Result<()> {
        match message {
            Message::Binary(frame) => {
                let (generation, samples) =
                    message::audio(&frame).context("the ingress sent a broken frame")?;
                if generation >= self.playback.generation {
                    self.play(generation, &samples);
                }
                Ok(())
            }
            Message::Text(text) => {
                let message = serde_json::from_str(&text).context("the ingress sent a broken message")?;
                self.understand(message, observer)
            }
            Message::Close(frame) => {
                let why = frame.map_or_else(|| "without a reason".to_owned(), |frame| frame.to_string());
                bail!("the ingress closed the connection in mid-conversation: {why}");
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
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
        message: Down,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<()> {
        match message {
            Down::Ready { conversation_id, generation } => {
                self.playback.flush(generation, Instant::now());
                self.phase = Phase::Opening { since: Instant::now() };
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
            Down::Model { simulated } => {
                self.conversation()?.simulated = simulated;
                observer(&Moment::Model { simulated });
            }
            Down::Caption { speaker, stage, text } => observer(&Moment::Caption { speaker, stage, text }),
            Down::Turn { turn } => {
                self.answered |= turn.speaker == Speaker::Tutor;
                observer(&Moment::Turn(turn.clone()));
                let conversation = self.conversation()?;
                ensure!(conversation.turns.len() < TURNS_MAX, "the conversation does not come to an end");
                conversation.turns.push(turn);
            }
            Down::Flush { generation } => {
                self.playback.flush(generation, Instant::now());
                self.decoder = Decoder::new(SAMPLE_RATE_HZ);
                observer(&Moment::Flush);
            }
            Down::Reconnecting => observer(&Moment::Reconnecting),
            Down::Resumed => observer(&Moment::Resumed),
            Down::Ended { reason, turns } => {
                let last = self.decoder.flush();
                let conversation = self.conversation()?;
                conversation.heard.extend(last);
                conversation.reason = reason;
                conversation.turn_count = turns;
                self.phase = Phase::Over;
            }
            Down::Error { code, message } => bail!("the ingress reports {code}: {message}"),
            Down::Unknown => {}
        }
        Ok(())
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

pub(crate) fn text(message: &Up) -> anyhow::Result<Message> {
    Ok(Message::text(serde_json::to_string(message).context("a message is JSON")?))
}
