//! Uploaded turns, from the body of the request to PCM. The conversation plays the PCM to the model.
//!
//! The files are untrusted, so everything is bounded: the size and the duration of a body, the bodies in memory, the running
//! decoders and their time, each for one learner and in all, and in [`recording`] the work and the memory of each decoder.

mod error;
mod format;
mod limits;
mod metered;
mod mp3;
pub mod recording;
mod resample;
mod wav;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use events::contract::UserId;
use http_body_util::LengthLimitError;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use limits::{ARRIVAL_TIMEOUT, DECODERS_MAX, DECODING_TIME_MAX, FILES_OF_LEARNER_MAX};

pub use error::AudioFileError;
pub use limits::{CHANNELS_MAX, FILE_BYTES_MAX, FILES_MAX, RATES_HZ, TURN_MS_MAX};

/// Receives and decodes files.
#[derive(Clone, Debug)]
pub struct Intake {
    files: Arc<Semaphore>,
    decoders: Arc<Semaphore>,
    /// Files that are received or decoded, by learner.
    learners: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoding {
    /// PCM s16le, 16 kHz mono.
    pub pcm: Result<Bytes, AudioFileError>,
    /// The time of the decoder, also of a file that it refused.
    pub took: Duration,
}

/// The place of one file of a learner; dropping it frees the place.
#[derive(Debug)]
struct LearnersFile {
    learners: Arc<Mutex<HashMap<UserId, usize>>>,
    user_id: UserId,
}

impl Intake {
    /// No file received yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            files: Arc::new(Semaphore::new(FILES_MAX)),
            decoders: Arc::new(Semaphore::new(DECODERS_MAX)),
            learners: Arc::default(),
        }
    }

    /// Receives a file of the learner and decodes it.
    pub async fn take(&self, user_id: &UserId, body: Body) -> Decoding {
        let refused = |error| Decoding { pcm: Err(error), took: Duration::ZERO };
        self.decode(user_id, body).await.unwrap_or_else(refused)
    }

    async fn decode(&self, user_id: &UserId, body: Body) -> Result<Decoding, AudioFileError> {
        let place = self.place(user_id)?;
        let file_permit = Arc::clone(&self.files).try_acquire_owned().map_err(|_| AudioFileError::Busy)?;
        let file = receive(body).await?;
        let decoder_permit = Arc::clone(&self.decoders).acquire_owned().await;
        let decoder_permit = decoder_permit.expect("the semaphore is never closed");
        // A cancelled request does not stop its decoder, which holds its permits until it has finished.
        let decoded = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            let decoded = recording::decode(&file, || begun.elapsed() < DECODING_TIME_MAX);
            let took = begun.elapsed();
            drop((file, decoder_permit, file_permit, place));
            let pcm = decoded.map(|samples| samples.into_iter().flat_map(i16::to_le_bytes).collect());
            Decoding { pcm, took }
        });
        decoded.await.map_err(|error| {
            tracing::error!(error = %error, "a decoder failed");
            AudioFileError::Broken
        })
    }

    /// A place for another file of the learner.
    fn place(&self, user_id: &UserId) -> Result<LearnersFile, AudioFileError> {
        let mut learners = self.learners.lock().unwrap_or_else(PoisonError::into_inner);
        let files = learners.entry(user_id.clone()).or_default();
        if *files >= FILES_OF_LEARNER_MAX {
            return Err(AudioFileError::InProgress);
        }
        *files += 1;
        Ok(LearnersFile { learners: Arc::clone(&self.learners), user_id: user_id.clone() })
    }
}

impl Drop for LearnersFile {
    fn drop(&mut self) {
        let mut learners = self.learners.lock().unwrap_or_else(PoisonError::into_inner);
        let left = learners.get(&self.user_id).map_or(0, |files| files.saturating_sub(1));
        if left == 0 {
            learners.remove(&self.user_id);
        } else {
            learners.insert(self.user_id.clone(), left);
        }
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

    fn learner(name: &str) -> UserId {
        name.parse().unwrap()
    }

    /// Receives a file of a learner of its own.
    async fn take(intake: &Intake, body: Body) -> Result<Bytes, AudioFileError> {
        intake.take(&learner("learner-1"), body).await.pcm
    }

    /// A body that sends a little and then nothing more.
    fn endless() -> Body {
        let beginning = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"RIFF"))]);
        Body::from_stream(beginning.chain(stream::pending()))
    }

    #[tokio::test]
    async fn a_file_becomes_pcm() {
        let pcm = take(&Intake::new(), Body::from(silence(80))).await.unwrap();
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
        assert!(take(&intake, padded(FILE_BYTES_MAX)).await.is_ok());
        assert_eq!(take(&intake, padded(FILE_BYTES_MAX + 1)).await, Err(AudioFileError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_arrive_is_given_up() {
        let begun = Instant::now();
        assert_eq!(take(&Intake::new(), endless()).await, Err(AudioFileError::TooSlow));
        assert_eq!(begun.elapsed().as_secs(), ARRIVAL_TIMEOUT.as_secs());
    }

    #[tokio::test]
    async fn files_at_one_time_are_bounded_and_their_places_come_back() {
        let intake = Intake::new();
        let learners: Vec<_> = (0..FILES_MAX).map(|n| learner(&format!("other-{n}"))).collect();
        let mut waiting: Vec<_> =
            learners.iter().map(|user_id| Box::pin(intake.take(user_id, endless()))).collect();
        for file in &mut waiting {
            assert!(futures_util::poll!(file).is_pending());
        }
        let another = || take(&intake, Body::from(silence(1)));
        assert_eq!(another().await, Err(AudioFileError::Busy));
        waiting.pop();
        assert!(another().await.is_ok());
    }

    #[tokio::test]
    async fn decoders_at_one_time_are_bounded() {
        let intake = Intake::new();
        let busy = Arc::clone(&intake.decoders).acquire_many_owned(2).await.unwrap();
        assert_eq!(intake.decoders.available_permits(), DECODERS_MAX - 2);
        let mut waiting = Box::pin(take(&intake, Body::from(silence(1))));
        for _ in 0..10 {
            assert!(futures_util::poll!(&mut waiting).is_pending());
            tokio::task::yield_now().await;
        }
        drop(busy);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn files_of_a_learner_are_bounded_also_while_a_cancelled_one_is_decoded() {
        let intake = Intake::new();
        let (busy, user) = (Arc::clone(&intake.decoders), learner("learner-1"));
        let busy = busy.acquire_many_owned(2).await.unwrap();
        let mut waiting = Box::pin(intake.take(&user, Body::from(silence(1))));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let again = take(&intake, Body::from(silence(1))).await;
        assert_eq!(again, Err(AudioFileError::InProgress));
        drop(busy);
        assert!(intake.take(&learner("learner-2"), Body::from(silence(1))).await.pcm.is_ok());
        assert!(waiting.await.pcm.is_ok());
        assert!(take(&intake, Body::from(silence(1))).await.is_ok());
        assert!(intake.learners.lock().unwrap().is_empty());
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
