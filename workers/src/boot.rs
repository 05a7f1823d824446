//! The self-check at start-up: what a worker depends on exists and has the shape that the code expects. Nothing
//! is created here. A worker that fails the check does not start.

use anyhow::{Context, bail, ensure};
use aws_sdk_dynamodb::types::{KeySchemaElement, KeyType, TableDescription};
use events::runtime::failure::describe;

/// A table's key: partition and, where there is one, sort attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) partition: &'static str,
    pub(crate) sort: Option<&'static str>,
}

/// The key of the Conversations table.
pub(crate) const CONVERSATIONS: Key = Key { partition: "sessionId", sort: Some("timestamp") };

/// The key of the Images table.
pub(crate) const IMAGES: Key = Key { partition: "imageId", sort: None };

/// The key of the UserProgress table.
pub(crate) const PROGRESS: Key = Key { partition: "userId", sort: Some("date") };

/// The key of the Effects table.
pub(crate) const EFFECTS: Key = Key { partition: "effectId", sort: None };

/// Checks that `table` (the value of the variable `variable`) has `key`.
pub(crate) async fn table(
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

/// Checks that the bucket `bucket` (the value of `variable`) is there.
pub(crate) async fn bucket(s3: &aws_sdk_s3::Client, variable: &str, bucket: &str) -> anyhow::Result<()> {
    s3.head_bucket()
        .bucket(bucket)
        .send()
        .await
        .map_err(|error| describe(&error))
        .with_context(|| format!("{variable}: failed to find the bucket {bucket:?}"))?;
    Ok(())
}

/// Checks that the topic `arn` (the value of `variable`) is there.
pub(crate) async fn topic(sns: &aws_sdk_sns::Client, variable: &str, arn: &str) -> anyhow::Result<()> {
    if !arn.starts_with("arn:") {
        bail!("{variable}: {arn:?} is not the ARN of a topic");
    }
    sns.get_topic_attributes()
        .topic_arn(arn)
        .send()
        .await
        .map_err(|error| describe(&error))
        .with_context(|| format!("{variable}: failed to find the topic {arn:?}"))?;
    Ok(())
}

/// The S3 client for `aws`.
pub(crate) fn s3(aws: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(aws)
        .force_path_style(events::runtime::aws::s3_force_path_style())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
