//! PURE. The expected results: progress sums and alert ids that follow from transcripts and events, computed without the workers.

use std::collections::{BTreeMap, HashMap};

use events::contract::{Assessment, EndReason, Envelope, Event, Speaker, Transcript};
use serde_json::Value;
use uuid::Uuid;

/// Below this overall score there is an alert.
pub const LOW_OVERALL: u8 = 40;

/// Numbers of UserProgress by learner and day, or `total`.
pub type Sums = BTreeMap<(String, String), BTreeMap<&'static str, u64>>;

/// The sums over conversations, each with its learner's time zone and its assessment, if it has one.
///
/// # Errors
/// When there is no such time zone.
pub fn progress<'a>(
    conversations: impl IntoIterator<Item = (&'a Transcript, &'a str, Option<&'a Assessment>)>,
) -> anyhow::Result<Sums> {
    let mut expected = Sums::new();
    for (transcript, time_zone, assessment) in conversations {
        let day = transcript.started_at.in_tz(time_zone)?.date().to_string();
        for date in [day, "total".to_owned()] {
            let sums = expected.entry((transcript.user_id.to_string(), date)).or_default();
            let mut add = |name, value| *sums.entry(name).or_default() += value;
            add("conversations", 1);
            add("turns", transcript.turns.len() as u64);
            let learner = transcript.turns.iter().filter(|turn| turn.turn.speaker == Speaker::Learner);
            add("learnerSpeechMs", learner.map(|turn| turn.turn.speech_ms).sum());
            let Some(assessment) = assessment else { continue };
            add("scored", 1);
            add("overallSum", u64::from(assessment.overall));
            add("fluencySum", u64::from(assessment.skills.fluency.score));
            add("vocabularySum", u64::from(assessment.skills.vocabulary.score));
            add("grammarSum", u64::from(assessment.skills.grammar.score));
            add("relevanceSum", u64::from(assessment.skills.relevance.score));
        }
    }
    Ok(expected)
}

/// The first difference between what is expected and what is stored.
#[must_use]
pub fn missing(expected: &Sums, stored: &BTreeMap<(String, String), HashMap<String, u64>>) -> Option<String> {
    if stored.len() != expected.len() {
        return Some(format!("{} items instead of {}", stored.len(), expected.len()));
    }
    expected.iter().find_map(|(key, sums)| {
        sums.iter().find_map(|(name, value)| {
            let found = stored.get(key).and_then(|item| item.get(*name));
            (found != Some(value)).then(|| format!("{name} of {key:?} is {found:?} instead of {value}"))
        })
    })
}

/// The ids of the alerts that `event` gives cause for.
#[must_use]
pub fn alert_ids(event: &Envelope) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    match &event.event {
        Event::ConversationCompleted(event) if event.reason == EndReason::IngressLost => {
            rules.push("conversation.abnormal-end".to_owned());
        }
        Event::ConversationCompleted(_) | Event::TranscriptStored(_) | Event::AccountDeletionRequested(_) => {
        }
        Event::AnalysisFailed(_) => rules.push("analysis.failed".to_owned()),
        Event::ConversationStalled(_) => rules.push("conversation.stalled".to_owned()),
        Event::ConversationAnalyzed(event) => {
            rules.extend((event.scores.overall < LOW_OVERALL).then(|| "analysis.low-score".to_owned()));
            rules.extend((!event.flags.is_empty()).then(|| "analysis.flagged".to_owned()));
        }
        Event::ProgressUpdated(event) => {
            let names = event.milestones.iter().map(|milestone| serde_json::json!(milestone));
            let dashed = |name: Value| name.as_str().unwrap_or_default().replace('_', "-");
            rules.extend(names.map(|name| format!("milestone.{}", dashed(name))));
        }
    }
    rules.iter().map(|rule| Uuid::new_v5(&event.id.uuid(), rule.as_bytes()).to_string()).collect()
}
