//! One conversation of a load test: as a web page would hold it, in real time, with stamps in the audio and every word
//! compared. Its memory is bounded by the few sentences of the longest window.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context as _, bail, ensure};
use events::contract::{
    self, EndReason, Turn,
    live::{ClientMessage, SAMPLE_RATE_HZ, ServerMessage, decode_audio, encode_audio},
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{Shared, learners::Speaker, lock};
use crate::{
    learner::{
        connection::{PATIENCE, Socket, connect},
        live::{BREATH, FRAME, FRAME_SAMPLES, FRAMES_PER_REPORT, text},
        playback::Playback,
    },
    simulator::{
        audible::{Decoder, Heard},
        latency::monotonic,
        stamp::{self, STAMP_SAMPLES},
    },
};

/// How long an answer may take, from the end of the learner's sentence to the end of the tutor's.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// How a conversation came out.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Held to its orderly end, every word as it was said and heard.
    Right { turns: u64 },
    /// Held, but a turn is not what was said or heard.
    Wrong { turns: u64, trouble: String },
    /// Refused or broken off.
    Failed(anyhow::Error),
}

impl Outcome {
    /// Turns that were compared.
    pub(super) fn turns(&self) -> u64 {
        match self {
            Self::Right { turns } | Self::Wrong { turns, .. } => *turns,
            Self::Failed(_) => 0,
        }
    }

    /// What went wrong, in words.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            Self::Right { .. } => None,
            Self::Wrong { trouble, .. } => Some(trouble.clone()),
            Self::Failed(error) => Some(format!("{error:#}")),
        }
    }
}

/// Holds one conversation until [`Shared::stop`], and finishes the exchange that it is in.
pub(super) async fn hold(speaker: &Speaker, shared: &Shared) -> Outcome {
    let mut talk = Talk::new(speaker, shared);
    let held = Box::pin(talk.hold()).await;
    shared.state.send_modify(|state| {
        state.open -= usize::from(talk.phase != Phase::Connecting);
        state.over += 1;
    });
    match (held, talk.words.trouble()) {
        (Err(error), _) => Outcome::Failed(error),
        (Ok(()), Some(trouble)) => Outcome::Wrong { turns: talk.words.turns.into(), trouble },
        (Ok(()), None) => Outcome::Right { turns: talk.words.turns.into() },
    }
}

/// Where the conversation is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Not ready yet.
    Connecting,
    /// Saying a line, up to this sample.
    Speaking { position: usize },
    /// Hearing the greeting or an answer.
    Listening,
    /// All said and heard.
    Leaving,
    /// The service said goodbye.
    Over,
}

struct Talk<'a> {
    speaker: &'a Speaker,
    shared: &'a Shared,
    phase: Phase,
    /// Since when.
    since: Instant,
    /// Lines said so far.
    said: usize,
    stamps: stamp::Reader,
    decoder: Decoder,
    playback: Playback,
    /// Whether the tutor has ended a turn since the learner last spoke.
    answered: bool,
    frames: u32,
    words: Words,
}

impl<'a> Talk<'a> {
    fn new(speaker: &'a Speaker, shared: &'a Shared) -> Self {
        let now = Instant::now();
        Self {
            speaker,
            shared,
            phase: Phase::Connecting,
            since: now,
            said: 0,
            stamps: stamp::Reader::default(),
            decoder: Decoder::new(SAMPLE_RATE_HZ),
            playback: Playback::new(1.0, now),
            answered: false,
            frames: 0,
            words: Words::default(),
        }
    }

    async fn hold(&mut self) -> anyhow::Result<()> {
        let Speaker { learner, script, .. } = self.speaker;
        let started = learner.start(script).await?;
        let mut socket = connect(&learner.live_url(0, &started)).await?;
        let mut microphone = tokio::time::interval(FRAME);
        microphone.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let talked = async {
            while self.phase != Phase::Over {
                tokio::select! {
                    biased;
                    message = socket.next() => {
                        let message = message.context("the ingress closed the connection in mid-conversation")?;
                        self.receive(message.context("the connection to the ingress was lost")?)?;
                    }
                    due = microphone.tick() => self.speak(due, &mut socket).await?,
                }
            }
            anyhow::Ok(())
        };
        talked.await.with_context(|| format!("conversation {}", started.conversation_id))?;
        // The other side may have closed already; either way we are done.
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
        Ok(())
    }

    /// One frame of the microphone, and what else is to be said at this moment.
    async fn speak(&mut self, due: Instant, socket: &mut Socket) -> anyhow::Result<()> {
        let now = Instant::now();
        let before = self.phase;
        self.go_on(now)?;
        match self.phase {
            Phase::Leaving if before != Phase::Leaving => {
                return send(socket, text(&ClientMessage::End)?).await;
            }
            Phase::Connecting | Phase::Leaving | Phase::Over => return Ok(()),
            Phase::Speaking { .. } | Phase::Listening => {}
        }
        lock(&self.shared.late).record(now - due);
        self.frames = self.frames.wrapping_add(1);
        if self.frames.is_multiple_of(FRAMES_PER_REPORT)
            && let Some(played) = self.playback.report(now)
        {
            send(socket, text(&played)?).await?;
        }
        let frame = self.frame();
        send(socket, Message::Binary(frame)).await
    }

    fn go_on(&mut self, now: Instant) -> anyhow::Result<()> {
        let heard_out = self.answered && now > self.playback.until + BREATH;
        let waited = now - self.since;
        match self.phase {
            Phase::Connecting => {
                ensure!(waited < PATIENCE, "the ingress did not get ready within {} s", PATIENCE.as_secs());
            }
            Phase::Listening
                if heard_out && self.said >= self.shared.least && self.shared.stop.is_cancelled() =>
            {
                self.enter(Phase::Leaving, now);
            }
            Phase::Listening if heard_out => {
                let line = self.line().text.clone();
                self.words.said.push_back(line);
                self.enter(Phase::Speaking { position: 0 }, now);
            }
            Phase::Listening => {
                let limit = ANSWER_TIMEOUT;
                ensure!(waited < limit, "no answer to sentence {} within {} s", self.said, limit.as_secs());
            }
            Phase::Speaking { position } if position >= self.line().samples.len() => {
                self.said += 1;
                self.answered = false;
                self.enter(Phase::Listening, now);
            }
            Phase::Leaving => {
                ensure!(waited < PATIENCE, "the ingress did not say goodbye within {} s", PATIENCE.as_secs());
            }
            Phase::Speaking { .. } | Phase::Over => {}
        }
        Ok(())
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        (self.phase, self.since) = (phase, now);
    }

    fn line(&self) -> &super::learners::Line {
        &self.speaker.lines[self.said % self.speaker.lines.len()]
    }

    /// The next frame: a stamp, then speech or silence.
    fn frame(&mut self) -> Bytes {
        const SAMPLES: usize = FRAME_SAMPLES - STAMP_SAMPLES;
        let mut samples = [0; FRAME_SAMPLES];
        if let Phase::Speaking { position } = &mut self.phase {
            let line = &self.speaker.lines[self.said % self.speaker.lines.len()].samples;
            let rest = &line[*position..];
            let count = rest.len().min(SAMPLES);
            samples[STAMP_SAMPLES..][..count].copy_from_slice(&rest[..count]);
            *position += count;
        }
        samples[..STAMP_SAMPLES].copy_from_slice(&stamp::stamp(monotonic()));
        encode_audio(&samples).into()
    }

    fn receive(&mut self, message: Message) -> anyhow::Result<()> {
        match message {
            Message::Binary(frame) => {
                let arrived = monotonic();
                let (generation, samples) =
                    decode_audio(&frame).context("the ingress sent a broken frame")?;
                self.hear(generation, &samples, arrived);
                Ok(())
            }
            Message::Text(text) => {
                let message = serde_json::from_str(&text).context("the ingress sent a broken message")?;
                self.understand(message)
            }
            Message::Close(_) => bail!("the ingress closed the connection in mid-conversation"),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    fn hear(&mut self, generation: u32, samples: &[i16], arrived: Duration) {
        let now = Instant::now();
        let unstamped = self.stamps.read(samples);
        {
            let mut down = lock(&self.shared.down);
            for sent in unstamped.times {
                down.record(arrived.saturating_sub(sent));
            }
        }
        if generation < self.playback.generation {
            return;
        }
        if generation > self.playback.generation {
            self.playback.flush(generation, now);
        }
        self.playback.push(samples.len(), now);
        self.words.hear(self.decoder.push(&unstamped.samples));
    }

    fn understand(&mut self, message: ServerMessage) -> anyhow::Result<()> {
        let now = Instant::now();
        match message {
            ServerMessage::Ready { generation, .. } => {
                lock(&self.shared.opening).record(now - self.since);
                self.playback.flush(generation, now);
                self.enter(Phase::Listening, now);
                self.shared.state.send_modify(|state| {
                    state.open += 1;
                    state.opened += 1;
                });
            }
            ServerMessage::Turn { turn } => {
                self.answered |= turn.speaker == contract::Speaker::Tutor;
                self.words.compare(&turn);
            }
            ServerMessage::Ended { reason, turns } => {
                self.words.hear(self.decoder.flush());
                self.words.end(reason, turns);
                self.phase = Phase::Over;
            }
            ServerMessage::Flush { generation } => {
                self.playback.flush(generation, now);
                self.words.wrong("the tutor was interrupted though nobody spoke".to_owned());
            }
            ServerMessage::Reconnect { .. } => bail!("the ingress is stopping"),
            ServerMessage::Reconnecting => self.words.wrong("the model was lost".to_owned()),
            ServerMessage::Error { code, message } => bail!("the ingress reports {code:?}: {message}"),
            ServerMessage::Model { .. }
            | ServerMessage::Caption { .. }
            | ServerMessage::Resumed
            | ServerMessage::Unknown => {}
        }
        Ok(())
    }
}

async fn send(socket: &mut Socket, message: Message) -> anyhow::Result<()> {
    let sent = tokio::time::timeout(PATIENCE, socket.send(message)).await;
    sent.context("the ingress takes no more audio")?.context("the connection to the ingress was lost")
}

/// What was said and heard, compared with the turns.
#[derive(Debug, Default)]
struct Words {
    /// Turns so far.
    turns: u32,
    /// Sentences of the learner that are not a turn yet.
    said: VecDeque<String>,
    /// The tutor's words as they were heard, and as they are in turns.
    heard: String,
    told: String,
    trouble: Option<String>,
}

impl Words {
    fn hear(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Text(text) => append(&mut self.heard, &text),
                other @ (Heard::Damaged { .. } | Heard::Unreadable { .. }) => {
                    self.wrong(format!("the learner could not understand {other:?}"));
                }
            }
        }
    }

    fn compare(&mut self, turn: &Turn) {
        if turn.index != self.turns {
            self.wrong(format!("a turn has the index {} instead of {}", turn.index, self.turns));
        }
        self.turns += 1;
        match turn.speaker {
            contract::Speaker::Tutor => append(&mut self.told, &turn.text),
            contract::Speaker::Learner => {
                let said = self.said.pop_front();
                if said.as_ref() != Some(&turn.text) {
                    self.wrong(format!("{said:?} was said, and {:?} is in the transcript", turn.text));
                }
            }
        }
    }

    fn end(&mut self, reason: EndReason, turns: u32) {
        if reason != EndReason::Learner || turns != self.turns {
            self.wrong(format!("ended with {reason:?} and {turns} turns instead of {}", self.turns));
        }
        if let Some(lost) = self.said.pop_front() {
            self.wrong(format!("{lost:?} is not in the transcript"));
        }
        if self.heard != self.told {
            self.wrong(format!("{:?} was heard, and {:?} is in the transcript", self.heard, self.told));
        }
    }

    /// Keeps the first trouble; the others follow from it.
    fn wrong(&mut self, trouble: String) {
        self.trouble.get_or_insert(trouble);
    }

    fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }
}

fn append(all: &mut String, text: &str) {
    if !all.is_empty() {
        all.push(' ');
    }
    all.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(index: u32, speaker: contract::Speaker, text: &str) -> Turn {
        Turn::spoken(index, speaker, text, 0, 1)
    }

    fn words(turns: impl IntoIterator<Item = Turn>) -> Option<String> {
        let mut words = Words::default();
        words.said.push_back("I see a door.".into());
        words.hear(vec![Heard::Text("Hello!".into()), Heard::Text("What do you see?".into())]);
        let mut count = 0;
        for turn in turns {
            words.compare(&turn);
            count += 1;
        }
        words.end(EndReason::Learner, count);
        words.trouble()
    }

    #[test]
    fn turns_are_what_was_said_and_heard() {
        use contract::Speaker::{Learner, Tutor};
        let hello = || turn(0, Tutor, "Hello! What do you see?");
        assert_eq!(words([hello(), turn(1, Learner, "I see a door.")]), None);
        for wrong in [
            vec![hello()],
            vec![hello(), turn(2, Learner, "I see a door.")],
            vec![hello(), turn(1, Learner, "I see a floor.")],
            vec![turn(0, Tutor, "Hello!"), turn(1, Learner, "I see a door.")],
        ] {
            assert!(words(wrong.clone()).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn damage_and_another_end_are_noticed() {
        let mut words = Words::default();
        words.hear(vec![Heard::Damaged { text: "He".into() }]);
        assert!(words.trouble().is_some());
        let mut words = Words::default();
        words.end(EndReason::Shutdown, 0);
        assert!(words.trouble().is_some());
    }
}
