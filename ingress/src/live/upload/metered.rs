//! PURE. A source that counts what a reader takes from it, and fails when too much of that is in no packet: a parser searches damaged
//! bytes for the next packet by itself, and does not say how many.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Longest stretch of a file that is in no packet, over the whole file, in bytes: tags at its end and damaged parts.
pub(super) const SKIPPED_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes that a reader takes before it needs them.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Metered<R> {
    source: R,
    taken: usize,
    packets: PacketBytes,
}

/// How many bytes of the source were in packets.
#[derive(Clone, Debug, Default)]
pub(super) struct PacketBytes(Arc<AtomicUsize>);

impl<R: Read> Metered<R> {
    pub(super) fn new(source: R, packets: PacketBytes) -> Self {
        Self { source, taken: 0, packets }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let used = self.packets.0.load(Ordering::Relaxed);
        if self.taken.saturating_sub(used) > SKIPPED_BYTES_MAX + READ_AHEAD_BYTES {
            return Err(io::Error::other("too much of the file is in no packet"));
        }
        let read = self.source.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

impl PacketBytes {
    /// Counts a packet of so many bytes.
    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_no_packet_are_bounded() {
        let packets = PacketBytes::default();
        let mut source = Metered::new(io::repeat(1), packets.clone());
        let mut block = vec![0; 32 * 1024];
        let mut taken = 0;
        while let Ok(read) = source.read(&mut block) {
            taken += read;
            assert!(taken <= 2 * SKIPPED_BYTES_MAX);
        }
        assert!(taken > SKIPPED_BYTES_MAX);
        packets.add(taken);
        assert!(source.read(&mut block).is_ok(), "what is in packets does not count");
    }
}
