//! PURE. The assessment of a conversation: what the model is asked for, and the document that is stored under
//! `analyses/{userId}/{conversationId}.json.gz`.
//!
//! [`Assessment`] is the model's opinion; its JSON Schema is the schema of the model's output. [`Measures`] are
//! computed by us from the transcript and never asked of a model.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConversationId, FeedbackLanguage, Level, Measures, ObjectRef, UserId};

/// What the model says of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assessment {
    /// The whole conversation, from 0 to 100.
    #[schemars(range(max = 100))]
    pub overall: u8,
    /// The four skills.
    pub skills: Skills,
    /// The CEFR level the learner spoke at.
    pub cefr: Level,
    /// What the learner did well, in the feedback language, 1 to 5 entries.
    #[schemars(length(min = 1, max = 5))]
    pub strengths: Vec<String>,
    /// Sentences that could be better, at most 10.
    #[schemars(length(max = 10))]
    pub corrections: Vec<Correction>,
    /// What to practise, in the feedback language, 1 to 5 entries.
    #[schemars(length(min = 1, max = 5))]
    pub recommendations: Vec<String>,
    /// One objective for the next conversation, in the feedback language.
    pub next_objective: String,
    /// What a person should look at.
    #[schemars(length(max = 5))]
    pub flags: Vec<Flag>,
    /// How far the learner met each objective of the picture, in the picture's order. Empty for a picture without objectives,
    /// and before version 1.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub objectives: Vec<ObjectiveResult>,
    /// Comparisons with earlier assessments of the learner, at most 6. Both values of each are stored values. Empty without
    /// earlier assessments, and before version 1.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    pub comparisons: Vec<Comparison>,
}

/// How far the learner met an objective of the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectiveResult {
    /// The objective, word for word as the picture has it.
    pub objective: String,
    /// How far it is met.
    pub verdict: ObjectiveVerdict,
    /// The learner's words that show it, exactly as they stand in one turn of the transcript; absent only for an objective that
    /// is not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// The reason, in the feedback language.
    pub comment: String,
    /// Where the quote stands; absent in what the model returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<QuotePlace>,
}

/// How far an objective is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveVerdict {
    /// Met.
    Met,
    /// Met in part.
    PartlyMet,
    /// Not met.
    NotMet,
}

/// A value of this assessment beside the same value of an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Comparison {
    /// The earlier conversation.
    pub conversation_id: ConversationId,
    /// What is compared.
    pub value: ComparedValue,
    /// The value of the earlier conversation, as it is stored.
    pub earlier: f64,
    /// The value of this conversation, as it is stored.
    pub now: f64,
    /// What the difference means, in the feedback language.
    pub comment: String,
}

/// A value that is compared: a score of the model from 0 to 100, or a measure of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ComparedValue {
    /// The overall score.
    Overall,
    /// The score of fluency.
    Fluency,
    /// The score of vocabulary.
    Vocabulary,
    /// The score of grammar.
    Grammar,
    /// The score of relevance.
    Relevance,
    /// Words of the learner.
    Words,
    /// Different words among them.
    DistinctWords,
    /// Words per minute of speech.
    WordsPerMinute,
}

impl ComparedValue {
    /// The value of an assessment with these scores and measures.
    #[must_use]
    pub fn of(self, scores: &Scores, measures: &Measures) -> f64 {
        match self {
            Self::Overall => scores.overall.into(),
            Self::Fluency => scores.fluency.into(),
            Self::Vocabulary => scores.vocabulary.into(),
            Self::Grammar => scores.grammar.into(),
            Self::Relevance => scores.relevance.into(),
            Self::Words => measures.words.into(),
            Self::DistinctWords => measures.distinct_words.into(),
            Self::WordsPerMinute => measures.words_per_minute,
        }
    }
}

/// The four skills that are scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Skills {
    /// Flow and pace.
    pub fluency: SkillScore,
    /// Range and choice of words.
    pub vocabulary: SkillScore,
    /// Correctness.
    pub grammar: SkillScore,
    /// How far the talk was about the picture.
    pub relevance: SkillScore,
}

/// A skill by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Skill {
    /// Flow and pace.
    Fluency,
    /// Range and choice of words.
    Vocabulary,
    /// Correctness.
    Grammar,
    /// How far the talk was about the picture.
    Relevance,
}

/// A score and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkillScore {
    /// From 0 to 100.
    #[schemars(range(max = 100))]
    pub score: u8,
    /// Quotes that show it, 1 to 3.
    #[schemars(length(min = 1, max = 3))]
    pub evidence: Vec<Evidence>,
}

/// A quote of the learner and what it shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// The learner's words, exactly as they stand in one turn of the transcript.
    pub quote: String,
    /// What it shows, in the feedback language.
    pub comment: String,
    /// Where the quote stands; absent in what the model returns and before version 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<QuotePlace>,
}

/// A sentence that could be better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Correction {
    /// The learner's words, exactly as they stand in one turn of the transcript.
    pub quote: String,
    /// A better way to say it, in English.
    pub better: String,
    /// Why, in the feedback language.
    pub why: String,
    /// Where the quote stands; absent in what the model returns and before version 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<QuotePlace>,
}

/// Where a quote stands: the first place in the learner's turns at which the quote and the turn's `text` are the same. They
/// are compared without regard to case, to the kind and number of white space characters, to invisible characters, to whether
/// quotation marks and apostrophes are curly, and to the form of canonically equivalent characters (UAX #15). A quote begins
/// and ends at word boundaries. What is found in this way is accepted as a quote, and nothing else.
///
/// Positions count UTF-16 code units of the turn's `text` as the transcript holds it: in JavaScript the quoted words are
/// `text.slice(start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotePlace {
    /// The index of the turn.
    pub turn: u32,
    /// The position of the first code unit.
    pub start: u32,
    /// The position after the last code unit.
    pub end: u32,
}

/// Something a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The learner seems to be in distress.
    Distress,
    /// Abusive or unsafe content.
    Unsafe,
    /// Personal data that the learner should not have to share.
    PersonalData,
    /// The learner tried to steer the assessment.
    Manipulation,
    /// Too little speech for a firm opinion.
    LittleSpeech,
}

/// What an assessment cost, in millionths of a US dollar, with the prices it was computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// All tokens of all attempts, rounded up to a whole millionth of a dollar.
    pub usd_micros: u64,
    /// Price of a million input tokens.
    pub input_usd_micros_per_mtok: u64,
    /// Price of a million output tokens.
    pub output_usd_micros_per_mtok: u64,
}

/// The stored assessment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredAnalysis {
    /// Version of this document's shape, `major.minor`.
    pub version: String,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture they talked about.
    pub image_id: String,
    /// Language of the comments.
    pub feedback_language: FeedbackLanguage,
    /// When it was assessed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub analyzed_at: Timestamp,
    /// The model that assessed.
    pub model_id: String,
    /// Whether the model was simulated.
    pub simulated: bool,
    /// Tokens given to the model, over all attempts.
    pub input_tokens: u64,
    /// Tokens produced by the model, over all attempts.
    pub output_tokens: u64,
    /// What those tokens cost; absent in version 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Our measures.
    pub measures: Measures,
    /// The model's opinion.
    pub assessment: Assessment,
}

/// Data of `conversation.analyzed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationAnalyzed {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// The picture they talked about.
    pub image_id: String,
    /// The learner's IANA time zone, which decides the day in UserProgress.
    pub time_zone: String,
    /// Start of the conversation.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// The assessment as compressed JSON.
    pub document: ObjectRef,
    /// The level of the conversation, which the learner chose; absent before version 1.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Our measures; absent before version 1.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measures: Option<Measures>,
    /// Its scores.
    pub scores: Scores,
    /// The level the learner spoke at.
    pub cefr: Level,
    /// What a person should look at.
    pub flags: Vec<Flag>,
    /// The model that assessed.
    pub model_id: String,
    /// Whether the model was simulated.
    pub simulated: bool,
}

/// Scores of an assessment, each from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scores {
    /// The whole conversation.
    #[schemars(range(max = 100))]
    pub overall: u8,
    /// Fluency.
    #[schemars(range(max = 100))]
    pub fluency: u8,
    /// Vocabulary.
    #[schemars(range(max = 100))]
    pub vocabulary: u8,
    /// Grammar.
    #[schemars(range(max = 100))]
    pub grammar: u8,
    /// Relevance to the picture.
    #[schemars(range(max = 100))]
    pub relevance: u8,
}

impl Scores {
    /// The scores of `assessment`.
    #[must_use]
    pub fn of(assessment: &Assessment) -> Self {
        let skills = &assessment.skills;
        Self {
            overall: assessment.overall,
            fluency: skills.fluency.score,
            vocabulary: skills.vocabulary.score,
            grammar: skills.grammar.score,
            relevance: skills.relevance.score,
        }
    }
}

/// Data of `analysis.failed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisFailed {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The learner.
    pub user_id: UserId,
    /// Why.
    pub failure: AnalysisFailure,
    /// The model that was asked, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
}

/// Why a conversation has no assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisFailure {
    /// The learner said nothing that could be assessed.
    NothingSaid,
    /// The model's answer did not fit the schema, the ranges or the transcript, twice.
    InvalidOutput,
    /// The model refused to answer.
    Refused,
}
