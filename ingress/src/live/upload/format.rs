//! PURE. The format of an uploaded file, by its content. The Content-Type is not read: programs send many names for these formats,
//! or none.

use super::mp3;

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// RIFF WAVE.
    Wav(&'a [u8]),
    /// MPEG audio layer III, from its first frame.
    Mp3(&'a [u8]),
}

impl<'a> Content<'a> {
    /// The content of `file`. `None` if it is of another format.
    #[must_use]
    pub(super) fn of(file: &'a [u8]) -> Option<Self> {
        if file.len() >= 12 && file.starts_with(b"RIFF") && &file[8..12] == b"WAVE" {
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
        let wav = b"RIFF\x24\0\0\0WAVEfmt ";
        assert_eq!(Content::of(wav), Some(Content::Wav(wav)));
        let mp3 = [0xff, 0xfb, 0x90, 0x64];
        assert_eq!(Content::of(&mp3), Some(Content::Mp3(&mp3)));
        let others: [&[u8]; 5] =
            [b"", b"RIFF", b"RIFF\x24\0\0\0AVI LIST", b"RIFX\0\0\0\x24WAVEfmt ", b"OggS\0\x02"];
        for other in others {
            assert_eq!(Content::of(other), None, "{other:?}");
        }
    }
}
