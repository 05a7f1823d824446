//! PURE. Why a value is invalid and what is allowed, for programs. `detail` of a problem says the same to people in English; a page
//! in another language composes its text of these.

use schemars::JsonSchema;
use serde::Serialize;

/// The rule that a value breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    pub reason: Reason,
    pub limit: Option<Limit>,
    /// The allowed values, where these are few.
    pub allowed: Vec<String>,
}

/// Why a value is invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It has another type or form than the schema requires.
    #[default]
    Malformed,
    /// It is required.
    Missing,
    /// There is no field or parameter of this name.
    UnknownName,
    /// It is given twice.
    Duplicate,
    /// It is longer, shorter, larger or smaller than `limit` allows, or there are too many.
    OutOfLimit,
    /// It is not one of `allowed`.
    NotAllowed,
    /// It contradicts another value.
    Contradicts,
}

/// The least and the most of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    pub max: u64,
    pub unit: Unit,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    Characters,
    Digits,
    Items,
    Days,
    Milliseconds,
    Channels,
}

impl Limit {
    /// At most `max`.
    #[must_use]
    pub fn at_most(max: impl TryInto<u64>, unit: Unit) -> Self {
        Self { min: None, max: max.try_into().unwrap_or(u64::MAX), unit }
    }

    /// From `min` to `max`.
    #[must_use]
    pub fn between(min: impl TryInto<u64>, max: impl TryInto<u64>, unit: Unit) -> Self {
        Self { min: Some(min.try_into().unwrap_or(0)), ..Self::at_most(max, unit) }
    }
}

impl From<Limit> for Rule {
    fn from(limit: Limit) -> Self {
        Self { reason: Reason::OutOfLimit, limit: Some(limit), allowed: Vec::new() }
    }
}

impl From<Reason> for Rule {
    fn from(reason: Reason) -> Self {
        Self { reason, limit: None, allowed: Vec::new() }
    }
}

impl Rule {
    /// One of these values.
    #[must_use]
    pub fn one_of<T: Into<String>>(allowed: impl IntoIterator<Item = T>) -> Self {
        let allowed = allowed.into_iter().map(Into::into).collect();
        Self { reason: Reason::NotAllowed, limit: None, allowed }
    }
}
