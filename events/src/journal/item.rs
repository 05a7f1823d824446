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
pub struct CorruptItemError(pub(super) String);

/// The key of the header of `id`.
pub(super) fn header_key(id: ConversationId) -> Item {
    Item::from([("sessionId".to_owned(), text(&id)), ("timestamp".to_owned(), number(&id.started_at_ms()))])
}

/// The conversation of an item or a key.
pub(super) fn conversation_id(item: &Item) -> Result<ConversationId, CorruptItemError> {
    parsed(item, "sessionId")
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
    for (name, value) in [("traceparent", &start.traceparent), ("voice", &start.voice)] {
        if let Some(value) = value {
            item.insert(name.to_owned(), text(value));
        }
    }
    item
}

/// The key of the turn `index` of `id`.
pub(super) fn turn_key(id: ConversationId, index: u32) -> Item {
    let timestamp = number(&(id.started_at_ms() + 1 + i64::from(index)));
    Item::from([("sessionId".to_owned(), text(&id)), ("timestamp".to_owned(), timestamp)])
}

/// The item of one turn of `id`.
pub(super) fn turn(id: ConversationId, turn: &Turn) -> Item {
    let mut item = turn_key(id, turn.index);
    item.extend([
        ("index".to_owned(), number(&turn.index)),
        ("turn".to_owned(), AttributeValue::S(json(turn))),
        ("expiresAt".to_owned(), expires_at(id)),
    ]);
    item
}

/// Reads the item of a turn.
pub(super) fn read_turn(item: &Item) -> Result<Turn, CorruptItemError> {
    decoded(item, "turn")
}

/// Reads a header item.
pub(super) fn read_header(item: &Item) -> Result<Header, CorruptItemError> {
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
        voice: optional(item, "voice", string)?.map(str::to_owned),
    };
    let ended = match string(item, "state")? {
        ACTIVE => None,
        ENDED => Some(Ended {
            at: timestamp(item, "endedAt")?,
            end: End {
                reason: named(item, "endReason")?,
                usage: decoded(item, "usage")?,
                turns: integer(item, "turns")?,
                learner_speech_ms: integer(item, "learnerSpeechMs")?,
                metrics: optional(item, "metrics", decoded)?.flatten(),
            },
        }),
        _ => return Err(corrupt("state")),
    };
    Ok(Header {
        start,
        claim: string(item, "claim")?.to_owned(),
        epoch: integer(item, "epoch")?,
        lease_until: timestamp(item, "leaseUntil")?,
        handover_requested_by: optional(item, "wantedBy", string)?.map(str::to_owned),
        handed_over_as: optional(item, "releasedAs", named)?,
        progress: optional(item, "progress", decoded)?,
        ended,
        published_at: optional(item, "publishedAt", timestamp)?,
        deleted_at: optional(item, "deletedAt", timestamp)?,
    })
}

/// Reads the items of one conversation, in the order of their sort key. `None` without items.
pub(super) fn read_conversation(items: &[Item]) -> Result<Option<Conversation>, CorruptItemError> {
    let Some((first, rest)) = items.split_first() else { return Ok(None) };
    let header = read_header(first)?;
    let turns = rest.iter().map(read_turn).collect::<Result<Vec<Turn>, CorruptItemError>>()?;
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

fn corrupt(attribute: &str) -> CorruptItemError {
    CorruptItemError(format!("attribute {attribute} is missing or unreadable"))
}

fn string<'a>(item: &'a Item, attribute: &str) -> Result<&'a str, CorruptItemError> {
    item.get(attribute)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| corrupt(attribute))
}

fn parsed<T: FromStr>(item: &Item, attribute: &str) -> Result<T, CorruptItemError> {
    string(item, attribute)?.parse().map_err(|_| corrupt(attribute))
}

fn named<T: DeserializeOwned>(item: &Item, attribute: &str) -> Result<T, CorruptItemError> {
    let value = serde_json::Value::String(string(item, attribute)?.to_owned());
    serde_json::from_value(value).map_err(|_| corrupt(attribute))
}

fn decoded<T: DeserializeOwned>(item: &Item, attribute: &str) -> Result<T, CorruptItemError> {
    serde_json::from_str(string(item, attribute)?).map_err(|_| corrupt(attribute))
}

fn integer<T: FromStr>(item: &Item, attribute: &str) -> Result<T, CorruptItemError> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok()).ok_or_else(|| corrupt(attribute))?;
    digits.parse().map_err(|_| corrupt(attribute))
}

fn timestamp(item: &Item, attribute: &str) -> Result<Timestamp, CorruptItemError> {
    Timestamp::from_millisecond(integer(item, attribute)?).map_err(|_| corrupt(attribute))
}

fn optional<'a, T>(
    item: &'a Item,
    attribute: &str,
    read: impl FnOnce(&'a Item, &str) -> Result<T, CorruptItemError>,
) -> Result<Option<T>, CorruptItemError> {
    if item.contains_key(attribute) { read(item, attribute).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::{super::Progress, *};
    use crate::contract::{
        Envelope,
        samples::{any_turn, end_reason, ids, language, level, metrics, timestamp, usage},
    };

    fn any_start() -> impl Strategy<Value = Start> {
        let texts = (any::<String>(), any::<String>(), any::<String>(), option::of(any::<String>()));
        (ids(), texts, level(), language()).prop_map(|(ids, texts, level, feedback_language)| Start {
            conversation_id: ids.0,
            user_id: ids.1,
            image_id: texts.0,
            level,
            feedback_language,
            time_zone: texts.1,
            owner: texts.2,
            voice: texts.3.clone(),
            traceparent: texts.3,
        })
    }

    /// What [`super::super::Journal::end`] adds to a header.
    fn ended_item(mut item: Item, ended: &Ended) -> Item {
        item.extend([
            ("state".to_owned(), text(&ENDED)),
            ("endedAt".to_owned(), millis(ended.at)),
            ("endReason".to_owned(), text(&name(&ended.end.reason))),
            ("usage".to_owned(), text(&json(&ended.end.usage))),
            ("turns".to_owned(), number(&ended.end.turns)),
            ("learnerSpeechMs".to_owned(), number(&ended.end.learner_speech_ms)),
        ]);
        item.insert("metrics".to_owned(), text(&json(&ended.end.metrics)));
        item
    }

    proptest! {
        #[test]
        fn header_is_read_as_it_was_written(start in any_start(), claim in any::<String>(), until in timestamp()) {
            let read = read_header(&header(&start, &claim, until)).unwrap();
            let expected = Header {
                start,
                claim,
                epoch: 1,
                lease_until: until,
                handover_requested_by: None,
                handed_over_as: None,
                progress: None,
                ended: None,
                published_at: None,
                deleted_at: None,
            };
            prop_assert_eq!(read.completed(), None);
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn end_is_read_as_it_was_written_and_becomes_the_event(
            start in any_start(), at in timestamp(), reason in end_reason(), usage in usage(),
            turns in any::<u32>(), learner_speech_ms in any::<u64>(), metrics in option::of(metrics()),
        ) {
            let ended = Ended { at, end: End { reason, usage, turns, learner_speech_ms, metrics } };
            let header = read_header(&ended_item(header(&start, "claim", at), &ended)).unwrap();
            prop_assert_eq!(header.ended, Some(ended));
            let envelope = header.completed().unwrap();
            prop_assert_eq!(envelope.occurred_at, at);
            prop_assert_eq!(&envelope.traceparent, &start.traceparent);
            prop_assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
        }

        #[test]
        fn what_an_owner_left_behind_is_read_as_it_was_written(
            start in any_start(), at in timestamp(), reason in end_reason(), usage in usage(),
            metrics in option::of(metrics()), heard_samples in option::of(any::<u64>()), key in option::of(any::<String>()),
        ) {
            let progress = Progress { usage, metrics, heard_samples, unfinished_audio_key: key };
            let mut item = header(&start, "claim", at);
            item.extend([
                ("releasedAs".to_owned(), text(&name(&reason))),
                ("progress".to_owned(), text(&json(&progress))),
                ("wantedBy".to_owned(), text(&"ingress-2")),
            ]);
            let header = read_header(&item).unwrap();
            prop_assert_eq!(header.handed_over_as, Some(reason));
            prop_assert_eq!(header.progress, Some(progress));
            prop_assert_eq!(header.handover_requested_by.as_deref(), Some("ingress-2"));
            prop_assert_eq!(header.ended, None);
        }

        #[test]
        fn turns_stand_after_their_header_in_their_order(
            start in any_start(), turns in vec(any_turn(0), 0..6),
        ) {
            let id = start.conversation_id;
            let turns: Vec<Turn> = (0..).zip(turns).map(|(index, turn)| Turn { index, ..turn }).collect();
            let mut items = vec![header(&start, "claim", id.started_at())];
            items.extend(turns.iter().map(|turn| super::turn(id, turn)));
            let keys: Vec<i64> = items.iter().map(|item| integer(item, "timestamp").unwrap()).collect();
            prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(items[1..].iter().all(|item| !item.contains_key("userId")));
            let conversation = read_conversation(&items).unwrap().unwrap();
            prop_assert_eq!(conversation.turns, turns);
        }

        #[test]
        fn header_without_one_of_its_attributes_is_corrupt(start in any_start(), at in any::<prop::sample::Index>()) {
            let mut item = header(&start, "claim", start.conversation_id.started_at());
            let optional = ["expiresAt", "timestamp", "traceparent", "voice"];
            let mut required: Vec<_> =
                item.keys().filter(|name| !optional.contains(&name.as_str())).cloned().collect();
            required.sort();
            let missing = required[at.index(required.len())].clone();
            item.remove(&missing);
            prop_assert!(read_header(&item).unwrap_err().to_string().contains(&missing));
        }
    }

    #[test]
    fn conversation_leaves_the_table_after_its_retention() {
        let id: ConversationId = "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap();
        let expires: i64 = integer(&Item::from([("at".to_owned(), expires_at(id))]), "at").unwrap();
        assert_eq!(expires - id.started_at_ms() / 1000, RETENTION_DAYS * 86_400);
    }

    #[test]
    fn no_items_are_no_conversation() {
        assert_eq!(read_conversation(&[]), Ok(None));
    }
}
