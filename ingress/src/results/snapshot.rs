//! PURE. The results of a conversation so far, as facts that each subscriber receives once.
//!
//! Facts are only added, and are sent in a fixed order of kinds. The id of an event lists the kinds sent so far, so a subscriber
//! that reconnects with its last id receives the rest from any task, and no task stores anything for it.

use events::contract::{
    AnalysisFailure, ConversationId, Direction, EndReason, Level, Milestone, Standing, StoredAnalysis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum length of a `Last-Event-ID`, in bytes; a longer one is ignored.
pub const EVENT_ID_BYTES_MAX: usize = 128;

/// Separates the kinds in an id.
const SEPARATOR: char = '.';

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Transcript,
    Assessment,
    /// The assessment failed for good.
    Failed,
    /// The conversation is counted in the progress.
    Activity,
    /// Its scores are counted in the progress.
    Scores,
    /// All results are available.
    Complete,
}

/// The results of a conversation so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// The transcript, once it is stored.
    pub transcript: Option<TranscriptReady>,
    /// The assessment, once it is stored.
    pub assessment: Option<AssessmentReady>,
    /// Why the assessment failed, once that is known.
    pub failed: Option<AssessmentFailed>,
    /// The progress after the conversation was counted.
    pub activity: Option<ProgressCounted>,
    /// The progress after its scores were counted.
    pub scores: Option<ProgressCounted>,
}

/// Data of `transcript`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptReady {
    /// The id of the conversation.
    pub conversation_id: ConversationId,
    /// Number of turns.
    pub turns: u32,
    /// Reason of the end.
    pub reason: EndReason,
    /// Path of the transcript.
    pub href: String,
}

/// Data of `assessment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentReady {
    /// The id of the conversation.
    pub conversation_id: ConversationId,
    /// Overall score, 0 to 100.
    pub overall: u8,
    /// Estimated CEFR level of the learner.
    pub cefr: Level,
    /// Whether a simulated model assessed the conversation.
    pub simulated: bool,
    /// Path of the assessment.
    pub href: String,
}

/// Data of `failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentFailed {
    /// The id of the conversation.
    pub conversation_id: ConversationId,
    /// Reason of the failure.
    pub failure: AnalysisFailure,
}

/// Data of `progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressCounted {
    /// The id of the conversation.
    pub conversation_id: ConversationId,
    /// What was counted.
    pub counted: Counted,
    /// The day in the learner's time zone to which it was added.
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// Milestones that it reached.
    pub milestones: Vec<Milestone>,
    /// Days of the streak up to the learner's latest day, when this was counted.
    pub current_streak_days: u32,
    /// Longest streak, in days.
    pub longest_streak_days: u32,
    /// Total number of conversations.
    pub conversations: u64,
    /// Level over the latest assessments; absent without assessments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Trend over the latest assessments; absent without assessments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Counted {
    /// The conversation: day, turns and duration.
    Activity,
    /// Its scores.
    Scores,
}

/// Data of `complete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Complete {
    /// The id of the conversation.
    pub conversation_id: ConversationId,
}

/// The kinds of facts that a subscriber has received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentFacts(Vec<Kind>);

/// An event of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    /// The id: the kinds sent with it and before.
    pub id: String,
    pub data: String,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Transcript, Self::Assessment, Self::Failed, Self::Activity, Self::Scores, Self::Complete];

    fn name(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::Assessment => "assessment",
            Self::Failed => "failed",
            Self::Activity => "activity",
            Self::Scores => "scores",
            Self::Complete => "complete",
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::Assessment => "assessment",
            Self::Failed => "failed",
            Self::Activity | Self::Scores => "progress",
            Self::Complete => "complete",
        }
    }
}

impl Snapshot {
    /// Whether all results are available.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let assessed = self.failed.is_some() || (self.assessment.is_some() && self.scores.is_some());
        self.transcript.is_some() && self.activity.is_some() && assessed
    }

    /// Adds the facts of `other` that are missing.
    pub fn add(&mut self, other: Self) {
        let Self { transcript, assessment, failed, activity, scores } = other;
        self.transcript = self.transcript.take().or(transcript);
        self.assessment = self.assessment.take().or(assessment);
        self.failed = self.failed.take().or(failed);
        self.activity = self.activity.take().or(activity);
        self.scores = self.scores.take().or(scores);
    }

    /// Encodes the snapshot as a message between tasks.
    #[must_use]
    pub fn encode(&self) -> String {
        json(self)
    }

    /// Decodes a message; `None` if this version cannot read it.
    #[must_use]
    pub fn decode(message: &str) -> Option<Self> {
        serde_json::from_str(message).ok()
    }

    /// Returns the facts about conversation `id` that are not in `sent`, and adds them to it.
    pub fn take_unsent(&self, id: ConversationId, sent: &mut SentFacts) -> Vec<Fact> {
        let data = |kind: Kind| match kind {
            Kind::Transcript => self.transcript.as_ref().map(json),
            Kind::Assessment => self.assessment.as_ref().map(json),
            Kind::Failed => self.failed.as_ref().map(json),
            Kind::Activity => self.activity.as_ref().map(json),
            Kind::Scores => self.scores.as_ref().map(json),
            Kind::Complete => self.is_complete().then(|| json(&Complete { conversation_id: id })),
        };
        let mut facts = Vec::new();
        for kind in Kind::ALL {
            if !sent.0.contains(&kind)
                && let Some(data) = data(kind)
            {
                sent.0.push(kind);
                facts.push(Fact { name: kind.event(), id: sent.id(), data });
            }
        }
        facts
    }
}

impl AssessmentReady {
    /// The fact about `stored`, whose path is `href`.
    #[must_use]
    pub fn new(stored: &StoredAnalysis, href: String) -> Self {
        Self {
            conversation_id: stored.conversation_id,
            overall: stored.assessment.overall,
            cefr: stored.assessment.cefr,
            simulated: stored.simulated,
            href,
        }
    }
}

impl ProgressCounted {
    /// The fact about a conversation that was counted on the day `date`.
    #[must_use]
    pub fn new(
        conversation_id: ConversationId,
        counted: Counted,
        date: String,
        milestones: Vec<Milestone>,
        standing: Option<&Standing>,
    ) -> Self {
        let streak = standing.map(|standing| standing.streak).unwrap_or_default();
        let trend = standing.and_then(|standing| standing.trend);
        Self {
            conversation_id,
            counted,
            date,
            milestones,
            current_streak_days: streak.current_days,
            longest_streak_days: streak.longest_days,
            conversations: standing.map(|standing| standing.totals.conversations).unwrap_or_default(),
            level: trend.map(|trend| trend.level),
            direction: trend.map(|trend| trend.direction),
        }
    }
}

impl SentFacts {
    /// Parses a `Last-Event-ID`. Unknown kinds are ignored, so a fact may be sent again but none is left out.
    #[must_use]
    pub fn parse(last_event_id: &str) -> Self {
        if last_event_id.len() > EVENT_ID_BYTES_MAX {
            return Self::default();
        }
        let mut sent = Self::default();
        for word in last_event_id.split(SEPARATOR) {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == word);
            sent.0.extend(kind.filter(|kind| !sent.0.contains(kind)));
        }
        sent
    }

    /// Whether the subscriber has received everything.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0.contains(&Kind::Complete)
    }

    fn id(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|kind| kind.name()).collect();
        names.join(&SEPARATOR.to_string())
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("facts have string keys and whole numbers only")
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    fn id() -> ConversationId {
        "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap()
    }

    fn counted(counted: Counted) -> Option<ProgressCounted> {
        Some(ProgressCounted::new(id(), counted, "2026-11-26".to_owned(), Vec::new(), None))
    }

    /// A snapshot of some of the facts.
    fn snapshot(bits: u8) -> Snapshot {
        let has = |bit: u8| bits & (1 << bit) != 0;
        let transcript = TranscriptReady {
            conversation_id: id(),
            turns: 3,
            reason: EndReason::Learner,
            href: "/t".to_owned(),
        };
        let assessment = AssessmentReady {
            conversation_id: id(),
            overall: 70,
            cefr: Level::B1,
            simulated: true,
            href: "/a".to_owned(),
        };
        let failed = AssessmentFailed { conversation_id: id(), failure: AnalysisFailure::Refused };
        Snapshot {
            transcript: has(0).then_some(transcript),
            assessment: has(1).then_some(assessment),
            failed: has(2).then_some(failed),
            activity: has(3).then(|| counted(Counted::Activity)).flatten(),
            scores: has(4).then(|| counted(Counted::Scores)).flatten(),
        }
    }

    #[test]
    fn everything_is_told_once_and_then_that_it_is_complete() {
        let mut told = SentFacts::default();
        let facts = snapshot(0b11011).take_unsent(id(), &mut told);
        let names: Vec<_> = facts.iter().map(|fact| fact.name).collect();
        assert_eq!(names, ["transcript", "assessment", "progress", "progress", "complete"]);
        assert_eq!(facts[1].id, "transcript.assessment");
        assert!(facts[2].data.contains(r#""counted":"activity""#), "{}", facts[2].data);
        assert!(snapshot(0b11011).take_unsent(id(), &mut told).is_empty());
        assert!(told.is_complete());
    }

    #[test]
    fn a_conversation_without_an_assessment_is_complete_without_scores() {
        assert!(snapshot(0b01101).is_complete());
        assert!(!snapshot(0b01001).is_complete());
        assert!(!snapshot(0b01011).is_complete(), "the scores are not counted yet");
    }

    #[test]
    fn a_message_between_tasks_is_read_as_it_was_written() {
        let snapshot = snapshot(0b11011);
        assert_eq!(Snapshot::decode(&snapshot.encode()), Some(snapshot));
        assert_eq!(Snapshot::decode("{}"), Some(Snapshot::default()));
        assert_eq!(Snapshot::decode("?"), None);
    }

    #[test]
    fn an_id_that_is_none_of_ours_leaves_nothing_out() {
        for text in ["", "7", "transcript,assessment", "….…", &"transcript.".repeat(30)] {
            assert_eq!(SentFacts::parse(text), SentFacts::default(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whoever_comes_back_at_any_moment_is_told_each_fact_once_and_complete_last(
            order in vec(0u8..5, 0..12), cuts in vec(any::<Index>(), 0..4), failed in any::<bool>(),
        ) {
            let mut known = Snapshot::default();
            let (mut told, mut names, mut last) = (SentFacts::default(), Vec::new(), String::new());
            let all: Vec<u8> = order.into_iter().chain(0..5).collect();
            for (step, bit) in all.iter().enumerate() {
                // An assessment that failed has no scores, and the other way round.
                let bit = match (bit, failed) {
                    (1 | 4, true) => 2,
                    (2, false) => 1,
                    (bit, _) => *bit,
                };
                known.add(snapshot(1 << bit));
                for fact in known.take_unsent(id(), &mut told) {
                    names.push(fact.data.clone());
                    last.clone_from(&fact.id);
                    prop_assert!(fact.id.len() <= EVENT_ID_BYTES_MAX);
                }
                if cuts.iter().any(|cut| cut.index(all.len()) == step) {
                    told = SentFacts::parse(&last);
                }
            }
            let distinct: std::collections::BTreeSet<_> = names.iter().cloned().collect();
            prop_assert_eq!(distinct.len(), names.len());
            prop_assert_eq!(names.len(), if failed { 4 } else { 5 });
            prop_assert!(told.is_complete());
        }

        #[test]
        fn any_last_event_id_is_read(text in any::<String>()) {
            let told = SentFacts::parse(&text);
            prop_assert!(told.0.len() <= Kind::ALL.len());
        }
    }
}
