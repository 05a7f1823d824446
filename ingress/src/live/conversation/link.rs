//! PURE. Which stream is current: at most one live stream, one spare that is being opened to replace it, and closed streams
//! that still report their usage. The first opening, planned renewal and recovery follow one path: a stream is requested, and
//! takes over when it is open.

mod usage;

use std::time::Duration;

use events::contract::{ConversationMetrics, Usage};

use super::{
    failure::{Reaction, wait},
    input::{Limits, StreamId},
};
use usage::StreamsUsage;

/// Wait before another spare is opened after one failed, in milliseconds.
const SPARE_RETRY_MS: u64 = 15_000;

/// Age of a stream, in milliseconds, that resets the count of failures.
const PROVEN_MS: u64 = 60_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    limits: Limits,
    jitter_permille: u16,
    state: State,
    next_id: u32,
    attempts: u32,
    /// A stream that had worked was replaced on [`Reaction::RenewOnce`].
    renewed_once: bool,
    /// No stream is live, and the client has been notified.
    lost: bool,
    /// The tutor was cut short by the loss.
    tutor_cut: bool,
    /// The learner's last turn, if the next stream has to answer it.
    pub(super) unanswered: Option<String>,
    /// No spare is opened before this.
    spare_after_ms: u64,
    usage: StreamsUsage,
    /// Why the next stream replaces the last one.
    replacing: Option<Cause>,
    renewals: u32,
    recoveries: u32,
}

/// Why a stream is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Age,
    Failure,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A new stream is due.
    Waiting {
        due_ms: u64,
    },
    Opening {
        stream: StreamId,
    },
    Live {
        live: Live,
        spare: Option<Spare>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Live {
    stream: StreamId,
    opened_ms: u64,
    /// It has sent an event.
    has_worked: bool,
    /// Since when it owes an event: the first input after its last event.
    owing_since_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Spare {
    stream: StreamId,
    /// Audio held back from the live stream, in bytes.
    held: usize,
}

/// A stream has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// The stream that it replaces, still to be closed.
    pub(super) replaces: Option<StreamId>,
    /// The client was notified of the loss.
    pub(super) was_lost: bool,
    /// The tutor was cut short by the loss.
    pub(super) tutor_cut: bool,
}

/// What happens after the loss of the current stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterLoss {
    /// A new stream is due at [`Link::deadline_ms`].
    Retrying {
        /// The client has not been notified yet.
        first: bool,
    },
    /// A spare is being opened already.
    SpareTakesOver,
    /// No further attempt is made.
    Failed,
}

/// An action that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// A new stream in place of a lost one.
    Reopen,
    /// A spare, at the next quiet moment.
    RenewWhenQuiet,
    /// The stream must be given up now.
    RenewNow(StreamId),
}

impl Link {
    /// No stream yet.
    #[must_use]
    pub(super) fn new(limits: Limits, jitter_permille: u16) -> Self {
        Self {
            limits,
            jitter_permille,
            state: State::Waiting { due_ms: 0 },
            next_id: 0,
            attempts: 0,
            renewed_once: false,
            lost: false,
            tutor_cut: false,
            unanswered: None,
            spare_after_ms: 0,
            usage: StreamsUsage::default(),
            replacing: None,
            renewals: 0,
            recoveries: 0,
        }
    }

    /// Continues after the streams of another task.
    pub(super) fn resume(&mut self, usage: Usage, metrics: &ConversationMetrics, tutor_cut: bool) {
        self.usage = StreamsUsage::after(usage);
        self.renewals = metrics.renewals;
        self.recoveries = metrics.recoveries;
        self.tutor_cut = tutor_cut;
    }

    /// Streams replaced because of their age.
    #[must_use]
    pub(super) fn renewals(&self) -> u32 {
        self.renewals
    }

    /// Streams that failed or could not be opened, and were replaced.
    #[must_use]
    pub(super) fn recoveries(&self) -> u32 {
        self.recoveries
    }

    /// Requests a stream: the first one, one in place of a lost one, or a spare.
    pub(super) fn open(&mut self) -> StreamId {
        let stream = StreamId(self.next_id);
        self.next_id += 1;
        match &mut self.state {
            State::Live { live, spare } => {
                // From now on it gets no input to react to.
                live.owing_since_ms = None;
                *spare = Some(Spare { stream, held: 0 });
            }
            state @ (State::Waiting { .. } | State::Opening { .. }) => *state = State::Opening { stream },
        }
        stream
    }

    /// The stream is open. `None` if it is no longer needed.
    pub(super) fn opened(&mut self, stream: StreamId, at_ms: u64) -> Option<Opened> {
        let replaces = match self.state {
            State::Opening { stream: opening } if opening == stream => None,
            State::Live { live, spare: Some(spare) } if spare.stream == stream => Some(live.stream),
            State::Opening { .. } | State::Live { .. } | State::Waiting { .. } => return None,
        };
        let live = Live { stream, opened_ms: at_ms, has_worked: false, owing_since_ms: None };
        self.state = State::Live { live, spare: None };
        let cause = self.replacing.take().or(replaces.map(|_| Cause::Age));
        match cause {
            Some(Cause::Age) => self.renewals = self.renewals.saturating_add(1),
            Some(Cause::Failure) => self.recoveries = self.recoveries.saturating_add(1),
            None => {}
        }
        let was_lost = std::mem::take(&mut self.lost);
        Some(Opened { replaces, was_lost, tutor_cut: std::mem::take(&mut self.tutor_cut) })
    }

    /// The stream that gets the learner's audio. `None` while audio is held back for a spare.
    #[must_use]
    pub(super) fn listening(&self) -> Option<StreamId> {
        match self.state {
            State::Live { live, spare: None } => Some(live.stream),
            State::Live { spare: Some(_), .. } | State::Waiting { .. } | State::Opening { .. } => None,
        }
    }

    /// The stream for `bytes` of audio. `None` if there is none; audio that is held back for a spare is counted.
    pub(super) fn route_audio(&mut self, bytes: usize) -> Option<StreamId> {
        if let State::Live { spare: Some(spare), .. } = &mut self.state {
            spare.held += bytes;
        }
        self.listening()
    }

    /// The stream whose output counts.
    #[must_use]
    pub(super) fn live(&self) -> Option<StreamId> {
        match self.state {
            State::Live { live, .. } => Some(live.stream),
            State::Waiting { .. } | State::Opening { .. } => None,
        }
    }

    /// Whether `stream` is the one whose output counts.
    #[must_use]
    pub(super) fn is_current(&self, stream: StreamId) -> bool {
        self.live() == Some(stream)
    }

    /// Whether a stream is being opened and none is live.
    #[must_use]
    pub(super) fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening { .. })
    }

    /// Whether `stream` is live, being opened or a spare.
    #[must_use]
    pub(super) fn knows(&self, stream: StreamId) -> bool {
        self.all().contains(&stream)
    }

    /// Whether `stream` is the spare.
    #[must_use]
    pub(super) fn is_spare(&self, stream: StreamId) -> bool {
        matches!(self.state, State::Live { spare: Some(spare), .. } if spare.stream == stream)
    }

    /// Whether `stream` was ever requested.
    pub(super) fn has_requested(&self, stream: StreamId) -> bool {
        stream.0 < self.next_id
    }

    /// The streams that are live, being opened or spare.
    #[must_use]
    pub(super) fn all(&self) -> Vec<StreamId> {
        match self.state {
            State::Waiting { .. } => Vec::new(),
            State::Opening { stream } => vec![stream],
            State::Live { live, spare } => {
                std::iter::once(live.stream).chain(spare.map(|spare| spare.stream)).collect()
            }
        }
    }

    /// Notes an event of the live stream.
    pub(super) fn alive(&mut self) {
        if let State::Live { live, .. } = &mut self.state {
            live.has_worked = true;
            live.owing_since_ms = None;
        }
    }

    /// Notes speech or a text that is sent to the live stream, which owes an event from then on. Audio that is held back for a
    /// spare does not count.
    pub(super) fn owes(&mut self, at_ms: u64) {
        if let State::Live { live, spare: None } = &mut self.state {
            live.owing_since_ms.get_or_insert(at_ms);
        }
    }

    /// Since when the live stream owes an event. `None` while a spare is being opened.
    #[must_use]
    pub(super) fn owing_since_ms(&self) -> Option<u64> {
        match self.state {
            State::Live { live, spare: None } => live.owing_since_ms,
            State::Live { spare: Some(_), .. } | State::Waiting { .. } | State::Opening { .. } => None,
        }
    }

    /// Resets the count of failures: a turn was recorded.
    pub(super) fn proven(&mut self) {
        self.attempts = 0;
        self.renewed_once = false;
    }

    /// The spare could not be opened. Returns how many of the last bytes were held back for it.
    pub(super) fn spare_failed(&mut self, at_ms: u64) -> usize {
        self.spare_after_ms = at_ms + SPARE_RETRY_MS;
        self.give_up_spare().map_or(0, |(_, held)| held)
    }

    /// Gives up the spare, if there is one. Returns its id, and how many of the last bytes were held back for it.
    pub(super) fn give_up_spare(&mut self) -> Option<(StreamId, usize)> {
        match &mut self.state {
            State::Live { spare, .. } => spare.take().map(|spare| (spare.stream, spare.held)),
            State::Waiting { .. } | State::Opening { .. } => None,
        }
    }

    /// The live stream is given up because of its age.
    pub(super) fn too_old(&mut self) {
        self.replacing = Some(Cause::Age);
    }

    /// The current stream, live or being opened, is lost.
    pub(super) fn lost(&mut self, reaction: Reaction, tutor_cut: bool, at_ms: u64) -> AfterLoss {
        self.tutor_cut |= tutor_cut;
        self.replacing.get_or_insert(Cause::Failure);
        if let State::Live { spare: Some(spare), .. } = self.state {
            self.state = State::Opening { stream: spare.stream };
            return AfterLoss::SpareTakesOver;
        }
        if let State::Live { live, .. } = self.state
            && at_ms.saturating_sub(live.opened_ms) >= PROVEN_MS
        {
            self.proven();
        }
        let reaction = if reaction == Reaction::RenewOnce { self.renew_once() } else { reaction };
        let Some(wait) = wait(reaction, self.attempts, self.jitter_permille) else {
            self.state = State::Waiting { due_ms: at_ms };
            return AfterLoss::Failed;
        };
        self.attempts += 1;
        self.state = State::Waiting { due_ms: at_ms + millis(wait) };
        AfterLoss::Retrying { first: !std::mem::replace(&mut self.lost, true) }
    }

    /// When [`Self::due`] next changes by time alone.
    #[must_use]
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        match self.state {
            State::Waiting { due_ms } => Some(due_ms),
            State::Opening { .. } => None,
            State::Live { live, .. } => Some(live.opened_ms + self.limits.renew_by_ms),
        }
    }

    /// The action that is due. A quiet moment is noticed at the next input, so it has no deadline of its own.
    #[must_use]
    pub(super) fn due(&self, at_ms: u64) -> Due {
        match self.state {
            State::Waiting { due_ms } if at_ms >= due_ms => Due::Reopen,
            State::Waiting { .. } | State::Opening { .. } => Due::Nothing,
            State::Live { live, spare } => {
                let age_ms = at_ms.saturating_sub(live.opened_ms);
                if age_ms >= self.limits.renew_by_ms {
                    Due::RenewNow(live.stream)
                } else if spare.is_none() && self.is_renewal_due(age_ms, at_ms) {
                    Due::RenewWhenQuiet
                } else {
                    Due::Nothing
                }
            }
        }
    }

    /// Notes the tokens that `stream` has used since it was opened. A stream that was never requested uses none.
    pub(super) fn used(&mut self, stream: StreamId, usage: Usage) {
        if self.has_requested(stream) {
            self.usage.note(stream, usage);
        }
    }

    /// Tokens used by all streams.
    pub(super) fn usage(&self) -> Usage {
        self.usage.total()
    }

    /// The reaction to a failure that a new stream may repeat: one renewal of a stream that had worked.
    fn renew_once(&mut self) -> Reaction {
        let has_worked = matches!(self.state, State::Live { live, .. } if live.has_worked);
        if has_worked && !std::mem::replace(&mut self.renewed_once, true) {
            Reaction::RenewNow
        } else {
            Reaction::Fatal
        }
    }

    fn is_renewal_due(&self, age_ms: u64, at_ms: u64) -> bool {
        age_ms >= self.limits.renew_after_ms && at_ms >= self.spare_after_ms
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
