//! What the workers stored of conversations in the logs bucket: transcripts and assessments, as compressed documents at
//! keys that depend on the conversation alone. A document is read up to a bound, compressed and not.

use anyhow::Context as _;
use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use events::{
    contract::{ConversationId, StoredAnalysis, Transcript, UserId},
    document,
    pipeline::names::{analysis_key, readable_transcript_key, transcript_key},
    runtime::failure::describe,
};
use serde::de::DeserializeOwned;

/// Pages of a list of versions that one conversation's documents may fill.
const PAGES_MAX: usize = 16;

/// Reads and deletes documents.
#[derive(Clone, Debug)]
pub struct Documents {
    s3: Client,
    bucket: String,
}

impl Documents {
    /// Documents in `bucket`.
    #[must_use]
    pub fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// The transcript of a conversation, once it is stored.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub async fn transcript(&self, user: &UserId, id: ConversationId) -> anyhow::Result<Option<Transcript>> {
        self.json(&transcript_key(user, id)).await
    }

    /// The transcript of a conversation as text, once it is stored. It is written after the other form.
    ///
    /// # Errors
    /// It cannot be read, or is no text.
    pub async fn readable(&self, user: &UserId, id: ConversationId) -> anyhow::Result<Option<String>> {
        let Some(text) = self.content(&readable_transcript_key(user, id)).await? else { return Ok(None) };
        String::from_utf8(text).context("a transcript is no text").map(Some)
    }

    /// Whether both forms of the transcript are stored.
    ///
    /// # Errors
    /// S3 fails.
    pub async fn has_transcript(&self, user: &UserId, id: ConversationId) -> anyhow::Result<bool> {
        let key = readable_transcript_key(user, id);
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            // The answer to HEAD has no body that could name the error.
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => {
                Ok(false)
            }
            Err(error) => Err(describe(&error)).context("failed to look for a transcript"),
        }
    }

    /// The assessment of a conversation, once it is stored.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub async fn assessment(
        &self,
        user: &UserId,
        id: ConversationId,
    ) -> anyhow::Result<Option<StoredAnalysis>> {
        self.json(&analysis_key(user, id)).await
    }

    /// Deletes every version of every document of a conversation. Doing it again changes nothing.
    ///
    /// # Errors
    /// S3 fails: some of it may be deleted.
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
        serde_json::from_slice(&content).context("a stored document is not one").map(Some)
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
    let delete = delete.context("nothing is to be deleted")?;
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
