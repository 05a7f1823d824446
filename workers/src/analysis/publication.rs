//! PURE. The events that the analysis publishes.

use events::contract::{
    AnalysisFailed, AnalysisFailure, ConversationAnalyzed, ConversationCompleted, Event, ObjectRef, Scores,
    StoredAnalysis,
};
use jiff::Timestamp;

/// An event to publish. A repetition publishes the same event with the same time.
#[derive(Debug, PartialEq)]
pub(super) struct Publication {
    pub(super) event: Event,
    pub(super) occurred_at: Timestamp,
}

/// The event for a stored analysis. It depends on nothing else.
pub(super) fn analyzed(
    completed: &ConversationCompleted,
    stored: StoredAnalysis,
    document: ObjectRef,
) -> Publication {
    let StoredAnalysis { assessment, analyzed_at, .. } = stored;
    let event = Event::ConversationAnalyzed(ConversationAnalyzed {
        conversation_id: stored.conversation_id,
        user_id: stored.user_id,
        image_id: stored.image_id,
        time_zone: completed.time_zone.clone(),
        started_at: completed.started_at,
        document,
        level: Some(completed.level),
        measures: Some(stored.measures),
        scores: Scores::of(&assessment),
        cefr: assessment.cefr,
        flags: assessment.flags,
        model_id: stored.model_id,
        simulated: stored.simulated,
    });
    Publication { event, occurred_at: analyzed_at }
}

/// The event for a conversation without an assessment.
pub(super) fn failed(
    completed: &ConversationCompleted,
    failure: AnalysisFailure,
    at: Timestamp,
    model_id: Option<String>,
) -> Publication {
    let event = Event::AnalysisFailed(AnalysisFailed {
        conversation_id: completed.conversation_id,
        user_id: completed.user_id.clone(),
        failure,
        model_id,
    });
    Publication { event, occurred_at: at }
}

#[cfg(test)]
mod tests {
    use events::{contract::Measures, pipeline::names::analysis_key};

    use super::*;
    use crate::{analysis::VERSION, test_samples};

    #[test]
    fn event_repeats_the_stored_analysis_and_its_time() {
        let completed = test_samples::completed(2);
        let analyzed_at = "2026-11-23T15:40:00Z".parse().unwrap();
        let stored = StoredAnalysis {
            version: VERSION.to_owned(),
            conversation_id: completed.conversation_id,
            user_id: completed.user_id.clone(),
            image_id: completed.image_id.clone(),
            feedback_language: completed.feedback_language,
            analyzed_at,
            model_id: "model".to_owned(),
            simulated: true,
            input_tokens: 1,
            output_tokens: 2,
            cost: None,
            measures: Measures::default(),
            assessment: test_samples::assessment(70, "a quote"),
        };
        let expected = test_samples::analyzed(70, events::contract::Level::B1);
        let document = expected.document.clone();
        assert_eq!(document.key, analysis_key(&completed.user_id, completed.conversation_id));
        assert_eq!(
            analyzed(&completed, stored, document),
            Publication { event: Event::ConversationAnalyzed(expected), occurred_at: analyzed_at }
        );
    }
}
