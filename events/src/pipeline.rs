//! PURE. The progress of a conversation through the pipeline: the stages it has passed and when, and where it has stalled.
//!
//! It is derived from the stores ([`Found`], read by [`PipelineReader`]): the header in the journal, the objects in S3 and
//! the markers of the workers in the Effects table. There are no progress reports.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    contract::{ConversationId, ConversationStalled, Envelope, Event, EventId, Stage, UserId},
    journal::Header,
};

pub mod names;
pub mod overview;
mod path;
mod reader;

pub use path::{ConversationPath, PathState, StageCondition, StageReport};
pub use reader::{PipelineError, PipelineReader, PipelineStores};

/// The state of a conversation in the stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub header: Header,
    /// Transcript, if both of its objects exist.
    pub transcript: Option<Passed>,
    /// Result of the analysis.
    pub analysis: Option<Analysis>,
    /// Marker of its activity in the learner's progress.
    pub activity: Option<Passed>,
    /// Marker of its scores in the learner's progress.
    pub scores: Option<Passed>,
    /// Its events that the alerts worker has considered, with the times.
    pub considered: BTreeMap<EventId, Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Time, if the store records one.
    pub at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Analysis {
    Stored(Passed),
    /// The analysis failed finally: there is no assessment.
    Failed(Passed),
}

/// Time limits of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds from the end of a conversation to its last stage.
    pub complete_seconds: u32,
    /// Minimum seconds for each stage, from the completion of the stages it depends on.
    pub stage_seconds: u32,
}

pub const LIMITS: Limits = Limits { complete_seconds: 600, stage_seconds: 60 };

/// The stages of one conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    /// All stages in order.
    pub steps: Vec<Step>,
    traceparent: Option<String>,
    lease_until: Timestamp,
}

/// One stage of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub stage: Stage,
    /// Whether it was passed.
    pub status: Status,
    /// When the stages it depends on were complete; `None` before.
    pub ready_at: Option<Timestamp>,
}

impl Step {
    /// How long the stage took since it could have been passed, in milliseconds; `None` where one of the times is unknown. The
    /// times of S3 are whole seconds, cut off, so a stage can seem to have been passed before: that is no time.
    #[must_use]
    pub fn took_ms(&self) -> Option<u64> {
        let Status::Passed(Passed { at: Some(at) }) = self.status else { return None };
        let ready_at = self.ready_at?;
        Some(u64::try_from(at.as_millisecond() - ready_at.as_millisecond()).unwrap_or(0))
    }
}

/// Whether a stage was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Passed(Passed),
    /// Not yet.
    Missing,
    /// Not expected: there are no scores without an assessment, and no further stages of a deleted conversation.
    NotNeeded,
}

/// A stage at which a conversation has stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    pub stage: Stage,
    /// Since when it could have been passed.
    pub since: Timestamp,
    /// When it should have been passed at the latest.
    pub due: Timestamp,
}

impl Found {
    /// Derives the stages.
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

    /// When the alerts worker considered the last of the expected events; `None` while one is missing.
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

    /// Since when `stage` could have been passed, given the steps before it.
    fn ready_at(&self, stage: Stage, before: &[Step]) -> Option<Timestamp> {
        let mut ready_at = self.header.start.conversation_id.started_at();
        for step in before.iter().filter(|step| is_needed(step.stage, stage)) {
            match step.status {
                Status::Missing => return None,
                // Without a recorded time: not before the step itself was ready.
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

    /// When the conversation ended, once it has.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.steps.iter().find(|step| step.stage == Stage::Ended).and_then(|step| match step.status {
            Status::Passed(passed) => passed.at,
            Status::Missing | Status::NotNeeded => None,
        })
    }

    /// The stages at which it has stalled at `now`, without stages that wait for another one.
    #[must_use]
    pub fn stalled_at(&self, now: Timestamp, limits: Limits) -> Vec<Stall> {
        self.waiting(limits).filter(|stall| stall.due <= now).collect()
    }

    /// The next time after `now` at which it will have stalled at a stage, if no stage is passed until then.
    #[must_use]
    pub fn next_due(&self, now: Timestamp, limits: Limits) -> Option<Timestamp> {
        self.waiting(limits).map(|stall| stall.due).filter(|due| *due > now).min()
    }

    /// The event of a stall: identical for every observer and at any time.
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

    /// The missing stages whose dependencies are complete.
    fn waiting(&self, limits: Limits) -> impl Iterator<Item = Stall> {
        self.steps.iter().filter(|step| step.status == Status::Missing).filter_map(move |step| {
            let ready_at = step.ready_at?;
            let whole = SignedDuration::from_secs(limits.complete_seconds.into());
            let own = SignedDuration::from_secs(limits.stage_seconds.into());
            // A conversation has no maximum duration while it has an owner.
            let since = if step.stage == Stage::Ended { self.lease_until } else { ready_at };
            let from_end = self.ended_at().and_then(|ended| ended.checked_add(whole).ok());
            let due = since.checked_add(own).ok()?;
            let due = from_end.map_or(due, |from_end| due.max(from_end));
            Some(Stall { stage: step.stage, since, due })
        })
    }
}

/// Whether `stage` depends on `other`.
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
