//! The learner's loudspeaker: it plays audio in the order of its arrival, at the pace of the conversation, and reports
//! what it has played.

use std::time::Duration;

use events::contract::live::{ClientMessage, SAMPLE_RATE_HZ};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Playback {
    pace: f64,
    generation: u32,
    /// Samples of this generation that have arrived.
    arrived: u64,
    /// When all of them are played.
    until: Instant,
    /// Milliseconds of this generation in the last report.
    reported_ms: u64,
}

impl Playback {
    pub(super) fn new(pace: f64, now: Instant) -> Self {
        Self { pace, generation: 0, arrived: 0, until: now, reported_ms: 0 }
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// When everything that has arrived is played.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Discards what is not played, and begins `generation`.
    pub(super) fn flush(&mut self, generation: u32, now: Instant) {
        *self = Self { generation, ..Self::new(self.pace, now) };
    }

    /// Plays `samples` more.
    pub(super) fn push(&mut self, samples: usize, now: Instant) {
        self.arrived += samples as u64;
        let duration = samples as f64 / f64::from(SAMPLE_RATE_HZ) / self.pace;
        self.until = self.until.max(now) + Duration::from_secs_f64(duration);
    }

    /// The message about what was played of the generation; `None` if the last report says the same.
    pub(super) fn report(&mut self, now: Instant) -> Option<ClientMessage> {
        let ahead = self.until.saturating_duration_since(now).mul_f64(self.pace);
        let arrived = Duration::from_millis(self.arrived * 1_000 / u64::from(SAMPLE_RATE_HZ));
        let ms = u64::try_from(arrived.saturating_sub(ahead).as_millis()).unwrap_or(u64::MAX);
        if ms <= self.reported_ms {
            return None;
        }
        self.reported_ms = ms;
        Some(ClientMessage::Played { generation: self.generation, ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_names_what_was_played_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut playback = Playback::new(2.0, start);
        playback.flush(3, start);
        playback.push(16_000, at(0));
        assert_eq!(playback.until(), at(500));
        assert_eq!(playback.report(at(100)), Some(ClientMessage::Played { generation: 3, ms: 200 }));
        assert_eq!(playback.report(at(100)), None);
        assert_eq!(playback.report(at(900)), Some(ClientMessage::Played { generation: 3, ms: 1_000 }));
        playback.flush(4, at(900));
        assert_eq!((playback.generation(), playback.report(at(950))), (4, None));
    }
}
