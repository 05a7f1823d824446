//! Start-up checks that only workers need. The shared ones are in `events::runtime::startup_check`.

use anyhow::bail;

pub(crate) use events::runtime::startup_check::{
    CONVERSATIONS, EFFECTS, IMAGES, PROGRESS, SESSIONS, USERS, bucket, found, queue, table,
};

/// Checks that the topic `arn`, the value of `variable`, exists.
pub(crate) async fn topic(sns: &aws_sdk_sns::Client, variable: &str, arn: &str) -> anyhow::Result<()> {
    if !arn.starts_with("arn:") {
        bail!("{variable}: {arn:?} is not the ARN of a topic");
    }
    found(|| sns.get_topic_attributes().topic_arn(arn).send(), variable, "topic", arn).await.map(|_| ())
}
