//! Checks which recordings of a conversation exist. The ingress stores a recording after its turn; if that fails, the turn
//! has a key without an object.

use std::collections::BTreeSet;

use events::{contract::Turn, runtime::failure::Failure};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Concurrent checks for one conversation.
const CHECKS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Recordings {
    s3: aws_sdk_s3::Client,
    pub(super) bucket: String,
}

impl Recordings {
    pub(super) fn new(s3: aws_sdk_s3::Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// The audio keys of `turns` that have an object.
    ///
    /// # Errors
    /// By the class of the failed call: a failed check does not count as missing.
    pub(super) async fn stored(&self, turns: &[Turn]) -> Result<BTreeSet<String>, Failure> {
        let keys: Vec<String> = turns.iter().filter_map(|turn| turn.audio_key.clone()).collect();
        stream::iter(keys)
            .map(|key| async move { Ok::<_, Failure>(self.is_stored(&key).await?.then_some(key)) })
            .buffered(CHECKS_MAX)
            .try_filter_map(|key| std::future::ready(Ok(key)))
            .try_collect()
            .await
    }

    async fn is_stored(&self, key: &str) -> Result<bool, Failure> {
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
                Ok(false)
            }
            Err(error) => Err(Failure::aws(error).context("failed to check for a recording")),
        }
    }
}
