//! The Images table: what the tutor knows of a picture. Read only.

use std::{
    collections::{BTreeMap, HashMap},
    slice,
};

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use events::contract::Level;

/// Longest image id, in bytes.
pub const IMAGE_ID_BYTES_MAX: usize = 128;

/// Levels, from the easiest.
pub(super) const LEVELS: [Level; 6] = [Level::A1, Level::A2, Level::B1, Level::B2, Level::C1, Level::C2];

/// Reads pictures.
#[derive(Clone, Debug)]
pub struct Images {
    dynamodb: Client,
    table: String,
}

/// What there is to say about a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Its name.
    pub title: String,
    /// What can be seen.
    pub description: String,
    /// What a learner can practise with it.
    pub objectives: Vec<String>,
    /// Words to practise.
    pub vocabulary: Vec<String>,
    /// Guiding questions for each level.
    pub questions: BTreeMap<Level, Vec<String>>,
}

impl Images {
    /// Pictures of `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The picture `image_id`, if there is one.
    ///
    /// # Errors
    /// The table cannot be read, or its item is not a picture.
    pub async fn get(&self, image_id: &str) -> anyhow::Result<Option<Picture>> {
        if image_id.is_empty() || image_id.len() > IMAGE_ID_BYTES_MAX {
            return Ok(None);
        }
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("imageId", AttributeValue::S(image_id.to_owned()))
            .send()
            .await
            .context("failed to read the picture")?;
        got.item.map(|item| picture(&item)).transpose()
    }
}

impl Picture {
    /// The questions for `level`, or those of the nearest level that has some, the easier one first.
    #[must_use]
    pub fn questions_for(&self, level: Level) -> &[String] {
        nearest(&self.questions, level)
    }
}

/// The questions for `level`, or those of the nearest level that has some, the easier one first.
pub(super) fn nearest(all: &BTreeMap<Level, Vec<String>>, level: Level) -> &[String] {
    let own = LEVELS.iter().position(|candidate| *candidate == level).unwrap_or(0);
    let mut nearest: Vec<(usize, Level)> =
        LEVELS.iter().enumerate().map(|(index, candidate)| (index.abs_diff(own), *candidate)).collect();
    nearest.sort_by_key(|(distance, _)| *distance);
    let questions = nearest.iter().filter_map(|(_, level)| all.get(level));
    questions.map(Vec::as_slice).find(|questions| !questions.is_empty()).unwrap_or_default()
}

fn picture(item: &HashMap<String, AttributeValue>) -> anyhow::Result<Picture> {
    let text = |name: &str| {
        let value = item.get(name).and_then(|value| value.as_s().ok());
        value.cloned().with_context(|| format!("the picture has no text {name:?}"))
    };
    let texts = |name: &str| item.get(name).map(list).unwrap_or_default();
    Ok(Picture {
        title: text("title")?,
        description: text("description")?,
        objectives: texts("objectives"),
        vocabulary: texts("vocabulary"),
        questions: questions(item),
    })
}

/// The guiding questions of a picture, for the levels that have some.
pub(super) fn questions(item: &HashMap<String, AttributeValue>) -> BTreeMap<Level, Vec<String>> {
    let Some(Ok(by_level)) = item.get("questions").map(AttributeValue::as_m) else { return BTreeMap::new() };
    let of_level = |level: Level| by_level.get(&format!("{level:?}")).map(|value| (level, list(value)));
    LEVELS.into_iter().filter_map(of_level).collect()
}

/// A list or set of texts.
pub(super) fn list(value: &AttributeValue) -> Vec<String> {
    if let Ok(set) = value.as_ss() {
        return set.clone();
    }
    let values = value.as_l().map_or_else(|_| slice::from_ref(value), Vec::as_slice);
    values.iter().filter_map(|value| value.as_s().ok().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> AttributeValue {
        AttributeValue::L(texts.iter().map(|text| AttributeValue::S((*text).to_owned())).collect())
    }

    #[test]
    fn an_item_is_a_picture() {
        let item = HashMap::from([
            ("title".to_owned(), AttributeValue::S("A market".to_owned())),
            ("description".to_owned(), AttributeValue::S("Stalls.".to_owned())),
            ("objectives".to_owned(), texts(&["Describe"])),
            ("questions".to_owned(), AttributeValue::M(HashMap::from([("B1".to_owned(), texts(&["Why?"]))]))),
        ]);
        let picture = picture(&item).unwrap();
        assert_eq!(picture.objectives, ["Describe"]);
        assert_eq!(picture.questions_for(Level::C2), ["Why?"]);
    }

    #[test]
    fn an_item_without_a_description_is_an_error() {
        let item = HashMap::from([("title".to_owned(), AttributeValue::S("A market".to_owned()))]);
        assert!(picture(&item).unwrap_err().to_string().contains("description"));
    }
}
