//! PURE. Stamps in audio: the send time of a frame, so that the other end of a relay can measure the delay. A stamp is
//! not part of audible text: the receiver removes it, and the samples around it are unchanged.
//!
//! A stamp is [`STAMP_SAMPLES`] samples, all of them quieter than speech: a mark, then the time in nanoseconds, one byte
//! a sample, the lowest first.

use std::time::Duration;

/// Samples of a stamp: 1 ms at 16 kHz.
pub(crate) const STAMP_SAMPLES: usize = MARK.len() + size_of::<u64>();

/// Begins a stamp. Neither tones nor silence have such samples in a row.
const MARK: [i16; 8] = [211, -97, 193, -223, 151, -41, 239, -179];

pub(crate) fn stamp(time: Duration) -> [i16; STAMP_SAMPLES] {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut stamp = [0; STAMP_SAMPLES];
    stamp[..MARK.len()].copy_from_slice(&MARK);
    for (sample, byte) in stamp[MARK.len()..].iter_mut().zip(nanos.to_le_bytes()) {
        *sample = i16::from(byte);
    }
    stamp
}

/// Takes the stamps out of a stream of samples in pieces of any length.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The end of the last piece, where a stamp may have begun.
    begun: Vec<i16>,
}

/// A piece of audio without its stamps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct UnstampedAudio {
    /// The samples without stamps.
    pub(crate) samples: Vec<i16>,
    /// The times of the stamps, in their order.
    pub(crate) times: Vec<Duration>,
}

impl Reader {
    /// Takes the next piece. A stamp that is not complete yet is held back until it is.
    pub(crate) fn read(&mut self, piece: &[i16]) -> UnstampedAudio {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(piece);
        let mut rest = all.as_slice();
        let mut unstamped = UnstampedAudio { samples: Vec::with_capacity(rest.len()), times: Vec::new() };
        while let Some(at) = rest.iter().position(|&sample| sample == MARK[0]) {
            let (before, from) = rest.split_at(at);
            unstamped.samples.extend_from_slice(before);
            let seen = from.len().min(MARK.len());
            if from[..seen] != MARK[..seen] {
                unstamped.samples.push(from[0]);
                rest = &from[1..];
            } else if let Some((stamp, behind)) = from.split_first_chunk() {
                unstamped.times.push(time(stamp));
                rest = behind;
            } else {
                self.begun = from.to_vec();
                return unstamped;
            }
        }
        unstamped.samples.extend_from_slice(rest);
        unstamped
    }
}

fn time(stamp: &[i16; STAMP_SAMPLES]) -> Duration {
    let mut nanos = [0; size_of::<u64>()];
    for (byte, sample) in nanos.iter_mut().zip(&stamp[MARK.len()..]) {
        *byte = sample.to_le_bytes()[0];
    }
    Duration::from_nanos(u64::from_le_bytes(nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simulator::audible::{Decoder, Heard, encode};

    const RATE: u32 = 16_000;

    proptest! {
        #[test]
        fn stamps_come_out_in_any_framing_and_leave_the_words_alone(
            nanos in prop::collection::vec(any::<u64>(), 1..40),
            frame in 1..700_usize,
            piece in 1..700_usize,
        ) {
            let speech = encode("A relay must not lose a single sample.", RATE);
            let mut sent = Vec::new();
            let mut times = Vec::new();
            for (samples, &nanos) in speech.chunks(frame).zip(nanos.iter().cycle()) {
                times.push(Duration::from_nanos(nanos));
                sent.extend(stamp(Duration::from_nanos(nanos)));
                sent.extend_from_slice(samples);
            }
            let mut reader = Reader::default();
            let mut read = UnstampedAudio::default();
            for piece in sent.chunks(piece) {
                let next = reader.read(piece);
                read.samples.extend(next.samples);
                read.times.extend(next.times);
            }
            prop_assert_eq!(read, UnstampedAudio { samples: speech, times });
        }
    }

    #[test]
    fn a_stamp_is_quieter_than_speech() {
        let stamp = stamp(Duration::from_nanos(u64::MAX));
        let mut decoder = Decoder::new(RATE);
        let mut heard = decoder.push(&stamp.repeat(1_000));
        heard.extend(decoder.finish());
        assert_eq!(heard, Vec::<Heard>::new());
    }

    #[test]
    fn what_only_begins_like_a_stamp_is_audio() {
        let samples = [MARK[0], MARK[0], MARK[1], 7, 8];
        assert_eq!(Reader::default().read(&samples).samples, samples);
    }
}
