//! PURE. How the API shows a conversation: without what only the service needs, as names of buckets and keys, tokens and
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
    /// Its id.
    conversation_id: ConversationId,
    /// The picture it is about.
    image_id: String,
    /// The learner's level when it began.
    level: Level,
    /// The language of its assessment.
    feedback_language: FeedbackLanguage,
    /// The IANA time zone that decides its day.
    time_zone: String,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// Its end; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndView>,
}

/// The end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndView {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// Why.
    reason: EndReason,
    /// Turns of both sides.
    turns: u32,
    /// The learner's speech, in milliseconds.
    learner_speech_ms: u64,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    /// What a list says of it.
    #[serde(flatten)]
    summary: ConversationSummary,
    /// Its way through the pipeline, in order.
    pipeline: Vec<StageView>,
    /// Where to go from here.
    links: Links,
}

/// A stage of a conversation's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// The stage.
    stage: Stage,
    /// Whether it was passed.
    status: StageStatus,
    /// When, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    at: Option<Timestamp>,
}

/// Whether a stage was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StageStatus {
    /// It was.
    Passed,
    /// Not yet.
    Missing,
    /// It does not belong to this conversation's way.
    NotNeeded,
}

/// Where to go from a conversation. What is not there is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// The stream of its results.
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
    /// The conversation.
    conversation_id: ConversationId,
    /// The picture it was about.
    image_id: String,
    /// The learner's level when it began.
    level: Level,
    /// Start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    started_at: Timestamp,
    /// End.
    #[schemars(with = "String", extend("format" = "date-time"))]
    ended_at: Timestamp,
    /// Why it ended.
    reason: EndReason,
    /// The turns, in order.
    turns: Vec<TurnView>,
}

/// A turn.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnView {
    /// Its position, from 0.
    index: u32,
    /// Who spoke.
    speaker: Speaker,
    /// What was said.
    text: String,
    /// Start, in milliseconds since the start of the conversation.
    start_ms: u64,
    /// End, in milliseconds since the start of the conversation.
    end_ms: u64,
    /// Whether the other side cut it short.
    interrupted: bool,
    /// Whether it was typed.
    typed: bool,
    /// Where the address of its recording is; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
}

/// An assessment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentView {
    /// The conversation.
    conversation_id: ConversationId,
    /// The picture it was about.
    image_id: String,
    /// The language of the comments.
    feedback_language: FeedbackLanguage,
    /// When it was assessed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    analyzed_at: Timestamp,
    /// The model that assessed it.
    model_id: String,
    /// Whether the model was simulated.
    simulated: bool,
    /// What was measured.
    measures: Measures,
    /// The model's opinion.
    assessment: Assessment,
}

/// An assessment as analysts see it: scores and measures, and no word of the learner or about what the learner said.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoresView {
    /// The conversation.
    conversation_id: ConversationId,
    /// The picture it was about.
    image_id: String,
    /// When it was assessed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    analyzed_at: Timestamp,
    /// Whether the model was simulated.
    simulated: bool,
    /// The whole conversation, from 0 to 100.
    overall: u8,
    /// Flow and pace.
    fluency: u8,
    /// Range and choice of words.
    vocabulary: u8,
    /// Correctness.
    grammar: u8,
    /// How far the talk was about the picture.
    relevance: u8,
    /// The level the learner spoke at.
    cefr: Level,
    /// What a person should look at.
    flags: Vec<Flag>,
    /// What was measured.
    measures: Measures,
}

impl ConversationSummary {
    /// The conversation of `header`.
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
    /// The conversation of which this was found.
    #[must_use]
    pub fn new(found: &Found) -> Self {
        let id = found.header.start.conversation_id;
        let pipeline: Vec<StageView> = found.trail().steps.iter().map(StageView::new).collect();
        let passed = |stage: Stage| pipeline.iter().any(|step| step.is(stage, StageStatus::Passed));
        // Without an assessment there are no scores to wait for.
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
    /// What is shown of `transcript`.
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
            interrupted: turn.interrupted,
            typed: turn.typed,
            audio: audio_uri.map(|_| format!("/api/conversations/{id}/turns/{index}/audio")),
        }
    }
}

impl AssessmentView {
    /// What is shown of `stored`.
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
    /// What analysts are shown of `stored`.
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
