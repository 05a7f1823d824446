//! The Images table, read for the tutor: the description of one picture. Learners see the catalogue in `pictures`.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use events::{
    contract::Level,
    dynamo::{read_item, text},
};
use serde::Deserialize;

pub const IMAGE_ID_BYTES_MAX: usize = 128;

/// All levels, the easiest first.
pub const LEVELS: [Level; 6] = [Level::A1, Level::A2, Level::B1, Level::B2, Level::C1, Level::C2];

/// Reads descriptions of pictures.
#[derive(Clone, Debug)]
pub struct Images {
    dynamodb: Client,
    table: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PictureDescription {
    pub title: String,
    /// The full description of the content.
    pub description: String,
    #[serde(default)]
    pub objectives: Vec<String>,
    /// Words to practise.
    #[serde(default)]
    pub vocabulary: Vec<String>,
    /// Guiding questions by level.
    #[serde(default)]
    pub questions: BTreeMap<Level, Vec<String>>,
}

impl Images {
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// The picture `image_id`; `None` if there is no such picture.
    ///
    /// # Errors
    /// The table cannot be read, or the item is not a picture.
    pub async fn get(&self, image_id: &str) -> anyhow::Result<Option<PictureDescription>> {
        if image_id.is_empty() || image_id.len() > IMAGE_ID_BYTES_MAX {
            return Ok(None);
        }
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("imageId", text(image_id))
            .send()
            .await
            .context("failed to read the picture")?;
        Ok(got.item.map(read_item).transpose()?)
    }
}

impl PictureDescription {
    /// The questions for `level`, or else those of the nearest level with questions; of two, the easier.
    #[must_use]
    pub fn questions_for(&self, level: Level) -> &[String] {
        nearest(&self.questions, level)
    }
}

/// The questions for `level`, or else those of the nearest level with questions; of two, the easier.
pub(super) fn nearest(all: &BTreeMap<Level, Vec<String>>, level: Level) -> &[String] {
    let own = LEVELS.iter().position(|candidate| *candidate == level).unwrap_or(0);
    let mut nearest: Vec<(usize, Level)> =
        LEVELS.iter().enumerate().map(|(index, candidate)| (index.abs_diff(own), *candidate)).collect();
    nearest.sort_by_key(|(distance, _)| *distance);
    let questions = nearest.iter().filter_map(|(_, level)| all.get(level));
    questions.map(Vec::as_slice).find(|questions| !questions.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::types::AttributeValue;

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
        let picture: PictureDescription = read_item(item).unwrap();
        assert_eq!(picture.objectives, ["Describe"]);
        assert_eq!(picture.questions_for(Level::C2), ["Why?"]);
    }

    #[test]
    fn an_item_without_a_description_is_an_error() {
        let item = HashMap::from([("title".to_owned(), AttributeValue::S("A market".to_owned()))]);
        assert!(read_item::<PictureDescription>(item).unwrap_err().to_string().contains("description"));
    }
}
