//! PURE. The format of an uploaded file, by its Content-Type and by its first bytes. The first bytes decide.

/// Most tags before the audio of an MP3 file.
const TAGS_MAX: usize = 4;

/// Length of the header of an ID3v2 tag, and of its optional footer, in bytes.
const TAG_HEADER_BYTES: usize = 10;

/// A supported file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RIFF WAVE.
    Wav,
    /// MPEG audio layer III, with or without ID3 tags.
    Mp3,
}

impl Format {
    /// The format of a Content-Type; parameters are ignored. `None` for any other.
    #[must_use]
    pub fn of_content_type(value: &str) -> Option<Self> {
        let essence = value.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is("audio/wav") || is("audio/x-wav") {
            Some(Self::Wav)
        } else if is("audio/mpeg") {
            Some(Self::Mp3)
        } else {
            None
        }
    }

    /// The format of a file, by its first bytes. `None` for any other.
    #[must_use]
    pub fn of_content(bytes: &[u8]) -> Option<Self> {
        if bytes.len() >= 12 && bytes.starts_with(b"RIFF") && &bytes[8..12] == b"WAVE" {
            return Some(Self::Wav);
        }
        // ISO 11172-3, 2.4.1.3: eleven bits of synchronisation (ISO 13818-3 has twelve), a version, and the layer,
        // of which 01 is layer III.
        match without_tags(bytes) {
            [0xff, second, ..] if second & 0b1110_0110 == 0b1110_0010 => Some(Self::Mp3),
            _ => None,
        }
    }

    /// The name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Mp3 => "MP3",
        }
    }
}

/// An MP3 file from its first frame, without its ID3v2 tags (id3.org, "ID3v2.4.0 structure", section 3.1) and their padding.
/// Empty if a tag claims to be longer than the file.
#[must_use]
pub(super) fn without_tags(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    for _ in 0..TAGS_MAX {
        let Some(length) = tag_bytes(rest) else { break };
        rest = rest.get(length..).unwrap_or_default();
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        rest = &rest[padding..];
    }
    rest
}

/// The length of the ID3v2 tag at the beginning of `bytes`, header and footer included.
fn tag_bytes(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<TAG_HEADER_BYTES>()?;
    let size = &header[6..];
    if !header.starts_with(b"ID3") || size.iter().any(|byte| *byte >= 0x80) {
        return None;
    }
    let body = size.iter().fold(0, |length, byte| length << 7 | usize::from(*byte));
    let footer = if header[5] & 0x10 == 0 { 0 } else { TAG_HEADER_BYTES };
    Some(TAG_HEADER_BYTES + body + footer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_a_short_list() {
        assert_eq!(Format::of_content_type("audio/wav"), Some(Format::Wav));
        assert_eq!(Format::of_content_type("Audio/X-WAV; codecs=1"), Some(Format::Wav));
        assert_eq!(Format::of_content_type("audio/mpeg"), Some(Format::Mp3));
        for other in ["", "audio/ogg", "audio/webm;codecs=opus", "application/octet-stream", "audio/wavy"] {
            assert_eq!(Format::of_content_type(other), None, "{other}");
        }
    }

    #[test]
    fn the_first_bytes_tell_the_format() {
        assert_eq!(Format::of_content(b"RIFF\x24\0\0\0WAVEfmt "), Some(Format::Wav));
        assert_eq!(Format::of_content(&[0xff, 0xfb, 0x90, 0x64]), Some(Format::Mp3));
        assert_eq!(Format::of_content(&[0xff, 0xe3, 0x18, 0xc4]), Some(Format::Mp3));
        let others: [&[u8]; 7] = [
            b"",
            b"RIFF",
            b"RIFF\x24\0\0\0AVI LIST",
            b"RIFX\0\0\0\x24WAVEfmt ",
            b"OggS\0\x02",
            // AAC in ADTS, and MPEG layer II.
            &[0xff, 0xf1, 0x50, 0x80],
            &[0xff, 0xfd, 0x90, 0x64],
        ];
        for other in others {
            assert_eq!(Format::of_content(other), None, "{other:?}");
        }
    }

    #[test]
    fn tags_before_the_first_frame_are_passed_over() {
        let frame = [0xff, 0xfb, 0x90, 0x64];
        let tag = |flags: u8, length: u8, body: usize| {
            let mut tag = b"ID3\x04\0".to_vec();
            tag.extend([flags, 0, 0, 0, length]);
            tag.extend(std::iter::repeat_n(0xff, body));
            tag
        };
        let file = [tag(0, 20, 20), tag(0x10, 5, 15), vec![0; 30], frame.to_vec()].concat();
        assert_eq!(without_tags(&file), frame);
        assert_eq!(Format::of_content(&file), Some(Format::Mp3));
        let lying = [tag(0, 100, 20), frame.to_vec()].concat();
        assert_eq!(Format::of_content(&lying), None);
        let many = tag(0, 0, 0).repeat(TAGS_MAX + 1);
        assert_eq!(without_tags(&many), tag(0, 0, 0));
        assert_eq!(without_tags(&frame), frame);
    }
}
