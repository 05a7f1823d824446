//! PURE. The result of a sweep over a learner's data, and the next step.

use jiff::{SignedDuration, Timestamp};

/// Numbers of items that a sweep found and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Sessions of signed-in browsers.
    pub(super) sessions: usize,
    /// Conversations.
    pub(super) conversations: usize,
    /// Items in the journal: headers and turns.
    pub(super) journal_items: usize,
    /// Versions and delete markers of transcripts, assessments and recordings.
    pub(super) objects: usize,
    /// Items of the UserProgress table.
    pub(super) progress_items: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Only the account is left.
    DeleteAccount,
    /// More data may arrive.
    SweepAgain {
        /// Delay in seconds, from 1 to the settling time.
        after_seconds: i32,
    },
}

impl Found {
    /// Whether the sweep found nothing.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The step after a sweep that started at `now` and found `found`; the learner requested the deletion at `requested_at`.
///
/// Everything that was in progress at the request (tickets, handlers of the pipeline) ends within `settle_seconds`. The
/// account is therefore deleted after a sweep that started later and found nothing.
pub(super) fn next(found: &Found, requested_at: Timestamp, now: Timestamp, settle_seconds: i32) -> Next {
    let settled = requested_at.saturating_add(SignedDuration::from_secs(settle_seconds.into()));
    let left = settled.unwrap_or(Timestamp::MAX).duration_since(now).as_millis();
    match (found.is_nothing(), left) {
        (true, ..=0) => Next::DeleteAccount,
        (false, ..=0) => Next::SweepAgain { after_seconds: settle_seconds.max(1) },
        (_, left) => {
            let seconds = i32::try_from((left + 999) / 1000).unwrap_or(i32::MAX);
            Next::SweepAgain { after_seconds: seconds.clamp(1, settle_seconds.max(1)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTLE_SECONDS: i32 = 900;

    fn asked() -> Timestamp {
        "2026-11-25T08:15:30Z".parse().unwrap()
    }

    fn after(millis: i64) -> Timestamp {
        asked() + SignedDuration::from_millis(millis)
    }

    #[test]
    fn an_account_goes_after_a_late_look_that_found_nothing() {
        let nothing = Found::default();
        assert_eq!(next(&nothing, asked(), after(900_000), SETTLE_SECONDS), Next::DeleteAccount);
        let early = next(&nothing, asked(), after(899_999), SETTLE_SECONDS);
        assert_eq!(early, Next::SweepAgain { after_seconds: 1 });
        let at_once = next(&nothing, asked(), asked(), SETTLE_SECONDS);
        assert_eq!(at_once, Next::SweepAgain { after_seconds: 900 });
    }

    #[test]
    fn whatever_is_found_late_is_waited_for_once_more() {
        for found in [
            Found { sessions: 1, ..Found::default() },
            Found { conversations: 1, ..Found::default() },
            Found { journal_items: 1, ..Found::default() },
            Found { objects: 1, ..Found::default() },
            Found { progress_items: 1, ..Found::default() },
        ] {
            let late = next(&found, asked(), after(5_000_000), SETTLE_SECONDS);
            assert_eq!(late, Next::SweepAgain { after_seconds: SETTLE_SECONDS });
        }
    }

    proptest! {
        #[test]
        fn the_next_look_comes_in_its_time(
            objects in 0usize..3, millis in -10_000_000i64..10_000_000, settle in 1i32..=900,
        ) {
            let found = Found { objects, ..Found::default() };
            match next(&found, asked(), after(millis), settle) {
                Next::DeleteAccount => prop_assert!(objects == 0 && millis >= i64::from(settle) * 1000),
                Next::SweepAgain { after_seconds } => {
                    prop_assert!((1..=settle).contains(&after_seconds));
                    let again = after(millis + i64::from(after_seconds) * 1000);
                    let fresh = next(&Found::default(), asked(), again, settle);
                    prop_assert!(millis < 0 || fresh == Next::DeleteAccount, "{fresh:?}");
                }
            }
        }
    }
}
