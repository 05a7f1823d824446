//! PURE. Where a conversation is in the pipeline: which stages it has passed and when, at which it has stopped.
//!
//! It follows from what the stores hold ([`Found`]), which [`PipelineReader`] reads: the journal's header, the objects in S3
//! and the marks that the workers leave in the Effects table. Nobody reports to anybody that something was done.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    contract::{ConversationId, ConversationStalled, Envelope, Event, EventId, Stage, UserId},
    journal::Header,
};

pub mod names;
mod reader;

pub use reader::{PipelineError, PipelineReader, PipelineStores};

/// What the stores hold of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its header in the journal.
    pub header: Header,
    /// The transcript, in both its forms.
    pub transcript: Option<Passed>,
    /// The assessment, or that there will be none.
    pub analysis: Option<Analysis>,
    /// The marker of its activity in the learner's progress.
    pub activity: Option<Passed>,
    /// The marker of its scores in the learner's progress.
    pub scores: Option<Passed>,
    /// Which of its events were looked at for alerts, and when.
    pub considered: BTreeMap<EventId, Timestamp>,
}

/// Something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// When, where the store tells.
    pub at: Option<Timestamp>,
}

/// How the analysis ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Analysis {
    /// The assessment is stored.
    Stored(Passed),
    /// There will be none.
    Failed(Passed),
}

/// Times that a conversation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds from its end within which everything has happened.
    pub complete_seconds: u32,
    /// Seconds that a stage has at least, from when everything it needs has happened.
    pub stage_seconds: u32,
}

/// What a conversation may take, unless it is configured otherwise.
pub const LIMITS: Limits = Limits { complete_seconds: 600, stage_seconds: 60 };

/// A conversation's way through the pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// Every stage, in order.
    pub steps: Vec<Step>,
    traceparent: Option<String>,
    lease_until: Timestamp,
}

/// One stage of a conversation's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// Whether it was passed.
    pub status: Status,
    /// Since when everything that it needs has happened, once that is so.
    pub ready_at: Option<Timestamp>,
}

/// Whether a stage was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was.
    Passed(Passed),
    /// Not yet.
    Missing,
    /// It does not belong to this conversation's way: without an assessment there are no scores, and of a conversation
    /// that was deleted nothing is expected any more.
    NotNeeded,
}

/// A conversation has stopped at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The stage that is missing.
    pub stage: Stage,
    /// Since when it could have happened.
    pub since: Timestamp,
    /// When it should have happened at the latest.
    pub due: Timestamp,
}

impl Found {
    /// The way that follows from it.
    #[must_use]
    pub fn trail(&self) -> Trail {
        let mut steps: Vec<Step> = Vec::with_capacity(Stage::ALL.len());
        for stage in Stage::ALL {
            let ready_at = self.ready_at(stage, &steps);
            steps.push(Step { stage, status: self.status(stage), ready_at });
        }
        Trail {
            conversation_id: self.header.start.conversation_id,
            user_id: self.header.start.user_id.clone(),
            steps,
            traceparent: self.header.start.traceparent.clone(),
            lease_until: self.header.lease_until,
        }
    }

    fn status(&self, stage: Stage) -> Status {
        let deleted = self.header.deleted_at.is_some();
        let missing = if deleted { Status::NotNeeded } else { Status::Missing };
        let passed = |passed: Option<Passed>| passed.map_or(missing, Status::Passed);
        let at = |at: Timestamp| Passed { at: Some(at) };
        match stage {
            Stage::Ended => passed(self.header.ended.map(|ended| at(ended.at))),
            Stage::Published => passed(self.header.published_at.map(at)),
            Stage::Transcript => passed(self.transcript),
            Stage::Analysis => passed(self.analysis.map(|analysis| match analysis {
                Analysis::Stored(passed) | Analysis::Failed(passed) => passed,
            })),
            Stage::Activity => passed(self.activity),
            Stage::Scores => match self.analysis {
                Some(Analysis::Failed(_)) => Status::NotNeeded,
                Some(Analysis::Stored(_)) | None => passed(self.scores),
            },
            Stage::Alerts => passed(self.alerts()),
        }
    }

    /// When the last of the events that must be looked at for alerts was; `None` as long as one was not.
    fn alerts(&self) -> Option<Passed> {
        let id = self.header.start.conversation_id;
        let counted = |cause| EventId::derive_caused(id, "progress.updated", cause);
        let mut expected =
            vec![EventId::derive(id, "conversation.completed"), counted("conversation.completed")];
        match self.analysis? {
            Analysis::Stored(_) => {
                expected
                    .extend([EventId::derive(id, "conversation.analyzed"), counted("conversation.analyzed")]);
            }
            Analysis::Failed(_) => expected.push(EventId::derive(id, "analysis.failed")),
        }
        let times: Option<Vec<Timestamp>> =
            expected.iter().map(|event| self.considered.get(event).copied()).collect();
        times.map(|times| Passed { at: times.into_iter().max() })
    }

    /// Since when `stage` could have happened, by the steps before it.
    fn ready_at(&self, stage: Stage, before: &[Step]) -> Option<Timestamp> {
        let mut ready_at = self.header.start.conversation_id.started_at();
        for step in before.iter().filter(|step| is_needed(step.stage, stage)) {
            match step.status {
                Status::Missing => return None,
                // A store that does not tell the time: it was not before the step itself could happen.
                Status::Passed(passed) => ready_at = ready_at.max(passed.at.or(step.ready_at)?),
                Status::NotNeeded => {}
            }
        }
        Some(ready_at)
    }
}

impl Trail {
    /// Whether every stage was passed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| step.status != Status::Missing)
    }

    /// When it ended, once it has.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.steps.iter().find(|step| step.stage == Stage::Ended).and_then(|step| match step.status {
            Status::Passed(passed) => passed.at,
            Status::Missing | Status::NotNeeded => None,
        })
    }

    /// The stages at which it has stopped `now`. A stage that waits for another one is not among them.
    #[must_use]
    pub fn stalled_at(&self, now: Timestamp, limits: Limits) -> Vec<Stall> {
        self.waiting(limits).filter(|stall| stall.due <= now).collect()
    }

    /// The next moment after `now` at which it will have stopped at a stage, if nothing happens.
    #[must_use]
    pub fn next_due(&self, now: Timestamp, limits: Limits) -> Option<Timestamp> {
        self.waiting(limits).map(|stall| stall.due).filter(|due| *due > now).min()
    }

    /// The fact that it stopped at a stage: the same whoever finds it out and whenever.
    #[must_use]
    pub fn stalled(&self, stall: Stall) -> Envelope {
        let event = Event::ConversationStalled(ConversationStalled {
            conversation_id: self.conversation_id,
            user_id: self.user_id.clone(),
            stage: stall.stage,
            since: stall.since,
        });
        Envelope::caused_by(stall.stage.name(), event, stall.due, self.traceparent.clone())
    }

    /// The stages that could happen now, and when each is due.
    fn waiting(&self, limits: Limits) -> impl Iterator<Item = Stall> {
        self.steps.iter().filter(|step| step.status == Status::Missing).filter_map(move |step| {
            let ready_at = step.ready_at?;
            let whole = SignedDuration::from_secs(limits.complete_seconds.into());
            let own = SignedDuration::from_secs(limits.stage_seconds.into());
            // A conversation may last for long, but not without an owner.
            let since = if step.stage == Stage::Ended { self.lease_until } else { ready_at };
            let from_end = self.ended_at().and_then(|ended| ended.checked_add(whole).ok());
            let due = since.checked_add(own).ok()?;
            let due = from_end.map_or(due, |from_end| due.max(from_end));
            Some(Stall { stage: step.stage, since, due })
        })
    }
}

/// Whether `stage` cannot happen before `other` has.
fn is_needed(other: Stage, stage: Stage) -> bool {
    match stage {
        Stage::Ended => false,
        Stage::Published => other == Stage::Ended,
        Stage::Transcript | Stage::Analysis | Stage::Activity => other == Stage::Published,
        Stage::Scores => other == Stage::Analysis,
        Stage::Alerts => matches!(other, Stage::Analysis | Stage::Activity | Stage::Scores),
    }
}

#[cfg(test)]
mod tests;
