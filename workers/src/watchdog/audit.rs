//! PURE. The audit of a published conversation: whether it has passed the whole pipeline, which stalls to publish, and when to
//! check again.

use events::{
    contract::Stage,
    journal::WATCH_DELAY_SECONDS_MAX,
    pipeline::{Limits, Stall, Status, Trail},
};
use jiff::{SignedDuration, Timestamp};

/// When a published conversation is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// The time limits of a conversation and its stages.
    pub(super) limits: Limits,
    /// Seconds between two checks while no stage is overdue.
    pub(super) delay_seconds: i32,
    /// Seconds between two checks of a stalled conversation.
    pub(super) late_delay_seconds: i32,
    /// Seconds after its end at which the audit is given up.
    pub(super) end_seconds: u32,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The stalls that this message has not reported before.
    pub(super) stalls: Vec<Stall>,
    /// Stages that happened after they were reported as stalled.
    pub(super) recovered: Vec<Stage>,
    pub(super) next: Next,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Every stage has happened: no further message.
    Complete,
    /// The audit ends with a missing stage: no further message.
    GiveUp,
    /// Another message is sent.
    CheckAgain {
        after_seconds: i32,
        /// The reported stages that are still missing.
        stalled: Vec<Stage>,
    },
}

/// Checks `trail` at `now`. This message has reported the stages `reported` before.
pub(super) fn judge(trail: &Trail, reported: &[Stage], now: Timestamp, schedule: Schedule) -> Judgement {
    let is_missing =
        |stage: Stage| trail.steps.iter().any(|step| step.stage == stage && step.status == Status::Missing);
    let (mut stalled, recovered): (Vec<Stage>, Vec<Stage>) =
        reported.iter().copied().partition(|stage| is_missing(*stage));
    let mut stalls = trail.stalled_at(now, schedule.limits);
    stalls.retain(|stall| !reported.contains(&stall.stage));
    stalled.extend(stalls.iter().map(|stall| stall.stage));
    let next = if trail.is_complete() {
        Next::Complete
    } else if is_over(trail, now, schedule) {
        Next::GiveUp
    } else {
        let delay_max = if stalled.is_empty() { schedule.delay_seconds } else { schedule.late_delay_seconds };
        let due = trail.next_due(now, schedule.limits).map(|due| seconds_until(due, now));
        Next::CheckAgain { after_seconds: due.map_or(delay_max, |due| due.min(delay_max)), stalled }
    };
    Judgement { stalls, recovered, next }
}

fn is_over(trail: &Trail, now: Timestamp, schedule: Schedule) -> bool {
    let lasts = SignedDuration::from_secs(schedule.end_seconds.into());
    trail.ended_at().is_some_and(|ended| now.duration_since(ended) >= lasts)
}

/// Seconds until `at`, rounded up, at least one.
fn seconds_until(at: Timestamp, now: Timestamp) -> i32 {
    let millis = at.duration_since(now).as_millis().max(1);
    i32::try_from((millis + 999) / 1000).unwrap_or(WATCH_DELAY_SECONDS_MAX).min(WATCH_DELAY_SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::{completed, header};
    use events::pipeline::{Analysis, Found, Passed};
    use std::collections::BTreeMap;

    const SCHEDULE: Schedule = Schedule {
        limits: Limits { complete_seconds: 600, stage_seconds: 60 },
        delay_seconds: 120,
        late_delay_seconds: 900,
        end_seconds: 86_400,
    };

    /// Seconds after the end of the conversation, which is published at once.
    fn after(seconds: i64) -> Timestamp {
        completed(0).ended_at + SignedDuration::from_secs(seconds)
    }

    /// A conversation with all stages except the alerts, changed by `spoil`.
    fn trail(spoil: impl FnOnce(&mut Found)) -> Trail {
        let passed = Passed { at: Some(after(10)) };
        let mut found = Found {
            header: header(true, Some(after(0))),
            transcript: Some(passed),
            analysis: Some(Analysis::Stored(passed)),
            activity: Some(passed),
            scores: Some(passed),
            considered: BTreeMap::new(),
        };
        spoil(&mut found);
        found.trail()
    }

    fn again(judgement: &Judgement) -> (i32, &[Stage]) {
        let Next::CheckAgain { after_seconds, stalled } = &judgement.next else {
            panic!("{judgement:?} is the end")
        };
        (*after_seconds, stalled)
    }

    fn reported(judgement: &Judgement) -> Vec<Stage> {
        judgement.stalls.iter().map(|stall| stall.stage).collect()
    }

    #[test]
    fn looks_go_on_in_time_and_the_one_that_is_late_comes_when_it_is_due() {
        let trail = trail(|found| found.transcript = None);
        for (seconds, expected) in [(0, 120), (479, 120), (480, 120), (500, 100), (599, 1)] {
            let judgement = judge(&trail, &[], after(seconds), SCHEDULE);
            assert_eq!(again(&judgement), (expected, &[][..]), "{seconds}");
            assert_eq!(judgement.stalls, []);
        }
        let judgement = judge(&trail, &[], after(600), SCHEDULE);
        assert_eq!(reported(&judgement), [Stage::Transcript, Stage::Alerts]);
        assert_eq!(again(&judgement), (900, &[Stage::Transcript, Stage::Alerts][..]));
    }

    #[test]
    fn what_was_told_is_not_told_again_and_what_happened_since_has_recovered() {
        let missing = trail(|found| found.transcript = None);
        let before = [Stage::Transcript, Stage::Alerts];
        let judgement = judge(&missing, &before, after(1500), SCHEDULE);
        assert_eq!((reported(&judgement), judgement.recovered.as_slice()), (vec![], &[][..]));
        assert_eq!(again(&judgement), (900, &before[..]));
        let judgement = judge(&trail(|_| {}), &before, after(1500), SCHEDULE);
        assert_eq!((reported(&judgement), judgement.recovered.as_slice()), (vec![], &before[..1]));
        assert_eq!(again(&judgement), (900, &before[1..]));
    }

    #[test]
    fn next_stage_that_becomes_due_does_not_wait_for_the_late_look() {
        let late = Passed { at: Some(after(1490)) };
        let trail = trail(|found| (found.analysis, found.scores) = (Some(Analysis::Stored(late)), None));
        let judgement = judge(&trail, &[Stage::Analysis], after(1500), SCHEDULE);
        assert_eq!((reported(&judgement), judgement.recovered.as_slice()), (vec![], &[Stage::Analysis][..]));
        assert_eq!(again(&judgement), (50, &[][..]));
        let judgement = judge(&trail, &[], after(1550), SCHEDULE);
        assert_eq!(reported(&judgement), [Stage::Scores]);
    }

    /// Follows one message from the publication to its end, with nothing happening.
    fn looks(schedule: Schedule) -> (u32, Vec<Stage>) {
        let trail = trail(|found| found.analysis = None);
        let (mut now, mut stalled, mut all, mut looks) = (after(0), Vec::new(), Vec::new(), 0);
        loop {
            looks += 1;
            let judgement = judge(&trail, &stalled, now, schedule);
            all.extend(reported(&judgement));
            match judgement.next {
                Next::CheckAgain { after_seconds, stalled: next } => {
                    assert!((1..=WATCH_DELAY_SECONDS_MAX).contains(&after_seconds), "{after_seconds}");
                    now += SignedDuration::from_secs(after_seconds.into());
                    stalled = next;
                }
                Next::GiveUp => return (looks, all),
                Next::Complete => panic!("nothing happened"),
            }
        }
    }

    #[test]
    fn number_of_looks_is_bounded_and_each_stage_is_told_once() {
        // Five in time, then one each quarter of an hour of a day.
        assert_eq!(looks(SCHEDULE), (5 + 97, vec![Stage::Analysis]));
        let short = Schedule { delay_seconds: 2, late_delay_seconds: 5, end_seconds: 60, ..SCHEDULE };
        let limits = Limits { complete_seconds: 10, stage_seconds: 1 };
        assert_eq!(looks(Schedule { limits, ..short }), (16, vec![Stage::Analysis]));
    }

    #[test]
    fn message_of_a_complete_conversation_ends_whenever_it_is_looked_at() {
        let events = ["conversation.completed", "conversation.analyzed"];
        let complete = trail(|found| {
            let id = found.header.start.conversation_id;
            for name in events {
                let event = events::contract::EventId::derive(id, name);
                let counted = events::contract::EventId::derive_caused(id, "progress.updated", name);
                found.considered.extend([(event, after(11)), (counted, after(12))]);
            }
        });
        for seconds in [0, 600, 1_000_000] {
            let judgement = judge(&complete, &[Stage::Alerts], after(seconds), SCHEDULE);
            assert_eq!(judgement.next, Next::Complete, "{seconds}");
            assert_eq!((judgement.stalls, judgement.recovered), (vec![], vec![Stage::Alerts]));
        }
    }
}
