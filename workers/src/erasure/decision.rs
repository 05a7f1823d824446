//! PURE. What a look at a learner's data found, and what follows from it.

use jiff::{SignedDuration, Timestamp};

/// What was found of a learner and deleted, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Conversations.
    pub(super) conversations: usize,
    /// Their items in the journal: headers and turns.
    pub(super) journal_items: usize,
    /// Versions of objects: transcripts, assessments and recordings, and what marks deleted ones.
    pub(super) objects: usize,
    /// Items of the learner's progress.
    pub(super) progress_items: usize,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing of the learner is left but the account itself.
    DeleteAccount,
    /// Something may still come.
    LookAgain {
        /// After how many seconds, at least 1 and at most the time in which everything settles.
        after_seconds: i32,
    },
}

impl Found {
    /// Whether there was nothing.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What to do after a look that ended at `now` and found `found`, of a learner who asked at `requested_at`.
///
/// What was under way when the learner asked, a ticket, a handler of the pipeline, has come to its end within
/// `settle_seconds`. So the account goes after a look that began so late and found nothing; a look that found something
/// is followed by another.
pub(super) fn next(found: &Found, requested_at: Timestamp, now: Timestamp, settle_seconds: i32) -> Next {
    let settled = requested_at.saturating_add(SignedDuration::from_secs(settle_seconds.into()));
    let left = settled.unwrap_or(Timestamp::MAX).duration_since(now).as_millis();
    match (found.is_nothing(), left) {
        (true, ..=0) => Next::DeleteAccount,
        (false, ..=0) => Next::LookAgain { after_seconds: settle_seconds.max(1) },
        (_, left) => {
            let seconds = i32::try_from((left + 999) / 1000).unwrap_or(i32::MAX);
            Next::LookAgain { after_seconds: seconds.clamp(1, settle_seconds.max(1)) }
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
        assert_eq!(early, Next::LookAgain { after_seconds: 1 });
        let at_once = next(&nothing, asked(), asked(), SETTLE_SECONDS);
        assert_eq!(at_once, Next::LookAgain { after_seconds: 900 });
    }

    #[test]
    fn whatever_is_found_late_is_waited_for_once_more() {
        for found in [
            Found { conversations: 1, ..Found::default() },
            Found { journal_items: 1, ..Found::default() },
            Found { objects: 1, ..Found::default() },
            Found { progress_items: 1, ..Found::default() },
        ] {
            let late = next(&found, asked(), after(5_000_000), SETTLE_SECONDS);
            assert_eq!(late, Next::LookAgain { after_seconds: SETTLE_SECONDS });
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
                Next::LookAgain { after_seconds } => {
                    prop_assert!((1..=settle).contains(&after_seconds));
                    let again = after(millis + i64::from(after_seconds) * 1000);
                    let fresh = next(&Found::default(), asked(), again, settle);
                    prop_assert!(millis < 0 || fresh == Next::DeleteAccount, "{fresh:?}");
                }
            }
        }
    }
}
