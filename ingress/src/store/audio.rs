//! Recordings in S3: one WAV object per spoken turn, encrypted at rest.

use std::{io::Cursor, time::Duration};

use anyhow::Context as _;
use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{ObjectIdentifier, ServerSideEncryption},
};
use axum::response::Response;
use events::{
    contract::{ConversationId, UserId, live::SAMPLE_RATE_HZ},
    runtime::{
        failure::describe,
        retry::{Retry, RetryPolicy, retry},
    },
};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    documents::delete_objects,
    objects::{self, ObjectError},
    signed::{SignedUrl, Signer},
};

/// Deadline for storing one recording, with all attempts.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(45);

const UPLOAD_POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(200), cap: Duration::from_secs(5), attempts_max: 6 };

/// Maximum number of list pages (1000 objects each) of the recordings of one conversation.
const DELETE_PAGES_MAX: usize = 16;

/// Writes, reads and deletes recordings.
#[derive(Clone, Debug)]
pub struct Recordings {
    s3: Client,
    signer: Signer,
    bucket: String,
}

impl Recordings {
    #[must_use]
    pub fn new(s3: Client, signer: Signer, bucket: String) -> Self {
        Self { s3, signer, bucket }
    }

    /// Prefix of the keys of a conversation's recordings.
    #[must_use]
    pub fn prefix(user_id: &UserId, conversation_id: ConversationId) -> String {
        format!("audio/{user_id}/{conversation_id}/")
    }

    /// Stores `pcm` (s16le, 16 kHz, mono) as a WAV object. Storing it again writes the same bytes.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn store(&self, key: &str, pcm: &[u8]) -> anyhow::Result<()> {
        let wav = bytes::Bytes::from(wav(pcm)?);
        retry(UPLOAD_POLICY, Instant::now() + UPLOAD_DEADLINE, || self.put(key, wav.clone())).await
    }

    /// Reads a recording: PCM s16le, 16 kHz, mono.
    ///
    /// # Errors
    /// The object does not exist or is not a recording, or S3 fails.
    pub async fn load(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self.s3.get_object().bucket(&self.bucket).key(key).send().await;
        let object = object.map_err(|error| describe(&error)).context("failed to read the recording")?;
        let wav = object.body.collect().await.context("failed to read the recording")?.into_bytes();
        pcm(&wav)
    }

    /// A signed URL of a recording; `None` if the object does not exist (recordings expire after 30 days).
    ///
    /// # Errors
    /// S3 fails.
    pub async fn url(&self, key: &str, now: Timestamp) -> anyhow::Result<Option<SignedUrl>> {
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => self.signer.sign(&self.bucket, key, now).await.map(Some),
            // The response to HEAD has no body with an error code.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
                Ok(None)
            }
            Err(error) => Err(describe(&error)).context("failed to check for a recording"),
        }
    }

    /// The WAV file `key`, or a range of it, streamed from S3.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub async fn file(&self, key: &str, range: Option<&str>) -> Result<Response, ObjectError> {
        objects::response(&self.s3, &self.bucket, key, "audio/wav", range).await
    }

    /// Deletes all recordings of a conversation. Repeating it changes nothing.
    ///
    /// # Errors
    /// S3 fails; some recordings may be deleted.
    pub async fn delete(&self, user_id: &UserId, id: ConversationId) -> anyhow::Result<()> {
        let prefix = Self::prefix(user_id, id);
        for _ in 0..DELETE_PAGES_MAX {
            let listed = self.s3.list_objects_v2().bucket(&self.bucket).prefix(&prefix).send().await;
            let listed = listed.map_err(|error| describe(&error)).context("failed to list recordings")?;
            let keys = listed.contents().iter().filter_map(|object| object.key());
            let objects = keys.map(|key| ObjectIdentifier::builder().key(key).build());
            let objects: Vec<_> = objects.collect::<Result<_, _>>().context("an object without a key")?;
            if objects.is_empty() {
                return Ok(());
            }
            delete_objects(&self.s3, &self.bucket, objects).await?;
        }
        anyhow::bail!("the recordings of a conversation fill more than {DELETE_PAGES_MAX} pages")
    }

    async fn put(&self, key: &str, wav: bytes::Bytes) -> Result<(), Retry<anyhow::Error>> {
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("audio/wav")
            .server_side_encryption(ServerSideEncryption::Aes256)
            .body(ByteStream::from(wav))
            .send()
            .await;
        put.map(drop).context("failed to store the recording").map_err(Retry::transient)
    }
}

fn wav(pcm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let (samples, _) = pcm.as_chunks::<2>();
    let mut file = Cursor::new(Vec::with_capacity(pcm.len() + 64));
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    let count = u32::try_from(samples.len()).context("the recording is too long")?;
    let mut block = writer.get_i16_writer(count);
    for sample in samples {
        block.write_sample(i16::from_le_bytes(*sample));
    }
    block.flush()?;
    writer.finalize()?;
    Ok(file.into_inner())
}

fn pcm(wav: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut reader = hound::WavReader::new(wav)?;
    let mut pcm = Vec::with_capacity(wav.len());
    for sample in reader.samples::<i16>() {
        pcm.extend_from_slice(&sample?.to_le_bytes());
    }
    Ok(pcm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_a_wav_file_of_the_same_samples() {
        let samples = [0_i16, 1, -1, i16::MAX, i16::MIN];
        let pcm: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut reader = hound::WavReader::new(Cursor::new(wav(&pcm).unwrap())).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (SAMPLE_RATE_HZ, 1));
        let read: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(read, samples);
        assert_eq!(super::pcm(&wav(&pcm).unwrap()).unwrap(), pcm);
    }
}
