//! PURE. The watchdog's decision about a conversation, from its header in the journal.

use std::time::Duration;

use events::{
    contract::{ConversationId, EndReason},
    journal::{Conversation, End, Header},
};
use jiff::{SignedDuration, Timestamp};

/// How long a watched conversation may be missing from the journal, in minutes since its start. The watchdog message is
/// sent before the header is written, earlier by at most the duration of the calls of one start.
pub(super) const UNKNOWN_MINUTES_MAX: i64 = 30;

/// Delay before the next check for a missing header. The fourth check is the last.
pub(super) const UNKNOWN_RETRY: Duration = Duration::from_secs(11 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The header may still be written: check again later.
    Wait,
    /// The header will not be written any more.
    GiveUp,
    /// An ingress holds it: check again later.
    WatchAgain,
    /// The lease has expired: take over, end and publish.
    TakeOver,
    /// It has ended and is not published: publish.
    Publish,
    /// It is published: check its stages in the pipeline.
    Audit,
}

/// The decision at `now` about the conversation `id` with its `header` in the journal.
pub(super) fn decide(id: ConversationId, header: Option<&Header>, now: Timestamp) -> Decision {
    let Some(header) = header else {
        let missing = now.duration_since(id.started_at());
        let late = missing > SignedDuration::from_mins(UNKNOWN_MINUTES_MAX);
        return if late { Decision::GiveUp } else { Decision::Wait };
    };
    match (header.ended, header.published_at) {
        (Some(_), Some(_)) => Decision::Audit,
        (Some(_), None) => Decision::Publish,
        (None, _) if header.is_stale(now) => Decision::TakeOver,
        (None, _) => Decision::WatchAgain,
    }
}

/// The end of a conversation without a live owner: with the reason of its handover, or else `ingress_lost`. Usage and metrics
/// that a lost owner had not journalled are lost.
pub(super) fn end(conversation: &Conversation) -> End {
    let header = &conversation.header;
    let progress = header.progress.clone().unwrap_or_default();
    let reason = header.handed_over_as.unwrap_or(EndReason::IngressLost);
    End { metrics: progress.metrics, ..End::of_turns(reason, progress.usage, &conversation.turns) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::completed;
    use events::{
        contract::{ConversationCompleted, ConversationMetrics, EndReason, Usage},
        journal::{End, Ended, Progress, Start, WATCH_DELAY_SECONDS, WATCH_DELAY_SECONDS_MAX},
    };

    const LEASE_SECONDS: i64 = 90;

    fn id() -> ConversationId {
        completed(0).conversation_id
    }

    fn after(seconds: i64) -> Timestamp {
        id().started_at() + SignedDuration::from_secs(seconds)
    }

    fn header(ended: bool, published: bool) -> Header {
        let ConversationCompleted {
            conversation_id,
            user_id,
            image_id,
            level,
            feedback_language,
            time_zone,
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
        let end = End {
            reason: EndReason::Learner,
            usage: Usage::default(),
            turns: 0,
            learner_turns: Some(0),
            learner_speech_ms: 0,
            metrics: None,
        };
        Header {
            start,
            claim: "claim-1".to_owned(),
            epoch: 1,
            lease_until: after(LEASE_SECONDS),
            handover_requested_by: None,
            handed_over_as: None,
            progress: None,
            ended: ended.then(|| Ended { at: after(60), end }),
            published_at: published.then(|| after(61)),
            objectives_met: None,
            deleted_at: None,
        }
    }

    #[test]
    fn held_conversation_is_watched_until_its_lease_is_over() {
        let held = header(false, false);
        assert_eq!(decide(id(), Some(&held), after(LEASE_SECONDS - 1)), Decision::WatchAgain);
        assert_eq!(decide(id(), Some(&held), after(LEASE_SECONDS)), Decision::TakeOver);
    }

    #[test]
    fn ended_conversation_is_published_once_whatever_its_lease() {
        for seconds in [61, LEASE_SECONDS * 100] {
            assert_eq!(decide(id(), Some(&header(true, false)), after(seconds)), Decision::Publish);
            assert_eq!(decide(id(), Some(&header(true, true)), after(seconds)), Decision::Audit);
        }
    }

    #[test]
    fn conversation_that_was_let_go_ends_as_its_owner_said_with_what_was_used() {
        let mut conversation = Conversation { header: header(false, false), turns: Vec::new() };
        assert_eq!(end(&conversation).reason, EndReason::IngressLost);
        let mut usage = Usage::default();
        usage.input.speech_tokens = 7;
        let metrics = Some(ConversationMetrics { takeovers: 2, ..ConversationMetrics::default() });
        conversation.header.progress = Some(Progress { usage, metrics, ..Progress::default() });
        conversation.header.handed_over_as = Some(EndReason::Shutdown);
        let ended = end(&conversation);
        assert_eq!((ended.reason, ended.usage, ended.metrics), (EndReason::Shutdown, usage, metrics));
        assert!(!ended.reason.is_abnormal());
        // Taken up since, and lost then.
        conversation.header.handed_over_as = None;
        assert_eq!(end(&conversation).reason, EndReason::IngressLost);
        assert_eq!(end(&conversation).usage, usage);
    }

    #[test]
    fn unknown_conversation_is_given_up_at_the_fourth_look() {
        const LOOKS: i64 = 4;
        let retry = i64::try_from(UNKNOWN_RETRY.as_secs()).unwrap();
        for first in [1, WATCH_DELAY_SECONDS, WATCH_DELAY_SECONDS_MAX] {
            let last = i64::from(first) + (LOOKS - 1) * retry;
            assert_eq!(decide(id(), None, after(last)), Decision::GiveUp, "looked at first after {first} s");
        }
    }

    #[test]
    fn unknown_conversation_is_waited_for() {
        assert_eq!(decide(id(), None, after(0)), Decision::Wait);
        assert_eq!(decide(id(), None, after(UNKNOWN_MINUTES_MAX * 60)), Decision::Wait);
        assert_eq!(decide(id(), None, after(UNKNOWN_MINUTES_MAX * 60 + 1)), Decision::GiveUp);
    }
}
