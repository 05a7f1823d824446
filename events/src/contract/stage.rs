//! PURE. The stages of a conversation's way through the pipeline, and the fact that it has stopped at one of them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConversationId, UserId};

/// What has to happen to every conversation, in this order where one thing needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It ended, and its end is in the journal.
    Ended,
    /// Its `conversation.completed` is on the bus.
    Published,
    /// Its transcript is in S3.
    Transcript,
    /// Its assessment is in S3, or it is known that there will be none.
    Analysis,
    /// It is counted in the learner's progress.
    Activity,
    /// Its scores are counted in the learner's progress.
    Scores,
    /// Each of its events was looked at for alerts.
    Alerts,
}

/// Data of `conversation.stalled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationStalled {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The stage that did not happen in its time, though everything that it needs had happened.
    pub stage: Stage,
    /// Since when it could have happened.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::Ended,
        Self::Published,
        Self::Transcript,
        Self::Analysis,
        Self::Activity,
        Self::Scores,
        Self::Alerts,
    ];

    /// Its name, as events carry it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Published => "published",
            Self::Transcript => "transcript",
            Self::Analysis => "analysis",
            Self::Activity => "activity",
            Self::Scores => "scores",
            Self::Alerts => "alerts",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_is_written_by_its_name() {
        for stage in Stage::ALL {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
    }
}
