//! PURE. Counts the frames of a WebSocket in its bytes (RFC 6455, section 5.2). It reads only the lengths; what is wrong with a
//! frame is for the protocol implementation behind it.

/// Longest header of a frame, in bytes: two bytes, a length of eight and a mask of four.
const HEADER_BYTES_MAX: usize = 14;

/// Where in a frame the bytes so far end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    payload_left: u64,
}

impl Frames {
    /// Takes the next bytes. Calls `begun` for each frame whose header is complete, with the length of its payload.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut begun: impl FnMut(u64)) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let skipped = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.header_bytes] = *first;
            self.header_bytes += 1;
            bytes = rest;
            if let Some(payload) = self.payload() {
                self.header_bytes = 0;
                self.payload_left = payload;
                begun(payload);
            }
        }
    }

    /// The length of the payload, once the header is complete.
    fn payload(&self) -> Option<u64> {
        let [_, second, extended @ ..] = &self.header;
        if self.header_bytes < 2 {
            return None;
        }
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        let (length_bytes, payload) = match second & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes([extended[0], extended[1]]))),
            127 => (8, extended.first_chunk().map_or(0, |length| u64::from_be_bytes(*length))),
            short => (0, u64::from(short)),
        };
        (self.header_bytes == 2 + length_bytes + mask_bytes).then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_fuzz::cases;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).unwrap()),
            126..0x1_0000 => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0xff; 4].iter().filter(|_| masked));
        frame.resize(frame.len() + length, 0xff);
        frame
    }

    proptest! {
        #![proptest_config(cases(300))]

        #[test]
        fn every_frame_is_counted_with_its_length_however_the_bytes_arrive(
            frames in prop::collection::vec((prop_oneof![0..200_usize, 65_000..66_000_usize], any::<bool>()), 1..8),
            piece in 1..5_000_usize,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(length, masked)| frame(*length, *masked)).collect();
            let (mut counter, mut counted) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(piece) {
                counter.pass(piece, |payload| counted.push(usize::try_from(payload).unwrap()));
            }
            prop_assert_eq!(counted, frames.into_iter().map(|(length, _)| length).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_passed(bytes in prop::collection::vec(any::<u8>(), 0..3_000)) {
            let mut frames = 0;
            Frames::default().pass(&bytes, |_| frames += 1);
            prop_assert!(frames <= bytes.len() / 2);
        }
    }
}
