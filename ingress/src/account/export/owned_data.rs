//! The stores that hold data about a learner. Read-only.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::{ConversationId, UserId},
    document,
    journal::JournalReader,
    pipeline::names::{analysis_key, transcript_key},
    runtime::{env, failure::describe},
};
use serde_json::Value;

use super::RecordingLink;
use crate::store::{audio::Recordings, signed::Signer};

/// Reads the data about learners.
#[derive(Clone, Debug)]
pub struct OwnedData {
    pub journal: JournalReader,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub progress_table: String,
    pub s3: aws_sdk_s3::Client,
    /// Signs URLs of recordings.
    pub signer: Signer,
    /// The bucket of transcripts and assessments.
    pub logs_bucket: String,
    pub audio_bucket: String,
}

impl OwnedData {
    /// Reads the progress by day and in total. There is one item a day, so the result stays in the hundreds a year.
    pub(super) async fn progress(
        &self,
        user_id: &UserId,
    ) -> anyhow::Result<BTreeMap<String, BTreeMap<String, Value>>> {
        let (mut days, mut after) = (BTreeMap::new(), None);
        loop {
            let page = self
                .dynamodb
                .query()
                .table_name(&self.progress_table)
                .key_condition_expression("userId = :user")
                .expression_attribute_values(":user", AttributeValue::S(user_id.to_string()))
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(|error| describe(&error))
                .context("failed to read the learner's progress")?;
            for mut item in page.items.unwrap_or_default() {
                item.remove("userId");
                let date = item.remove("date").and_then(|date| date.as_s().ok().cloned());
                days.insert(date.context("an item of UserProgress without a date")?, plain(item));
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(days);
            }
        }
    }

    /// Reads the stored transcript.
    pub(super) async fn transcript(
        &self,
        user_id: &UserId,
        id: ConversationId,
    ) -> anyhow::Result<Option<Value>> {
        self.document(&transcript_key(user_id, id)).await
    }

    /// Reads the stored assessment.
    pub(super) async fn assessment(
        &self,
        user_id: &UserId,
        id: ConversationId,
    ) -> anyhow::Result<Option<Value>> {
        self.document(&analysis_key(user_id, id)).await
    }

    /// Lists the stored recordings, with URLs to fetch them.
    pub(super) async fn recordings(
        &self,
        user_id: &UserId,
        id: ConversationId,
    ) -> anyhow::Result<Vec<RecordingLink>> {
        let (mut recordings, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .s3
                .list_objects_v2()
                .bucket(&self.audio_bucket)
                .prefix(Recordings::prefix(user_id, id))
                .set_continuation_token(after)
                .send()
                .await
                .map_err(|error| describe(&error))
                .context("failed to list recordings")?;
            for key in page.contents().iter().filter_map(|object| object.key()) {
                recordings.push(RecordingLink { key: key.to_owned(), url: self.signed_url(key).await? });
            }
            after = page.next_continuation_token().map(str::to_owned);
            if after.is_none() {
                return Ok(recordings);
            }
        }
    }

    async fn signed_url(&self, key: &str) -> anyhow::Result<String> {
        Ok(self.signer.sign(&self.audio_bucket, key, env::now()).await?.url)
    }

    /// The JSON document at `key` of the logs bucket, if there is one.
    async fn document(&self, key: &str) -> anyhow::Result<Option<Value>> {
        let stored = document::get(&self.s3, &self.logs_bucket, key).await;
        let Some(stored) = stored.context("failed to read a document")? else { return Ok(None) };
        // The error quotes nothing of the document but a place.
        let json = serde_json::from_slice(&stored.content);
        json.map(Some).map_err(|error| anyhow::anyhow!("a document is not JSON: {error}"))
    }
}

/// The attributes of an item as JSON: numbers and texts, which is all that UserProgress holds.
fn plain(item: HashMap<String, AttributeValue>) -> BTreeMap<String, Value> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and non-exhaustive")]
    let value = |value: AttributeValue| match value {
        AttributeValue::N(digits) => serde_json::from_str(&digits).unwrap_or(Value::String(digits)),
        AttributeValue::S(text) => Value::String(text),
        _ => Value::Null,
    };
    item.into_iter().map(|(name, attribute)| (name, value(attribute))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_texts_are_texts() {
        let item = HashMap::from([
            ("turns".to_owned(), AttributeValue::N("12".to_owned())),
            ("level".to_owned(), AttributeValue::S("B1".to_owned())),
        ]);
        assert_eq!(serde_json::json!(plain(item)), serde_json::json!({ "turns": 12, "level": "B1" }));
    }
}
