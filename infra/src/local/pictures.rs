//! The catalogue of pictures, and its way into the Images table.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::Progress;

/// A picture as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Picture {
    /// Its key.
    pub image_id: String,
    /// One of five.
    pub category: String,
    /// What it is called.
    pub title: String,
    /// What it shows, in a sentence, for those who cannot see it.
    pub alt: String,
    /// What it shows, in full: the speaking partner cannot see it either.
    pub description: String,
    /// What a learner practises with it.
    pub objectives: Vec<String>,
    /// Words that belong to it.
    pub vocabulary: Vec<String>,
    /// Guiding questions by CEFR level.
    pub questions: BTreeMap<String, Vec<String>>,
}

/// The pictures that ship with the product.
///
/// # Errors
/// When the catalogue is not what it should be.
pub fn catalogue() -> anyhow::Result<Vec<Picture>> {
    serde_json::from_str(include_str!("../../pictures/catalogue.json"))
        .context("the picture catalogue is broken")
}

/// Writes the catalogue into the Images table `table`, replacing what is there under the same keys. Returns how
/// many pictures there are.
///
/// # Errors
/// When the table cannot be written.
pub async fn publish_pictures(sdk: &SdkConfig, table: &str, progress: &Progress) -> anyhow::Result<usize> {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    let pictures = catalogue()?;
    for picture in &pictures {
        progress.detail(&picture.title);
        let put = dynamodb.put_item().table_name(table).set_item(Some(item(picture))).send().await;
        put.with_context(|| format!("cannot write the picture {} into {table}", picture.image_id))?;
    }
    Ok(pictures.len())
}

fn item(picture: &Picture) -> HashMap<String, AttributeValue> {
    let questions = picture.questions.iter().map(|(level, texts)| (level.clone(), list(texts)));
    HashMap::from([
        ("imageId".to_owned(), AttributeValue::S(picture.image_id.clone())),
        ("category".to_owned(), AttributeValue::S(picture.category.clone())),
        ("title".to_owned(), AttributeValue::S(picture.title.clone())),
        ("alt".to_owned(), AttributeValue::S(picture.alt.clone())),
        ("description".to_owned(), AttributeValue::S(picture.description.clone())),
        ("objectives".to_owned(), list(&picture.objectives)),
        ("vocabulary".to_owned(), list(&picture.vocabulary)),
        ("questions".to_owned(), AttributeValue::M(questions.collect())),
    ])
}

fn list(texts: &[String]) -> AttributeValue {
    AttributeValue::L(texts.iter().cloned().map(AttributeValue::S).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_25_pictures_five_in_each_of_five_categories() {
        let pictures = catalogue().unwrap();
        let mut categories = BTreeMap::<String, usize>::new();
        for picture in &pictures {
            *categories.entry(picture.category.clone()).or_default() += 1;
        }
        assert_eq!(pictures.len(), 25);
        assert_eq!(categories.into_values().collect::<Vec<_>>(), [5; 5]);
    }
}
