//! The page of a learner in a live test: the socket, which may be lost, the microphone, whose samples are counted so
//! that a page that comes back goes on where it was heard to, and the loudspeaker, which plays at the pace of time and
//! knows what was really heard.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context as _, bail};
use events::contract::{
    ConversationId,
    live::{ClientMessage, PROTOCOL, SAMPLE_RATE_HZ, ServerMessage, decode_audio, encode_audio},
};
use futures_util::{SinkExt as _, StreamExt as _};
use infra::simulator::audible::{Decoder, Heard};
use serde_json::Value;
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
    },
};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A loudspeaker that has nothing to play for so long has stopped in the middle of the word.
const DRIED_UP: Duration = Duration::from_millis(500);

/// The end of a sentence follows its last sample within this time, unless its stream is lost.
const SENTENCE_END: Duration = Duration::from_millis(50);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a page gets.
#[derive(Debug)]
pub(crate) enum FromService {
    Audio {
        generation: u32,
        samples: Vec<i16>,
    },
    Message(ServerMessage),
    /// The connection is gone.
    Gone,
}

/// A connection of a page.
#[derive(Debug)]
pub(crate) struct Connection(Socket);

impl Connection {
    /// Opens what the ingress at `url` offered.
    pub(crate) async fn open(url: &str, offer: &Value) -> anyhow::Result<Self> {
        let live = offer["live"].as_str().context("no live address")?;
        let ticket = offer["ticket"].as_str().context("no ticket")?;
        let url = format!("{}{live}?ticket={ticket}", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        let connected = tokio::time::timeout(PATIENCE, connect_async(request)).await;
        Ok(Self(connected.context("the live connection does not open")??.0))
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) -> anyhow::Result<()> {
        self.write(Message::text(serde_json::to_string(message)?)).await
    }

    pub(crate) async fn send_audio(&mut self, samples: &[i16]) -> anyhow::Result<()> {
        self.write(Message::Binary(encode_audio(samples).into())).await
    }

    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> anyhow::Result<FromService> {
        loop {
            return Ok(match self.0.next().await {
                Some(Ok(Message::Binary(frame))) => {
                    let (generation, samples) = decode_audio(&frame).context("a broken frame")?;
                    FromService::Audio { generation, samples }
                }
                Some(Ok(Message::Text(text))) => {
                    FromService::Message(serde_json::from_str(&text).context("a broken message")?)
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => FromService::Gone,
            });
        }
    }

    /// Says goodbye, or not.
    pub(crate) async fn drop(mut self, politely: bool) {
        if politely {
            // The other side may be gone already.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.0.close(None)).await;
        }
    }

    async fn write(&mut self, message: Message) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.0.send(message)).await.context("nothing more is taken")??;
        Ok(())
    }
}

/// What of the tutor was heard between two silences.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) what: What,
    /// When its first sample arrived.
    pub(crate) arrived: Instant,
    /// When its last sample was played.
    pub(crate) over: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A whole sentence.
    Sentence(String),
    /// A sentence whose stream was lost at its last sample, so that the service cannot know that it was whole.
    Last(String),
    /// The beginning of the sentence `planned`, which was cut. `told` when it was the model that cut it: then it has
    /// said how far it came.
    Beginning { heard: String, planned: String, told: bool },
    /// Sound that was lost, doubled or mixed up.
    Damaged(String),
    /// Anything may be missing here: the socket was away.
    Gap,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Loudspeaker {
    pub(crate) generation: u32,
    queue: VecDeque<Chunk>,
    decoder: Decoder,
    /// Until when it has played.
    played: Instant,
    /// Samples of this generation that were played.
    position: u64,
    /// When the utterance that is being heard arrived.
    hearing_since: Instant,
    /// The sentence that is being heard, as it was announced.
    planned: String,
    /// A sentence that was announced and whose audio has not come.
    announced: Option<String>,
    /// When it last played something.
    sounding: Instant,
    /// When audio last arrived.
    pub(crate) audio_at: Option<Instant>,
    /// Silent until the next generation.
    muted: bool,
    /// Only the model has cut the tutor short so far: no stream was lost, and the page has not said so itself.
    told: bool,
    /// The sentence that is being heard is one whose stream was lost at its last sample.
    last: bool,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Chunk {
    arrived: Instant,
    /// A sentence begins with it.
    begins: Option<String>,
    /// The last before the loss of the stream.
    last: bool,
    samples: VecDeque<i16>,
}

impl Loudspeaker {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            generation: 0,
            queue: VecDeque::new(),
            decoder: Decoder::new(SAMPLE_RATE_HZ),
            played: now,
            position: 0,
            hearing_since: now,
            planned: String::new(),
            announced: None,
            sounding: now,
            audio_at: None,
            muted: false,
            told: true,
            last: false,
            pieces: Vec::new(),
        }
    }

    pub(crate) fn is_playing(&self) -> bool {
        !self.queue.is_empty()
    }

    /// When something was last played.
    pub(crate) fn sounding(&self) -> Instant {
        self.sounding
    }

    pub(crate) fn report(&self) -> ClientMessage {
        let ms = self.position * 1_000 / u64::from(SAMPLE_RATE_HZ);
        ClientMessage::Played { generation: self.generation, ms }
    }

    pub(crate) fn push(&mut self, generation: u32, samples: Vec<i16>, now: Instant) {
        self.advance(now);
        if generation < self.generation || (self.muted && generation == self.generation) {
            return;
        }
        if generation > self.generation {
            self.flush(generation, now);
        }
        self.audio_at = Some(now);
        let begins = self.announced.take();
        self.queue.push_back(Chunk { arrived: now, begins, last: false, samples: samples.into() });
    }

    /// The stream is lost, or the page says itself that the learner speaks over the tutor: how far a sentence came is
    /// not told by the model.
    pub(crate) fn untold(&mut self, now: Instant) {
        self.told = false;
        let just_now = self.audio_at.is_some_and(|at| now - at < SENTENCE_END);
        match self.queue.back_mut() {
            _ if !just_now => {}
            Some(chunk) => chunk.last = true,
            None if self.decoder.is_hearing() => self.last = true,
            None => self.mark_last(),
        }
    }

    /// The service says what the tutor is about to say.
    pub(crate) fn announce(&mut self, sentence: String) {
        self.announced = Some(sentence);
    }

    /// Plays until `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        let due = (now - self.played).as_micros() * u128::from(SAMPLE_RATE_HZ) / 1_000_000;
        let mut due = usize::try_from(due).unwrap_or(usize::MAX);
        self.played = now;
        while let Some(mut chunk) = self.queue.pop_front() {
            if due == 0 {
                self.queue.push_front(chunk);
                break;
            }
            if let Some(sentence) = chunk.begins.take() {
                self.cut(false, now);
                self.last = false;
                self.planned = sentence;
            }
            let count = chunk.samples.len().min(due);
            let rest = chunk.samples.split_off(count);
            self.play(chunk.samples.make_contiguous(), chunk.arrived, now);
            due -= count;
            if chunk.last && rest.is_empty() {
                self.last = true;
                if !self.decoder.is_hearing() {
                    self.mark_last();
                }
            }
            if !rest.is_empty() {
                self.queue.push_front(Chunk { samples: rest, ..chunk });
                break;
            }
        }
        if self.queue.is_empty() && self.decoder.is_hearing() && now > self.sounding + DRIED_UP {
            self.cut(false, now);
        }
    }

    /// Forgets what was not played, and goes on with `generation`.
    pub(crate) fn flush(&mut self, generation: u32, now: Instant) {
        self.mute(now);
        self.generation = generation;
        self.position = 0;
        self.muted = false;
    }

    /// Forgets what was not played, and what still comes of this generation.
    pub(crate) fn mute(&mut self, now: Instant) {
        self.advance(now);
        self.queue.clear();
        self.cut(self.told, now);
        self.muted = true;
    }

    /// What comes next may have lost its beginning, and what was being played its end.
    pub(crate) fn gap(&mut self, now: Instant) {
        self.advance(now);
        self.queue.clear();
        self.cut(false, now);
        self.pieces.push(Piece { what: What::Gap, arrived: now, over: now });
    }

    fn mark_last(&mut self) {
        self.last = false;
        if let Some(piece) = self.pieces.last_mut()
            && let What::Sentence(text) = &mut piece.what
        {
            piece.what = What::Last(std::mem::take(text));
        }
    }

    fn play(&mut self, samples: &[i16], arrived: Instant, now: Instant) {
        if !self.decoder.is_hearing() {
            self.hearing_since = arrived;
        }
        self.sounding = now;
        self.position += samples.len() as u64;
        let heard = self.decoder.push(samples);
        if !heard.is_empty() {
            self.take(heard, None, now);
            self.hearing_since = arrived;
        }
    }

    /// What is being heard ends here; `told` when the model has said how far it came.
    fn cut(&mut self, told: bool, now: Instant) {
        let heard = self.decoder.flush();
        self.take(heard, Some(told), now);
        self.decoder = Decoder::new(SAMPLE_RATE_HZ);
    }

    fn take(&mut self, heard: Vec<Heard>, cut: Option<bool>, now: Instant) {
        for heard in heard {
            let planned = self.planned.clone();
            let what = match (heard, cut) {
                (Heard::Text(text), _) if std::mem::take(&mut self.last) => What::Last(text),
                (Heard::Text(text), _) => What::Sentence(text),
                (Heard::Damaged { text }, Some(told)) => What::Beginning { heard: text, planned, told },
                (Heard::Unreadable { .. }, Some(told)) => {
                    What::Beginning { heard: String::new(), planned, told }
                }
                (other, None) => What::Damaged(format!("{other:?} of {planned:?}")),
            };
            self.pieces.push(Piece { what, arrived: self.hearing_since, over: now });
        }
    }
}

/// The microphone: every sample is counted, and kept until the service has it.
#[derive(Debug, Default)]
pub(crate) struct Microphone {
    /// What is to be said.
    speech: VecDeque<i16>,
    /// Samples recorded that may have to be sent again, and the number of the first of them.
    kept: VecDeque<i16>,
    first: u64,
    /// The number of the next sample to be sent.
    next: u64,
}

/// Samples kept for a page that comes back: a minute.
const KEPT_MAX: usize = 60 * SAMPLE_RATE_HZ as usize;

impl Microphone {
    pub(crate) fn say(&mut self, samples: Vec<i16>) {
        self.speech.extend(samples);
    }

    pub(crate) fn is_speaking(&self) -> bool {
        !self.speech.is_empty()
    }

    /// Samples that are still to be said.
    pub(crate) fn left(&self) -> usize {
        self.speech.len()
    }

    /// Records so many samples: speech, or silence.
    pub(crate) fn record(&mut self, count: usize) {
        for _ in 0..count {
            self.kept.push_back(self.speech.pop_front().unwrap_or(0));
        }
        let excess = self.kept.len().saturating_sub(KEPT_MAX);
        self.kept.drain(..excess);
        self.first += excess as u64;
    }

    /// What was recorded and not sent.
    pub(crate) fn take(&mut self) -> Vec<i16> {
        let from = usize::try_from(self.next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let from = from.min(self.kept.len());
        self.next = self.first + self.kept.len() as u64;
        self.kept.range(from..).copied().collect()
    }

    /// The service has heard so many samples: what follows is sent again.
    pub(crate) fn rewind(&mut self, heard: u64) -> anyhow::Result<()> {
        let recorded = self.first + self.kept.len() as u64;
        if !(self.first..=recorded).contains(&heard) {
            bail!("{heard} samples were heard, and those from {} to {recorded} are known", self.first);
        }
        self.next = heard;
        Ok(())
    }
}

/// The id in an offer.
pub(crate) fn conversation_id(offer: &Value) -> anyhow::Result<ConversationId> {
    offer["conversationId"].as_str().context("no conversation")?.parse().context("no conversation id")
}
