//! PURE. The format of an uploaded file, by its content. The Content-Type is not read: programs send many names for these formats,
//! or none.

use super::mp3;

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// WAVE, in RIFF or one of its forms with 64-bit lengths.
    Wav(&'a [u8]),
    /// MPEG audio layer III, from its first frame.
    Mp3(&'a [u8]),
}

impl<'a> Content<'a> {
    /// The content of `file`. `None` if it is of another format.
    #[must_use]
    pub(super) fn of(file: &'a [u8]) -> Option<Self> {
        let is_riff = [b"RIFF", b"RF64", b"BW64"].iter().any(|form| file.starts_with(*form));
        if is_riff && file.get(8..12) == Some(b"WAVE") {
            return Some(Self::Wav(file));
        }
        mp3::from_first_frame(file).map(Self::Mp3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        let wavs: [&[u8]; 3] =
            [b"RIFF\x24\0\0\0WAVEfmt ", b"RF64\xff\xff\xff\xffWAVEds64", b"BW64\xff\xff\xff\xffWAVEds64"];
        for wav in wavs {
            assert_eq!(Content::of(wav), Some(Content::Wav(wav)));
        }
        let mp3 = [0xff, 0xfb, 0x90, 0x64];
        assert_eq!(Content::of(&mp3), Some(Content::Mp3(&mp3)));
        let others: [&[u8]; 5] =
            [b"", b"RIFF", b"RIFF\x24\0\0\0AVI LIST", b"RIFX\0\0\0\x24WAVEfmt ", b"OggS\0\x02"];
        for other in others {
            assert_eq!(Content::of(other), None, "{other:?}");
        }
    }
}
