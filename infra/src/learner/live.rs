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
};
use crate::simulator::audible::{self, Decoder};

/// The sub-protocol.
const PROTOCOL: &str = "nova.live.v1";

/// Samples in a microphone frame: 32 ms, 1024 bytes.
const FRAME_SAMPLES: usize = 512;

/// Duration of a microphone frame at pace 1.
const FRAME: Duration = Duration::from_millis(32);

/// The largest message that is accepted.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// More turns than this are not a conversation.
const TURNS_MAX: usize = 2_000;

/// How long connecting, the first word of the service, a write and the goodbye may each take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the learner waits for a tutor who speaks first, at pace 1.
const OPENING: Duration = Duration::from_millis(2_000);

/// A breath between the end of the tutor's audio and the learner's next line, at pace 1.
const BREATH: Duration = Duration::from_millis(300);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

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

async fn connect(url: &str) -> anyhow::Result<Socket> {
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
    /// Waiting for a tutor who may speak first.
    Opening { until: Instant },
    /// Saying the line with this index.
    Speaking(usize),
    /// Hearing the answer to that line.
    Listening { line: usize, since: Instant, answered: bool },
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
    generation: u32,
    /// When the tutor's audio that has arrived will have been played.
    playing_until: Instant,
    /// Audio of the current answer in samples.
    answer_samples: u64,
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
            generation: 0,
            playing_until: now,
            answer_samples: 0,
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
        let mut messages = Vec::new();
        match self.phase {
            Phase::Connecting { until } => {
                ensure!(now < until, "the ingress did not get ready within {} s", PATIENCE.as_secs());
                return Ok(messages);
            }
            Phase::Opening { until } => {
                if now > until && now > self.playing_until {
                    self.speak(0, now, observer);
                }
            }
            Phase::Speaking(line) if self.speech.is_empty() => {
                self.answer_samples = 0;
                self.phase = Phase::Listening { line, since: now, answered: false };
            }
            Phase::Listening { line, since, answered } => {
                if answered && now > self.playing_until + self.paced(BREATH) {
                    messages.push(played(self.generation, self.answer_samples)?);
                    self.speak(line + 1, now, observer);
                } else if now > since + self.script.answer_timeout {
                    let seconds = self.script.answer_timeout.as_secs();
                    bail!("the tutor did not finish an answer to turn {} within {seconds} s", line + 1);
                }
            }
            Phase::Leaving { until } => {
                ensure!(now < until, "the ingress did not say goodbye within {} s", PATIENCE.as_secs());
                return Ok(messages);
            }
            Phase::Speaking(_) | Phase::Over => {}
        }
        if let Phase::Leaving { .. } = self.phase {
            messages.push(text(&Up::End)?);
        } else {
            let samples = (0..FRAME_SAMPLES).map(|_| self.speech.pop_front().unwrap_or(0));
            messages.push(Message::Binary(message::frame(samples).into()));
        }
        Ok(messages)
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
                if generation >= self.generation {
                    self.generation = generation;
                    self.play(&samples);
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
    fn play(&mut self, samples: &[i16]) {
        let now = Instant::now();
        if let (0, Phase::Listening { since, .. }) = (self.answer_samples, self.phase)
            && let Some(conversation) = &mut self.conversation
        {
            conversation.answer_latencies.push(now - since);
        }
        self.answer_samples += samples.len() as u64;
        let duration = Duration::from_secs_f64(samples.len() as f64 / f64::from(SAMPLE_RATE_HZ));
        self.playing_until = self.playing_until.max(now) + self.paced(duration);
        let heard = self.decoder.push(samples);
        if let Some(conversation) = &mut self.conversation {
            conversation.heard.extend(heard);
        }
    }

    fn understand(
        &mut self,
        message: Down,
        observer: &mut (impl FnMut(&Moment) + Send),
    ) -> anyhow::Result<()> {
        match message {
            Down::Ready { conversation_id, generation, simulated } => {
                self.generation = generation;
                self.phase = Phase::Opening { until: Instant::now() + self.paced(OPENING) };
                self.conversation = Some(Conversation {
                    conversation_id,
                    simulated,
                    turns: Vec::new(),
                    heard: Vec::new(),
                    answer_latencies: Vec::new(),
                    reason: events::contract::EndReason::InternalError,
                    turn_count: 0,
                });
                observer(&Moment::Ready { conversation_id, simulated });
            }
            Down::Caption { speaker, stage, text } => observer(&Moment::Caption { speaker, stage, text }),
            Down::Turn { turn } => {
                if let (Speaker::Tutor, Phase::Listening { answered, .. }) = (turn.speaker, &mut self.phase) {
                    *answered = true;
                }
                observer(&Moment::Turn(turn.clone()));
                let conversation = self.conversation()?;
                ensure!(conversation.turns.len() < TURNS_MAX, "the conversation does not come to an end");
                conversation.turns.push(turn);
            }
            Down::Flush { generation } => {
                self.generation = generation;
                self.playing_until = Instant::now();
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

fn played(generation: u32, samples: u64) -> anyhow::Result<Message> {
    text(&Up::Played { generation, ms: samples * 1_000 / u64::from(SAMPLE_RATE_HZ) })
}

fn text(message: &Up) -> anyhow::Result<Message> {
    Ok(Message::text(serde_json::to_string(message).context("a message is JSON")?))
}
