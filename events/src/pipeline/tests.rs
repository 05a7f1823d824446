//! PURE. Tests of the stages derived from the stores.

use super::*;
use crate::{
    contract::{EndReason, FeedbackLanguage, Level, Usage, test_samples::conversation_id},
    journal::{End, Ended, Start},
};

/// Seconds after the start.
fn after(seconds: i64) -> Timestamp {
    conversation_id().started_at() + SignedDuration::from_secs(seconds)
}

fn passed(seconds: i64) -> Option<Passed> {
    Some(Passed { at: Some(after(seconds)) })
}

/// A conversation that ended after 100 s, was published after 101 s and of which nothing else is known.
fn published() -> Found {
    let start = Start {
        conversation_id: conversation_id(),
        user_id: "learner-1".parse().unwrap(),
        image_id: "city-cafe".to_owned(),
        level: Level::B1,
        feedback_language: FeedbackLanguage::English,
        time_zone: "UTC".to_owned(),
        traceparent: None,
        owner: "ingress-1".to_owned(),
        voice: None,
    };
    let mut header = crate::journal::test_samples::header(&start, after(190));
    header.ended =
        Some(Ended { at: after(100), end: End::of_turns(EndReason::Learner, Usage::default(), &[]) });
    header.published_at = Some(after(101));
    Found {
        header,
        transcript: None,
        analysis: None,
        activity: None,
        scores: None,
        considered: BTreeMap::new(),
    }
}

fn considered(events: &[(&str, Option<&str>)], seconds: i64) -> BTreeMap<EventId, Timestamp> {
    let id = |(name, cause): &(&str, Option<&str>)| match cause {
        Some(cause) => EventId::derive_caused(conversation_id(), name, cause),
        None => EventId::derive(conversation_id(), name),
    };
    events.iter().map(|event| (id(event), after(seconds))).collect()
}

const ASSESSED: [(&str, Option<&str>); 4] = [
    ("conversation.completed", None),
    ("progress.updated", Some("conversation.completed")),
    ("conversation.analyzed", None),
    ("progress.updated", Some("conversation.analyzed")),
];

fn complete() -> Found {
    Found {
        transcript: passed(102),
        analysis: Some(Analysis::Stored(Passed { at: Some(after(110)) })),
        activity: passed(103),
        scores: passed(111),
        considered: considered(&ASSESSED, 112),
        ..published()
    }
}

fn stages(stalls: &[Stall]) -> Vec<Stage> {
    stalls.iter().map(|stall| stall.stage).collect()
}

#[test]
fn conversation_with_everything_is_complete_and_never_stalls() {
    let trail = complete().trail();
    assert!(trail.is_complete());
    assert_eq!(trail.stalled_at(after(1_000_000), LIMITS), []);
    assert_eq!(trail.next_due(after(0), LIMITS), None);
    let alerts = trail.steps.last().unwrap();
    assert_eq!((alerts.stage, alerts.status), (Stage::Alerts, Status::Passed(passed(112).unwrap())));
    assert_eq!(alerts.ready_at, Some(after(111)));
}

#[test]
fn each_missing_stage_stalls_alone_and_what_waits_for_it_does_not() {
    use Stage::{Activity, Alerts, Analysis as Analyzed, Scores, Transcript};
    // What is missing, and at which stages it stops with everything else there.
    type Case = (fn(&mut Found), &'static [Stage], i64);
    let cases: [Case; 6] = [
        (|found| found.transcript = None, &[Transcript], 101),
        (|found| found.analysis = None, &[Analyzed], 101),
        (|found| found.activity = None, &[Activity], 101),
        (|found| found.scores = None, &[Scores], 110),
        (|found| found.considered.clear(), &[Alerts], 111),
        (|found| (found.transcript, found.activity) = (None, None), &[Transcript, Activity], 101),
    ];
    for (spoil, expected, since) in cases {
        let mut found = complete();
        spoil(&mut found);
        let trail = found.trail();
        assert!(!trail.is_complete(), "{expected:?}");
        assert_eq!(trail.stalled_at(after(699), LIMITS), [], "{expected:?}");
        assert_eq!(trail.next_due(after(699), LIMITS), Some(after(700)), "{expected:?}");
        let stalls = trail.stalled_at(after(700), LIMITS);
        assert_eq!(stages(&stalls), expected);
        assert!(stalls.iter().all(|stall| (stall.since, stall.due) == (after(since), after(700))));
        assert_eq!(trail.next_due(after(700), LIMITS), None);
    }
}

#[test]
fn stage_has_its_own_time_when_what_it_needs_came_late() {
    let mut found = complete();
    found.analysis = Some(Analysis::Stored(Passed { at: Some(after(690)) }));
    found.scores = None;
    let trail = found.trail();
    assert_eq!(trail.stalled_at(after(749), LIMITS), []);
    assert_eq!(stages(&trail.stalled_at(after(750), LIMITS)), [Stage::Scores]);
}

#[test]
fn conversation_without_an_assessment_needs_no_scores() {
    let mut found = complete();
    found.analysis = Some(Analysis::Failed(Passed { at: Some(after(110)) }));
    found.scores = None;
    found.considered = considered(&[ASSESSED[0], ASSESSED[1]], 105);
    assert_eq!(stages(&found.trail().stalled_at(after(700), LIMITS)), [Stage::Alerts]);
    found.considered.extend(considered(&[("analysis.failed", None)], 106));
    let trail = found.trail();
    assert!(trail.is_complete());
    assert!(trail.steps.iter().any(|step| (step.stage, step.status) == (Stage::Scores, Status::NotNeeded)));
}

#[test]
fn one_event_that_was_not_looked_at_keeps_the_alerts_open() {
    for missing in ASSESSED {
        let mut events = ASSESSED.to_vec();
        events.retain(|event| *event != missing);
        let found = Found { considered: considered(&events, 112), ..complete() };
        assert!(!found.trail().is_complete(), "{missing:?}");
    }
}

#[test]
fn store_that_tells_no_time_counts_from_when_the_stage_could_happen() {
    let mut found = complete();
    found.analysis = Some(Analysis::Stored(Passed { at: None }));
    found.scores = None;
    let stalls = found.trail().stalled_at(after(700), LIMITS);
    assert_eq!(stalls, [Stall { stage: Stage::Scores, since: after(101), due: after(700) }]);
}

#[test]
fn end_and_publication_stall_too() {
    let mut found = published();
    found.header.published_at = None;
    assert_eq!(stages(&found.trail().stalled_at(after(700), LIMITS)), [Stage::Published]);
    found.header.ended = None;
    let trail = found.trail();
    // While it has an owner, and a while longer, it counts as live.
    assert_eq!(trail.stalled_at(after(190 + 59), LIMITS), []);
    assert_eq!(stages(&trail.stalled_at(after(190 + 60), LIMITS)), [Stage::Ended]);
}

#[test]
fn same_stall_is_the_same_event_whenever_it_is_found() {
    let mut found = complete();
    found.transcript = None;
    let trail = found.trail();
    let event = |now| trail.stalled(trail.stalled_at(now, LIMITS)[0]);
    assert_eq!(event(after(700)), event(after(90_000)));
    assert_eq!(event(after(700)).occurred_at, after(700));
    found.activity = None;
    let trail = found.trail();
    let ids: Vec<_> =
        trail.stalled_at(after(700), LIMITS).iter().map(|stall| trail.stalled(*stall).id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn of_a_deleted_conversation_nothing_is_expected_any_more() {
    let mut found = published();
    assert!(!found.trail().is_complete());
    found.header.deleted_at = Some(after(500));
    let trail = found.trail();
    assert!(trail.is_complete());
    assert_eq!(trail.stalled_at(after(1_000_000), LIMITS), []);
}

#[test]
fn stage_that_seems_to_precede_its_condition_took_no_time() {
    // Published at 101 s and a bit; S3 cuts the bit off the time of the transcript.
    let mut found = complete();
    let bit = SignedDuration::from_millis(640);
    found.header.published_at = Some(after(101) + bit);
    found.transcript = passed(101);
    let took = |found: &Found, stage| {
        found.trail().steps.iter().find(|step| step.stage == stage).and_then(Step::took_ms)
    };
    assert_eq!(took(&found, Stage::Transcript), Some(0));
    found.transcript = passed(103);
    assert_eq!(took(&found, Stage::Transcript), Some(1_360));
    found.transcript = Some(Passed { at: None });
    assert_eq!(took(&found, Stage::Transcript), None);
    found.transcript = None;
    assert_eq!(took(&found, Stage::Transcript), None);
}

#[test]
fn path_says_where_a_conversation_is_and_what_is_overdue() {
    let status = |path: &ConversationPath, stage: Stage| {
        path.stages.iter().find(|report| report.stage == stage).unwrap().status
    };
    let mut live = published();
    (live.header.ended, live.header.published_at) = (None, None);
    let path = live.path(after(150));
    assert_eq!((path.state, path.owner.as_deref()), (PathState::Live, Some("ingress-1")));

    let path = published().path(after(110));
    assert_eq!((path.state, path.owner), (PathState::InTime, None));
    let path = published().path(after(100 + i64::from(LIMITS.complete_seconds)));
    assert_eq!(path.state, PathState::Stalled);
    let overdue = path.stages.iter().filter(|report| report.overdue_since.is_some());
    assert_eq!(
        overdue.map(|report| report.stage).collect::<Vec<_>>(),
        [Stage::Transcript, Stage::Analysis, Stage::Activity]
    );
    assert_eq!(status(&path, Stage::Scores), StageCondition::Waiting);

    let path = complete().path(after(10_000));
    assert_eq!(path.state, PathState::Complete);
    let transcript = path.stages.iter().find(|report| report.stage == Stage::Transcript).unwrap();
    assert_eq!((transcript.at, transcript.took_ms), (Some(after(102)), Some(1_000)));
}
