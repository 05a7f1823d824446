//! The startup check: the AWS resources of a process exist and tables have the expected key. It creates nothing. A process
//! that fails the check does not start.

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::{KeySchemaElement, KeyType, TableDescription},
};

use super::failure::describe;

/// A table of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Environment variable with its name.
    pub variable: &'static str,
    /// Partition key attribute.
    pub partition: &'static str,
    /// Sort key attribute, if the table has one.
    pub sort: Option<&'static str>,
}

pub const CONVERSATIONS: Table =
    Table { variable: "NOVA_CONVERSATIONS_TABLE", partition: "sessionId", sort: Some("timestamp") };
pub const IMAGES: Table = Table { variable: "NOVA_IMAGES_TABLE", partition: "imageId", sort: None };
pub const USERS: Table = Table { variable: "NOVA_USERS_TABLE", partition: "userId", sort: None };
pub const PROGRESS: Table =
    Table { variable: "NOVA_PROGRESS_TABLE", partition: "userId", sort: Some("date") };
pub const EFFECTS: Table = Table { variable: "NOVA_EFFECTS_TABLE", partition: "effectId", sort: None };

pub const SESSIONS: Table =
    Table { variable: "NOVA_SESSIONS_TABLE", partition: "userId", sort: Some("sessionId") };

/// Checks that `expected`, whose name is `name`, exists and has its key.
///
/// # Errors
/// The table is missing, inaccessible or has another key.
pub async fn table(dynamodb: &aws_sdk_dynamodb::Client, expected: Table, name: &str) -> anyhow::Result<()> {
    let Table { variable, partition, sort } = expected;
    let description = dynamodb
        .describe_table()
        .table_name(name)
        .send()
        .await
        .map_err(|error| describe(&error))
        .with_context(|| format!("{variable}: failed to describe the table {name:?}"))?;
    let schema = description.table().map(TableDescription::key_schema).unwrap_or_default();
    let attribute = |kind: KeyType| {
        schema.iter().find(|element| *element.key_type() == kind).map(KeySchemaElement::attribute_name)
    };
    let found = (attribute(KeyType::Hash), attribute(KeyType::Range));
    ensure!(
        found == (Some(partition), sort),
        "{variable}: the table {name:?} has the key {found:?}, expected is {:?}",
        (partition, sort)
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
