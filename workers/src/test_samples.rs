//! PURE. Sample values for the tests of this package.

use events::contract::{
    Assessment, ConversationAnalyzed, ConversationCompleted, ConversationId, EndReason, Envelope, Event,
    Evidence, FeedbackLanguage, Level, Measures, ObjectRef, Scores, SkillScore, Skills, Speaker, Turn, Usage,
};
use events::journal::{End, Ended, Header, Start};
use jiff::Timestamp;

/// A spoken turn at second `index`, 800 ms long.
pub(crate) fn turn(index: u32, speaker: Speaker, text: &str) -> Turn {
    Turn::spoken(index, speaker, text, u64::from(index) * 1000, 800)
}

/// The end of a conversation with `turns` turns: half an hour past midnight in Seoul, half past three in the
/// afternoon in UTC.
pub(crate) fn completed(turns: u32) -> ConversationCompleted {
    let started_at: Timestamp = "2026-11-23T15:30:00Z".parse().unwrap();
    ConversationCompleted {
        conversation_id: ConversationId::new(started_at, [7; 10]),
        user_id: "learner-1".parse().unwrap(),
        image_id: "city-cafe".to_owned(),
        level: Level::B1,
        feedback_language: FeedbackLanguage::English,
        time_zone: "Asia/Seoul".to_owned(),
        started_at,
        ended_at: "2026-11-23T15:34:05Z".parse().unwrap(),
        reason: EndReason::Learner,
        turns,
        learner_turns: Some(turns.div_ceil(2)),
        learner_speech_ms: 800,
        usage: Usage::default(),
        metrics: None,
    }
}

/// `event` as it is published.
pub(crate) fn envelope(event: Event) -> Envelope {
    Envelope::new(event, "2026-11-23T15:34:06Z".parse().unwrap(), None)
}

/// An assessment with `overall` and `quote` as every piece of evidence.
pub(crate) fn assessment(overall: u8, quote: &str) -> Assessment {
    let skill = |score| SkillScore {
        score,
        evidence: vec![Evidence { quote: quote.to_owned(), comment: "Clear.".to_owned(), place: None }],
    };
    Assessment {
        overall,
        skills: Skills {
            fluency: skill(61),
            vocabulary: skill(62),
            grammar: skill(63),
            relevance: skill(64),
        },
        cefr: Level::B1,
        strengths: vec!["You described the picture.".to_owned()],
        corrections: vec![],
        recommendations: vec!["Use the past tense.".to_owned()],
        next_objective: "Tell a story about the picture.".to_owned(),
        flags: vec![],
        objectives: vec![],
        comparisons: vec![],
    }
}

/// The assessment of the conversation of [`completed`].
pub(crate) fn analyzed(overall: u8, cefr: Level) -> ConversationAnalyzed {
    let ended = completed(2);
    let key = format!("analyses/{}/{}.json.gz", ended.user_id, ended.conversation_id);
    ConversationAnalyzed {
        conversation_id: ended.conversation_id,
        user_id: ended.user_id,
        image_id: ended.image_id,
        time_zone: ended.time_zone,
        started_at: ended.started_at,
        document: ObjectRef { bucket: "logs".to_owned(), key, sha256: "00".repeat(32) },
        level: Some(ended.level),
        measures: Some(Measures::default()),
        scores: Scores { overall, fluency: 61, vocabulary: 62, grammar: 63, relevance: 64 },
        cefr,
        flags: vec![],
        model_id: "model".to_owned(),
        simulated: true,
    }
}

/// The header of the conversation of [`completed`]; it has ended, or is still held.
pub(crate) fn header(is_ended: bool, published_at: Option<Timestamp>) -> Header {
    let ConversationCompleted {
        conversation_id,
        user_id,
        image_id,
        level,
        feedback_language,
        time_zone,
        ended_at,
        ..
    } = completed(0);
    let start = Start {
        conversation_id,
        user_id,
        image_id,
        level,
        feedback_language,
        time_zone,
        traceparent: None,
        owner: "ingress-1".to_owned(),
        voice: None,
    };
    let end = End::of_turns(EndReason::Learner, Usage::default(), &[]);
    Header {
        start,
        claim: "claim-1".to_owned(),
        epoch: 1,
        lease_until: ended_at,
        handover_requested_by: None,
        handed_over_as: None,
        progress: None,
        ended: is_ended.then_some(Ended { at: ended_at, end }),
        published_at,
        objectives_met: None,
        deleted_at: None,
    }
}
