//! PURE. The load: when conversations begin.

/// Conversations of a day.
const LEARNERS: f64 = 10_000.0;

/// Percent of a day's conversations by hour of the day: lessons from 8 to 17, and learners at home in the evening.
const HOURS: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 6.0, 9.0, 10.0, 9.0, 5.0, 8.0, 9.0, 7.0, 5.0, 4.0, 5.0, 6.0, 6.0,
    5.0, 2.0, 1.0,
];

/// Of an hour's conversations, this share begins in its first minutes: a lesson.
const LESSON_SHARE: f64 = 0.5;
const LESSON_SECONDS: u32 = 20 * 60;

const HOUR: u32 = 3_600;

/// The factor of the surge, its start and its length.
const SURGE_FACTOR: f64 = 100.0;
const SURGE_FROM: u32 = HOUR;
const SURGE_SECONDS: u32 = 600;

/// A load over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// 10,000 learners with one conversation each, in lessons and at home.
    SchoolDay,
    /// The mean of that day, and a hundred times as much for ten minutes, of conversations and of messages to the workers: what a
    /// campaign starts, and what a sweep after an outage publishes again.
    Surge,
}

impl Scenario {
    /// Both.
    pub const ALL: [Self; 2] = [Self::SchoolDay, Self::Surge];

    /// Name of its plot.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SchoolDay => "school-day",
            Self::Surge => "surge",
        }
    }

    /// Title of its plot.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::SchoolDay => "A school day: 10,000 learners, one conversation of ten minutes each",
            Self::Surge => "A surge: a hundred times the mean load for ten minutes",
        }
    }

    /// Its length.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::SchoolDay => 24 * HOUR,
            Self::Surge => 4 * HOUR,
        }
    }

    /// Conversations that begin in a second.
    pub(super) fn starts(self, at: u32) -> f64 {
        let mean = LEARNERS / f64::from(24 * HOUR);
        match self {
            Self::SchoolDay => {
                let hour = usize::try_from(at / HOUR % 24).unwrap_or_default();
                let each = LEARNERS * HOURS[hour] / 100.0;
                let spread = each * (1.0 - LESSON_SHARE) / f64::from(HOUR);
                let is_lesson = at % HOUR < LESSON_SECONDS;
                spread + if is_lesson { each * LESSON_SHARE / f64::from(LESSON_SECONDS) } else { 0.0 }
            }
            Self::Surge if is_surge(at) => mean * SURGE_FACTOR,
            Self::Surge => mean,
        }
    }

    /// Ended conversations whose messages reach the workers in a second, besides those of the simulated ingress.
    pub(super) fn replayed(self, at: u32) -> f64 {
        match self {
            Self::SchoolDay => 0.0,
            Self::Surge if is_surge(at) => LEARNERS / f64::from(24 * HOUR) * SURGE_FACTOR,
            Self::Surge => 0.0,
        }
    }
}

fn is_surge(at: u32) -> bool {
    (SURGE_FROM..SURGE_FROM + SURGE_SECONDS).contains(&at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_learner_talks_once_on_a_school_day() {
        let sum: f64 = (0..Scenario::SchoolDay.seconds()).map(|at| Scenario::SchoolDay.starts(at)).sum();
        assert!((sum - LEARNERS).abs() < 1.0, "{sum}");
    }
}
