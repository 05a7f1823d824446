//! PURE. The representation of conversations in the API: without internal data, e.g. names of buckets and keys, token counts and
//! costs.

use events::{
    contract::{
        Assessment, ConversationId, EndReason, FeedbackLanguage, Flag, Level, Measures, Speaker, Stage,
        StoredAnalysis, Transcript, TranscriptTurn,
    },
    journal::Header,
    pipeline::{Found, Status, Step},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationSummary {
    /// The id.
    conversation_id: ConversationId,
    /// The id of the picture.
    image_id: String,
    /// The level of the conversation.
    level: Level,
    /// The language of the assessment.
    feedback_language: FeedbackLanguage,
    /// The IANA time zone that decides the day of the conversation.
    time_zone: String,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// The end; absent while the conversation is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndView>,
}

/// The end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndView {
    /// Time of the end.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// Reason of the end.
    reason: EndReason,
    /// Number of turns of both sides.
    turns: u32,
    /// Duration of the learner's speech, in milliseconds.
    learner_speech_ms: u64,
}

/// A conversation with its progress through the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    /// The summary.
    #[serde(flatten)]
    summary: ConversationSummary,
    /// The stages of the pipeline, in order.
    pipeline: Vec<StageView>,
    /// Paths of related resources.
    links: Links,
}

/// A stage of the pipeline for a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// The stage.
    stage: Stage,
    /// Whether the stage is complete.
    status: StageStatus,
    /// Time of completion, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    at: Option<Timestamp>,
}

/// Whether a stage is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StageStatus {
    /// Complete.
    Passed,
    /// Not complete yet.
    Missing,
    /// Not applicable to this conversation.
    NotNeeded,
}

/// Paths of the resources of a conversation. Those that do not exist are absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// The stream of results.
    results: String,
    /// The transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<String>,
    /// The assessment.
    #[serde(skip_serializing_if = "Option::is_none")]
    assessment: Option<String>,
}

/// A transcript.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptView {
    /// The id of the conversation.
    conversation_id: ConversationId,
    /// The id of the picture.
    image_id: String,
    /// The level of the conversation.
    level: Level,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// End.
    #[schemars(with = "String", extend("format" = "date-time"))]
    ended_at: Timestamp,
    /// Reason of the end.
    reason: EndReason,
    /// The turns, in order.
    turns: Vec<TurnView>,
}

/// A turn.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnView {
    /// Index of the turn, from 0.
    index: u32,
    /// Who spoke.
    speaker: Speaker,
    /// The text.
    text: String,
    /// Start, in milliseconds since the start of the conversation.
    start_ms: u64,
    /// End, in milliseconds since the start of the conversation.
    end_ms: u64,
    /// Speech in this turn, in milliseconds of audio.
    speech_ms: u64,
    /// For a turn of the tutor, the milliseconds from the end of the learner's speech to its first audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_latency_ms: Option<u64>,
    /// For an interrupted turn of the tutor, the milliseconds of it that the learner heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    played_ms: Option<u64>,
    /// Whether the other side interrupted it.
    interrupted: bool,
    /// Whether it was typed.
    typed: bool,
    /// Path that returns the URL of the recording; absent without a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
    /// Path of the recording itself; absent without a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<String>,
}

/// An assessment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentView {
    /// The id of the conversation.
    conversation_id: ConversationId,
    /// The id of the picture.
    image_id: String,
    /// The language of the comments.
    feedback_language: FeedbackLanguage,
    /// Time of the assessment.
    #[schemars(with = "String", extend("format" = "date-time"))]
    analyzed_at: Timestamp,
    /// The id of the model.
    model_id: String,
    /// Whether a simulated model assessed the conversation.
    simulated: bool,
    /// Measures of the conversation.
    measures: Measures,
    /// The model's assessment.
    assessment: Assessment,
}

/// An assessment for analysts: scores and measures, without quotes of the learner and comments on them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoresView {
    /// The id of the conversation.
    conversation_id: ConversationId,
    /// The id of the picture.
    image_id: String,
    /// Time of the assessment.
    #[schemars(with = "String", extend("format" = "date-time"))]
    analyzed_at: Timestamp,
    /// Whether a simulated model assessed the conversation.
    simulated: bool,
    /// Overall score, 0 to 100.
    overall: u8,
    /// Fluency score, 0 to 100: flow and pace.
    fluency: u8,
    /// Vocabulary score, 0 to 100: range and choice of words.
    vocabulary: u8,
    /// Grammar score, 0 to 100.
    grammar: u8,
    /// Relevance score, 0 to 100: how far the conversation was about the picture.
    relevance: u8,
    /// Estimated CEFR level of the learner.
    cefr: Level,
    /// Flags for human review.
    flags: Vec<Flag>,
    /// Measures of the conversation.
    measures: Measures,
}

impl ConversationSummary {
    /// The summary of the conversation `header`.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let start = &header.start;
        Self {
            conversation_id: start.conversation_id,
            image_id: start.image_id.clone(),
            level: start.level,
            feedback_language: start.feedback_language,
            time_zone: start.time_zone.clone(),
            started_at: start.conversation_id.started_at(),
            ended: header.ended.map(|ended| EndView {
                at: ended.at,
                reason: ended.end.reason,
                turns: ended.end.turns,
                learner_speech_ms: ended.end.learner_speech_ms,
            }),
        }
    }
}

impl ConversationView {
    /// The view of a conversation found in the pipeline.
    #[must_use]
    pub fn new(found: &Found) -> Self {
        let id = found.header.start.conversation_id;
        let pipeline: Vec<StageView> = found.trail().steps.iter().map(StageView::new).collect();
        let passed = |stage: Stage| pipeline.iter().any(|step| step.is(stage, StageStatus::Passed));
        // A failed assessment has no scores.
        let failed = pipeline.iter().any(|step| step.is(Stage::Scores, StageStatus::NotNeeded));
        let link = |name: &str| format!("/api/conversations/{id}/{name}");
        let links = Links {
            results: link("results"),
            transcript: passed(Stage::Transcript).then(|| link("transcript")),
            assessment: (passed(Stage::Analysis) && !failed).then(|| link("assessment")),
        };
        Self { summary: ConversationSummary::new(&found.header), pipeline, links }
    }
}

impl StageView {
    fn new(step: &Step) -> Self {
        let (status, at) = match step.status {
            Status::Passed(passed) => (StageStatus::Passed, passed.at),
            Status::Missing => (StageStatus::Missing, None),
            Status::NotNeeded => (StageStatus::NotNeeded, None),
        };
        Self { stage: step.stage, status, at }
    }

    fn is(&self, stage: Stage, status: StageStatus) -> bool {
        self.stage == stage && self.status == status
    }
}

impl TranscriptView {
    #[must_use]
    pub fn new(transcript: Transcript) -> Self {
        let id = transcript.conversation_id;
        Self {
            conversation_id: id,
            image_id: transcript.image_id,
            level: transcript.level,
            started_at: transcript.started_at,
            ended_at: transcript.ended_at,
            reason: transcript.reason,
            turns: transcript.turns.into_iter().map(|turn| TurnView::new(id, turn)).collect(),
        }
    }
}

impl TurnView {
    fn new(id: ConversationId, stored: TranscriptTurn) -> Self {
        let TranscriptTurn { turn, audio_uri, audio_missing: _ } = stored;
        let index = turn.index;
        Self {
            index,
            speaker: turn.speaker,
            text: turn.text,
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
            speech_ms: turn.speech_ms,
            answer_latency_ms: turn.answer_latency_ms,
            played_ms: turn.played_ms,
            interrupted: turn.interrupted,
            typed: turn.typed,
            audio: audio_uri.as_ref().map(|_| format!("/api/conversations/{id}/turns/{index}/audio")),
            recording: audio_uri.map(|_| format!("/api/conversations/{id}/turns/{index}/recording")),
        }
    }
}

impl AssessmentView {
    #[must_use]
    pub fn new(stored: StoredAnalysis) -> Self {
        Self {
            conversation_id: stored.conversation_id,
            image_id: stored.image_id,
            feedback_language: stored.feedback_language,
            analyzed_at: stored.analyzed_at,
            model_id: stored.model_id,
            simulated: stored.simulated,
            measures: stored.measures,
            assessment: stored.assessment,
        }
    }
}

impl ScoresView {
    /// The view of `stored` for analysts.
    #[must_use]
    pub fn new(stored: &StoredAnalysis) -> Self {
        let Assessment { overall, skills, cefr, flags, .. } = &stored.assessment;
        Self {
            conversation_id: stored.conversation_id,
            image_id: stored.image_id.clone(),
            analyzed_at: stored.analyzed_at,
            simulated: stored.simulated,
            overall: *overall,
            fluency: skills.fluency.score,
            vocabulary: skills.vocabulary.score,
            grammar: skills.grammar.score,
            relevance: skills.relevance.score,
            cefr: *cefr,
            flags: flags.clone(),
            measures: stored.measures,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn example<T: serde::de::DeserializeOwned>(name: &str) -> T {
        let path = format!("{}/../schemas/example/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn a_transcript_is_shown_without_buckets_and_keys() {
        let transcript: Transcript = example("transcript");
        let recorded = transcript.turns.iter().filter(|turn| turn.audio_uri.is_some()).count();
        assert!(recorded > 0, "the example has a recording");
        let shown = serde_json::to_string(&TranscriptView::new(transcript)).unwrap();
        assert_eq!(shown.matches("/audio\"").count(), recorded);
        assert!(!shown.contains("s3://") && !shown.contains(".wav") && !shown.contains("userId"), "{shown}");
    }

    #[test]
    fn an_assessment_is_shown_without_its_cost() {
        let shown = serde_json::to_value(AssessmentView::new(example("stored-analysis"))).unwrap();
        assert_eq!(shown["cost"], Value::Null);
        assert_eq!(shown["inputTokens"], Value::Null);
        assert!(shown["assessment"]["overall"].is_u64());
    }

    #[test]
    fn analysts_are_shown_scores_and_no_word_of_the_learner() {
        let stored: StoredAnalysis = example("stored-analysis");
        let shown = serde_json::to_string(&ScoresView::new(&stored)).unwrap();
        let assessment = &stored.assessment;
        let skills = &assessment.skills;
        let skills = [&skills.fluency, &skills.vocabulary, &skills.grammar, &skills.relevance];
        let evidence = skills.into_iter().flat_map(|skill| &skill.evidence);
        let words = evidence.flat_map(|evidence| [&evidence.quote, &evidence.comment]);
        let corrections = assessment.corrections.iter();
        let words = words.chain(corrections.flat_map(|c| [&c.quote, &c.better, &c.why]));
        let words = words.chain(&assessment.strengths).chain(&assessment.recommendations);
        for text in words.chain([&assessment.next_objective]) {
            assert!(!shown.contains(text.as_str()), "{text:?} is shown");
        }
        assert!(shown.contains("\"overall\""));
    }
}
