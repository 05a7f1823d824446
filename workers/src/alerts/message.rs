//! PURE. The messages to the topics: one alert, a batch of alerts, or the depth of a dead-letter queue. A message has a
//! readable text, a structured text and attributes, and contains no words of a learner.

use std::fmt::Write;

use events::alert::AlertRecord;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    policy::BatchKind,
    rules::{Alert, Severity},
};

/// The namespace of the ids of messages that are not about a single event.
const NAMESPACE: Uuid = Uuid::from_u128(0x0c2e_8f4b_3d0f_4f0e_8f6a_91d7_6b1e_52aa);

/// The rule of alerts about dead letters.
pub(super) const DEAD_LETTERS: &str = "queue.dead-letters";

/// Maximum number of alerts that the message of a batch lists; the others are only counted.
pub(super) const LISTED_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    /// Equal for each repetition.
    pub(super) alert_id: Uuid,
    /// The rule, for filters of subscribers.
    pub(super) rule: String,
    /// The severity, which selects the topic.
    pub(super) severity: Severity,
    /// The conversation, if the message is about one.
    pub(super) conversation_id: Option<String>,
    /// One line of ASCII, at most 100 characters.
    pub(super) subject: String,
    /// The text for e-mail.
    pub(super) readable: String,
    /// The JSON for other subscribers.
    pub(super) structured: Value,
}

/// An alert in the list of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) alert_id: Uuid,
    pub(super) rule: String,
    pub(super) conversation_id: String,
    pub(super) occurred_at: Timestamp,
}

/// The content of a batch message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BatchSummary<'a> {
    pub(super) name: &'a str,
    /// Why the alerts are batched.
    pub(super) kind: BatchKind,
    pub(super) severity: Severity,
    /// The number of alerts of the batch.
    pub(super) count: u32,
    /// The number of alerts that were not sent individually.
    pub(super) held: u32,
    /// The first of the held alerts, at most [`LISTED_MAX`].
    pub(super) listed: &'a [Listed],
}

impl Listed {
    pub(super) fn of(alert: &Alert) -> Self {
        Self {
            alert_id: alert.alert_id,
            rule: alert.rule.to_owned(),
            conversation_id: alert.conversation_id.to_string(),
            occurred_at: alert.occurred_at,
        }
    }
}

impl Message {
    pub(super) fn alert(alert: &Alert) -> Self {
        let structured = serde_json::to_value(alert).expect("an alert has string keys and no numbers");
        Self {
            alert_id: alert.alert_id,
            rule: alert.rule.to_owned(),
            severity: alert.severity,
            conversation_id: Some(alert.conversation_id.to_string()),
            subject: alert.title.to_owned(),
            readable: format!("{}\n\nAlert {} ({})", alert.text, alert.alert_id, alert.rule),
            structured,
        }
    }

    /// The record of the message, which is sent at `at`.
    pub(super) fn record(&self, at: Timestamp) -> AlertRecord {
        AlertRecord {
            alert_id: self.alert_id.to_string(),
            rule: self.rule.clone(),
            severity: self.severity.name().to_owned(),
            title: self.subject.clone(),
            at,
            conversation_id: self.conversation_id.as_deref().and_then(|id| id.parse().ok()),
            queue: self.structured["queue"].as_str().map(str::to_owned),
            count: self.structured["count"].as_u64(),
        }
    }

    /// The alerts of a batch that were not sent individually.
    pub(super) fn batch(batch: &BatchSummary<'_>) -> Self {
        let BatchSummary { name, kind, severity, count, held, listed } = *batch;
        let alert_id = Self::batch_id(name);
        let (rule, subject, why) = match kind {
            BatchKind::Storm => {
                let rule = listed.first().map_or("alerts.storm", |first| first.rule.as_str());
                let why = format!(
                    "The rule {rule} raised {count} alerts in a short time. {} were sent individually, these \
                     {held} were not:",
                    count.saturating_sub(held)
                );
                (rule, format!("{held} more alerts: {rule}"), why)
            }
            BatchKind::Quiet => {
                let rule = "alerts.quiet-hours";
                (
                    rule,
                    format!("{held} alerts of the quiet hours"),
                    format!("In the quiet hours there were {held} alerts:"),
                )
            }
        };
        let mut readable = format!("{why}\n");
        for Listed { alert_id, rule, conversation_id, occurred_at } in listed {
            write!(readable, "\n- {occurred_at} {rule}, conversation {conversation_id}, alert {alert_id}")
                .expect("a string takes all text");
        }
        let unlisted = held.saturating_sub(u32::try_from(listed.len()).unwrap_or(u32::MAX));
        if unlisted > 0 {
            write!(readable, "\n- and {unlisted} more").expect("a string takes all text");
        }
        write!(readable, "\n\nAlert {alert_id} ({rule})").expect("a string takes all text");
        let structured = json!({
            "alertId": alert_id, "rule": rule, "severity": severity, "title": subject, "text": readable,
            "count": held, "alerts": listed,
        });
        let rule = rule.to_owned();
        Self { alert_id, rule, severity, conversation_id: None, subject, readable, structured }
    }

    pub(super) fn batch_id(name: &str) -> Uuid {
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// `depth` messages in the dead-letter queue `queue` at `now`, with the new `kind` of reason, if that is why. The id
    /// changes once a day, with each kind and, without one, whenever the depth doubles, so the alert is repeated then and not
    /// every minute.
    pub(super) fn dead_letters(queue: &str, depth: u32, kind: Option<&str>, now: Timestamp) -> Self {
        let day = now.strftime("%Y-%m-%d").to_string();
        let cause = kind.map_or_else(|| depth.max(1).ilog2().to_string(), |kind| format!("kind#{kind}"));
        let name = format!("{DEAD_LETTERS}#{queue}#{day}#{cause}");
        let alert_id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        let why = kind.map_or_else(String::new, |kind| format!(" A new kind of reason today: {kind}."));
        let text = format!(
            "The dead-letter queue {queue} holds {depth} messages that could not be handled.{why} Each says why in its \
             attribute `reason`, unless SQS gave it up; `nova ops dlq` shows them and sends them again."
        );
        let subject: String = format!("Messages could not be handled: {queue}").chars().take(100).collect();
        let structured = json!({
            "alertId": alert_id, "rule": DEAD_LETTERS, "severity": Severity::Critical, "title": subject, "text": text,
            "queue": queue, "count": depth, "kind": kind, "occurredAt": now,
        });
        Self {
            alert_id,
            rule: DEAD_LETTERS.to_owned(),
            severity: Severity::Critical,
            conversation_id: None,
            subject,
            readable: format!("{text}\n\nAlert {alert_id} ({DEAD_LETTERS})"),
            structured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(number: u8) -> Listed {
        Listed {
            alert_id: Uuid::from_bytes([number; 16]),
            rule: "conversation.abnormal-end".to_owned(),
            conversation_id: format!("conversation-{number}"),
            occurred_at: "2026-11-24T08:00:00Z".parse().unwrap(),
        }
    }

    fn storm(held: u32, listed: &[Listed]) -> Message {
        let severity = Severity::Warning;
        Message::batch(&BatchSummary {
            name: "storm#1",
            kind: BatchKind::Storm,
            severity,
            count: held + 3,
            held,
            listed,
        })
    }

    #[test]
    fn batch_tells_how_many_and_lists_the_first() {
        let all: Vec<Listed> = (0..20).map(listed).collect();
        let message = storm(25, &all);
        assert_eq!(message.subject, "25 more alerts: conversation.abnormal-end");
        assert!(
            message.readable.contains("28 alerts") && message.readable.contains("3 were sent"),
            "{message:?}"
        );
        assert!(message.readable.contains("conversation-19") && message.readable.contains("and 5 more"));
        assert_eq!(
            (&message.structured["count"], message.structured["alerts"].as_array().unwrap().len()),
            (&json!(25), 20)
        );
        assert_eq!(message.alert_id, storm(1, &all[..1]).alert_id, "one batch has one id");
        assert!(!storm(20, &all).readable.contains("more\n"));
    }

    #[test]
    fn dead_letters_are_told_once_a_day_and_when_they_double() {
        let id = |depth, now: &str| {
            Message::dead_letters("nova-analysis-dlq", depth, None, now.parse().unwrap()).alert_id
        };
        let first = id(4, "2026-11-24T08:00:00Z");
        assert_eq!(id(7, "2026-11-24T23:59:59Z"), first);
        assert_ne!(id(8, "2026-11-24T08:00:00Z"), first);
        assert_ne!(id(4, "2026-11-25T00:00:00Z"), first);
        let other =
            Message::dead_letters("nova-alerts-dlq", 4, None, "2026-11-24T08:00:00Z".parse().unwrap());
        assert_ne!(other.alert_id, first);
        let record = other.record("2026-11-24T08:00:01Z".parse().unwrap());
        assert_eq!(
            (record.severity.as_str(), record.queue.as_deref()),
            ("critical", Some("nova-alerts-dlq"))
        );
        assert_eq!((record.count, record.title), (Some(4), other.subject));
    }

    #[test]
    fn each_kind_of_reason_is_an_alert_of_its_own_once_a_day() {
        let message = |depth, kind, now: &str| {
            Message::dead_letters("nova-analysis-dlq", depth, kind, now.parse().unwrap())
        };
        let first = message(1, Some("time zone … is unknown"), "2026-11-24T08:00:00Z");
        assert_eq!(
            message(9, Some("time zone … is unknown"), "2026-11-24T23:00:00Z").alert_id,
            first.alert_id
        );
        for (depth, kind, now) in [
            (1, Some("failed … times"), "2026-11-24T08:00:00Z"),
            (1, Some("time zone … is unknown"), "2026-11-25T08:00:00Z"),
            (1, None, "2026-11-24T08:00:00Z"),
        ] {
            assert_ne!(message(depth, kind, now).alert_id, first.alert_id);
        }
        assert!(first.readable.contains("time zone … is unknown"), "{}", first.readable);
        assert_eq!(first.structured["kind"], "time zone … is unknown");
    }

    #[test]
    fn subjects_fit() {
        let long = Message::dead_letters(&"q".repeat(200), 1, None, "2026-11-24T08:00:00Z".parse().unwrap());
        // Source: SNS API reference, Publish, Subject.
        for subject in [long.subject, storm(u32::MAX - 3, &[listed(1)]).subject] {
            assert!(
                subject.len() <= 100 && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{subject}"
            );
        }
    }
}
