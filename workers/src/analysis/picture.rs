//! The Images table, read only: what a picture shows.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use events::runtime::failure::Failure;
use serde::Serialize;

/// What the model is told of a picture, in the shape in which it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) objectives: Vec<String>,
    pub(super) vocabulary: Vec<String>,
}

/// The picture `image_id`, or `None` when the table does not hold it any more.
///
/// # Errors
/// By the nature of the failed call.
pub(super) async fn load(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &str,
    image_id: &str,
) -> Result<Option<Picture>, Failure> {
    let output = dynamodb
        .get_item()
        .table_name(table)
        .key("imageId", AttributeValue::S(image_id.to_owned()))
        .send()
        .await
        .map_err(|error| Failure::aws(error).context("failed to read the picture's description"))?;
    Ok(output.item.as_ref().and_then(picture))
}

fn picture(item: &HashMap<String, AttributeValue>) -> Option<Picture> {
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let strings = |name: &str| match item.get(name) {
        Some(AttributeValue::L(list)) => list.iter().filter_map(|value| value.as_s().ok()).cloned().collect(),
        Some(AttributeValue::Ss(set)) => set.clone(),
        _ => vec![],
    };
    Some(Picture {
        title: string("title")?,
        description: string("description")?,
        objectives: strings("objectives"),
        vocabulary: strings("vocabulary"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_needs_a_title_and_a_description_and_takes_lists_or_sets() {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut item = HashMap::from([
            ("title".to_owned(), text("A café")),
            ("objectives".to_owned(), AttributeValue::L(vec![text("Describe people")])),
            ("vocabulary".to_owned(), AttributeValue::Ss(vec!["waiter".to_owned()])),
        ]);
        assert_eq!(picture(&item), None);
        item.insert("description".to_owned(), text("Two people drink coffee."));
        let found = picture(&item).unwrap();
        assert_eq!(
            (found.objectives, found.vocabulary),
            (vec!["Describe people".into()], vec!["waiter".into()])
        );
    }
}
