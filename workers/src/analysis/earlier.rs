//! The earlier assessments with which an assessment is compared: numbers and the picture's objectives, without words of the
//! learner.

use events::{
    contract::{
        Assessment, ComparedValue, ConversationCompleted, ConversationId, Level, Measures, ObjectiveVerdict,
        Scores, StoredAnalysis,
    },
    journal::{JournalError, JournalReader},
    json,
    runtime::failure::Failure,
};
use jiff::SignedDuration;
use serde::Serialize;

/// Maximum number of earlier assessments.
pub(super) const EARLIER_MAX: usize = 3;

/// Latest conversations that are searched for them.
const SEARCHED_MAX: usize = 6;

/// Age of a conversation, in hours, from which on it is not compared. After 90 days its assessment moves to storage that has
/// to be restored before it can be read.
const AGE_HOURS_MAX: i64 = 80 * 24;

/// An earlier assessment, as the prompt contains it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Earlier {
    pub(super) conversation_id: ConversationId,
    image_id: String,
    #[serde(flatten)]
    scores: Scores,
    cefr: Level,
    measures: Measures,
    objectives: Vec<EarlierObjective>,
}

/// An objective of the earlier conversation's picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct EarlierObjective {
    objective: String,
    verdict: ObjectiveVerdict,
}

/// The conversations before the one of `completed` that may have an assessment, the latest first, at most six.
///
/// # Errors
/// By the class of the failed call.
pub(super) async fn candidates(
    journal: &JournalReader,
    completed: &ConversationCompleted,
) -> Result<Vec<ConversationId>, Failure> {
    let ConversationCompleted { user_id, conversation_id, started_at, .. } = completed;
    let page = journal.of_learner(user_id, Some(*conversation_id), SEARCHED_MAX).await;
    let headers = page.map_err(JournalError::into_failure)?.headers;
    let since = *started_at - SignedDuration::from_hours(AGE_HOURS_MAX);
    let ids = headers.iter().map(|header| header.start.conversation_id);
    Ok(ids.filter(|id| id.started_at() > since).collect())
}

impl Earlier {
    /// Reads a stored analysis; `None` if it is not readable.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let stored: StoredAnalysis = json::from_slice(document).ok()?;
        Some(Self::new(stored.conversation_id, stored.image_id, &stored.assessment, &stored.measures))
    }

    fn new(
        conversation_id: ConversationId,
        image_id: String,
        assessment: &Assessment,
        measures: &Measures,
    ) -> Self {
        let objectives = assessment
            .objectives
            .iter()
            .map(|result| EarlierObjective { objective: result.objective.clone(), verdict: result.verdict });
        Self {
            conversation_id,
            image_id,
            scores: Scores::of(assessment),
            cefr: assessment.cefr,
            measures: *measures,
            objectives: objectives.collect(),
        }
    }

    /// A value of the earlier assessment.
    pub(super) fn value(&self, value: ComparedValue) -> f64 {
        value.of(&self.scores, &self.measures)
    }

    #[cfg(test)]
    pub(super) fn sample(id: ConversationId, assessment: &Assessment, measures: &Measures) -> Self {
        Self::new(id, "city-cafe".to_owned(), assessment, measures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assessments_of_every_version_are_read_and_others_are_not() {
        for version in ["1.0/", "1.1/", "1.2/", ""] {
            let path =
                format!("{}/../schemas/example/{version}stored-analysis.json", env!("CARGO_MANIFEST_DIR"));
            let document = std::fs::read(path).unwrap();
            let earlier = Earlier::read(&document).unwrap();
            let stored: StoredAnalysis = serde_json::from_slice(&document).unwrap();
            assert_eq!((earlier.scores, earlier.measures), (Scores::of(&stored.assessment), stored.measures));
        }
        assert_eq!(Earlier::read(b"{}"), None);
    }
}
