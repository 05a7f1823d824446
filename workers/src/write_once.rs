//! Documents in S3 that are written once: the first writer decides the content, and a later writer learns whether its
//! content is the same.
//!
//! The object's metadata has two hashes: `sha256` of the stored bytes, which events quote, and `content-sha256` of the
//! content before compression, which writers compare because a newer build may compress to other bytes. The third entry,
//! `format`, names the shape and its version for tools that list the bucket.

use std::time::Duration;

use aws_sdk_s3::{
    operation::put_object::PutObjectError, primitives::ByteStream, types::ServerSideEncryption,
};
use events::{
    contract::ObjectRef,
    document::{self, GetDocumentError, sha256},
    runtime::{
        failure::Failure,
        retry::{Retry, RetryPolicy, retry},
    },
};
use tokio::time::Instant;

use crate::objects;

/// Retries of a write that conflicted with another one.
const CONFLICT_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), cap: Duration::from_secs(1), attempts_max: 6 };

/// Deadline of a write with all retries.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);

const CONTENT_SHA256: &str = "content-sha256";
const SHA256: &str = "sha256";
const FORMAT: &str = "format";

/// Documents in one bucket.
#[derive(Clone, Debug)]
pub(crate) struct WriteOnce {
    s3: aws_sdk_s3::Client,
    bucket: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'a> {
    pub(crate) key: &'a str,
    pub(crate) content: &'a [u8],
    pub(crate) content_type: &'a str,
    /// Shape and version, for example `transcript/1.1`.
    pub(crate) format: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The object has the content that was to be written.
    Ours(ObjectRef),
    /// The object existed with other content, and stays.
    Other,
}

impl WriteOnce {
    pub(crate) fn new(s3: aws_sdk_s3::Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// Writes `document` unless there is an object at its key.
    ///
    /// # Errors
    /// By the class of the failed call. Conflicts until the deadline are a retry, a document that is too large is a
    /// rejection.
    pub(crate) async fn put(&self, document: Document<'_>) -> Result<Written, Failure> {
        let bytes = document::write(document.content).map_err(|error| {
            Failure::reject(format!("the document {} cannot be stored: {error}", document.key))
        })?;
        let stored_sha256 = sha256(&bytes);
        let content_sha256 = sha256(document.content);
        let attempt = || async {
            self.s3
                .put_object()
                .bucket(&self.bucket)
                .key(document.key)
                .if_none_match("*")
                .content_type(document.content_type)
                .content_encoding("gzip")
                .server_side_encryption(ServerSideEncryption::Aes256)
                .metadata(SHA256, &stored_sha256)
                .metadata(CONTENT_SHA256, &content_sha256)
                .metadata(FORMAT, document.format)
                .body(ByteStream::from(bytes.clone()))
                .send()
                .await
                .map_err(put_error)
        };
        match retry(CONFLICT_POLICY, Instant::now() + WRITE_DEADLINE, attempt).await {
            Ok(_) => Ok(Written::Ours(self.reference(document.key, stored_sha256))),
            Err(PutError::Exists) => self.compare(document.key, &content_sha256).await,
            Err(PutError::Failed(failure)) => Err(failure),
        }
    }

    /// The content at `key` with its reference; `None` without an object.
    ///
    /// # Errors
    /// By the class of the failed call. An object that is too large or not gzip is a rejection.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, ObjectRef)>, Failure> {
        let stored = document::get(&self.s3, &self.bucket, key).await.map_err(|error| match error {
            GetDocumentError::Invalid(error) => {
                Failure::reject(format!("the object {key} is unreadable: {error}"))
            }
            GetDocumentError::Call(error) => Failure::aws(*error).context("failed to read the document"),
            GetDocumentError::Body(error) => Failure::retry(error),
        })?;
        Ok(stored.map(|stored| (stored.content, self.reference(key, stored.sha256))))
    }

    /// Deletes the object at `key` in all its versions. A later write creates it again.
    ///
    /// # Errors
    /// By the class of the failed call.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Failure> {
        let removed = objects::erase(&self.s3, &self.bucket, key).await?;
        if removed > 0 {
            tracing::info!(key, versions = removed, "removed a document that its learner has deleted");
        }
        Ok(())
    }

    /// Compares the object at `key` with the content that was to be written. The condition also fails after our own write
    /// if its response was lost.
    async fn compare(&self, key: &str, content_sha256: &str) -> Result<Written, Failure> {
        let head = self
            .s3
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| Failure::aws(error).context("failed to compare with the stored document"))?;
        let metadata = |name: &str| head.metadata().and_then(|metadata| metadata.get(name));
        match (metadata(CONTENT_SHA256), metadata(SHA256)) {
            (Some(content), Some(sha256)) if content == content_sha256 => {
                Ok(Written::Ours(self.reference(key, sha256.clone())))
            }
            _ => Ok(Written::Other),
        }
    }

    fn reference(&self, key: &str, sha256: String) -> ObjectRef {
        ObjectRef { bucket: self.bucket.clone(), key: key.to_owned(), sha256 }
    }
}

/// Why an object was not written.
enum PutError {
    Exists,
    Failed(Failure),
}

fn put_error(error: aws_sdk_s3::error::SdkError<PutObjectError>) -> Retry<PutError> {
    // Source: S3 user guide, "Conditional writes": 412 when the key exists, 409 when it is being written.
    match error.raw_response().map(|response| response.status().as_u16()) {
        Some(412) => Retry::Permanent(PutError::Exists),
        Some(409) => Retry::transient(PutError::Failed(Failure::retry(error))),
        _ => Retry::Permanent(PutError::Failed(Failure::aws(error).context("failed to write the document"))),
    }
}
