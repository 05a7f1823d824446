//! The description of a picture in the Images table, read only.

use events::{
    dynamo::{read_item, text},
    runtime::failure::Failure,
};
use serde::{Deserialize, Serialize};

/// The description of a picture, as the table holds it and as the prompt contains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) description: String,
    #[serde(default)]
    pub(super) objectives: Vec<String>,
    #[serde(default)]
    pub(super) vocabulary: Vec<String>,
}

/// The picture `image_id`; `None` if the table has no description of it.
///
/// # Errors
/// By the class of the failed call.
pub(super) async fn load(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &str,
    image_id: &str,
) -> Result<Option<Picture>, Failure> {
    let output = dynamodb
        .get_item()
        .table_name(table)
        .key("imageId", text(image_id))
        .send()
        .await
        .map_err(|error| Failure::aws(error).context("failed to read the picture's description"))?;
    Ok(output.item.and_then(|item| read_item(item).ok()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use events::dynamo::Item;

    use super::*;

    #[test]
    fn picture_needs_a_title_and_a_description_and_takes_lists_or_sets() {
        let mut item = Item::from([
            ("title".to_owned(), text("A café")),
            ("objectives".to_owned(), AttributeValue::L(vec![text("Describe people")])),
            ("vocabulary".to_owned(), AttributeValue::Ss(vec!["waiter".to_owned()])),
        ]);
        assert!(read_item::<Picture>(item.clone()).is_err());
        item.insert("description".to_owned(), text("Two people drink coffee."));
        let found: Picture = read_item(item).unwrap();
        assert_eq!(
            (found.objectives, found.vocabulary),
            (vec!["Describe people".into()], vec!["waiter".into()])
        );
    }
}
