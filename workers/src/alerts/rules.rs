//! PURE. The rules that raise alerts. One event raises none, one or several.
//!
//! An alert contains ids, numbers and fixed names, never words of a learner, because it is sent by e-mail.

use events::contract::{
    AnalysisFailed, AnalysisFailure, ConversationAnalyzed, ConversationCompleted, ConversationId,
    ConversationStalled, EndReason, Envelope, Flag, Milestone, ProgressUpdated, Stage, UserId,
};
use serde::Serialize;
use uuid::Uuid;

/// An overall score below this is low.
pub(super) const LOW_OVERALL: u8 = 40;

/// The urgency of an alert, which selects the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Info,
    /// To be handled, not urgent.
    Warning,
    /// To be handled now.
    Critical,
}

/// An alert, in the shape of its structured message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    /// UUIDv5 over (event, rule): the same for every repetition of the event.
    pub(super) alert_id: Uuid,
    pub(super) rule: &'static str,
    pub(super) severity: Severity,
    /// One line of ASCII, at most 100 characters: the subject of an e-mail.
    pub(super) title: &'static str,
    /// The readable description.
    pub(super) text: String,
    /// The event that raised the alert.
    pub(super) event_id: Uuid,
    pub(super) conversation_id: ConversationId,
    pub(super) user_id: UserId,
    pub(super) occurred_at: jiff::Timestamp,
}

impl Severity {
    /// The name in messages and logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The alerts that the event in `envelope` raises.
pub(super) fn alerts(envelope: &Envelope) -> Vec<Alert> {
    // All rules are about conversations.
    let Some(conversation_id) = envelope.event.conversation_id() else { return Vec::new() };
    let event = &envelope.event;
    let mut findings = Vec::new();
    findings.extend(event.as_completed().and_then(abnormal_end));
    findings.extend(event.as_analysis_failed().map(no_assessment));
    findings.extend(event.as_analyzed().and_then(low_score));
    findings.extend(event.as_analyzed().and_then(flagged));
    findings.extend(event.as_progress_updated().into_iter().flat_map(milestones));
    findings.extend(event.as_stalled().map(stalled));
    findings
        .into_iter()
        .map(|finding| Alert {
            alert_id: Uuid::new_v5(&envelope.id.uuid(), finding.rule.as_bytes()),
            rule: finding.rule,
            severity: finding.severity,
            title: finding.title,
            text: finding.text,
            event_id: envelope.id.uuid(),
            conversation_id,
            user_id: envelope.event.user_id().clone(),
            occurred_at: envelope.occurred_at,
        })
        .collect()
}

struct Finding {
    rule: &'static str,
    severity: Severity,
    title: &'static str,
    text: String,
}

fn abnormal_end(completed: &ConversationCompleted) -> Option<Finding> {
    let (severity, title, cause) = match completed.reason {
        EndReason::ModelFailed => (
            Severity::Critical,
            "Conversation ended: the speech model failed",
            "the speech model failed for good",
        ),
        EndReason::InternalError => {
            (Severity::Critical, "Conversation ended: internal error", "an error of the service ended it")
        }
        EndReason::IngressLost => (
            Severity::Warning,
            "Conversation ended: its server was lost",
            "the server that held it was lost and the watchdog closed it",
        ),
        EndReason::Learner
        | EndReason::TimeLimit
        | EndReason::Silence
        | EndReason::Disconnected
        | EndReason::Shutdown => return None,
    };
    let text = format!(
        "Conversation {} of learner {} ended abnormally at {}: {cause}. {} turns are in the journal.",
        completed.conversation_id, completed.user_id, completed.ended_at, completed.turns
    );
    Some(Finding { rule: "conversation.abnormal-end", severity, title, text })
}

fn no_assessment(failed: &AnalysisFailed) -> Finding {
    let (severity, title, cause) = match failed.failure {
        AnalysisFailure::NothingSaid => {
            (Severity::Info, "No assessment: the learner said nothing", "the learner said nothing")
        }
        AnalysisFailure::InvalidOutput => (
            Severity::Warning,
            "No assessment: the model's answer was not usable",
            "the model's answer did not pass the checks, twice",
        ),
        AnalysisFailure::Refused => {
            (Severity::Warning, "No assessment: the model refused", "the model refused to answer")
        }
    };
    let model = failed.model_id.as_deref().unwrap_or("none");
    let text = format!(
        "Conversation {} of learner {} will not be assessed: {cause}. Model: {model}.",
        failed.conversation_id, failed.user_id
    );
    Finding { rule: "analysis.failed", severity, title, text }
}

fn stalled(stalled: &ConversationStalled) -> Finding {
    let missing = match stalled.stage {
        Stage::Ended => "no ingress holds it, and it has not ended",
        Stage::Published => "it ended, but its end was not published",
        Stage::Transcript => "its transcript is not stored",
        Stage::Analysis => "it is not assessed",
        Stage::Activity => "it is not counted in the learner's progress",
        Stage::Scores => "its scores are not counted in the learner's progress",
        Stage::Alerts => "its events were not checked for alerts",
    };
    let text = format!(
        "Conversation {} of learner {} has stopped: {missing}, although it was due since {}. `nova ops conversation \
         {}` shows its stage.",
        stalled.conversation_id, stalled.user_id, stalled.since, stalled.conversation_id
    );
    let title = "A conversation has stopped in the pipeline";
    Finding { rule: "conversation.stalled", severity: Severity::Critical, title, text }
}

fn low_score(analyzed: &ConversationAnalyzed) -> Option<Finding> {
    (analyzed.scores.overall < LOW_OVERALL).then(|| Finding {
        rule: "analysis.low-score",
        severity: Severity::Warning,
        title: "Low assessment",
        text: format!(
            "Conversation {} of learner {} was assessed with {} of 100 (fluency {}, vocabulary {}, grammar {}, \
             relevance {}; level {:?}).",
            analyzed.conversation_id,
            analyzed.user_id,
            analyzed.scores.overall,
            analyzed.scores.fluency,
            analyzed.scores.vocabulary,
            analyzed.scores.grammar,
            analyzed.scores.relevance,
            analyzed.cefr,
        ),
    })
}

/// One alert for all flags of an assessment, with the highest of their severities.
fn flagged(analyzed: &ConversationAnalyzed) -> Option<Finding> {
    let described = |flag: &Flag| match flag {
        Flag::Distress => (Severity::Critical, "the learner seems to be in distress"),
        Flag::Unsafe => (Severity::Critical, "abusive or unsafe content"),
        Flag::PersonalData => (Severity::Warning, "personal data that a lesson does not need"),
        Flag::Manipulation => (Severity::Warning, "an attempt to steer the assessment"),
        Flag::LittleSpeech => (Severity::Warning, "too little speech for a firm opinion"),
    };
    let severity = analyzed.flags.iter().map(|flag| described(flag).0).max()?;
    let title = match severity {
        Severity::Critical => "Conversation flagged: review it now",
        Severity::Warning | Severity::Info => "Conversation flagged",
    };
    let causes: Vec<_> = analyzed.flags.iter().map(|flag| described(flag).1).collect();
    let text = format!(
        "Conversation {} of learner {} was flagged: {}.",
        analyzed.conversation_id,
        analyzed.user_id,
        causes.join("; ")
    );
    Some(Finding { rule: "analysis.flagged", severity, title, text })
}

fn milestones(updated: &ProgressUpdated) -> Vec<Finding> {
    let finding = |milestone: &Milestone| {
        let (rule, title, reached) = match milestone {
            Milestone::FirstConversation => {
                ("milestone.first-conversation", "Milestone: first conversation", "the first conversation")
            }
            Milestone::TenConversations => {
                ("milestone.ten-conversations", "Milestone: ten conversations", "ten conversations")
            }
            Milestone::HundredConversations => (
                "milestone.hundred-conversations",
                "Milestone: a hundred conversations",
                "a hundred conversations",
            ),
            Milestone::StreakSevenDays => {
                ("milestone.streak-seven-days", "Milestone: seven days in a row", "seven days in a row")
            }
            Milestone::StreakThirtyDays => {
                ("milestone.streak-thirty-days", "Milestone: thirty days in a row", "thirty days in a row")
            }
            Milestone::HourSpoken => {
                ("milestone.hour-spoken", "Milestone: an hour spoken", "an hour of speech")
            }
            Milestone::TenHoursSpoken => {
                ("milestone.ten-hours-spoken", "Milestone: ten hours spoken", "ten hours of speech")
            }
            Milestone::HundredHoursSpoken => (
                "milestone.hundred-hours-spoken",
                "Milestone: a hundred hours spoken",
                "a hundred hours of speech",
            ),
            Milestone::LevelA2 => ("milestone.level-a2", "Milestone: level A2", "level A2"),
            Milestone::LevelB1 => ("milestone.level-b1", "Milestone: level B1", "level B1"),
            Milestone::LevelB2 => ("milestone.level-b2", "Milestone: level B2", "level B2"),
            Milestone::LevelC1 => ("milestone.level-c1", "Milestone: level C1", "level C1"),
            Milestone::LevelC2 => ("milestone.level-c2", "Milestone: level C2", "level C2"),
        };
        let text = format!("Learner {} reached {reached} on {}.", updated.user_id, updated.date);
        Finding { rule, severity: Severity::Info, title, text }
    };
    updated.milestones.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::{analyzed, completed, envelope};
    use events::contract::{Event, Level, ObjectRef, TranscriptStored};
    use std::collections::HashSet;

    fn fired(event: Event) -> Vec<(&'static str, Severity)> {
        alerts(&envelope(event)).iter().map(|alert| (alert.rule, alert.severity)).collect()
    }

    fn ended(reason: EndReason) -> Event {
        Event::ConversationCompleted(ConversationCompleted { reason, ..completed(4) })
    }

    fn failed(failure: AnalysisFailure) -> Event {
        let ConversationCompleted { conversation_id, user_id, .. } = completed(4);
        Event::AnalysisFailed(AnalysisFailed { conversation_id, user_id, failure, model_id: None })
    }

    fn assessed(overall: u8, flags: &[Flag]) -> Event {
        Event::ConversationAnalyzed(ConversationAnalyzed {
            flags: flags.to_vec(),
            ..analyzed(overall, Level::B1)
        })
    }

    fn progressed(milestones: &[Milestone]) -> Event {
        let ConversationCompleted { conversation_id, user_id, .. } = completed(4);
        let (date, milestones) = ("2026-11-24".to_owned(), milestones.to_vec());
        Event::ProgressUpdated(ProgressUpdated { conversation_id, user_id, date, milestones, standing: None })
    }

    #[test]
    fn every_abnormal_end_and_no_other_is_an_alert() {
        let reasons = [
            EndReason::Learner,
            EndReason::TimeLimit,
            EndReason::Silence,
            EndReason::Disconnected,
            EndReason::Shutdown,
            EndReason::ModelFailed,
            EndReason::InternalError,
            EndReason::IngressLost,
        ];
        for reason in reasons {
            assert_eq!(!fired(ended(reason)).is_empty(), reason.is_abnormal(), "{reason:?}");
        }
        let rule = "conversation.abnormal-end";
        assert_eq!(fired(ended(EndReason::ModelFailed)), [(rule, Severity::Critical)]);
        assert_eq!(fired(ended(EndReason::InternalError)), [(rule, Severity::Critical)]);
        assert_eq!(fired(ended(EndReason::IngressLost)), [(rule, Severity::Warning)]);
    }

    #[test]
    fn missing_assessment_is_a_warning_unless_nothing_was_said() {
        let rule = "analysis.failed";
        assert_eq!(fired(failed(AnalysisFailure::NothingSaid)), [(rule, Severity::Info)]);
        assert_eq!(fired(failed(AnalysisFailure::InvalidOutput)), [(rule, Severity::Warning)]);
        assert_eq!(fired(failed(AnalysisFailure::Refused)), [(rule, Severity::Warning)]);
    }

    #[test]
    fn conversation_that_stopped_is_critical_whatever_the_stage() {
        for stage in Stage::ALL {
            let ConversationCompleted { conversation_id, user_id, ended_at: since, .. } = completed(4);
            let event =
                Event::ConversationStalled(ConversationStalled { conversation_id, user_id, stage, since });
            assert_eq!(fired(event), [("conversation.stalled", Severity::Critical)]);
        }
    }

    #[test]
    fn score_is_low_below_the_limit_only() {
        assert_eq!(fired(assessed(LOW_OVERALL, &[])), []);
        assert_eq!(fired(assessed(LOW_OVERALL - 1, &[])), [("analysis.low-score", Severity::Warning)]);
    }

    #[test]
    fn flags_are_one_alert_as_urgent_as_the_worst_of_them() {
        let rule = "analysis.flagged";
        assert_eq!(
            fired(assessed(80, &[Flag::Manipulation, Flag::PersonalData])),
            [(rule, Severity::Warning)]
        );
        assert_eq!(fired(assessed(80, &[Flag::LittleSpeech, Flag::Unsafe])), [(rule, Severity::Critical)]);
        assert_eq!(
            fired(assessed(10, &[Flag::Distress])),
            [("analysis.low-score", Severity::Warning), (rule, Severity::Critical)]
        );
    }

    #[test]
    fn each_milestone_is_its_own_alert_and_a_quiet_event_gives_none() {
        let reached =
            alerts(&envelope(progressed(&[Milestone::FirstConversation, Milestone::TenConversations])));
        assert!(reached.iter().all(|alert| alert.severity == Severity::Info));
        assert_eq!(reached.iter().map(|alert| alert.alert_id).collect::<HashSet<_>>().len(), 2);
        assert_eq!(fired(progressed(&[])), []);

        let ConversationCompleted { conversation_id, user_id, .. } = completed(4);
        let object = ObjectRef { bucket: "b".into(), key: "k".into(), sha256: "s".into() };
        let stored =
            TranscriptStored { conversation_id, user_id, document: object.clone(), text: object, turns: 4 };
        assert_eq!(fired(Event::TranscriptStored(stored)), []);
    }

    #[test]
    fn alert_id_depends_on_event_and_rule_only() {
        let first = alerts(&envelope(ended(EndReason::IngressLost)));
        let mut again = envelope(ended(EndReason::IngressLost));
        again.occurred_at = "2030-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(first[0].alert_id, alerts(&again)[0].alert_id);
        let both = alerts(&envelope(assessed(10, &[Flag::Distress])));
        assert_ne!(both[0].alert_id, both[1].alert_id);
    }

    #[test]
    fn title_fits_a_subject_and_the_text_names_conversation_or_learner() {
        let events = [
            ended(EndReason::ModelFailed),
            ended(EndReason::InternalError),
            ended(EndReason::IngressLost),
            failed(AnalysisFailure::NothingSaid),
            failed(AnalysisFailure::InvalidOutput),
            failed(AnalysisFailure::Refused),
            assessed(1, &[Flag::Distress]),
            assessed(90, &[Flag::LittleSpeech]),
            progressed(&[
                Milestone::FirstConversation,
                Milestone::TenConversations,
                Milestone::HundredConversations,
            ]),
        ];
        for alert in events.into_iter().flat_map(|event| alerts(&envelope(event))) {
            // Source: SNS API reference, Publish, Subject.
            let printable = alert.title.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(printable && alert.title.len() <= 100, "{}", alert.title);
            assert!(alert.text.contains("learner-1"), "{}", alert.text);
        }
    }
}
