//! Stored documents: transcripts and assessments in S3, compressed with gzip and bounded in both forms. Every package
//! writes and reads them here, so a document that a worker stores is one that the API, the export and the operator's
//! commands can read.
//!
//! Not here: the keys (`pipeline::names`) and the write that decides between two writers (`workers::write_once`).

use std::io::{Read as _, Write as _};

use aws_sdk_s3::{error::SdkError, operation::get_object::GetObjectError, primitives::ByteStreamError};
use flate2::{Compression, GzBuilder, read::GzDecoder};
use sha2::{Digest as _, Sha256};

use crate::runtime::failure::describe;

/// Largest document as it is stored, in bytes.
pub const STORED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest document after decompression, in bytes. A conversation of an hour is far below. A compressed object may
/// claim any size; reading stops here.
pub const CONTENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A document as it was read from S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// The decompressed bytes.
    pub content: Vec<u8>,
    /// SHA-256 of the stored bytes, in hexadecimal digits.
    pub sha256: String,
}

/// Why bytes are not a document. No variant quotes the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("it is not gzip: {0}")]
    Gzip(String),
    #[error("its content is larger than {CONTENT_BYTES_MAX} bytes")]
    ContentTooLarge,
    #[error("its stored form is larger than {STORED_BYTES_MAX} bytes")]
    StoredTooLarge,
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GetDocumentError {
    #[error("the object is unreadable: {0}")]
    Invalid(#[from] DocumentError),
    #[error("{:#}", describe(.0))]
    Call(Box<SdkError<GetObjectError>>),
    #[error("the object could not be read to its end: {0}")]
    Body(#[from] ByteStreamError),
}

/// The stored form of `content`. The header has no time and no name, so the same content gives the same bytes.
///
/// # Errors
/// `content` or its stored form is too large: [`read`] would refuse it.
///
/// # Panics
/// Never: writing into memory does not fail.
pub fn write(content: &[u8]) -> Result<Vec<u8>, DocumentError> {
    if content.len() > CONTENT_BYTES_MAX {
        return Err(DocumentError::ContentTooLarge);
    }
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    gzip.write_all(content).expect("a vector takes all bytes");
    let stored = gzip.finish().expect("a vector takes all bytes");
    if stored.len() > STORED_BYTES_MAX { Err(DocumentError::StoredTooLarge) } else { Ok(stored) }
}

/// The content of the bytes `stored`.
pub fn read(stored: &[u8]) -> Result<Vec<u8>, DocumentError> {
    if stored.len() > STORED_BYTES_MAX {
        return Err(DocumentError::StoredTooLarge);
    }
    let mut content = Vec::new();
    let limit = CONTENT_BYTES_MAX as u64 + 1;
    GzDecoder::new(stored)
        .take(limit)
        .read_to_end(&mut content)
        .map_err(|error| DocumentError::Gzip(error.to_string()))?;
    if content.len() > CONTENT_BYTES_MAX { Err(DocumentError::ContentTooLarge) } else { Ok(content) }
}

/// Reads the document at `key` of `bucket`; `None` without an object. An object that is too large is not downloaded.
pub async fn get(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
) -> Result<Option<StoredDocument>, GetDocumentError> {
    let object = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => object,
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
            return Ok(None);
        }
        Err(error) => return Err(GetDocumentError::Call(Box::new(error))),
    };
    let length = object.content_length().and_then(|length| usize::try_from(length).ok());
    if length.is_none_or(|length| length > STORED_BYTES_MAX) {
        return Err(DocumentError::StoredTooLarge.into());
    }
    let stored = object.body.collect().await?.into_bytes();
    Ok(Some(StoredDocument { content: read(&stored)?, sha256: sha256(&stored) }))
}

/// SHA-256 of `bytes`, in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    proptest! {
        #[test]
        fn content_survives_and_bytes_are_the_same_each_time(content: Vec<u8>) {
            let bytes = write(&content).unwrap();
            prop_assert_eq!(&bytes, &write(&content).unwrap());
            prop_assert_eq!(read(&bytes).unwrap(), content);
        }

        #[test]
        fn reading_anything_ends_without_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn header_carries_no_time() {
        assert_eq!(write(b"words").unwrap()[4..8], [0; 4]);
    }

    #[test]
    fn content_at_the_limit_is_read_and_beyond_it_refused() {
        let largest = vec![7; CONTENT_BYTES_MAX];
        assert_eq!(read(&write(&largest).unwrap()).unwrap().len(), CONTENT_BYTES_MAX);
        assert_eq!(write(&vec![7; CONTENT_BYTES_MAX + 1]), Err(DocumentError::ContentTooLarge));
    }

    #[test]
    fn object_that_unpacks_beyond_the_limit_is_refused() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&vec![b' '; 4 * CONTENT_BYTES_MAX]).unwrap();
        let bomb = gzip.finish().unwrap();
        assert!(bomb.len() < STORED_BYTES_MAX);
        assert_eq!(read(&bomb), Err(DocumentError::ContentTooLarge));
    }

    #[test]
    fn stored_form_beyond_the_limit_is_neither_written_nor_read() {
        // Random bytes do not compress: the largest content of them needs a little more as gzip.
        let mut random = vec![0; CONTENT_BYTES_MAX];
        StdRng::seed_from_u64(7).fill_bytes(&mut random);
        assert_eq!(write(&random), Err(DocumentError::StoredTooLarge));
        let fitting = &random[..CONTENT_BYTES_MAX - 64 * 1024];
        assert_eq!(read(&write(fitting).unwrap()).unwrap(), fitting);
        assert_eq!(read(&vec![0; STORED_BYTES_MAX + 1]), Err(DocumentError::StoredTooLarge));
        assert!(matches!(read(&vec![0; STORED_BYTES_MAX]), Err(DocumentError::Gzip(_))));
    }

    #[test]
    fn truncated_gzip_is_damaged() {
        let bytes = write(b"some words that compress").unwrap();
        let damaged = read(&bytes[..bytes.len() - 4]);
        assert!(matches!(damaged, Err(DocumentError::Gzip(_))), "{damaged:?}");
    }
}
