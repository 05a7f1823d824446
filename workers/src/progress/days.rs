//! PURE. The set of days on which a learner had a conversation, stored as runs of consecutive days. The result does not
//! depend on the order of insertions, and repeated insertions change nothing. Streaks are computed from the runs.
//!
//! The text form has one word per run, `2026-11-20+3`: the first day and the length. A learner who practises every other
//! day for twenty years has about 47 kB of text, an eighth of the maximum size of an item.

use std::collections::BTreeMap;

use events::contract::Streak;
use jiff::{Span, civil::Date};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// First and last day of each run. Runs are never adjacent.
    runs: BTreeMap<Date, Date>,
}

/// The text is not a set of days.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a run of days")]
pub(super) struct InvalidDaysError(String);

impl Days {
    pub(super) fn insert(&mut self, day: Date) {
        let before = self.runs.range(..=day).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| day <= last) {
            return;
        }
        let first = before
            .filter(|(_, last)| last.tomorrow().is_ok_and(|next| next == day))
            .map_or(day, |(first, _)| first);
        let after = day.tomorrow().ok().and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, after.unwrap_or(day));
    }

    /// The current and the longest streak.
    pub(super) fn streak(&self) -> Streak {
        let longest = self.runs.iter().map(|(first, last)| length(*first, *last)).max();
        let latest = self.runs.last_key_value();
        Streak {
            current_days: latest.map_or(0, |(first, last)| length(*first, *last)),
            longest_days: longest.unwrap_or(0),
            last_day: latest.map(|(_, last)| *last),
        }
    }

    pub(super) fn write(&self) -> String {
        let run = |(first, last): (&Date, &Date)| format!("{first}+{}", length(*first, *last));
        self.runs.iter().map(run).collect::<Vec<_>>().join(" ")
    }

    /// Parses the text form.
    pub(super) fn read(text: &str) -> Result<Self, InvalidDaysError> {
        let run = |word: &str| -> Option<(Date, Date)> {
            let (first, days) = word.split_once('+')?;
            let (first, days): (Date, i64) = (first.parse().ok()?, days.parse().ok()?);
            let last = first.checked_add(Span::new().try_days(days.checked_sub(1)?).ok()?).ok()?;
            (last >= first).then_some((first, last))
        };
        let runs =
            text.split_whitespace().map(|word| run(word).ok_or_else(|| InvalidDaysError(word.to_owned())));
        Ok(Self { runs: runs.collect::<Result<_, _>>()? })
    }
}

/// Number of days from `first` to `last`, both included.
fn length(first: Date, last: Date) -> u32 {
    u32::try_from((last - first).get_days()).unwrap_or(0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn days(all: &[Date]) -> Days {
        let mut days = Days::default();
        all.iter().for_each(|day| days.insert(*day));
        days
    }

    fn streak(all: &[Date]) -> (u32, u32) {
        let streak = days(all).streak();
        (streak.current_days, streak.longest_days)
    }

    #[test]
    fn streaks_are_runs_of_the_calendar() {
        assert_eq!(days(&[]).streak(), Streak::default());
        assert_eq!(streak(&[date(2026, 2, 28), date(2026, 3, 1)]), (2, 2));
        assert_eq!(streak(&[date(2028, 2, 28), date(2028, 3, 1)]), (1, 1), "a leap year has a day between");
        assert_eq!(streak(&[date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 3)]), (1, 2));
        assert_eq!(days(&[date(2027, 1, 1)]).streak().last_day, Some(date(2027, 1, 1)));
    }

    #[test]
    fn late_day_closes_the_gap_between_two_runs() {
        let mut days = days(&[date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 23)]);
        assert_eq!(days.write(), "2026-11-20+2 2026-11-23+1");
        days.insert(date(2026, 11, 22));
        assert_eq!((days.write().as_str(), days.streak().current_days), ("2026-11-20+4", 4));
        days.insert(date(2026, 11, 21));
        assert_eq!(days.write(), "2026-11-20+4");
    }

    #[test]
    fn text_that_is_no_set_is_refused() {
        for wrong in ["today", "2026-11-20", "2026-11-20+0", "2026-11-20+-3", "2026-13-01+1", "9999-12-31+2"]
        {
            assert_eq!(Days::read(wrong), Err(InvalidDaysError(wrong.to_owned())));
        }
        let mut last = Days::read("9999-12-31+1").unwrap();
        last.insert(date(9999, 12, 30));
        assert_eq!(last.write(), "9999-12-30+2");
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_set_and_the_streaks_of_the_calendar(
            offsets in prop::collection::vec(0i32..40, 0..30),
            order in any::<prop::sample::Index>(),
        ) {
            let day = |offset: i32| date(2026, 11, 1) + Span::new().days(offset);
            let all: Vec<Date> = offsets.iter().map(|offset| day(*offset)).collect();
            let mut other = all.clone();
            other.rotate_left(if all.is_empty() { 0 } else { order.index(all.len()) });
            other.reverse();
            let set = days(&all);
            prop_assert_eq!(&set, &days(&other));
            prop_assert_eq!(&Days::read(&set.write()).unwrap(), &set);

            // The same, counted day by day.
            let distinct: BTreeSet<i32> = offsets.into_iter().collect();
            let (mut run, mut longest) = (0, 0);
            for offset in 0..40 {
                run = if distinct.contains(&offset) { run + 1 } else { 0 };
                longest = longest.max(run);
            }
            let last = distinct.last().copied();
            let current = last.map_or(0, |last| (0..=last).rev().take_while(|offset| distinct.contains(offset)).count());
            let streak = set.streak();
            prop_assert_eq!(streak.longest_days, longest);
            prop_assert_eq!(streak.current_days as usize, current);
            prop_assert_eq!(streak.last_day, last.map(day));
        }
    }
}
