//! PURE. The capacity that calls of DynamoDB consume, by the rules of its developer guide ("Capacity unit consumption"): a write
//! unit is a KB of an item, a read unit 4 KB, half of it if the read is eventually consistent; transactions pay twice. An index
//! pays for what changes in it. Numbers in a set and nested keys are rounded up.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expression::Item;

/// Bytes of a write unit.
const WRITE_BYTES: usize = 1024;

/// Bytes of a read unit.
const READ_BYTES: usize = 4096;

/// A secondary index.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its key attributes.
    pub key: Vec<String>,
    /// Attributes that it holds beside the keys; `None` for all.
    pub attributes: Option<Vec<String>>,
}

/// Consumed units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Capacity {
    /// Of tables.
    pub write: f64,
    /// Of indexes.
    pub index: f64,
    pub read: f64,
}

impl Capacity {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            write: self.write - before.write,
            index: self.index - before.index,
            read: self.read - before.read,
        }
    }
}

/// What is counted since a moment.
#[derive(Debug, Default)]
pub struct Capacities {
    /// By table.
    indexes: BTreeMap<String, Vec<Index>>,
    pub(super) consumed: Capacity,
}

impl Capacities {
    /// A table with its indexes.
    pub fn add(&mut self, table: &str, indexes: Vec<Index>) {
        self.indexes.insert(table.to_owned(), indexes);
    }

    /// A write of an item in `table` from `before` to `after`.
    pub(super) fn wrote(
        &mut self,
        table: &str,
        before: Option<&Item>,
        after: Option<&Item>,
        in_transaction: bool,
    ) {
        let largest = size(before).max(size(after));
        self.consumed.write += units(largest, WRITE_BYTES) * if in_transaction { 2.0 } else { 1.0 };
        for index in self.indexes.get(table).into_iter().flatten() {
            self.consumed.index += index.changed(before, after);
        }
    }

    /// A read of `items`.
    pub(super) fn read(&mut self, items: &[Value], is_consistent: bool) {
        let bytes = items.iter().map(|item| size(item.as_object())).sum();
        self.consumed.read += units(bytes, READ_BYTES) * if is_consistent { 1.0 } else { 0.5 };
    }
}

impl Index {
    /// The units for a change of an item. A changed key is a deletion and a new entry.
    fn changed(&self, before: Option<&Item>, after: Option<&Item>) -> f64 {
        let (before, after) = (self.entry(before), self.entry(after));
        let of = |entry: &Option<Item>| units(size(entry.as_ref()), WRITE_BYTES);
        match (&before, &after) {
            (None, None) => 0.0,
            (Some(_), None) => of(&before),
            (None, Some(_)) => of(&after),
            (Some(old), Some(new)) if old == new => 0.0,
            (Some(old), Some(new)) if self.key.iter().all(|name| old[name] == new[name]) => {
                of(&before).max(of(&after))
            }
            (Some(_), Some(_)) => of(&before) + of(&after),
        }
    }

    /// What the index holds of an item; nothing without all of its key attributes.
    fn entry(&self, item: Option<&Item>) -> Option<Item> {
        let item = item.filter(|item| self.key.iter().all(|name| item.contains_key(name)))?;
        let holds = |name: &String| {
            self.attributes.as_ref().is_none_or(|names| names.contains(name) || self.key.contains(name))
        };
        Some(
            item.iter()
                .filter(|(name, _)| holds(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }
}

fn units(bytes: usize, unit: usize) -> f64 {
    f64::from(u32::try_from(bytes.div_ceil(unit).max(1)).unwrap_or(u32::MAX))
}

fn size(item: Option<&Item>) -> usize {
    item.map_or(0, |item| item.iter().map(|(name, value)| name.len() + value_size(value)).sum())
}

/// The size of a value in the notation of the API, `{"S": "text"}`.
fn value_size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let text = || value.as_str().map_or(0, str::len);
    match kind.as_str() {
        "S" => text(),
        "N" => text().div_ceil(2) + 1,
        "B" => text() / 4 * 3,
        "L" => 3 + value.as_array().into_iter().flatten().map(|part| 1 + value_size(part)).sum::<usize>(),
        "M" => {
            3 + value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, part)| 1 + name.len() + value_size(part))
                .sum::<usize>()
        }
        "SS" | "NS" | "BS" => {
            value.as_array().into_iter().flatten().map(|part| part.as_str().map_or(0, str::len)).sum()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: Value) -> Item {
        serde_json::from_value(value).unwrap_or_default()
    }

    /// A header of 1.5 KB in the index of all attributes and in one of the state alone.
    #[test]
    fn index_pays_only_for_what_changes_in_it() {
        let header = |lease: &str| {
            item(json!({ "userId": { "S": "u" }, "timestamp": { "N": "1" }, "lease": { "N": lease },
                "state": { "S": "ACTIVE" }, "text": { "S": "x".repeat(1500) } }))
        };
        let key = vec!["userId".to_owned(), "timestamp".to_owned()];
        let mut all = Capacities::default();
        all.indexes.insert("t".to_owned(), vec![Index { key: key.clone(), attributes: None }]);
        all.wrote("t", Some(&header("1")), Some(&header("2")), false);
        assert_eq!(all.consumed, Capacity { write: 2.0, index: 2.0, read: 0.0 });
        let mut small = Capacities::default();
        let state = Some(vec!["state".to_owned()]);
        small.indexes.insert("t".to_owned(), vec![Index { key, attributes: state }]);
        small.wrote("t", Some(&header("1")), Some(&header("2")), true);
        assert_eq!(small.consumed, Capacity { write: 4.0, index: 0.0, read: 0.0 });
        small.wrote("t", None, Some(&header("1")), false);
        assert_eq!(small.consumed, Capacity { write: 6.0, index: 1.0, read: 0.0 });
    }

    #[test]
    fn read_of_nothing_and_of_five_kilobytes_is_rounded_up() {
        let mut read = Capacities::default();
        read.read(&[], false);
        assert_eq!(read.consumed.read.to_bits(), 0.5f64.to_bits());
        read.read(&[json!({ "a": { "S": "x".repeat(5000) } })], true);
        assert_eq!(read.consumed.read.to_bits(), 2.5f64.to_bits());
    }
}
