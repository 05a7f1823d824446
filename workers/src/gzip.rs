//! PURE. Gzip with deterministic bytes: the same content gives the same object, whoever writes it and when.

use std::io::{Read, Write};

use flate2::{Compression, GzBuilder, read::GzDecoder};

/// The largest document that is read back, in bytes of content. A compressed object may claim any size; reading
/// stops here.
pub(crate) const CONTENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why stored bytes are not a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidGzip {
    /// Damaged or not gzip.
    #[error("the object is not gzip: {0}")]
    Damaged(String),
    /// More content than [`CONTENT_BYTES_MAX`].
    #[error("the object holds more than {CONTENT_BYTES_MAX} bytes")]
    TooLarge,
}

/// Compresses `content`. The header has no time and no name.
pub(crate) fn compress(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    gzip.write_all(content).expect("a vector takes all bytes");
    gzip.finish().expect("a vector takes all bytes")
}

/// The content of `bytes`.
///
/// # Errors
/// See [`InvalidGzip`].
pub(crate) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, InvalidGzip> {
    let mut content = Vec::new();
    let limit = CONTENT_BYTES_MAX as u64 + 1;
    GzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut content)
        .map_err(|error| InvalidGzip::Damaged(error.to_string()))?;
    if content.len() > CONTENT_BYTES_MAX { Err(InvalidGzip::TooLarge) } else { Ok(content) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn content_survives_and_bytes_are_the_same_each_time(content: Vec<u8>) {
            let bytes = compress(&content);
            prop_assert_eq!(&bytes, &compress(&content));
            prop_assert_eq!(decompress(&bytes).unwrap(), content);
        }

        #[test]
        fn reading_anything_ends_without_panic(bytes: Vec<u8>) {
            let _ = decompress(&bytes);
        }
    }

    #[test]
    fn header_carries_no_time() {
        assert_eq!(compress(b"words")[4..8], [0; 4]);
    }

    #[test]
    fn content_at_the_limit_is_read_and_beyond_it_refused() {
        let largest = vec![7; CONTENT_BYTES_MAX];
        assert_eq!(decompress(&compress(&largest)).unwrap().len(), CONTENT_BYTES_MAX);
        let larger = vec![7; CONTENT_BYTES_MAX + 1];
        assert_eq!(decompress(&compress(&larger)), Err(InvalidGzip::TooLarge));
    }

    #[test]
    fn truncated_gzip_is_damaged() {
        let bytes = compress(b"some words that compress");
        let damaged = decompress(&bytes[..bytes.len() - 4]);
        assert!(matches!(damaged, Err(InvalidGzip::Damaged(_))), "{damaged:?}");
    }
}
