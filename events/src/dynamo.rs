//! DynamoDB items as values of serde, single attributes for expressions, and the error of a condition that did not hold.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::AttributeValue,
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

mod delete;

pub use delete::delete_items;

/// An item or a key of a table.
pub type Item = HashMap<String, AttributeValue>;

/// An item whose attributes are the serialised fields of `value`. `None` becomes NULL unless the field is skipped.
#[must_use]
pub fn to_item(value: &impl Serialize) -> Item {
    serde_dynamo::to_item(value).expect("an item is a struct with string keys")
}

/// Reads an item.
///
/// # Errors
/// An attribute is missing or has another type. The text may quote the value of an attribute.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, serde_dynamo::Error> {
    serde_dynamo::from_item(item)
}

/// An item that this build cannot read. The text names an attribute and quotes no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ItemError(String);

/// Reads an item whose values must not appear in a log.
///
/// # Errors
/// An attribute is missing or has another type.
pub fn read_item<T: DeserializeOwned>(item: Item) -> Result<T, ItemError> {
    let item = serde_dynamo::AttributeValue::M(serde_dynamo::Item::from(item).into());
    let deserializer = serde_dynamo::Deserializer::from_attribute_value(item);
    serde_path_to_error::deserialize(deserializer).map_err(|error: serde_path_to_error::Error<_>| {
        let (path, reason) = (error.path().to_string(), error.inner().to_string());
        ItemError(match path.as_str() {
            _ if reason.starts_with("missing field") => reason,
            // The path ends where structs are flattened.
            "." => "an attribute is unreadable".to_owned(),
            attribute => format!("the attribute {attribute} is unreadable"),
        })
    })
}

#[must_use]
pub fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

#[must_use]
pub fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A number attribute: milliseconds since the epoch.
#[must_use]
pub fn millis(at: Timestamp) -> AttributeValue {
    number(&at.as_millisecond())
}

/// The name of a unit variant as serde writes it.
///
/// # Panics
/// `value` is not a unit variant.
#[must_use]
pub fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a unit variant is written as its name, not as {other:?}"),
    }
}

/// Whether a write failed because its condition did not hold.
pub fn is_conditional_check_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// JSON in a string attribute, for `#[serde(with = "json_text")]`.
pub mod json_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

    /// Writes `value` as JSON text.
    ///
    /// # Errors
    /// `value` has no JSON form.
    pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(value).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    /// Reads a value from JSON text.
    ///
    /// # Errors
    /// The text is not the JSON of a `T`; the error does not quote it.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(|_| serde::de::Error::custom("unreadable JSON in an attribute"))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        error::ErrorMetadata, operation::put_item::PutItemError,
        types::error::ConditionalCheckFailedException,
    };
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        user_id: String,
        count: u64,
        #[serde(with = "json_text")]
        names: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        voice: Option<String>,
        #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
        at: Timestamp,
    }

    #[test]
    fn row_has_plain_attributes_and_is_read_as_written() {
        let at = Timestamp::from_millisecond(1_795_485_600_123).unwrap();
        let row =
            Row { user_id: "u".to_owned(), count: u64::MAX, names: vec!["a".to_owned()], voice: None, at };
        let item = to_item(&row);
        let expected = [
            ("userId", text("u")),
            ("count", number(&u64::MAX)),
            ("names", text("[\"a\"]")),
            ("at", millis(at)),
        ];
        assert_eq!(item, expected.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(from_item::<Row>(item).unwrap(), row);
    }

    #[test]
    fn unreadable_item_is_an_error_that_names_the_attribute_and_quotes_no_value() {
        let at = Timestamp::UNIX_EPOCH;
        let row = Row { user_id: "u".to_owned(), count: 1, names: Vec::new(), voice: None, at };
        let read = |name: &str, value: Option<AttributeValue>| {
            let mut item = to_item(&row);
            item.remove(name);
            item.extend(value.map(|value| (name.to_owned(), value)));
            read_item::<Row>(item).unwrap_err().to_string()
        };
        assert_eq!(read("userId", None), "missing field `userId`");
        for name in ["userId", "count", "names", "at"] {
            let error = read(name, Some(AttributeValue::L(vec![text("a secret")])));
            assert!(error.contains(name) && !error.contains("secret"), "{error}");
        }
        assert_eq!(read("count", Some(text("a secret"))), "the attribute count is unreadable");
    }

    #[test]
    fn failed_condition_is_told_from_other_errors() {
        let sdk = |error| SdkError::service_error(error, ());
        let code = |code| ErrorMetadata::builder().code(code).build();
        let failed =
            ConditionalCheckFailedException::builder().meta(code("ConditionalCheckFailedException")).build();
        assert!(is_conditional_check_failed(&sdk(PutItemError::ConditionalCheckFailedException(failed))));
        assert!(!is_conditional_check_failed(&sdk(PutItemError::generic(code("ThrottlingException")))));
    }
}
