//! PURE. Undoes the ways in which models are known to wrap the input of a tool, so that a paid repair request is not spent on
//! them: arrays and objects as strings of JSON, and objects around the input or around a part of it, such as `output`,
//! `parameters` or the placeholder `$PARAMETER_NAME`.

use serde_json::Value;

/// Maximum number of layers around one value.
const LAYERS_MAX: usize = 4;

/// `value` without wrappings, as far as `schema`, one self-contained schema, wants an object or an array. What does not lead
/// to such a value stays as it is.
pub(super) fn unwrapped(value: Value, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => {
            let opened = opened(value, Value::is_object, &schema["properties"]);
            let Value::Object(fields) = opened else { return opened };
            let fields = fields.into_iter().map(|(name, field)| {
                let field = unwrapped(field, &schema["properties"][&name]);
                (name, field)
            });
            Value::Object(fields.collect())
        }
        Some("array") => {
            let opened = opened(value, Value::is_array, &Value::Null);
            let Value::Array(items) = opened else { return opened };
            items.into_iter().map(|item| unwrapped(item, &schema["items"])).collect()
        }
        _ => value,
    }
}

/// The value in the layers of `value` that is `wanted`, or `value` itself if there is none. An object with one of the
/// `properties` that are expected is not a layer.
fn opened(value: Value, wanted: fn(&Value) -> bool, properties: &Value) -> Value {
    let mut layer = value.clone();
    for _ in 0..=LAYERS_MAX {
        let inner = match &layer {
            Value::String(text) => serde_json::from_str(text).ok(),
            Value::Object(fields) if fields.keys().all(|name| properties.get(name).is_none()) => {
                let mut inside = fields.values().filter(|field| may_hold(field, wanted));
                inside.next().filter(|_| inside.next().is_none()).cloned()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let Some(inner) = inner else {
            return if wanted(&layer) { layer } else { value };
        };
        layer = inner;
    }
    value
}

fn may_hold(value: &Value, wanted: fn(&Value) -> bool) -> bool {
    let starts = |text: &str| text.trim_start().starts_with(['{', '[', '"']);
    wanted(value) || value.is_object() || value.as_str().is_some_and(starts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        let texts = json!({ "type": "array", "items": { "type": "string" } });
        let part =
            json!({ "type": "object", "properties": { "quotes": texts, "score": { "type": "integer" } } });
        json!({
            "type": "object",
            "properties": { "name": { "type": "string" }, "texts": texts, "part": part, "parts": { "type": "array", "items": part } },
        })
    }

    fn input() -> Value {
        json!({ "name": "[1]", "texts": ["a", "{\"b\":1}"], "part": { "quotes": ["c"], "score": 64 }, "parts": [{ "quotes": [] }] })
    }

    #[test]
    fn known_wrappings_are_undone() {
        let whole = input();
        let text = whole.to_string();
        for wrapped in [
            whole.clone(),
            json!(text),
            json!({ "output": whole }),
            json!({ "$PARAMETER_NAME": whole }),
            json!({ "$PARAMETER_NAME": text }),
            json!({ "input": { "output": whole } }),
            json!({ "name_of_tool": "record_assessment", "parameters": whole }),
            json!({ "parameters": json!(text).to_string() }),
        ] {
            assert_eq!(unwrapped(wrapped.clone(), &schema()), whole, "{wrapped}");
        }
    }

    #[test]
    fn parts_are_unwrapped_where_the_schema_wants_them() {
        for (pointer, wrapped) in [
            ("/texts", json!("[\"a\", \"{\\\"b\\\":1}\"]")),
            ("/texts", json!({ "item": ["a", "{\"b\":1}"] })),
            ("/part", json!("{\"quotes\": \"[\\\"c\\\"]\", \"score\": 64}")),
            ("/part/quotes", json!({ "$PARAMETER_NAME": "[\"c\"]" })),
            ("/parts", json!(["{\"quotes\": []}"])),
            ("/parts/0", json!({ "item": { "quotes": "[]" } })),
        ] {
            let mut answer = input();
            *answer.pointer_mut(pointer).unwrap() = wrapped.clone();
            assert_eq!(unwrapped(answer, &schema()), input(), "{pointer}: {wrapped}");
        }
    }

    #[test]
    fn what_is_not_a_wrapping_stays_as_it_is() {
        let mut deep = input();
        for _ in 0..=LAYERS_MAX {
            deep = json!({ "output": deep });
        }
        for other in [
            json!("well done"),
            json!({}),
            json!({ "a": input(), "b": input() }),
            json!({ "part": input() }),
            json!({ "texts": "a", "part": [1], "parts": { "score": 1 } }),
            json!(null),
            deep,
        ] {
            assert_eq!(unwrapped(other.clone(), &schema()), other);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_unwrapped_without_panic(text in r#"[\[\]{}":,a1\\ ]{0,40}"#) {
            let _ = unwrapped(json!({ "texts": text, "part": text }), &schema());
            let _ = unwrapped(Value::String(text), &schema());
        }
    }
}
