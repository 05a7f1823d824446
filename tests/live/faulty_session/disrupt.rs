//! When the planned disruptions of a session are due, and how they happen.

use anyhow::Context as _;
use events::contract::live::ClientMessage;
use infra::{client::Connection, simulator::faults::Fault};
use tokio::time::Instant;

use super::{FaultySession, Phase};
use crate::disruption::{Disconnect, DisruptionKind, Trigger};

impl FaultySession<'_> {
    pub(super) fn is_due(&self, trigger: Trigger, now: Instant) -> bool {
        let line = self.record.said.len();
        let audio_since = |since| self.record.loudspeaker.audio_at.is_some_and(|at| at >= since);
        match (trigger, self.phase) {
            (Trigger::Speaking { line: of, part }, Phase::Speaking { total }) => {
                of + 1 == line && self.microphone.samples_left() as f64 <= total as f64 * (1.0 - part)
            }
            (Trigger::Waiting { line: of, after }, Phase::Listening { since }) => {
                of + 1 == line && !audio_since(since) && now >= since + after
            }
            (Trigger::Answering { line: of, after }, Phase::Listening { since }) => {
                let playing = self.record.loudspeaker.is_playing() && audio_since(since);
                of == line.saturating_sub(1) && playing && now >= since + after
            }
            (Trigger::Renewing { line: of }, Phase::Listening { since }) => {
                let count = self.streams.of(&self.live.simulator, &self.plan.image_id).len();
                of == line.saturating_sub(1) && audio_since(since) && count > self.streams_before
            }
            _ => false,
        }
    }

    /// Makes the disruption with this index happen; without a stream or a connection to disrupt it stays planned.
    pub(super) async fn disrupt(&mut self, index: usize, now: Instant) -> anyhow::Result<()> {
        let happened = match self.disruptions[index].kind.clone() {
            DisruptionKind::Stream(fault) => self.fail_stream(fault),
            DisruptionKind::Opening(fault) => {
                let reset = self.fail_stream(Fault::Reset);
                if reset {
                    self.live.simulator.plan(fault);
                }
                reset
            }
            DisruptionKind::Disconnect(disconnect) => {
                let connected = self.connection.is_some();
                if connected {
                    self.disconnecting = Some((disconnect.lost_frames, disconnect));
                }
                connected
            }
            DisruptionKind::BargeIn { interrupt } => self.barge_in(interrupt, now).await?,
        };
        if happened {
            self.disruptions.remove(index);
            self.record.disrupted += 1;
        }
        Ok(())
    }

    /// Whether there is an open stream, which now has the fault.
    fn fail_stream(&self, fault: Fault) -> bool {
        let streams = self.streams.of(&self.live.simulator, &self.plan.image_id);
        let open = streams.iter().rev().find(|stream| stream.end_reason().is_none());
        open.is_some_and(|stream| stream.fault(fault).is_ok())
    }

    /// Whether there is a line to say, which is now being said.
    async fn barge_in(&mut self, interrupt: bool, now: Instant) -> anyhow::Result<bool> {
        if self.record.said.len() == self.plan.lines.len() || self.connection.is_none() {
            return Ok(false);
        }
        self.speak(now);
        if interrupt && let Some(connection) = &mut self.connection {
            self.record.loudspeaker.advance(now);
            self.record.loudspeaker.lose_report(now);
            if self.plan.reports {
                connection.send(&self.record.loudspeaker.report()).await?;
            }
            connection.send(&ClientMessage::Interrupt).await?;
        }
        Ok(true)
    }

    pub(super) async fn disconnect(&mut self, disconnect: Disconnect, now: Instant) -> anyhow::Result<()> {
        self.disconnecting = None;
        self.record.loudspeaker.gap(now);
        if let Some(connection) = self.connection.take()
            && disconnect.handshake
        {
            connection.close().await;
        }
        self.reconnect_at = Some(now + disconnect.duration);
        Ok(())
    }

    pub(super) async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.reconnect_at = None;
        self.reconnected_at = Some(Instant::now());
        let id = self.record.conversation_id;
        let offer = match self.learner.ticket(self.live.url(), id).await {
            Ok(offer) => offer,
            Err(error) => {
                let ended = self.live.journal(id).await.map(|journal| journal.header.ended);
                return Err(error).with_context(|| format!("the end in the journal: {ended:?}"));
            }
        };
        self.connection = Some(Connection::open(&offer, 0).await?);
        self.ready = false;
        Ok(())
    }
}
