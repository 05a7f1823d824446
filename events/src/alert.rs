//! PURE. The record of a sent alert, for operators. The alerts worker adds it to the item of the alert in the Effects table, and
//! an index lists the records by time. It has no text: the text of an alert can have scores of a learner.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    contract::ConversationId,
    dynamo::{Item, read_item, text},
    pipeline::names::sortable,
};

/// The index of the Effects table over the records.
pub const BY_TIME: &str = "alertMonth-alertAt-index";

/// For how many days records are listed.
pub const LISTED_DAYS: i64 = 30;

/// An alert that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertRecord {
    /// The id, the same in each repetition.
    pub alert_id: String,
    /// The rule that raised it, for example `conversation.stalled`.
    pub rule: String,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    /// What happened, in one line.
    pub title: String,
    /// When it was sent.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The conversation, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The queue, if it is about dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The number of alerts or messages that it stands for, if it is about several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// The attributes of a record.
#[derive(Deserialize)]
struct Stored {
    alert: String,
}

impl AlertRecord {
    /// The attributes of the record: the key of the index, and the record as JSON.
    #[must_use]
    pub fn attributes(&self) -> Item {
        let json = serde_json::to_string(self).expect("a record has string keys and finite numbers only");
        Item::from([
            ("alertMonth".to_owned(), text(&month(self.at))),
            ("alertAt".to_owned(), text(&sortable(self.at))),
            ("alert".to_owned(), text(&json)),
        ])
    }

    /// The record in an item of the index; `None` if another build wrote it in a form that this one does not know.
    #[must_use]
    pub fn read(item: Item) -> Option<Self> {
        let Stored { alert } = read_item(item).ok()?;
        serde_json::from_str(&alert).ok()
    }
}

/// The partition of the index: the month in UTC.
#[must_use]
pub fn month(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_read_as_it_was_written() {
        let record = AlertRecord {
            alert_id: "a".to_owned(),
            rule: "queue.dead-letters".to_owned(),
            severity: "critical".to_owned(),
            title: "Dead letters".to_owned(),
            at: "2026-11-30T23:59:59.5Z".parse().unwrap(),
            conversation_id: None,
            queue: Some("nova-alerts-dlq".to_owned()),
            count: Some(2),
        };
        let attributes = record.attributes();
        assert_eq!(attributes["alertMonth"], text("2026-11"));
        assert_eq!(attributes["alertAt"], text("2026-11-30T23:59:59.500Z"));
        assert_eq!(AlertRecord::read(attributes), Some(record));
        assert_eq!(AlertRecord::read(Item::from([("alert".to_owned(), text("{}"))])), None);
    }
}
