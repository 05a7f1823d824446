//! PURE. Whether an alert is sent individually at once or in a batch later.
//!
//! - **Storms**: time is divided into windows. The first alerts of a rule in a window are sent at once and individually;
//!   the others are sent as one message at the end of the window. No alert is delayed by more than a window.
//! - **Quiet hours**: alerts of the severity `info` in the quiet hours are sent as one message at their end. Warnings and
//!   critical alerts are not delayed.

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};

use super::rules::Severity;

/// Maximum length of the quiet hours. An SQS message can wait for that long in three hops.
const QUIET_MAX: SignedDuration = SignedDuration::from_hours(12);

#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// Alerts of one rule that are sent individually in a window.
    pub(super) individual_max: u32,
    /// The length of a window, in seconds.
    pub(super) window_seconds: u32,
    pub(super) quiet: Option<QuietHours>,
}

/// Hours of the day in a time zone, the same every day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct QuietHours {
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// The batch to which an alert belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BatchAssignment {
    /// The name of the batch: equal for all alerts that are sent together.
    pub(super) batch: String,
    /// Why the alerts are batched.
    pub(super) kind: BatchKind,
    /// When the batch is sent.
    pub(super) due: Timestamp,
    /// How many alerts of the batch are sent individually.
    pub(super) individual_max: u32,
}

/// Why alerts are batched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchKind {
    /// Too many alerts of one rule.
    Storm,
    /// Quiet hours.
    Quiet,
}

impl Policy {
    pub(super) fn assign(&self, rule: &str, severity: Severity, now: Timestamp) -> BatchAssignment {
        let quiet = self.quiet.as_ref().filter(|_| severity == Severity::Info);
        if let Some(end) = quiet.and_then(|quiet| quiet.end(now)) {
            let batch = format!("quiet#{}", end.as_second());
            return BatchAssignment { batch, kind: BatchKind::Quiet, due: end, individual_max: 0 };
        }
        let window = i64::from(self.window_seconds.max(1));
        let start = now.as_second().div_euclid(window) * window;
        let due = Timestamp::from_second(start + window).unwrap_or(Timestamp::MAX);
        let batch = format!("storm#{rule}#{}#{start}", severity.name());
        BatchAssignment { batch, kind: BatchKind::Storm, due, individual_max: self.individual_max }
    }
}

impl QuietHours {
    /// Parses `hours`, for example `22:00-07:00`, in the time zone `zone`, an IANA name.
    ///
    /// # Errors
    /// The expected format.
    pub(super) fn new(hours: &str, zone: &str) -> Result<Self, String> {
        let expected = || format!("{hours:?}: two times of day are expected, for example 22:00-07:00");
        let (from, to) = hours.split_once('-').ok_or_else(expected)?;
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| expected());
        let (from, to) = (time(from)?, time(to)?);
        let zone =
            TimeZone::get(zone).map_err(|_| format!("{zone:?} is not a time zone of the IANA database"))?;
        let mut length = to.duration_since(from);
        if length <= SignedDuration::ZERO {
            length += SignedDuration::from_hours(24);
        }
        if length > QUIET_MAX {
            return Err(format!("{hours:?}: at most {} quiet hours a day are allowed", QUIET_MAX.as_hours()));
        }
        Ok(Self { from, to, zone })
    }

    /// The end of the quiet hours that contain `now`; `None` outside of them.
    fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let local = self.zone.to_datetime(now);
        let (time, today) = (local.time(), local.date());
        let over_night = self.from >= self.to;
        let inside = if over_night {
            time >= self.from || time < self.to
        } else {
            time >= self.from && time < self.to
        };
        if !inside {
            return None;
        }
        let day = if over_night && time >= self.from { today.tomorrow().ok()? } else { today };
        let end = self.zone.to_timestamp(day.to_datetime(self.to)).ok()?;
        // When clocks are set back, some local times occur twice.
        (end > now).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn policy(quiet: Option<QuietHours>) -> Policy {
        Policy { individual_max: 3, window_seconds: 300, quiet }
    }

    fn seoul() -> QuietHours {
        QuietHours::new("22:00-07:00", "Asia/Seoul").unwrap()
    }

    #[test]
    fn window_is_the_same_for_all_that_come_in_it() {
        let place = |at: Timestamp| policy(None).assign("rule", Severity::Critical, at);
        let first = place(at("2026-11-24T08:00:00Z"));
        assert_eq!(
            (first.due, first.kind, first.individual_max),
            (at("2026-11-24T08:05:00Z"), BatchKind::Storm, 3)
        );
        assert_eq!(place(at("2026-11-24T08:04:59.999Z")), first);
        assert_ne!(place(at("2026-11-24T08:05:00Z")).batch, first.batch);
        let now = at("2026-11-24T08:00:00Z");
        assert_ne!(policy(None).assign("other", Severity::Critical, now).batch, first.batch);
        assert_ne!(policy(None).assign("rule", Severity::Warning, now).batch, first.batch);
    }

    #[test]
    fn only_information_waits_for_the_end_of_the_quiet_hours() {
        let place = |severity, now: &str| policy(Some(seoul())).assign("rule", severity, at(now));
        // 23:30 in Seoul.
        let held = place(Severity::Info, "2026-11-24T14:30:00Z");
        assert_eq!(
            (held.due, held.kind, held.individual_max),
            (at("2026-11-24T22:00:00Z"), BatchKind::Quiet, 0)
        );
        assert_eq!(place(Severity::Info, "2026-11-24T21:59:59Z"), held, "the same night, after midnight");
        assert_eq!(place(Severity::Info, "2026-11-24T22:00:00Z").kind, BatchKind::Storm);
        for severity in [Severity::Warning, Severity::Critical] {
            assert_eq!(place(severity, "2026-11-24T14:30:00Z").kind, BatchKind::Storm);
        }
    }

    #[test]
    fn quiet_hours_begin_and_end_on_the_clock_on_the_wall() {
        let end = |quiet: &QuietHours, now: &str| quiet.end(at(now)).map(|end| end.to_string());
        assert_eq!(end(&seoul(), "2026-11-24T12:59:59Z"), None);
        assert_eq!(end(&seoul(), "2026-11-24T13:00:00Z").unwrap(), "2026-11-24T22:00:00Z");
        let noon = QuietHours::new("12:00-13:30", "UTC").unwrap();
        assert_eq!(end(&noon, "2026-11-24T12:00:00Z").unwrap(), "2026-11-24T13:30:00Z");
        assert_eq!((end(&noon, "2026-11-24T11:59:59Z"), end(&noon, "2026-11-24T13:30:00Z")), (None, None));
        // The night in which New York puts its clocks forward has an hour less.
        let new_york = QuietHours::new("22:00-07:00", "America/New_York").unwrap();
        assert_eq!(end(&new_york, "2026-03-08T03:00:00Z").unwrap(), "2026-03-08T11:00:00Z");
        assert_eq!(end(&new_york, "2026-03-07T03:00:00Z").unwrap(), "2026-03-07T12:00:00Z");
    }

    #[test]
    fn hours_that_are_none_or_too_long_are_refused() {
        for wrong in ["", "22:00", "22-7", "25:00-07:00", "22:00-07:00-08:00", "07:00-07:00", "08:00-20:01"] {
            assert!(QuietHours::new(wrong, "UTC").is_err(), "{wrong:?}");
        }
        assert!(QuietHours::new("08:00-20:00", "UTC").is_ok());
        assert!(QuietHours::new("22:00-07:00", "Mars/Olympus").unwrap_err().contains("Mars/Olympus"));
    }

    proptest! {
        #[test]
        fn whatever_waits_waits_for_a_bounded_time(
            seconds in 0i64..4_000_000_000,
            zone in prop::sample::select(vec!["Asia/Seoul", "America/New_York", "UTC", "Australia/Lord_Howe"]),
            (from, to) in (0i8..24, 0i8..24),
        ) {
            let now = Timestamp::from_second(seconds).unwrap();
            let quiet = QuietHours::new(&format!("{from:02}:00-{to:02}:00"), zone).ok();
            let place = policy(quiet).assign("rule", Severity::Info, now);
            let wait = place.due.duration_since(now);
            // An hour more in a night in which the clocks are put back.
            let longest = if place.kind == BatchKind::Quiet { 13 * 3600 } else { 300 };
            prop_assert!(wait > SignedDuration::ZERO && wait <= SignedDuration::from_secs(longest), "{wait}");
        }
    }
}
