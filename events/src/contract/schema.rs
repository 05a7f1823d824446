//! PURE. JSON Schemas of event envelopes and stored documents, derived from the Rust types. Tests compare them with the
//! published files in `schemas/event`; the service does not validate with them.
//!
//! A schema states what a reader may rely on: unknown fields are allowed, and `version` may be any 1.x.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{Assessment, EventId, StoredAnalysis, Transcript};

pub const DOCUMENT_NAMES: [&str; 3] = ["transcript", "assessment", "stored-analysis"];

/// The JSON Schema (2020-12) of the document `name`, for example `transcript`. `None` for a name outside
/// [`DOCUMENT_NAMES`].
#[must_use]
pub fn document_schema_of(name: &str) -> Option<Value> {
    let schema = match name {
        "transcript" => generator().into_root_schema_for::<Transcript>(),
        "assessment" => generator().into_root_schema_for::<Assessment>(),
        "stored-analysis" => generator().into_root_schema_for::<StoredAnalysis>(),
        _ => return None,
    };
    Some(named(schema, name))
}

/// The JSON Schema of the envelope of the event `name`, whose data is a `T`.
pub(super) fn envelope<T: JsonSchema>(name: &str) -> Value {
    let mut generator = generator();
    let id = generator.subschema_for::<EventId>();
    let data = generator.subschema_for::<T>();
    let definitions = Value::Object(generator.take_definitions(true));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "description": "The detail of an EventBridge event: a fact and what identifies it.",
        "type": "object",
        "properties": {
            "schema": { "const": name, "description": "The name of the event." },
            "version": {
                "type": "string",
                "pattern": "^1\\.[0-9]+$",
                "description": "The version of the event's shape, major.minor.",
            },
            "id": id,
            "occurredAt": { "type": "string", "format": "date-time", "description": "When the fact occurred." },
            "traceparent": {
                "type": ["string", "null"],
                "description": "W3C trace context of the conversation, 00-<trace>-<span>-<flags>.",
            },
            "data": data,
        },
        "required": ["schema", "version", "id", "occurredAt", "data"],
        "$defs": definitions,
    })
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

fn named(schema: Schema, name: &str) -> Value {
    let mut schema = schema.to_value();
    schema["title"] = json!(name);
    schema
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use jsonschema::Validator;

    use super::*;
    use crate::{
        contract::{
            EVENT_NAMES, Envelope, schema_of,
            test_samples::{any_envelope, with_fractions},
        },
        json,
    };
    use proptest::prelude::*;

    fn schemas() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas")
    }

    fn validator(schema: &Value) -> Validator {
        jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
    }

    fn example(name: &str) -> Value {
        let path = schemas().join(format!("example/{name}.json"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    fn published() -> Vec<(&'static str, Value)> {
        let events = EVENT_NAMES.map(|name| (name, schema_of(name).unwrap()));
        let documents = DOCUMENT_NAMES.map(|name| (name, document_schema_of(name).unwrap()));
        events.into_iter().chain(documents).collect()
    }

    /// `NOVA_BLESS=1 cargo test --workspace --lib` writes the files; a published shape only ever gains optional fields.
    #[test]
    fn published_schemas_are_those_of_the_types() {
        for (name, schema) in published() {
            let path = schemas().join(format!("event/{name}.v1.json"));
            if std::env::var_os("NOVA_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, format!("{schema:#}\n")).unwrap();
            }
            // As values: the order of keys is not part of a schema.
            let stored =
                fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
            assert!(
                stored == Some(schema),
                "{} differs from the types; NOVA_BLESS=1 writes it",
                path.display()
            );
        }
        for file in fs::read_dir(schemas().join("event")).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let known = published().iter().any(|(name, _)| file == format!("{name}.v1.json"));
            assert!(known, "{file} has no type");
        }
        assert_eq!(schema_of("transcript"), None);
        assert_eq!(document_schema_of("conversation.completed"), None);
    }

    #[test]
    fn examples_validate_decode_and_encode_to_the_same() {
        for name in EVENT_NAMES {
            let example = example(name);
            if let Err(error) = validator(&schema_of(name).unwrap()).validate(&example) {
                panic!("{name}: {error}");
            }
            let envelope = Envelope::decode(&example.to_string()).unwrap();
            assert_eq!(envelope.event.schema(), name);
            assert_eq!(envelope.id, id_of(&envelope), "{name}");
            assert_eq!(serde_json::from_str::<Value>(&envelope.encode()).unwrap(), example, "{name}");
        }
    }

    /// A folder of `schemas/example` is what an earlier version wrote, and is never changed.
    #[test]
    fn events_and_documents_of_earlier_versions_are_still_read() {
        let files = |version: &str| fs::read_dir(schemas().join("example").join(version)).unwrap();
        let mut read = 0;
        for file in ["1.0", "1.1", "1.2"].into_iter().flat_map(files) {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            if EVENT_NAMES.contains(&name.as_str()) {
                assert!(validator(&schema_of(&name).unwrap()).is_valid(&value), "{name}");
                let envelope = Envelope::decode(&text).unwrap();
                assert_eq!((envelope.event.schema(), envelope.id), (name.as_str(), id_of(&envelope)));
            } else {
                assert!(validator(&document_schema_of(&name).unwrap()).is_valid(&value), "{name}");
                match name.as_str() {
                    "transcript" => drop(again::<Transcript>(&value)),
                    "assessment" => drop(again::<Assessment>(&value)),
                    "stored-analysis" => drop(again::<StoredAnalysis>(&value)),
                    _ => panic!("{name} is not checked"),
                }
            }
            read += 1;
        }
        assert!(read >= 28, "{read} examples");
    }

    fn id_of(envelope: &Envelope) -> EventId {
        let (event, at) = (envelope.event.clone(), envelope.occurred_at);
        let cause = event.as_stalled().map(|data| data.stage.name());
        let cause = cause.or(event.as_progress_updated().map(|_| "conversation.completed"));
        match cause {
            Some(cause) => Envelope::caused_by(cause, event, at, None).id,
            None => Envelope::new(event, at, None).id,
        }
    }

    #[test]
    fn example_documents_validate_and_encode_to_the_same() {
        for name in DOCUMENT_NAMES {
            let example = example(name);
            if let Err(error) = validator(&document_schema_of(name).unwrap()).validate(&example) {
                panic!("{name}: {error}");
            }
            let again = match name {
                "transcript" => again::<Transcript>(&example),
                "assessment" => again::<Assessment>(&example),
                "stored-analysis" => again::<StoredAnalysis>(&example),
                _ => panic!("{name} is not checked"),
            };
            assert_eq!(again, example, "{name}");
        }
    }

    /// Documents are read as events are: `json` does not know fields, so none can be forgotten.
    #[test]
    fn every_integer_of_a_document_may_have_a_zero_fraction() {
        for name in DOCUMENT_NAMES {
            let example = example(name);
            let mut fractions = example.clone();
            with_fractions(&mut fractions);
            assert!(validator(&document_schema_of(name).unwrap()).is_valid(&fractions), "{name}");
            let read = match name {
                "transcript" => serde_json::to_value(json::from_value::<Transcript>(fractions).unwrap()),
                "assessment" => serde_json::to_value(json::from_value::<Assessment>(fractions).unwrap()),
                "stored-analysis" => {
                    serde_json::to_value(json::from_value::<StoredAnalysis>(fractions).unwrap())
                }
                _ => panic!("{name} is not checked"),
            };
            assert_eq!(read.unwrap(), example, "{name}");
        }
    }

    fn again<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(value.clone()).unwrap()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_encoded_validates(envelope in any_envelope()) {
            let event: Value = serde_json::from_str(&envelope.encode()).unwrap();
            let schema = validator(&schema_of(envelope.event.schema()).unwrap());
            prop_assert!(schema.is_valid(&event), "{event}");
        }
    }

    #[test]
    fn schemas_refuse_what_is_not_the_event() {
        let good = example("conversation.completed");
        let schema = validator(&schema_of("conversation.completed").unwrap());
        let spoilt = |path: &str, value: Value| {
            let mut event = good.clone();
            *event.pointer_mut(path).unwrap() = value;
            event
        };
        assert!(schema.is_valid(&spoilt("/version", json!("1.7"))));
        for (path, value) in [
            ("/schema", json!("conversation.analyzed")),
            ("/version", json!("2.0")),
            ("/id", json!("not-a-uuid")),
            ("/occurredAt", json!("yesterday")),
            ("/data/conversationId", json!(7)),
            ("/data/userId", json!("a/b")),
            ("/data/startedAt", json!("now")),
            ("/data/reason", json!("bored")),
            ("/data/turns", json!(-1)),
        ] {
            assert!(!schema.is_valid(&spoilt(path, value)), "{path}");
        }
        let scores = validator(&schema_of("conversation.analyzed").unwrap());
        let mut high = example("conversation.analyzed");
        high["data"]["scores"]["overall"] = json!(101);
        assert!(!scores.is_valid(&high));
    }
}
