//! PURE. Finds the first frame of an MP3 file, whatever is before it: ID3v2 tags (id3.org, "ID3v2.4.0 structure", section 3.1), also
//! with a wrong length, padding, and a part of a frame. It decodes nothing.

/// Most tags before the audio of a file.
const TAGS_MAX: usize = 4;

/// Longest stretch after the tags that is searched for two frames in a row, in bytes.
pub(super) const SEARCH_BYTES_MAX: usize = 64 * 1024;

/// Length of the header of an ID3v2 tag, and of its optional footer, in bytes.
const TAG_HEADER_BYTES: usize = 10;

/// Length of the header of a frame, in bytes.
const FRAME_HEADER_BYTES: usize = 4;

/// Bit rates of layer III in kbit/s, from index 1 on: of MPEG 1, and of MPEG 2 and 2.5 (ISO 11172-3, 2.4.2.3; ISO 13818-3, 2.4.2.3).
const KBITS: [[usize; 14]; 2] = [
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// What the frames of one recording have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameKind {
    rate_hz: usize,
    is_mono: bool,
}

/// A file from its first frame. `None` if it is no MP3 file.
#[must_use]
pub(super) fn from_first_frame(file: &[u8]) -> Option<&[u8]> {
    let rest = without_tags(file);
    let pair = (0..rest.len().min(SEARCH_BYTES_MAX)).find(|at| begins_with_two_frames(&rest[*at..]));
    match pair {
        Some(at) => Some(&rest[at..]),
        // One frame only, or a damaged second one: the decoder says what is wrong.
        None => begins_like_a_frame(rest).then_some(rest),
    }
}

/// The kind of a frame, by its header. `None` for anything else.
#[must_use]
pub(super) fn kind(frame: &[u8]) -> Option<FrameKind> {
    header(frame).map(|(kind, _)| kind)
}

/// The kind and the length in bytes of the frame at the beginning of `bytes`. Frames of a free bit rate do not say their length.
fn header(bytes: &[u8]) -> Option<(FrameKind, usize)> {
    let [_, second, third, fourth] = *bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
    if !begins_like_a_frame(bytes) {
        return None;
    }
    // Version: 11 is MPEG 1, 10 is MPEG 2, 00 is MPEG 2.5.
    let (table, halvings) = match second >> 3 & 0b11 {
        0b11 => (0, 0),
        0b10 => (1, 1),
        0b00 => (1, 2),
        _ => return None,
    };
    let kbits = KBITS[table].get(usize::from(third >> 4).checked_sub(1)?)?;
    let rate_hz = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 0b11))? >> halvings;
    let samples_per_byte_of_bit_rate = [144_000, 72_000][table];
    let padding = usize::from(third >> 1 & 1);
    let kind = FrameKind { rate_hz, is_mono: fourth >> 6 == 0b11 };
    Some((kind, samples_per_byte_of_bit_rate * kbits / rate_hz + padding))
}

/// Eleven bits of synchronisation (ISO 13818-3 has twelve), a version, and the layer, of which 01 is layer III (ISO 11172-3, 2.4.1.3).
fn begins_like_a_frame(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, second, ..] if second & 0b1110_0110 == 0b1110_0010)
}

fn begins_with_two_frames(bytes: &[u8]) -> bool {
    let Some((first, length)) = header(bytes) else { return false };
    bytes.get(length..).and_then(kind) == Some(first)
}

/// `file` after its tags and their padding. If no reading of a tag's length leads to audio or to another tag, the length is taken as
/// far as it is possible, and the rest is searched.
fn without_tags(file: &[u8]) -> &[u8] {
    let mut rest = file;
    for _ in 0..TAGS_MAX {
        let Some(after) = after_tag(rest) else { break };
        rest = after;
    }
    rest
}

/// What is after the tag at the beginning of `bytes`, and after zeros. Some writers do not write its length in seven bits a byte, as
/// the format wants it, but in eight.
fn after_tag(bytes: &[u8]) -> Option<&[u8]> {
    let tag = bytes.first_chunk::<TAG_HEADER_BYTES>().filter(|tag| tag.starts_with(b"ID3"))?;
    let footer = if tag[5] & 0x10 == 0 { 0 } else { TAG_HEADER_BYTES };
    let is_synchsafe = tag[6..].iter().all(|byte| *byte < 0x80);
    let after = |bits: u32| {
        let body = tag[6..].iter().fold(0_usize, |length, byte| length << bits | usize::from(*byte));
        let rest = bytes.get(TAG_HEADER_BYTES + body + footer..)?;
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        Some(&rest[padding..])
    };
    let readings = [after(7).filter(|_| is_synchsafe), after(8)];
    let possible = || readings.iter().flatten().copied();
    let leads_on = |rest: &&[u8]| begins_with_two_frames(rest) || rest.starts_with(b"ID3");
    Some(possible().find(leads_on).or_else(|| possible().next()).unwrap_or(&bytes[TAG_HEADER_BYTES..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two frames of MPEG 1, 48 kbit/s, 44.1 kHz, joint stereo: 156 bytes each.
    fn frames() -> Vec<u8> {
        let mut frame = vec![0xff, 0xfb, 0x30, 0x64];
        frame.resize(156, 0x55);
        frame.repeat(2)
    }

    fn tag(flags: u8, length: [u8; 4], body: usize) -> Vec<u8> {
        let mut tag = b"ID3\x04\0".to_vec();
        tag.push(flags);
        tag.extend(length);
        tag.extend(std::iter::repeat_n(0xff, body));
        tag
    }

    #[track_caller]
    fn check(parts: &[&[u8]]) {
        let file = [&parts.concat()[..], &frames()].concat();
        assert_eq!(from_first_frame(&file).map(<[u8]>::len), Some(frames().len()), "{} bytes", file.len());
    }

    #[test]
    fn tags_and_padding_before_the_first_frame_are_passed_over() {
        check(&[]);
        check(&[&tag(0, [0, 0, 0, 20], 20), &tag(0x10, [0, 0, 0, 5], 15), &[0; 30]]);
        check(&[&tag(0, [0, 0, 1, 0], 128)]);
        check(&[&tag(0, [0; 4], 0).repeat(TAGS_MAX + 1)]);
    }

    #[test]
    fn junk_before_the_first_frame_is_passed_over() {
        check(&[b"    "]);
        check(&[&[0; 500]]);
        check(&[&tag(0, [0, 0, 0, 20], 20), b"    "]);
        // The end of a frame, with what looks like the beginning of one in it.
        check(&[&frames()[100..156], &[0xff, 0xfb, 0x30, 0x64, 0, 0]]);
    }

    #[test]
    fn tag_with_a_wrong_length_is_passed_over() {
        // Eight bits a byte, above and below the limit of seven.
        check(&[&tag(0, [0, 0, 0, 200], 200)]);
        check(&[&tag(0, [0, 0, 1, 0], 256)]);
        // Longer than the file.
        check(&[&tag(0, [0x7f; 4], 100)]);
        check(&[&tag(0, [0xff; 4], 100)]);
        // Too short.
        check(&[&tag(0, [0, 0, 0, 10], 3_000)]);
    }

    #[test]
    fn search_for_the_first_frame_is_bounded() {
        check(&[&vec![b' '; SEARCH_BYTES_MAX - 1]]);
        let file = [vec![b' '; SEARCH_BYTES_MAX], frames()].concat();
        assert_eq!(from_first_frame(&file), None);
    }

    #[test]
    fn one_frame_is_left_to_the_decoder_and_other_content_is_none() {
        for frame in [[0xff, 0xfb, 0x90, 0x64], [0xff, 0xe3, 0x18, 0xc4]] {
            assert_eq!(from_first_frame(&frame), Some(&frame[..]));
        }
        // AAC in ADTS, MPEG layer II, two frames that do not fit together, a tag before nothing.
        let mut misfit = frames();
        misfit[158] = 0x34;
        let misfit = [b" ", &misfit[..]].concat();
        let lying = [tag(0, [0, 0, 0, 100], 20), frames()[..4].to_vec()].concat();
        let others: [&[u8]; 6] =
            [b"", b"OggS\0\x02", &[0xff, 0xf1, 0x50, 0x80], &[0xff, 0xfd, 0x90, 0x64], &misfit, &lying];
        for other in others {
            assert_eq!(from_first_frame(other), None, "{other:?}");
        }
    }

    #[test]
    fn length_of_a_frame_is_that_of_its_header() {
        let cases = [
            ([0xff, 0xfb, 0x90, 0x64], 44_100, 417),
            ([0xff, 0xfb, 0x92, 0x64], 44_100, 418),
            ([0xff, 0xf3, 0x48, 0xc4], 16_000, 144),
            ([0xff, 0xe3, 0x18, 0xc4], 8_000, 72),
            ([0xff, 0xfb, 0xe8, 0x64], 32_000, 1_440),
        ];
        for (bytes, rate_hz, length) in cases {
            let kind = FrameKind { rate_hz, is_mono: bytes[3] == 0xc4 };
            assert_eq!(header(&bytes), Some((kind, length)), "{bytes:x?}");
        }
        // A reserved version, free and invalid bit rates, a reserved sample rate.
        for bytes in [[0xff, 0xeb, 0x90, 0], [0xff, 0xfb, 0, 0], [0xff, 0xfb, 0xf0, 0], [0xff, 0xfb, 0x9c, 0]]
        {
            assert_eq!(header(&bytes), None, "{bytes:x?}");
        }
    }
}
