//! PURE. The envelope of an event, its JSON text and its version. Decoding is total: any text is an envelope or a
//! [`DecodeError`]. The events are in `event.rs`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, EventId};
use crate::json;

/// The version that this build writes, for every event. 1.1 added optional fields: metrics of a conversation, and a
/// learner's standing; 1.2 the number of the learner's turns; 1.3 the level and the measures of an assessed conversation.
const VERSION: &str = "1.3";

/// The major version that this build reads, for every event.
const MAJOR: u32 = 1;

/// An event with its identity: the `detail` of an EventBridge entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Identifies the fact: every publisher of the same fact uses the same id.
    pub id: EventId,
    pub occurred_at: Timestamp,
    /// W3C trace context of the conversation, `00-<trace>-<span>-<flags>`.
    pub traceparent: Option<String>,
    pub event: Event,
}

/// Why this build cannot read a text as an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the event is malformed: {0}")]
    Malformed(String),
    #[error("the event schema {0:?} is unknown")]
    UnknownSchema(String),
    /// A major version that this build does not read; a newer build may.
    #[error("version {version:?} of {schema} is unknown, this build reads {MAJOR}.x")]
    UnknownMajor {
        /// The event's schema.
        schema: String,
        /// The event's version.
        version: String,
    },
}

/// The published shape of the envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema: String,
    version: String,
    id: EventId,
    occurred_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: serde_json::Value,
}

impl Envelope {
    /// Wraps an `event` that occurs once for its subject. The id is derived, so every publisher of the same fact
    /// gives it the same id.
    ///
    /// An event that can occur several times for one conversation, such as `progress.updated`, needs
    /// [`Envelope::caused_by`].
    #[must_use]
    pub fn new(event: Event, occurred_at: Timestamp, traceparent: Option<String>) -> Self {
        let id = event.id();
        Self { id, occurred_at, traceparent, event }
    }

    /// Wraps an `event` that can occur several times for one conversation. `cause` distinguishes the occurrences: the
    /// schema of the event that caused this one, or the stage at which a conversation stalled.
    #[must_use]
    pub fn caused_by(cause: &str, event: Event, occurred_at: Timestamp, traceparent: Option<String>) -> Self {
        let id = event.id_caused_by(cause);
        Self { id, occurred_at, traceparent, event }
    }

    /// The envelope as the JSON text of an EventBridge `detail`.
    #[must_use]
    pub fn encode(&self) -> String {
        let wire = Wire {
            schema: self.event.schema().to_owned(),
            version: VERSION.to_owned(),
            id: self.id,
            occurred_at: self.occurred_at,
            traceparent: self.traceparent.clone(),
            data: self.event.data().expect("event data has string keys and finite numbers only"),
        };
        serde_json::to_string(&wire).expect("an envelope has string keys and finite numbers only")
    }

    /// Reads an envelope from the JSON text of a `detail`.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let wire: Wire = json::from_str(text).map_err(malformed)?;
        Self::from_wire(wire)
    }

    /// Reads an envelope from the body of an SQS message: an EventBridge event with the envelope as its `detail`, or
    /// the bare envelope.
    pub fn decode_message(body: &str) -> Result<Self, DecodeError> {
        let mut value: serde_json::Value = serde_json::from_str(body).map_err(malformed)?;
        if let Some(detail) = value.get_mut("detail") {
            value = detail.take();
        }
        let wire: Wire = json::from_value(value).map_err(malformed)?;
        Self::from_wire(wire)
    }

    fn from_wire(wire: Wire) -> Result<Self, DecodeError> {
        let major = wire.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let Some(major) = major else {
            return Err(DecodeError::Malformed(format!("version {:?} is not major.minor", wire.version)));
        };
        if major != MAJOR {
            return Err(DecodeError::UnknownMajor { schema: wire.schema, version: wire.version });
        }
        let Some(event) = Event::from_data(&wire.schema, wire.data) else {
            return Err(DecodeError::UnknownSchema(wire.schema));
        };
        let event = event.map_err(malformed)?;
        Ok(Self { id: wire.id, occurred_at: wire.occurred_at, traceparent: wire.traceparent, event })
    }
}

// serde_json's messages quote at most a field name or a scalar of the wrong type; events carry no spoken words.
#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn malformed(error: serde_json::Error) -> DecodeError {
    DecodeError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::contract::{
        ProgressUpdated,
        test_samples::{any_envelope, conversation_id, with_fractions},
    };

    proptest! {
        #[test]
        fn envelope_survives_the_wire(envelope in any_envelope()) {
            let text = envelope.encode();
            prop_assert_eq!(Envelope::decode(&text).unwrap(), envelope.clone());
            prop_assert_eq!(Envelope::decode_message(&text).unwrap(), envelope.clone());
            let wrapped = json!({"version": "0", "id": "other", "detail": serde_json::from_str::<Value>(&text).unwrap()});
            prop_assert_eq!(Envelope::decode_message(&wrapped.to_string()).unwrap(), envelope);
        }

        #[test]
        fn every_integer_of_an_event_may_have_a_zero_fraction(envelope in any_envelope()) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            with_fractions(&mut event);
            let wrapped = json!({ "detail": event });
            prop_assert_eq!(Envelope::decode(&event.to_string()).unwrap(), envelope.clone());
            prop_assert_eq!(Envelope::decode_message(&wrapped.to_string()).unwrap(), envelope);
        }

        #[test]
        fn minor_version_and_unknown_fields_do_not_matter(envelope in any_envelope(), minor in any::<u32>()) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            event["version"] = json!(format!("1.{minor}"));
            event["new"] = json!("field");
            event["data"]["new"] = json!({"deep": [1]});
            prop_assert_eq!(Envelope::decode(&event.to_string()).unwrap(), envelope);
        }

        #[test]
        fn other_major_version_is_told_apart_whatever_its_data(
            envelope in any_envelope(), major in 2u32.., schema in "[a-z.]{1,20}",
        ) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            event["version"] = json!(format!("{major}.0"));
            event["schema"] = json!(schema.clone());
            event["data"] = json!([]);
            let version = format!("{major}.0");
            prop_assert_eq!(Envelope::decode(&event.to_string()), Err(DecodeError::UnknownMajor { schema, version }));
        }

        #[test]
        fn any_text_is_decoded_or_refused(text in any::<String>()) {
            prop_assert!(matches!(Envelope::decode(&text), Err(DecodeError::Malformed(_))));
            prop_assert!(matches!(Envelope::decode_message(&text), Err(DecodeError::Malformed(_))));
        }

        #[test]
        fn truncated_event_is_malformed(envelope in any_envelope(), at in any::<prop::sample::Index>()) {
            let text = envelope.encode();
            let cut: String = text.chars().take(at.index(text.chars().count())).collect();
            prop_assert!(matches!(Envelope::decode(&cut), Err(DecodeError::Malformed(_))));
        }

        #[test]
        fn event_without_one_of_its_required_fields_is_malformed(
            envelope in any_envelope(), at in any::<prop::sample::Index>(),
        ) {
            let mut event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            let required = ["schema", "version", "id", "occurredAt", "data"];
            event.as_object_mut().unwrap().remove(required[at.index(required.len())]);
            prop_assert!(matches!(Envelope::decode(&event.to_string()), Err(DecodeError::Malformed(_))));
        }
    }

    #[test]
    fn learner_speech_with_a_zero_fraction_is_read() {
        let example = include_str!("../../../schemas/example/conversation.completed.json");
        let speech_ms = |speech_ms: Value| {
            let mut event: Value = serde_json::from_str(example).unwrap();
            event["data"]["learnerSpeechMs"] = speech_ms;
            let envelope = Envelope::decode_message(&event.to_string())?;
            Ok::<_, DecodeError>(envelope.event.as_completed().unwrap().learner_speech_ms)
        };
        assert_eq!(speech_ms(json!(9000.0)), Ok(9_000));
        assert!(speech_ms(json!(9000.5)).is_err() && speech_ms(json!(-1.0)).is_err());
    }

    #[test]
    fn unknown_schema_is_told_apart() {
        let event = json!({
            "schema": "conversation.forgotten", "version": "1.0", "id": "6a611583-3bd4-5207-9f93-8c04cea2a7e5",
            "occurredAt": "2026-11-23T23:49:04.829Z", "data": {},
        });
        let refused = Envelope::decode(&event.to_string());
        assert_eq!(refused, Err(DecodeError::UnknownSchema("conversation.forgotten".to_owned())));
    }

    #[test]
    fn version_without_a_number_is_malformed() {
        for version in ["", "one", "v1.0", "-1.0"] {
            let event = json!({
                "schema": "progress.updated", "version": version, "id": "6a611583-3bd4-5207-9f93-8c04cea2a7e5",
                "occurredAt": "2026-11-23T23:49:04.829Z", "data": {},
            });
            assert!(
                matches!(Envelope::decode(&event.to_string()), Err(DecodeError::Malformed(_))),
                "{version}"
            );
        }
    }

    #[test]
    fn cause_decides_the_id_where_there_can_be_several() {
        let conversation_id = conversation_id();
        let event = || {
            Event::ProgressUpdated(ProgressUpdated {
                conversation_id,
                user_id: "learner-1".parse().unwrap(),
                date: "2026-11-24".to_owned(),
                milestones: Vec::new(),
                standing: None,
            })
        };
        let by = |cause| Envelope::caused_by(cause, event(), Timestamp::UNIX_EPOCH, None).id;
        assert_eq!(by("conversation.completed"), by("conversation.completed"));
        assert_ne!(by("conversation.completed"), by("conversation.analyzed"));
        assert_ne!(by("conversation.completed"), Envelope::new(event(), Timestamp::UNIX_EPOCH, None).id);
    }
}
