//! The startup check: the AWS resources of a process exist and tables have the expected key. It creates nothing. A process
//! that fails the check does not start.

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::{KeySchemaElement, KeyType, TableDescription},
};

use super::failure::describe;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Partition key attribute.
    pub partition: &'static str,
    /// Sort key attribute, if the table has one.
    pub sort: Option<&'static str>,
}

pub const CONVERSATIONS: Key = Key { partition: "sessionId", sort: Some("timestamp") };

pub const IMAGES: Key = Key { partition: "imageId", sort: None };

pub const USERS: Key = Key { partition: "userId", sort: None };

/// The key of the UserProgress table.
pub const PROGRESS: Key = Key { partition: "userId", sort: Some("date") };

pub const EFFECTS: Key = Key { partition: "effectId", sort: None };

/// Checks that `table`, the value of the environment variable `variable`, has `key`.
///
/// # Errors
/// The table is missing, inaccessible or has another key.
pub async fn table(
    dynamodb: &aws_sdk_dynamodb::Client,
    variable: &str,
    table: &str,
    key: Key,
) -> anyhow::Result<()> {
    let description = dynamodb
        .describe_table()
        .table_name(table)
        .send()
        .await
        .map_err(|error| describe(&error))
        .with_context(|| format!("{variable}: failed to describe the table {table:?}"))?;
    let schema = description.table().map(TableDescription::key_schema).unwrap_or_default();
    let attribute = |kind: KeyType| {
        schema.iter().find(|element| *element.key_type() == kind).map(KeySchemaElement::attribute_name)
    };
    let found = (attribute(KeyType::Hash), attribute(KeyType::Range));
    ensure!(
        found == (Some(key.partition), key.sort),
        "{variable}: the table {table:?} has the key {found:?}, expected is {:?}",
        (key.partition, key.sort)
    );
    Ok(())
}

/// Checks that the bucket `bucket`, the value of `variable`, exists.
///
/// # Errors
/// The bucket is missing or inaccessible.
pub async fn bucket(s3: &aws_sdk_s3::Client, variable: &str, bucket: &str) -> anyhow::Result<()> {
    found(s3.head_bucket().bucket(bucket).send().await, variable, "bucket", bucket)
}

/// Checks that the queue at `url`, the value of `variable`, exists.
///
/// # Errors
/// The queue is missing or inaccessible.
pub async fn queue(sqs: &aws_sdk_sqs::Client, variable: &str, url: &str) -> anyhow::Result<()> {
    let arn = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = sqs.get_queue_attributes().queue_url(url).attribute_names(arn).send().await;
    found(attributes, variable, "queue", url)
}

/// Checks that the event bus `name`, the value of `variable`, exists.
///
/// # Errors
/// The event bus is missing or inaccessible.
pub async fn bus(bridge: &aws_sdk_eventbridge::Client, variable: &str, name: &str) -> anyhow::Result<()> {
    found(bridge.describe_event_bus().name(name).send().await, variable, "event bus", name)
}

/// The check of a `kind` of resource from the result of a call that reads its properties.
///
/// # Errors
/// The call failed.
pub fn found<T, E>(read: Result<T, SdkError<E>>, variable: &str, kind: &str, name: &str) -> anyhow::Result<()>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let read = read.map_err(|error| describe(&error));
    read.with_context(|| format!("{variable}: failed to find the {kind} {name:?}")).map(|_| ())
}
