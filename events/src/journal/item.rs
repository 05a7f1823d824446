//! PURE. Items of the Conversations table <-> [`Header`] and [`Turn`].
//!
//! Keys: `sessionId` (S, the conversation id) and `timestamp` (N). The header is stored at the milliseconds inside the
//! conversation id, turn `i` at header + 1 + `i`, so one Query returns the header and the turns in order. Only the header
//! has `userId`, so the index over users lists conversations and nothing else. Times are milliseconds since the epoch,
//! except `expiresAt`, which the table's TTL reads as seconds. The other attributes of a header are the serialised fields
//! of [`Start`] and [`Header`]; structured values are JSON text.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::conversation::{Conversation, Header, Start};
use crate::{
    contract::{ConversationId, Turn},
    dynamo::{Item, from_item, json_text, millis, number, text, to_item},
};

/// Days after its start at which a conversation leaves the table.
pub(super) const RETENTION_DAYS: i64 = 90;

/// `state` of a conversation that has not ended.
pub(super) const ACTIVE: &str = "ACTIVE";

/// `state` of a conversation that ended.
pub(super) const ENDED: &str = "ENDED";

/// An item that this build cannot read. The text never quotes a turn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item of the Conversations table: {0}")]
pub struct CorruptItemError(pub(super) String);

pub(super) fn header_key(id: ConversationId) -> Item {
    key(id, id.started_at_ms())
}

pub(super) fn turn_key(id: ConversationId, index: u32) -> Item {
    key(id, id.started_at_ms() + 1 + i64::from(index))
}

/// The conversation of an item or a key.
pub(super) fn conversation_id(item: &Item) -> Result<ConversationId, CorruptItemError> {
    let id = item.get("sessionId").and_then(|id| id.as_s().ok()?.parse().ok());
    id.ok_or_else(|| CorruptItemError("the attribute sessionId is missing or no conversation id".to_owned()))
}

/// The first header item of a conversation: epoch 1, active. `claim` identifies this start among others.
pub(super) fn header(start: &Start, claim: &str, lease_until: Timestamp) -> Item {
    let mut item = to_item(start);
    item.extend(header_key(start.conversation_id));
    let attributes = [
        ("claim", text(claim)),
        ("state", text(ACTIVE)),
        ("epoch", number(&1)),
        ("leaseUntil", millis(lease_until)),
        ("expiresAt", number(&expires_at(start.conversation_id))),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

pub(super) fn turn(id: ConversationId, turn: &Turn) -> Item {
    let mut item = turn_key(id, turn.index);
    let attributes =
        [("index", number(&turn.index)), ("turn", text(&json(turn))), ("expiresAt", number(&expires_at(id)))];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

pub(super) fn read_turn(item: Item) -> Result<Turn, CorruptItemError> {
    #[derive(Deserialize)]
    struct TurnItem {
        #[serde(with = "json_text")]
        turn: Turn,
    }
    read(item).map(|item: TurnItem| item.turn)
}

pub(super) fn read_header(item: Item) -> Result<Header, CorruptItemError> {
    read(item)
}

/// Reads the items of one conversation, in the order of their sort key. `None` without items.
pub(super) fn read_conversation(items: Vec<Item>) -> Result<Option<Conversation>, CorruptItemError> {
    let mut items = items.into_iter();
    let Some(header) = items.next() else { return Ok(None) };
    let header = read_header(header)?;
    let turns = items.map(read_turn).collect::<Result<Vec<Turn>, CorruptItemError>>()?;
    Ok(Some(Conversation { header, turns }))
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("journalled values have string keys and finite numbers only")
}

fn key(id: ConversationId, timestamp: i64) -> Item {
    Item::from([("sessionId".to_owned(), text(&id)), ("timestamp".to_owned(), number(&timestamp))])
}

/// Seconds since the epoch.
fn expires_at(id: ConversationId) -> i64 {
    id.started_at_ms() / 1000 + RETENTION_DAYS * 24 * 60 * 60
}

fn read<T: DeserializeOwned>(item: Item) -> Result<T, CorruptItemError> {
    from_item(item).map_err(|error| CorruptItemError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::{collection::vec, option, prelude::*};

    use super::{
        super::{End, Ended, Progress},
        *,
    };
    use crate::{
        contract::{
            Envelope,
            test_samples::{any_turn, end_reason, ids, language, level, metrics, timestamp, usage},
        },
        dynamo::name,
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
            ("state".to_owned(), text(ENDED)),
            ("endedAt".to_owned(), millis(ended.at)),
            ("endReason".to_owned(), text(&name(&ended.end.reason))),
            ("usage".to_owned(), text(&json(&ended.end.usage))),
            ("turns".to_owned(), number(&ended.end.turns)),
            (
                "learnerTurns".to_owned(),
                ended.end.learner_turns.map_or(AttributeValue::Null(true), |turns| number(&turns)),
            ),
            ("learnerSpeechMs".to_owned(), number(&ended.end.learner_speech_ms)),
        ]);
        item.insert("metrics".to_owned(), text(&json(&ended.end.metrics)));
        item
    }

    proptest! {
        #[test]
        fn header_is_read_as_it_was_written(start in any_start(), claim in any::<String>(), until in timestamp()) {
            let read = read_header(header(&start, &claim, until)).unwrap();
            let expected = Header {
                start,
                claim,
                epoch: 1,
                lease_until: until,
                handover_requested_by: None,
                handed_over_as: None,
                progress: None,
                objectives_met: None,
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
            counts in any::<(u32, Option<u32>, u64)>(), metrics in option::of(metrics()),
        ) {
            let (turns, learner_turns, learner_speech_ms) = counts;
            let ended = Ended { at, end: End { reason, usage, turns, learner_turns, learner_speech_ms, metrics } };
            let header = read_header(ended_item(header(&start, "claim", at), &ended)).unwrap();
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
                ("wantedBy".to_owned(), text("ingress-2")),
            ]);
            let header = read_header(item).unwrap();
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
            let keys: Vec<i64> = items.iter().map(|item| item["timestamp"].as_n().unwrap().parse().unwrap()).collect();
            prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(items[1..].iter().all(|item| !item.contains_key("userId")));
            let conversation = read_conversation(items).unwrap().unwrap();
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
            prop_assert!(read_header(item).unwrap_err().to_string().contains(&missing));
        }
    }

    #[test]
    fn new_header_has_the_attributes_of_the_table_layout() {
        let start = crate::contract::test_samples::conversation_id();
        let start = Start {
            conversation_id: start,
            user_id: "learner-1".parse().unwrap(),
            image_id: "city-cafe".to_owned(),
            level: crate::contract::Level::B1,
            feedback_language: crate::contract::FeedbackLanguage::English,
            time_zone: "Europe/Berlin".to_owned(),
            traceparent: None,
            owner: "ingress-1".to_owned(),
            voice: Some("tiffany".to_owned()),
        };
        let id = start.conversation_id;
        let item = header(&start, "claim", Timestamp::from_millisecond(7).unwrap());
        let expected = [
            ("sessionId", text(&id)),
            ("timestamp", number(&id.started_at_ms())),
            ("userId", text("learner-1")),
            ("imageId", text("city-cafe")),
            ("level", text(&name(&start.level))),
            ("feedbackLanguage", text(&name(&start.feedback_language))),
            ("timeZone", text("Europe/Berlin")),
            ("owner", text("ingress-1")),
            ("voice", text("tiffany")),
            ("claim", text("claim")),
            ("state", text("ACTIVE")),
            ("epoch", number(&1)),
            ("leaseUntil", number(&7)),
            ("expiresAt", number(&(id.started_at_ms() / 1000 + 90 * 86_400))),
        ];
        assert_eq!(item, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn conversation_leaves_the_table_after_its_retention() {
        let id: ConversationId = "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap();
        assert_eq!(expires_at(id) - id.started_at_ms() / 1000, RETENTION_DAYS * 86_400);
    }

    #[test]
    fn no_items_are_no_conversation() {
        assert_eq!(read_conversation(Vec::new()), Ok(None));
    }
}
