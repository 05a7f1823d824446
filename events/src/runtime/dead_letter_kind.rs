//! PURE. Kinds of reasons for which messages are dead-lettered. The worker that gives a message up notes the kind in the
//! Effects table, and the alerts worker alerts once a day to each kind: it may count dead letters but not read them.
//!
//! Item `attempt#dead-letters#<queue>#<day>`, with the day in UTC: for each kind an attribute of that name (N, the time of
//! the first such message, milliseconds since the Unix epoch), and `expiresAt` (N, the table's TTL).

use jiff::{Timestamp, tz::TimeZone};

/// Maximum length of a kind, in characters.
pub const KIND_CHARS_MAX: usize = 160;

/// The key of the kinds of the dead-letter queue at `queue_url` on the day of `at`.
#[must_use]
pub fn kinds_item(queue_url: &str, at: Timestamp) -> String {
    let queue = queue_url.rsplit('/').next().unwrap_or(queue_url);
    let day = TimeZone::UTC.to_datetime(at).date();
    // The prefix is that of the notes which every worker's role may write.
    format!("attempt#dead-letters#{queue}#{day}")
}

/// The kind of a `reason` with the last `error`, if there was one: the same for all messages that share a cause. Quoted texts
/// and words with digits or slashes differ from message to message and are left out.
#[must_use]
pub fn kind(reason: &str, error: Option<&str>) -> String {
    let mut text = reason.to_owned();
    if let Some(error) = error.filter(|error| !error.is_empty() && !reason.contains(*error)) {
        text.push_str(": ");
        text.push_str(error);
    }
    let mut unquoted = String::new();
    for (place, part) in text.split(['"', '`']).enumerate() {
        unquoted.push_str(if place % 2 == 0 { part } else { " … " });
    }
    let varies = |word: &str| word.contains(|char: char| char.is_ascii_digit() || char == '/');
    let words = unquoted.split_whitespace().map(|word| if varies(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(KIND_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_with_one_cause_have_one_kind() {
        for (one, other) in [
            (("failed 6 times", Some("AccessDenied: no")), ("failed 7 times", Some("AccessDenied: no"))),
            (
                ("the object analyses/a/b.json.gz is not an analysis", None),
                ("the object analyses/c is not an analysis", None),
            ),
            (("time zone \"Mars/Olympus\" is unknown", None), ("time zone \"Moon\" is unknown", None)),
            (("not an event: unknown field `a`", None), ("not an event: unknown field `b`", None)),
            (("the same", Some("the same")), ("the same", Some(""))),
        ] {
            assert_eq!(kind(one.0, one.1), kind(other.0, other.1));
        }
        assert_eq!(kind("failed 6 times", Some("no \"x\" y")), "failed … times: no … y");
        assert_ne!(kind("failed 6 times", Some("timeout")), kind("failed 6 times", Some("refused")));
        assert_eq!(kind(&"é ".repeat(1_000), None).chars().count(), KIND_CHARS_MAX);
    }

    #[test]
    fn item_is_of_a_queue_and_a_day() {
        let at = "2026-11-24T23:59:59Z".parse().unwrap();
        let item = kinds_item("https://sqs.us-east-1.amazonaws.com/1/nova-analysis-dlq", at);
        assert_eq!(item, "attempt#dead-letters#nova-analysis-dlq#2026-11-24");
    }
}
