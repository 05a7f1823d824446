//! PURE. A learner's level and its direction: a function of the ten latest assessed conversations, ordered by their start.
//! It does not depend on the order in which the assessments arrive.
//!
//! Levels count from 0 (A1) to 5 (C2). A smoothed level starts at the first of the ten and moves three tenths of the
//! distance to each next assessment, where a distance counts as at most one level: one outlier moves it by at most 0.3. The
//! shown level starts at the first assessment and moves by one when the smoothed level is 0.75 levels away (hysteresis):
//! four consecutive assessments one level higher move it, two do not. All arithmetic is in whole thousandths of a level.
//!
//! The direction compares the medians of the later and the earlier half of the ten: a difference of half a level or more is
//! a direction; with fewer than four assessments it is steady.

use std::collections::BTreeSet;

use events::contract::{ConversationId, Direction, Level, Trend};
use serde::{Deserialize, Serialize};

/// Maximum number of assessments that count.
pub(super) const LATEST_MAX: usize = 10;

/// Minimum number of assessments for a direction.
const DIRECTION_MIN: usize = 4;

/// Thousandths of a level in a level.
const SCALE: i64 = 1_000;

/// Distance of the smoothed level from the shown level that moves the latter, in thousandths.
const MOVES_AT: i64 = 750;

/// Tenths of the distance that the smoothed level moves.
const TENTHS: i64 = 3;

const LEVELS: [Level; 6] = [Level::A1, Level::A2, Level::B1, Level::B2, Level::C1, Level::C2];

/// An assessed conversation. The order is that of the starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assessed {
    /// Start of the conversation, in milliseconds since the Unix epoch.
    pub(super) started_at_ms: i64,
    pub(super) conversation_id: ConversationId,
    pub(super) level: Level,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Latest(BTreeSet<Assessed>);

impl Latest {
    /// Adds an assessment and drops the oldest beyond [`LATEST_MAX`].
    pub(super) fn insert(&mut self, assessed: Assessed) {
        self.0.insert(assessed);
        while self.0.len() > LATEST_MAX {
            self.0.pop_first();
        }
    }

    /// The trend; `None` without assessments.
    pub(super) fn trend(&self) -> Option<Trend> {
        let levels: Vec<i64> = self.0.iter().map(|assessed| assessed.level as i64).collect();
        let (first, later) = levels.split_first()?;
        let (mut shown, mut smoothed) = (*first, first * SCALE);
        for level in later {
            let target = (level * SCALE).clamp(smoothed - SCALE, smoothed + SCALE);
            smoothed += (target - smoothed) * TENTHS / 10;
            if smoothed >= shown * SCALE + MOVES_AT {
                shown += 1;
            } else if smoothed <= shown * SCALE - MOVES_AT {
                shown -= 1;
            }
        }
        let level = usize::try_from(shown).ok().and_then(|index| LEVELS.get(index)).copied()?;
        let assessments = u32::try_from(levels.len()).unwrap_or(u32::MAX);
        Some(Trend { level, direction: direction(&levels), assessments })
    }
}

fn direction(levels: &[i64]) -> Direction {
    let half = levels.len() / 2;
    if levels.len() < DIRECTION_MIN {
        return Direction::Steady;
    }
    // Twice the median.
    let middle = |half: &[i64]| {
        let mut sorted = half.to_vec();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]
    };
    let gained = middle(&levels[levels.len() - half..]) - middle(&levels[..half]);
    if gained >= 1 {
        Direction::Rising
    } else if gained <= -1 {
        Direction::Falling
    } else {
        Direction::Steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{A1, A2, B1, B2, C1, C2};
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn assessed(minute: u8, level: Level) -> Assessed {
        let at = Timestamp::from_second(1_795_000_000 + i64::from(minute) * 60).unwrap();
        Assessed {
            started_at_ms: at.as_millisecond(),
            conversation_id: ConversationId::new(at, [minute; 10]),
            level,
        }
    }

    fn latest(levels: &[Level]) -> Latest {
        let mut latest = Latest::default();
        for (minute, level) in (0u8..).zip(levels) {
            latest.insert(assessed(minute, *level));
        }
        latest
    }

    #[track_caller]
    fn trend(levels: &[Level]) -> (Level, Direction) {
        let trend = latest(levels).trend().unwrap();
        assert_eq!(trend.assessments as usize, levels.len().min(LATEST_MAX));
        (trend.level, trend.direction)
    }

    #[test]
    fn levels_count_from_zero() {
        assert_eq!(LEVELS.map(|level| level as usize), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn level_moves_when_four_in_a_row_agree() {
        assert_eq!(latest(&[]).trend(), None);
        assert_eq!(trend(&[B1]), (B1, Direction::Steady));
        assert_eq!(trend(&[B1, B2, B2, B2]), (B1, Direction::Rising));
        assert_eq!(trend(&[B1, B2, B2, B2, B2]), (B2, Direction::Rising));
        assert_eq!(trend(&[B2, B1, B1, B1, B1]), (B1, Direction::Falling));
        assert_eq!(trend(&[A1, A2, B1, B2, C1, C2, C2, C2, C2, C2]).1, Direction::Rising);
    }

    #[test]
    fn odd_assessments_do_not_move_it() {
        assert_eq!(trend(&[B1, B1, C2, B1, B1, B1]), (B1, Direction::Steady));
        assert_eq!(trend(&[B1, A1, B1, B2, B1, C2]).0, B1);
        assert_eq!(
            trend(&[B1, B2, B1, B2, B1, B2, B1, B2]).0,
            B1,
            "between two levels it stays where it was"
        );
    }

    #[test]
    fn only_the_latest_ten_count() {
        let mut levels = vec![A1; 5];
        levels.extend([C1; LATEST_MAX]);
        assert_eq!(trend(&levels), (C1, Direction::Steady));
    }

    proptest! {
        #[test]
        fn trend_does_not_depend_on_the_order_of_arrival(
            levels in prop::collection::vec(prop::sample::select(LEVELS.to_vec()), 0..16),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..16),
        ) {
            let in_order = latest(&levels);
            let mut arrivals: Vec<_> = (0u8..).zip(&levels).map(|(minute, level)| assessed(minute, *level)).collect();
            for (place, other) in order.iter().enumerate().take(levels.len()) {
                arrivals.swap(place, other.index(levels.len()));
            }
            let mut shuffled = Latest::default();
            // Each twice: adding again changes nothing.
            arrivals.iter().chain(&arrivals).for_each(|assessed| shuffled.insert(*assessed));
            prop_assert_eq!(&shuffled, &in_order);
            if let Some(trend) = in_order.trend() {
                let counted = &levels[levels.len().saturating_sub(LATEST_MAX)..];
                prop_assert!(counted.iter().min() <= Some(&trend.level) && Some(&trend.level) <= counted.iter().max());
            }
        }
    }
}
