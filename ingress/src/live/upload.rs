//! Uploaded turns, from the body of the request to PCM. The conversation plays the PCM to the model.
//!
//! The files are untrusted, so everything is bounded: the size and the duration of a body, the bodies in memory, the running
//! decoders, and in [`recording`] the work and the memory of each decoder.

mod error;
mod format;
mod limits;
mod mp3;
pub mod recording;
mod resample;
mod wav;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use tokio::{sync::Semaphore, time::timeout};

use limits::{ARRIVAL_TIMEOUT, DECODERS_MAX};

pub use error::AudioFileError;
pub use limits::{CHANNELS_MAX, FILE_BYTES_MAX, FILES_MAX, RATES_HZ, TURN_MS_MAX};

/// Receives and decodes files.
#[derive(Clone, Debug)]
pub struct Intake {
    files: Arc<Semaphore>,
    decoders: Arc<Semaphore>,
}

impl Intake {
    /// No file received yet.
    #[must_use]
    pub fn new() -> Self {
        Self { files: Arc::new(Semaphore::new(FILES_MAX)), decoders: Arc::new(Semaphore::new(DECODERS_MAX)) }
    }

    /// Receives a file and decodes it to PCM s16le, 16 kHz mono.
    ///
    /// # Errors
    /// See [`AudioFileError`].
    pub async fn take(&self, body: Body) -> Result<Bytes, AudioFileError> {
        let file_permit = Arc::clone(&self.files).try_acquire_owned().map_err(|_| AudioFileError::Busy)?;
        let file = receive(body).await?;
        let decoder_permit = Arc::clone(&self.decoders).acquire_owned().await;
        let decoder_permit = decoder_permit.expect("the semaphore is never closed");
        // A cancelled request does not stop its decoder, which holds its permits until it has finished.
        let decoded = tokio::task::spawn_blocking(move || {
            let decoded = recording::decode(&file);
            drop((file, decoder_permit, file_permit));
            decoded.map(|samples| samples.into_iter().flat_map(i16::to_le_bytes).collect())
        });
        decoded.await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a decoder failed");
            Err(AudioFileError::Broken)
        })
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self::new()
    }
}

async fn receive(body: Body) -> Result<Bytes, AudioFileError> {
    match timeout(ARRIVAL_TIMEOUT, to_bytes(body, FILE_BYTES_MAX)).await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) if is_too_large(&error) => Err(AudioFileError::TooLarge),
        Ok(Err(_)) | Err(_) => Err(AudioFileError::TooSlow),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    matches!(std::error::Error::source(error), Some(source) if source.is::<LengthLimitError>())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt as _, stream};
    use tokio::time::Instant;

    use super::*;

    /// A WAV file of so many samples of silence, 8 kHz mono.
    fn silence(samples: u32) -> Vec<u8> {
        let format = [1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0];
        let length = samples * 2;
        let header = [b"RIFF", &(36 + length).to_le_bytes()[..], b"WAVEfmt \x10\0\0\0", &format, b"data"];
        let mut file = header.concat();
        file.extend(length.to_le_bytes());
        file.resize(file.len() + length as usize, 0);
        file
    }

    /// A body that sends a little and then nothing more.
    fn endless() -> Body {
        let beginning = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"RIFF"))]);
        Body::from_stream(beginning.chain(stream::pending()))
    }

    #[tokio::test]
    async fn a_file_becomes_pcm() {
        let pcm = Intake::new().take(Body::from(silence(80))).await.unwrap();
        assert_eq!(pcm, vec![0; 320]);
    }

    #[tokio::test]
    async fn a_file_has_a_longest_length() {
        let padded = |length: usize| {
            let mut file = silence(80);
            file.resize(length, 0);
            Body::from(file)
        };
        let intake = Intake::new();
        assert!(intake.take(padded(FILE_BYTES_MAX)).await.is_ok());
        assert_eq!(intake.take(padded(FILE_BYTES_MAX + 1)).await, Err(AudioFileError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_arrive_is_given_up() {
        let begun = Instant::now();
        assert_eq!(Intake::new().take(endless()).await, Err(AudioFileError::TooSlow));
        assert_eq!(begun.elapsed().as_secs(), ARRIVAL_TIMEOUT.as_secs());
    }

    #[tokio::test]
    async fn files_at_one_time_are_bounded_and_their_places_come_back() {
        let intake = Intake::new();
        let mut waiting: Vec<_> = (0..FILES_MAX).map(|_| Box::pin(intake.take(endless()))).collect();
        for file in &mut waiting {
            assert!(futures_util::poll!(file).is_pending());
        }
        let another = || intake.take(Body::from(silence(1)));
        assert_eq!(another().await, Err(AudioFileError::Busy));
        waiting.pop();
        assert!(another().await.is_ok());
    }

    #[tokio::test]
    async fn decoders_at_one_time_are_bounded() {
        let intake = Intake::new();
        let busy = Arc::clone(&intake.decoders).acquire_many_owned(2).await.unwrap();
        assert_eq!(intake.decoders.available_permits(), DECODERS_MAX - 2);
        let mut waiting = Box::pin(intake.take(Body::from(silence(1))));
        for _ in 0..10 {
            assert!(futures_util::poll!(&mut waiting).is_pending());
            tokio::task::yield_now().await;
        }
        drop(busy);
        assert!(waiting.await.is_ok());
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        assert!(AudioFileError::Rate(44_101).to_string().contains("44101 Hz is not supported"));
        assert!(AudioFileError::Rate(44_101).to_string().contains("22050, 24000"));
        assert!(AudioFileError::TooLong.to_string().contains("30 seconds"));
        let frame = AudioFileError::FrameLength { frame_bytes: 4, channels: 1, bits: 24 };
        assert!(frame.to_string().ends_with("1 channels of 24 bits take 3 bytes, and the block align is 4"));
    }
}
