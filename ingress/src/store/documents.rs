//! Transcripts and assessments of conversations in the logs bucket, as the workers stored them: compressed documents
//! (`events::document`) at keys that depend on the conversation alone. Read and deleted here, never written.

use anyhow::Context as _;
use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use events::{
    contract::{ConversationId, StoredAnalysis, Transcript, UserId},
    document, json,
    pipeline::names::{analysis_key, readable_transcript_key, transcript_key},
    runtime::failure::describe,
};
use serde::de::DeserializeOwned;

/// Maximum number of list pages of the versions of one document.
const PAGES_MAX: usize = 16;

/// Reads and deletes documents.
#[derive(Clone, Debug)]
pub struct Documents {
    s3: Client,
    bucket: String,
}

impl Documents {
    #[must_use]
    pub fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// The transcript of a conversation; `None` until it is stored.
    ///
    /// # Errors
    /// The object cannot be read or is not a transcript.
    pub async fn transcript(&self, user: &UserId, id: ConversationId) -> anyhow::Result<Option<Transcript>> {
        self.json(&transcript_key(user, id)).await
    }

    /// The transcript of a conversation as text; `None` until it is stored. It is written after the JSON form.
    ///
    /// # Errors
    /// The object cannot be read or is not UTF-8.
    pub async fn readable(&self, user: &UserId, id: ConversationId) -> anyhow::Result<Option<String>> {
        let Some(text) = self.content(&readable_transcript_key(user, id)).await? else { return Ok(None) };
        String::from_utf8(text).context("a transcript is not UTF-8").map(Some)
    }

    /// Whether both forms of the transcript are stored.
    ///
    /// # Errors
    /// S3 fails.
    pub async fn has_transcript(&self, user: &UserId, id: ConversationId) -> anyhow::Result<bool> {
        let key = readable_transcript_key(user, id);
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            // The response to HEAD has no body with an error code.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
                Ok(false)
            }
            Err(error) => Err(describe(&error)).context("failed to check for a transcript"),
        }
    }

    /// The assessment of a conversation; `None` until it is stored.
    ///
    /// # Errors
    /// The object cannot be read or is not an assessment.
    pub async fn assessment(
        &self,
        user: &UserId,
        id: ConversationId,
    ) -> anyhow::Result<Option<StoredAnalysis>> {
        self.json(&analysis_key(user, id)).await
    }

    /// Deletes every version of every document of a conversation. Repeating it changes nothing.
    ///
    /// # Errors
    /// S3 fails; some versions may be deleted.
    pub async fn delete(&self, user: &UserId, id: ConversationId) -> anyhow::Result<()> {
        for key in [transcript_key(user, id), readable_transcript_key(user, id), analysis_key(user, id)] {
            self.delete_versions(&key).await?;
        }
        Ok(())
    }

    async fn delete_versions(&self, key: &str) -> anyhow::Result<()> {
        for _ in 0..PAGES_MAX {
            let listed = self.s3.list_object_versions().bucket(&self.bucket).prefix(key).send().await;
            let listed = listed.map_err(|error| describe(&error)).context("failed to list a document")?;
            let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let found = versions.chain(markers).filter(|(found, _)| *found == Some(key));
            let objects = found.map(|(_, version)| {
                ObjectIdentifier::builder().key(key).set_version_id(version.map(str::to_owned)).build()
            });
            let objects: Vec<_> = objects.collect::<Result<_, _>>().context("an object without a key")?;
            if objects.is_empty() {
                return Ok(());
            }
            delete_objects(&self.s3, &self.bucket, objects).await?;
        }
        anyhow::bail!("the versions of a document fill more than {PAGES_MAX} pages")
    }

    async fn json<T: DeserializeOwned>(&self, key: &str) -> anyhow::Result<Option<T>> {
        let Some(content) = self.content(key).await? else { return Ok(None) };
        json::from_slice(&content).context("a stored document has another shape").map(Some)
    }

    async fn content(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let stored = document::get(&self.s3, &self.bucket, key).await.context("failed to read a document")?;
        Ok(stored.map(|stored| stored.content))
    }
}

/// Deletes objects, at most 1000 of them.
pub(super) async fn delete_objects(
    s3: &Client,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
) -> anyhow::Result<()> {
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let delete = delete.context("no objects to delete")?;
    let deleted = s3.delete_objects().bucket(bucket).delete(delete).send().await;
    let deleted = deleted.map_err(|error| describe(&error)).context("failed to delete objects")?;
    match deleted.errors() {
        [] => Ok(()),
        [first, ..] => anyhow::bail!(
            "{} objects were not deleted, the first one with {}",
            deleted.errors().len(),
            first.code().unwrap_or("no code")
        ),
    }
}
