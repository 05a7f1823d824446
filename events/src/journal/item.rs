//! PURE. Items of the Conversations table <-> [`Header`] and [`Turn`].
//!
//! Keys: `sessionId` (S, the conversation id) and `timestamp` (N). The header stands at the milliseconds inside
//! the conversation id, turn `i` at header + 1 + `i`, so one Query returns the header and the turns in order.
//! Only the header has `userId`, so the index over users lists conversations and nothing else. Times are
//! milliseconds since the epoch, except `expiresAt`, which the table's TTL reads as seconds.

use std::{collections::HashMap, str::FromStr};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::conversation::{Conversation, End, Ended, Header, Start};
use crate::contract::{ConversationId, Turn};

/// Days after its start at which a conversation leaves the table.
pub(super) const RETENTION_DAYS: i64 = 90;

/// `state` of a conversation that is held.
pub(super) const ACTIVE: &str = "ACTIVE";

/// `state` of a conversation that ended.
pub(super) const ENDED: &str = "ENDED";

/// An item of the table.
pub(super) type Item = HashMap<String, AttributeValue>;

/// An item that this build cannot read. The text names the attribute and never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item of the Conversations table: {0}")]
pub struct Corrupt(pub(super) String);

/// The key of the header of `id`.
pub(super) fn header_key(id: ConversationId) -> Item {
    Item::from([("sessionId".to_owned(), text(&id)), ("timestamp".to_owned(), number(&id.started_at_ms()))])
}

/// The first header item of a conversation: epoch 1, active. `claim` tells this start from any other.
pub(super) fn header(start: &Start, claim: &str, lease_until: Timestamp) -> Item {
    let mut item = header_key(start.conversation_id);
    item.extend([
        ("userId".to_owned(), text(&start.user_id)),
        ("imageId".to_owned(), text(&start.image_id)),
        ("level".to_owned(), AttributeValue::S(name(&start.level))),
        ("feedbackLanguage".to_owned(), AttributeValue::S(name(&start.feedback_language))),
        ("timeZone".to_owned(), text(&start.time_zone)),
        ("owner".to_owned(), text(&start.owner)),
        ("claim".to_owned(), text(&claim)),
        ("state".to_owned(), text(&ACTIVE)),
        ("epoch".to_owned(), number(&1)),
        ("leaseUntil".to_owned(), millis(lease_until)),
        ("expiresAt".to_owned(), expires_at(start.conversation_id)),
    ]);
    if let Some(traceparent) = &start.traceparent {
        item.insert("traceparent".to_owned(), text(&traceparent));
    }
    item
}

/// The item of one turn of `id`.
pub(super) fn turn(id: ConversationId, turn: &Turn) -> Item {
    Item::from([
        ("sessionId".to_owned(), text(&id)),
        ("timestamp".to_owned(), number(&(id.started_at_ms() + 1 + i64::from(turn.index)))),
        ("index".to_owned(), number(&turn.index)),
        ("turn".to_owned(), AttributeValue::S(json(turn))),
        ("expiresAt".to_owned(), expires_at(id)),
    ])
}

/// Reads a header item.
pub(super) fn read_header(item: &Item) -> Result<Header, Corrupt> {
    let conversation_id = parsed(item, "sessionId")?;
    let start = Start {
        conversation_id,
        user_id: parsed(item, "userId")?,
        image_id: string(item, "imageId")?.to_owned(),
        level: named(item, "level")?,
        feedback_language: named(item, "feedbackLanguage")?,
        time_zone: string(item, "timeZone")?.to_owned(),
        traceparent: optional(item, "traceparent", string)?.map(str::to_owned),
        owner: string(item, "owner")?.to_owned(),
    };
    let ended = match string(item, "state")? {
        ACTIVE => None,
        ENDED => Some(Ended {
            at: timestamp(item, "endedAt")?,
            end: End {
                reason: named(item, "endReason")?,
                usage: serde_json::from_str(string(item, "usage")?).map_err(|_| corrupt("usage"))?,
                turns: integer(item, "turns")?,
                learner_speech_ms: integer(item, "learnerSpeechMs")?,
            },
        }),
        _ => return Err(corrupt("state")),
    };
    Ok(Header {
        start,
        claim: string(item, "claim")?.to_owned(),
        epoch: integer(item, "epoch")?,
        lease_until: timestamp(item, "leaseUntil")?,
        ended,
        published_at: optional(item, "publishedAt", timestamp)?,
    })
}

/// Reads the items of one conversation, in the order of their sort key. `None` without items.
pub(super) fn read_conversation(items: &[Item]) -> Result<Option<Conversation>, Corrupt> {
    let Some((first, rest)) = items.split_first() else { return Ok(None) };
    let header = read_header(first)?;
    let turns = rest
        .iter()
        .map(|item| serde_json::from_str(string(item, "turn")?).map_err(|_| corrupt("turn")))
        .collect::<Result<Vec<Turn>, Corrupt>>()?;
    Ok(Some(Conversation { header, turns }))
}

/// A string attribute.
pub(super) fn text(value: &impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number attribute.
pub(super) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A point in time, in milliseconds.
pub(super) fn millis(at: Timestamp) -> AttributeValue {
    number(&at.as_millisecond())
}

/// The JSON text of a value.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("journalled values have string keys and finite numbers only")
}

/// The name of a unit variant, as the contract writes it.
pub(super) fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a unit variant is written as its name, not as {other:?}"),
    }
}

fn expires_at(id: ConversationId) -> AttributeValue {
    number(&(id.started_at_ms() / 1000 + RETENTION_DAYS * 24 * 60 * 60))
}

fn corrupt(attribute: &str) -> Corrupt {
    Corrupt(format!("attribute {attribute} is missing or unreadable"))
}

fn string<'a>(item: &'a Item, attribute: &str) -> Result<&'a str, Corrupt> {
    item.get(attribute)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| corrupt(attribute))
}

fn parsed<T: FromStr>(item: &Item, attribute: &str) -> Result<T, Corrupt> {
    string(item, attribute)?.parse().map_err(|_| corrupt(attribute))
}

fn named<T: DeserializeOwned>(item: &Item, attribute: &str) -> Result<T, Corrupt> {
    let value = serde_json::Value::String(string(item, attribute)?.to_owned());
    serde_json::from_value(value).map_err(|_| corrupt(attribute))
}

fn integer<T: FromStr>(item: &Item, attribute: &str) -> Result<T, Corrupt> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok()).ok_or_else(|| corrupt(attribute))?;
    digits.parse().map_err(|_| corrupt(attribute))
}

fn timestamp(item: &Item, attribute: &str) -> Result<Timestamp, Corrupt> {
    Timestamp::from_millisecond(integer(item, attribute)?).map_err(|_| corrupt(attribute))
}

fn optional<'a, T>(
    item: &'a Item,
    attribute: &str,
    read: impl FnOnce(&'a Item, &str) -> Result<T, Corrupt>,
) -> Result<Option<T>, Corrupt> {
    if item.contains_key(attribute) { read(item, attribute).map(Some) } else { Ok(None) }
}
