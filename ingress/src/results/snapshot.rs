//! PURE. What has come of a conversation so far, as the facts that its watchers are told, each once.
//!
//! Facts are only ever added, and each watcher is told them in the same order of kinds. The id of an event on the stream is
//! the list of the facts that were told until then, so a watcher that comes back with the last id it has is told the
//! others, by any task and without anything being kept for it.

use events::contract::{
    AnalysisFailure, ConversationId, Direction, EndReason, Level, Milestone, Standing, StoredAnalysis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest `Last-Event-ID` that is read, in bytes: one that is longer is none of ours.
pub const EVENT_ID_BYTES_MAX: usize = 128;

/// What stands between the kinds in an id.
const SEPARATOR: char = '.';

/// A kind of fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The transcript is stored.
    Transcript,
    /// The assessment is stored.
    Assessment,
    /// There will be no assessment.
    Failed,
    /// The conversation is counted.
    Activity,
    /// Its scores are counted.
    Scores,
    /// Nothing more will come.
    Complete,
}

/// What has come of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// The transcript, once it is stored.
    pub transcript: Option<TranscriptReady>,
    /// The assessment, once it is stored.
    pub assessment: Option<AssessmentReady>,
    /// Why there will be no assessment, once that is known.
    pub failed: Option<AssessmentFailed>,
    /// What counting the conversation came to.
    pub activity: Option<ProgressCounted>,
    /// What counting its scores came to.
    pub scores: Option<ProgressCounted>,
}

/// Data of `transcript`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptReady {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its turns.
    pub turns: u32,
    /// Why it ended.
    pub reason: EndReason,
    /// Where the transcript is.
    pub href: String,
}

/// Data of `assessment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentReady {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The score of the whole, from 0 to 100.
    pub overall: u8,
    /// The level the learner spoke at.
    pub cefr: Level,
    /// Whether the model was simulated.
    pub simulated: bool,
    /// Where the assessment is.
    pub href: String,
}

/// Data of `failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentFailed {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Why there is no assessment.
    pub failure: AnalysisFailure,
}

/// Data of `progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressCounted {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What was counted.
    pub counted: Counted,
    /// The learner's local day to which it was added.
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// Milestones that were reached with it.
    pub milestones: Vec<Milestone>,
    /// Days in a row, the longest run of all, and conversations, once this was counted.
    pub current_streak_days: u32,
    /// The longest run of days of all.
    pub longest_streak_days: u32,
    /// Conversations in all.
    pub conversations: u64,
    /// The level over the latest assessments; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Whether the later assessments are better than the earlier ones; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Counted {
    /// The conversation: its day, turns and time.
    Activity,
    /// Its scores.
    Scores,
}

/// Data of `complete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Complete {
    /// The conversation.
    pub conversation_id: ConversationId,
}

/// What a watcher was told, in the order of kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told(Vec<Kind>);

/// An event of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// Its id: what was told with it and before.
    pub id: String,
    /// Its data, JSON.
    pub data: String,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Transcript, Self::Assessment, Self::Failed, Self::Activity, Self::Scores, Self::Complete];

    /// Its name in an id.
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

    /// The name of its event.
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
    /// Whether nothing more will come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let assessed = self.failed.is_some() || (self.assessment.is_some() && self.scores.is_some());
        self.transcript.is_some() && self.activity.is_some() && assessed
    }

    /// Adds what `other` knows beyond it.
    pub fn add(&mut self, other: Self) {
        let Self { transcript, assessment, failed, activity, scores } = other;
        self.transcript = self.transcript.take().or(transcript);
        self.assessment = self.assessment.take().or(assessment);
        self.failed = self.failed.take().or(failed);
        self.activity = self.activity.take().or(activity);
        self.scores = self.scores.take().or(scores);
    }

    /// Itself as a message between tasks.
    #[must_use]
    pub fn encode(&self) -> String {
        json(self)
    }

    /// The snapshot in a message; `None` where this build cannot read it.
    #[must_use]
    pub fn decode(message: &str) -> Option<Self> {
        serde_json::from_str(message).ok()
    }

    /// What there is to tell of conversation `id` beyond what was `told`, which it then is.
    pub fn tell(&self, id: ConversationId, told: &mut Told) -> Vec<Fact> {
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
            if !told.0.contains(&kind)
                && let Some(data) = data(kind)
            {
                told.0.push(kind);
                facts.push(Fact { name: kind.event(), id: told.id(), data });
            }
        }
        facts
    }
}

impl AssessmentReady {
    /// What is told of `stored`, which is at `href`.
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
    /// What is told of a conversation that was `counted`.
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

impl Told {
    /// What a watcher was told that has the event `last_event_id`. Words that this build does not know are passed over:
    /// then a fact may be told again, and none is left out.
    #[must_use]
    pub fn until(last_event_id: &str) -> Self {
        if last_event_id.len() > EVENT_ID_BYTES_MAX {
            return Self::default();
        }
        let mut told = Self::default();
        for word in last_event_id.split(SEPARATOR) {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == word);
            told.0.extend(kind.filter(|kind| !told.0.contains(kind)));
        }
        told
    }

    /// Whether there is nothing more to tell.
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
        let mut told = Told::default();
        let facts = snapshot(0b11011).tell(id(), &mut told);
        let names: Vec<_> = facts.iter().map(|fact| fact.name).collect();
        assert_eq!(names, ["transcript", "assessment", "progress", "progress", "complete"]);
        assert_eq!(facts[1].id, "transcript.assessment");
        assert!(facts[2].data.contains(r#""counted":"activity""#), "{}", facts[2].data);
        assert!(snapshot(0b11011).tell(id(), &mut told).is_empty());
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
            assert_eq!(Told::until(text), Told::default(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whoever_comes_back_at_any_moment_is_told_each_fact_once_and_complete_last(
            order in vec(0u8..5, 0..12), cuts in vec(any::<Index>(), 0..4), failed in any::<bool>(),
        ) {
            let mut known = Snapshot::default();
            let (mut told, mut names, mut last) = (Told::default(), Vec::new(), String::new());
            let all: Vec<u8> = order.into_iter().chain(0..5).collect();
            for (step, bit) in all.iter().enumerate() {
                // An assessment that failed has no scores, and the other way round.
                let bit = match (bit, failed) {
                    (1 | 4, true) => 2,
                    (2, false) => 1,
                    (bit, _) => *bit,
                };
                known.add(snapshot(1 << bit));
                for fact in known.tell(id(), &mut told) {
                    names.push(fact.data.clone());
                    last.clone_from(&fact.id);
                    prop_assert!(fact.id.len() <= EVENT_ID_BYTES_MAX);
                }
                if cuts.iter().any(|cut| cut.index(all.len()) == step) {
                    told = Told::until(&last);
                }
            }
            let distinct: std::collections::BTreeSet<_> = names.iter().cloned().collect();
            prop_assert_eq!(distinct.len(), names.len());
            prop_assert_eq!(names.len(), if failed { 4 } else { 5 });
            prop_assert!(told.is_complete());
        }

        #[test]
        fn any_last_event_id_is_read(text in any::<String>()) {
            let told = Told::until(&text);
            prop_assert!(told.0.len() <= Kind::ALL.len());
        }
    }
}
