//! A reader of everything that the workers stored, with the permissions of the operator.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use events::contract::{ConversationId, StoredAnalysis, Transcript};
use infra::local::Outputs;
use serde::de::DeserializeOwned;

/// Reads the results.
pub struct Results {
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    outputs: Outputs,
}

impl Results {
    /// A reader of the deployment `outputs`.
    #[must_use]
    pub fn new(s3: aws_sdk_s3::Client, dynamodb: aws_sdk_dynamodb::Client, outputs: Outputs) -> Self {
        Self { s3, dynamodb, outputs }
    }

    /// All transcripts whose readable text is stored, too, by conversation.
    ///
    /// # Errors
    /// A transcript was written more than once, has the wrong key or cannot be read.
    pub async fn transcripts(&self) -> anyhow::Result<BTreeMap<ConversationId, Transcript>> {
        let mut all = BTreeMap::new();
        let objects = self.objects("transcripts/").await?;
        for (key, bytes) in objects.iter().filter(|(key, _)| key.ends_with(".json.gz")) {
            let transcript: Transcript = decode(bytes)?;
            let expected =
                format!("transcripts/{}/{}.json.gz", transcript.user_id, transcript.conversation_id);
            if *key != expected {
                bail!("the transcript {expected} is at {key}");
            }
            if objects.contains_key(&expected.replace(".json.gz", ".txt.gz")) {
                all.insert(transcript.conversation_id, transcript);
            }
        }
        Ok(all)
    }

    /// All assessments, by conversation.
    ///
    /// # Errors
    /// As [`Results::transcripts`].
    pub async fn analyses(&self) -> anyhow::Result<BTreeMap<ConversationId, StoredAnalysis>> {
        let mut all = BTreeMap::new();
        for (key, bytes) in &self.objects("analyses/").await? {
            let analysis: StoredAnalysis = decode(bytes)?;
            let expected = format!("analyses/{}/{}.json.gz", analysis.user_id, analysis.conversation_id);
            if *key != expected {
                bail!("the assessment {expected} is at {key}");
            }
            all.insert(analysis.conversation_id, analysis);
        }
        Ok(all)
    }

    /// The numbers of UserProgress, by (learner, day).
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn progress(&self) -> anyhow::Result<BTreeMap<(String, String), HashMap<String, u64>>> {
        let mut all = BTreeMap::new();
        let scan = self.dynamodb.scan().table_name(&self.outputs.user_progress_table).consistent_read(true);
        let mut pages = scan.into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page?.items.unwrap_or_default() {
                let key = (string(&item, "userId")?, string(&item, "date")?);
                let numbers = item.iter().filter_map(|(name, value)| {
                    value
                        .as_n()
                        .ok()
                        .and_then(|number| number.parse().ok())
                        .map(|number| (name.clone(), number))
                });
                all.insert(key, numbers.collect());
            }
        }
        Ok(all)
    }

    /// The stored audio of a turn: a WAV file.
    ///
    /// # Errors
    /// There is no object `key`.
    pub async fn audio(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self.s3.get_object().bucket(&self.outputs.audio_bucket).key(key).send().await?;
        Ok(object.body.collect().await?.to_vec())
    }

    /// All objects under `prefix` of the logs bucket. The bucket is versioned, so an overwritten object is found.
    async fn objects(&self, prefix: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let bucket = &self.outputs.logs_bucket;
        let mut objects = BTreeMap::new();
        let mut pages = self.s3.list_object_versions().bucket(bucket).prefix(prefix);
        loop {
            let page = pages.clone().send().await?;
            for version in page.versions() {
                let key = version.key().context("an object without a key")?;
                let object = self.s3.get_object().bucket(bucket).key(key).send().await?;
                let bytes = object.body.collect().await?.to_vec();
                if objects.insert(key.to_owned(), bytes).is_some() {
                    bail!("{key} was written more than once");
                }
            }
            if page.is_truncated() != Some(true) {
                return Ok(objects);
            }
            pages = pages
                .set_key_marker(page.next_key_marker().map(str::to_owned))
                .set_version_id_marker(page.next_version_id_marker().map(str::to_owned));
        }
    }
}

fn decode<T: DeserializeOwned>(gzip: &[u8]) -> anyhow::Result<T> {
    Ok(serde_json::from_slice(&events::document::read(gzip)?)?)
}

fn string(item: &HashMap<String, AttributeValue>, name: &str) -> anyhow::Result<String> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.cloned().with_context(|| format!("a progress item without {name}"))
}
