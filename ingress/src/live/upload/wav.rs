//! PURE. Checks the format and data chunks of a WAV file before it is decoded (Microsoft, "Multiple channel audio data and WAVE
//! files"). Declared lengths are limited to the bytes that are there; all other chunks are dropped.

use super::{error::AudioFileError, limits::CHANNELS_MAX, resample};

/// Most chunks of a file.
const CHUNKS_MAX: usize = 64;

/// Length of a chunk header, in bytes: name and length.
const CHUNK_HEADER_BYTES: usize = 8;

/// Valid lengths of a format chunk, in bytes: plain, with an empty extension, and extensible.
const FORMAT_BYTES: [usize; 3] = [16, 18, 40];

/// Format tags of the supported encodings: PCM, float, A-law, mu-law, and extensible, which refers to one of these.
const ENCODINGS: [u16; 5] = [1, 3, 6, 7, 0xfffe];

/// A WAV file with a format and samples only: `header`, then `samples`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outline<'a> {
    /// Everything before the samples, with correct lengths.
    pub(super) header: Vec<u8>,
    /// The samples.
    pub(super) samples: &'a [u8],
}

/// Finds the format and the samples of `file`, which begins as a WAV file.
///
/// # Errors
/// [`AudioFileError::Broken`], [`AudioFileError::Encoding`], [`AudioFileError::Channels`], [`AudioFileError::Rate`].
pub(super) fn outline(file: &[u8]) -> Result<Outline<'_>, AudioFileError> {
    let mut rest = file.get(12..).ok_or(AudioFileError::Broken)?;
    let mut format = None;
    for _ in 0..CHUNKS_MAX {
        let (name, body, following) = chunk(rest).ok_or(AudioFileError::Broken)?;
        rest = following;
        if name == b"fmt " {
            format = Some(check_format(body)?);
        } else if name == b"data" {
            let format = format.ok_or(AudioFileError::Broken)?;
            return Ok(Outline { header: header(format, body.len()), samples: body });
        }
    }
    Err(AudioFileError::Broken)
}

/// The first chunk: its name, its body as far as it is there, and the rest.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<CHUNK_HEADER_BYTES>()?;
    let (name, length) = header.split_first_chunk::<4>()?;
    let declared = u32::from_le_bytes(*length.first_chunk()?);
    let length = usize::try_from(declared).unwrap_or(usize::MAX).min(rest.len());
    let (body, following) = rest.split_at(length);
    // Chunks begin at even offsets.
    let padding = (length % 2).min(following.len());
    Some((name, body, &following[padding..]))
}

fn check_format(format: &[u8]) -> Result<&[u8], AudioFileError> {
    let field = |at: usize| {
        let bytes = format.get(at..at + 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    let (Some(encoding), Some(channels), Some(low), Some(high)) = (field(0), field(2), field(4), field(6))
    else {
        return Err(AudioFileError::Broken);
    };
    if !ENCODINGS.contains(&encoding) || !FORMAT_BYTES.contains(&format.len()) {
        return Err(AudioFileError::Encoding);
    }
    if channels == 0 || channels > CHANNELS_MAX {
        return Err(AudioFileError::Channels(channels));
    }
    resample::check_rate(u32::from(high) << 16 | u32::from(low))?;
    Ok(format)
}

fn header(format: &[u8], samples: usize) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let all = 4 + CHUNK_HEADER_BYTES + format.len() + CHUNK_HEADER_BYTES + samples;
    [b"RIFF", &length(all)[..], b"WAVEfmt ", &length(format.len()), format, b"data", &length(samples)]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PCM, two channels, 44100 Hz, 16 bit.
    const STEREO: [u8; 16] = [1, 0, 2, 0, 0x44, 0xac, 0, 0, 0x10, 0xb1, 2, 0, 4, 0, 16, 0];

    fn file(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut file = b"RIFF\xff\xff\xff\xffWAVE".to_vec();
        for (name, length, body) in chunks {
            file.extend_from_slice(*name);
            file.extend(length.to_le_bytes());
            file.extend_from_slice(body);
        }
        file
    }

    #[test]
    fn format_and_samples_are_found_between_other_chunks() {
        let file = file(&[
            (b"LIST", 3, b"abc\0"),
            (b"fmt ", 16, &STEREO),
            (b"data", 4, &[1, 2, 3, 4]),
            (b"LIST", 4, b"left"),
        ]);
        let outline = outline(&file).unwrap();
        assert_eq!(outline.samples, [1, 2, 3, 4]);
        let header = [&b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0"[..], &STEREO, b"data\x04\0\0\0"].concat();
        assert_eq!(outline.header, header);
    }

    #[test]
    fn declared_lengths_are_believed_as_far_as_there_are_bytes() {
        let streamed = file(&[(b"fmt ", 16, &STEREO), (b"data", u32::MAX, &[1, 2, 3])]);
        let outline = outline(&streamed).unwrap();
        assert_eq!(outline.samples, [1, 2, 3]);
        assert!(outline.header.ends_with(b"data\x03\0\0\0"));
        let swallowed = file(&[(b"LIST", u32::MAX, b"x"), (b"fmt ", 16, &STEREO), (b"data", 4, &[0; 4])]);
        assert_eq!(super::outline(&swallowed), Err(AudioFileError::Broken));
    }

    #[test]
    fn what_is_not_decoded_is_named() {
        let with = |at: usize, value: &[u8]| {
            let mut format = STEREO;
            format[at..at + value.len()].copy_from_slice(value);
            outline(&file(&[(b"fmt ", 16, &format), (b"data", 4, &[0; 4])])).map(|_| ())
        };
        assert_eq!(with(0, &[2, 0]), Err(AudioFileError::Encoding));
        assert_eq!(with(2, &[0, 0]), Err(AudioFileError::Channels(0)));
        assert_eq!(with(2, &CHANNELS_MAX.to_le_bytes()), Ok(()));
        assert_eq!(
            with(2, &(CHANNELS_MAX + 1).to_le_bytes()),
            Err(AudioFileError::Channels(CHANNELS_MAX + 1))
        );
        assert_eq!(with(4, &44_101_u32.to_le_bytes()), Err(AudioFileError::Rate(44_101)));
        assert_eq!(outline(&file(&[(b"fmt ", 20, &[1; 20])])), Err(AudioFileError::Encoding));
    }

    #[test]
    fn a_file_without_format_or_samples_is_broken() {
        assert_eq!(outline(b"RIFF\0\0\0\0WAVE"), Err(AudioFileError::Broken));
        assert_eq!(outline(&file(&[(b"data", 4, &[0; 4])])), Err(AudioFileError::Broken));
        assert_eq!(outline(&file(&[(b"fmt ", 16, &STEREO)])), Err(AudioFileError::Broken));
        assert_eq!(outline(&file(&[(b"fmt ", 4, &STEREO[..4])])), Err(AudioFileError::Broken));
    }

    #[test]
    fn chunks_are_bounded() {
        let (format, samples): ((_, _, &[u8]), (_, _, &[u8])) = ((b"fmt ", 16, &STEREO), (b"data", 0, &[]));
        let chunks = |others: usize| {
            let others = std::iter::repeat_n((b"JUNK", 0, &[][..]), others);
            others.chain([format, samples]).collect::<Vec<(&[u8; 4], u32, &[u8])>>()
        };
        assert!(outline(&file(&chunks(CHUNKS_MAX - 2))).is_ok());
        assert_eq!(outline(&file(&chunks(CHUNKS_MAX - 1))), Err(AudioFileError::Broken));
    }
}
