//! PURE. The path of one conversation through the pipeline with its times, for operators: on the command line and in the API.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Found, LIMITS, Stall, Status, Step};
use crate::{
    contract::{ConversationId, Stage, UserId},
    journal::State,
};

/// Where a conversation is, and when it passed each stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationPath {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture.
    pub image_id: String,
    /// Where it is.
    pub state: PathState,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// The task that holds a live conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when that task counts as alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub lease_until: Option<Timestamp>,
    /// All stages in order.
    pub stages: Vec<StageReport>,
}

/// Where a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PathState {
    /// The learner talks.
    Live,
    /// It has ended, and the missing stages are in time.
    InTime,
    /// It has passed every stage.
    Complete,
    /// A stage is overdue.
    Stalled,
}

/// A stage of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageReport {
    /// The stage.
    pub stage: Stage,
    /// Whether it was passed.
    pub status: StageCondition,
    /// When it was passed, where that is recorded.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub at: Option<Timestamp>,
    /// Milliseconds since everything that it needs had happened, where both times are known.
    pub took_ms: Option<u64>,
    /// Since when it could have been passed, if it is overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub overdue_since: Option<Timestamp>,
}

/// Whether a stage was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StageCondition {
    /// It was passed.
    Passed,
    /// It can be passed and was not yet.
    Missing,
    /// A stage before it is missing.
    Waiting,
    /// It is not expected.
    NotNeeded,
}

impl Found {
    /// The path at `now`.
    #[must_use]
    pub fn path(&self, now: Timestamp) -> ConversationPath {
        let (header, trail) = (&self.header, self.trail());
        let stalls = trail.stalled_at(now, LIMITS);
        let is_live = header.state() == State::Active;
        let state = match (stalls.is_empty(), trail.is_complete()) {
            (false, _) => PathState::Stalled,
            (true, true) => PathState::Complete,
            (true, false) if is_live => PathState::Live,
            (true, false) => PathState::InTime,
        };
        ConversationPath {
            conversation_id: trail.conversation_id,
            user_id: trail.user_id.clone(),
            image_id: header.start.image_id.clone(),
            state,
            started_at: trail.conversation_id.started_at(),
            owner: is_live.then(|| header.start.owner.clone()),
            lease_until: is_live.then_some(header.lease_until),
            stages: trail.steps.iter().map(|step| StageReport::new(step, &stalls)).collect(),
        }
    }
}

impl StageReport {
    fn new(step: &Step, stalls: &[Stall]) -> Self {
        let (status, at) = match step.status {
            Status::Passed(passed) => (StageCondition::Passed, passed.at),
            Status::NotNeeded => (StageCondition::NotNeeded, None),
            Status::Missing if step.ready_at.is_some() => (StageCondition::Missing, None),
            Status::Missing => (StageCondition::Waiting, None),
        };
        let overdue = stalls.iter().find(|stall| stall.stage == step.stage);
        let took_ms = step.took_ms();
        Self { stage: step.stage, status, at, took_ms, overdue_since: overdue.map(|stall| stall.since) }
    }
}

impl StageCondition {
    /// The name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Missing => "missing",
            Self::Waiting => "waiting",
            Self::NotNeeded => "not needed",
        }
    }
}
